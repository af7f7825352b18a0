"""Templates of a deployment's own, read from a folder at start and filled in place of the built-in.

One that cannot be filled gives way to the built-in one of its name: a text in other words is
better than none.
"""

import logging
from dataclasses import dataclass
from pathlib import Path

from jinja2 import (
    ChoiceLoader,
    DictLoader,
    Environment,
    PackageLoader,
    TemplateSyntaxError,
    meta,
)

from bot.errors import ConfigError
from bot.log import line
from bot.words import escape, report, template
from bot.words.template import BUILT_IN, SUFFIX, Text

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OwnTemplates:
    """The templates that replace built-in ones of their names; None: there are none."""

    environment: Environment | None = None

    def filled(self, text: str) -> str:
        """How something that the bot says reads in a deployment's own words.

        What was made of no template stays as it is. So does, with a line in the log, what an own
        template cannot say, or not in as many characters as a comment may have.
        """
        if self.environment is None or not isinstance(text, Text):
            return text
        try:
            own = template.fill(self.environment, text.template, text.values)
        except Exception as error:
            # Whatever is wrong with it, the built-in one is not.
            _warn(text.template, str(error))
            return text
        if escape.units(own) > report.LONGEST:
            _warn(text.template, "it becomes longer than a comment may be")
            return text
        return own


def _warn(name: str, error: str) -> None:
    log.warning(line("template", name=name, note="the built-in one is used", error=error))


def load(folder: Path | None) -> OwnTemplates:
    """The templates in this folder, none for None. Raises ConfigError that names file and line."""
    if folder is None:
        return OwnTemplates()
    loader = ChoiceLoader([DictLoader(read(folder)), PackageLoader("bot.words")])
    return OwnTemplates(template.environment(loader))


def read(folder: Path) -> dict[str, str]:
    """The templates in a folder, by name. Raises ConfigError for one that replaces nothing or
    cannot be filled.
    """
    known = sorted(name for name in BUILT_IN.list_templates() if name.endswith(SUFFIX))
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
            parsed = BUILT_IN.parse(text, file.name)
            BUILT_IN.compile(parsed, file.name)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{file} cannot be read: {error}.") from error
        except TemplateSyntaxError as error:
            raise ConfigError(
                f"{file}, line {error.lineno}: {(error.message or 'not a template').rstrip('.')}."
            ) from error
        unknown = sorted(meta.find_undeclared_variables(parsed) - given)
        if unknown:
            lines = enumerate(text.splitlines(), 1)
            place = next((number for number, content in lines if unknown[0] in content), 1)
            raise ConfigError(
                f"{file}, line {place}: there is no {unknown[0]}. It may be one of: "
                f"{', '.join(sorted(given))}."
            )
        found[file.name] = text
    return found


def _given(names: list[str]) -> set[str]:
    """Everything that some built-in template is given."""
    loader = BUILT_IN.loader
    assert loader is not None  # noqa: S101
    texts = (loader.get_source(BUILT_IN, name)[0] for name in names)
    return set().union(*(meta.find_undeclared_variables(BUILT_IN.parse(text)) for text in texts))
