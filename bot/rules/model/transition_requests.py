"""What is answered to somebody who asks for a version to be moved to a stage that a job follows.

The comparison with what serves, and what would be refused; never a yes or a no, which is people's.
"""

from collections.abc import Mapping, Sequence

from bot.actions import CommentVersion, TagVersion, VersionAction
from bot.config.repository import Metric
from bot.facts.model import ACCEPTED, ModelVersion, RequestFacts, TransitionRequest
from bot.rules.model import admission, rollout, signature, validated
from bot.words import versions

ANSWERED = "signalman_answered"
"""The tag of a version that names the requests that were answered, by digest."""

MOST_VERSIONS = 3
"""So many of a model's newest versions are asked whether somebody wants them moved; each is a call.
"""
MOST_KEPT = 20
MOST_METRICS = 10


def worth_asking(found: Sequence[ModelVersion], stage: str) -> list[ModelVersion]:
    """The newest versions that somebody may want moved to a stage: not those that are there, or
    that are archived.
    """
    able = [version for version in found if version.stage not in (stage, "Archived")]
    return sorted(able, key=lambda version: int(version.version), reverse=True)[:MOST_VERSIONS]


def open(
    version: ModelVersion, found: Sequence[TransitionRequest], stage: str
) -> tuple[TransitionRequest, ...]:
    """The requests for that stage that were not answered yet, each once."""
    known = version.tags.get(ANSWERED, "").split()
    return tuple(
        request
        for request in dict.fromkeys(found)
        if request.to == stage and _digest(request) not in known
    )


def plan(asked: RequestFacts) -> list[VersionAction]:
    """One answer to all that ask for the same, and the sign of it last."""
    found = asked.model.admission
    if not asked.requests or found is None or found.version is None:
        return []
    version = found.version
    speaks = versions.Finding(
        doubt=validated.doubt(asked.model.origin, asked.model.repository, asked.model.target),
        misfit=signature.misfit(found.signature, found.loaded_signature),
        serving=rollout.label(asked.serving, version.name),
        accepted=version.tags.get(ACCEPTED, ""),
        refused=admission.refusal(asked.model) is not None,
        tried=found.smoke is not None,
    )
    answered = [
        *version.tags.get(ANSWERED, "").split(),
        *(_digest(request) for request in asked.requests),
    ]
    claim = {ANSWERED: version.tags.get(ANSWERED, "") or "-"}
    return [
        # Who may not write the sign would say it again and again.
        TagVersion(version.name, version.version, claim, needed=True),
        CommentVersion(version.name, version.version, versions.asked(asked, speaks)),
        TagVersion(version.name, version.version, {ANSWERED: " ".join(answered[-MOST_KEPT:])}),
    ]


def compared(
    configured: Sequence[Metric], metrics: Mapping[str, float], before: Mapping[str, float]
) -> tuple[Metric, ...]:
    """What two runs are compared by: the metrics that people judge by, or else those that both have
    logged.
    """
    both = sorted({*metrics} & {*before}) or sorted(metrics)
    return tuple(configured) or tuple(Metric(name=name) for name in both[:MOST_METRICS])


def _digest(request: TransitionRequest) -> str:
    return admission.digest(request.by, str(request.at), request.to)
