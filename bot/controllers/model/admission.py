"""What has to be known of a promoted version before a job scores with it, and the smoke runs that
try it.
"""

from dataclasses import replace

from bot.config.repository import Job, Mlops
from bot.controllers import parallel
from bot.controllers.model import origins
from bot.controllers.runs import lifecycle, logs
from bot.controllers.services import Repository, Services
from bot.facts.model import Admission, ModelFacts, ServingVersion, SmokeTest
from bot.rules.model import rollout, smoke
from bot.rules.runs import merge
from bot.subjects import Subject


def gather(
    facts: ModelFacts,
    chosen: ServingVersion,
    wanted: Mlops,
    commit: str,
    repository: Repository,
    services: Services,
) -> ModelFacts:
    """The facts with what speaks for and against a version, but not with how it was tried. `commit`
    is the tip.
    """
    models = services.production.models
    version, (signature, serving), origin = parallel.three(
        lambda: models.version(chosen.name, chosen.version),
        lambda: _signatures(facts, chosen, services),
        lambda: origins.judged(chosen.run, repository, services),
    )
    job = facts.wanted
    test = None
    if job:
        test = _test(wanted, job, (chosen.name, chosen.version), commit, repository)
    return replace(facts, origin=origin, admission=Admission(version, signature, serving, test))


def tried(
    facts: ModelFacts, subject: Subject, repository: Repository, services: Services
) -> ModelFacts:
    """The facts with how the smoke runs are by now; those of this version are looked for where none
    is remembered.
    """
    runs = facts.runs
    if smoke.unknown(facts):
        runs = tuple(
            merge(
                runs, lifecycle.find_smokes(smoke.EXPERIMENT, facts.job_name, repository, services)
            )
        )
    seen_runs = tuple(lifecycle.look(run, services) for run in runs)
    for run in seen_runs:
        logs.collect(run, subject, services)
    return replace(facts, runs=seen_runs)


def _signatures(facts: ModelFacts, chosen: ServingVersion, services: Services) -> tuple[str, str]:
    """The signature of a version, and of the one that the job scores with now."""
    models = services.production.models
    name, version = rollout.signed_version(facts.job) if facts.job else ("", "")
    if not version or (name, version) == (chosen.name, chosen.version):
        return models.signature(chosen.name, chosen.version), ""
    return parallel.both(
        lambda: models.signature(chosen.name, chosen.version),
        lambda: models.signature(name, version),
    )


def _test(
    wanted: Mlops, job: Job, version: tuple[str, str], commit: str, repository: Repository
) -> SmokeTest | None:
    project = smoke.project(wanted, job)
    if project is not None:
        files = repository.mirror.files(commit, (project.path,))
    else:
        files = ()
    return smoke.test(wanted, job, version, commit, files)
