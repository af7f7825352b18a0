"""The oracle: what must be true of the world after all that people did, looked at from outside
only.
"""

from collections.abc import Sequence

from sandbox.chaos import production, runs, verdicts
from sandbox.chaos.changes import Change
from sandbox.chaos.findings import Finding
from sandbox.world import World


def findings(world: World, changes: Sequence[Change]) -> list[Finding]:
    """Everything that is wrong, in a sentence each."""
    return [
        *verdicts.findings(world.azure, changes),
        *runs.findings(world, changes),
        *production.findings(world),
    ]


def right(world: World, changes: Sequence[Change]) -> bool:
    """Whether nothing is wrong. What is cheap to see is looked at first."""
    return not (
        verdicts.findings(world.azure, changes)
        or runs.findings(world, changes)
        or production.findings(world)
    )
