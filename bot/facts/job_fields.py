"""What the Jobs API takes of a job's settings: fields, their kinds, and which are needed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Plain = Literal["text", "whole number", "number", "true or false", "anything", "unknown"]


@dataclass(frozen=True)
class OneOf:
    """A text that is one of these."""

    values: tuple[str, ...]


@dataclass(frozen=True)
class ListOf:
    """A list of values of one kind."""

    kind: "FieldKind"


@dataclass(frozen=True)
class MappingOf:
    """Texts, each with a value of one kind."""

    kind: "FieldKind"


@dataclass(frozen=True)
class ShapeOf:
    """Keys and values, as the shape of this name has them."""

    name: str


FieldKind = Plain | OneOf | ListOf | MappingOf | ShapeOf


@dataclass(frozen=True)
class Shape:
    """The keys that may stand together, with the kind of each, and those that have to be there."""

    fields: Mapping[str, FieldKind] = field(hash=False)
    needed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class JobFields:
    """The shape of a job's settings, under the name `settings`, and of all that they hold, by
    name.
    """

    settings: str
    shapes: Mapping[str, Shape] = field(hash=False)
