"""What may be wrong in the end: four kinds, and a sentence for each case."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["lost", "doubled", "wrong", "leaked"]


@dataclass(frozen=True)
class Finding:
    """Something that is not as it must be: an event without its effect (`lost`), an effect that
    happened twice, a verdict or a content that is not right, a run that goes on or is not closed.
    """

    kind: Kind
    sentence: str
