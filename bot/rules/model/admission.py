"""Whether a job may be pointed at a promoted version: what is cheap to know first, the smoke run
last.

That somebody accepts a version (a tag of it says who and why) takes the place of
its validation and of a signature that fits. A version that is not there, or that
fails where it is tried, is accepted by nobody.
"""

import hashlib
from collections.abc import Mapping
from urllib.parse import quote

from bot.facts.model import (
    ACCEPTED,
    Admission,
    Doubt,
    Misfit,
    ModelFacts,
    ModelVersion,
    PromotionRefusal,
    VersionGone,
    VersionNotReady,
)
from bot.rules.model import signature, validated

TOLD = "signalman_told"
"""The tag of a model version that keeps, for each job, which was the last thing said of it there.
"""

LONGEST = 900
"""Characters of that tag; Unity Catalog takes 1,000
(https://docs.databricks.com/aws/en/admin/account-settings-e2/tag-policies)."""


def pending(admission: Admission) -> bool:
    """Whether the registry still works on a version, so that nothing can be said of it."""
    return admission.version is not None and admission.version.status == "PENDING_REGISTRATION"


def refusal(model: ModelFacts) -> PromotionRefusal | None:
    """What speaks against a version before it is tried; None: nothing."""
    admission = model.admission
    if admission is None or admission.version is None:
        return VersionGone()
    if admission.version.status not in ("READY", ""):
        return VersionNotReady(admission.version.status)
    if admission.version.tags.get(ACCEPTED):
        return None
    doubt = validated.doubt(model.origin, model.repository, model.target)
    if doubt is not None and (model.wanted is None or model.wanted.unvalidated == "refuse"):
        return doubt
    return signature.misfit(admission.signature, admission.loaded_signature)


def acceptable(refusal: PromotionRefusal) -> bool:
    """Whether a model owner may accept a version all the same."""
    return isinstance(refusal, Doubt | Misfit)


def told(version: ModelVersion, job: str) -> str:
    """The digest of what was said of a version last, for a job; empty for nothing."""
    return _entries(version).get(quote(job, safe=""), "")


def noting(version: ModelVersion, job: str, digest: str) -> Mapping[str, str]:
    """The tag that says so from now on; where there are many jobs, of those that were told last."""
    mine = quote(job, safe="")
    found = {name: kept for name, kept in _entries(version).items() if name != mine} | {
        mine: digest
    }
    entries = [f"{name}:{kept}" for name, kept in found.items()]
    while len(" ".join(entries)) > LONGEST and len(entries) > 1:
        del entries[0]
    return {TOLD: " ".join(entries)}


def digest(*words: str) -> str:
    """Something said, in twelve characters."""
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:12]


def _entries(version: ModelVersion) -> dict[str, str]:
    split = [entry.partition(":") for entry in version.tags.get(TOLD, "").split()]
    return {name: kept for name, _, kept in split}
