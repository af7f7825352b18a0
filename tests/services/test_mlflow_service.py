"""The bot's own words for MLflow, against a real server; and what happens when it does not
answer.
"""

import contextlib
import itertools
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from mlflow.utils.rest_utils import MlflowHostCreds
from scripted_server import Asked, Said, nobody, scripted, silent

from bot.errors import NotFound, ServiceError
from bot.services import mlflow_artifacts
from bot.services.mlflow import Experiment, Mlflow
from sandbox.mlflow_server import MlflowServer
from sandbox.world import World

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
    """A new version of a model, which is made when it is not there; of a new run when none is
    named.
    """
    call = world.mlflow.call
    with contextlib.suppress(RuntimeError):  # It may be there.
        call("POST", "/api/2.0/mlflow/registered-models/create", {"name": name})
    if not run:
        run = call("POST", "/api/2.0/mlflow/runs/create", {"experiment_id": "0"})["run"]["info"][
            "run_id"
        ]
    source = call("GET", f"/api/2.0/mlflow/runs/get?run_id={run}")["run"]["info"]["artifact_uri"]
    body = {"name": name, "source": source, "run_id": run}
    return str(
        call("POST", "/api/2.0/mlflow/model-versions/create", body)["model_version"]["version"]
    )


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
    made = service.make_experiment(
        unused("marked"), {"signalman.mark": mark, "signalman.state": "open"}
    )
    service.make_experiment(
        unused("marked"), {"signalman.mark": mark, "signalman.state": "archived"}
    )

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
    experiment, run = started(
        service, **{"signalman.project": "projects/a b", "mlflow.user": "ada"}
    )
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
            {
                "info": {
                    "run_id": f"{number}",
                    "experiment_id": "1",
                    "status": "RUNNING",
                    "start_time": 5,
                },
                "data": {},
            }
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


@pytest.mark.slow
def test_the_newest_runs_are_found_by_their_tags_in_one_call(service: Mlflow, world: World) -> None:
    experiment = service.make_experiment(unused("logged"), {})
    for day in range(1, 6):
        run = service.start(
            experiment, f"day {day}", NOW.replace(day=day), {"signalman.branch": "main"}
        )
        world.mlflow.call(
            "POST",
            "/api/2.0/mlflow/runs/log-parameter",
            {"run_id": run, "key": "day", "value": str(day)},
        )
    service.start(experiment, "of a pull request", NOW, {"signalman.branch": "change"})

    found = service.logged(experiment, {"signalman.branch": "main"}, 3)

    assert [one.parameters for one in found] == [{"day": "5"}, {"day": "4"}, {"day": "3"}]


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
def test_a_version_is_promoted_by_its_stage_and_the_newest_counts(
    service: Mlflow, world: World
) -> None:
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
def test_a_pattern_means_what_it_says_and_not_what_like_makes_of_it(
    service: Mlflow, world: World
) -> None:
    stem = f"pattern{next(NAMES)}"
    for name in (
        f"{stem}_one_model",
        f"{stem}_two_model",
        f"{stem}_oneXmodel",
        f"{stem}_ONE_MODEL",
        f"{stem}%model",
    ):
        version(world, name)
        to_stage(world, name, "1", "Production")

    assert promoted(service, f"{stem}_*_model") == {
        f"{stem}_one_model": "1",
        f"{stem}_two_model": "1",
    }
    assert promoted(service, f"{stem}_one_model") == {f"{stem}_one_model": "1"}
    assert promoted(service, f"{stem}%model") == {f"{stem}%model": "1"}
    assert promoted(service, f"{stem}_o?e_model") == {}
    assert promoted(service, f"{stem}_[o]ne_model") == {}


@pytest.mark.slow
def test_models_are_read_from_all_pages(service: Mlflow, world: World) -> None:
    stem = f"page{next(NAMES)}"
    for number in range(105):
        world.mlflow.call(
            "POST", "/api/2.0/mlflow/registered-models/create", {"name": f"{stem}_{number:03}"}
        )
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


def test_a_server_that_does_not_answer_is_given_up_within_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with silent() as mute:
        for address in (mute, nobody()):
            begun = time.monotonic()
            with pytest.raises(ServiceError, match="MLflow could not show experiment x"):
                at(address).experiment("x")
            assert time.monotonic() - begun < 15


@pytest.mark.parametrize("status", [500, 503])
def test_a_server_in_trouble_is_told_and_a_run_is_not_created_over_and_over(status: int) -> None:
    with scripted(
        lambda _: Said({"error_code": "INTERNAL_ERROR", "message": "out of order"}, status)
    ) as front:
        begun = time.monotonic()
        with pytest.raises(ServiceError, match="could not create a run"):
            at(front.url).start("1", "a run", NOW, {})

    assert time.monotonic() - begun < 15
    assert len(front.asked) <= 2


