"""What a run writes comes to the database while it runs, masked, and whole once it has ended."""

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.backends.local import Local
from bot.backends.run import LogChunk
from bot.controllers.runs import logs
from bot.controllers.services import Services
from bot.errors import NotFound, ServiceError
from bot.facts.runs import ProjectRun
from bot.queue import Queue
from bot.subjects import PullRequest
from tests import databases
from tests.backends.example_project import ended, project, submission, until

HERE = PullRequest("contoso/ml/models", 7)
SECRET = "canary-4711-plover"
RUN = ProjectRun(
    "t",
    "projects/wine",
    "c1",
    1,
    "paper",
    cluster_run="7",
    started=datetime(2026, 3, 2, 9, tzinfo=UTC),
)
OVER = replace(RUN, outcome="succeeded", ended=datetime(2026, 3, 2, 9, 5, tzinfo=UTC))


@dataclass
class Paper:
    """A backend whose log is what a test says, and of which at most so much is read at a time."""

    written: bytes = b""
    most: int = 10**6
    kept: Callable[[bytes], LogChunk] = LogChunk
    asked: list[str] = field(default_factory=list)

    def live_log(self, run: str, token: str, offset: int) -> LogChunk:
        self.asked.append("live")
        start = max(offset, len(self.written) - self.most)
        return LogChunk(self.written[start:], start, cut=start > offset)

    def whole_log(self, run: str, token: str) -> LogChunk:
        self.asked.append("whole")
        return self.kept(self.written)


@pytest.fixture(params=databases.KINDS)
def queue(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Queue]:
    with databases.empty(request.param, tmp_path) as url:
        databases.make_ready(url)
        queue = Queue(url)
        yield queue
        queue.close()


def with_(queue: Queue, **backends: object) -> Services:
    workspace = SimpleNamespace(backends=backends)
    bundle = SimpleNamespace(queue=queue, secrets=(SECRET,), workspace=lambda where: workspace)
    return cast(Services, bundle)


def stored(queue: Queue, token: str = RUN.token) -> str:
    return "".join(queue.log(token))


def test_a_log_grows_by_whole_lines_and_is_whole_at_the_end(queue: Queue) -> None:
    paper = Paper()
    world = with_(queue, paper=paper)
    for more, shown in [("one\ntw", "one\n"), ("o\nthree", "one\ntwo\n"), ("", "one\ntwo\n")]:
        paper.written += more.encode()
        logs.collect(RUN, HERE, world)
        assert stored(queue) == shown
    logs.collect(OVER, HERE, world)
    assert stored(queue) == "one\ntwo\nthree"
    found = queue.run("t")
    assert found is not None
    assert (found.state, found.log_whole, found.log_cut, found.subject) == (
        "succeeded",
        True,
        False,
        HERE,
    )


def test_a_log_that_is_whole_is_not_read_again(queue: Queue) -> None:
    paper = Paper(b"done\n")
    world = with_(queue, paper=paper)
    for _ in range(3):
        logs.collect(OVER, HERE, world)
    assert paper.asked == ["whole"]


def test_a_secret_never_reaches_the_database_however_it_is_torn(queue: Queue) -> None:
    paper = Paper()
    world = with_(queue, paper=paper)
    for part in (
        "token can",
        "ary-47",
        f"11-plover\nagain \x1b[1mcanary\x1b[0m-4711-plover {SECRET}",
        "\nend\n",
    ):
        paper.written += part.encode()
        logs.collect(replace(RUN, reason=f"it said {SECRET}"), HERE, world)
        assert "4711" not in stored(queue)
    logs.collect(replace(OVER, reason=f"it said {SECRET}"), HERE, world)
    found = queue.run("t")
    assert found is not None
    assert "4711" not in stored(queue) + found.reason
    assert stored(queue).endswith("\nend\n")


def test_a_private_key_is_not_taken_before_its_end(queue: Queue) -> None:
    paper = Paper(b"key:\n-----BEGIN PRIVATE KEY-----\nMIIE\n")
    world = with_(queue, paper=paper)
    logs.collect(RUN, HERE, world)
    assert stored(queue) == "key:\n"
    paper.written += b"-----END PRIVATE KEY-----\nmore\n"
    logs.collect(RUN, HERE, world)
    assert stored(queue).endswith("more\n")


@given(before=st.integers(0, 9000), after=st.integers(0, 9000))
def test_a_line_without_an_end_is_never_cut_inside_a_secret(before: int, after: int) -> None:
    content = b"x" * (70_000 + before) + SECRET.encode() + b"y" * after
    at = logs._complete(content, lambda text: text.replace(SECRET, "***"))
    assert at > 0
    assert SECRET[:6].encode() not in content[at - 17 : at].replace(SECRET.encode(), b"")


def test_what_was_written_too_fast_is_said_to_be_missing_and_is_there_at_the_end(
    queue: Queue,
) -> None:
    paper = Paper(b"".join(b"line %d\n" % number for number in range(1000)), most=100)
    world = with_(queue, paper=paper)
    logs.collect(RUN, HERE, world)
    assert "written too fast" in stored(queue)
    assert stored(queue).splitlines()[-1] == "line 999"
    assert all(one.startswith("line ") for one in stored(queue).splitlines()[4:])
    logs.collect(OVER, HERE, world)
    assert stored(queue) == paper.written.decode()


