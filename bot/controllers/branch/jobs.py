"""Jobs as code: what a commit describes, what the workspace has of it, and doing what is missing.

A change is read back: a workspace may take a setting and keep another
(https://github.com/databricks/databricks-cli/issues/616).
"""

import tempfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

from bot.actions import ChangeJob, CreateJob, JobAction, RemoveJob
from bot.backends import cluster, project
from bot.config.repository import MLOPS_FILE, Job, Mlops
from bot.controllers import parallel
from bot.controllers.services import Repository, Services
from bot.errors import ConfigError, NotFound, ProjectError, ServiceError
from bot.facts.branch import BranchJobs, JobDefinition, JobFacts, OwnedJob, SourceFile
from bot.job_definitions import SUFFIXES, absent, read, short, together
from bot.rules.branch import jobs as rule
from bot.services.databricks import Databricks
from bot.services.job_fields import job_fields


def definitions(
    commit: str, wanted: Mlops, repository: Repository, files: Sequence[SourceFile] | None = None
) -> dict[str, JobDefinition]:
    """The jobs that a fetched commit describes, by key.

    With `files`, those of the mirrored folders, also holds against them what the jobs run. Raises
    ConfigError with a sentence for each mistake.
    """
    mirror = repository.mirror
    held: dict[str, bytes] = {}
    for source in mirror.files(commit, (wanted.definitions,)):
        if source.path.endswith(SUFFIXES):
            content = None
            if not source.link:
                content = mirror.read(commit, source.path)
            if content is None:
                raise ConfigError(
                    f"{source.path} is a symbolic link; links are never followed. Replace it by "
                    "the file."
                )
            held[source.path] = content
    shorts = [_short(commit, job, repository) for job in wanted.jobs if job.notebook is not None]
    found = together(read(held, wanted, job_fields()), shorts, wanted)
    if files is not None:
        mistakes = absent(found.values(), wanted.folders, files)
        if mistakes:
            raise ConfigError("\n".join(mistakes))
    return found


def gather(
    repository_key: str,
    commit: str,
    wanted: Mapping[str, JobDefinition],
    owned: Mapping[str, OwnedJob],
    services: Services,
    pull_request: int | None = None,
    known_as: Mapping[str, str] | None = None,
) -> BranchJobs:
    """Read the jobs of these keys: by id where it is known, else by name.

    `known_as`: names that jobs may have still, by key, where theirs is not found.
    """
    databricks = services.production.databricks
    old_names = known_as or {}
    keys = list(dict.fromkeys((*wanted, *owned)))

    def find(key: str) -> JobFacts | None:
        if key in wanted:
            names = [wanted[key].name]
        else:
            names = []
        if old_names.get(key):
            names.append(old_names[key])
        return _find(databricks, owned.get(key), names)

    jobs = parallel.side_by_side([partial(find, key) for key in keys], services.calls)
    there = dict(zip(keys, jobs, strict=True))
    lost = [key for key in wanted if there[key] is None and key in owned and not owned[key].id]
    if lost:
        # Created, perhaps, by a pass that was cut off before it could note the id, and called
        # otherwise since.
        there |= _by_tags(databricks, repository_key, lost)
    running = _running(there, wanted, services)
    return BranchJobs(
        repository_key, commit, dict(wanted), dict(owned), there, running, pull_request
    )


def _running(
    there: Mapping[str, JobFacts | None], wanted: Collection[str], services: Services
) -> frozenset[str]:
    """The keys of the jobs to be removed that run now."""
    going: dict[str, int] = {}
    for key, job in there.items():
        if key not in wanted and job is not None and rule.CREATED in job.tags:
            going[key] = job.id
    is_running = services.production.databricks.is_running
    answers = parallel.side_by_side(
        [partial(is_running, job_id) for job_id in going.values()], services.calls
    )
    return frozenset(key for key, running in zip(going, answers, strict=True) if running)


def perform(action: JobAction, repository_key: str, services: Services) -> tuple[str, int]:
    """Do one thing; says in words what was done, and gives the job's id.

    Raises ServiceError when the job does not read back as it was changed.
    """
    databricks = services.production.databricks
    match action:
        case CreateJob(definition, commit, pull_request):
            settings = rule.created(definition, repository_key, commit, pull_request)
            job = databricks.create_job(settings)
            name = settings["name"]
            _read_back(ChangeJob(job, definition.key, settings, name=name), databricks)
            return f"created job {name}", job
        case ChangeJob():
            if action.whole:
                databricks.reset_job(action.job, action.new_settings)
            else:
                databricks.update_job(action.job, action.new_settings, action.remove)
            _read_back(action, databricks)
            return done(action), action.job
        case RemoveJob(job):
            databricks.delete_job(job)
            return done(action), job


def done(action: JobAction) -> str:
    """What an action has done, in words."""
    match action:
        case CreateJob(definition):
            return f"created job {definition.name}"
        case ChangeJob(name=name, goes=True):
            return f"let job {name} go, which Signalman did not create"
        case ChangeJob(name=name, changes=changes):
            if not changes:
                return f"changed job {name}, which is the repository's now"
            return f"changed job {name}: {', '.join(changes)}"
        case RemoveJob(name=name):
            return f"removed job {name}"


def _read_back(change: ChangeJob, databricks: Databricks) -> None:
    unlike = rule.unlike(change, databricks.read_job(change.job))
    if unlike:
        raise ServiceError(
            "Databricks",
            f"Job {change.name} ({change.job}) was changed, but reads back otherwise: "
            f"{', '.join(unlike[:10])}. Somebody may be changing it too, or a policy of the "
            "workspace does; it is tried again.",
        )


def _find(databricks: Databricks, known: OwnedJob | None, names: Iterable[str]) -> JobFacts | None:
    if known is not None and known.id:
        try:
            return databricks.read_job(known.id)
        except NotFound:
            pass
    for name in names:
        job = databricks.job(name)
        if job is not None:
            return job
    return None


def _by_tags(
    databricks: Databricks, repository: str, keys: Sequence[str]
) -> dict[str, JobFacts | None]:
    by_key: dict[str, JobFacts | None] = {}
    for job in databricks.jobs():
        key = job.tags.get(rule.KEY, "")
        if key in keys and key not in by_key and job.tags.get(rule.REPOSITORY) == repository:
            by_key[key] = databricks.read_job(job.id)
    return by_key


def _short(commit: str, job: Job, repository: Repository) -> JobDefinition:
    """A scoring job of the configuration, with its project's libraries and cluster. Raises
    ConfigError.
    """
    if job.project is None:
        return short(job)
    with tempfile.TemporaryDirectory(prefix="signalman-") as temporary:
        folder = Path(temporary, PurePosixPath(job.project).name)
        folder.mkdir()
        try:
            repository.mirror.export(commit, job.project, folder)
            return short(job, project.read(folder).libraries, cluster.cluster(folder))
        except (ProjectError, NotFound) as error:
            raise ConfigError(f"{MLOPS_FILE}: jobs: {job.name}: {error}") from error
