"""The pages of runs: the whole log, live while it grows, inert, guarded, and there after a
restart.
"""

import base64
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from bot.facts.runs import ProjectRun
from bot.queue import Queue
from bot.subjects import Branch, PullRequest
from bot.web import Door, create_app
from bot.webhooks.azure_devops import WatchedRepository
from tests import databases

KEY = "lighthouse/Tides and Currents/tide-forecast"
SERVED = (
    WatchedRepository(
        KEY, "https://dev.azure.com/lighthouse", "Tides and Currents", "tide-forecast"
    ),
)
HERE = PullRequest(KEY, 12)
OF_12 = "/pull-requests/lighthouse/Tides%20and%20Currents/tide-forecast/12"
BEGUN = datetime(2026, 3, 2, 9, tzinfo=UTC)
RUN = ProjectRun(
    "0f5c",
    "projects/tide",
    "a1b2c3d4e5",
    1,
    "local",
    cluster_run="7",
    run_page="https://adb-1.example/run/7",
    mlflow_page="https://mlflow.example/#/runs/m1",
    started=BEGUN,
)
ENDED = replace(
    RUN,
    outcome="failed",
    reason="KeyError: 'alcohol'",
    ended=datetime(2026, 3, 2, 9, 1, 30, tzinfo=UTC),
)
HOSTILE = "</pre><script>alert(1)</script><img src=x onerror=alert(1)>"


def now() -> float:
    return datetime(2026, 3, 2, 9, 2, tzinfo=UTC).timestamp()


@pytest.fixture
def url(tmp_path: Path) -> str:
    found = f"sqlite:///{tmp_path}/queue.db"
    databases.make_ready(found)
    return found


@pytest.fixture
def queue(url: str) -> Iterator[Queue]:
    queue = Queue(url, clock=now)
    yield queue
    queue.close()


@pytest.fixture
def client(queue: Queue) -> FlaskClient:
    return create_app(Door(queue, SERVED, clock=now)).test_client()


def test_a_run_that_goes_on_is_shown_live(client: FlaskClient, queue: Queue) -> None:
    queue.note_run(HERE, RUN)
    queue.add_log(RUN.token, 0, 8, "epoch 1\n")
    page = client.get("/runs/0f5c").text
    assert "epoch 1\n" in page
    assert re.search(r'<meta http-equiv="refresh" content="[2-5]">', page)
    for told in ("running", "tide", "a1b2c3d", "09:00:00", "2m"):
        assert told in page
    queue.add_log(RUN.token, 8, 16, "epoch 2\n")
    assert "epoch 1\nepoch 2\n" in client.get("/runs/0f5c").text


def test_a_run_that_has_ended_stands_still(client: FlaskClient, queue: Queue) -> None:
    queue.note_run(HERE, ENDED)
    queue.put_log(RUN.token, "epoch 1\nKeyError\n")
    page = client.get("/runs/0f5c").text
    assert "refresh" not in page
    for told in ("failed", "KeyError: &#39;alcohol&#39;", "epoch 1\nKeyError\n", "1m30s"):
        assert told in page


def test_a_run_links_its_pages_elsewhere_and_its_pull_request(
    client: FlaskClient, queue: Queue
) -> None:
    queue.note_run(HERE, RUN)
    linked = re.findall(r'href="([^"]*)"', client.get("/runs/0f5c").text)
    assert "https://adb-1.example/run/7" in linked
    assert "https://mlflow.example/#/runs/m1" in linked
    assert (
        "https://dev.azure.com/lighthouse/Tides%20and%20Currents/_git/tide-forecast/pullrequest/12"
        in linked
    )
    assert OF_12 in linked


def test_whoever_waits_for_a_log_is_told_what_for(client: FlaskClient, queue: Queue) -> None:
    queue.note_run(HERE, replace(RUN, cluster_run=""))
    assert "is being submitted" in client.get("/runs/0f5c").text
    queue.note_run(HERE, RUN)
    assert "written nothing so far" in client.get("/runs/0f5c").text
    queue.note_run(HERE, ENDED)
    queue.put_log(RUN.token, None)
    assert "left no log" in client.get("/runs/0f5c").text


