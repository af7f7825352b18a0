"""The door: every answer of the contract, and none that would make a sender give up on us."""

import base64
import contextlib
import hashlib
import hmac
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import psutil
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from bot.passes import Outcome
from bot.queue import Queue
from bot.subjects import Branch, Delivery, Model, PullRequest
from bot.web import Door, create_app
from bot.webhooks.azure_devops import WatchedRepository
from sandbox.ports import free_port
from tests import databases

PAYLOADS = Path(__file__).parent.parent / "payloads"
KEY = "lighthouse/Tides and Currents/tide-forecast"
SERVED = (
    WatchedRepository(
        KEY, "https://dev.azure.com/lighthouse", "Tides and Currents", "tide-forecast"
    ),
)
CREDENTIALS = (("hooks", "gull"),)
NOW = 1_772_442_611.0


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/queue.db"


@pytest.fixture
def queue(url: str) -> Iterator[Queue]:
    databases.make_ready(url)
    queue = Queue(url, clock=lambda: NOW)
    yield queue
    queue.close()


def door(queue: Queue, **other: Any) -> Door:
    secrets: dict[str, Any] = {
        "azure_devops_credentials": CREDENTIALS,
        "databricks_secrets": ("tern",),
        "mlflow_secrets": ("skua",),
    }
    return Door(queue, SERVED, clock=lambda: NOW, **(secrets | other))


@pytest.fixture
def client(queue: Queue) -> FlaskClient:
    return create_app(door(queue)).test_client()


def basic(username: str = CREDENTIALS[0][0], password: str = CREDENTIALS[0][1]) -> dict[str, str]:
    return {
        "Authorization": "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
    }


def payload(name: str) -> bytes:
    return (PAYLOADS / f"{name}.json").read_bytes()


def knock(
    client: FlaskClient, name: str = "pull_request_created", headers: dict[str, str] | None = None
) -> TestResponse:
    body = payload(f"azure_devops/{name}")
    return client.post(
        "/webhooks/azure-devops", data=body, headers=basic() if headers is None else headers
    )


# ── webhooks


def test_a_webhook_is_accepted_once_it_is_stored(client: FlaskClient, queue: Queue) -> None:
    answer = knock(client)
    assert answer.status_code == 202
    assert answer.get_json()["status"] == "accepted"
    assert [row.subject for row in queue.subjects()] == [PullRequest(KEY, 12)]
    assert queue.delivery(answer.get_json()["delivery"]) is not None


def test_a_redelivery_is_a_duplicate(client: FlaskClient, queue: Queue) -> None:
    knock(client)
    again = knock(client)
    assert (again.status_code, again.get_json()["status"]) == (200, "duplicate")
    assert queue.subjects()[0].generation == 1


@pytest.mark.parametrize(
    "name",
    [
        "portal_test",
        "build_completed",
        "comment_of_version_1",
        "pull_request_of_another_repository",
    ],
)
def test_what_is_not_for_us_is_ignored_with_a_reason(
    client: FlaskClient, queue: Queue, name: str
) -> None:
    answer = knock(client, name)
    assert (answer.status_code, answer.get_json()["status"]) == (200, "ignored")
    assert answer.get_json()["reason"].endswith(".")
    assert queue.subjects() == []


def test_a_signed_registry_webhook_is_accepted(client: FlaskClient, queue: Queue) -> None:
    body = payload("databricks/transitioned_stage")
    made = hmac.new(b"tern", body, hashlib.sha256).hexdigest()
    assert (
        client.post(
            "/webhooks/databricks", data=body, headers={"X-Databricks-Signature": made}
        ).status_code
        == 202
    )
    body = payload("mlflow/alias_created")
    signature = base64.b64encode(
        hmac.new(b"skua", f"d1.{NOW:.0f}.".encode() + body, hashlib.sha256).digest()
    ).decode()
    headers = {
        "X-MLflow-Delivery-Id": "d1",
        "X-MLflow-Timestamp": f"{NOW:.0f}",
        "X-MLflow-Signature": f"v1,{signature}",
    }
    assert client.post("/webhooks/mlflow", data=body, headers=headers).status_code == 202
    assert [row.subject for row in queue.subjects()] == [Model("tide_model")]
    assert queue.subjects()[0].generation == 2


