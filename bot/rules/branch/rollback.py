"""What the workspace goes back to when somebody asks for a rollback of a merge."""

from bot.facts.branch import Manifest, RolledBack, Synced


def instead(held: Manifest, tip: str, asked: RolledBack | None) -> Synced | None:
    """What the workspace goes back to: what it held before the tip, whatever commit that was.

    A tip that it never held completely gives way to what it held last, and one that was taken back
    already, as `asked`, to what was merged before that. None: nothing is known of before.
    """
    if asked is not None and asked.commit == tip:
        merged = [entry for entry in held.history if not entry.by]
        place = next(
            (at for at, entry in enumerate(merged) if entry.commit == asked.instead), len(merged)
        )
        return next(
            (entry for entry in merged[place:] if entry.commit not in (tip, asked.instead)), None
        )
    return next((entry for entry in held.history if entry.commit != tip), None)
