"""How a text is made of its template: Markdown, in which outside text only ever passes through
`escape`.

A text remembers what it was made of, so that a deployment's own template can be filled in place of
the built-in one (`bot/own_templates.py`).
"""

import re
from collections.abc import Mapping
from typing import Any

from jinja2 import BaseLoader, Environment, PackageLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from bot.words import escape

SUFFIX = ".md.j2"


class Text(str):
    """Something that the bot says; it remembers the template and the values it was made of."""

    __slots__ = ("template", "values")

    template: str
    values: Mapping[str, Any]

    def __new__(cls, said: str, template: str, values: Mapping[str, Any]) -> "Text":
        """A text as it reads when the built-in template is filled."""
        made = super().__new__(cls, said)
        made.template = template
        made.values = values
        return made


def environment(loader: BaseLoader) -> Environment:
    """The filters and functions that templates may use, and nothing else."""
    made = ImmutableSandboxedEnvironment(
        loader=loader,
        # Markdown, not HTML: each place that shows outside text names its own escape.
        autoescape=False,
        undefined=StrictUndefined,
        keep_trailing_newline=False,
    )
    made.filters.update(
        code=escape.code,
        cell=escape.cell,
        fence=escape.fence,
        html=escape.html,
        duration=escape.duration,
        number=escape.number,
        moment=escape.moment,
        local=escape.local,
        plain=escape.plain,
    )
    made.globals.update(link=escape.link, picture=escape.picture)
    return made


BUILT_IN = environment(PackageLoader("bot.words"))


def render(name: str, **values: Any) -> Text:
    """Fill the built-in template of that name."""
    return Text(fill(BUILT_IN, name, values), name, values)


def fill(templates: Environment, name: str, values: Mapping[str, Any]) -> str:
    """Fill the template of that name, from among these."""
    return _tidy(templates.get_template(name + SUFFIX).render(**values)) + "\n"


def _tidy(text: str) -> str:
    """A text without the gaps that empty parts leave; a log keeps its own."""
    lines: list[str] = []
    fence = ""
    for line in text.strip().split("\n"):
        if fence:
            if line == fence:
                fence = ""
        elif found := re.match(r"(`{3,})\w*$", line):
            fence = found[1]
        else:
            line = line.rstrip()
            if not line and lines and not lines[-1]:
                continue
        lines.append(line)
    return "\n".join(lines)
