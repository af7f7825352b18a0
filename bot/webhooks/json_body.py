"""A body from outside, read field by field.

Whatever bytes arrive, reading them raises RefusedHook(400) with the name of the
field at fault, and nothing else. Only what is asked for is looked at.
"""

import json
from typing import Any, Self

from bot.errors import RefusedHook

# One more byte of a name costs up to three in a subject's key, and PostgreSQL indexes at most 2704
# bytes.
LONGEST_TEXT = 800
LARGEST_NUMBER = 2**31 - 1


class Part:
    """One JSON object of a body, which knows where it stands there: `resource.repository`."""

    def __init__(self, fields: dict[str, Any], path: str = "") -> None:
        self._fields = fields
        self._path = path

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read a whole body, which must be one JSON object in UTF-8."""
        try:
            loaded = json.loads(body.decode("utf-8-sig"))
        except (ValueError, RecursionError):
            # ValueError is also what a number of more than 4300 digits raises.
            raise RefusedHook(400, "The body is not JSON in UTF-8 that can be read.") from None
        if not isinstance(loaded, dict):
            raise RefusedHook(400, f"The body must be a JSON object, and is {_kind(loaded)}.")
        return cls(loaded)

    def has(self, name: str) -> bool:
        """Tell whether the field is there and not null."""
        return self._fields.get(name) is not None

    def part(self, name: str) -> "Part":
        """The object in that field."""
        value = self._needed(name)
        if not isinstance(value, dict):
            raise self._wrong(name, "an object", value)
        return Part(value, self.path(name))

    def parts(self, name: str) -> "list[Part]":
        """The objects in the list in that field."""
        value = self._needed(name)
        if not isinstance(value, list):
            raise self._wrong(name, "a list", value)
        parts = []
        for number, entry in enumerate(value):
            here = f"{name}[{number}]"
            if not isinstance(entry, dict):
                raise self._wrong(here, "an object", entry)
            parts.append(Part(entry, self.path(here)))
        return parts

    def text(self, name: str) -> str:
        """The text in that field: not empty, at most 800 bytes, no control characters."""
        value = self._needed(name)
        if not isinstance(value, str):
            raise self._wrong(name, "a text", value)
        try:
            length = len(value.encode())
        except UnicodeEncodeError:
            raise RefusedHook(400, f"{self.path(name)} holds half a character.") from None
        if not 0 < length <= LONGEST_TEXT:
            raise RefusedHook(
                400, f"{self.path(name)} has {length} bytes; it must have 1 to {LONGEST_TEXT}."
            )
        if any(ord(character) < 32 or ord(character) == 127 for character in value):
            raise RefusedHook(400, f"{self.path(name)} holds a control character.")
        return value

    def number(self, name: str, largest: int = LARGEST_NUMBER) -> int:
        """The whole number in that field, from 0 to `largest`."""
        value = self._needed(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._wrong(name, "a whole number", value)
        if not 0 <= value <= largest:
            raise RefusedHook(400, f"{self.path(name)} is out of range; it must be 0 to {largest}.")
        return value

    def label(self, name: str) -> str:
        """The text or whole number in that field, as text; empty where it is missing."""
        if not self.has(name):
            return ""
        if isinstance(self._fields[name], int):
            return str(self.number(name))
        return self.text(name)

    def hint(self, name: str) -> str:
        """The text in that field as far as there is one, whatever it holds; empty where there is
        none.
        """
        value = self._fields.get(name)
        if isinstance(value, str):
            return value
        return ""

    def hints(self, name: str) -> "Part":
        """The object in that field as far as there is one; an empty one where there is none."""
        value = self._fields.get(name)
        if not isinstance(value, dict):
            value = {}
        return Part(value, self.path(name))

    def path(self, name: str) -> str:
        """Where in the body the field stands, as error sentences call it."""
        if self._path:
            return f"{self._path}.{name}"
        return name

    def _needed(self, name: str) -> Any:
        value = self._fields.get(name)
        if value is None:
            raise RefusedHook(400, f"{self.path(name)} is missing.")
        return value

    def _wrong(self, name: str, allowed: str, value: Any) -> RefusedHook:
        return RefusedHook(400, f"{self.path(name)} must be {allowed}, and is {_kind(value)}.")


def _kind(value: Any) -> str:
    kinds = {
        dict: "an object",
        list: "a list",
        str: "a text",
        bool: "true or false",
        type(None): "null",
    }
    return kinds.get(type(value), "a number")
