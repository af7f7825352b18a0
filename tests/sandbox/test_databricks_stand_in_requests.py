"""Requests to move a version, at the stand-in Databricks: asked by databricks-sdk, and read by the
bot's own words.
"""

from collections.abc import Iterator

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config
from databricks.sdk.errors import InvalidParameterValue, NotFound
from pydantic import SecretStr

from bot.config.environment import WorkspaceAccess
from bot.facts.model import TransitionRequest
from bot.services.databricks_sdk import DatabricksSdk
from sandbox.databricks import Databricks
from sandbox.mlflow_server import MlflowServer

ADA, BEN = "ada@contoso.example", "ben@contoso.example"
MODEL = "tide_model"


@pytest.fixture(scope="module")
def workspace(
    tmp_path_factory: pytest.TempPathFactory, mlflow_server: MlflowServer
) -> Iterator[Databricks]:
    folder = tmp_path_factory.mktemp("requests")
    tokens = {"dapi-ada": ADA, "dapi-ben": BEN}
    with Databricks(folder, tokens=tokens, mlflow_url=mlflow_server.url) as started:
        registry = by(started, "dapi-ada").model_registry
        registry.create_model(MODEL)
        for _ in range(2):
            registry.create_model_version(MODEL, "s3://models/tide")
        yield started


def by(workspace: Databricks, token: str) -> WorkspaceClient:
    return WorkspaceClient(config=Config(host=workspace.url, token=token, retry_timeout_seconds=2))


def service(workspace: Databricks) -> DatabricksSdk:
    return DatabricksSdk(WorkspaceAccess(workspace.url, (SecretStr("dapi-ben"),)))


@pytest.mark.slow
def test_a_request_is_open_until_somebody_approves_it(workspace: Databricks) -> None:
    ada, ben = by(workspace, "dapi-ada").model_registry, by(workspace, "dapi-ben").model_registry

    made = ada.create_transition_request(MODEL, "1", "Production", comment="It is good.").request
    (found,) = service(workspace).transition_requests(MODEL, "1")
    approved = ben.approve_transition_request(MODEL, "1", "Production", False).activity

    assert made is not None
    assert found == TransitionRequest(
        "Production", ADA, made.creation_timestamp or 0, "It is good."
    )
    assert approved is not None
    assert (approved.user_id, approved.from_stage, approved.to_stage) == (BEN, "None", "Production")
    assert service(workspace).transition_requests(MODEL, "1") == []
    assert ada.get_model(MODEL).registered_model_databricks.latest_versions[0].current_stage in (
        "Production",
        "None",
    )


@pytest.mark.slow
def test_one_that_is_rejected_or_taken_back_moves_nothing(workspace: Databricks) -> None:
    ada, ben = by(workspace, "dapi-ada").model_registry, by(workspace, "dapi-ben").model_registry

    ada.create_transition_request(MODEL, "2", "Staging")
    ben.create_transition_request(MODEL, "2", "Staging")
    ada.delete_transition_request(MODEL, "2", "Staging", ADA)
    left = [one.by for one in service(workspace).transition_requests(MODEL, "2")]
    ben.reject_transition_request(MODEL, "2", "Staging", comment="Not yet.")

    assert left == [BEN]
    assert service(workspace).transition_requests(MODEL, "2") == []
    with pytest.raises(NotFound):
        ben.approve_transition_request(MODEL, "2", "Staging", False)


@pytest.mark.slow
def test_what_nobody_can_ask_for_is_refused(workspace: Databricks) -> None:
    ada = by(workspace, "dapi-ada").model_registry

    with pytest.raises(InvalidParameterValue, match="Invalid Model Version stage Nowhere"):
        ada.create_transition_request(MODEL, "1", "Nowhere")
    with pytest.raises(NotFound):
        ada.create_transition_request(MODEL, "9", "Production")
