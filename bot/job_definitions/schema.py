"""The settings of a job held against the Jobs API, without asking it.

Values are brought to their kind as `databricks bundle` does it: 5 is a text where a text has to
stand, and `yes` is true.
"""

from collections.abc import Mapping
from typing import Any, assert_never

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

_NOT_IN_FILES = {"deployment", "edit_mode", "format"}
"""Fields of the Jobs API that are no keys of a bundle's job."""

_TRUE = {"true", "True", "TRUE", "y", "Y", "yes", "Yes", "YES", "on", "On", "ON"}
_FALSE = {"false", "False", "FALSE", "n", "N", "no", "No", "NO", "off", "Off", "OFF"}


class Wrong(Exception):
    """A value that cannot stand where it does; the text finishes a sentence that begins with the
    place.
    """


def settings(
    given: Mapping[str, Any], place: str, fields: JobFields
) -> tuple[dict[str, Any], list[str]]:
    """A job's settings with each value of its kind and without what is empty, and a sentence for
    each mistake.
    """
    reader = _Reader(fields)
    whole = fields.objects[fields.root].fields
    in_files = {name: kind for name, kind in whole.items() if name not in _NOT_IN_FILES}
    return reader.object(given, ObjectFields(in_files, frozenset()), place), reader.mistakes


class _Reader:
    """Reads values, and keeps a sentence for each mistake that it comes across."""

    def __init__(self, fields: JobFields) -> None:
        self._fields = fields
        self.mistakes: list[str] = []

    def value(self, value: Any, kind: Kind, place: str) -> Any:
        """A value as its kind wants it; None where it cannot be read so."""
        if value is None:
            return None
        match kind:
            case Anything():
                return value
            case ObjectOf(name):
                if isinstance(value, Mapping):
                    return self.object(value, self._fields.objects[name], place)
                return self._refuse(value, "keys and values", place)
            case ListOf(entry):
                if isinstance(value, list):
                    return [
                        self.value(item, entry, f"{place}[{at}]") for at, item in enumerate(value)
                    ]
                return self._refuse(value, "a list", place)
            case MappingOf(entry):
                if isinstance(value, Mapping):
                    return {
                        str(key): self.value(item, entry, f"{place}.{key}")
                        for key, item in value.items()
                    }
                return self._refuse(value, "keys and values", place)
            case OneOf() | Plain():
                try:
                    return _single(value, kind)
                except Wrong as wanted:
                    return self._refuse(value, str(wanted), place)
            case _:
                assert_never(kind)

    def object(self, given: Mapping[str, Any], known: ObjectFields, place: str) -> dict[str, Any]:
        """Keys and values, without those that hold nothing."""
        read: dict[str, Any] = {}
        for key, value in given.items():
            if key in known.fields:
                read[key] = self.value(value, known.fields[key], f"{place}.{key}")
            else:
                self.mistakes.append(
                    f"{place}.{key} is not a key of the Jobs API; remove it or correct its "
                    f"spelling. It may be: {', '.join(sorted(known.fields))}."
                )
        for key in sorted(known.needed):
            if given.get(key) is None:
                self.mistakes.append(f"{place}.{key} is missing.")
        return {key: value for key, value in read.items() if value not in (None, {}, [])}

    def _refuse(self, value: Any, wanted: str, place: str) -> None:
        if isinstance(value, str):
            shown = f'"{value}"'
        else:
            shown = str(value)
        if len(shown) > 80:
            shown = shown[:79] + "…"
        self.mistakes.append(f"{place} is {shown}; it must be {wanted}.")


def _single(value: Any, kind: OneOf | Plain) -> Any:
    """A value that is neither a list nor keys and values. Raises Wrong."""
    if isinstance(kind, OneOf):
        if value not in kind.words:
            raise Wrong(f"one of: {', '.join(kind.words)}")
        return value
    simple = isinstance(value, str | int | float | bool)
    match kind.name:
        case "true or false":
            if isinstance(value, bool):
                return value
            if isinstance(value, str) and value in _TRUE | _FALSE:
                return value in _TRUE
        case "a text":
            if isinstance(value, bool):
                return str(value).lower()
            # A date that YAML made of a text is a text again, as everywhere else in a bundle.
            if simple or hasattr(value, "isoformat"):
                return str(value)
        case "a whole number" | "a number" if simple and not isinstance(value, bool):
            try:
                number = float(value)
                if kind.name == "a number":
                    return number
                if number == int(value):
                    return int(value)
            except (ValueError, OverflowError):
                pass
    raise Wrong(kind.name)
