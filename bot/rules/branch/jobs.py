"""What must change for jobs to be as a commit describes them, and nothing of them that is not ours.

A merge of three, as `kubectl apply` does it: what the file names is ours; what was applied last and
is not named any more is removed; all else (who it runs as, whether it is paused, what people set by
hand, what the server adds) is left as it is. The version that a scoring job is pointed at is the
rollout's, and none of the file's either.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from bot.actions import BranchAction, ChangeJob, CreateJob, LookAgain, RemoveJob
from bot.facts.branch import BranchJobs, JobDefinition, JobFacts, JobLeftAlone, OwnedJob

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
"""The job parameters that say what a scoring job scores with."""

TRIGGERS = ("schedule", "trigger", "continuous")
"""What starts a job by itself; it has at most one of them."""

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
    actions: list[BranchAction] = []
    for key, definition in jobs.wanted.items():
        if _left_alone(jobs, key):
            continue
        job = job_of(jobs, key)
        if job is None:
            actions.append(CreateJob(definition, jobs.commit, jobs.pull_request))
            continue
        change = _change(jobs, definition, job)
        if change is not None:
            actions.append(change)
    waits = False
    for key, job in _leaving(jobs).items():
        if CREATED not in job.tags:
            actions.append(_let_go(job, key))
        elif key in jobs.running:
            waits = True
        else:
            actions.append(RemoveJob(job.id, key, job.name))
    if waits:
        actions.append(LookAgain(PATIENCE))
    return actions


def moved(wanted: Mapping[str, JobDefinition], owned: Mapping[str, OwnedJob]) -> bool:
    """Whether jobs are described otherwise than they were applied last, or not all of that is known
    to be done.
    """
    return wanted.keys() != owned.keys() or any(
        redefined(definition, owned[key]) for key, definition in wanted.items()
    )


def redefined(definition: JobDefinition, owned: OwnedJob | None) -> bool:
    """Whether a job is described otherwise than it was applied last, or is not known to be
    there.
    """
    return owned is None or not owned.id or dict(owned.applied) != owned_by(definition)


def problems(jobs: BranchJobs) -> tuple[JobLeftAlone, ...]:
    """The jobs that the repository describes and that are left alone."""
    return tuple(filter(None, (_left_alone(jobs, key) for key in jobs.wanted)))


def claimed(jobs: BranchJobs) -> dict[str, OwnedJob]:
    """What is owned while a plan is performed: whatever of it was done when it is cut off is known
    as ours.
    """
    claims = dict(jobs.owned)
    for key, definition in jobs.wanted.items():
        if _left_alone(jobs, key):
            continue
        applied = _over(_keyed(_applied(jobs, key)), _keyed(owned_by(definition)))
        claims[key] = OwnedJob(_id_of(jobs, key), _listed(applied))
    return claims


def owned(jobs: BranchJobs, ids: Mapping[str, int] | None = None) -> dict[str, OwnedJob]:
    """What is owned when a plan was performed; `ids` are those of the jobs that it created,
    by key.
    """
    created_ids = ids or {}
    kept: dict[str, OwnedJob] = {}
    for key, definition in jobs.wanted.items():
        if not _left_alone(jobs, key):
            job_id = created_ids.get(key) or _id_of(jobs, key)
            kept[key] = OwnedJob(job_id, owned_by(definition))
        elif key in jobs.owned:
            kept[key] = jobs.owned[key]
    for key, job in _leaving(jobs).items():
        if key in jobs.running and CREATED in job.tags:
            kept[key] = jobs.owned[key]
    return kept


def _id_of(jobs: BranchJobs, key: str) -> int:
    """The id of the job that a key stands for; 0: there is none yet."""
    job = job_of(jobs, key)
    if job:
        return job.id
    return 0


def owned_by(definition: JobDefinition) -> dict[str, Any]:
    """What of a job is its file's: without what is paused, and without the version that it is
    pointed at.
    """
    settings = {key: value for key, value in definition.settings.items() if key not in _NOT_SENT}
    for trigger in TRIGGERS:
        if isinstance(settings.get(trigger), Mapping):
            settings[trigger] = {
                key: value for key, value in settings[trigger].items() if key != "pause_status"
            }
    if definition.follows and "parameters" in settings:
        settings["parameters"] = [_without_version(each) for each in settings["parameters"]]
    return {key: value for key, value in settings.items() if value not in ({}, [])}


def _without_version(parameter: Mapping[str, Any]) -> Mapping[str, Any]:
    """A job parameter, of which only the name is left where it says what is scored with."""
    if parameter["name"] in FOLLOWED:
        return {"name": parameter["name"]}
    return parameter


def created(
    definition: JobDefinition, repository: str, commit: str, pull_request: int | None = None
) -> dict[str, Any]:
    """All settings of a job that is not there yet, in the terms of the Jobs API."""
    tags = {
        **definition.settings.get("tags", {}),
        REPOSITORY: repository,
        KEY: definition.key,
        CREATED: commit,
    }
    return {**definition.settings, "tags": _signed(tags, commit, pull_request)}


def after(definition: JobDefinition, applied: Settings, present: Settings) -> dict[str, Any]:
    """The settings that a job has once a definition is applied to it, but for the bot's own
    tags.
    """
    merged = _merged(
        _keyed(owned_by(definition)),
        _keyed(applied),
        _keyed(present),
        _keyed(definition.settings),
    )
    return _listed(merged)


def unlike_applied(jobs: BranchJobs) -> dict[str, dict[str, tuple[Any, Any]]]:
    """The jobs that are not as they were applied last: key -> path, such as
    `tasks.score.max_retries` -> two values.

    They are what was applied and what is found, None where there is nothing. What was not applied
    is nobody's business here, and a job that is gone, refused or on its way out is none of these.
    """
    by_key: dict[str, dict[str, tuple[Any, Any]]] = {}
    for key, own in jobs.owned.items():
        if key not in jobs.wanted or _left_alone(jobs, key):
            continue
        job = job_of(jobs, key)
        if job is None:
            continue
        tags = {**own.applied.get("tags", {}), REPOSITORY: jobs.repository, KEY: key}
        expected = _keyed({**own.applied, "tags": tags})
        paths: dict[str, tuple[Any, Any]] = {}
        for path, (applied, present) in _differing(expected, _keyed(job.settings), ""):
            # The server leaves out what is nothing.
            if applied or present is not None:
                paths[path] = (applied, present)
        if paths:
            by_key[key] = paths
    return by_key


def changes(before: Settings, now: Settings) -> tuple[str, ...]:
    """The paths at which settings differ, such as `schedule.quartz_cron_expression`; the bot's own
    tags aside.
    """
    old = _keyed(_unsigned(before))
    new = _keyed(_unsigned(now))
    paths = [path for path, _ in _differing(new, old, "")]
    paths += [path for path, _ in _differing(old, new, "")]
    return tuple(dict.fromkeys(paths))


def unlike(change: ChangeJob, job: JobFacts) -> tuple[str, ...]:
    """The paths at which a job does not read back as it was changed."""
    sent = _keyed(change.new_settings)
    present = _keyed(job.settings)
    paths = [path for path, _ in _differing(sent, present, "")]
    for name in _KEYS:
        if name in sent and isinstance(present.get(name), Mapping):
            paths += [f"{name}.{key}" for key in present[name] if key not in sent[name]]
    return tuple(paths)


def job_of(jobs: BranchJobs, key: str) -> JobFacts | None:
    """The job that a key of the repository stands for: its own, or one that it takes over; None:
    there is none yet.
    """
    job = jobs.there.get(key)
    if job is None:
        old = _renamed(jobs).get(key)
        if old:
            return jobs.there[old]
        return None
    own = jobs.owned.get(key)
    if own is not None and own.id == job.id:
        return job
    for other, other_job in jobs.owned.items():
        if other != key and other in jobs.wanted and other_job.id == job.id:
            return None
    return job


# -- which jobs are whose


def _renamed(jobs: BranchJobs) -> dict[str, str]:
    """A new key -> the key that is gone, where both are the same job: the only such two, and alike
    but for the name.
    """
    new: list[str] = []
    taken: set[int] = set()
    for key in jobs.wanted:
        job = jobs.there.get(key)
        if job is not None:
            taken.add(job.id)
        elif key not in jobs.owned:
            new.append(key)
    gone: list[str] = []
    for key in jobs.owned:
        job = jobs.there.get(key)
        if key not in jobs.wanted and job is not None and job.id not in taken:
            gone.append(key)
    if len(new) != 1 or len(gone) != 1:
        return {}
    described = {**owned_by(jobs.wanted[new[0]]), "name": ""}
    applied = {**jobs.owned[gone[0]].applied, "name": ""}
    if described == applied:
        return {new[0]: gone[0]}
    return {}


def _applied(jobs: BranchJobs, key: str) -> Settings:
    """What was applied last to the job of a key, whatever its key was then."""
    if key in jobs.owned:
        return jobs.owned[key].applied
    job = job_of(jobs, key)
    if job is not None:
        for own in jobs.owned.values():
            if own.id == job.id:
                return own.applied
    return {}


def _left_alone(jobs: BranchJobs, key: str) -> JobLeftAlone | None:
    """Why a job is not the repository's to change; None: it is, or there is none yet."""
    job = job_of(jobs, key)
    if job is None:
        return None
    file = jobs.wanted[key].file
    if job.bundle:
        return JobLeftAlone(file, key, job.name)
    owner = job.tags.get(REPOSITORY, jobs.repository)
    if owner != jobs.repository:
        return JobLeftAlone(file, key, job.name, owner)
    return None


