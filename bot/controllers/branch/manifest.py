"""What the bot noted in the production workspace: what it owns there, which commit that is, and who
took one back.

Two files for each repository. Only the passes over its branch write the manifest, and only whoever
rolls back the other, so that neither overwrites what it has not read.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
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
    return _read(
        path(repository), databricks, lambda found: _manifest(repository, found)
    ) or Manifest(repository)


def write(manifest: Manifest, databricks: Databricks) -> None:
    """Note what the bot owns."""
    body = {
        "version": 2,
        "repository": manifest.repository,
        "commit": manifest.commit,
        "since": manifest.since,
        "history": [_dated(vars(synced)) for synced in manifest.history],
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
    databricks.write(
        rollback_path(repository), json.dumps(_dated(vars(rolled_back)), indent=1).encode()
    )


def _read(place: str, databricks: Databricks, shape: Callable[[Any], T]) -> T | None:
    content = databricks.read(place)
    if content is None:
        return None
    try:
        return shape(json.loads(content))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{place} in the workspace is not what Signalman wrote there. Somebody changed it; "
            "delete it, and the next "
            "sync writes everything anew (what was removed from Git since is then left in the "
            "workspace)."
        ) from error


def _manifest(repository: str, found: Any) -> Manifest:
    jobs = {
        key: OwnedJob(int(job["id"]), dict(job["applied"]))
        for key, job in found.get("jobs", {}).items()
    }
    return Manifest(
        repository,
        str(found["commit"]),
        {str(key): str(value) for key, value in found["files"].items()},
        str(found.get("since", "")),
        tuple(_synced(synced) for synced in found.get("history", ())),
        jobs,
        {str(key): str(value) for key, value in found.get("kept", {}).items()},
    )


def _synced(found: Mapping[str, Any]) -> Synced:
    return Synced(
        str(found["commit"]), int(found["pull_request"]), _time(found["at"]), str(found["by"])
    )


def _rolled_back(found: Mapping[str, Any]) -> RolledBack:
    return RolledBack(
        str(found["commit"]),
        str(found["instead"]),
        str(found["by"]),
        _time(found["at"]),
        int(found["pull_request"]),
        str(found["order"]),
    )


def _dated(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in fields.items()
    }


def _time(text: Any) -> datetime | None:
    if text:
        return datetime.fromisoformat(text)
    return None