@pytest.mark.parametrize("sender", ["azure-devops", "databricks", "mlflow"])
def test_wrong_credentials_learn_nothing(client: FlaskClient, queue: Queue, sender: str) -> None:
    answers = [
        client.post(f"/webhooks/{sender}", data=b"{}", headers=headers)
        for headers in (
            {},
            basic("hooks", "wrong"),
            basic("nobody", "gull"),
            {"Authorization": "Basic é"},
        )
    ]
    assert {(answer.status_code, answer.data, str(answer.headers)) for answer in answers} == {
        (401, b"", str(answers[0].headers))
    }
    assert queue.subjects() == []


@pytest.mark.parametrize("sender", ["azure-devops", "databricks", "mlflow"])
def test_a_sender_without_a_configured_secret_is_always_refused(queue: Queue, sender: str) -> None:
    client = create_app(Door(queue, SERVED)).test_client()
    for headers in ({}, basic("", ""), basic()):
        assert client.post(f"/webhooks/{sender}", data=b"{}", headers=headers).status_code == 401


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", "JSON"),
        (b"\xff", "JSON"),
        (b"[]", "object"),
        (b"[" * 200_000, "JSON"),
        (b'{"eventType": "git.push", "resource": {"repository": {}}}', "resource.repository.url"),
        (b'{"eventType": "\\ud800"}', "eventType"),
    ],
    ids=range(6),
)
def test_a_body_that_cannot_be_read_is_refused_with_the_field_at_fault(
    client: FlaskClient, body: bytes, named: str
) -> None:
    answer = client.post("/webhooks/azure-devops", data=body, headers=basic())
    assert answer.status_code == 400
    assert named in answer.get_json()["reason"]


def test_a_body_of_more_than_a_mebibyte_is_refused(client: FlaskClient) -> None:
    for size, code in [(1024 * 1024 + 1, 413), (1024 * 1024, 400)]:
        answer = client.post("/webhooks/azure-devops", data=b" " * size, headers=basic())
        assert answer.status_code == code
        assert answer.get_json()["status"] == "refused"


def test_a_webhook_that_cannot_be_stored_is_asked_for_again(
    client: FlaskClient, queue: Queue, tmp_path: Path
) -> None:
    break_database(queue, tmp_path)
    answer = knock(client)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.get_json()["status"] == "unavailable"


def break_database(queue: Queue, folder: Path) -> None:
    queue.close()
    (folder / "queue.db").write_bytes(b"This was a database once. " * 100)
    for part in ("queue.db-wal", "queue.db-shm"):
        (folder / part).unlink(missing_ok=True)


def test_the_unforeseen_is_answered_503_and_logged_without_the_body(
    queue: Queue, caplog: pytest.LogCaptureFixture
) -> None:
    def clock() -> float:
        raise ZeroDivisionError("".join(["gan", "net"]))

    client = create_app(Door(queue, mlflow_secrets=("skua",), clock=clock)).test_client()
    answer = client.post("/webhooks/mlflow", data=payload("mlflow/alias_created"))
    assert answer.status_code == 503
    assert "Retry-After" in answer.headers
    assert "ZeroDivisionError" in caplog.text
    assert "gannet" not in caplog.text
    assert "tide_model" not in caplog.text


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/webhooks/azure-devops", 405),
        ("PUT", "/webhooks/azure-devops", 405),
        ("OPTIONS", "/webhooks/azure-devops", 405),
        ("OPTIONS", "/webhooks/databricks", 405),
        ("POST", "/webhooks/github", 404),
        ("GET", "/nowhere", 404),
        ("POST", "/", 405),
    ],
)
def test_other_requests_are_refused_in_json(
    client: FlaskClient, method: str, path: str, code: int
) -> None:
    answer = client.open(path, method=method)
    assert answer.status_code == code
    assert answer.get_json()["status"] == "refused"


