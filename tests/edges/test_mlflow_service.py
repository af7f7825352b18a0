"""The bot's own words for MLflow, against a real server; and what happens when it does not answer."""

import contextlib
import itertools
import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from scripted_server import Asked, Said, nobody, scripted, silent

from bot.errors import NotFound, ServiceError
from bot.sandbox.world import World
from bot.services.mlflow import Experiment, Mlflow

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
NAMES = itertools.count(1)


@pytest.fixture
def service(world: World) -> Mlflow:
    return at(world.mlflow.url)


def at(url: str) -> Mlflow:
    return Mlflow(url, sign_in=lambda: "a-bearer-token", workspace=False)


def unused(what: str) -> str:
    """A name that no other test uses."""
    return f"{what} {next(NAMES)}"


def version(world: World, name: str, run: str = "") -> str:
    """A new version of a model, which is made when it is not there; of a new run when none is named."""
    call = world.mlflow.call
    with contextlib.suppress(RuntimeError):  # It may be there.
        call("POST", "/api/2.0/mlflow/registered-models/create", {"name": name})
    if not run:
        run = call("POST", "/api/2.0/mlflow/runs/create", {"experiment_id": "0"})["run"]["info"]["run_id"]
    source = call("GET", f"/api/2.0/mlflow/runs/get?run_id={run}")["run"]["info"]["artifact_uri"]
    body = {"name": name, "source": source, "run_id": run}
    return str(call("POST", "/api/2.0/mlflow/model-versions/create", body)["model_version"]["version"])


def to_stage(world: World, name: str, which: str, stage: str) -> None:
    body = {"name": name, "version": which, "stage": stage, "archive_existing_versions": False}
    world.mlflow.call("POST", "/api/2.0/mlflow/model-versions/transition-stage", body)


def alias(world: World, name: str, which: str, word: str = "champion") -> None:
    body = {"name": name, "alias": word, "version": which}
    world.mlflow.call("POST", "/api/2.0/mlflow/registered-models/alias", body)


def started(service: Mlflow, **tags: str) -> tuple[str, str]:
    """An experiment of its own and a run in it."""
    experiment = service.make_experiment(unused("experiment"), {})
    return experiment, service.start(experiment, "a run", NOW, tags)


def promoted(service: Mlflow, pattern: str) -> dict[str, str]:
    return {one.name: one.version for one in service.promoted(pattern, "champion", "Production")}


# Runs


@pytest.mark.slow
def test_an_experiment_is_made_once(service: Mlflow) -> None:
    name = unused("made once")

    before = service.experiment(name)
    made = service.make_experiment(name, {"signalman.state": "open"})

    assert before is None
    assert service.make_experiment(name, {}) == made
    assert service.experiment(name) == Experiment(made, {"signalman.state": "open"})


@pytest.mark.slow
def test_experiments_are_found_by_all_of_their_tags(service: Mlflow) -> None:
    mark = unused("mark")
    made = service.make_experiment(unused("marked"), {"signalman.mark": mark, "signalman.state": "open"})
    service.make_experiment(unused("marked"), {"signalman.mark": mark, "signalman.state": "archived"})

    found = service.experiments({"signalman.mark": mark, "signalman.state": "open"})

    assert [one.id for one in found] == [made]


@pytest.mark.slow
def test_a_deleted_experiment_is_none_and_is_brought_back_with_its_runs(service: Mlflow) -> None:
    name = unused("brought back")
    made = service.make_experiment(name, {})
    run = service.start(made, "a run", NOW, {})
    service.delete_experiment(made)
    service.delete_experiment(made)
    gone = service.experiment(name)

    again = service.make_experiment(name, {"signalman.state": "open"})

    assert (gone, again) == (None, made)
    assert [one.id for one in service.runs(again, {})] == [run]


@pytest.mark.slow
def test_a_deleted_run_is_not_listed_and_may_be_deleted_again(service: Mlflow) -> None:
    experiment, run = started(service)

    service.delete_run(run)
    service.delete_run(run)

    assert service.runs(experiment, {}) == []


