"""A pass over a target branch: what it holds, what the workspace holds of it, and what is still missing."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from bot import config
from bot.actions import Action, CreateJob, RemoveObject, Reply, Wake, WriteManifest, WriteObject
from bot.backends import cluster, project
from bot.controllers import target, thread
from bot.controllers.neighbours import Neighbours, Repository
from bot.errors import ConfigError
from bot.facts import BranchFacts, Manifest
from bot.passes import Look, Outcome
from bot.rules import sync
from bot.subjects import Branch, Subject

MANIFESTS = "/Shared/.signalman"
OWNER = "signalman_repository"


def pass_over(subject: Branch, look: Look, world: Neighbours) -> Outcome:
    """Gather, decide, perform."""
    repository = world.repositories[subject.repository]
    facts = gather(subject, repository, world)
    performed: list[str] = []
    wake: list[Subject] = []
    for action in look.each(sync.plan(facts)):
        told = perform(action, facts, repository, world)
        if told:
            performed.append(told)
        if isinstance(action, Wake):
            wake.append(action.subject)
    return Outcome(performed=tuple(performed), wake=tuple(wake))


def gather(subject: Branch, repository: Repository, world: Neighbours) -> BranchFacts:
    """Read the branch's tip and its configuration, the manifest and the jobs.

    Raises ConfigError when the configuration at the tip cannot be used: the
    workspace then stays as it is.
    """
    tip, wanted = target.read(repository)
    manifest = read_manifest(subject.repository, world)
    facts = BranchFacts(
        repository=subject.repository,
        target=repository.served.target,
        tip=tip,
        config=wanted,
        files=(),
        manifest=manifest,
        jobs={job.name: world.production.databricks.job(job.name) for job in wanted.jobs},
    )
    if manifest.commit == tip:
        return facts
    folders = tuple(folder.from_ for folder in wanted.folders)
    commits = repository.mirror.since(repository.served.target, manifest.commit or manifest.since, tip)
    merged = repository.azure.merged_as(commits)
    return replace(
        facts,
        files=repository.mirror.files(tip, folders),
        merged=tuple((merged[commit], commit) for commit in reversed(commits) if commit in merged),
    )


def read_manifest(repository: str, world: Neighbours) -> Manifest:
    """What the bot wrote into the production workspace; empty when it wrote nothing yet.

    Raises ConfigError when the file is there and is not a manifest: what it owns
    is then unknown, and nothing may be removed.
    """
    path = manifest_path(repository)
    content = world.production.databricks.read(path)
    if content is None:
        return Manifest(repository)
    try:
        found = json.loads(content)
        files = {str(k): str(v) for k, v in found["files"].items()}
        return Manifest(repository, str(found["commit"]), files, str(found.get("since", "")))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{path} in the workspace is not a manifest of Signalman's. Somebody changed it; delete it, and the next "
            "sync writes everything anew (what was removed from Git since is then left in the workspace)."
        ) from error


def manifest_path(repository: str) -> str:
    """Where the manifest of a repository lies."""
    return f"{MANIFESTS}/{repository.replace('/', '__')}.json"


def perform(action: Action, facts: BranchFacts, repository: Repository, world: Neighbours) -> str:
    """Do one thing; says in words what was done, nothing for what leaves no trace."""
    databricks = world.production.databricks
    match action:
        case WriteObject(path, source, commit):
            content = repository.mirror.read(commit, source.path) or b""
            suffix = source.path.rpartition(".")[2] if source.notebook else ""
            databricks.write(path, content, f".{suffix}" if suffix else "")
            return f"wrote {path}"
        case RemoveObject(path):
            databricks.remove(path)
            return f"removed {path}"
        case WriteManifest(manifest):
            body = {
                "version": 1,
                "repository": manifest.repository,
                "commit": manifest.commit,
                "since": manifest.since,
                "files": dict(manifest.files),
            }
            databricks.write(manifest_path(manifest.repository), json.dumps(body, indent=1).encode())
            return f"the workspace holds {manifest.commit[:7]}" if manifest.commit == facts.tip else ""
        case CreateJob(name, commit):
            job = next(job for job in facts.config.jobs if job.name == name)
            databricks.create_job(job_settings(job, facts.repository, commit, repository))
            return f"created job {name}"
        case Reply(number, body, sign):
            thread.reply(repository.azure, number, body, sign)
            return f"told pull request {number}: {body.strip()}"
        case Wake():
            return ""
        case _:
            raise AssertionError(f"a branch's pass does not know {action}")


def described(action: Action) -> str:
    """What an action would do, for a dry run; nothing for what leaves no trace in the workspace."""
    match action:
        case WriteObject(path, source):
            return f"write {path} from {source.path}"
        case RemoveObject(path):
            return f"remove {path}"
        case CreateJob(name):
            return f"create job {name}"
        case _:
            return ""


def job_settings(job: config.Job, repository: str, commit: str, source: Repository) -> Mapping[str, Any]:
    """A scoring job in the terms of the Jobs API, not yet pointed at a version."""
    task: dict[str, Any] = {
        "task_key": "score",
        "notebook_task": {"notebook_path": job.notebook, "source": "WORKSPACE"},
        "timeout_seconds": round(job.timeout),
    }
    own = dict(job.parameters)
    if job.project is not None:
        own.setdefault("project", PurePosixPath(job.project).name)
        with tempfile.TemporaryDirectory(prefix="signalman-") as folder:
            source.mirror.export(commit, job.project, Path(folder))
            task["libraries"] = list(project.read(Path(folder)).libraries)
            task["new_cluster"] = cluster.cluster(Path(folder))
    settings: dict[str, Any] = {
        "name": job.name,
        "tasks": [task],
        "max_concurrent_runs": 1,
        "parameters": [
            {"name": name, "default": value} for name, value in {**own, "model_name": "", "model_version": ""}.items()
        ],
        "tags": {OWNER: repository, sync.CREATED: commit},
    }
    if job.schedule is not None:
        settings["schedule"] = {
            "quartz_cron_expression": job.schedule.cron,
            "timezone_id": job.schedule.timezone,
            "pause_status": "PAUSED" if job.schedule.paused else "UNPAUSED",
        }
    return settings
