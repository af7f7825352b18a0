"""What has to be known of a promoted version before a job scores with it, and the smoke runs that
try it.
"""

from collections.abc import Sequence
from dataclasses import replace

from bot.config.repository import Job, Mlops
from bot.controllers import parallel
from bot.controllers.model import origins
from bot.controllers.runs import lifecycle, logs
from bot.controllers.services import Repository, Services
from bot.facts.model import Admission, ModelFacts, ServingVersion, SmokeTest
from bot.facts.runs import ProjectRun
from bot.rules.model import admission, rollout, smoke
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
    found = facts.runs
    if _to_be_tried(facts):
        found = tuple(
            lifecycle.merge(
                found, lifecycle.find_smokes(smoke.EXPERIMENT, facts.job_name, repository, services)
            )
        )
    looked = tuple(lifecycle.look(run, services) for run in found)
    for run in looked:
        logs.collect(run, subject, services)
    return replace(facts, runs=looked)


def remembered(facts: ModelFacts, found: Sequence[ProjectRun]) -> tuple[ProjectRun, ...]:
    """The runs that the next look asks for: those of the version that waits, and all that nobody
    has closed.
    """
    asked = facts.admission
    mine: set[str] = set()
    if asked is not None and asked.smoke is not None and asked.version is not None:
        mine = {
            run.token
            for run in smoke.attempts(replace(facts, runs=tuple(found)), asked.version, asked.smoke)
        }
    return smoke.kept([run for run in found if run.token in mine or not run.closed])


def _to_be_tried(facts: ModelFacts) -> bool:
    """Whether a version is to be tried and nothing is remembered of that."""
    asked = facts.admission
    if asked is None or asked.smoke is None or asked.version is None:
        return False
    if admission.pending(asked) or admission.refusal(facts) is not None:
        return False
    return not smoke.attempts(facts, asked.version, asked.smoke)


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
    found = smoke.project(wanted, job)
    if found is not None:
        files = repository.mirror.files(commit, (found.path,))
    else:
        files = ()
    return smoke.test(wanted, job, version, commit, files)
