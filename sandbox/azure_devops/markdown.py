"""Comments as Azure Repos shows them: tables, fences, folds, line breaks; no other raw HTML.

`<details>`, `<summary>` and code in them pass, each closed where it was opened;
everything else in angle brackets is shown as text. Image sizes
(`![alt](url =480x)`) and the commonest emoji names are known.
https://learn.microsoft.com/en-us/azure/devops/project/wiki/markdown-guidance
"""

import re
from collections.abc import Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

FOLD = re.compile(r"<(?P<closing>/?)(?P<name>details|summary)(?: open)?>|<code>[^<>]*</code>")
SIZED_IMAGE = re.compile(r"!\[([^\]\n]*)\]\((\S+)\s+=(\d*)x(\d*)\)")
SHORTCODE = re.compile(r":([a-z_+0-9]+):")
OPEN = "open"
EMOJI = {
    "white_check_mark": "✅",
    "heavy_check_mark": "✔️",
    "x": "❌",
    "warning": "⚠️",
    "rocket": "🚀",
    "tada": "🎉",
    "hourglass": "⌛",
    "eyes": "👀",
    "bulb": "💡",
    "fire": "🔥",
    "+1": "👍",
    "-1": "👎",
    "heart": "❤️",
    "bug": "🐛",
    "lock": "🔒",
    "robot": "🤖",
}


def rendered(text: str) -> str:
    """Markdown as safe HTML, which closes all it opens and nothing else."""
    env: dict[str, list[str]] = {OPEN: []}
    html = str(_MARKDOWN.render(text, env))
    return html + "".join(f"</{name}>" for name in reversed(env[OPEN]))


def _folds_only(html: str, opened: list[str]) -> str:
    parts, position = [], 0
    for found in FOLD.finditer(html):
        parts.append(escapeHtml(html[position : found.start()]))
        parts.append(found.group() if _fits(found, opened) else escapeHtml(found.group()))
        position = found.end()
    return "".join([*parts, escapeHtml(html[position:])])


def _fits(found: re.Match[str], opened: list[str]) -> bool:
    """Whether a tag opens something, or closes what was opened last; `opened` is kept up to
    date.
    """
    if not found["name"]:
        return True
    if not found["closing"]:
        opened.append(found["name"])
        return True
    if opened[-1:] == [found["name"]]:
        opened.pop()
        return True
    return False


def _raw(
    _renderer: RendererHTML,
    tokens: Sequence[Token],
    index: int,
    _options: OptionsDict,
    env: EnvType,
) -> str:
    return _folds_only(tokens[index].content, env[OPEN])


def _link(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    tokens[index].attrSet("target", "_blank")
    tokens[index].attrSet("rel", "noopener noreferrer")
    return str(renderer.renderToken(tokens, index, options, env))


def _sized_image(state: StateInline, silent: bool) -> bool:
    found = SIZED_IMAGE.match(state.src, state.pos)
    if found is None or not state.md.validateLink(found[2]):
        return False
    if not silent:
        token = state.push("image", "img", 0)
        text = Token("text", "", 0, content=found[1])
        token.attrs = {"src": state.md.normalizeLink(found[2]), "alt": ""}
        token.attrs |= {
            name: value for name, value in (("width", found[3]), ("height", found[4])) if value
        }
        token.children, token.content = [text], found[1]
    state.pos = found.end()
    return True


def _emoji(state: StateCore) -> None:
    for token in state.tokens:
        for child in token.children or []:
            if child.type == "text":
                child.content = SHORTCODE.sub(
                    lambda name: EMOJI.get(name[1], name[0]), child.content
                )


def _made() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": True, "breaks": True}).enable(
        ["table", "strikethrough"]
    )
    rules: dict[str, Any] = {"html_block": _raw, "html_inline": _raw, "link_open": _link}
    for name, rule in rules.items():
        markdown.add_render_rule(name, rule)
    markdown.inline.ruler.before("image", "sized_image", _sized_image)
    markdown.core.ruler.push("emoji", _emoji)
    return markdown


_MARKDOWN = _made()
