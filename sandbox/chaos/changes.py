"""What the people know of each pull request: what they pushed, what they did with it, and what must
become of it.
"""

from dataclasses import dataclass, field
from typing import Literal

Verdict = Literal["succeeded", "failed", "notApplicable"]
State = Literal["open", "abandoned", "merged"]

MODES: dict[str, Verdict] = {
    "fine": "succeeded",
    "slow": "succeeded",
    "raises": "failed",
    "exits": "failed",
    "silent": "failed",
}
"""How a training may behave, and what that makes of its pull request. `silent` logs no metric."""


@dataclass
class Change:
    """A pull request. `modes` says how each project it touches behaves now; `pushed` holds the
    commit and the verdict of each iteration, the first being iteration 1.
    """

    number: int
    branch: str
    badly_named: bool = False
    own_files_only: bool = True
    modes: dict[str, str] = field(default_factory=dict)
    pushed: list[tuple[str, Verdict]] = field(default_factory=list)
    state: State = "open"
    times_abandoned: int = 0
    to_be_told: bool = False
    patient: bool = True

    @property
    def verdict(self) -> Verdict:
        """What must become of it as it is now."""
        if self.badly_named:
            return "failed"
        if not self.modes:
            return "notApplicable"
        return (
            "failed"
            if any(MODES[mode] == "failed" for mode in self.modes.values())
            else "succeeded"
        )