def _leaving(jobs: BranchJobs) -> dict[str, JobFacts]:
    """The jobs of keys that are gone, as far as they are still ours."""
    described = [job_of(jobs, key) for key in jobs.wanted]
    staying = {job.id for job in described if job is not None}
    leaving: dict[str, JobFacts] = {}
    for key in jobs.owned:
        job = jobs.there.get(key)
        if key in jobs.wanted or job is None or job.id in staying or job.bundle:
            continue
        if job.tags.get(REPOSITORY) == jobs.repository:
            leaving[key] = job
    return leaving


def _let_go(job: JobFacts, key: str) -> ChangeJob:
    tags = {tag: value for tag, value in job.tags.items() if tag not in OURS}
    if tags:
        return ChangeJob(job.id, key, {"tags": tags}, name=job.name, goes=True)
    return ChangeJob(job.id, key, {}, remove=("tags",), name=job.name, goes=True)


# -- what changes


def _change(jobs: BranchJobs, definition: JobDefinition, job: JobFacts) -> ChangeJob | None:
    """What makes a job read as it is described; None: it does."""
    wanted = after(definition, _applied(jobs, definition.key), job.settings)
    own_tags = {REPOSITORY: jobs.repository, KEY: definition.key}
    wanted["tags"] = {**wanted.get("tags", {}), **own_tags}
    removed = _gone(wanted, job.settings)
    if not removed and not _sent(wanted, job.settings):
        return None
    # Only now: that there is another commit is no reason to change a job.
    wanted["tags"] = _signed(wanted["tags"], jobs.commit, jobs.pull_request)
    change = ChangeJob(
        job.id,
        definition.key,
        _sent(wanted, job.settings),
        removed,
        name=job.name,
        changes=changes(job.settings, wanted),
    )
    if all(_can_be_removed(path) for path in removed):
        return change
    settings = {key: value for key, value in wanted.items() if key not in _NOT_SENT}
    return replace(change, new_settings=settings, remove=(), whole=True)


