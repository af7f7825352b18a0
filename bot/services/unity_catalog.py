"""Models in Unity Catalog, in the words of the other registries.

Nothing there has a stage, and nothing tells of itself: an alias says what
serves, and who wants to know of it asks. Names have three parts and are kept in
lower case, so that is how they are asked for and given. MLflow's own store makes
the calls, with credentials of its own (docs/decisions/0006).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from mlflow.entities.model_registry import ModelVersion as FoundVersion
from mlflow.exceptions import MlflowException
from mlflow.store._unity_catalog.registry.rest_store import UcModelRegistryStore
from mlflow.utils.rest_utils import MlflowHostCreds

from bot.errors import ServiceError
from bot.facts.model import ModelVersion, ServingVersion
from bot.services.mlflow import GONE, Mlflow
from bot.services.mlflow_artifacts import Artifacts, ask

_MODELS = "/api/2.1/unity-catalog/models"
_VERSIONS = "/api/2.0/mlflow/unity-catalog/model-versions"
_BY_FILES = (
    "/api/2.0/mlflow/unity-catalog/registered-models"
    ":is-databricks-sdk-models-artifact-repository-enabled"
)
_FILES = "/api/2.0/fs/files"
_DOWNLOAD = "/api/2.0/fs/create-download-url"
_NOT_IN_KEYS = str.maketrans(".,-=/:", "______")
"""What no key of a tag may hold (https://docs.databricks.com/en/database-objects/tags.html)."""


class UnityCatalog(Mlflow):
    """The models that a workspace sees in its Unity Catalog. `sign_in` gives a bearer token for
    each call.

    Keys of tags are written with `_` where Unity Catalog refuses what stands there, such as the
    dot.
    """

    def __init__(self, host: str, *, sign_in: Callable[[], str | None]) -> None:
        super().__init__(host, sign_in=sign_in, workspace=True)
        self._registry = _store(self._credentials)
        self._artifacts = _Files(self._credentials)

    def promoted(self, pattern: str, alias: str | None, stage: str | None) -> list[ServingVersion]:
        """For each model of that name (`*` stands for any characters): the version that has the
        alias.

        There are no stages. Raises ServiceError for a name that no model there can have.
        """
        if "*" not in pattern and not all(_parts(pattern)):
            raise ServiceError(
                "MLflow",
                f"Unity Catalog has no model {pattern}: names there have three parts, such as "
                "prod.ml.wine_model. Correct `model` in config/mlops.yml.",
            )
        if alias is not None:
            return super().promoted(pattern.lower(), alias, stage)
        return []

    def versions(self, name: str) -> list[ModelVersion]:
        """All versions of a model, without their tags, which a search there does not tell."""
        return super().versions(name.lower())

    @property
    def comments(self) -> bool:
        """No: versions in Unity Catalog have tags and a description, and nothing to comment
        with.
        """
        return False

    def archive_version(self, name: str, version: str, tags: Mapping[str, str]) -> None:
        """Let a version carry these tags; there is no stage to move it to."""
        allowed = {key.translate(_NOT_IN_KEYS): value for key, value in tags.items()}
        super().archive_version(name.lower(), version, allowed)

    def delete_version(self, name: str, version: str) -> None:
        """Delete a version with its aliases, and the model with its last one; what is gone is
        already deleted.
        """
        super().delete_version(name.lower(), version)

    def signature(self, name: str, version: str) -> str:
        """What a version takes and gives, as canonical JSON."""
        return super().signature(name.lower(), version)

    def same(self, one: str, other: str) -> bool:
        """Whether two names are those of one model."""
        return one.lower() == other.lower()

    def model_page(self, name: str, version: str) -> str:
        """Where people look at a version (mlflow/utils/databricks_utils.py)."""
        catalog, schema, model = (quote(part, safe="") for part in _parts(name.lower()))
        page = f"{self._address}/explore/data/models/{catalog}/{schema}/{model}"
        return f"{page}/version/{quote(version, safe='')}"

    def _registered(self, pattern: str) -> Iterator[Any]:
        names: Iterable[str] = [pattern]
        if "*" in pattern:
            names = self._names(pattern)
        for name in names:
            try:
                # A list tells no aliases
                # (https://github.com/databricks/databricks-sdk-py/issues/868).
                yield self._registry.get_registered_model(name)
            except MlflowException as error:
                if error.error_code not in GONE:
                    raise

    def _names(self, pattern: str) -> Iterator[str]:
        catalog, schema, model = _parts(pattern)
        if catalog and schema and model and "*" not in catalog + schema:
            names = self._names_in(catalog, schema)
        else:
            names = self._every_name()
        for name in names:
            if fnmatchcase(name, pattern):
                yield name

    def _names_in(self, catalog: str, schema: str) -> Iterator[str]:
        query = {"catalog_name": catalog, "schema_name": schema}
        while True:
            page = ask(self._credentials(), "GET", _MODELS, query)
            for model in page.get("registered_models") or ():
                yield str(model.get("full_name") or "").lower()
            # A page may be empty and not the last (databricks/sdk/service/catalog.py).
            token = str(page.get("next_page_token") or "")
            if not token:
                return
            query["page_token"] = token

    def _every_name(self) -> Iterator[str]:
        token: str | None = None
        while True:
            # MLflow's store refuses a filter: the endpoint has none.
            page = self._registry.search_registered_models(None, 100, None, token)
            yield from (str(model.name) for model in page)
            token = page.token
            if not token:
                return

    def _searched(self, condition: str, most: int) -> Iterator[Any]:
        for version in super()._searched(condition, most):
            # Without its files it cannot be loaded. And what MLflow gives here raises when it is
            # asked for its tags.
            if version.status == "READY":
                made = version.creation_timestamp
                yield FoundVersion(version.name, version.version, made, run_id=version.run_id)


def _store(credentials: Callable[[], MlflowHostCreds]) -> Any:
    """MLflow's own store, which would look for host and token in the environment of the process."""
    store: Any = UcModelRegistryStore("databricks-uc", "databricks")
    store.get_host_creds = store.get_tracking_host_creds = credentials
    store.spark = None
    return store


class _Files(Artifacts):
    """Files of versions, found where MLflow finds them
    (mlflow/store/artifact/unity_catalog_models_artifact_repo.py).

    Amazon's storage asks for a signature that needs Amazon's own client; there the workspace is
    asked for the file.
    """

    def __init__(self, credentials: Callable[[], MlflowHostCreds]) -> None:
        super().__init__(credentials, workspace=True)

    def of_version(self, name: str, version: str, path: str, most_bytes: int) -> bytes:
        """A file of a version. Raises ServiceError where it has more bytes."""
        file = f"/Models/{name.replace('.', '/')}/{version}/{path}"
        settings = ask(self._credentials(), "GET", _BY_FILES, {})
        if settings.get("is_databricks_sdk_models_artifact_repository_enabled"):
            return self._handed_out(_FILES + quote(file), {"path": path}, most_bytes)
        of_version = {"name": name, "version": version}
        reading = {**of_version, "operation": "MODEL_VERSION_OPERATION_READ"}
        answer = ask(
            self._credentials(), "POST", f"{_VERSIONS}/generate-temporary-credentials", reading
        )
        storage: dict[str, Any] = answer.get("credentials") or {}
        if storage.get("storage_mode") == "DEFAULT_STORAGE":
            answer = ask(self._credentials(), "POST", _DOWNLOAD, {"path": file})
            signed = {"signed_uri": answer.get("url"), "headers": answer.get("headers")}
            return self._stored(signed, path, most_bytes)
        answer = ask(self._credentials(), "GET", f"{_VERSIONS}/get-download-uri", of_version)
        folder = str(answer.get("artifact_uri") or "")
        stored = _addressed(f"{folder.rstrip('/')}/{path}", storage)
        if stored is None:
            return self._handed_out(_FILES + quote(file), {"path": path}, most_bytes)
        return self._stored(stored, path, most_bytes)


def _addressed(uri: str, storage: Mapping[str, Any]) -> dict[str, Any] | None:
    """How a file in cloud storage is asked for by HTTP; None where that takes more than an
    address.
    """
    parts = urlsplit(uri)
    path = quote(unquote(parts.path))
    match parts.scheme, storage:
        case "abfss", {"azure_user_delegation_sas": {"sas_token": str(sas)}}:
            # https://learn.microsoft.com/azure/storage/blobs/data-lake-storage-introduction-abfs-uri
            address = f"https://{parts.hostname}/{parts.username}{path}"
            return {"signed_uri": f"{address}?{sas.removeprefix('?')}"}
        case "gs", {"gcp_oauth_token": {"oauth_token": str(token)}}:
            return {
                "signed_uri": f"https://storage.googleapis.com/{parts.netloc}{path}",
                "headers": [{"name": "Authorization", "value": f"Bearer {token}"}],
            }
        case _:
            return None


def _parts(name: str) -> tuple[str, str, str]:
    """Catalog, schema and model; empty where the name does not have just these."""
    parts = name.split(".")
    if len(parts) == 3:
        return (parts[0], parts[1], parts[2])
    return ("", "", name)
