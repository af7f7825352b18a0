"""A comment as a Markdown reader sees it: what is code, what is live, which links, which table
rows.

Read by markdown-it with tables, as close as Python comes to what Azure DevOps renders.
"""

import re
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.token import Token

_READER = MarkdownIt("commonmark", {"html": True}).enable("table")


@dataclass(frozen=True)
class Rendered:
    """`live`: all text that is read as Markdown; `html`: raw HTML; `code`: inline code; `fences`:
    (fence, content).
    """

    live: str
    html: tuple[str, ...]
    code: tuple[str, ...]
    fences: tuple[tuple[str, str], ...]
    links: tuple[str, ...]
    rows: tuple[int, ...]
    headings: int


def rendered(text: str) -> Rendered:
    """Read a comment."""
    tokens: list[Token] = []
    # Azure DevOps reads the size of a picture after its address, which Markdown elsewhere does not
    # know (https://learn.microsoft.com/azure/devops/project/wiki/markdown-guidance#images).
    for token in _READER.parse(re.sub(r"(!\[[^\]\n]*\]\([^)\s]*) =\d+x\d*\)", r"\1)", text)):
        tokens += [token, *(token.children or ())]
    kinds = [token.type for token in tokens]
    rows = [place for place, kind in enumerate(kinds) if kind == "tr_open"]
    cells = [
        sum(
            kind in ("td_open", "th_open") for kind in kinds[place : kinds.index("tr_close", place)]
        )
        for place in rows
    ]
    return Rendered(
        live="\n".join(token.content for token in tokens if token.type == "text"),
        html=tuple(
            token.content for token in tokens if token.type in ("html_block", "html_inline")
        ),
        code=tuple(token.content for token in tokens if token.type == "code_inline"),
        fences=tuple(
            (token.markup, token.content)
            for token in tokens
            if token.type in ("fence", "code_block")
        ),
        links=tuple(
            str(token.attrs.get("href", token.attrs.get("src", "")))
            for token in tokens
            if token.type in ("link_open", "image")
        ),
        rows=tuple(cells),
        headings=kinds.count("heading_open"),
    )