def test_a_redirect_gets_no_token() -> None:
    with scripted(
        lambda _: Said({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "?"}, 404)
    ) as elsewhere:

        def astray(asked: Asked) -> Said:
            return Said(
                "moved",
                302,
                {"Location": elsewhere.url.replace("127.0.0.1", "localhost") + asked.path},
            )

        with scripted(astray) as front, pytest.raises(ServiceError):
            at(front.url).run("0" * 32)

    assert "Bearer a-bearer-token" in front.asked[0].headers["Authorization"]
    assert not [asked for asked in elsewhere.asked if "a-bearer-token" in str(asked.headers)]


@pytest.mark.parametrize("workspace", [False, True])
def test_pages_for_people_are_at_the_configured_address(workspace: bool) -> None:
    service = Mlflow("https://mlflow.example/", sign_in=lambda: None, workspace=workspace)
    where: Any = ("https://mlflow.example/", "" if workspace else "#/")

    assert (
        service.run_page("1", "abc")
        == f"{''.join(where)}{'ml/' if workspace else ''}experiments/1/runs/abc"
    )
    assert service.model_page("a/b c", "2").endswith("models/a%2Fb%20c/versions/2")


# What is left behind


@pytest.mark.slow
def test_versions_are_listed_with_what_marks_them_and_archived(
    service: Mlflow, world: World
) -> None:
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
        for found in world.mlflow.call("GET", "/api/2.0/mlflow/registered-models/search").get(
            "registered_models", ()
        )
    )


# Files of runs and versions


PNG = b"\x89PNG\r\n\x1a\n and more"
MLMODEL = """\
flavors: {}
signature:
  inputs: '[{"type": "double", "name": "bmi", "required": true},
    {"name": "bp", "type": "double", "required": true}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1]}}]'
  params: null
"""
SIGNATURE = (
    '{"inputs":[{"name":"bmi","required":true,"type":"double"},{"name":"bp","required":true,"type":"double"}],'
    '"outputs":[{"tensor-spec":{"dtype":"float64","shape":[-1]},"type":"tensor"}]}'
)


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """A server that hands its artifacts out itself, as most do."""
    with MlflowServer(tmp_path_factory.mktemp("proxied"), proxied=True) as started:
        yield started


@pytest.fixture(params=["an MLflow server", "a server with proxied artifacts", "a workspace"])
def kept(request: pytest.FixtureRequest, world: World) -> tuple[MlflowServer, Mlflow]:
    """A server, and the bot's service that reads the files of its runs and versions."""
    if request.param == "a workspace":
        return world.mlflow, workspace(world)
    server = (
        world.mlflow if request.param == "an MLflow server" else request.getfixturevalue("proxied")
    )
    return server, at(server.url)


def workspace(world: World) -> Mlflow:
    return Mlflow(world.databricks.url, sign_in=lambda: world.keys.validation, workspace=True)


def new_run(server: MlflowServer, **files: bytes) -> tuple[str, Path]:
    """A run, and the folder of its artifacts."""
    info = server.call("POST", "/api/2.0/mlflow/runs/create", {"experiment_id": "0"})["run"]["info"]
    folder = _folder(server, info["artifact_uri"])
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return info["run_id"], folder


def _folder(server: MlflowServer, uri: str) -> Path:
    return server.artifacts / uri.removeprefix("mlflow-artifacts:/").removeprefix(
        f"{server.artifacts}/"
    )


@pytest.mark.slow
def test_pictures_of_a_run_are_found_in_all_its_folders_and_read(
    kept: tuple[MlflowServer, Mlflow],
) -> None:
    server, service = kept
    run, folder = new_run(server)
    (folder / "plots" / "deep er").mkdir(parents=True)
    for path in (
        "plots/deep er/é#1.png",
        "z.PNG",
        "plots/b.png",
        "plots/a.png",
        "plots/numbers.json",
        "a.png.txt",
    ):
        (folder / path).write_bytes(PNG + path.encode())
    (folder / "plots" / "huge.png").write_bytes(bytes(2000))

    found = service.pictures(run, 1000)

    assert found == ["z.PNG", "plots/a.png", "plots/b.png", "plots/deep er/é#1.png"]
    assert service.artifact(run, "plots/b.png", 1000) == PNG + b"plots/b.png"
    with pytest.raises(ServiceError, match=r"plots/huge.png has more than 1999 bytes"):
        service.artifact(run, "plots/huge.png", 1999)
    with pytest.raises(ServiceError):
        service.artifact(run, "not there.png", 1000)
    with pytest.raises(ServiceError):
        service.artifact(run, "../../../mlflow.db", 10**9)


