"""The bot's own words for Databricks, against the stand-in; and what happens when Databricks does not answer."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from scripted_server import Asked, Said, nobody, scripted, silent

from bot.config import Schedule
from bot.errors import NotFound, ServiceError
from bot.sandbox.databricks import Databricks as Workspace
from bot.services import databricks
from bot.services.databricks import Databricks
from bot.settings import Workspace as Access

NOTEBOOK = b"# Databricks notebook source\nprint(1)\n"
TASK = {"task_key": "score", "notebook_task": {"notebook_path": "/Shared/score"}}


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace(tmp_path, tokens={"dapi-good": "signalman"}) as started:
        yield started


@pytest.fixture
def service(workspace: Workspace) -> Databricks:
    return at(workspace.url)


def at(url: str, *tokens: str) -> Databricks:
    return Databricks(Access(url, tuple(SecretStr(one) for one in tokens or ("dapi-good",))))


def test_a_file_is_written_read_and_removed_and_each_may_be_repeated(workspace: Workspace, service: Databricks) -> None:
    for content in (b"one", b"two", b"two"):
        service.write("/Shared/a/b/c.txt", content)
    read = service.read("/Shared/a/b/c.txt")
    service.remove("/Shared/a/b/c.txt")
    service.remove("/Shared/a/b/c.txt")

    assert read == b"two"
    assert service.read("/Shared/a/b/c.txt") is None
    assert not service.exists("/Shared/a/b/c.txt")
    assert service.exists("/Shared/a/b")


def test_a_notebook_loses_its_suffix_and_a_helper_keeps_it(workspace: Workspace, service: Databricks) -> None:
    service.write("/Shared/hooks/score", NOTEBOOK, ".py")
    service.write("/Shared/hooks/settings.py", b"DATA = 1\n")

    assert set(workspace.tree("/Shared/hooks")) == {"/Shared/hooks/score", "/Shared/hooks/settings.py"}


def test_a_folder_with_something_in_it_is_never_removed(workspace: Workspace, service: Databricks) -> None:
    service.write("/Shared/kept/file.txt", b"x")

    with pytest.raises(ServiceError, match="not empty"):
        service.remove("/Shared/kept")

    assert "/Shared/kept/file.txt" in workspace.tree("/Shared")


def test_a_folder_that_somebody_removed_is_made_again(workspace: Workspace, service: Databricks) -> None:
    service.write("/Shared/gone/one.txt", b"x")
    workspace.tree_on_disk.remove("/Shared/gone", recursive=True)

    service.write("/Shared/gone/two.txt", b"y")

    assert set(workspace.tree("/Shared/gone")) == {"/Shared/gone/two.txt"}


def test_a_job_is_found_by_its_exact_name_over_all_pages_and_the_oldest_wins(
    workspace: Workspace, service: Databricks
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


def test_only_parameters_and_tags_of_a_job_are_changed(workspace: Workspace, service: Databricks) -> None:
    schedule = {"quartz_cron_expression": "0 0 2 * * ?", "timezone_id": "UTC"}
    parameters = [{"name": "data", "default": "full"}, {"name": "model_version", "default": ""}]
    settings = {"name": "nightly", "tasks": [TASK], "schedule": schedule, "parameters": parameters}
    job = service.create_job(settings)
    workspace.pause(job)

    service.update_job(job, parameters={"data": "full", "model_version": "7"})
    service.update_job(job, tags={"signalman_version": "7"})

    found = service.read_job(job)
    (kept,) = (one["settings"] for one in workspace.jobs())
    assert (found.parameters, found.tags) == (
        {"data": "full", "model_version": "7"},
        {"signalman_version": "7"},
    )
    assert kept["schedule"]["pause_status"] == "PAUSED"
    assert kept["tasks"][0]["notebook_task"]["notebook_path"] == "/Shared/score"


def test_a_jobs_schedule_is_read_as_people_left_it(workspace: Workspace, service: Databricks) -> None:
    timed = {"quartz_cron_expression": "0 0 2 * * ?", "timezone_id": "Europe/Zurich", "pause_status": "UNPAUSED"}
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


@pytest.mark.parametrize("lose_answer", [True, False])
def test_a_call_that_creates_something_is_made_once(
    workspace: Workspace, service: Databricks, lose_answer: bool
) -> None:
    service.job("warm up")
    workspace.calls.clear()
    workspace.fail_next("POST", "/api/2.2/jobs/create", 503, lose_answer=lose_answer)

    with pytest.raises(ServiceError):
        service.create_job({"name": "nightly", "tasks": [TASK]})

    assert len(workspace.calls) == 1
    assert len(workspace.jobs()) == (1 if lose_answer else 0)


def test_how_long_to_wait_is_handed_on_and_not_waited_here(workspace: Workspace, service: Databricks) -> None:
    service.job("warm up")
    workspace.fail_next("GET", "/api/2.2/jobs/list", 429, retry_after=40)
    begun = time.monotonic()

    with pytest.raises(ServiceError) as refused:
        service.job("nightly")

    assert refused.value.retry_after == 40
    assert time.monotonic() - begun < 5


def test_the_second_token_is_used_when_the_first_has_expired(workspace: Workspace) -> None:
    service = at(workspace.url, "dapi-old", "dapi-good")

    service.make_folder("/Shared/one")
    workspace.calls.clear()
    service.make_folder("/Shared/two")

    assert {call.status for call in workspace.calls} == {200}
    assert service.bearer() == "dapi-good"


def test_an_expired_token_is_told_with_the_name_of_its_variable(workspace: Workspace) -> None:
    with pytest.raises(ServiceError, match="DATABRICKS_TOKEN") as refused:
        at(workspace.url, "dapi-expired").job("nightly")

    assert "dapi-expired" not in str(refused.value)


def test_a_permission_that_is_lacking_is_told_as_such(workspace: Workspace, service: Databricks) -> None:
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


def test_a_workspace_that_does_not_answer_is_given_up_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databricks, "HTTP_TIMEOUT", 0.5)
    with silent() as mute:
        for address in (mute, nobody()):
            begun = time.monotonic()
            with pytest.raises(ServiceError, match="could not be reached"):
                at(address).job("nightly")
            assert time.monotonic() - begun < 10


def test_a_redirect_gets_no_token() -> None:
    with scripted(lambda _: Said()) as elsewhere:

        def astray(asked: Asked) -> Said:
            target = elsewhere.url.replace("127.0.0.1", "localhost") + asked.path
            return Said("moved", 302, {"Location": target})

        with scripted(astray) as front, pytest.raises(ServiceError):
            at(front.url).read_job(5)

    assert not [asked for asked in elsewhere.asked if "dapi-good" in str(asked.headers)]


def test_the_page_of_a_run_is_a_web_address_or_nothing(workspace: Workspace) -> None:
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
        ({"life_cycle_state": "TERMINATED", "result_state": "CANCELED"}, "USER_CANCELED", "cancelled"),
        ({"life_cycle_state": "TERMINATED", "result_state": "TIMEDOUT"}, "CANCELED", "timed out"),
        ({"life_cycle_state": "TERMINATED", "result_state": "FAILED"}, "RUN_EXECUTION_ERROR", "failed"),
        ({"life_cycle_state": "INTERNAL_ERROR", "result_state": "FAILED"}, "RUN_EXECUTION_ERROR", "failed"),
        ({"life_cycle_state": "INTERNAL_ERROR", "result_state": "FAILED"}, "CLUSTER_ERROR", "no cluster"),
        ({"life_cycle_state": "INTERNAL_ERROR"}, "", "no cluster"),
        ({"life_cycle_state": "SKIPPED"}, "SKIPPED", "no cluster"),
        ({"life_cycle_state": "TERMINATED", "result_state": "FAILED"}, "A_CODE_OF_NEXT_YEAR", "failed"),
        ({"life_cycle_state": "A_STATE_OF_NEXT_YEAR"}, "", None),
    ],
)
def test_every_end_of_a_run_has_its_outcome(state: dict[str, str], code: str, outcome: str | None) -> None:
    details = {"termination_details": {"code": code, "message": "said"}} if code else {}
    run = {"run_id": 5, "state": state, "status": {"state": "TERMINATED", **details}}
    with scripted(lambda asked: Said(run if "runs/get" in asked.path else {})) as front:
        assert at(front.url).run("5").outcome == outcome
