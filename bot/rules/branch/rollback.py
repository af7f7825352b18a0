"""What the workspace goes back to when somebody asks for a rollback of a merge."""

from collections.abc import Iterable

from bot.facts.branch import Manifest, RolledBack, Synced


def instead(held: Manifest, tip: str, asked: RolledBack | None) -> Synced | None:
    """What the workspace goes back to: what it held before the tip, whatever commit that was.

    A tip that it never held completely gives way to what it held last, and one that was taken back
    already, as `asked`, to what was merged before that. None: nothing is known of before.
    """
    if asked is None or asked.commit != tip:
        return _first_but(held.history, tip)
    merged = [entry for entry in held.history if not entry.by]
    commits = [entry.commit for entry in merged]
    if asked.instead not in commits:
        return None
    before = merged[commits.index(asked.instead) :]
    return _first_but(before, tip, asked.instead)


def _first_but(history: Iterable[Synced], *commits: str) -> Synced | None:
    """The first that is none of these commits."""
    return next((entry for entry in history if entry.commit not in commits), None)