def test_of_a_long_log_the_end_is_shown_and_all_of_it_is_one_click_away(
    client: FlaskClient, queue: Queue
) -> None:
    text = "".join(f"line {number}\n" for number in range(200_000))
    queue.note_run(HERE, ENDED)
    queue.put_log(RUN.token, text)
    page = client.get("/runs/0f5c").text
    assert len(page) < 300_000
    assert "line 199999\n</pre>" in page
    assert re.search(r"<pre>\nline \d+\n", page)
    assert "the last 195" in page
    raw = client.get("/runs/0f5c?raw=1")
    assert raw.text == text
    assert raw.content_type == "text/plain; charset=utf-8"
    assert raw.headers["X-Content-Type-Options"] == "nosniff"


def test_a_log_that_was_cut_says_so(client: FlaskClient, queue: Queue) -> None:
    queue.note_run(HERE, ENDED)
    queue.put_log(RUN.token, "end\n", cut=True)
    assert "its beginning is not kept" in client.get("/runs/0f5c").text


def test_what_a_run_writes_is_inert(client: FlaskClient, queue: Queue) -> None:
    hostile = replace(ENDED, project=f"projects/{HOSTILE}", commit=HOSTILE, reason=HOSTILE)
    queue.note_run(
        HERE, replace(hostile, run_page="javascript:alert(1)", mlflow_page=f'https://x/"{HOSTILE}')
    )
    queue.put_log(RUN.token, HOSTILE)
    for path in ("/runs/0f5c", OF_12, "/"):
        answer = client.get(path)
        assert "<script" not in answer.text
        assert "<img" not in answer.text
        assert "javascript:" not in answer.text
        assert answer.text.count("</pre>") <= 1
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in client.get("/runs/0f5c?raw=1").headers["Content-Security-Policy"]


def test_the_page_of_a_pull_request_lists_its_runs(client: FlaskClient, queue: Queue) -> None:
    queue.note_run(HERE, RUN)
    queue.note_run(HERE, replace(ENDED, token="0f5d", project="projects/surge"))
    queue.note_run(PullRequest(KEY, 13), replace(ENDED, token="0f5e", project="projects/elsewhere"))
    page = client.get(OF_12).text
    for told in (
        "projects/tide",
        "projects/surge",
        "/runs/0f5c",
        "/runs/0f5d",
        "running",
        "failed",
        "refresh",
    ):
        assert told in page
    assert "elsewhere" not in page


def test_a_pull_request_without_runs_says_what_will_come(client: FlaskClient) -> None:
    answer = client.get(OF_12)
    assert answer.status_code == 200
    assert "appears here as soon as" in answer.text


@pytest.mark.parametrize("path", ["/runs/unknown", "/pull-requests/somebody/else/s/1"])
def test_what_is_not_here_is_said_kindly(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.mimetype == "text/html"
    assert "What Signalman does now" in answer.text


def test_the_overview_leads_to_runs_and_pull_requests(client: FlaskClient, queue: Queue) -> None:
    queue.wake([HERE, Branch(KEY)])
    queue.note_run(HERE, RUN)
    page = client.get("/").text
    assert f'href="{OF_12}"' in page
    assert 'href="/runs/0f5c"' in page
    assert f"target branch of {KEY}" in page


def test_the_pages_of_runs_are_as_private_as_the_overview(queue: Queue) -> None:
    queue.note_run(HERE, RUN)
    guarded = create_app(
        Door(queue, SERVED, dashboard_credentials=(("ada", "plover"),), clock=now)
    ).test_client()
    ada = {"Authorization": "Basic " + base64.b64encode(b"ada:plover").decode()}
    for path in ("/runs/0f5c", "/runs/0f5c?raw=1", "/runs/unknown", OF_12, "/"):
        refused = guarded.get(path)
        assert (refused.status_code, refused.data) == (401, b"")
        assert guarded.get(path, headers=ada).status_code in (200, 404)


def test_pages_are_there_after_a_restart_on_another_machine(url: str, queue: Queue) -> None:
    queue.note_run(HERE, ENDED)
    queue.put_log(RUN.token, "all of it\n")
    queue.close()
    other = Queue(url)
    client = create_app(Door(other, SERVED)).test_client()
    assert "all of it" in client.get("/runs/0f5c").text
    assert "projects/tide" in client.get(OF_12).text
    other.close()
