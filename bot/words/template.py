"""How a text is made of its template: Markdown, in which outside text only ever passes through
`escape`.

A deployment may bring templates of its own. One that cannot be filled gives way to the built-in one
of its name: a text in other words is better than none.
"""

import logging
import re
from pathlib import Path
from typing import Any

from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    DictLoader,
    Environment,
    PackageLoader,
    StrictUndefined,
    TemplateSyntaxError,
    meta,
)
from jinja2.sandbox import ImmutableSandboxedEnvironment

from bot import log as logs
from bot.errors import ConfigError
from bot.words import escape

log = logging.getLogger(__name__)

SUFFIX = ".md.j2"


def _environment(loader: BaseLoader) -> Environment:
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


_BUILT_IN = _environment(PackageLoader("bot.words"))
_own: Environment | None = None


def use(folder: Path | None) -> None:
    """Let the templates in this folder replace those of the same name from now on; None: no more.

    Raises ConfigError that names file and line.
    """
    global _own
    _own = (
        None
        if folder is None
        else _environment(ChoiceLoader([DictLoader(read(folder)), PackageLoader("bot.words")]))
    )


def read(folder: Path) -> dict[str, str]:
    """The templates in a folder, by name. Raises ConfigError for one that replaces nothing or
    cannot be filled.
    """
    known = sorted(name for name in _BUILT_IN.list_templates() if name.endswith(SUFFIX))
    if not folder.is_dir():
        raise ConfigError(
            f"{folder} is to hold templates, but is not a folder. See `templates` in bot.yml."
        )
    given = _given(known)
    found: dict[str, str] = {}
    for file in sorted(folder.iterdir()):
        if file.name.startswith("."):
            continue
        if file.name not in known:
            raise ConfigError(
                f"{file} replaces no template. Its name may be one of: {', '.join(known)}."
            )
        try:
            text = file.read_text(encoding="utf-8")
            parsed = _BUILT_IN.parse(text, file.name)
            _BUILT_IN.compile(parsed, file.name)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{file} cannot be read: {error}.") from error
        except TemplateSyntaxError as error:
            raise ConfigError(
                f"{file}, line {error.lineno}: {(error.message or 'not a template').rstrip('.')}."
            ) from error
        unknown = sorted(meta.find_undeclared_variables(parsed) - given)
        if unknown:
            place = next((n for n, one in enumerate(text.splitlines(), 1) if unknown[0] in one), 1)
            raise ConfigError(
                f"{file}, line {place}: there is no {unknown[0]}. It may be one of: "
                f"{', '.join(sorted(given))}."
            )
        found[file.name] = text
    return found


def render(name: str, **values: Any) -> str:
    """Fill the template of that name."""
    if _own is not None:
        try:
            return _filled(_own, name, values)
        except Exception as error:
            # Whatever is wrong with it, the built-in one is not.
            log.warning(
                logs.line("template", name=name, note="the built-in one is used", error=str(error))
            )
    return _filled(_BUILT_IN, name, values)


def _filled(environment: Environment, name: str, values: dict[str, Any]) -> str:
    return _tidy(environment.get_template(name + SUFFIX).render(**values)) + "\n"


def _tidy(text: str) -> str:
    """A text without the gaps that empty parts leave; a log keeps its own."""
    lines: list[str] = []
    fence = ""
    for line in text.strip().split("\n"):
        if fence:
            fence = "" if line == fence else fence
        elif found := re.match(r"(`{3,})\w*$", line):
            fence = found[1]
        else:
            line = line.rstrip()
            if not line and lines and not lines[-1]:
                continue
        lines.append(line)
    return "\n".join(lines)


def _given(names: list[str]) -> set[str]:
    """Everything that some built-in template is given."""
    loader = _BUILT_IN.loader
    assert loader is not None  # noqa: S101
    texts = (loader.get_source(_BUILT_IN, name)[0] for name in names)
    return set().union(*(meta.find_undeclared_variables(_BUILT_IN.parse(text)) for text in texts))