@pytest.mark.slow
def test_a_run_is_started_tagged_closed_and_read_back(service: Mlflow, world: World) -> None:
    experiment, run = started(service, **{"signalman.project": "projects/a b", "mlflow.user": "ada"})
    metric = {"run_id": run, "key": "rmse", "value": 0.25, "timestamp": 1}
    world.mlflow.call("POST", "/api/2.0/mlflow/runs/log-metric", metric)
    service.tag(run, {"signalman.cluster_run": "7", "signalman.backend": "local"})
    open_run = service.run(run)
    service.end(run, "KILLED", NOW)

    found = service.run(run)

    assert (open_run.status, found.status) == ("RUNNING", "KILLED")
    assert (found.id, found.experiment, found.started) == (run, experiment, NOW)
    assert found.metrics == {"rmse": 0.25}
    assert found.tags["signalman.project"] == "projects/a b"
    assert found.tags["signalman.cluster_run"] == "7"


@pytest.mark.slow
def test_runs_are_found_by_all_of_their_tags_and_a_quote_finds_nothing(service: Mlflow) -> None:
    experiment, run = started(service, **{"signalman.a": "1", "signalman.b": "x"})
    service.start(experiment, "another", NOW, {"signalman.a": "1", "signalman.b": "y"})

    found = service.runs(experiment, {"signalman.a": "1", "signalman.b": "x"})
    tricked = service.runs(experiment, {"signalman.a": "' OR tags.`signalman.a` = '1"})

    assert [one.id for one in found] == [run]
    assert tricked == []


def test_runs_are_read_from_all_pages() -> None:
    def answer(asked: Asked) -> Said:
        start = int(json.loads(asked.body).get("page_token") or 0)
        runs = [
            {"info": {"run_id": f"{number}", "experiment_id": "1", "status": "RUNNING", "start_time": 5}, "data": {}}
            for number in range(start, min(start + 2, 5))
        ]
        return Said({"runs": runs} | ({"next_page_token": str(start + 2)} if start + 2 < 5 else {}))

    with scripted(answer) as front:
        found = at(front.url).runs("1", {"signalman.a": "1"})

    assert [one.id for one in found] == ["0", "1", "2", "3", "4"]
    assert len(front.asked) == 3


@pytest.mark.slow
def test_a_run_nobody_knows_is_not_found(service: Mlflow) -> None:
    with pytest.raises(NotFound):
        service.run("0" * 32)


# Registered models


@pytest.mark.slow
def test_the_newest_version_that_a_run_registered_is_its_own(service: Mlflow, world: World) -> None:
    _, run = started(service)
    _, other = started(service)
    name = unused("of a run")
    for maker in (run, run, other):
        version(world, name, maker)

    assert service.registered_by(run) == (name, "2")
    assert service.registered_by(other) == (name, "3")
    assert service.registered_by(started(service)[1]) is None


@pytest.mark.slow
def test_a_version_is_promoted_by_its_alias_before_any_stage(service: Mlflow, world: World) -> None:
    name = unused("by alias")
    for _ in range(3):
        version(world, name)
    to_stage(world, name, "3", "Production")
    alias(world, name, "2")

    (found,) = service.promoted(name, "champion", "Production")

    assert (found.version, found.promoted_by, found.by_alias) == ("2", "alias champion", True)
    assert found.updated > 0


@pytest.mark.slow
def test_a_version_is_promoted_by_its_stage_and_the_newest_counts(service: Mlflow, world: World) -> None:
    name = unused("by stage")
    for _ in range(3):
        version(world, name)
    to_stage(world, name, "1", "Production")
    to_stage(world, name, "2", "Production")
    to_stage(world, name, "3", "Staging")

    (found,) = service.promoted(name, "champion", "Production")

    assert (found.version, found.promoted_by, found.by_alias) == ("2", "stage Production", False)
    assert service.promoted(name, "champion", None) == []
    assert service.promoted(name, None, "Archived") == []


@pytest.mark.slow
def test_a_pattern_means_what_it_says_and_not_what_like_makes_of_it(service: Mlflow, world: World) -> None:
    stem = f"pattern{next(NAMES)}"
    for name in (f"{stem}_one_model", f"{stem}_two_model", f"{stem}_oneXmodel", f"{stem}_ONE_MODEL", f"{stem}%model"):
        version(world, name)
        to_stage(world, name, "1", "Production")

    assert promoted(service, f"{stem}_*_model") == {f"{stem}_one_model": "1", f"{stem}_two_model": "1"}
    assert promoted(service, f"{stem}_one_model") == {f"{stem}_one_model": "1"}
    assert promoted(service, f"{stem}%model") == {f"{stem}%model": "1"}
    assert promoted(service, f"{stem}_o?e_model") == {}
    assert promoted(service, f"{stem}_[o]ne_model") == {}


