"""What an outage of Azure DevOps and Databricks does to a bot that runs on: its answers meanwhile,
and its recovery.

Run by hand: `make bench-outage`, or `make bench-outage MINUTES=1 KINDS=503`. People open pull
requests, push and promote all the while; a webhook that is nothing of the bot's is answered 200,
any other 202. In the first outage every call is answered 503; in the second none is ever answered,
and what hangs when it ends hangs on, until its caller has no more patience; in the third only
Databricks is away.
"""

import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from tests.bot_in_process import CONTENT
from tests.stories.outage import ALL, Kind, Neighbour, Place

OUTAGES: dict[str, tuple[Kind, Sequence[Neighbour]]] = {
    "503": ("503", ALL),
    "hangs": ("hangs for good", ALL),
    "databricks": ("503", ["Databricks"]),
}
PACE = 5.0
PULL_REQUESTS = 8
PATIENCE = 300.0


def main(minutes: float, names: Iterable[str]) -> int:
    """Print a line per outage; returns how many did not end well."""
    return sum(not _told(*OUTAGES[name], minutes) for name in names)


def _told(kind: Kind, away: Sequence[Neighbour], minutes: float) -> bool:
    with (
        tempfile.TemporaryDirectory(prefix="signalman-") as folder,
        Place(Path(folder), CONTENT) as place,
    ):
        people, intake = place.people, place.intake
        for _ in range(3):
            people.open()
        people.promote()
        if people.wait_until_right(within=60) is None:
            click.echo(f"{kind}: it was not right to begin with: {people.missing()}")
            return False
        intake.answers.clear()
        place.switch.off(kind, away)
        done = people.work(minutes * 60, min(PACE, minutes * 6), PULL_REQUESTS)
        answers = list(intake.answers)
        place.switch.on()
        right = people.wait_until_right(within=PATIENCE)
        missing = people.missing()
        slowest = max(seconds for _, seconds in answers) * 1000
        codes = ", ".join(
            f"{sum(s == code for s, _ in answers)} × {code}"
            for code in sorted({s for s, _ in answers})
        )
        after = (
            f"everything was right {right:.1f} s after it"
            if right is not None
            else f"wrong after {PATIENCE:.0f} s"
        )
        click.echo(
            f"{' and '.join(away)}: {kind}, {minutes:g} min: {place.switch.refused} calls refused; "
            f"{done} things done by people, {len(answers)} webhooks answered {codes}, the slowest "
            f"in {slowest:.0f} ms; "
            f"{after}, {len(missing)} events lost."
        )
        for sentence in missing:
            click.echo(f"  {sentence}")
        return right is not None and right <= 60 and {status for status, _ in answers} <= {200, 202}


if __name__ == "__main__":
    minutes, *named = sys.argv[1:] or ["10"]
    sys.exit(main(float(minutes), named or OUTAGES))
