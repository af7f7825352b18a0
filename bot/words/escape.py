"""Text from outside, made inert: what it says is shown, and nothing in it acts.

In Azure DevOps a comment gives meaning to `#1`, `!1`, `@<id>`, `$x$`, HTML and
Markdown (https://learn.microsoft.com/azure/devops/project/wiki/markdown-guidance),
so outside text is only ever shown inside code.
"""

import html as entities
import re
import unicodedata
from datetime import UTC, datetime

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[@-Z\\-_])")

_ADDRESS = re.compile(r"https?://[^\s<>()|\"'\\`]{1,2000}")


def visible(text: str) -> str:
    """Drop terminal colours and characters that cannot be seen or that turn the line around; keep
    newlines and tabs.
    """
    plain = _ANSI.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    # What Python calls printable has none of them, and is asked fifty times as fast.
    return "\n".join(line if line.isprintable() else _seen(line) for line in plain.split("\n"))


def _seen(line: str) -> str:
    return "".join(
        c
        for c in line
        if c == "\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn")
    )


def code(text: str, longest: int = 300) -> str:
    """One line of outside text as inline code."""
    line = " ".join(visible(text).split())
    if len(line) > longest:
        line = line[: longest - 1] + "…"
    if not line:
        return ""
    ticks = "`" * (_longest_ticks(line) + 1)
    space = ""
    if line.startswith("`") or line.endswith("`"):
        space = " "
    return f"{ticks}{space}{line}{space}{ticks}"


def cell(text: str, longest: int = 120) -> str:
    """Outside text as inline code inside a table, where a bare pipe would end the cell."""
    return code(text, longest).replace("|", "\\|")


def fence(text: str, lines: int = 20, longest: int = 20_000) -> str:
    """The last lines of outside text as a block of code, whose fence is longer than any
    inside it.
    """
    last = visible(text).rstrip("\n").split("\n")[-lines:]
    kept = "\n".join(last)[-longest:]
    # A fence has to be longer than any inside it; nobody reads more backticks than these.
    kept = re.sub(r"`{40,}", "`" * 40, kept)
    ticks = "`" * max(3, _longest_ticks(kept) + 1)
    return f"{ticks}text\n{kept}\n{ticks}"


def _longest_ticks(text: str) -> int:
    """How many backticks stand side by side at most."""
    return max(map(len, re.findall(r"`+", text)), default=0)


def html(text: str) -> str:
    """Outside text inside an HTML tag, where Markdown is not read."""
    return entities.escape(" ".join(visible(text).split()))


def link(label: str, address: str) -> str:
    """A link to an address of our own making; nothing when there is none or it is not http(s)."""
    if _ADDRESS.fullmatch(address):
        return f"[{label}]({address})"
    return ""


def picture(title: str, address: str, width: int = 480) -> str:
    """A picture of so many pixels; its title, from outside, keeps only its letters and digits."""
    if not _ADDRESS.fullmatch(address):
        return ""
    name = re.sub(r"\.(?:png|jpe?g|gif)\s*$", "", visible(title), flags=re.IGNORECASE)
    words = re.sub(r"(?<!\d)\.|\.(?!\d)|[^\w.]|_", " ", name)
    return f"![{' '.join(words.split())[:100] or 'picture'}]({address} ={width}x)"


def plain(text: str) -> str:
    """Outside text as words of a sentence where it is nothing but words, such as `production v12`;
    else as code.
    """
    if re.fullmatch(r"[A-Za-z0-9]+(?: [A-Za-z0-9]+){1,8}", text):
        return text
    return code(text)


def moment(when: datetime) -> str:
    """A time of day and its date, in UTC: `2026-11-24 02:00 UTC`."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def local(when: datetime) -> str:
    """A time where it is told: `2026-11-24 02:00 UTC`, `2026-11-24 02:00 +01:00`."""
    return f"{when:%Y-%m-%d %H:%M} {when.isoformat()[-6:] if when.utcoffset() else 'UTC'}"


def units(text: str) -> int:
    """How long Azure DevOps takes a text to be: in UTF-16, where most emoji count twice."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def duration(seconds: float | None) -> str:
    """A time in the words of a report: `0.4 s`, `42 s`, `2m58s`, `1h02m`; empty when unknown."""
    if seconds is None:
        return ""
    if seconds < 9.95:
        # The clocks of two machines may differ: a time is never shown as less than none.
        return f"{max(seconds, 0.0):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        if whole % 60:
            return f"{whole // 60}m{whole % 60:02d}s"
        return f"{whole // 60}m"
    minutes = round(seconds / 60)
    if minutes % 60:
        return f"{minutes // 60}h{minutes % 60:02d}m"
    return f"{minutes // 60}h"


def number(value: float, digits: int = 4) -> str:
    """A metric as people read it: so many significant digits, and no more after the point from a
    thousand on.
    """
    whole = (float(value).is_integer() or abs(value) >= 10 ** (digits - 1)) and abs(value) < 1e15
    if whole:
        return f"{value + 0.0:.0f}"
    return f"{value:.{digits}g}"


def apart(one: float, other: float) -> tuple[str, str]:
    """Two numbers with as many digits as it takes to see that they differ."""
    shown = ("", "")
    for digits in range(4, 18):
        shown = number(one, digits), number(other, digits)
        if shown[0] != shown[1]:
            break
    return shown


def difference(value: float, reference: float) -> str:
    """How far a metric is from another, with its sign: `+0.007`, `−0.018`, `±0`."""
    change = value - reference
    # 0.1 + 0.2 is not 0.3 to a computer; to people it is.
    if abs(change) <= 1e-9 * max(abs(value), abs(reference)):
        return "±0"
    shown = _as_fine_as(abs(change), number(value), number(reference))
    if change > 0:
        return f"+{shown}"
    return f"−{shown}"


def _as_fine_as(found: float, *numbers: str) -> str:
    """A difference with no more decimals than the numbers it is shown beside, unless it takes more
    to see it.
    """
    if any(character.isalpha() for number in numbers for character in number):
        return number(found)
    decimals = max(len(number.partition(".")[2]) for number in numbers)
    rounded = round(found, decimals)
    if rounded:
        return number(rounded)
    return number(found, 1)
