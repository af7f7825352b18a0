"""A webhook is accepted once its database has it; while that cannot be, the door says so, and it
recovers by itself.
"""

import base64
import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import psutil
import pytest

from bot.queue import Queue, migrate
from sandbox.ports import free_port
from tests import databases

PAYLOAD = Path(__file__).parent.parent / "payloads" / "azure_devops" / "pull_request_created.json"
SERVE = """
from bot.queue import Queue
from bot.web import Door, create_app
from bot.webhooks.azure_devops import WatchedRepository
served = WatchedRepository("lighthouse/Tides and Currents/tide-forecast", "https://dev.azure.com/lighthouse",
                "Tides and Currents", "tide-forecast")
app = create_app(Door(Queue({url!r}), served=(served,), azure_devops_credentials=(("hooks", "gull"),)))
"""  # noqa: E501 a table, or a text as it is sent


class Web:
    """A real web process, asked from outside. Its one server process is found again by its id."""

    def __init__(self, url: str, folder: Path) -> None:
        migrate(url)
        (folder / "served.py").write_text(SERVE.format(url=url))
        self.port = free_port()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{self.port}", "--workers", "1",
             "--log-level", "error", "--no-control-socket", "served:app"],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(folder)},
        )  # fmt: skip
        end = time.monotonic() + 30
        while not self._answers():
            assert time.monotonic() < end
            assert self.process.poll() is None
            threading.Event().wait(0.05)
        [self.server] = psutil.Process(self.process.pid).children()

    def send(self, number: int) -> tuple[int, str | None, str]:
        """A webhook with a notification id of its own: the answer's code, its Retry-After, and its
        status.
        """
        event = json.loads(PAYLOAD.read_bytes()) | {"notificationId": number}
        who = {"Authorization": "Basic " + base64.b64encode(b"hooks:gull").decode()}
        answer, body = self.ask("POST", "/webhooks/azure-devops", json.dumps(event).encode(), who)
        return answer.status, answer.headers["Retry-After"], json.loads(body)["status"]

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[HTTPResponse, bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=15)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer, answer.read()
        finally:
            connection.close()

    def code(self, path: str) -> int:
        return self.ask("GET", path)[0].status

    def _answers(self) -> bool:
        try:
            return self.code("/readyz") == 200
        except OSError:
            return False

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[tuple[Web, Queue]]:
    url = f"sqlite:///{tmp_path}/queue.db"
    web, queue = Web(url, tmp_path), Queue(url)
    yield web, queue
    web.stop()
    queue.close()


def is_asked_for_again(answer: tuple[int, str | None, str]) -> bool:
    code, again, status = answer
    return code == 503 and int(again or 0) > 0 and status == "unavailable"


def stored(queue: Queue) -> list[str]:
    return sorted(row.key.rsplit("-", 1)[1] for row in queue.deliveries())


def test_on_a_full_disk_nothing_is_accepted_and_with_room_again_everything_is(
    sqlite: tuple[Web, Queue],
) -> None:
    web, queue = sqlite
    assert web.send(1)[0] == 202
    _, most = web.server.rlimit(psutil.RLIMIT_FSIZE)
    web.server.rlimit(
        psutil.RLIMIT_FSIZE, (0, most)
    )  # no file may grow: what a full disk does to a process
    assert is_asked_for_again(web.send(2))
    assert is_asked_for_again(web.send(3))
    assert (web.code("/healthz"), web.code("/readyz"), web.code("/")) == (200, 503, 200)
    assert stored(queue) == ["1"]
    web.server.rlimit(psutil.RLIMIT_FSIZE, (most, most))
    assert [web.send(number)[0] for number in (1, 2, 3)] == [200, 202, 202]
    assert web.code("/readyz") == 200
    assert stored(queue) == ["1", "2", "3"]
    assert psutil.Process(web.process.pid).children() == [web.server]


def test_while_another_writer_does_not_finish_the_door_does_not_wait_for_long(
    sqlite: tuple[Web, Queue], tmp_path: Path
) -> None:
    web, queue = sqlite
    other = sqlite3.connect(tmp_path / "queue.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    assert is_asked_for_again(web.send(1))
    assert time.monotonic() - began < 10
    assert web.code("/healthz") == 200
    other.execute("ROLLBACK")
    other.close()
    assert web.send(1)[0] == 202
    assert stored(queue) == ["1"]


def test_without_its_server_it_answers_and_with_it_again_it_accepts(tmp_path: Path) -> None:
    with databases.cluster() as postgresql:
        web, queue = Web(postgresql.url, tmp_path), Queue(postgresql.url)
        try:
            assert web.send(1)[0] == 202
            postgresql.stop()
            assert is_asked_for_again(web.send(2))
            assert is_asked_for_again(web.send(3))
            assert (web.code("/healthz"), web.code("/readyz"), web.code("/metrics")) == (
                200,
                503,
                200,
            )
            postgresql.start()
            assert [web.send(number)[0] for number in (1, 2, 3)] == [200, 202, 202]
            assert web.code("/readyz") == 200
            assert stored(queue) == ["1", "2", "3"]
            assert psutil.Process(web.process.pid).children() == [web.server]
        finally:
            web.stop()
            queue.close()
