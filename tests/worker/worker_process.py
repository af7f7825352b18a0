"""A worker as a process of its own, whose passes leave files that tell what happened.

Started with the queue's address, a folder and the length of a lease. A model called
`hang…` is never done with; one called `slow…` takes a moment; one called `gate…` is done with
when the folder has a file `open`; the others are done at once.
"""

import os
import sys
import threading
import time
from pathlib import Path

from bot.passes import Look, Outcome
from bot.queue import Queue
from bot.subjects import Model
from bot.worker import Worker


def main(url: str, folder: str, lease: str) -> None:
    here = Path(folder)
    inside: set[str] = set()

    def pass_over(look: Look) -> Outcome:
        assert isinstance(look.subject, Model)
        name = look.subject.name
        inside.add(name)
        with (here / "inside").open("a") as file:
            file.write(f"{len(inside)}\n")
        (here / f"{name}-{os.getpid()}").touch()
        if name.startswith("hang"):
            threading.Event().wait()
        if name.startswith("slow"):
            threading.Event().wait(0.1)
        tell("begins", name)
        while name.startswith("gate") and not (here / "open").exists():
            threading.Event().wait(0.02)
        tell("ends", name)
        for order in look.while_leased(["acts"]):
            tell(order, name)
        inside.discard(name)
        return Outcome(performed=("looked",), memo={"by": os.getpid()})

    def tell(what: str, name: str) -> None:
        with (here / "passes").open("a") as file:  # a line is written whole, whoever else writes
            file.write(f"{time.time()} {os.getpid()} {what} {name}\n")

    def sweep() -> list[Model]:
        tried = here / "sweeps"
        with tried.open("a") as file:
            file.write("x")
        if tried.stat().st_size == 1:
            raise ConnectionError("The network is down.")
        return [Model("swept")]

    Worker(
        Queue(url), pass_over, sweep=sweep, passes=3, lease=float(lease), poll=0.05, sweep_every=0.3
    ).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
