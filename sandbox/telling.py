"""How the test drive is told on a terminal: a sentence as each thing happens, a bar while something
runs.
"""

import time
from collections.abc import Callable
from typing import TypeVar

from rich.console import Console
from rich.markdown import Markdown
from rich.panel import Panel
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

T = TypeVar("T")


class UntrueError(Exception):
    """Something the story promises did not come true; the text says what."""


class Telling:
    """Tells what happens, with the time since the beginning, and counts what was verified."""

    def __init__(self) -> None:
        self.console = Console(highlight=False)
        self._began = time.monotonic()
        self._chapters: list[tuple[str, float, int]] = []
        self._verified = 0

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began

    def restart_clock(self) -> None:
        """Let the time count from now."""
        self._began = time.monotonic()

    def chapter(self, title: str) -> None:
        """Begin a new part of the story."""
        self._chapters.append((title, self.elapsed, self._verified))
        self.console.print(f"\n[bold]{title}[/bold]")

    def say(self, sentence: str) -> None:
        """Tell that something happened."""
        self.console.print(f"[dim]{self.elapsed:6.1f} s[/dim]  ", end="")
        self.console.print(sentence, markup=False)

    def verify(self, sentence: str, true: bool, found: object = "") -> None:
        """Tell that something is so, having looked. Raises UntrueError when it is not."""
        if not true:
            raise UntrueError(f"{sentence} -- this is not so. Found: {found}")
        self._verified += 1
        self.console.print(f"[dim]{self.elapsed:6.1f} s[/dim]  [green]✓[/green] ", end="")
        self.console.print(sentence, markup=False)

    def wait(
        self, what: str, seen: Callable[[], T | None], *, usually: float, most: float = 120.0
    ) -> T:
        """Wait until something is seen, showing how long it usually takes. Raises UntrueError after
        `most` seconds.
        """
        began = time.monotonic()
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TimeElapsedColumn(),
        )
        with Progress(
            *columns, console=self.console, transient=True, disable=not self.console.is_terminal
        ) as progress:
            task = progress.add_task(what, total=usually)
            while (found := seen()) is None:
                passed = time.monotonic() - began
                if passed > most:
                    raise UntrueError(f"{what}: nothing came of it in {most:.0f} s.")
                progress.update(task, completed=min(passed, usually * 0.97))
                time.sleep(0.1)
        return found

    def show(self, title: str, markdown: str) -> None:
        """Show a comment as the pull request would."""
        plain = (
            markdown.replace("<details open>", "")
            .replace("<details>", "")
            .replace("</details>", "")
        )
        shown = plain.replace("<summary>", "**").replace("</summary>", "**")
        self.console.print(Panel(Markdown(shown), title=title, border_style="blue"))

    def summary(self) -> None:
        """The table at the end: each part, how long it took and how much was verified in it."""
        table = Table(title="The whole story", title_justify="left")
        for name, kind in (("part", "left"), ("seconds", "right"), ("verified", "right")):
            table.add_column(name, justify=kind)  # type: ignore[arg-type]
        ends = [*self._chapters[1:], ("", self.elapsed, self._verified)]
        for (title, began, before), (_, ended, after) in zip(self._chapters, ends, strict=True):
            table.add_row(title, f"{ended - began:.1f}", str(after - before))
        table.add_row("together", f"{self.elapsed:.1f}", str(self._verified), style="bold")
        self.console.print()
        self.console.print(table)
