"""The MLflow server of the sandbox: it comes up alone, keeps what it is told, tells its
subscribers, leaves nothing.
"""

import base64
import hashlib
import hmac
import http.server
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.mlflow_server import MlflowServer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    with MlflowServer(tmp_path_factory.mktemp("mlflow")) as started:
        yield started


def test_runs_and_artifacts_lie_where_it_says(server: MlflowServer) -> None:
    experiment = server.call("POST", "/api/2.0/mlflow/experiments/create", {"name": "tides"})[
        "experiment_id"
    ]

    found = server.call("GET", f"/api/2.0/mlflow/experiments/get?experiment_id={experiment}")[
        "experiment"
    ]

    assert found["artifact_location"] == f"{server.artifacts}/{experiment}"
    assert server.database.stat().st_size > 0


def test_a_refusal_is_told_in_mlflows_own_words(server: MlflowServer) -> None:
    with pytest.raises(RuntimeError, match="No Experiment with id=77 exists"):
        server.call("GET", "/api/2.0/mlflow/experiments/get?experiment_id=77")


def test_an_alias_is_told_to_a_receiver_on_this_machine_signed(server: MlflowServer) -> None:
    posted: list[tuple[dict[str, str], bytes]] = []
    arrived = threading.Event()

    class Inbox(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(
                (dict(self.headers), self.rfile.read(int(self.headers["Content-Length"])))
            )
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()
            arrived.set()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Inbox) as inbox:
        threading.Thread(
            target=inbox.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()
        server.subscribe(
            f"http://127.0.0.1:{inbox.server_port}/webhooks/mlflow",
            "s3",
            ["model_version_alias.created"],
        )
        server.call("POST", "/api/2.0/mlflow/registered-models/create", {"name": "tide_model"})
        server.call(
            "POST",
            "/api/2.0/mlflow/model-versions/create",
            {"name": "tide_model", "source": "s3://models/tide"},
        )
        alias = {"name": "tide_model", "alias": "champion", "version": "1"}
        server.call("POST", "/api/2.0/mlflow/registered-models/alias", alias)
        assert arrived.wait(15)
        inbox.shutdown()

    headers, body = posted[0]
    signed = f"{headers['X-MLflow-Delivery-Id']}.{headers['X-MLflow-Timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(b"s3", signed, hashlib.sha256).digest()).decode()
    assert headers["X-MLflow-Signature"] == f"v1,{expected}"
    assert json.loads(body)["data"] == alias


def test_what_is_stored_can_be_read_after_a_restart(tmp_path: Path) -> None:
    with MlflowServer(tmp_path) as first:
        webhook = first.subscribe("http://127.0.0.1:9/webhooks/mlflow", "s3")

    with MlflowServer(tmp_path) as second:
        kept = second.call("GET", "/api/2.0/mlflow/webhooks")["webhooks"]

    assert [hook["webhook_id"] for hook in kept] == [webhook]


def test_a_server_that_cannot_start_says_so(tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho No module named gunicorn\nexit 1\n")
    broken.chmod(0o755)

    with pytest.raises(RuntimeError, match=r"ended while starting(.|\n)*No module named gunicorn"):
        MlflowServer(tmp_path, python=str(broken)).start()


def test_the_server_ends_with_whoever_started_it(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib\n"
        "from sandbox.mlflow_server import MlflowServer\n"
        "server = MlflowServer(pathlib.Path(sys.argv[1])).start(wait=False)\n"
        "print(server._process.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        process = int(parent.stdout.readline())
        parent.kill()

    deadline = time.monotonic() + 20
    stat = Path(f"/proc/{process}/stat")
    while stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] != "Z":
        assert time.monotonic() < deadline, "The server outlived the process that started it."
        threading.Event().wait(0.02)
