"""Jobs as code: what a commit describes, what the workspace has of it, and doing what is missing.

A change is read back: a workspace may take a setting and keep another
(https://github.com/databricks/databricks-cli/issues/616).
"""

import tempfile
from collections.abc import Iterable, Mapping, Sequence
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
    pull_request: int = 0,
    known_as: Mapping[str, str] | None = None,
) -> BranchJobs:
    """Read the jobs of these keys: by id where it is known, else by name.

    `known_as`: names that jobs may have still, by key, where theirs is not found.
    """
    databricks = services.production.databricks
    keys = list(dict.fromkeys((*wanted, *owned)))

    def find(key: str) -> JobFacts | None:
        if key in wanted:
            names = [wanted[key].name]
        else:
            names = []
        return _find(
            databricks, owned.get(key), [*names, *filter(None, [(known_as or {}).get(key)])]
        )

    found = parallel.side_by_side([partial(find, key) for key in keys], services.calls)
    there = dict(zip(keys, found, strict=True))
    lost = [key for key in wanted if there[key] is None and key in owned and not owned[key].id]
    if lost:
        # Created, perhaps, by a pass that was cut off before it could note the id, and called
        # otherwise since.
        there |= _by_tags(databricks, repository_key, lost)
    going = {
        key: job.id
        for key, job in there.items()
        if key not in wanted and job and rule.CREATED in job.tags
    }
    runs = parallel.side_by_side(
        [partial(databricks.is_running, job) for job in going.values()], services.calls
    )
    running = frozenset(key for key, runs_now in zip(going, runs, strict=True) if runs_now)
    return BranchJobs(
        repository_key, commit, dict(wanted), dict(owned), there, running, pull_request
    )


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
            return told(action), action.job
        case RemoveJob(job):
            databricks.delete_job(job)
            return told(action), job


def told(action: JobAction) -> str:
    """What an action has done, in words."""
    match action:
        case CreateJob(definition):
            return f"created job {definition.name}"
        case ChangeJob(name=name, goes=True):
            return f"let job {name} go, which Signalman did not create"
        case ChangeJob(name=name, changes=changes):
            return f"changed job {name}" + (
                f": {', '.join(changes)}" if changes else ", which is the repository's now"
            )
        case RemoveJob(name=name):
            return f"removed job {name}"


def _read_back(change: ChangeJob, databricks: Databricks) -> None:
    unlike = rule.unlike(change, databricks.read_job(change.job))
    if unlike:
        raise ServiceError(
            "Databricks",
            f"Job {change.name} ({change.job}) was changed, but reads back otherwise: "
            f"{', '.join(unlike[:10])}. "
            "Somebody may be changing it too, or a policy of the workspace does; it is tried "
            "again.",
        )


def _find(databricks: Databricks, known: OwnedJob | None, names: Iterable[str]) -> JobFacts | None:
    if known is not None and known.id:
        try:
            return databricks.read_job(known.id)
        except NotFound:
            pass
    return next((job for name in names if (job := databricks.job(name)) is not None), None)


def _by_tags(
    databricks: Databricks, repository: str, keys: Sequence[str]
) -> dict[str, JobFacts | None]:
    found: dict[str, JobFacts | None] = {}
    for job in databricks.jobs():
        key = job.tags.get(rule.KEY, "")
        if key in keys and key not in found and job.tags.get(rule.REPOSITORY) == repository:
            found[key] = databricks.read_job(job.id)
    return found


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
