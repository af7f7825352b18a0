"""The settings of a job held against the Jobs API, without asking it.

What the API takes is given as plain data. Values are brought to their type as `databricks bundle`
does it: 5 is a text where a text has to stand, and `yes` is true.
"""

from collections.abc import Mapping
from typing import Any

from bot.facts.job_fields import FieldKind as Kind
from bot.facts.job_fields import JobFields, ListOf, MappingOf, OneOf, Plain, Shape, ShapeOf

_NOT_IN_FILES = {"deployment", "edit_mode", "format"}
"""Fields of the Jobs API that are no keys of a bundle's job."""

_LONGEST_SHOWN = 80
"""Characters of a wrong value that are shown."""

_TRUE = {"true", "True", "TRUE", "y", "Y", "yes", "Yes", "YES", "on", "On", "ON"}
_FALSE = {"false", "False", "FALSE", "n", "N", "no", "No", "NO", "off", "Off", "OFF"}
_NAMES: dict[Plain, str] = {
    "text": "a text",
    "whole number": "a whole number",
    "number": "a number",
    "true or false": "true or false",
}


class Wrong(Exception):
    """A value that cannot stand where it does; the text finishes a sentence that begins with the
    place.
    """


def settings(
    given: Mapping[str, Any], place: str, fields: JobFields
) -> tuple[dict[str, Any], list[str]]:
    """A job's settings with each value of its type and without what is empty, and a sentence for
    each mistake.
    """
    job = fields.shapes[fields.settings].fields
    in_files = {name: kind for name, kind in job.items() if name not in _NOT_IN_FILES}
    reader = _Reader(fields)
    # What a job has to have is told by `_whole`, in the order of a bundle.
    read = reader.shaped(given, Shape(in_files), place)
    return read, reader.mistakes


class _Reader:
    """Brings values to their types, and collects a sentence for each that has no business there."""

    def __init__(self, fields: JobFields) -> None:
        self._fields = fields
        self.mistakes: list[str] = []

    def shaped(self, given: Mapping[str, Any], shape: Shape, place: str) -> dict[str, Any]:
        """Keys and values, without what is empty."""
        read: dict[str, Any] = {}
        for key, value in given.items():
            if key in shape.fields:
                read[key] = self._value(value, shape.fields[key], f"{place}.{key}")
                continue
            self.mistakes.append(
                f"{place}.{key} is not a key of the Jobs API; remove it or correct its spelling. "
                f"It may be: {', '.join(sorted(shape.fields))}."
            )
        for key in sorted(shape.needed):
            if given.get(key) is None:
                self.mistakes.append(f"{place}.{key} is missing.")
        return {key: value for key, value in read.items() if value not in (None, {}, [])}

    def _value(self, value: Any, kind: Kind, place: str) -> Any:
        if value is None or kind == "anything":
            return value
        match kind:
            case ShapeOf(name):
                if isinstance(value, Mapping):
                    return self.shaped(value, self._fields.shapes[name], place)
                return self._refuse(value, "keys and values", place)
            case ListOf(each):
                if isinstance(value, list):
                    return [
                        self._value(item, each, f"{place}[{number}]")
                        for number, item in enumerate(value)
                    ]
                return self._refuse(value, "a list", place)
            case MappingOf(each):
                if isinstance(value, Mapping):
                    return {
                        str(key): self._value(item, each, f"{place}.{key}")
                        for key, item in value.items()
                    }
                return self._refuse(value, "keys and values", place)
            case OneOf(allowed):
                if value in allowed:
                    return value
                return self._refuse(value, f"one of: {', '.join(allowed)}", place)
        try:
            return _plain(value, kind)
        except Wrong as expected:
            return self._refuse(value, str(expected), place)

    def _refuse(self, value: Any, expected: str, place: str) -> None:
        if isinstance(value, str):
            shown = f'"{value}"'
        else:
            shown = str(value)
        if len(shown) > _LONGEST_SHOWN:
            shown = shown[: _LONGEST_SHOWN - 1] + "…"
        self.mistakes.append(f"{place} is {shown}; it must be {expected}.")


def _plain(value: Any, kind: Plain) -> Any:
    """A value brought to its type. Raises Wrong where it cannot be."""
    simple = isinstance(value, str | int | float | bool)
    if kind == "true or false":
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value in _TRUE | _FALSE:
            return value in _TRUE
    elif kind == "text":
        if isinstance(value, bool):
            return str(value).lower()
        # A date that YAML made of a text is a text again, as everywhere else in a bundle.
        if simple or hasattr(value, "isoformat"):
            return str(value)
    elif kind in ("whole number", "number") and simple and not isinstance(value, bool):
        try:
            number: float = float(value)
            read = number
            if kind == "whole number":
                read = int(value)
            if number == read:  # Which what is no number is not.
                return read
        except (ValueError, OverflowError):
            pass
    raise Wrong(_NAMES.get(kind, "something else"))
