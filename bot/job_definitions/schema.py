"""The settings of a job held against the Jobs API, without asking it.

What the API takes is read off databricks-sdk's types, which Databricks generates from its own
specification; nothing of the SDK is called. Values are brought to their type as `databricks bundle`
does it: 5 is a text where a text has to stand, and `yes` is true.
"""

import dataclasses
import enum
import types
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from databricks.sdk.service.jobs import JobSettings

_NOT_IN_FILES = {"deployment", "edit_mode", "format"}
"""Fields of the Jobs API that are no keys of a bundle's job."""

_TRUE = {"true", "True", "TRUE", "y", "Y", "yes", "Yes", "YES", "on", "On", "ON"}
_FALSE = {"false", "False", "FALSE", "n", "N", "no", "No", "NO", "off", "Off", "OFF"}
_NAMES = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


class Wrong(Exception):
    """A value that cannot stand where it does; the text finishes a sentence that begins with the
    place.
    """


def settings(found: Mapping[str, Any], place: str) -> tuple[dict[str, Any], list[str]]:
    """A job's settings with each value of its type and without what is empty, and a sentence for
    each mistake.
    """
    mistakes: list[str] = []
    known = {name: kind for name, kind in _fields(JobSettings).items() if name not in _NOT_IN_FILES}
    return _object(found, known, set(), place, mistakes), mistakes


def _value(value: Any, kind: Any, place: str, mistakes: list[str]) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _value(
            value, next(one for one in arguments if one is not type(None)), place, mistakes
        )
    if value is None or kind is Any:
        return value
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        if isinstance(value, Mapping):
            return _object(value, _fields(kind), _needed(kind), place, mistakes)
        return _refuse(value, "keys and values", place, mistakes)
    if origin is list:
        if isinstance(value, list):
            return [
                _value(one, arguments[0], f"{place}[{at}]", mistakes)
                for at, one in enumerate(value)
            ]
        return _refuse(value, "a list", place, mistakes)
    if origin is dict:
        if isinstance(value, Mapping):
            return {
                str(key): _value(one, arguments[1], f"{place}.{key}", mistakes)
                for key, one in value.items()
            }
        return _refuse(value, "keys and values", place, mistakes)
    try:
        return _plain(value, kind)
    except Wrong as wanted:
        return _refuse(value, str(wanted), place, mistakes)


def _object(
    found: Mapping[str, Any],
    known: Mapping[str, Any],
    needed: set[str],
    place: str,
    mistakes: list[str],
) -> dict[str, Any]:
    read: dict[str, Any] = {}
    for key, value in found.items():
        if key not in known:
            mistakes.append(
                f"{place}.{key} is not a key of the Jobs API; remove it or correct its spelling. "
                f"It may be: {', '.join(sorted(known))}."
            )
            continue
        read[key] = _value(value, known[key], f"{place}.{key}", mistakes)
    mistakes += [f"{place}.{key} is missing." for key in sorted(needed) if found.get(key) is None]
    return {key: value for key, value in read.items() if value not in (None, {}, [])}


def _plain(value: Any, kind: Any) -> Any:
    # A date that YAML made of a text is a text again, as everywhere else in a bundle.
    simple = isinstance(value, str | int | float | bool)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        allowed = [one.value for one in kind]
        if value not in allowed:
            raise Wrong(f"one of: {', '.join(allowed)}")
        return value
    if kind is bool:
        if isinstance(value, bool):
            return value
        if value in _TRUE or value in _FALSE:
            return value in _TRUE
    elif kind is str:
        if isinstance(value, bool):
            return str(value).lower()
        if simple or hasattr(value, "isoformat"):
            return str(value)
    elif kind in (int, float) and simple and not isinstance(value, bool):
        try:
            if float(value) == kind(value):
                return kind(value)
        except (ValueError, OverflowError):
            pass
    raise Wrong(_NAMES.get(kind, "something else"))


def _refuse(value: Any, wanted: str, place: str, mistakes: list[str]) -> None:
    shown = f'"{value}"' if isinstance(value, str) else str(value)
    mistakes.append(
        f"{place} is {shown if len(shown) <= 80 else shown[:79] + '…'}; it must be {wanted}."
    )


@cache
def _fields(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _needed(kind: type) -> set[str]:
    return set(_without_default(kind))


def _without_default(kind: Any) -> Iterator[str]:
    for field in dataclasses.fields(kind):
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            yield field.name
