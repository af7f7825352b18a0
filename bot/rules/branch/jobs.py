"""What must change for the workspace's jobs to be those that a commit describes, and nothing of
them that is not ours.

A merge of three, as `kubectl apply` does it: what the file names is ours; what was applied last and
is not named any more is removed; all else (who it runs as, whether it is paused, what people set by
hand, what the server adds) is left as it is. The version that a scoring job is pointed at is the
rollout's, and none of the file's either.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from bot.actions import BranchAction, ChangeJob, CreateJob, LookAgain, RemoveJob
from bot.facts.branch import BranchJobs, JobDefinition, JobFacts, OwnedJob

REPOSITORY = "signalman_repository"
KEY = "signalman_job"
CREATED = "signalman_created"
"""The tag that names the commit which brought a job; one that people made has none, and is never
deleted.
"""

SYNCED = "signalman_synced"
PULL_REQUEST = "signalman_pull_request"
OURS = (REPOSITORY, KEY, CREATED, SYNCED, PULL_REQUEST)

PATIENCE = 60.0
"""Seconds until a job that is to go, and that runs, is looked at again."""

FOLLOWED = ("model_name", "model_version")
TRIGGERS = ("schedule", "trigger", "continuous")

_KEYS = {
    "tasks": "task_key",
    "job_clusters": "job_cluster_key",
    "parameters": "name",
    "environments": "environment_key",
    "environment_variables": "environment_variables_key",
}
_REMOVABLE = ("tasks", "job_clusters")
"""Lists of which `jobs/update` removes an entry
(https://docs.databricks.com/api/workspace/jobs/update).
"""

_ONE_OF = (
    frozenset({"schedule", "trigger", "continuous", "triggers"}),
    frozenset({"new_cluster", "existing_cluster_id", "job_cluster_key"}),
    frozenset({"num_workers", "autoscale"}),
    frozenset({"node_type_id", "instance_pool_id"}),
    frozenset({"git_branch", "git_tag", "git_commit"}),
    frozenset({"periodic", "file_arrival", "table_update"}),
)
_ANY_ORDER = (
    "libraries",
    "depends_on",
    # Whom to tell: the workspace gives them in an order of its own, by which Terraform's provider
    # sorts them, too.
    "on_start",
    "on_success",
    "on_failure",
    "on_duration_warning_threshold_exceeded",
    "on_streaming_backlog_exceeded",
)
"""Lists of which the order says nothing."""
_NOT_SENT = ("run_as", "format", "deployment")

Settings = Mapping[str, Any]


def plan(jobs: BranchJobs) -> list[BranchAction]:
    """Create and change what differs, then remove what is gone; nothing when all is as it should
    be.
    """
    orders: list[BranchAction] = []
    for key, definition in jobs.wanted.items():
        if _refusal(jobs, key):
            continue
        there = job_of(jobs, key)
        if there is None:
            orders.append(CreateJob(definition, jobs.commit, jobs.pull_request))
        else:
            change = _change(jobs, definition, there)
            if change:
                orders.append(change)
    waits = False
    for key, there in _leaving(jobs).items():
        if CREATED not in there.tags:
            orders.append(_let_go(there, key))
        elif key in jobs.running:
            waits = True
        else:
            orders.append(RemoveJob(there.id, key, there.name))
    if waits:
        return [*orders, LookAgain(PATIENCE)]
    return orders


def moved(wanted: Mapping[str, JobDefinition], owned: Mapping[str, OwnedJob]) -> bool:
    """Whether jobs are described otherwise than they were applied last, or not all of that is known
    to be done.
    """
    return wanted.keys() != owned.keys() or any(
        redefined(one, owned[key]) for key, one in wanted.items()
    )


def redefined(definition: JobDefinition, owned: OwnedJob | None) -> bool:
    """Whether a job is described otherwise than it was applied last, or is not known to be
    there.
    """
    return owned is None or not owned.id or dict(owned.applied) != owned_by(definition)


def problems(jobs: BranchJobs) -> tuple[str, ...]:
    """Why jobs are left alone that the repository describes, a sentence for each."""
    return tuple(sentence for key in jobs.wanted if (sentence := _refusal(jobs, key)))


def claimed(jobs: BranchJobs) -> dict[str, OwnedJob]:
    """What is owned while a plan is performed: whatever of it was done when it is cut off is known
    as ours.
    """
    found = dict(jobs.owned)
    for key, definition in jobs.wanted.items():
        if not _refusal(jobs, key):
            there = job_of(jobs, key)
            before = _applied(jobs, key)
            found[key] = OwnedJob(
                there.id if there else 0,
                _listed(_over(_keyed(before), _keyed(owned_by(definition)))),
            )
    return found


def owned(jobs: BranchJobs, ids: Mapping[str, int] | None = None) -> dict[str, OwnedJob]:
    """What is owned when a plan was performed; `ids` are those of the jobs that it created,
    by key.
    """
    found: dict[str, OwnedJob] = {}
    for key, definition in jobs.wanted.items():
        if _refusal(jobs, key):
            if key in jobs.owned:
                found[key] = jobs.owned[key]
            continue
        there = job_of(jobs, key)
        found[key] = OwnedJob(
            (ids or {}).get(key) or (there.id if there else 0), owned_by(definition)
        )
    leaving = _leaving(jobs)
    waiting = {
        key: jobs.owned[key]
        for key in leaving
        if key in jobs.running and CREATED in leaving[key].tags
    }
    return {**found, **waiting}


def owned_by(definition: JobDefinition) -> dict[str, Any]:
    """What of a job is its file's: without what is paused, and without the version that it is
    pointed at.
    """
    found = dict(definition.settings)
    for trigger in TRIGGERS:
        if isinstance(found.get(trigger), Mapping):
            found[trigger] = {
                key: value for key, value in found[trigger].items() if key != "pause_status"
            }
    if definition.follows and "parameters" in found:
        found["parameters"] = [
            {"name": parameter["name"]} if parameter["name"] in FOLLOWED else parameter
            for parameter in found["parameters"]
        ]
    return {
        key: value for key, value in found.items() if key not in _NOT_SENT and value not in ({}, [])
    }


def created(
    definition: JobDefinition, repository: str, commit: str, pull_request: int = 0
) -> dict[str, Any]:
    """All settings of a job that is not there yet, in the terms of the Jobs API."""
    tags = {
        **definition.settings.get("tags", {}),
        REPOSITORY: repository,
        KEY: definition.key,
        CREATED: commit,
    }
    return {**definition.settings, "tags": _signed(tags, commit, pull_request)}


def after(definition: JobDefinition, applied: Settings, there: Settings) -> dict[str, Any]:
    """The settings that a job has once a definition is applied to it, but for the bot's own
    tags.
    """
    return _listed(
        _merged(
            _keyed(owned_by(definition)),
            _keyed(applied),
            _keyed(there),
            _keyed(definition.settings),
        )
    )


def unlike_applied(jobs: BranchJobs) -> dict[str, dict[str, tuple[Any, Any]]]:
    """The jobs that are not as they were applied last: key -> path, such as
    `tasks.score.max_retries` -> two values.

    They are what was applied and what is found, None where there is nothing. What was not applied
    is nobody's business here, and a job that is gone, refused or on its way out is none of these.
    """
    found: dict[str, dict[str, tuple[Any, Any]]] = {}
    for key, own in jobs.owned.items():
        there = None
        if key in jobs.wanted:
            there = job_of(jobs, key)
        if there is None or _refusal(jobs, key):
            continue
        tags = {**own.applied.get("tags", {}), REPOSITORY: jobs.repository, KEY: key}
        differing = _differing(_keyed({**own.applied, "tags": tags}), _keyed(there.settings), "")
        # The server leaves out what is nothing.
        paths = {
            path: (applied, now) for path, (applied, now) in differing if applied or now is not None
        }
        if paths:
            found |= {key: paths}
    return found


def changes(before: Settings, now: Settings) -> tuple[str, ...]:
    """The paths at which settings differ, such as `schedule.quartz_cron_expression`; the bot's own
    tags aside.
    """
    old = _keyed(_unsigned(before))
    new = _keyed(_unsigned(now))
    paths = [path for path, _ in _differing(new, old, "")] + [
        path for path, _ in _differing(old, new, "")
    ]
    return tuple(dict.fromkeys(paths))


def unlike(change: ChangeJob, there: JobFacts) -> tuple[str, ...]:
    """The paths at which a job does not read back as it was changed."""
    sent = _keyed(change.new_settings)
    found = _keyed(there.settings)
    differing = [path for path, _ in _differing(sent, found, "")]
    for name in _KEYS:
        if name in sent and isinstance(found.get(name), Mapping):
            differing += [f"{name}.{key}" for key in found[name] if key not in sent[name]]
    return tuple(differing)


def job_of(jobs: BranchJobs, key: str) -> JobFacts | None:
    """The job that a key of the repository stands for: its own, or one that it takes over; None:
    there is none yet.
    """
    there = jobs.there.get(key)
    if there is not None:
        known = jobs.owned.get(key)
        if known is not None and known.id == there.id:
            return there
        others = {
            one.id for other, one in jobs.owned.items() if other != key and other in jobs.wanted
        }
        if there.id in others:
            return None
        return there
    old = _renamed(jobs).get(key)
    if old:
        return jobs.there[old]
    return None


# -- which jobs are whose


def _renamed(jobs: BranchJobs) -> dict[str, str]:
    """A new key -> the key that is gone, where both are the same job: the only such two, and alike
    but for the name.
    """
    new = [key for key in jobs.wanted if jobs.there.get(key) is None and key not in jobs.owned]
    taken = {one.id for key in jobs.wanted if (one := jobs.there.get(key))}
    old = [
        key
        for key in jobs.owned
        if key not in jobs.wanted
        and (one := jobs.there.get(key)) is not None
        and one.id not in taken
    ]
    if len(new) != 1 or len(old) != 1:
        return {}
    alike = {**owned_by(jobs.wanted[new[0]]), "name": ""} == {
        **jobs.owned[old[0]].applied,
        "name": "",
    }
    if alike:
        return {new[0]: old[0]}
    return {}


def _applied(jobs: BranchJobs, key: str) -> Settings:
    """What was applied last to the job of a key, whatever its key was then."""
    if key in jobs.owned:
        return jobs.owned[key].applied
    there = job_of(jobs, key)
    before = [
        owned_job.applied
        for owned_job in jobs.owned.values()
        if there is not None and owned_job.id == there.id
    ]
    if before:
        return before[0]
    return {}


def _refusal(jobs: BranchJobs, key: str) -> str:
    there = job_of(jobs, key)
    definition = jobs.wanted[key]
    if there is None:
        return ""
    place = f"{definition.file}: job {there.name} ({key})"
    if there.bundle:
        return (
            f"{place} is managed by a Databricks Asset Bundle in the workspace, so it is left "
            "alone. Remove it from "
            "the bundle (databricks bundle deployment unbind), or from this file."
        )
    owner = there.tags.get(REPOSITORY, jobs.repository)
    if owner != jobs.repository:
        return (
            f"{place} belongs to the repository {owner}, so it is left alone. Give one of them "
            "another name."
        )
    return ""


def _leaving(jobs: BranchJobs) -> dict[str, JobFacts]:
    """The jobs of keys that are gone, as far as they are still ours."""
    kept = {there.id for key in jobs.wanted if (there := job_of(jobs, key))}
    found = {}
    for key in jobs.owned:
        there = jobs.there.get(key)
        if key in jobs.wanted or there is None or there.id in kept or there.bundle:
            continue
        if there.tags.get(REPOSITORY) == jobs.repository:
            found[key] = there
    return found


def _let_go(there: JobFacts, key: str) -> ChangeJob:
    tags = {tag: value for tag, value in there.tags.items() if tag not in OURS}
    return ChangeJob(
        there.id,
        key,
        {"tags": tags} if tags else {},
        () if tags else ("tags",),
        name=there.name,
        goes=True,
    )


# -- what changes


def _change(jobs: BranchJobs, definition: JobDefinition, there: JobFacts) -> ChangeJob | None:
    wanted = after(definition, _applied(jobs, definition.key), there.settings)
    own = {REPOSITORY: jobs.repository, KEY: definition.key}
    wanted["tags"] = {**wanted.get("tags", {}), **own}
    if not _sent(wanted, there.settings) and not _gone(wanted, there.settings):
        return None
    # Only now: that there is another commit is no reason to change a job.
    wanted["tags"] = _signed(wanted["tags"], jobs.commit, jobs.pull_request)
    told = changes(there.settings, wanted)
    removed = _gone(wanted, there.settings)
    base = ChangeJob(
        there.id,
        definition.key,
        _sent(wanted, there.settings),
        removed,
        name=there.name,
        changes=told,
    )
    if all("/" not in path or path.partition("/")[0] in _REMOVABLE for path in removed):
        return base
    whole = {key: value for key, value in wanted.items() if key not in _NOT_SENT}
    return replace(base, new_settings=whole, remove=(), whole=True)


def _signed(tags: Mapping[str, str], commit: str, pull_request: int) -> dict[str, str]:
    signed = {**tags, SYNCED: commit, PULL_REQUEST: str(pull_request)}
    if not pull_request:
        del signed[PULL_REQUEST]
    return signed


def _unsigned(settings: Settings) -> dict[str, Any]:
    tags = {tag: value for tag, value in settings.get("tags", {}).items() if tag not in OURS}
    return {
        **{key: value for key, value in settings.items() if key != "tags"},
        **({"tags": tags} if tags else {}),
    }


def _sent(wanted: Settings, there: Settings) -> dict[str, Any]:
    """The top-level fields that differ, complete: an update replaces each as a whole."""
    new = _keyed(wanted)
    old = _keyed(there)
    return {key: wanted[key] for key in wanted if not _same(key, new[key], old.get(key))}


def _gone(wanted: Settings, there: Settings) -> tuple[str, ...]:
    """What has to be removed, in the words of `fields_to_remove`."""
    new = _keyed(wanted)
    old = _keyed(there)
    found = [key for key in old if key not in new]
    for name in _KEYS:
        if name in new and name in old:
            found += [f"{name}/{key}" for key in old[name] if key not in new[name]]
    return tuple(found)


def _merged(
    wanted: Settings, applied: Settings, there: Settings, whole: Settings
) -> dict[str, Any]:
    # A list that the file does not name any more may hold what others put there.
    named = {**{name: {} for name in (*_KEYS, "tags") if name in applied}, **wanted}
    found: dict[str, Any] = _merge("", named, applied, there)
    for trigger in TRIGGERS:
        if trigger in wanted and trigger not in there:
            found[trigger] = whole[trigger]
    for name, parameter in found.get("parameters", {}).items():
        if "default" not in parameter:
            given: str = whole["parameters"][name].get("default", "")
            found["parameters"][name] = {**parameter, "default": given}
    return {key: value for key, value in found.items() if value != {} or there.get(key) == {}}


def _merge(key: str, wanted: Any, applied: Any, there: Any) -> Any:
    if isinstance(wanted, Mapping) and isinstance(there, Mapping):
        if isinstance(applied, Mapping):
            before = applied
        else:
            before = {}
        gone = {name for name in before if name not in wanted} | _displaced(wanted, there)
        kept = {name: value for name, value in there.items() if name not in gone}
        return kept | {
            name: _merge(name, value, before.get(name), kept.get(name))
            for name, value in wanted.items()
        }
    if _same(key, wanted, there):
        return there
    return wanted


def _displaced(wanted: Settings, there: Settings) -> set[str]:
    """What cannot stand beside what the file names, such as another kind of task."""
    found: set[str] = set()
    for group in _ONE_OF:
        if group & wanted.keys():
            found |= group - wanted.keys()
    if "task_key" in wanted and any(name.endswith("_task") for name in wanted):
        found |= {name for name in there if name.endswith("_task") and name not in wanted}
    return found


def _same(key: str, one: Any, other: Any) -> bool:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(
            _same(name, one[name], other[name]) for name in one
        )
    if key in _ANY_ORDER and isinstance(one, list) and isinstance(other, list):
        return (
            len(one) == len(other)
            and all(item in other for item in one)
            and all(item in one for item in other)
        )
    return bool(one == other)


def _differing(
    wanted: Settings, there: Settings, place: str
) -> Iterator[tuple[str, tuple[Any, Any]]]:
    for key, value in wanted.items():
        found = there.get(key)
        if isinstance(value, Mapping) and isinstance(found, Mapping):
            yield from _differing(value, found, f"{place}{key}.")
        elif not _same(key, value, found):
            yield f"{place}{key}", (value, found)


def _over(below: Any, above: Any) -> Any:
    """Both, the second over the first."""
    if isinstance(below, Mapping) and isinstance(above, Mapping):
        return {**below, **{key: _over(below.get(key), value) for key, value in above.items()}}
    return above


def _keyed(settings: Settings) -> dict[str, Any]:
    """Settings with the lists whose entries have keys as mappings by these."""
    return {
        name: {str(entry.get(_KEYS[name])): entry for entry in value}
        if name in _KEYS and isinstance(value, list)
        else value
        for name, value in settings.items()
    }


def _listed(settings: Settings) -> dict[str, Any]:
    return {
        name: list(value.values()) if name in _KEYS and isinstance(value, Mapping) else value
        for name, value in settings.items()
    }
