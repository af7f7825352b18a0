"""Where model versions come from: the run that trained one, its commit, its pull request, and what
was judged there.
"""

from collections.abc import Iterator
from dataclasses import replace

from bot import run_tags
from bot.controllers import parallel
from bot.controllers.runs import lifecycle
from bot.controllers.services import Repository, Services
from bot.errors import NotFound
from bot.facts.model import Judged, Origin
from bot.facts.pull_request import VALIDATE, Check, PullRequestHead
from bot.rules.model import validated
from bot.services.mlflow import MlflowRun


def origin(trained_by: str, repository: Repository, services: Services) -> Origin | None:
    """Where a version comes from that an MLflow run registered, but not what was judged; None when
    nobody knows it.
    """
    run = None
    if trained_by:
        run = lifecycle.anywhere(trained_by, services)
    if run is None:
        return None
    return _origin(run, repository)


def judged(trained_by: str, repository: Repository, services: Services) -> Origin | None:
    """Where a version comes from that an MLflow run registered, and what `signalman/validate` came
    to there. A few calls to Azure DevOps.
    """
    run = None
    if trained_by:
        run = lifecycle.anywhere(trained_by, services)
    if run is None:
        return None
    origin = _origin(run, repository)
    if origin.repository != repository.served.key or not origin.commit:
        return origin
    if origin.own:
        verdicts = _own(run, origin, repository)
    else:
        verdicts = list(_merges(origin.commit, repository))
    return replace(origin, judged=tuple(verdicts))


def _origin(run: MlflowRun, repository: Repository) -> Origin:
    tags = run.tags
    served = repository.served
    commit = tags.get(run_tags.COMMIT) or tags.get("mlflow.source.git.commit", "")
    if tags.get(run_tags.REPOSITORY, served.key) != served.key:
        return Origin(tags[run_tags.REPOSITORY], commit, None)
    number = tags.get(run_tags.PULL_REQUEST, "")
    kind = tags.get(run_tags.KIND, "")
    if number.isdigit():
        return Origin(served.key, commit, int(number), kind == run_tags.RETRAINING, own=not kind)
    if commit:
        merged = repository.azure.merged_as([commit])
    else:
        merged = {}
    return Origin(served.key, commit, merged.get(commit))


def _own(run: MlflowRun, found: Origin, repository: Repository) -> list[Judged]:
    """What was judged of the iteration that a run was made for, if its commit is that of
    the run.
    """
    number = found.pull_request or 0
    iteration = run.tags.get(run_tags.ITERATION, "")
    try:
        head, checks, me = _read(number, repository)
    except NotFound:
        return []
    position = 0
    if iteration.isdigit():
        position = int(iteration)
    if not 0 < position <= len(head.commits) or head.commits[position - 1] != found.commit:
        return []
    return [Judged(found.commit, number, _state(checks, position, me))]


def _merges(commit: str, repository: Repository) -> Iterator[Judged]:
    """What was judged of a commit of the target branch, and of those before it for as long as that
    says nothing.
    """
    line = [commit]
    merged = repository.azure.merged_as(line)
    for _ in range(validated.MOST):
        here = line[-1]
        judged = _merge(here, merged.get(here), repository)
        yield judged
        if judged.pull_request is None or validated.settled(judged):
            return
        try:
            repository.mirror.bring_past(repository.served.target, here)
            parents = repository.mirror.parents(here)
        except NotFound:
            return
        if not parents:
            return
        line.append(parents[0])
        merged |= repository.azure.merged_as(parents[:1])


def _merge(commit: str, number: int | None, repository: Repository) -> Judged:
    if number is None:
        return Judged(commit)
    try:
        head, checks, me = _read(number, repository)
    except NotFound:
        return Judged(commit)
    # A pull request to another branch was judged by nobody.
    if head.target != repository.served.target:
        return Judged(commit)
    return Judged(commit, number, _state(checks, head.iteration, me))


def _read(number: int, repository: Repository) -> tuple[PullRequestHead, list[Check], str]:
    azure = repository.azure
    return parallel.three(
        lambda: azure.pull_request(number), lambda: azure.checks(number), azure.me
    )


def _state(checks: list[Check], iteration: int, me: str) -> str:
    """The bot's own verdict on an iteration. Somebody else may post a status of the same name."""
    own = [
        check
        for check in checks
        if check.name == VALIDATE and check.iteration == iteration and check.by == me
    ]
    if own:
        return own[0].state
    return ""
