"""`events` and `replay` as an operator types them, against a database with rows and, where it says
so, a worker.
"""

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bot.passes import Outcome
from bot.queue import Queue
from bot.subjects import Delivery, Model, PullRequest, Subject, key
from tests import databases

PROJECT = Path(__file__).parents[2]
HERE = PullRequest("lighthouse/Tides/forecast", 12)
ENVIRONMENT = {
    "AZURE_DEVOPS_ORG_URL": "https://dev.azure.com/lighthouse",
    "AZURE_DEVOPS_PROJECT": "Tides",
    "AZURE_DEVOPS_REPOSITORY": "forecast",
    "AZURE_DEVOPS_TOKEN": "gannet",
    "AZURE_DEVOPS_WEBHOOK_USERNAME": "hooks",
    "AZURE_DEVOPS_WEBHOOK_PASSWORD": "gull",
    "DATABRICKS_HOST": "https://adb-1.2.azuredatabricks.net",
    "DATABRICKS_TOKEN": "plover",
    "DATABRICKS_WEBHOOK_SECRET": "tern",
    "MLFLOW_WEBHOOK_SECRET": "skua",
}


class Operator:
    """Somebody at a terminal of the machine that the bot runs on."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder, self.queue = url, folder, Queue(url)

    def types(self, *words: str, code: int = 0) -> list[str]:
        """The lines that `python -m bot …` prints: on the error stream when it ends with another
        code than 0.
        """
        ended = subprocess.run(
            [sys.executable, "-m", "bot", *words],
            cwd=PROJECT,
            env={
                "PATH": os.environ["PATH"],
                "DATABASE_URL": self.url,
                "SIGNALMAN_VAR": str(self.folder),
                **ENVIRONMENT,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == code, ended.stderr
        lines = (ended.stderr if code else ended.stdout).splitlines()
        return [
            line for line in lines if not line.startswith('{"time"')
        ]  # what the bot logs at its start

    def hears(self, name: str, subject: Subject) -> None:
        """A delivery comes in."""
        assert self.queue.mark(Delivery(name, "azure-devops", "git.push", subject))

    def passes(self, *performed: str, error: str = "", look_again: float | None = None) -> None:
        """A pass is made over the one subject that is due."""
        [lease] = self.queue.take(1, lease=30, worker="pier-7")
        if error:
            self.queue.fail(lease, error)
        else:
            self.queue.settle(lease, Outcome(performed=performed, look_again=look_again))


@pytest.fixture(params=databases.KINDS)
def operator(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Operator]:
    with databases.empty(request.param, tmp_path) as url:
        databases.make_ready(url)
        found = Operator(url, tmp_path)
        yield found
        found.queue.close()


def test_each_delivery_is_told_with_what_became_of_it(operator: Operator) -> None:
    operator.hears("azure-s-1", HERE)
    operator.passes("started a run", "said so")
    operator.hears("azure-s-2", Model("quiet"))
    operator.passes()
    operator.hears("azure-s-3", Model("broken"))
    operator.passes(error="Databricks did not answer.")
    operator.hears("azure-s-4", Model("waiting"))
    told = operator.types("events")
    assert [line.split()[-1] for line in told[::2]] == [
        "azure-s-4",
        "azure-s-3",
        "azure-s-2",
        "azure-s-1",
    ]
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC  azure-devops git.push  "
        r"pull-request/lighthouse%2FTides%2Fforecast/12"
        r"  azure-s-1",
        told[6],
    )
    assert told[1] == "    waits to be looked at now."
    assert re.fullmatch(r"    failed once, next try .*: Databricks did not answer\.", told[3])
    assert re.fullmatch(r"    looked at after \d+\.\d s: nothing was to do", told[5])
    assert re.fullmatch(r"    looked at after \d+\.\d s: started a run; said so", told[7])
    assert len(operator.types("events", "-n", "1")) == 2


def test_what_is_in_trouble_can_be_told_alone(operator: Operator) -> None:
    assert operator.types("events", "--failed") == ["Nothing fails."]
    operator.hears("azure-s-1", HERE)
    operator.passes("started a run")
    operator.hears("azure-s-2", Model("broken"))
    operator.passes(error="Databricks did not answer.")
    operator.queue.wake([Model("swept")])
    operator.passes(error="No such model.")
    told = operator.types("events", "--failed")
    assert told[0].endswith("azure-s-2")
    assert told[1].endswith("Databricks did not answer.")
    assert told[2].endswith("found by a sweep  model/swept")
    assert told[3].endswith("No such model.")
    assert len(told) == 4


def test_one_delivery_is_told_with_each_pass_and_each_action(operator: Operator) -> None:
    operator.hears("azure-s-1", HERE)
    operator.passes(error="Databricks did not answer.")
    operator.queue.wake([HERE])
    operator.passes("started a run", "said so", look_again=0)
    operator.passes("set the status")
    told = operator.types("events", "show", "azure-s-1")
    assert told[0] == f"azure-s-1: git.push from azure-devops, about {key(HERE)}"
    assert [re.sub(r"^.* UTC  |\(.*s by pier-7\)", "", line) for line in told[1:]] == [
        "received and accepted",
        "failed : Databricks did not answer.",
        "looked at :",
        "    started a run",
        "    said so",
        "looked at :",
        "    set the status",
        "now: nothing is left to do until somebody speaks of it.",
    ]
    assert operator.types("events", "show", key(HERE))[0] == key(HERE)


def test_a_delivery_that_needed_nothing_is_told_as_that(operator: Operator) -> None:
    operator.hears("azure-s-1", HERE)
    operator.passes()
    told = operator.types("events", "show", "azure-s-1")
    assert told[2].endswith("looked at: nothing was to do")


@pytest.mark.parametrize("command", [["events", "show"], ["replay"]])
def test_an_unknown_key_is_one_clear_sentence(operator: Operator, command: list[str]) -> None:
    operator.hears("azure-s-1", HERE)
    before = operator.queue.subjects()
    known = ["azure-s-1"] if command == ["replay"] else []
    for name in ("azure-nobody-9", "model/unheard-of", "\x1b[31m"):
        [told] = operator.types(*command, *known, name, code=1)
        assert told.startswith('Error: No delivery and no subject is called "')
        assert told.isprintable()
    assert operator.queue.subjects() == before


def test_a_replay_while_a_worker_runs_is_one_more_pass(operator: Operator) -> None:
    operator.hears("azure-s-1", Model("one"))
    folder = operator.folder / "told"
    folder.mkdir()
    command = [sys.executable, "-m", "worker_process", operator.url, str(folder), "30"]
    folder_of_the_program = Path(__file__).parents[1] / "worker"
    with subprocess.Popen(command, cwd=folder_of_the_program, stderr=subprocess.DEVNULL) as worker:
        try:
            until(lambda: len(operator.queue.passes("model/one")) == 1)
            for number, name in enumerate(["azure-s-1", "model/one"], 2):
                told = operator.types("replay", name)
                assert told[0] == "model/one is due again."
                until(lambda wanted=number: len(operator.queue.passes("model/one")) == wanted)
        finally:
            worker.kill()


def until(true: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        threading.Event().wait(0.02)


def test_everything_that_waits_or_fails_can_be_replayed_at_once(operator: Operator) -> None:
    nothing = "Everything that came in was answered, and nothing fails; nothing was done."
    assert operator.types("replay", "--all-open") == [nothing]
    operator.hears("azure-s-1", HERE)
    operator.passes("started a run")
    operator.hears("azure-s-2", Model("broken"))
    operator.passes(error="Databricks did not answer.")
    operator.hears("azure-s-3", Model("waiting"))
    told = operator.types("replay", "--all-open")
    assert told[:2] == ["model/broken is due again.", "model/waiting is due again."]
    assert {lease.subject for lease in operator.queue.take(9, lease=30, worker="w")} == {
        Model("broken"),
        Model("waiting"),
    }


def test_what_comes_from_outside_is_inert_on_a_terminal(operator: Operator) -> None:
    hostile = "\x1b]0;title\x07\u202e\r\n"
    operator.queue.mark(
        Delivery(f"key{hostile}", f"sender{hostile}", f"event{hostile}", Model(hostile))
    )
    operator.passes(error=f"error{hostile}")
    operator.hears("azure-s-2", Model("m"))
    operator.passes(f"said{hostile}")
    for words in (
        ["events"],
        ["events", "--failed"],
        ["events", "show", "azure-s-2"],
        ["replay", "--all-open"],
    ):
        assert all(line.isprintable() for line in operator.types(*words))
    assert len(operator.types("events")) == 4


def test_asking_to_replay_nothing_explains_itself(operator: Operator) -> None:
    assert (
        operator.types("replay", code=2)[-1]
        == "Error: Name a delivery or a subject, or say --all-open."
    )
    assert any(
        "Example: python -m bot replay azure-" in line
        for line in operator.types("replay", "--help")
    )
