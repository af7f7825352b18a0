"""How bad the weather is, and what befalls one call: drawn by dice, never by time, so that a seed
tells it again.
"""

import random
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "fine", "busy", "broken", "throttled", "signed out", "cut", "lost", "hangs", "outage"
]


@dataclass(frozen=True)
class Climate:
    """The probability of each trouble, per call; times are in seconds.

    `busy` is 429, `broken` 500, 502 or 503, `cut` a line that dies before the
    neighbour hears, `lost` one that dies after the neighbour did it, and an
    `outage` takes the whole neighbour away for a while. `throttled` (a good answer
    that asks for a pause) and `signed_out` (the HTML page) are Azure DevOps' own.
    """

    latency: float = 0.15
    busy: float = 0.004
    broken: float = 0.012
    cut: float = 0.010
    lost: float = 0.014
    hangs: float = 0.001
    outage: float = 0.0008
    throttled: float = 0.003
    signed_out: float = 0.002
    hold: float = 3.0
    outage_lasts: tuple[float, float] = (1.0, 4.0)


CALM = Climate(0, 0, 0, 0, 0, 0, 0, 0, 0)


@dataclass(frozen=True)
class Fate:
    """What befalls a call. `latency` and `lasts` in seconds; `status` is what is answered instead,
    if anything is.
    """

    kind: Kind = "fine"
    latency: float = 0.0
    status: int = 0
    lasts: float = 0.0


def draw(climate: Climate, seed: int, neighbour: str, number: int, *, azure_rest: bool) -> Fate:
    """The fate of a neighbour's nth call."""
    dice = random.Random(f"{seed} {neighbour} {number}")
    # Mostly quick, sometimes not: as networks are.
    latency = climate.latency * dice.random() ** 3
    mark, lasts = dice.random(), dice.uniform(*climate.outage_lasts)
    troubles: list[tuple[Kind, float]] = [
        ("busy", climate.busy),
        ("broken", climate.broken),
        ("cut", climate.cut),
        ("lost", climate.lost),
        ("hangs", climate.hangs),
        ("outage", climate.outage),
    ]
    if azure_rest:
        troubles += [("throttled", climate.throttled), ("signed out", climate.signed_out)]
    for kind, probability in troubles:
        mark -= probability
        if mark < 0:
            status = {"busy": 429, "signed out": 203}.get(kind, 0)
            return Fate(
                kind, latency, dice.choice((500, 502, 503)) if kind == "broken" else status, lasts
            )
    return Fate("fine", latency)
