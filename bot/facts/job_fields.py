"""What the Jobs API takes in a job's settings: the kinds of values, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Anything:
    """A value of which nothing is known."""


@dataclass(frozen=True)
class Plain:
    """A single value, by what people call it; `other` is one that no file can hold."""

    name: Literal["a text", "a whole number", "a number", "true or false", "something else"]


@dataclass(frozen=True)
class OneOf:
    """One of a few words."""

    words: tuple[str, ...]


@dataclass(frozen=True)
class ListOf:
    """A list of values of one kind."""

    kind: "Kind"


@dataclass(frozen=True)
class MappingOf:
    """Keys that people choose, with values of one kind."""

    kind: "Kind"


@dataclass(frozen=True)
class ObjectOf:
    """Keys that the API names: those of the entry `name` in `JobFields.objects`.

    An entry may refer to itself: the task of a loop is a task.
    """

    name: str


Kind = Anything | Plain | OneOf | ListOf | MappingOf | ObjectOf


@dataclass(frozen=True)
class ObjectFields:
    """The keys that an object may have, and those that it must."""

    fields: Mapping[str, Kind]
    needed: frozenset[str]


@dataclass(frozen=True)
class JobFields:
    """All objects that a job's settings may be made of; `root` names that of the whole settings."""

    root: str
    objects: Mapping[str, ObjectFields]
