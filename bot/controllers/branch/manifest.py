"""What the bot noted in the production workspace: what it owns there, which commit that is, and who
took one back.

Two files for each repository. Only the passes over its branch write the manifest, and only whoever
rolls back the other, so that neither overwrites what it has not read.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from bot.errors import ConfigError
from bot.facts.branch import Manifest, OwnedJob, RolledBack, Synced
from bot.services.databricks import Databricks

T = TypeVar("T")

FOLDER = "/Shared/.signalman"


def path(repository: str) -> str:
    """Where the manifest of a repository lies."""
    return f"{FOLDER}/{repository.replace('/', '__')}.json"


def rollback_path(repository: str) -> str:
    """Where it is noted that a commit of a repository was taken back."""
    return f"{FOLDER}/{repository.replace('/', '__')}.rollback.json"


def read(repository: str, databricks: Databricks) -> Manifest:
    """What the bot wrote into the workspace; empty when it wrote nothing yet.

    Raises ConfigError when the file is there and is not a manifest: what it owns
    is then unknown, and nothing may be removed.
    """
    manifest = _read(path(repository), databricks, partial(_manifest, repository))
    return manifest or Manifest(repository)


def write(manifest: Manifest, databricks: Databricks) -> None:
    """Note what the bot owns."""
    body = {
        "version": 2,
        "repository": manifest.repository,
        "commit": manifest.commit,
        "since": manifest.since,
        "history": [_as_json(synced) for synced in manifest.history],
        "jobs": {
            key: {"id": job.id, "applied": dict(job.applied)} for key, job in manifest.jobs.items()
        },
        "kept": dict(manifest.kept),
        "files": dict(manifest.files),
    }
    databricks.write(path(manifest.repository), json.dumps(body, indent=1).encode())


def read_rollback(repository: str, databricks: Databricks) -> RolledBack | None:
    """The commit that was taken back last, if one ever was. Raises ConfigError when the file is
    something else.
    """
    return _read(rollback_path(repository), databricks, _rolled_back)


def write_rollback(repository: str, rolled_back: RolledBack, databricks: Databricks) -> None:
    """Note that a commit is taken back, for the passes over the branch to do."""
    body = json.dumps(_as_json(rolled_back), indent=1)
    databricks.write(rollback_path(repository), body.encode())


def _read(file: str, databricks: Databricks, parse: Callable[[Any], T]) -> T | None:
    content = databricks.read(file)
    if content is None:
        return None
    try:
        return parse(json.loads(content))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{file} in the workspace is not what Signalman wrote there. Somebody changed it; "
            "delete it, and the next sync writes everything anew (what was removed from Git since "
            "is then left in the workspace)."
        ) from error


def _manifest(repository: str, document: Any) -> Manifest:
    jobs = {
        key: OwnedJob(int(job["id"]), dict(job["applied"]))
        for key, job in document.get("jobs", {}).items()
    }
    return Manifest(
        repository,
        str(document["commit"]),
        {str(path): str(digest) for path, digest in document["files"].items()},
        str(document.get("since", "")),
        tuple(_synced(entry) for entry in document.get("history", ())),
        jobs,
        {str(path): str(reason) for path, reason in document.get("kept", {}).items()},
    )


def _synced(document: Mapping[str, Any]) -> Synced:
    return Synced(
        str(document["commit"]),
        int(document["pull_request"]) or None,
        _time(document["at"]),
        str(document["by"]),
    )


def _rolled_back(document: Mapping[str, Any]) -> RolledBack:
    return RolledBack(
        str(document["commit"]),
        str(document["instead"]),
        str(document["by"]),
        _time(document["at"]),
        int(document["pull_request"]) or None,
        str(document["order"]),
    )


def _as_json(noted: Synced | RolledBack) -> dict[str, Any]:
    """What the workspace keeps of it: no pull request is 0 there, and no time is null."""
    return {
        **vars(noted),
        "pull_request": noted.pull_request or 0,
        "at": noted.at.isoformat() if noted.at else None,
    }


def _time(text: Any) -> datetime | None:
    if text:
        return datetime.fromisoformat(text)
    return None