@pytest.mark.slow
def test_a_run_without_files_has_no_pictures_and_one_nobody_knows_is_not_found(
    kept: tuple[MlflowServer, Mlflow],
) -> None:
    server, service = kept

    assert service.pictures(new_run(server)[0], 1000) == []
    with pytest.raises(NotFound):
        service.pictures("0" * 32, 1000)


@pytest.mark.slow
@pytest.mark.parametrize(
    "logged", [True, False], ids=["as MLflow 3 logs it", "as a folder of the run"]
)
def test_what_a_version_takes_and_gives_is_read_from_its_files(
    kept: tuple[MlflowServer, Mlflow], logged: bool
) -> None:
    server, service = kept
    run, folder = new_run(server)
    version = {"name": unused("signed").replace(" ", "_"), "run_id": run}
    if logged:
        asked = {"experiment_id": "0", "name": "model", "source_run_id": run}
        info = server.call("POST", "/api/2.0/mlflow/logged-models", asked)["model"]["info"]
        version |= {"source": f"models:/{info['model_id']}", "model_id": info["model_id"]}
        place = _folder(server, info["artifact_uri"])
    else:
        info = server.call("GET", f"/api/2.0/mlflow/runs/get?run_id={run}")["run"]["info"]
        version |= {"source": f"{info['artifact_uri']}/model"}
        place = folder / "model"
    place.mkdir(parents=True)
    (place / "MLmodel").write_text(MLMODEL)
    name = version["name"]
    server.call("POST", "/api/2.0/mlflow/registered-models/create", {"name": name})
    server.call("POST", "/api/2.0/mlflow/model-versions/create", version)

    assert service.signature(name, "1") == SIGNATURE
    assert service.signature(name, "2") == ""


@pytest.mark.parametrize(
    "mlmodel",
    [
        "flavors: {}\n",
        "signature: null\n",
        "signature: {inputs: null, outputs: null}\n",
        "signature: {inputs: '[', outputs: '[]'}\n",
        "signature: &a {inputs: *a}\n",
        "!!python/object/apply:os.system [id]\n",
        "- " * 20_000,
        "[" * 100_000,
        f"signature: {{inputs: '{'[' * 100_000}'}}\n",
        "".join(
            f"a{one}: &a{one} {{<<: [{','.join([f'*a{one - 1}'] * 10)}]}}\n" for one in range(1, 12)
        ),
        "x" * 300_000,
        "\x00",
    ],
    ids=lambda text: text[:24],
)
def test_a_model_file_that_says_nothing_usable_has_no_signature(mlmodel: str) -> None:
    with scripted(lambda _: Said(mlmodel)) as front:
        assert at(front.url).signature("name", "1") == ""


def test_a_server_that_is_away_is_not_taken_for_one_that_has_no_signatures_and_no_pictures() -> (
    None
):
    with pytest.raises(ServiceError, match="MLflow could not read the signature of name v1"):
        at(nobody()).signature("name", "1")
    with pytest.raises(ServiceError, match="MLflow could not list the files of run abc"):
        at(nobody()).pictures("abc", 1000)


def test_a_search_for_pictures_ends_however_many_folders_there_are() -> None:
    def answer(asked: Asked) -> Said:
        folder = parse_qs(urlsplit(asked.path).query).get("path", [""])[0]
        files = [{"path": f"{folder}/{one}".lstrip("/"), "is_dir": True} for one in range(50)]
        return Said(
            {"files": [*files, {"path": f"{folder}/x.png".lstrip("/")}], "next_page_token": "more"}
        )

    with scripted(answer) as front:
        found = at(front.url).pictures("abc", 1000)

    assert len(front.asked) == mlflow_artifacts.MOST_LISTINGS
    assert 0 < len(found) <= mlflow_artifacts.MOST_PICTURES


@pytest.mark.slow
def test_two_servers_are_spoken_to_with_credentials_of_their_own(world: World) -> None:
    run, _ = new_run(world.mlflow, **{"a.png": PNG})
    ours = Mlflow(world.databricks.url, sign_in=lambda: world.keys.validation, workspace=True)
    strangers = Mlflow(world.databricks.url, sign_in=lambda: "dapi-wrong", workspace=True)

    assert ours.artifact(run, "a.png", 1000) == PNG
    with pytest.raises(ServiceError, match="Invalid access token"):
        strangers.artifact(run, "a.png", 1000)
    assert ours.pictures(run, 1000) == ["a.png"]