def _can_be_removed(path: str) -> bool:
    """Whether an update of a job can remove what is at a path; a reset can in any case."""
    name, inside, _ = path.partition("/")
    return not inside or name in _REMOVABLE


def _signed(tags: Mapping[str, str], commit: str, pull_request: int | None) -> dict[str, str]:
    signed = {**tags, SYNCED: commit}
    if pull_request is None:
        signed.pop(PULL_REQUEST, None)
    else:
        signed[PULL_REQUEST] = str(pull_request)
    return signed


def _unsigned(settings: Settings) -> dict[str, Any]:
    unsigned = {key: value for key, value in settings.items() if key != "tags"}
    tags = {tag: value for tag, value in settings.get("tags", {}).items() if tag not in OURS}
    if tags:
        unsigned["tags"] = tags
    return unsigned


def _sent(wanted: Settings, present: Settings) -> dict[str, Any]:
    """The top-level fields that differ, complete: an update replaces each as a whole."""
    new = _keyed(wanted)
    old = _keyed(present)
    return {key: wanted[key] for key in wanted if not _same(key, new[key], old.get(key))}


def _gone(wanted: Settings, present: Settings) -> tuple[str, ...]:
    """What has to be removed, in the words of `fields_to_remove`."""
    new = _keyed(wanted)
    old = _keyed(present)
    paths = [key for key in old if key not in new]
    for name in _KEYS:
        if name in new and name in old:
            paths += [f"{name}/{key}" for key in old[name] if key not in new[name]]
    return tuple(paths)


