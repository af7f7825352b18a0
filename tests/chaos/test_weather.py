"""The weather between the bot and its neighbours does what its name says, and the same again for
the same seed.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import requests

from sandbox.chaos import climate as climates
from sandbox.chaos.calls import Call, Listener, Reply
from sandbox.chaos.climate import CALM, Climate
from sandbox.chaos.diary import Diary
from sandbox.chaos.gate import RELIABLE, Gate, Post
from sandbox.chaos.weather import Moment, Sky


@dataclass
class Somebody:
    """Answers everything with 200, and remembers what it heard."""

    heard: list[Call] = field(default_factory=list)
    listener: Listener = field(init=False)
    hears: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self.listener = Listener(self._answer)

    def wait_for(self, count: int) -> bool:
        with self.hears:
            return self.hears.wait_for(lambda: len(self.heard) >= count, timeout=20)

    def _answer(self, call: Call) -> Reply:
        with self.hears:
            self.heard.append(call)
            self.hears.notify_all()
        return Reply(200, (("Content-Type", "application/json"),), b"{}")


@pytest.fixture
def somebody() -> Iterator[Somebody]:
    found = Somebody()
    yield found
    found.listener.close()


@pytest.fixture
def diary(tmp_path: Path) -> Diary:
    return Diary(tmp_path / "diary")


def post(url: str, **more: object) -> int:
    """The status of an answer; 0 when the line went dead."""
    try:
        return requests.post(f"{url}/api/things", json={"thing": 1}, timeout=20, **more).status_code  # type: ignore[arg-type]
    except requests.ConnectionError:
        return 0


def under(sky: Sky, somebody: Somebody, neighbour: str = "azure") -> str:
    return sky.door(neighbour, somebody.listener.url, 0)  # type: ignore[arg-type]


def test_a_seed_gives_the_same_fates_again() -> None:
    stormy = Climate(busy=0.2, lost=0.2, cut=0.2)

    def fates(seed: int) -> list[climates.Fate]:
        return [
            climates.draw(stormy, seed, "azure", number, azure_rest=True) for number in range(200)
        ]

    assert fates(1) == fates(1)
    assert fates(1) != fates(2)
    assert {"busy", "lost", "cut", "fine"} <= {fate.kind for fate in fates(1)}


@pytest.mark.parametrize(
    ("trouble", "status", "heard"),
    [
        ("busy", 429, 0),
        ("cut", 0, 0),
        ("lost", 0, 1),
        ("outage", 503, 0),
        ("throttled", 200, 1),
        ("signed_out", 203, 0),
    ],
)
def test_each_trouble_reaches_the_neighbour_or_does_not(
    somebody: Somebody, diary: Diary, trouble: str, status: int, heard: int
) -> None:
    sky = Sky(1, diary)
    sky.climate = replace(CALM, **{trouble: 1.0})
    url = f"{under(sky, somebody)}/_apis"

    answered = post(url)
    sky.close()

    assert (answered, len(somebody.heard)) == (status, heard)


def test_a_body_without_a_length_is_passed_on_whole(somebody: Somebody, diary: Diary) -> None:
    sky = Sky(1, diary)

    answer = requests.post(under(sky, somebody), data=iter([b"one ", b"two"]), timeout=20)
    sky.close()

    assert answer.status_code == 200
    assert [call.body for call in somebody.heard] == [b"one two"]


def test_what_a_project_calls_is_let_through(somebody: Somebody, diary: Diary) -> None:
    sky = Sky(1, diary)
    sky.climate = replace(CALM, cut=1.0)

    answered = post(under(sky, somebody, "mlflow"), headers={"User-Agent": "Python-urllib/3.11"})
    sky.close()

    assert (answered, sky.effects) == (200, [])


@pytest.mark.parametrize(("moment", "heard"), [("before", 0), ("after", 1)])
def test_who_is_killed_at_a_call_gets_no_answer(
    somebody: Somebody, diary: Diary, moment: Moment, heard: int
) -> None:
    sky = Sky(1, diary)
    sky.watcher = lambda worker, when: (worker, when) == (0, moment)

    answered = post(under(sky, somebody))
    sky.close()

    assert (answered, len(somebody.heard)) == (0, heard)


@pytest.mark.parametrize(
    ("service", "arrives"),
    [(RELIABLE, 1), (Post(1, 0, 0, 0), 2), (Post(0, 1, 0, 0.1), 1), (Post(0, 0, 1, 0), 0)],
)
def test_a_webhook_is_delivered_doubled_late_or_not_at_all(
    somebody: Somebody, diary: Diary, service: Post, arrives: int
) -> None:
    gate = Gate(1, somebody.listener.url, diary)
    gate.post = service

    answered = post(gate.url)
    came = somebody.wait_for(arrives)
    gate.close()

    assert came
    assert answered in (200, 202)
    assert (len(somebody.heard), gate.sent) == (arrives, 1)


def test_a_sender_is_told_502_where_web_is_away(somebody: Somebody, diary: Diary) -> None:
    away = somebody.listener.url.rpartition(":")[0] + ":1"
    gate = Gate(1, away, diary)

    answered = [post(gate.url), post(gate.url)]
    gate.close()

    assert answered == [502, 502]
    assert gate.sent == 1
