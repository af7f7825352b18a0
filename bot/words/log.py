"""What of a run's log is shown first: why it ended, where in the project's own code, and its last
lines.

Only the end of a log is read, however long it is. Nothing here is escaped; all of it is masked.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from bot.words import escape
from bot.words.mask import masked

LINES = 20
TAIL = 256 * 1024
"""Characters of a log that are looked at."""

LONGEST_LINE = 2000

_BEGINS = "Traceback (most recent call last)"
_FRAME = re.compile(r'\s*File "([^"\n]{1,1000})", line (\d{1,9})')
_IPYTHON = re.compile(r"([A-Za-z_][\w.]{0,200}) {2,200}$")
_IPYTHON_FRAME = re.compile(r"(?:File )?([^\s:()]{1,1000}):(\d{1,9}), in ")
_CHAINED = (
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
)
_EXCEPTION = re.compile(r"[A-Za-z_][\w.]{0,200}(?::|$)")
_FOREIGN = re.compile(
    r"^<|/(?:site|dist)-packages/|/lib/python\d|/Lib/|^/databricks/(?!mlflow/projects/)"
)
_LAUNCHER = re.compile(r"(?:^|/)launcher\.py$")
_UNPACKED = re.compile(r"^.*?/(?:project-[a-z0-9_]{8}|mlflow-project)/")
"""Where a project is unpacked: by the launcher (`backends/launcher.py`), and by MLflow's own
backend.
"""


@dataclass(frozen=True)
class Excerpt:
    """What is shown of a log: `reason` is the exception's line, `place` where the project's own
    code met it, as `projects/x/train.py:78`; both are empty where no traceback tells. `lines` are
    its last ones, of `total`.
    """

    reason: str = ""
    place: str = ""
    lines: tuple[str, ...] = ()
    total: int = 0


@dataclass(frozen=True)
class _Block:
    """One traceback: its frames, the outermost first, the exception's line, and the line
    after it.
    """

    frames: tuple[tuple[str, str], ...]
    reason: str
    ended: int


def excerpt(log: str, project: str, *, total: int = 0, secrets: Iterable[str] = ()) -> Excerpt:
    """Read the end of a log of the project at this path; `total` is how many lines it has in all,
    0: those given.
    """
    lines = _readable(log, secrets)
    trace = _last(lines)
    if trace and sum(bool(line.strip()) for line in lines[trace[-1].ended :]) > LINES:
        # It was reported and survived; what was said last is then the reason.
        trace = []
    reason = ""
    if trace:
        reason = trace[-1].reason
    places = (_own(block.frames, project) for block in reversed(trace))
    in_all = 0
    if log:
        in_all = max(total, log.count("\n") + (not log.endswith("\n")))
    return Excerpt(
        reason=reason,
        place=next(filter(None, places), ""),
        lines=tuple(lines[-LINES:]),
        total=in_all,
    )


def _readable(log: str, secrets: Iterable[str]) -> list[str]:
    """The lines at the end of a log, without colours, overwritten progress bars and secrets."""
    tail = log[-TAIL:]
    if len(log) > TAIL:
        # What is only half there is left out: half a secret would not be known as one.
        if "\n" in tail:
            tail = tail[tail.find("\n") + 1 :]
        else:
            tail = tail[LONGEST_LINE:]
    standing = "\n".join(_standing(line) for line in tail.replace("\r\n", "\n").split("\n"))
    text = masked(escape.visible(standing), secrets).rstrip()
    if text:
        return [_short(line.rstrip()) for line in text.split("\n")]
    return []


def _standing(line: str) -> str:
    """What a terminal shows of a line that was written over itself."""
    if "\r" in line:
        return next((part for part in reversed(line.split("\r")) if part.strip()), "")
    return line


def _short(line: str) -> str:
    if len(line) <= LONGEST_LINE:
        return line
    return line[: LONGEST_LINE - 1] + "…"


def _last(lines: list[str]) -> list[_Block]:
    """The last traceback, and before it those that it says it came of."""
    chain: list[_Block] = []
    at = 0
    while at < len(lines):
        begins = lines[at].find(_BEGINS)
        if begins < 0:
            at += 1
            continue
        block = _block(lines, at + 1, lines[at][:begins].removesuffix("Exception Group "))
        if not any(_LAUNCHER.search(file) for file, _ in block.frames):
            if chain and not _joined(lines[chain[-1].ended : at]):
                chain = []
            chain.append(block)
        at = block.ended
    return chain


def _joined(between: list[str]) -> bool:
    """Whether the lines between two traces say that the second came of the first."""
    return any(sentence in line for line in between for sentence in _CHAINED)


def _block(lines: list[str], at: int, prefix: str) -> _Block:
    # A logger may begin every line in its own way, and a group of exceptions draws a line beside
    # its parts.
    drawn = prefix.replace("+", "|")
    name = _IPYTHON.match(prefix)
    frames: list[tuple[str, str]] = []
    while at < len(lines) and _BEGINS not in lines[at]:
        line = lines[at].removeprefix(prefix).removeprefix(drawn)
        at += 1
        if found := _FRAME.match(line) or (_IPYTHON_FRAME.match(line) if name else None):
            frames.append((found[1], found[2]))
        elif name and line.startswith(f"{name[1]}:"):
            return _Block(tuple(frames), line.strip(), at)
        elif not name and line.strip() and not line.startswith((" ", "\t")):
            return _Block(tuple(frames), line.strip() if _EXCEPTION.match(line) else "", at)
    return _Block(tuple(frames), "", at)


def _own(frames: Iterable[tuple[str, str]], project: str) -> str:
    """The innermost frame in the project's own code, as its repository names it."""
    own = ""
    for file, line in frames:
        path = file.replace("\\", "/")
        absolute = re.match(r"/|[A-Za-z]:", path)
        if _FOREIGN.search(path):
            continue
        if f"/{project}/" in f"/{path}":
            inside = f"/{path}".rpartition(f"/{project}/")[2]
        elif _UNPACKED.match(path):
            inside = _UNPACKED.sub("", path)
        elif not absolute:
            inside = path.removeprefix("./")
        else:
            continue
        own = f"{project}/{inside}:{line}"
    return own
