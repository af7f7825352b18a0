"""One storm: everything starts, people work in bad weather, and then it has to become right."""

import bisect
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.chaos import production, repository_content, truth
from sandbox.chaos.bot_processes import BotProcesses
from sandbox.chaos.climate import CALM, Climate
from sandbox.chaos.deployment import configuration, doors
from sandbox.chaos.diary import Diary
from sandbox.chaos.findings import Finding
from sandbox.chaos.gate import RELIABLE, Gate, Post
from sandbox.chaos.killer import Killer
from sandbox.chaos.people import People
from sandbox.chaos.weather import Sky
from sandbox.ports import free_port
from sandbox.world import World

WORKERS = 2
AT_ONCE = 10
"""Events that may come faster than the pace says."""
RECOVERS_WITHIN = 120.0
"""Seconds of calm weather after which what is not right counts as found."""


@dataclass(frozen=True)
class Order:
    """What is asked for. `database` is an address, or empty for a SQLite file of the storm's own;
    `lease` and `sweep` are as config/bot.yml says them, the product's own lease when empty; `pace`
    is how many events people cause a second at most, `longest` for how many seconds they work at
    most; `stays` how long, after it became right, it has to stay so: a dead worker's subject is
    looked at again that late.
    """

    seed: int
    events: int
    kills: int
    database: str = ""
    lease: str = ""
    sweep: str = "20s"
    pace: float = 1.7
    longest: float = 1500.0
    stays: float = 40.0


@dataclass(frozen=True)
class Outcome:
    """What came of it. Times in seconds; `first_effects` are those until the bot's next change, for
    each kill at which a pull request waited for its verdict.
    """

    database: str
    events: int
    findings: tuple[Finding, ...]
    web_kills: int
    worker_kills: int
    first_effects: tuple[float, ...]
    right_after: float | None
    lasted: float
    calls_in_trouble: int
    pull_requests: int
    in_time: bool


def play(order: Order, root: Path) -> Outcome:
    """Have the storm, below `root`, where all logs and databases stay. RuntimeError when the bot
    does not start.
    """
    diary = Diary(root / "diary.jsonl")
    world = World(root, repository_content.prepare(root / "content"), slots=3)
    sky = Sky(order.seed, diary)
    try:
        world.start()
        port = free_port()
        gate = Gate(order.seed, f"http://127.0.0.1:{port}", diary)
        config = configuration(root / "bot.yml", sweep=order.sweep, lease=order.lease)
        web = {**world.environment(gate.url, root / "var"), "BOT_CONFIG": str(config)}
        web |= {"DATABASE_URL": order.database} if order.database else {}
        workers = [{**web, **doors(world, sky, number)} for number in range(WORKERS)]
        bot = BotProcesses(port, web, workers, root / "logs", diary)
        try:
            bot.start()
            world.subscribe(gate.url)
            _moved_in(world)
            return _Storm(order, world, sky, gate, bot, diary).play()
        finally:
            bot.stop()
            gate.close()
    finally:
        sky.close()
        world.stop()


def _moved_in(world: World) -> None:
    """Wait until the workspace holds what main holds: before that, nobody can tell what a merge has
    changed there.
    """
    deadline, never = time.monotonic() + RECOVERS_WITHIN, threading.Event()
    while found := production.findings(world):
        if time.monotonic() > deadline:
            raise RuntimeError(
                f"In good weather already, the bot did not bring the workspace up to date: {found}"
            )
        never.wait(0.2)


class _Storm:
    def __init__(
        self, order: Order, world: World, sky: Sky, gate: Gate, bot: BotProcesses, diary: Diary
    ) -> None:
        self._order, self._world, self._sky, self._gate, self._bot = order, world, sky, gate, bot
        self._diary = diary
        # A lost cluster is tried again after half a minute, which a short storm does not have.
        self._people = People(order.seed, world, diary, clusters=2 if order.events >= 500 else 0)
        self._killer = Killer(order.seed, order.kills, bot, self._progress)
        self._waited: list[tuple[float, bool]] = []
        self._never = threading.Event()

    def play(self) -> Outcome:
        """The bad weather, and then the good."""
        began = time.monotonic()
        in_time = self._rage(began)
        calmed = time.monotonic()
        self._sky.climate = CALM
        self._gate.post = RELIABLE
        self._diary.note("calm")
        right_after, found = self._settle(calmed)
        found += [
            Finding("wrong", told) for told in (*self._bot.died, *dict.fromkeys(self._gate.refused))
        ]
        for one in found:
            self._diary.note("found", kind=one.kind, told=one.sentence)
        kills = [kill for kill in self._bot.kills if kill.at < calmed]
        return Outcome(
            database="PostgreSQL" if self._order.database.startswith("postgresql") else "SQLite",
            events=self._gate.sent,
            findings=tuple(found),
            web_kills=sum(kill.role == "web" for kill in kills),
            worker_kills=sum(kill.role == "worker" for kill in kills),
            first_effects=tuple(self._first_effects([kill.at for kill in kills])),
            right_after=right_after,
            lasted=time.monotonic() - began,
            calls_in_trouble=sum(self._sky.troubles.values()),
            pull_requests=len(self._people.changes),
            in_time=in_time,
        )

    def _rage(self, began: float) -> bool:
        """Let people work until there were events and kills enough; False when the time was over
        before.
        """
        self._sky.climate, self._gate.post, self._sky.watcher = (
            Climate(),
            Post(),
            self._killer.watch,
        )
        self._killer.start()
        try:
            while not self._done():
                if time.monotonic() - began > self._order.longest:
                    return False
                self._waited.append((time.monotonic(), self._people.waiting))
                if self._gate.sent < (time.monotonic() - began) * self._order.pace + AT_ONCE:
                    self._people.act()
                self._never.wait(0.2)
        finally:
            self._killer.stop()
        return True

    def _done(self) -> bool:
        return self._gate.sent >= self._order.events and self._killer.done

    def _progress(self) -> float:
        return min(1.0, (self._gate.sent + 1) / self._order.events)

    def _settle(self, calmed: float) -> tuple[float | None, list[Finding]]:
        """Wait until all is right, and look whether it stays so; what is wrong in the end
        if not.
        """
        right_since: float | None = None
        while True:
            now = time.monotonic()
            right = not self._gate.outstanding and truth.right(self._world, self._people.changes)
            right_since = (right_since or now) if right else None
            if right_since is not None and now - right_since >= self._order.stays:
                return right_since - calmed, []
            if right_since is None and now - calmed > RECOVERS_WITHIN:
                return None, truth.findings(self._world, self._people.changes)
            self._never.wait(0.5 if right_since is None else 2.0)

    def _first_effects(self, kills: Sequence[float]) -> list[float]:
        effects = sorted(effect.at for effect in self._sky.effects)
        found: list[float] = []
        for kill in kills:
            somebody_waited = self._waited[max(0, bisect.bisect(self._waited, (kill, True)) - 1)][1]
            following = bisect.bisect(effects, kill)
            if somebody_waited and following < len(effects):
                found.append(effects[following] - kill)
        return found
