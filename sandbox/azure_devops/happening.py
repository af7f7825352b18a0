"""One thing that happened, before it is known which subscriptions want to hear of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Happening:
    """An event with what subscriptions filter on.

    `resources` maps a resource version to its resource; `filters` maps the name
    of a publisher input to the values of that input which let the event through.
    """

    event_type: str
    resources: Mapping[str, Mapping[str, Any]]
    message: Mapping[str, str]
    detailed_message: Mapping[str, str]
    filters: Mapping[str, frozenset[str]] = field(default_factory=dict)