def test_a_signed_address_is_asked_without_the_bots_token() -> None:
    def signing(asked: Asked) -> Said:
        if asked.path.startswith("/stored"):
            return Said("the picture")
        headers = [{"name": "x-ms-version", "value": "1"}]
        return Said(
            {
                "credential_infos": [
                    {"signed_uri": f"{own.url}/stored?sig=secret", "headers": headers}
                ]
            }
        )

    with scripted(signing) as own:
        service = Mlflow(own.url, sign_in=lambda: "a-bearer-token", workspace=True)
        content = service.artifact("run", "a.png", 1000)

    assert content == b"the picture"
    assert own.asked[0].headers["Authorization"] == "Bearer a-bearer-token"
    assert "Authorization" not in own.asked[1].headers
    assert own.asked[1].headers["x-ms-version"] == "1"


@pytest.mark.parametrize(
    "address",
    [
        "https://mlstorage.blob.core.windows.net/root/a.png?sig=secret",
        "https://mlstorage.dfs.core.windows.net/root/a.png?sig=secret",
        "https://mlstorage.z12.blob.storage.azure.net/root/a.png?sig=secret",
        "https://mlstorage.blob.core.usgovcloudapi.net/a.png?sig=secret",
        "https://bucket.s3.eu-west-1.amazonaws.com/a.png?X-Amz-Signature=secret",
        "https://s3-us-west-2.amazonaws.com/bucket/a.png?X-Amz-Signature=secret",
        "https://bucket.s3.amazonaws.com/a.png?X-Amz-Signature=secret",
        "https://storage.googleapis.com/bucket/a.png?X-Goog-Signature=secret",
        "https://adb-1.azuredatabricks.net/a.png?sig=secret",
    ],
)
def test_cloud_storage_and_the_workspace_itself_are_trusted(address: str) -> None:
    service = mlflow_artifacts.Artifacts(
        lambda: MlflowHostCreds("https://adb-1.azuredatabricks.net"), workspace=True
    )

    assert service.trusted(address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "http://mlstorage.blob.core.windows.net/a.png",
        "https://mlstorage.blob.core.windows.net:8443/a.png",
        "https://user:word@mlstorage.blob.core.windows.net/a.png",
        "https://mlstorage.blob.core.windows.net@evil.example/a.png",
        "https://mlstorage.blob.core.windows.net.evil.example/a.png",
        "https://evilwindows.net/blob/a.png",
        "https://vm.core.windows.net/a.png",
        "https://ec2-1-2-3-4.compute-1.amazonaws.com/a.png",
        "https://storage.googleapis.com.evil.example/a.png",
        "https://169.254.169.254/latest/meta-data",
        "http://169.254.169.254/latest/meta-data",
        "http://adb-1.azuredatabricks.net/a.png",
        "https://adb-2.azuredatabricks.net/a.png",
        "https://adb-1.azuredatabricks.net:99999/a.png",
        "https://[::1/a.png",
        "file:///etc/passwd",
    ],
)
def test_no_other_host_is_ever_asked_for_a_file(address: str) -> None:
    service = mlflow_artifacts.Artifacts(
        lambda: MlflowHostCreds("https://adb-1.azuredatabricks.net"), workspace=True
    )

    assert not service.trusted(address)


def test_storage_that_sends_elsewhere_or_is_away_is_told_without_the_address() -> None:
    def leading(asked: Asked) -> Said:
        if asked.path.startswith("/stored"):
            return Said("moved", 302, {"Location": f"{elsewhere.url}/stolen"})
        path = json.loads(asked.body)["path"][0]
        return Said(
            {
                "credential_infos": [
                    {"signed_uri": f"{own.url if path == 'a' else nobody()}/stored?sig=secret"}
                ]
            }
        )

    with scripted(lambda _: Said("stolen")) as elsewhere, scripted(leading) as own:
        service = Mlflow(own.url, sign_in=lambda: "a-bearer-token", workspace=True)
        with pytest.raises(ServiceError, match="MLflow answered 302 for a") as moved:
            service.artifact("run", "a", 1000)
        with pytest.raises(ServiceError, match="which is no storage") as away:
            service.artifact("run", "b", 1000)

    assert elsewhere.asked == []
    assert "secret" not in str(moved.value) + str(away.value)


# A version's tags


@pytest.mark.slow
def test_a_version_is_read_with_its_status_and_tagged_as_often_as_one_likes(
    service: Mlflow, world: World
) -> None:
    name = unused("tagged_model")
    number = version(world, name)

    for _ in range(2):
        service.tag_version(
            name, number, {"signalman": "Job `nightly` scores with it.", "told": "x"}
        )
    found = service.version(name, number)

    assert found is not None
    assert (found.status, found.stage) == ("READY", "None")
    assert found.tags == {"signalman": "Job `nightly` scores with it.", "told": "x"}
    assert service.version(name, "99") is None
    with pytest.raises(NotFound):
        service.tag_version(name, "99", {"told": "x"})