@pytest.mark.slow
def test_models_are_read_from_all_pages(service: Mlflow, world: World) -> None:
    stem = f"page{next(NAMES)}"
    for number in range(105):
        world.mlflow.call("POST", "/api/2.0/mlflow/registered-models/create", {"name": f"{stem}_{number:03}"})
    version(world, f"{stem}_104")
    to_stage(world, f"{stem}_104", "1", "Production")

    assert promoted(service, f"{stem}_*") == {f"{stem}_104": "1"}


@pytest.mark.slow
def test_a_registry_without_aliases_is_read_by_stage(world: World) -> None:
    name = unused("workspace model")
    version(world, name)
    to_stage(world, name, "1", "Production")
    service = Mlflow(world.databricks.url, sign_in=lambda: world.keys.person, workspace=True)

    (found,) = service.promoted(name, "champion", "Production")

    assert (found.version, found.by_alias) == ("1", False)


# Trouble


def test_a_server_that_does_not_answer_is_given_up_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with silent() as mute:
        for address in (mute, nobody()):
            begun = time.monotonic()
            with pytest.raises(ServiceError, match="MLflow could not show experiment x"):
                at(address).experiment("x")
            assert time.monotonic() - begun < 15


@pytest.mark.parametrize("status", [500, 503])
def test_a_server_in_trouble_is_told_and_a_run_is_not_created_over_and_over(status: int) -> None:
    with scripted(lambda _: Said({"error_code": "INTERNAL_ERROR", "message": "out of order"}, status)) as front:
        begun = time.monotonic()
        with pytest.raises(ServiceError, match="could not create a run"):
            at(front.url).start("1", "a run", NOW, {})

    assert time.monotonic() - begun < 15
    assert len(front.asked) <= 2


def test_a_redirect_gets_no_token() -> None:
    with scripted(lambda _: Said({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "?"}, 404)) as elsewhere:

        def astray(asked: Asked) -> Said:
            return Said("moved", 302, {"Location": elsewhere.url.replace("127.0.0.1", "localhost") + asked.path})

        with scripted(astray) as front, pytest.raises(ServiceError):
            at(front.url).run("0" * 32)

    assert "Bearer a-bearer-token" in front.asked[0].headers["Authorization"]
    assert not [asked for asked in elsewhere.asked if "a-bearer-token" in str(asked.headers)]


@pytest.mark.parametrize("workspace", [False, True])
def test_pages_for_people_are_at_the_configured_address(workspace: bool) -> None:
    service = Mlflow("https://mlflow.example/", sign_in=lambda: None, workspace=workspace)
    where: Any = ("https://mlflow.example/", "" if workspace else "#/")

    assert service.run_page("1", "abc") == f"{''.join(where)}{'ml/' if workspace else ''}experiments/1/runs/abc"
    assert service.model_page("a/b c", "2").endswith("models/a%2Fb%20c/versions/2")


# What is left behind


@pytest.mark.slow
def test_versions_are_listed_with_what_marks_them_and_archived(service: Mlflow, world: World) -> None:
    name = unused("marked_model")
    one, two = version(world, name), version(world, name)
    alias(world, name, two)

    service.archive_version(name, one, {"signalman.archived": "yes"})
    found = {found.version: found for found in service.versions(name)}

    assert (found[one].stage, found[one].tags) == ("Archived", {"signalman.archived": "yes"})
    assert (found[two].stage, found[two].aliases) == ("None", ("champion",))
    assert service.versions(f"{name}_that_is_not_there") == []


@pytest.mark.slow
def test_a_model_is_deleted_with_its_last_version(service: Mlflow, world: World) -> None:
    name = unused("short_lived")
    one, two = version(world, name), version(world, name)

    service.delete_version(name, one)
    left = [found.version for found in service.versions(name)]
    service.delete_version(name, two)
    service.delete_version(name, two)

    assert left == [two]
    assert not any(
        found["name"] == name
        for found in world.mlflow.call("GET", "/api/2.0/mlflow/registered-models/search").get("registered_models", ())
    )