def test_of_a_log_that_the_backend_has_cut_the_torn_line_goes_too(queue: Queue) -> None:
    paper = Paper(b"plover\nnext\n", kept=lambda written: LogChunk(written, cut=True))
    logs.collect(OVER, HERE, with_(queue, paper=paper))
    found = queue.run("t")
    assert stored(queue) == "next\n"
    assert found is not None
    assert found.log_cut


@pytest.mark.parametrize("lost", ["nothing is kept", "it is forgotten"])
def test_of_a_run_that_left_nothing_what_was_read_stays(queue: Queue, lost: str) -> None:
    def kept(_: bytes) -> LogChunk:
        if lost == "it is forgotten":
            raise NotFound("Databricks", "Run 7 is gone.")
        return LogChunk(b"")

    world = with_(queue, paper=Paper(b"its last words\n", kept=kept))
    logs.collect(RUN, HERE, world)
    logs.collect(OVER, HERE, world)
    found = queue.run("t")
    assert stored(queue) == "its last words\n"
    assert found is not None
    assert found.log_whole


def test_a_log_that_cannot_be_read_holds_up_nobody_and_is_read_later(
    queue: Queue, caplog: pytest.LogCaptureFixture
) -> None:
    def kept(_: bytes) -> LogChunk:
        raise ServiceError("Databricks", "Databricks does not answer.")

    paper = Paper(b"all of it\n", kept=kept)
    world = with_(queue, paper=paper)
    logs.collect(OVER, HERE, world)
    assert "Databricks does not answer." in caplog.text
    paper.kept = LogChunk
    logs.collect(OVER, HERE, world)
    assert stored(queue) == "all of it\n"


def test_a_database_that_cannot_be_written_holds_up_nobody(tmp_path: Path) -> None:
    queue = Queue(f"sqlite:///{tmp_path}/without_tables.db")
    logs.collect(OVER, HERE, with_(queue, paper=Paper(b"x\n")))
    queue.close()


def test_what_no_database_takes_is_left_out(queue: Queue) -> None:
    world = with_(queue, paper=Paper(b"a\0b\xff\x1b[31mred\x1b[0m\r\n\tc\xe2\x80\xaed\n"))
    logs.collect(RUN, HERE, world)
    assert stored(queue) == "ab\N{REPLACEMENT CHARACTER}red\n\tcd\n"


def test_two_workers_that_read_the_same_do_not_write_it_twice(queue: Queue) -> None:
    world = with_(queue, paper=Paper(b"once\n"))
    logs.collect(RUN, HERE, world)
    assert not queue.add_log("t", 0, 5, "once\n")
    assert stored(queue) == "once\n"


def test_a_run_that_never_got_anywhere_is_known_without_a_log(queue: Queue) -> None:
    refused = replace(
        OVER, cluster_run="", outcome="failed", reason="wine is not an MLflow project."
    )
    logs.collect(refused, HERE, with_(queue))
    (found,) = queue.runs(HERE)
    assert (found.state, found.reason, found.log_size, found.log_whole) == (
        "failed",
        refused.reason,
        0,
        True,
    )


def test_a_second_run_under_one_token_is_nobodys_run(queue: Queue) -> None:
    logs.collect(replace(OVER, token="t m2", cluster_run=""), HERE, with_(queue))
    assert queue.runs(HERE) == []


def test_a_run_of_this_machine_is_followed_while_it_goes_on(queue: Queue, tmp_path: Path) -> None:
    signal = tmp_path / "go on"
    waits = (
        f"print('first', flush=True)\nimport os, time\nwhile not os.path.exists({str(signal)!r}): "
        "time.sleep(0.02)\n"
    )
    folder = project(tmp_path / "project", **{"main.py": f"{waits}print('last')\n"})
    backend = Local(tmp_path / "runs")
    world = with_(queue, local=backend)
    run = replace(
        RUN, backend="local", token="token-fine", cluster_run=backend.submit(submission(folder))
    )

    def followed() -> bool:
        logs.collect(run, HERE, world)
        return stored(queue, run.token) == "first\n"

    until(followed)
    signal.touch()
    ended(backend, run.cluster_run)
    logs.collect(replace(run, outcome="succeeded"), HERE, world)
    assert stored(queue, run.token) == "first\nlast\n"


def test_a_log_is_read_while_it_is_written(queue: Queue) -> None:
    paper = Paper()
    world = with_(queue, paper=paper)
    ended_writing = threading.Event()

    def write() -> None:
        for number in range(200):
            paper.written += f"{number} {os.urandom(40).hex()}\n".encode()
        ended_writing.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not ended_writing.is_set():
        logs.collect(RUN, HERE, world)
    writer.join()
    logs.collect(RUN, HERE, world)
    assert stored(queue) == paper.written.decode()
