"""What a Databricks workspace does otherwise than the MLflow server behind it.

Experiments are objects of the workspace; the workspace model registry knows
stages, comments and webhooks, and neither aliases nor MLflow's own webhooks.
Everything else is passed on.
"""

import itertools
import json
import uuid
from typing import Any

from sandbox.databricks.mlflow_proxy import MlflowProxy
from sandbox.databricks.stored_files import StoredFiles
from sandbox.databricks.transition_requests import TransitionRequests
from sandbox.databricks.tree import Tree, normal
from sandbox.databricks.webhooks import Webhooks
from sandbox.databricks.wire import Answer, Call, Handler, Refusal, missing, now

STAGES = ("None", "Staging", "Production", "Archived")
# Aliases belong to Unity Catalog, MLflow's webhooks to MLflow's own server.
UNKNOWN_HERE = ("registered-models/alias", "webhooks")


class Registry:
    """Answers everything below `/api/2.0/mlflow/`."""

    def __init__(
        self, mlflow: MlflowProxy, files: StoredFiles, tree: Tree, webhooks: Webhooks
    ) -> None:
        self.mlflow = mlflow
        self.webhooks = webhooks
        self.comments: dict[str, dict[str, Any]] = {}
        self._tree = tree
        self._comment_ids = itertools.count(1)
        self.requests = TransitionRequests(self._stage, self.transition, webhooks, STAGES)
        self._own: dict[tuple[str, str], Handler] = {
            ("POST", "experiments/create"): self.create_experiment,
            ("POST", "registered-models/create"): self.create_model,
            ("POST", "model-versions/create"): self.create_version,
            ("POST", "model-versions/set-tag"): self.set_version_tag,
            ("POST", "model-versions/transition-stage"): self.transition_stage,
            ("POST", "databricks/model-versions/transition-stage"): self.transition_stage,
            ("GET", "model-versions/list-artifacts"): files.list,
            ("GET", "model-versions/get-signed-download-uri"): files.sign,
            ("POST", "artifacts/credentials-for-read"): files.sign_for_reading,
            ("GET", "databricks/registered-models/get"): self.get_model,
            ("GET", "experiments/list"): self.list_experiments,
            ("GET", "registered-models/list"): self.list_models,
            ("POST", "comments/create"): self.create_comment,
            ("POST", "registry-webhooks/create"): webhooks.create,
            ("GET", "registry-webhooks/list"): webhooks.list,
            ("PATCH", "registry-webhooks/update"): webhooks.update,
            ("DELETE", "registry-webhooks/delete"): webhooks.delete,
            ("POST", "registry-webhooks/test"): webhooks.test,
            **self.requests.table(),
        }

    def answer(self, call: Call) -> dict[str, Any] | Answer:
        """Answer a call, here or by the MLflow server."""
        rest = call.path.split("/mlflow/", 1)[1]
        own = self._own.get((call.method, rest))
        if own:
            return own(call)
        if rest.startswith(
            (
                *UNKNOWN_HERE,
                "registry-webhooks/",
                "comments/",
                "transition-requests/",
                "databricks/",
            )
        ):
            raise no_such_endpoint(call)
        return self.mlflow.forward(call)

    def create_experiment(self, call: Call) -> Answer:
        """An experiment is named by an absolute path whose parent exists (dbdemos#155,
        mlflow#11077).
        """
        name = str(call.json().get("name") or "")
        if not name.startswith("/"):
            raise Refusal(
                400,
                "INVALID_PARAMETER_VALUE",
                f"Got an invalid experiment name '{name}'. An experiment name must be an absolute "
                "path within the Databricks workspace, e.g. "
                "'/Users/<some-username>/my-experiment'.",
            )
        path = normal(name)
        parent = path.rsplit("/", 1)[0] or "/"
        if self._tree.kind(parent) != "DIRECTORY":
            raise Refusal(
                404, "RESOURCE_DOES_NOT_EXIST", f"Parent directory {parent} does not exist."
            )
        if self._tree.kind(path) or (path != name and self._experiment_exists(path)):
            raise Refusal(
                400,
                "RESOURCE_ALREADY_EXISTS",
                f"Node named '{path.rsplit('/', 1)[1]}' already exists",
            )
        if path == name:
            return self.mlflow.forward(call)
        body = {**call.json(), "name": path}
        return _json(self.mlflow.ask("POST", "experiments/create", **body))

    def create_model(self, call: Call) -> Answer:
        """Pass on, then tell the webhooks of the whole registry."""
        answer = self.mlflow.forward(call)
        if answer.status == 200:
            name = call.json()["name"]
            text = f"{call.user} created registered model '{name}'."
            self.webhooks.fire(("REGISTERED_MODEL_CREATED",), name, text=text)
        return answer

    def create_version(self, call: Call) -> Answer:
        """Pass on, then tell the webhooks."""
        answer = self.mlflow.forward(call)
        if answer.status == 200:
            version = _parsed(answer)["model_version"]
            text = (
                f"{call.user} created version {version['version']} of registered model "
                f"'{version['name']}'."
            )
            self.webhooks.fire(
                ("MODEL_VERSION_CREATED",),
                version["name"],
                version=str(version["version"]),
                text=text,
            )
        return answer

    def set_version_tag(self, call: Call) -> Answer:
        """Pass on, then tell the webhooks."""
        answer = self.mlflow.forward(call)
        if answer.status == 200:
            asked = call.json()
            tags = [{"key": asked["key"], "value": asked.get("value", "")}]
            text = (
                f"{call.user} set a tag of version {asked['version']} of registered model "
                f"'{asked['name']}'."
            )
            self.webhooks.fire(
                ("MODEL_VERSION_TAG_SET",),
                asked["name"],
                version=str(asked["version"]),
                tags=tags,
                text=text,
            )
        return answer

    def transition_stage(self, call: Call) -> dict[str, Any]:
        """Move a version to another stage; Databricks' own endpoint and MLflow's answer in
        different words.
        """
        asked = call.json()
        for name in ("name", "version", "stage"):
            if not asked.get(name):
                raise missing(name)
        version = self.transition(
            asked["name"],
            str(asked["version"]),
            asked["stage"],
            archive=str(asked.get("archive_existing_versions", False)).lower() == "true",
        )
        if "/mlflow/databricks/" not in call.path:
            return {"model_version": version}
        return {"model_version_databricks": {**version, "permission_level": "CAN_MANAGE"}}

    def transition(
        self, name: str, version: str, stage: str, *, archive: bool = False
    ) -> dict[str, Any]:
        """Move a version and tell the webhooks, also of versions that are archived by it."""
        if stage not in STAGES:
            raise Refusal(400, "INVALID_PARAMETER_VALUE", f"Invalid Model Version stage {stage}.")
        before = self._stage(name, version)
        replaced: list[str] = []
        if archive and stage in ("Staging", "Production"):
            found = self.mlflow.ask(
                "GET", "model-versions/search", filter=f"name='{name}'", max_results=10000
            )
            replaced = [
                other["version"]
                for other in found.get("model_versions", [])
                if other.get("current_stage") == stage and str(other["version"]) != version
            ]
        moved = self.mlflow.ask(
            "POST", "model-versions/transition-stage", name=name, version=version, stage=stage,
            archive_existing_versions=archive,
        )["model_version"]  # fmt: skip
        self._told(name, version, before, stage)
        for other in replaced:
            self._told(name, str(other), stage, "Archived")
        result: dict[str, Any] = moved
        return result

    def get_model(self, call: Call) -> dict[str, Any]:
        """A registered model in Databricks' words, which add an id and the caller's permission."""
        name = call.query.get("name")
        if not name:
            raise missing("name")
        model = self.mlflow.ask("GET", "registered-models/get", name=name)["registered_model"]
        model.pop("aliases", None)
        identity = uuid.uuid5(uuid.NAMESPACE_OID, name).hex
        return {
            "registered_model_databricks": {
                **model,
                "id": identity,
                "permission_level": "CAN_MANAGE",
            }
        }

    def list_experiments(self, call: Call) -> dict[str, Any]:
        """Databricks kept the list that MLflow's own server no longer has."""
        asked = {
            "max_results": int(call.query.get("max_results", 1000)),
            "page_token": call.query.get("page_token", ""),
        }
        return self.mlflow.ask("POST", "experiments/search", **asked)

    def list_models(self, call: Call) -> dict[str, Any]:
        """As with experiments."""
        asked = {
            "max_results": int(call.query.get("max_results", 100)),
            "page_token": call.query.get("page_token", ""),
        }
        return self.mlflow.ask("GET", "registered-models/search", **asked)

    def create_comment(self, call: Call) -> dict[str, Any]:
        """A comment on a model version, and its webhook."""
        asked = call.json()
        for name in ("name", "version", "comment"):
            if not asked.get(name):
                raise missing(name)
        self.mlflow.ask("GET", "model-versions/get", name=asked["name"], version=asked["version"])
        identity = f"{next(self._comment_ids):032x}"
        comment = {
            "id": identity,
            "user_id": call.user,
            "comment": asked["comment"],
            "creation_timestamp": now(),
            "last_updated_timestamp": now(),
            "available_actions": ["EDIT_COMMENT", "DELETE_COMMENT"],
        }
        self.comments[identity] = {
            **comment,
            "name": asked["name"],
            "version": str(asked["version"]),
        }
        text = (
            f"{call.user} commented on registered model '{asked['name']}' version "
            f"{asked['version']}."
        )
        self.webhooks.fire(
            ("COMMENT_CREATED",),
            asked["name"],
            version=str(asked["version"]),
            comment=asked["comment"],
            text=text,
        )
        return {"comment": comment}

    def _stage(self, name: str, version: str) -> str:
        found = self.mlflow.ask("GET", "model-versions/get", name=name, version=version)[
            "model_version"
        ]
        return str(found.get("current_stage") or "None")

    def _told(self, name: str, version: str, old: str, new: str) -> None:
        if old == new:
            return
        events = ["MODEL_VERSION_TRANSITIONED_STAGE"]
        if new != "None":
            events.append(f"MODEL_VERSION_TRANSITIONED_TO_{new.upper()}")
        text = f"Registered model '{name}' version {version} transitioned from {old} to {new}."
        self.webhooks.fire(
            tuple(events), name, version=version, to_stage=new, from_stage=old, text=text
        )

    def _experiment_exists(self, path: str) -> bool:
        try:
            self.mlflow.ask("GET", "experiments/get-by-name", experiment_name=path)
        except Refusal:
            return False
        return True


def no_such_endpoint(call: Call) -> Refusal:
    """The answer to a call of an endpoint that does not exist in this workspace."""
    rest = call.path.split("/", 3)[3] if call.path.count("/") > 2 else call.path.lstrip("/")
    return Refusal(404, "ENDPOINT_NOT_FOUND", f"No API found for '{call.method} /{rest}'")


def _parsed(answer: Answer) -> Any:
    return json.loads(answer.body if isinstance(answer.body, bytes) else b"".join(answer.body))


def _json(found: dict[str, Any]) -> Answer:
    return Answer(json.dumps(found).encode())
