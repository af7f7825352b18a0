"""How much a text from a pull request may become when it is read, decided before it is read.

A few hundred bytes of YAML can stand for gigabytes, by aliases of aliases; a few thousand brackets
end a parser. What is over a budget is refused in a sentence, and nobody else waits for it.
"""

from dataclasses import dataclass

import yaml

LARGEST = 512 * 1024
"""Bytes of a configuration file, a job's definition or a file of a project that the bot reads."""

MOST_NODES = 20_000
"""Keys, values and entries of a document, those counted again that an alias brings again."""

DEEPEST = 50
"""Lists and mappings inside each other."""

MOST_VALUES = 50_000
"""Values of all jobs of a repository together, with all that references `${…}` bring."""

LONGEST_EXPANSION = 1024 * 1024
"""Characters that references inside texts become, together."""


_TOO_DEEP = f"has lists and mappings inside each other more than {DEEPEST} deep"


class OverBudget(ValueError):
    """A text would become too much; says so in the rest of a sentence about its file."""


def check_size(text: str) -> None:
    """Raises OverBudget for a text of too many bytes."""
    if len(text) > LARGEST or len(text.encode(errors="replace")) > LARGEST:
        raise OverBudget(f"has more than {LARGEST:,} bytes, which no file of its kind needs")


def check_yaml(text: str) -> None:
    """Raises OverBudget for a YAML document of too many bytes or nodes, or nested too deep, aliases
    counted as what they stand for; and YAMLError for what is none, as far as it was looked at.

    It takes time and memory in proportion to the text, and stops at the first excess.
    """
    check_size(text)
    opened: list[_Node] = []
    anchored: dict[str, _Node] = {}
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        match event:
            case yaml.CollectionStartEvent():
                opened.append(_Node(event.anchor or ""))
                if len(opened) > DEEPEST:
                    raise OverBudget(_TOO_DEEP)
                continue
            case yaml.CollectionEndEvent():
                node = opened.pop()
            case yaml.ScalarEvent():
                node = _Node(event.anchor or "")
            case yaml.AliasEvent():
                if any(outer.anchor == event.anchor for outer in opened):
                    raise OverBudget(f"holds *{event.anchor} inside &{event.anchor}, without end")
                # An unknown one is a mistake that the reader tells.
                node = anchored.get(event.anchor or "", _Node(""))
            case _:
                continue
        if node.anchor:
            anchored[node.anchor] = node
        if opened:
            _into(opened, node)


def _into(opened: list["_Node"], node: "_Node") -> None:
    """Count a node into the innermost of those that are open."""
    outer = opened[-1]
    outer.size += node.size
    outer.height = max(outer.height, node.height + 1)
    if outer.size > MOST_NODES:
        raise OverBudget(
            f"stands for more than {MOST_NODES:,} values, those counted again that an alias brings "
            "again"
        )
    if len(opened) + node.height > DEEPEST:
        raise OverBudget(_TOO_DEEP)


@dataclass
class _Node:
    """A value: the anchor that it has, how many values it stands for, and how many lists and
    mappings are inside each other in it.
    """

    anchor: str
    size: int = 1
    height: int = 0


@dataclass
class Expansions:
    """What the references of all files may still become, counted down while they are filled in."""

    values: int = MOST_VALUES
    characters: int = LONGEST_EXPANSION

    def value(self) -> None:
        """One more value was looked at. Raises OverBudget."""
        self.values -= 1
        if self.values < 0:
            raise OverBudget(f"refers to more than {MOST_VALUES:,} values, as they refer to others")

    def text(self, inserted: str) -> None:
        """A reference inside a text has become this. Raises OverBudget."""
        self.characters -= len(inserted)
        if self.characters < 0:
            raise OverBudget(
                f"holds references that become more than {LONGEST_EXPANSION:,} characters"
            )
