"""`python -m sandbox.chaos`: one storm over one database, its table, and 1 when anything is not as
it must be.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import click
from rich.console import Console

from sandbox.chaos import table
from sandbox.chaos.storm import Order, play


@click.command(epilog="Example: python -m sandbox.chaos --seed 1 --events 2000 --kills 200")
@click.option("--seed", default=1, show_default=True, help="The dice of weather, kills and people.")
@click.option(
    "--events", default=2000, show_default=True, help="Webhooks the neighbours send at least."
)
@click.option(
    "--kills", default=200, show_default=True, help="Processes of the bot that are killed at least."
)
@click.option(
    "--database",
    default="",
    help="A database without tables; a SQLite file of its own unless given.",
)
@click.option("--lease", default="", help="Another lease than the product's own, such as 6s.")
@click.option("--pace", default=1.7, show_default=True, help="Webhooks a second at most.")
@click.option(
    "--stays", default=40.0, show_default=True, help="Seconds that it has to stay right in the end."
)
@click.option(
    "--longest", default=1500.0, show_default=True, help="Seconds of bad weather at most."
)
@click.option(
    "--keep", is_flag=True, help="Keep logs, databases and the diary also when nothing was found."
)
def main(
    seed: int,
    events: int,
    kills: int,
    database: str,
    lease: str,
    pace: float,
    stays: float,
    longest: float,
    keep: bool,
) -> None:
    """Kill the bot, overload it and cut it off while people work, and see whether everything comes
    right.
    """
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    root = Path(tempfile.mkdtemp(prefix="signalman-chaos-"))
    good = False
    try:
        order = Order(
            seed, events, kills, database, lease=lease, pace=pace, stays=stays, longest=longest
        )
        outcome = play(order, root)
        table.show(console, outcome)
        console.print(
            f"Seed {seed}: {outcome.pull_requests} pull requests, {outcome.calls_in_trouble} calls "
            f"in trouble, {outcome.lasted:.0f} s."
        )
        if not outcome.in_time:
            console.print(
                f"After {longest:.0f} s there were not yet {events} events and {kills} kills."
            )
        good = not outcome.findings and outcome.in_time
    except RuntimeError as error:
        raise click.ClickException(str(error)) from error
    finally:
        if good and not keep:
            shutil.rmtree(root)
        else:
            console.print(
                f"Logs, databases and the diary of what happened are in {root}.", soft_wrap=True
            )
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
