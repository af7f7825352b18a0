"""What the Jobs API takes of a job's settings, read off databricks-sdk's types, which Databricks
generates from its own specification. Nothing of the SDK is called, and nobody is asked.
"""

import dataclasses
import enum
import types
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from databricks.sdk.service.jobs import JobSettings

from bot.facts.job_fields import (
    FieldKind,
    JobFields,
    ListOf,
    MappingOf,
    OneOf,
    Plain,
    Shape,
    ShapeOf,
)

_PLAIN: dict[Any, Plain] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Any: "anything",
}


@cache
def job_fields() -> JobFields:
    """The fields of a job's settings and of all that they hold."""
    shapes: dict[str, Shape] = {}
    waiting: list[type] = [JobSettings]
    while waiting:
        shape = waiting.pop()
        if shape.__name__ not in shapes:
            fields = {name: _kind(hint, waiting) for name, hint in get_type_hints(shape).items()}
            shapes[shape.__name__] = Shape(fields, _without_default(shape))
    return JobFields(JobSettings.__name__, shapes)


def _kind(hint: Any, waiting: list[type]) -> FieldKind:
    """The kind of a field by its type; the shape that it names is added to those `waiting`."""
    origin = get_origin(hint)
    arguments = get_args(hint)
    if origin in (Union, types.UnionType):
        kinds = [argument for argument in arguments if argument is not type(None)]
        return _kind(kinds[0], waiting)
    if origin is list:
        return ListOf(_kind(arguments[0], waiting))
    if origin is dict:
        return MappingOf(_kind(arguments[1], waiting))
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        waiting.append(hint)
        return ShapeOf(hint.__name__)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return OneOf(tuple(member.value for member in hint))
    return _PLAIN.get(hint, "unknown")


def _without_default(shape: Any) -> frozenset[str]:
    names = set()
    for field in dataclasses.fields(shape):
        value, factory = field.default, field.default_factory
        if value is dataclasses.MISSING and factory is dataclasses.MISSING:
            names.add(field.name)
    return frozenset(names)
