"""What is said on a model version in its registry: short texts, whose outside parts are only shown
as code.
"""

from dataclasses import dataclass

from bot.facts.model import Doubt, Misfit, NotPromoted, Promotion, RequestFacts
from bot.words import escape, model

LONGEST_TAG = 250
"""Characters of a text that becomes a tag, in registries where nothing can be commented on."""


def live(promotion: Promotion) -> str:
    """A comment: a job scores with the version."""
    was = "its first"
    name, number = promotion.was
    if number:
        was = f"was {escape.code(f'v{number}')}"
        if name != promotion.version.name:
            was = f"was {escape.code(f'{name} v{number}')}"
    told = [
        f"Job {escape.code(promotion.job)} scores with this version from its next run on ({was}), "
        f"promoted by {escape.code(promotion.version.promoted_by)}."
    ]
    if promotion.commit:
        commit = escape.code(promotion.commit[:7])
        told.append(f"It was trained at commit {commit}{_of(promotion.pull_request)}.")
    if promotion.smoke is not None:
        measured = ", ".join(
            f"{escape.code(metric)} {escape.number(value)}"
            for metric, value in promotion.measured.items()
        )
        if measured:
            measured = f": {measured}"
        told.append(f"A smoke run scored toy data with it{measured}.")
    if promotion.accepted:
        told.append(f"Accepted by {escape.code(promotion.accepted)}.")
    return " ".join(told)


def refused(told: NotPromoted) -> str:
    """A comment: a job does not score with the version, although it is promoted."""
    instead = "with nothing yet"
    if told.serving:
        instead = f"with {escape.code(told.serving)} as before"
    said = (
        f"Job {escape.code(told.job)} does not score with this version: "
        f"{model.not_promoted(told)}. It scores {instead}."
    )
    if told.run is not None and (page := told.run.run_page or told.run.mlflow_page):
        said += f" {escape.link('Smoke run', page)}"
    return said


@dataclass(frozen=True)
class Finding:
    """What speaks against a version (None: nothing does), and what would become of it.

    `serving` is what the job scores with now, such as `v17` (empty: nothing), which the `misfit` is
    about. `accepted`: who wants it all the same, and why. `tried`: it would be tried on toy data
    first.
    """

    doubt: Doubt | None = None
    misfit: Misfit | None = None
    serving: str = ""
    accepted: str = ""
    refused: bool = False
    tried: bool = False


def asked(request: RequestFacts, found: Finding) -> str:
    """What to know before a version is moved to a stage that a job follows; nothing is decided by
    it.
    """
    job = escape.code(request.model.job_name)
    to = ""
    if request.requests:
        to = request.requests[0].to
    serving = "; there is none now"
    name, number = request.serving
    if number:
        serving = f", which is {escape.code(name)} {escape.code(f'v{number}')} now"
    told = [
        f"Job {job} scores with the version in {escape.code(to)}{serving}.",
        *_compared(request),
    ]
    if found.doubt is not None:
        told.append(f"Signalman never validated its commit: {model.doubt(found.doubt)}.")
    else:
        told.append("Its commit was validated.")
    if found.misfit is not None:
        with_ = escape.code(found.serving or "nothing")
        told.append(f"Its signature does not fit: {model.misfit(found.misfit, with_)}.")
    else:
        told.append("Its signature fits.")
    if found.accepted:
        told.append(f"Accepted by {escape.code(found.accepted)}.")
    if found.refused:
        told.append("The job would not be pointed at it as it is.")
    elif found.tried:
        told.append("It would be tried on toy data first.")
    told.append("Signalman neither approves nor rejects this request.")
    return " ".join(told)


def tag(text: str) -> str:
    """A comment as it is said where it can only be a tag."""
    plain = " ".join(escape.visible(text).replace("`", "").split())
    if len(plain) <= LONGEST_TAG:
        return plain
    return plain[: LONGEST_TAG - 1] + "…"


def _of(pull_request: int | None) -> str:
    if pull_request is None:
        return ""
    return f" of pull request {pull_request}"


def _compared(request: RequestFacts) -> list[str]:
    rows: list[str] = []
    for metric in request.compared:
        new = request.metrics.get(metric.name)
        old = request.before.get(metric.name)
        if new is None and old is None:
            continue
        said = "not logged"
        if new is not None:
            said = escape.number(new)
        if old is not None:
            change = ""
            if new is not None:
                change = f", {escape.difference(new, old)}"
            said += f" (now {escape.number(old)}{change}; {metric.goal} is better)"
        rows.append(f"{escape.code(metric.name)} {said}")
    if rows:
        return [f"{'; '.join(rows)}."]
    return []