def _merged(
    wanted: Settings, applied: Settings, present: Settings, whole: Settings
) -> dict[str, Any]:
    """A job's settings after a merge of three: what the file names (`wanted`), what it named when
    it was `applied` last, and what the job has (`present`). `whole` is what the file says of a job
    that is not there yet, for what the Jobs API takes only complete.
    """
    # A list that the file does not name any more may hold what others put there.
    emptied: Settings = {name: {} for name in (*_KEYS, "tags") if name in applied}
    merged: dict[str, Any] = _merge("", {**emptied, **wanted}, applied, present)
    for trigger in TRIGGERS:
        if trigger in wanted and trigger not in present:
            merged[trigger] = whole[trigger]
    for name, parameter in merged.get("parameters", {}).items():
        if "default" not in parameter:
            default: str = whole["parameters"][name].get("default", "")
            merged["parameters"][name] = {**parameter, "default": default}
    return {key: value for key, value in merged.items() if value != {} or present.get(key) == {}}


def _merge(key: str, wanted: Any, applied: Any, present: Any) -> Any:
    """What a setting becomes: what is wanted over what is present, without what was applied and is
    wanted no more. Of {a: 1}, applied {a: 0, b: 2}, present {a: 0, b: 2, c: 3}: {a: 1, c: 3}.
    """
    if not (isinstance(wanted, Mapping) and isinstance(present, Mapping)):
        if _same(key, wanted, present):
            return present
        return wanted
    before: Settings = applied if isinstance(applied, Mapping) else {}
    removed = {name for name in before if name not in wanted} | _displaced(wanted, present)
    merged = {name: value for name, value in present.items() if name not in removed}
    for name, value in wanted.items():
        merged[name] = _merge(name, value, before.get(name), merged.get(name))
    return merged


def _displaced(wanted: Settings, present: Settings) -> set[str]:
    """What cannot stand beside what the file names, such as another kind of task."""
    displaced: set[str] = set()
    for group in _ONE_OF:
        if group & wanted.keys():
            displaced |= group - wanted.keys()
    if "task_key" in wanted and any(name.endswith("_task") for name in wanted):
        displaced |= {name for name in present if name.endswith("_task") and name not in wanted}
    return displaced


def _same(key: str, left: Any, right: Any) -> bool:
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        if left.keys() != right.keys():
            return False
        return all(_same(name, value, right[name]) for name, value in left.items())
    if key in _ANY_ORDER and isinstance(left, list) and isinstance(right, list):
        if len(left) != len(right):
            return False
        return all(item in right for item in left) and all(item in left for item in right)
    return bool(left == right)


def _differing(
    wanted: Settings, present: Settings, prefix: str
) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Each path at which what is wanted differs from what is present, with both values."""
    for key, value in wanted.items():
        other = present.get(key)
        if isinstance(value, Mapping) and isinstance(other, Mapping):
            yield from _differing(value, other, f"{prefix}{key}.")
        elif not _same(key, value, other):
            yield f"{prefix}{key}", (value, other)


def _over(below: Any, above: Any) -> Any:
    """Both, the second over the first."""
    if not (isinstance(below, Mapping) and isinstance(above, Mapping)):
        return above
    return {**below, **{key: _over(below.get(key), value) for key, value in above.items()}}


def _keyed(settings: Settings) -> dict[str, Any]:
    """Settings with the lists whose entries have keys as mappings by these."""
    keyed = dict(settings)
    for name, key in _KEYS.items():
        if isinstance(settings.get(name), list):
            keyed[name] = {str(entry.get(key)): entry for entry in settings[name]}
    return keyed


def _listed(settings: Settings) -> dict[str, Any]:
    """Settings with these mappings as the lists that they were made of."""
    listed = dict(settings)
    for name in _KEYS:
        if isinstance(settings.get(name), Mapping):
            listed[name] = list(settings[name].values())
    return listed
