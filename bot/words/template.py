"""How a text is made of its template: Markdown, in which outside text only ever passes through `escape`."""

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from bot.words import escape

_ENVIRONMENT = Environment(
    loader=PackageLoader("bot.words"),
    # Markdown, not HTML: each place that shows outside text names its own escape.
    autoescape=False,  # noqa: S701
    undefined=StrictUndefined,
    keep_trailing_newline=False,
)
_ENVIRONMENT.filters.update(
    code=escape.code,
    cell=escape.cell,
    fence=escape.fence,
    html=escape.html,
    duration=escape.duration,
    number=escape.number,
)
_ENVIRONMENT.globals["link"] = escape.link


def render(name: str, **values: Any) -> str:
    """Fill the template of that name."""
    return _ENVIRONMENT.get_template(f"{name}.md.j2").render(**values).strip() + "\n"