def test_a_webhook_from_outside_cannot_begin_a_log_line(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    event = json.loads(payload("azure_devops/build_completed")) | {"eventType": "a\u2028\u0085b"}
    with caplog.at_level("INFO"):
        client.post("/webhooks/azure-devops", json=event, headers=basic())
    [record] = caplog.records
    assert len(record.getMessage().splitlines()) == 1


# ── looking at it from outside


def test_a_running_process_is_alive_and_ready(client: FlaskClient) -> None:
    assert (client.get("/healthz").status_code, client.get("/healthz").get_json()) == (
        200,
        {"status": "alive"},
    )
    assert (client.get("/readyz").status_code, client.get("/readyz").get_json()) == (
        200,
        {"status": "ready"},
    )


def test_without_its_database_it_is_alive_but_not_ready(
    client: FlaskClient, queue: Queue, tmp_path: Path
) -> None:
    break_database(queue, tmp_path)
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 503
    assert client.get("/").status_code == 503
    assert "signalman_database_up 0.0" in client.get("/metrics").text


def test_the_metrics_count_answers_and_name_nobody(client: FlaskClient) -> None:
    knock(client)
    knock(client)
    knock(client, "portal_test")
    knock(client, headers={})
    client.post("/webhooks/azure-devops", data=b" " * 2**21, headers=basic())
    text = client.get("/metrics").text
    for answer in ("accepted", "duplicate", "ignored", "unauthorized", "too large"):
        assert f'signalman_webhooks_total{{answer="{answer}",sender="azure-devops"}} 1.0' in text
    assert "signalman_subjects_due 1.0" in text
    for name in ("lighthouse", "tide", "Maren", "spring"):
        assert name not in text


def test_the_dashboard_tells_what_happened(client: FlaskClient, queue: Queue) -> None:
    knock(client)
    queue.wake([Model("tide_model"), Branch(KEY)])
    leases = {lease.subject: lease for lease in queue.take(3, lease=30, worker="pier-7")}
    queue.settle(leases[PullRequest(KEY, 12)], Outcome(performed=("started run 5", "said so")))
    queue.fail(leases[Model("tide_model")], "Databricks did not answer.")
    page = client.get("/").text
    for told in (
        f"pull request 12 of {KEY}",
        "model tide_model",
        f"target branch of {KEY}",
        "Databricks did not answer.",
        "started run 5; said so",
        "git.pullrequest.created",
        "in a pass",
        "pier-7",
    ):
        assert told in page


def test_an_empty_dashboard_says_what_will_come(client: FlaskClient) -> None:
    assert "appear with the first sweep or webhook" in client.get("/").text


def test_names_from_outside_are_inert_on_the_dashboard(client: FlaskClient, queue: Queue) -> None:
    hostile = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    queue.mark(Delivery("k", hostile, hostile, Model(hostile)))
    [lease] = queue.take(1, lease=30, worker=hostile)
    queue.fail(lease, hostile)
    answer = client.get("/")
    assert "<script" not in answer.text
    assert "<img" not in answer.text
    assert hostile.replace("<", "&lt;").replace(">", "&gt;") in answer.text
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "script-src" not in policy


def test_the_dashboard_needs_nothing_from_elsewhere(client: FlaskClient) -> None:
    page = client.get("/").text
    linked = re.findall(r'(?:href|src)="([^"]*)"', page)
    assert linked == ["/dashboard/style.css"]
    assert "style=" not in page
    with client.get(linked[0]) as style:
        assert (style.status_code, style.mimetype) == (200, "text/css")
        assert "url(" not in style.text


def test_dashboard_and_metrics_can_be_kept_private(queue: Queue) -> None:
    client = create_app(door(queue, dashboard_credentials=(("ada", "plover"),))).test_client()
    for path in ("/", "/metrics"):
        assert client.get(path).status_code == 401
        assert client.get(path, headers=basic()).status_code == 401
        assert client.get(path, headers=basic("ada", "plover")).status_code == 200
    assert client.get("/healthz").status_code == 200


def test_no_answer_tells_version_path_or_trace(
    client: FlaskClient, queue: Queue, tmp_path: Path
) -> None:
    break_database(queue, tmp_path)
    answers = [client.get(path) for path in ("/healthz", "/readyz", "/", "/nowhere")] + [
        knock(client)
    ]
    for answer in answers:
        said = answer.text + str(answer.headers)
        assert not re.search(
            r"Traceback|\.py|/work|queue\.db|sqlite|\d+\.\d+\.\d+", said, re.IGNORECASE
        )


def test_a_door_does_not_show_its_secrets(queue: Queue) -> None:
    shown = repr(door(queue, dashboard_credentials=(("ada", "plover"),)))
    for secret in ("gull", "tern", "skua", "plover"):
        assert secret not in shown


# ── the process


LOOK = """
import json, sys, time
began = time.process_time()
from bot.web import Door, create_app
from bot.queue import Queue, migrate
seconds = time.process_time() - began
migrate(sys.argv[1])
client = create_app(Door(Queue(sys.argv[1]))).test_client()
assert client.get("/").status_code == 200 and client.get("/readyz").status_code == 200
assert client.post("/webhooks/mlflow", data=b"{}").status_code == 401
modules = sorted(sys.modules)
import psutil  # not ru_maxrss: Linux hands a process the peak of the one that started it
megabytes = psutil.Process().memory_info().rss / 2**20
print(json.dumps({"modules": modules, "seconds": seconds, "megabytes": megabytes}))
"""


def test_the_web_process_is_small_and_knows_no_neighbour(url: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", LOOK, url], capture_output=True, text=True, check=True
    )
    found = json.loads(ran.stdout)
    services = (
        "mlflow",
        "databricks",
        "databricks_cli",
        "requests",
        "git",
        "bot.controllers",
        "bot.services",
    )
    assert [module for module in found["modules"] if module in services] == []
    assert found["megabytes"] <= 100
    assert found["seconds"] < 2.0  # of CPU, so that a busy machine does not count


SERVE = """
from bot.queue import Queue
from bot.web import Door, create_app
from bot.webhooks.azure_devops import WatchedRepository
app = create_app(Door(Queue({url!r}), served={served!r}, azure_devops_credentials={credentials!r}))
"""


@pytest.fixture
def gunicorn(url: str, tmp_path: Path) -> Iterator["tuple[int, subprocess.Popen[bytes]]"]:
    databases.make_ready(url)
    (tmp_path / "served.py").write_text(
        SERVE.format(url=url, served=SERVED, credentials=CREDENTIALS)
    )
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", "1", "--log-level", "error",  # noqa: E501 a table, or a text as it is sent
         "--no-control-socket", "served:app"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    end = time.monotonic() + 30
    while not answers(port):
        assert time.monotonic() < end
        assert process.poll() is None
        threading.Event().wait(0.05)
    yield port, process
    process.terminate()
    process.wait(20)


def answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def test_a_huge_body_is_refused_unread(gunicorn: "tuple[int, subprocess.Popen[bytes]]") -> None:
    port, _ = gunicorn
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest("POST", "/webhooks/azure-devops")
    connection.putheader("Content-Length", str(50 * 1024 * 1024))
    connection.putheader("Authorization", basic()["Authorization"])
    connection.endheaders()  # and not one byte of the body
    answer = connection.getresponse()
    assert answer.status == 413
    connection.close()


def chunked(port: int, body: Iterator[bytes]) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        with contextlib.suppress(
            BrokenPipeError, ConnectionResetError
        ):  # it may be answered before it has ended
            connection.request("POST", "/webhooks/azure-devops", body, basic(), encode_chunked=True)
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_body_without_a_length_is_cut_off(
    gunicorn: "tuple[int, subprocess.Popen[bytes]]",
) -> None:
    port, process = gunicorn
    [worker] = psutil.Process(process.pid).children()
    before = worker.memory_info().rss
    assert chunked(port, (b" " * 65536 for _ in range(17))) == 413
    assert worker.memory_info().rss - before < 10 * 1024 * 1024
    assert chunked(port, iter([b"[", b"]"])) == 400
    assert chunked(port, iter([payload("azure_devops/build_completed")])) == 200


def test_what_was_accepted_survives_a_killed_process(
    gunicorn: "tuple[int, subprocess.Popen[bytes]]", url: str
) -> None:
    port, process = gunicorn
    event = payload("azure_devops/pull_request_created")
    assert chunked(port, iter([event])) == 202
    for one in (*psutil.Process(process.pid).children(), process):
        one.kill()
    queue = Queue(url)
    assert [row.subject for row in queue.subjects()] == [PullRequest(KEY, 12)]
    assert len(queue.deliveries()) == 1
    queue.close()
