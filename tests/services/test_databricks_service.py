"""The bot's own words for Databricks through either client, against the stand-in; and what comes
without an answer.
"""

import json
import ssl
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from scripted_server import Asked, Said, certified, nobody, scripted, silent

from bot.config.environment import WorkspaceAccess as Access
from bot.config.repository import Schedule
from bot.errors import ConfigError, NotFound, ServiceError
from bot.services.databricks import Databricks
from bot.services.databricks_cli import DatabricksCli
from bot.services.databricks_sdk import DatabricksSdk
from sandbox.databricks import Databricks as WorkspaceAccess
from sandbox.mlflow_server import MlflowServer

At = Callable[..., Databricks]

NOTEBOOK = b"# Databricks notebook source\nprint(1)\n"
TASK = {"task_key": "score", "notebook_task": {"notebook_path": "/Shared/score"}}


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[WorkspaceAccess]:
    with WorkspaceAccess(tmp_path, tokens={"dapi-good": "signalman"}) as started:
        yield started


@pytest.fixture(params=[DatabricksSdk, DatabricksCli], ids=["databricks-sdk", "databricks-cli"])
def kind(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def at(kind: Any) -> At:
    return lambda url, *tokens: kind(
        Access(url, tuple(SecretStr(one) for one in tokens or ("dapi-good",)))
    )


@pytest.fixture
def service(workspace: WorkspaceAccess, at: At) -> Databricks:
    return at(workspace.url)


def test_a_file_is_written_read_and_removed_and_each_may_be_repeated(
    workspace: WorkspaceAccess, service: Databricks
) -> None:
    for content in (b"one", b"two", b"two"):
        service.write("/Shared/a/b/c.txt", content)
    read = service.read("/Shared/a/b/c.txt")
    service.remove("/Shared/a/b/c.txt")
    service.remove("/Shared/a/b/c.txt")

    assert read == b"two"
    assert service.read("/Shared/a/b/c.txt") is None
    assert not service.exists("/Shared/a/b/c.txt")
    assert service.exists("/Shared/a/b")


def test_a_notebook_loses_its_suffix_and_a_helper_keeps_it(
    workspace: WorkspaceAccess, service: Databricks
) -> None:
    service.write("/Shared/hooks/score", NOTEBOOK, ".py")
    service.write("/Shared/hooks/settings.py", b"DATA = 1\n")

    assert set(workspace.tree("/Shared/hooks")) == {
        "/Shared/hooks/score",
        "/Shared/hooks/settings.py",
    }


def test_a_folder_with_something_in_it_is_never_removed(
    workspace: WorkspaceAccess, service: Databricks
) -> None:
    service.write("/Shared/kept/file.txt", b"x")

    with pytest.raises(ServiceError, match="not empty"):
        service.remove("/Shared/kept")

    assert "/Shared/kept/file.txt" in workspace.tree("/Shared")


def test_a_folder_is_removed_only_when_it_is_one_and_empty(
    workspace: WorkspaceAccess, service: Databricks
) -> None:
    service.write("/Shared/theirs/file.txt", b"x")
    service.write("/Shared/was/a_folder", NOTEBOOK, ".py")
    service.make_folder("/Shared/empty/inner")

    for path in (
        "/Shared/theirs",
        "/Shared/was/a_folder",
        "/Shared/empty/inner",
        "/Shared/empty",
        "/Shared/never",
        "/Shared",
    ):
        service.remove_folder(path)

    assert {"/Shared/theirs/file.txt", "/Shared/was/a_folder"} <= set(workspace.tree("/Shared"))
    assert not service.exists("/Shared/empty")


def test_a_folder_that_somebody_removed_is_made_again(
    workspace: WorkspaceAccess, service: Databricks
) -> None:
    service.write("/Shared/gone/one.txt", b"x")
    workspace.tree_on_disk.remove("/Shared/gone", recursive=True)

    service.write("/Shared/gone/two.txt", b"y")

    assert set(workspace.tree("/Shared/gone")) == {"/Shared/gone/two.txt"}


def test_a_job_is_found_by_its_exact_name_over_all_pages_and_the_oldest_wins(
    workspace: WorkspaceAccess, service: Databricks
) -> None:
    oldest = service.create_job({"name": "nightly", "tasks": [TASK]})
    service.create_job({"name": "nightly", "tasks": [TASK]})
    for _ in range(130):
        service.create_job({"name": "NIGHTLY", "tasks": [TASK]})
    workspace.calls.clear()

    found = service.job("nightly")

    assert found is not None
    assert found.id == oldest
    assert sum(call.path.endswith("/jobs/list") for call in workspace.calls) > 1
    assert service.job("Nightly") is None


def test_only_parameters_and_tags_of_a_job_are_changed(
    workspace: WorkspaceAccess, service: Databricks
) -> None:
    schedule = {"quartz_cron_expression": "0 0 2 * * ?", "timezone_id": "UTC"}
    parameters = [{"name": "data", "default": "full"}, {"name": "model_version", "default": ""}]
    settings = {"name": "nightly", "tasks": [TASK], "schedule": schedule, "parameters": parameters}
    job = service.create_job(settings)
    workspace.pause(job)

    service.update_job(
        job,
        {
            "parameters": [
                {"name": "data", "default": "full"},
                {"name": "model_version", "default": "7"},
            ]
        },
    )
    service.update_job(job, {"tags": {"signalman_version": "7"}})

    found = service.read_job(job)
    (kept,) = (one["settings"] for one in workspace.jobs())
    assert (found.parameters, found.tags) == (
        {"data": "full", "model_version": "7"},
        {"signalman_version": "7"},
    )
    assert kept["schedule"]["pause_status"] == "PAUSED"
    assert kept["tasks"][0]["notebook_task"]["notebook_path"] == "/Shared/score"


def test_a_jobs_schedule_is_read_as_people_left_it(
    workspace: WorkspaceAccess, service: Databricks
) -> None:
    timed = {
        "quartz_cron_expression": "0 0 2 * * ?",
        "timezone_id": "Europe/Zurich",
        "pause_status": "UNPAUSED",
    }
    job = service.create_job({"name": "timed", "tasks": [TASK], "schedule": timed})
    untimed = service.create_job({"name": "untimed", "tasks": [TASK]})

    running = service.read_job(job).schedule
    workspace.pause(job)
    paused = service.read_job(job).schedule

    assert running == Schedule(cron="0 0 2 * * ?", timezone="Europe/Zurich")
    assert paused == Schedule(cron="0 0 2 * * ?", timezone="Europe/Zurich", paused=True)
    assert service.read_job(untimed).schedule is None


def test_a_job_that_a_bundle_manages_is_known_as_such(service: Databricks) -> None:
    job = service.create_job({"name": "bundled", "tasks": [TASK], "deployment": {"kind": "BUNDLE"}})

    assert service.read_job(job).bundle


def test_what_lies_in_a_folder_is_told_by_its_kind(
    workspace: WorkspaceAccess, service: Databricks
) -> None:
    service.write("/Shared/mixed/score", NOTEBOOK, ".py")
    service.write("/Shared/mixed/data.csv", b"1,2\n")
    service.make_folder("/Shared/mixed/empty")

    found = {
        node.path.rpartition("/")[2]: (node.kind, node.modified > 0)
        for node in service.nodes("/Shared/mixed")
    }

    assert found == {
        "score": ("notebook", True),
        "data.csv": ("file", True),
        "empty": ("folder", False),
    }
    assert service.nodes("/Shared/mixed/empty") == service.nodes("/Shared/nowhere") == []


def test_when_a_notebook_was_changed_last_is_seen_without_reading_it(
    workspace: WorkspaceAccess, service: Databricks
) -> None:
    service.write("/Shared/one", NOTEBOOK, ".py")
    (before,) = service.nodes("/Shared")
    while time.time() * 1000 < before.modified + 1:
        threading.Event().wait(0.002)

    service.write("/Shared/one", NOTEBOOK + b"print(2)\n", ".py")

    (after,) = service.nodes("/Shared")
    assert after.modified > before.modified


def test_a_notebook_is_read_in_both_formats(service: Databricks) -> None:
    service.write("/Shared/score", NOTEBOOK, ".py")

    jupyter = json.loads(service.read_jupyter("/Shared/score") or b"")

    assert service.read("/Shared/score") == NOTEBOOK
    assert ["".join(cell["source"]) for cell in jupyter["cells"]] == ["print(1)"]
    assert service.read_jupyter("/Shared/nothing") is None


@pytest.mark.parametrize("suffix", ["", ".ipynb"])
def test_nine_megabytes_arrive_as_they_were_sent(
    workspace: WorkspaceAccess, service: Databricks, suffix: str
) -> None:
    long = f"x = {'1' * 95}\n" * 91_000
    cell = {
        "cell_type": "code",
        "source": [long],
        "metadata": {},
        "outputs": [],
        "execution_count": None,
    }
    notebook = {
        "cells": [cell],
        "metadata": {"language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    sent = json.dumps(notebook).encode() if suffix else long.encode()
    assert len(sent) > 9_000_000

    service.write("/Shared/big/file", sent, suffix)

    assert [len(content) >= 9_000_000 for content in workspace.tree("/Shared/big").values()] == [
        True
    ]
    assert suffix or service.read("/Shared/big/file") == sent


def test_fields_and_tasks_of_a_job_are_removed_by_name(
    workspace: WorkspaceAccess, service: Databricks
) -> None:
    schedule = {"quartz_cron_expression": "0 0 2 * * ?", "timezone_id": "UTC"}
    tasks = [TASK, {**TASK, "task_key": "check"}]
    job = service.create_job(
        {"name": "nightly", "tasks": tasks, "schedule": schedule, "max_concurrent_runs": 3}
    )

    service.update_job(job, {"max_concurrent_runs": 2}, remove=["schedule", "tasks/check"])

    (kept,) = (one["settings"] for one in workspace.jobs())
    assert [task["task_key"] for task in kept["tasks"]] == ["score"]
    assert (kept["max_concurrent_runs"], "schedule" in kept) == (2, False)


def test_a_reset_leaves_nothing_of_what_a_job_was(
    workspace: WorkspaceAccess, service: Databricks
) -> None:
    job = service.create_job(
        {"name": "nightly", "tasks": [TASK], "tags": {"team": "tides"}, "timeout_seconds": 60}
    )

    service.reset_job(job, {"name": "weekly", "tasks": [TASK]})

    found = service.read_job(job)
    assert (found.name, found.tags, found.settings["timeout_seconds"]) == ("weekly", {}, 0)


def test_a_job_is_deleted_and_stays_so_when_asked_again(
    workspace: WorkspaceAccess, service: Databricks
) -> None:
    job = service.create_job({"name": "nightly", "tasks": [TASK]})

    service.delete_job(job)
    service.delete_job(job)

    assert workspace.jobs() == []


def test_a_field_that_no_client_knows_yet_is_kept_and_read(
    workspace: WorkspaceAccess, at: At
) -> None:
    asked: list[Any] = []

    def answer(call: Asked) -> Said:
        if "jobs/create" in call.path:
            asked.append(json.loads(call.body))
            return Said({"job_id": 7})
        return Said(
            {"job_id": 7, "settings": {"name": "n", "of_next_year": {"a": 1}}}
            if "jobs/get" in call.path
            else {}
        )

    with scripted(answer) as front:
        service = at(front.url)
        service.create_job({"name": "n", "of_next_year": {"a": 1}})
        found = service.read_job(7)

    assert asked == [{"name": "n", "of_next_year": {"a": 1}}]
    assert found.settings["of_next_year"] == {"a": 1}


def test_all_jobs_are_listed_with_their_tasks_over_all_pages(
    workspace: WorkspaceAccess, service: Databricks
) -> None:
    small = {service.create_job({"name": f"job {n}", "tasks": [TASK]}) for n in range(104)}
    large = service.create_job(
        {"name": "large", "tasks": [{**TASK, "task_key": f"t{n:03}"} for n in range(230)]}
    )
    workspace.calls.clear()

    found = {job.id: [task["task_key"] for task in job.settings["tasks"]] for job in service.jobs()}

    assert found == {**{job: ["score"] for job in small}, large: [f"t{n:03}" for n in range(230)]}
    assert sum(call.path.endswith("/jobs/list") for call in workspace.calls) == 2


def test_a_job_of_more_than_a_hundred_tasks_is_read_whole(
    workspace: WorkspaceAccess, service: Databricks
) -> None:
    parameters = [{"name": f"p{n:03}", "default": str(n)} for n in range(120)]
    tasks = [{**TASK, "task_key": f"t{n:03}"} for n in range(201)]
    job = service.create_job({"name": "large", "tasks": tasks, "parameters": parameters})
    workspace.calls.clear()

    found = service.read_job(job)

    assert [task["task_key"] for task in found.settings["tasks"]] == [
        f"t{n:03}" for n in range(201)
    ]
    assert found.parameters == {f"p{n:03}": str(n) for n in range(120)}
    assert sum(call.path.endswith("/2.2/jobs/get") for call in workspace.calls) == 3


def test_a_job_is_running_for_as_long_as_one_of_its_runs_is(tmp_path: Path, at: At) -> None:
    workspace = WorkspaceAccess(
        tmp_path, tokens={"dapi-good": "signalman"}, cluster_start_seconds=3600
    )
    with workspace:
        service = at(workspace.url)
        service.write("/Shared/score", NOTEBOOK, ".py")
        jobs = [service.create_job({"name": name, "tasks": [TASK]}) for name in ("busy", "idle")]
        run = workspace.run_now(jobs[0])
        while_it_runs = [service.is_running(job) for job in jobs]
        service.cancel(str(run))
        workspace.wait(run)

        assert while_it_runs == [True, False]
        assert not service.is_running(jobs[0])


def test_a_run_is_submitted_once_for_a_token_and_shown_to_its_end(
    workspace: WorkspaceAccess, service: Databricks
) -> None:
    service.write("/Shared/train.py", b"import sys\nprint('trained', sys.argv[1])\n")
    cluster = {
        "spark_version": "15.4.x-cpu-ml-scala2.12",
        "node_type_id": "i3.xlarge",
        "num_workers": 1,
    }

    def submit() -> str:
        return service.submit(
            token="once",
            name="train",
            python_file="/Shared/train.py",
            parameters=["well"],
            cluster=cluster,
            libraries=[{"pypi": {"package": "scikit-learn"}}],
            timeout=60,
        )

    run = submit()
    assert submit() == run
    workspace.wait(int(run))

    found = service.run(run)
    assert (found.id, found.outcome, found.started is not None, found.ended is not None) == (
        run,
        "succeeded",
        True,
        True,
    )
    assert found.page.startswith(workspace.url)
    assert service.output(found.task).log.strip() == "trained well"


@pytest.mark.slow
def test_a_comment_is_put_on_a_model_version(
    tmp_path: Path, mlflow_server: MlflowServer, kind: type, at: At
) -> None:
    model, call = f"tide of {kind.__name__}", mlflow_server.call
    with WorkspaceAccess(
        tmp_path, tokens={"dapi-good": "signalman"}, mlflow_url=mlflow_server.url
    ) as workspace:
        call("POST", "/api/2.0/mlflow/registered-models/create", {"name": model})
        call(
            "POST",
            "/api/2.0/mlflow/model-versions/create",
            {"name": model, "source": "s3://models/tide"},
        )

        at(workspace.url).comment(model, "1", "It serves.")

        assert workspace.registry is not None
        (comment,) = workspace.registry.comments.values()
        assert (comment["name"], comment["version"], comment["comment"]) == (
            model,
            "1",
            "It serves.",
        )
        with pytest.raises(NotFound):
            at(workspace.url).comment(model, "2", "It does not.")


def test_twenty_threads_may_use_one_client_at_once(tmp_path: Path, at: At) -> None:
    workspace = WorkspaceAccess(tmp_path, tokens={"dapi-good": "signalman"}, latency=0.05)
    barrier = threading.Barrier(20)
    with workspace:
        service = at(workspace.url, "dapi-old", "dapi-good")
        service.make_folder("/Shared/many")

        def write(number: int) -> None:
            barrier.wait()
            service.write(f"/Shared/many/{number}.txt", str(number).encode())

        with ThreadPoolExecutor(20) as pool:
            list(pool.map(write, range(20)))

        assert workspace.tree("/Shared/many") == {
            f"/Shared/many/{n}.txt": str(n).encode() for n in range(20)
        }


def test_twenty_threads_find_the_token_that_is_good_together(tmp_path: Path, at: At) -> None:
    workspace = WorkspaceAccess(tmp_path, tokens={"dapi-good": "signalman"}, latency=0.02)
    barrier = threading.Barrier(20)
    with workspace:
        service = at(workspace.url, "dapi-old", "dapi-good")

        def look(_: int) -> bool:
            barrier.wait()
            return service.exists("/Shared")

        with ThreadPoolExecutor(20) as pool:
            assert all(pool.map(look, range(20)))


@pytest.mark.parametrize("lose_answer", [True, False])
def test_a_call_that_creates_something_is_made_once(
    workspace: WorkspaceAccess, service: Databricks, lose_answer: bool
) -> None:
    service.job("warm up")
    workspace.calls.clear()
    workspace.fail_next("POST", "/api/2.2/jobs/create", 503, lose_answer=lose_answer)

    with pytest.raises(ServiceError):
        service.create_job({"name": "nightly", "tasks": [TASK]})

    assert len(workspace.calls) == 1
    assert len(workspace.jobs()) == (1 if lose_answer else 0)


def test_how_long_to_wait_is_handed_on_and_not_waited_here(
    workspace: WorkspaceAccess, service: Databricks
) -> None:
    service.job("warm up")
    workspace.fail_next("GET", "/api/2.2/jobs/list", 429, retry_after=40)
    begun = time.monotonic()

    with pytest.raises(ServiceError) as refused:
        service.job("nightly")

    assert (refused.value.retry_after, refused.value.status) == (40, 429)
    assert time.monotonic() - begun < 5


def test_the_second_token_is_used_when_the_first_has_expired(
    workspace: WorkspaceAccess, at: At
) -> None:
    service = at(workspace.url, "dapi-old", "dapi-good")

    service.make_folder("/Shared/one")
    workspace.calls.clear()
    service.make_folder("/Shared/two")

    assert {call.status for call in workspace.calls} == {200}
    assert service.bearer() == "dapi-good"


def test_an_expired_token_is_told_with_the_name_of_its_variable(
    workspace: WorkspaceAccess, at: At
) -> None:
    with pytest.raises(ServiceError, match="DATABRICKS_TOKEN") as refused:
        at(workspace.url, "dapi-expired").job("nightly")

    assert "dapi-expired" not in str(refused.value)


def test_a_permission_that_is_lacking_is_told_as_such(
    workspace: WorkspaceAccess, service: Databricks
) -> None:
    workspace.fail_next("GET", "/api/2.2/jobs/list", 403)

    with pytest.raises(ServiceError, match="needs that permission") as refused:
        service.job("nightly")

    assert refused.value.status == 403


def test_what_is_not_there_is_not_found(service: Databricks) -> None:
    with pytest.raises(NotFound):
        service.read_job(1)
    with pytest.raises(NotFound):
        service.run("1")
    assert service.output("1").log == ""


def test_a_workspace_that_does_not_answer_is_given_up_within_seconds(
    kind: Any, at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[kind.__module__], "HTTP_TIMEOUT", 0.5)
    with silent() as mute:
        for address in (mute, nobody()):
            begun = time.monotonic()
            with pytest.raises(ServiceError, match="could not be reached"):
                at(address).job("nightly")
            assert time.monotonic() - begun < 10


def test_nothing_that_is_raised_holds_the_token(workspace: WorkspaceAccess, at: At) -> None:
    for token in ("dapi-expired", "dapi-of\ntwo-lines", "dapi-æ-letter"):
        with pytest.raises((ServiceError, ConfigError)) as refused:
            at(workspace.url, token).job("nightly")
        told = "".join(traceback.format_exception(refused.value, chain=False))
        assert not [part for part in token.split() if part in told]


def test_an_answer_that_is_no_json_is_told_as_an_error(at: At) -> None:
    with (
        scripted(lambda _: Said("<html>Sign in</html>")) as front,
        pytest.raises((ServiceError, ConfigError)),
    ):
        at(front.url).read_job(5)


def test_a_workspace_is_spoken_to_by_tls_at_the_port_it_has_and_trusted_only_by_its_certificate(
    at: At, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, certificate = certified(tmp_path)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    with scripted(lambda _: Said({"path": "/Shared"}), tls=context) as front:
        with pytest.raises(ServiceError, match="could not be reached"):
            at(front.url).exists("/Shared")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))

        assert at(front.url).exists("/Shared")

    assert {
        asked.headers["Authorization"] for asked in front.asked if asked.path.startswith("/api/")
    } == {"Bearer dapi-good"}


def test_a_redirect_gets_no_token(at: At) -> None:
    with scripted(lambda _: Said()) as elsewhere:

        def astray(asked: Asked) -> Said:
            target = elsewhere.url.replace("127.0.0.1", "localhost") + asked.path
            return Said("moved", 302, {"Location": target})

        with scripted(astray) as front, pytest.raises(ServiceError):
            at(front.url).read_job(5)

    assert not [asked for asked in elsewhere.asked if "dapi-good" in str(asked.headers)]


def test_the_page_of_a_run_is_a_web_address_or_nothing(workspace: WorkspaceAccess, at: At) -> None:
    def answer(asked: Asked) -> Said:
        state = {"life_cycle_state": "TERMINATED", "result_state": "SUCCESS"}
        run = {"run_id": 5, "run_page_url": "javascript:alert(1)", "state": state}
        return Said(run if "runs/get" in asked.path else {})

    with scripted(answer) as front:
        found = at(front.url).run("5")

    assert (found.outcome, found.page) == ("succeeded", "")


@pytest.mark.parametrize(
    ("state", "code", "outcome"),
    [
        ({"life_cycle_state": "RUNNING"}, "", None),
        ({"life_cycle_state": "WAITING_FOR_RETRY"}, "", None),
        ({"life_cycle_state": "TERMINATED", "result_state": "SUCCESS"}, "SUCCESS", "succeeded"),
        (
            {"life_cycle_state": "TERMINATED", "result_state": "CANCELED"},
            "USER_CANCELED",
            "cancelled",
        ),
        ({"life_cycle_state": "TERMINATED", "result_state": "TIMEDOUT"}, "CANCELED", "timed out"),
        (
            {"life_cycle_state": "TERMINATED", "result_state": "FAILED"},
            "RUN_EXECUTION_ERROR",
            "failed",
        ),
        (
            {"life_cycle_state": "INTERNAL_ERROR", "result_state": "FAILED"},
            "RUN_EXECUTION_ERROR",
            "failed",
        ),
        (
            {"life_cycle_state": "INTERNAL_ERROR", "result_state": "FAILED"},
            "CLUSTER_ERROR",
            "no cluster",
        ),
        ({"life_cycle_state": "INTERNAL_ERROR"}, "", "no cluster"),
        ({"life_cycle_state": "SKIPPED"}, "SKIPPED", "no cluster"),
        (
            {"life_cycle_state": "TERMINATED", "result_state": "FAILED"},
            "A_CODE_OF_NEXT_YEAR",
            "failed",
        ),
        ({"life_cycle_state": "A_STATE_OF_NEXT_YEAR"}, "", None),
    ],
)
def test_every_end_of_a_run_has_its_outcome(
    state: dict[str, str], code: str, outcome: str | None, at: At
) -> None:
    details = {"termination_details": {"code": code, "message": "said"}} if code else {}
    run = {"run_id": 5, "state": state, "status": {"state": "TERMINATED", **details}}
    with scripted(lambda asked: Said(run if "runs/get" in asked.path else {})) as front:
        assert at(front.url).run("5").outcome == outcome


def test_what_a_person_keeps_at_home_is_not_used(
    workspace: WorkspaceAccess, at: At, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "somebody"
    home.mkdir()
    (home / ".netrc").write_text("machine 127.0.0.1 login token password dapi-good\n")
    (home / ".databrickscfg").write_text(f"[DEFAULT]\nhost = {workspace.url}\ntoken = dapi-good\n")
    (home / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(home))

    with pytest.raises(ServiceError, match="does not accept the bot's token"):
        at(workspace.url, "dapi-expired").job("nightly")

    assert {call.user for call in workspace.calls} <= {""}


def test_the_legacy_client_says_that_it_needs_a_token() -> None:
    with pytest.raises(ConfigError, match="DATABRICKS_TOKEN"):
        DatabricksCli(Access("https://adb-1.azuredatabricks.net", ()))
