"""What is said on a model version in its registry: short texts, whose outside parts are only shown
as code.
"""

from dataclasses import dataclass

from bot.facts.model import NotPromoted, Promotion, RequestFacts
from bot.words import escape

LONGEST_TAG = 250
"""Characters of a text that becomes a tag, in registries where nothing can be commented on."""


def live(promotion: Promotion) -> str:
    """A comment: a job scores with the version."""
    name, number = promotion.was
    if name == promotion.version.name:
        was = f"v{number}"
    else:
        was = f"{name} v{number}"
    told = [
        f"Job {escape.code(promotion.job)} scores with this version from its next run on "
        f"({f'was {escape.code(was)}' if number else 'its first'}), promoted by "
        f"{escape.code(promotion.version.promoted_by)}."
    ]
    if promotion.commit:
        told.append(
            "It was trained at commit "
            f"{escape.code(promotion.commit[:7])}{_of(promotion.pull_request)}."
        )
    if promotion.smoke is not None:
        measured = [
            f"{escape.code(name)} {escape.number(value)}"
            for name, value in promotion.measured.items()
        ]
        told.append(
            f"A smoke run scored toy data with it{': ' if measured else ''}{', '.join(measured)}."
        )
    if promotion.accepted:
        told.append(f"Accepted by {escape.code(promotion.accepted)}.")
    return " ".join(told)


def refused(told: NotPromoted) -> str:
    """A comment: a job does not score with the version, although it is promoted."""
    instead = "with nothing yet"
    if told.serving:
        instead = f"with {escape.code(told.serving)} as before"
    page = ""
    if told.run:
        page = told.run.run_page or told.run.mlflow_page
    return (
        f"Job {escape.code(told.job)} does not score with this version: {told.reason}. It scores "
        f"{instead}." + (f" {escape.link('Smoke run', page)}" if page else "")
    )


@dataclass(frozen=True)
class Finding:
    """What speaks against a version, each in the rest of a sentence (empty: nothing does), and what
    would become of it.

    `accepted`: who wants it all the same, and why. `tried`: it would be tried on toy data first.
    """

    doubt: str = ""
    misfit: str = ""
    accepted: str = ""
    refused: bool = False
    tried: bool = False


def asked(request: RequestFacts, found: Finding) -> str:
    """What to know before a version is moved to a stage that a job follows; nothing is decided by
    it.
    """
    name, number = request.serving
    job = escape.code(request.model.job_name)
    if request.requests:
        to = request.requests[0].to
    else:
        to = ""
    told = [
        f"Job {job} scores with the version in {escape.code(to)}"
        + (
            f", which is {escape.code(name)} {escape.code(f'v{number}')} now."
            if number
            else "; there is none now."
        ),
        *_compared(request),
        f"Signalman never validated its commit: {found.doubt}."
        if found.doubt
        else "Its commit was validated.",
        f"Its signature does not fit: {found.misfit}." if found.misfit else "Its signature fits.",
        f"Accepted by {escape.code(found.accepted)}." if found.accepted else "",
        "The job would not be pointed at it as it is." if found.refused else "",
        "It would be tried on toy data first." if found.tried and not found.refused else "",
        "Signalman neither approves nor rejects this request.",
    ]
    return " ".join(sentence for sentence in told if sentence)


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
