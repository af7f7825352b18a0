"""What the Jobs API takes, read off databricks-sdk's types, which Databricks generates from its own
specification. Nothing of the SDK is called, and no workspace is asked.
"""

import dataclasses
import enum
import types
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from databricks.sdk.service.jobs import JobSettings

from bot.facts.job_fields import (
    Anything,
    JobFields,
    Kind,
    ListOf,
    MappingOf,
    ObjectFields,
    ObjectOf,
    OneOf,
    Plain,
)

_PLAIN = {
    str: Plain("a text"),
    int: Plain("a whole number"),
    float: Plain("a number"),
    bool: Plain("true or false"),
}


@cache
def job_fields() -> JobFields:
    """The fields of a job's settings, and of all that they hold."""
    objects: dict[str, ObjectFields] = {}
    return JobFields(_object(JobSettings, objects).name, objects)


def _object(shape: type, objects: dict[str, ObjectFields]) -> ObjectOf:
    name = f"{shape.__module__}.{shape.__qualname__}"
    if name not in objects:
        fields: dict[str, Kind] = {}
        objects[name] = ObjectFields(fields, _needed(shape))
        for field, annotation in get_type_hints(shape).items():
            fields[field] = _kind(annotation, objects)
    return ObjectOf(name)


def _kind(annotation: Any, objects: dict[str, ObjectFields]) -> Kind:
    origin = get_origin(annotation)
    arguments = get_args(annotation)
    if origin in (Union, types.UnionType):
        meant = next(argument for argument in arguments if argument is not type(None))
        return _kind(meant, objects)
    if annotation is Any:
        return Anything()
    if origin is list:
        return ListOf(_kind(arguments[0], objects))
    if origin is dict:
        return MappingOf(_kind(arguments[1], objects))
    if isinstance(annotation, type):
        if dataclasses.is_dataclass(annotation):
            return _object(annotation, objects)
        if issubclass(annotation, enum.Enum):
            return OneOf(tuple(member.value for member in annotation))
    return _PLAIN.get(annotation, Plain("something else"))


def _needed(shape: Any) -> frozenset[str]:
    return frozenset(
        field.name
        for field in dataclasses.fields(shape)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    )
