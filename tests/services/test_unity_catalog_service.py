"""Models in Unity Catalog: the bot's words for them, and the stand-in as MLflow's own client finds
it.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow.artifacts
import pytest
import requests
import responses
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.types.schema import ColSpec, Schema

from bot.errors import NotFound, ServiceError
from bot.services.unity_catalog import UnityCatalog
from sandbox.databricks import Databricks
from sandbox.mlflow_server import MlflowServer

TOKEN, OTHER = "dapi-of-the-bot", "dapi-of-somebody-else"
CALLS = "/api/2.0/mlflow/unity-catalog"
MLMODEL = b"""\
flavors: {}
signature:
  inputs: '[{"type": "double", "name": "bmi", "required": true}]'
  outputs: '[{"type": "double", "required": true}]'
"""
SIGNATURE = '{"inputs":[{"name":"bmi","required":true,"type":"double"}],"outputs":[{"required":true,"type":"double"}]}'  # noqa: E501 a table, or a text as it is sent


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Databricks]:
    with Databricks(tmp_path, tokens={TOKEN: "signalman", OTHER: "ada@contoso.example"}) as started:
        yield started


@pytest.fixture
def service(workspace: Databricks) -> UnityCatalog:
    return UnityCatalog(workspace.url, sign_in=lambda: TOKEN)


def promoted(service: UnityCatalog, pattern: str) -> dict[str, str]:
    return {one.name: one.version for one in service.promoted(pattern, "champion", "Production")}


def champion(workspace: Databricks, name: str, run: str = "") -> str:
    version = workspace.unity_catalog.register(name, run)
    workspace.unity_catalog.set_alias(name, "champion", version)
    return version


def asked(workspace: Databricks) -> list[str]:
    return [call.path for call in workspace.calls]


# What serves


def test_the_version_with_the_alias_serves(service: UnityCatalog, workspace: Databricks) -> None:
    for _ in range(2):
        workspace.unity_catalog.register("prod.ml.wine_model", "a-run")
    workspace.unity_catalog.set_alias("prod.ml.wine_model", "champion", "1")

    (found,) = service.promoted("prod.ml.wine_model", "champion", "Production")

    assert (found.name, found.version, found.run) == ("prod.ml.wine_model", "1", "a-run")
    assert (found.promoted_by, found.by_alias) == ("alias champion", True)


def test_asking_what_serves_takes_two_calls(service: UnityCatalog, workspace: Databricks) -> None:
    champion(workspace, "prod.ml.wine_model")

    service.promoted("prod.ml.wine_model", "champion", "Production")

    assert len(workspace.calls) == 2


def test_nothing_serves_without_an_alias_or_a_model(
    service: UnityCatalog, workspace: Databricks
) -> None:
    workspace.unity_catalog.register("prod.ml.wine_model")

    assert promoted(service, "prod.ml.wine_model") == {}
    assert promoted(service, "prod.ml.no_such_model") == {}


def test_nobody_is_asked_for_a_stage(service: UnityCatalog, workspace: Databricks) -> None:
    champion(workspace, "prod.ml.wine_model")

    assert service.promoted("prod.ml.wine_model", None, "Production") == []
    assert not workspace.calls


def test_a_pattern_of_one_schema_asks_for_that_schema_alone(
    service: UnityCatalog, workspace: Databricks
) -> None:
    for name in ("prod.ml.wine_model", "prod.ml.beer_model", "prod.ml.beer", "dev.ml.tea_model"):
        champion(workspace, name)

    found = promoted(service, "prod.ml.*_model")

    assert found == {"prod.ml.beer_model": "1", "prod.ml.wine_model": "1"}
    assert asked(workspace).count("/api/2.1/unity-catalog/models") == 1
    assert f"{CALLS}/registered-models/search" not in asked(workspace)


def test_a_pattern_of_any_schema_reads_all_pages(
    service: UnityCatalog, workspace: Databricks
) -> None:
    for number in range(201):
        workspace.unity_catalog.register(f"dev.ml.toy_{number}")
    champion(workspace, "prod.ml.wine_model")

    assert promoted(service, "*.wine_model") == {"prod.ml.wine_model": "1"}
    assert promoted(service, "*_model") == {"prod.ml.wine_model": "1"}
    assert asked(workspace).count(f"{CALLS}/registered-models/search") == 6


def test_names_are_found_however_they_are_written(
    service: UnityCatalog, workspace: Databricks
) -> None:
    champion(workspace, "prod.ml.Wine_Model", "a-run")

    assert promoted(service, "Prod.ML.Wine_Model") == {"prod.ml.wine_model": "1"}
    assert promoted(service, "Prod.ML.*_Model") == {"prod.ml.wine_model": "1"}
    assert service.same("prod.ml.Wine_Model", "prod.ml.wine_model")
    assert [one.version for one in service.versions("prod.ml.Wine_Model")] == ["1"]


def test_a_name_that_no_model_can_have_is_told(service: UnityCatalog) -> None:
    with pytest.raises(ServiceError) as told:
        service.promoted("wine_model", "champion", None)

    assert str(told.value) == (
        "Unity Catalog has no model wine_model: names there have three parts, such as "
        "prod.ml.wine_model. "
        "Correct `model` in config/mlops.yml."
    )


def test_a_catalog_that_is_not_there_is_told(service: UnityCatalog) -> None:
    with pytest.raises(ServiceError, match="Catalog 'staging' does not exist"):
        service.promoted("staging.ml.wine_model", "champion", None)


def test_two_workspaces_are_asked_with_their_own_credentials(workspace: Databricks) -> None:
    champion(workspace, "prod.ml.wine_model")
    places = [
        UnityCatalog(workspace.url, sign_in=lambda word=word: word) for word in (TOKEN, OTHER)
    ]

    for place in (*places, *places):
        assert promoted(place, "prod.ml.wine_model") == {"prod.ml.wine_model": "1"}

    assert [call.user for call in workspace.calls][::2] == ["signalman", "ada@contoso.example"] * 2


# Versions


def test_a_run_is_known_by_the_newest_version_it_registered(
    service: UnityCatalog, workspace: Databricks
) -> None:
    for run in ("a-run", "a-run", "another"):
        workspace.unity_catalog.register("dev.ml.wine_model", run)

    assert service.registered_by("a-run") == ("dev.ml.wine_model", "2")
    assert service.registered_by("nobody") is None


def test_a_version_whose_files_never_came_is_none(
    service: UnityCatalog, workspace: Databricks
) -> None:
    workspace.unity_catalog.register("dev.ml.wine_model", "a-run")
    begun = {"name": "dev.ml.wine_model", "source": "dbfs:/x", "run_id": "a-run"}
    headers = {"Authorization": f"Bearer {TOKEN}"}
    requests.post(
        f"{workspace.url}{CALLS}/model-versions/create", json=begun, headers=headers, timeout=5
    )

    assert service.registered_by("a-run") == ("dev.ml.wine_model", "1")
    assert [one.version for one in service.versions("dev.ml.wine_model")] == ["1"]


def test_versions_are_listed_with_their_run_and_aliases(
    service: UnityCatalog, workspace: Databricks
) -> None:
    workspace.unity_catalog.register("prod.ml.wine_model", "older")
    champion(workspace, "prod.ml.wine_model", "newer")

    found = {one.version: one for one in service.versions("prod.ml.wine_model")}

    assert (found["1"].run, found["1"].aliases) == ("older", ())
    assert (found["2"].run, found["2"].aliases) == ("newer", ("champion",))
    assert service.versions("prod.ml.no_such_model") == []


def test_an_archived_version_is_tagged_with_a_key_that_unity_catalog_takes(
    service: UnityCatalog, workspace: Databricks
) -> None:
    version = workspace.unity_catalog.register("dev.ml.wine_model")

    service.archive_version(
        "dev.ml.wine_model", version, {"signalman.archived": "its pull request was abandoned"}
    )
    service.archive_version(
        "dev.ml.wine_model", version, {"signalman.archived": "its pull request was abandoned"}
    )
    service.archive_version("dev.ml.gone", "1", {"signalman.archived": "yes"})

    tags = workspace.unity_catalog.models["dev.ml.wine_model"].versions[version].tags
    assert tags == {"signalman_archived": "its pull request was abandoned"}


def test_a_model_goes_with_its_last_version(service: UnityCatalog, workspace: Databricks) -> None:
    for _ in range(2):
        champion(workspace, "dev.ml.wine_model")

    service.delete_version("dev.ml.wine_model", "2")
    left = workspace.unity_catalog.models["dev.ml.wine_model"]
    kept = (list(left.versions), dict(left.aliases))
    service.delete_version("dev.ml.wine_model", "1")
    service.delete_version("dev.ml.wine_model", "1")

    assert kept == (["1"], {})
    assert workspace.unity_catalog.models == {}


def test_people_are_led_to_the_catalog_explorer(
    service: UnityCatalog, workspace: Databricks
) -> None:
    page = service.model_page("dev.ml.a_b-model", "2")

    assert page == f"{workspace.url}/explore/data/models/dev/ml/a_b-model/version/2"


def test_an_answer_that_is_refused_is_told_without_the_token(workspace: Databricks) -> None:
    with pytest.raises(ServiceError) as told:
        UnityCatalog(workspace.url, sign_in=lambda: "wrong-word").promoted(
            "prod.ml.wine_model", "champion", None
        )

    assert "wrong-word" not in str(told.value)
    assert "Invalid access token" in str(told.value)


# Signatures


def test_the_signature_is_read_where_databricks_keeps_the_files(
    service: UnityCatalog, workspace: Databricks
) -> None:
    workspace.unity_catalog.register("prod.ml.wine_model", MLmodel=MLMODEL)
    workspace.unity_catalog.register("prod.ml.wine_model")

    assert service.signature("prod.ml.Wine_model", "1") == SIGNATURE
    assert service.signature("prod.ml.wine_model", "2") == ""


CREDENTIALS: dict[str, Any] = {
    "abfss://models@contoso.dfs.core.windows.net/a b/1": {
        "azure_user_delegation_sas": {"sas_token": "sig=4711&sv=1"}
    },
    "gs://models/a b/1": {"gcp_oauth_token": {"oauth_token": "4711"}},
    "s3://models/a b/1": {"aws_temp_credentials": {"access_key_id": "4711"}},
}
ADDRESSES = {
    "abfss": "https://contoso.dfs.core.windows.net/models/a%20b/1/MLmodel",
    "gs": "https://storage.googleapis.com/models/a%20b/1/MLmodel",
    "s3": "https://adb-1.azuredatabricks.net/api/2.0/fs/files/Models/prod/ml/wine/1/MLmodel",
}


@pytest.mark.parametrize("location", CREDENTIALS)
def test_the_signature_is_read_from_the_clouds_own_storage(location: str) -> None:
    host = "https://adb-1.azuredatabricks.net"
    kind = location.partition(":")[0]
    given = {"credentials": {**CREDENTIALS[location], "storage_mode": "CUSTOMER_HOSTED"}}
    with responses.RequestsMock() as network:
        by_files = (
            f"{host}{CALLS}/registered-models:is-databricks-sdk-models-artifact-repository-enabled"
        )
        network.get(by_files, json={})
        network.post(f"{host}{CALLS}/model-versions/generate-temporary-credentials", json=given)
        network.get(
            f"{host}{CALLS}/model-versions/get-download-uri", json={"artifact_uri": location}
        )
        network.get(ADDRESSES[kind], body=MLMODEL)

        found = UnityCatalog(host, sign_in=lambda: TOKEN).signature("prod.ml.wine", "1")

        last = network.calls[-1].request
    assert found == SIGNATURE
    assert (TOKEN in str(last.headers)) is (kind == "s3")
    assert "sig=4711" in last.url if kind == "abfss" else True
    assert last.headers.get("Authorization") == {"gs": "Bearer 4711", "s3": f"Bearer {TOKEN}"}.get(
        kind
    )


def test_a_workspace_that_hands_files_out_itself_is_asked_for_them() -> None:
    host = "https://adb-1.azuredatabricks.net"
    with responses.RequestsMock() as network:
        network.get(
            f"{host}{CALLS}/registered-models:is-databricks-sdk-models-artifact-repository-enabled",
            json={"is_databricks_sdk_models_artifact_repository_enabled": True},
        )
        network.get(f"{host}/api/2.0/fs/files/Models/prod/ml/wine/1/MLmodel", body=MLMODEL)

        assert UnityCatalog(host, sign_in=lambda: TOKEN).signature("prod.ml.wine", "1") == SIGNATURE


# The stand-in


@pytest.fixture
def signed_in(
    tmp_path: Path, mlflow_server: MlflowServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Databricks]:
    """A workspace with an MLflow server, for a process in which MLflow finds its credentials as it
    does everywhere.
    """
    with Databricks(
        tmp_path / "here", tokens={TOKEN: "ada"}, mlflow_url=mlflow_server.url
    ) as started:
        monkeypatch.setenv("DATABRICKS_HOST", started.url)
        monkeypatch.setenv("DATABRICKS_TOKEN", TOKEN)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "databricks")
        monkeypatch.setenv("MLFLOW_REGISTRY_URI", "databricks-uc")
        yield started


def model_in(folder: Path, *, signed: bool = True) -> Path:
    """A model of a flavour that nobody loads."""
    columns = Schema([ColSpec("double", "bmi")])
    described = Model(
        signature=ModelSignature(columns, Schema([ColSpec("double")])) if signed else None
    )
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "weights.bin").write_bytes(bytes(range(256)))
    described.save(str(folder / "MLmodel"))
    return folder


@pytest.mark.slow
def test_mlflows_own_client_registers_promotes_and_downloads_a_model(
    signed_in: Databricks, mlflow_server: MlflowServer, tmp_path: Path
) -> None:
    run = mlflow_server.call("POST", "/api/2.0/mlflow/runs/create", {"experiment_id": "0"})["run"][
        "info"
    ]["run_id"]
    client = MlflowClient("databricks", "databricks-uc")
    client.create_registered_model("dev.ml.Feature-X_model", tags={"team": "wine"})
    made = client.create_model_version(
        "dev.ml.Feature-X_model", str(model_in(tmp_path / "model")), run
    )
    client.set_registered_model_alias("dev.ml.Feature-X_model", "champion", made.version)
    client.set_model_version_tag("dev.ml.Feature-X_model", made.version, "reviewed", "yes")

    found = client.get_model_version_by_alias("dev.ml.feature-x_model", "champion")
    (tmp_path / "loaded").mkdir()
    loaded = Path(
        mlflow.artifacts.download_artifacts(
            artifact_uri="models:/dev.ml.feature-x_model/1", dst_path=str(tmp_path / "loaded")
        )
    )
    service = UnityCatalog(signed_in.url, sign_in=lambda: TOKEN)

    assert (found.name, found.version, found.run_id, found.status) == (
        "dev.ml.feature-x_model",
        "1",
        run,
        "READY",
    )
    assert (found.aliases, found.tags) == (["champion"], {"reviewed": "yes"})
    assert (loaded / "data" / "weights.bin").read_bytes() == bytes(range(256))
    assert service.registered_by(run) == ("dev.ml.feature-x_model", "1")
    assert (
        json.loads(service.signature("dev.ml.Feature-X_model", "1"))["inputs"][0]["name"] == "bmi"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("wine_model", "specify all three levels"),
        ("dev.ml.feature/x_model", "not a valid name"),
        ("dev.ml.v1.2_model", "specify all three levels"),
        ("dev.nowhere.wine_model", "SCHEMA_DOES_NOT_EXIST"),
    ],
)
def test_a_name_that_unity_catalog_does_not_take_is_refused(
    signed_in: Databricks, name: str, told: str
) -> None:
    with pytest.raises(MlflowException, match=told):
        MlflowClient("databricks", "databricks-uc").create_registered_model(name)

    assert signed_in.unity_catalog.models == {}


@pytest.mark.slow
def test_what_unity_catalog_does_not_have_is_refused_as_there(signed_in: Databricks) -> None:
    client = MlflowClient("databricks", "databricks-uc")
    signed_in.unity_catalog.register("dev.ml.wine_model")

    with pytest.raises(
        MlflowException,
        match=r"RESOURCE_DOES_NOT_EXIST: Routine or Model 'dev.ml.tea' does not exist",
    ):
        client.get_registered_model("dev.ml.tea")
    with pytest.raises(MlflowException, match="RESOURCE_ALREADY_EXISTS"):
        client.create_registered_model("dev.ml.wine_model")
    with pytest.raises(MlflowException, match="is invalid"):
        client.set_model_version_tag("dev.ml.wine_model", "1", "signalman.archived", "yes")
    with pytest.raises(MlflowException, match="Unsupported filter"):
        client.search_model_versions("name LIKE 'dev.ml.%'")
    with pytest.raises(MlflowException, match="is reserved"):
        client.set_registered_model_alias("dev.ml.wine_model", "v2", "1")


def test_databricks_sdk_lists_the_models_of_a_schema(workspace: Databricks) -> None:
    for name in ("prod.ml.wine_model", "dev.ml.wine_model"):
        champion(workspace, name)
    client = WorkspaceClient(
        config=Config(host=workspace.url, token=TOKEN, retry_timeout_seconds=2)
    )

    found = list(client.registered_models.list(catalog_name="prod", schema_name="ml"))

    assert [(one.full_name, one.name, one.aliases) for one in found] == [
        ("prod.ml.wine_model", "wine_model", [])
    ]
    assert len(list(client.registered_models.list())) == 2


def test_nobody_is_told_when_an_alias_moves(workspace: Databricks) -> None:
    workspace.subscribe_bot("http://127.0.0.1:9/webhooks/databricks", "a secret")

    champion(workspace, "prod.ml.wine_model")

    assert workspace.drain(0.5)
    assert workspace.webhooks.post.deliveries == []


def test_an_address_of_a_file_works_for_a_while_and_for_one_thing(workspace: Databricks) -> None:
    workspace.unity_catalog.register("dev.ml.wine_model", MLmodel=MLMODEL)
    headers = {"Authorization": f"Bearer {TOKEN}"}

    def signed(path: str) -> requests.Response:
        there = f"{workspace.url}/api/2.0/fs/create-download-url"
        return requests.post(there, json={"path": path}, headers=headers, timeout=5)

    address = signed("/Models/dev/ml/wine_model/1/MLmodel").json()["url"]
    read, written = requests.get(address, timeout=5), requests.put(address, data=b"x", timeout=5)
    workspace.unity_catalog.files.valid_seconds = -1.0
    late = requests.get(signed("/Models/dev/ml/wine_model/1/MLmodel").json()["url"], timeout=5)

    assert (read.status_code, read.content) == (200, MLMODEL)
    assert (written.status_code, late.status_code) == (403, 403)
    assert signed("/Models/dev/ml/wine_model/1/../../../../../../etc/passwd").status_code == 400
    assert signed("/Volumes/x").status_code == 400


def test_a_file_that_is_not_there_is_not_found(
    service: UnityCatalog, workspace: Databricks
) -> None:
    workspace.unity_catalog.register("dev.ml.wine_model")

    with pytest.raises(NotFound):
        service._artifacts.of_version("dev.ml.wine_model", "1", "MLmodel", 1000)
