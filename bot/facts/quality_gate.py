"""Facts about the quality gate: what a run is compared with, what its metrics say, and why it is
refused.

Plain frozen data.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from bot.config.repository import Metric


@dataclass(frozen=True)
class Reference:
    """A run that others are compared with.

    `label` is what people call it: `main`, `production v12`. `comparable` tells whether it was made
    of the same data; one that was not is shown, and nothing is judged by it. `signature` as in
    ProjectRun.
    """

    label: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    comparable: bool = True
    signature: str = ""
    page: str = ""


@dataclass(frozen=True)
class Baseline:
    """What a project's run is compared with: the target branch's last run, and the version that
    serves.

    `history` are the metrics of the target branch's last runs, the oldest first.
    """

    target: Reference | None = None
    serving: Reference | None = None
    history: tuple[Mapping[str, float], ...] = ()


@dataclass(frozen=True)
class Judgement:
    """What one metric of a run says.

    `bound` is the worst value that may be merged (None: any), and `source` where it comes from.
    `shown`: nothing is judged by it. `missing`: not logged, or not a number (`value` is then what
    was logged all the same).
    """

    metric: Metric
    value: float | None
    target: float | None = None
    serving: float | None = None
    bound: float | None = None
    source: Literal["", "limit", "target", "serving"] = ""
    verdict: Literal["ok", "worse", "missing", "shown"] = "shown"

    @property
    def refuses(self) -> bool:
        """Whether it stands in the way of a merge. A metric that may be missing may still not be
        something that is no number, where there is a bound that it would have to keep.
        """
        bounded = self.metric.limit is not None or self.metric.tolerance is not None
        absent = self.verdict == "missing" and (
            self.metric.required or (self.value is not None and bounded)
        )
        return self.verdict == "worse" or absent


@dataclass(frozen=True)
class GateRefusal:
    """Why the quality gate refuses a run that ended well.

    `judgements` are those that stand in the way, held against the `baseline`. `signature` is the
    run's, where it should be that of the version that serves and is not; None: nothing is wrong
    with it.
    """

    judgements: tuple[Judgement, ...]
    baseline: Baseline
    signature: str | None = None
