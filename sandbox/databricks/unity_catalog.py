"""The models of the stand-in workspace's Unity Catalog: names of three parts, versions, aliases and
tags.

It answers what MLflow's own store calls (mlflow/store/_unity_catalog/registry/
rest_store.py), in MLflow's messages, and the list of databricks-sdk. It shares
nothing with the workspace registry, and tells nobody of anything: Unity Catalog
has neither stages nor webhooks.
"""

import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sandbox.databricks.catalog_files import CatalogFiles
from sandbox.databricks.wire import Call, Handler, Refusal, missing, now

BELOW = "/api/2.0/mlflow/unity-catalog/"
MODELS = "/api/2.1/unity-catalog/models"
SCHEMAS = ("dev.ml", "prod.ml")
INVALID, GONE, TAKEN = (
    "INVALID_PARAMETER_VALUE",
    "RESOURCE_DOES_NOT_EXIST",
    "RESOURCE_ALREADY_EXISTS",
)
LONGEST_NAME = 255
MOST_TAGS = 50
PAGE = 100


@dataclass
class Version:
    """A version; without its files it is pending."""

    number: int
    run: str = ""
    source: str = ""
    description: str = ""
    user: str = ""
    ready: bool = False
    tags: dict[str, str] = field(default_factory=dict)
    created: int = field(default_factory=now)
    updated: int = field(default_factory=now)


@dataclass
class Model:
    """A registered model. A number is given once, also when its version is deleted."""

    name: str
    description: str = ""
    user: str = ""
    versions: dict[str, Version] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    given: int = 0
    created: int = field(default_factory=now)
    updated: int = field(default_factory=now)


class UnityCatalog:
    """The catalogs and schemas that `schemas` names, as `catalog.schema`; the files of versions are
    with `files`.
    """

    def __init__(self, files: CatalogFiles, schemas: Iterable[str] = SCHEMAS) -> None:
        self.models: dict[str, Model] = {}
        self.files = files
        self._schemas = set(schemas)
        self._lock = threading.RLock()
        models, versions = f"{BELOW}registered-models", f"{BELOW}model-versions"
        self._routes: dict[tuple[str, str], Handler] = {
            ("POST", f"{models}/create"): self._create_model,
            ("GET", f"{models}/get"): lambda call: {
                "registered_model": self._shown(self._model(call.asked()))
            },
            ("GET", f"{models}/search"): self._search_models,
            ("PATCH", f"{models}/update"): self._update_model,
            ("DELETE", f"{models}/delete"): self._delete_model,
            ("POST", f"{models}/alias"): self._set_alias,
            ("GET", f"{models}/alias"): self._get_by_alias,
            ("DELETE", f"{models}/alias"): self._delete_alias,
            ("POST", f"{models}/set-tag"): lambda call: _tag(
                self._model(call.asked()), call.asked()
            ),
            ("DELETE", f"{models}/delete-tag"): lambda call: _untag(
                self._model(call.asked()), call.asked()
            ),
            ("GET", f"{models}:is-databricks-sdk-models-artifact-repository-enabled"): lambda _: {},
            ("POST", f"{versions}/create"): self._create_version,
            ("GET", f"{versions}/get"): self._get_version,
            ("GET", f"{versions}/search"): self._search_versions,
            ("PATCH", f"{versions}/update"): self._update_version,
            ("DELETE", f"{versions}/delete"): self._delete_version,
            ("POST", f"{versions}/finalize"): self._finalize,
            ("POST", f"{versions}/set-tag"): lambda call: _tag(
                self._version(call.asked())[1], call.asked()
            ),
            ("DELETE", f"{versions}/delete-tag"): lambda call: _untag(
                self._version(call.asked())[1], call.asked()
            ),
            ("POST", f"{versions}/generate-temporary-credentials"): self._credentials,
            ("GET", f"{versions}/get-download-uri"): self._download_uri,
            ("GET", MODELS): self._list_models,
        }

    def handler(self, call: Call) -> Handler | None:
        """What answers a call, if anything does."""
        found = self._routes.get((call.method, call.path))
        return None if found is None else lambda asked: self._alone(found, asked)

    # -- what people do

    def register(self, name: str, run: str = "", **files: bytes) -> str:
        """Do what a training does that registers a model: a new version with these files; gives its
        number.
        """
        with self._lock:
            model = self.models.get(name.lower()) or self._create(name)
            version = self._add(model, run=run, source=f"dbfs:/runs/{run}/model")
            self.files.put(model.name, version.number, files)
            version.ready = True
            return str(version.number)

    def set_alias(self, name: str, alias: str, version: str) -> None:
        """Do what a person does who moves an alias on the model's page."""
        with self._lock:
            self.models[name.lower()].aliases[alias] = version

    # -- models

    def _create_model(self, call: Call) -> dict[str, Any]:
        asked = call.json()
        model = self._create(_needed(asked, "name"))
        model.user, model.description = call.user, str(asked.get("description") or "")
        for tag in asked.get("tags") or ():
            _tag(model, tag)
        return {"registered_model": self._shown(model)}

    def _create(self, name: str) -> Model:
        full = self._checked(name)
        if full in self.models:
            raise Refusal(400, TAKEN, f"Routine or Model '{full.rsplit('.', 1)[1]}' already exists")
        self.models[full] = Model(full)
        return self.models[full]

    def _update_model(self, call: Call) -> dict[str, Any]:
        asked, model = call.json(), self._model(call.json())
        model.description, model.updated = str(asked.get("description") or model.description), now()
        if asked.get("new_name"):
            raise Refusal(501, "NOT_IMPLEMENTED", "Models are not renamed in this stand-in.")
        return {"registered_model": self._shown(model)}

    def _delete_model(self, call: Call) -> dict[str, Any]:
        model = self._model(call.asked())
        for number in model.versions:
            self.files.remove(model.name, number)
        del self.models[model.name]
        return {}

    def _search_models(self, call: Call) -> dict[str, Any]:
        asked = call.asked()
        shown = [self._shown(model, alone=False) for _, model in sorted(self.models.items())]
        return _page("registered_models", shown, asked)

    def _list_models(self, call: Call) -> dict[str, Any]:
        catalog, schema = call.query.get("catalog_name", ""), call.query.get("schema_name", "")
        if bool(catalog) != bool(schema):
            raise Refusal(400, INVALID, "catalog_name and schema_name must be specified together.")
        if catalog:
            self._known(catalog.lower(), schema.lower())
        found = []
        for full, model in sorted(self.models.items()):
            parts = dict(zip(("catalog_name", "schema_name", "name"), full.split("."), strict=True))
            if not catalog or full.startswith(f"{catalog}.{schema}.".lower()):
                found.append(
                    {
                        **parts,
                        "full_name": full,
                        "created_at": model.created,
                        "updated_at": model.updated,
                    }
                )
        return _page("registered_models", found, call.asked(), default=10_000 if catalog else PAGE)

    # -- aliases

    def _set_alias(self, call: Call) -> dict[str, Any]:
        model, version = self._version(call.json())
        alias = _needed(call.json(), "alias")
        if alias.lower() == "latest" or re.fullmatch(r"v\d+", alias, re.IGNORECASE):
            raise Refusal(400, INVALID, f"'{alias}' alias name (case insensitive) is reserved.")
        model.aliases[alias] = str(version.number)
        return {}

    def _get_by_alias(self, call: Call) -> dict[str, Any]:
        model, alias = self._model(call.asked()), _needed(call.asked(), "alias")
        if alias not in model.aliases:
            raise Refusal(404, GONE, f"Alias {alias} not found")
        return {"model_version": self._shown_version(model, model.versions[model.aliases[alias]])}

    def _delete_alias(self, call: Call) -> dict[str, Any]:
        self._model(call.asked()).aliases.pop(_needed(call.asked(), "alias"), None)
        return {}

    # -- versions

    def _create_version(self, call: Call) -> dict[str, Any]:
        asked = call.json()
        model = self._model(asked)
        version = self._add(
            model, run=str(asked.get("run_id") or ""), source=_needed(asked, "source")
        )
        version.user, version.description = call.user, str(asked.get("description") or "")
        for tag in asked.get("tags") or ():
            _tag(version, tag)
        return {"model_version": self._shown_version(model, version)}

    def _add(self, model: Model, *, run: str, source: str) -> Version:
        model.given += 1
        version = model.versions[str(model.given)] = Version(model.given, run=run, source=source)
        return version

    def _get_version(self, call: Call) -> dict[str, Any]:
        return {"model_version": self._shown_version(*self._version(call.asked()))}

    def _finalize(self, call: Call) -> dict[str, Any]:
        model, version = self._version(call.json())
        version.ready, version.updated = True, now()
        return {"model_version": self._shown_version(model, version)}

    def _update_version(self, call: Call) -> dict[str, Any]:
        model, version = self._version(call.json())
        version.description, version.updated = str(call.json().get("description") or ""), now()
        return {"model_version": self._shown_version(model, version)}

    def _delete_version(self, call: Call) -> dict[str, Any]:
        model, version = self._version(call.asked())
        del model.versions[str(version.number)]
        model.aliases = {
            alias: number
            for alias, number in model.aliases.items()
            if number != str(version.number)
        }
        self.files.remove(model.name, version.number)
        return {}

    def _search_versions(self, call: Call) -> dict[str, Any]:
        """By the name of a model or by a run, and by nothing else."""
        wanted = re.fullmatch(
            r"\s*(name|run_id)\s*=\s*(['\"])([^'\"]*)\2\s*", call.asked().get("filter") or ""
        )
        if wanted is None:
            raise Refusal(
                400, INVALID, "Unsupported filter. Please specify your filter parameter in the format "  # noqa: E501 a table, or a text as it is sent
                "`name = 'model_name'` or `run_id = 'run_id'`.",
            )  # fmt: skip
        models = list(self.models.values())
        if wanted[1] == "name":
            models = [self._model({"name": wanted[3]})]
        shown = [
            self._shown_version(model, version, alone=False)
            for model in models
            for version in reversed(model.versions.values())
            if wanted[1] == "name" or version.run == wanted[3]
        ]
        return _page("model_versions", shown, call.asked())

    def _credentials(self, call: Call) -> dict[str, Any]:
        """The files lie where Databricks keeps them by itself; they are asked for one by one
        (`CatalogFiles`).
        """
        self._version(call.json())
        return {
            "credentials": {"storage_mode": "DEFAULT_STORAGE", "expiration_time": now() + 3_600_000}
        }

    def _download_uri(self, call: Call) -> dict[str, Any]:
        return {"artifact_uri": _location(*self._version(call.asked()))}

    # -- what is asked for, and how it is shown

    def _alone(self, handler: Handler, call: Call) -> Any:
        with self._lock:
            return handler(call)

    def _checked(self, name: str) -> str:
        """A name in lower case.
        https://docs.databricks.com/sql/language-manual/sql-ref-names.html
        """
        parts = name.lower().split(".")
        if len(parts) != 3 or not all(parts):
            raise Refusal(
                400, INVALID, "Bad model name: please specify all three levels of the model in the form "  # noqa: E501 a table, or a text as it is sent
                "`catalog_name.schema_name.model_name`",
            )  # fmt: skip
        if any(len(part) > LONGEST_NAME or re.search(r"[ /\x00-\x1f\x7f]", part) for part in parts):
            raise Refusal(
                400, INVALID, f"Invalid input: the name '{parts[2]}' is not a valid name."
            )
        self._known(parts[0], parts[1])
        return ".".join(parts)

    def _known(self, catalog: str, schema: str) -> None:
        if not any(one.startswith(f"{catalog}.") for one in self._schemas):
            raise Refusal(404, "CATALOG_DOES_NOT_EXIST", f"Catalog '{catalog}' does not exist.")
        if f"{catalog}.{schema}" not in self._schemas:
            raise Refusal(
                404, "SCHEMA_DOES_NOT_EXIST", f"Schema '{catalog}.{schema}' does not exist."
            )

    def _model(self, asked: dict[str, Any]) -> Model:
        full = self._checked(_needed(asked, "name"))
        if full not in self.models:
            raise Refusal(404, GONE, f"Routine or Model '{full}' does not exist.")
        return self.models[full]

    def _version(self, asked: dict[str, Any]) -> tuple[Model, Version]:
        model, number = self._model(asked), _needed(asked, "version")
        if number not in model.versions:
            raise Refusal(404, GONE, f"Model version '{number}' of '{model.name}' does not exist.")
        return model, model.versions[number]

    def _shown(self, model: Model, *, alone: bool = True) -> dict[str, Any]:
        """A model as it is shown; in a list without aliases and tags."""
        shown: dict[str, Any] = {
            "name": model.name,
            "creation_timestamp": model.created,
            "last_updated_timestamp": model.updated,
            "user_id": model.user,
            "description": model.description,
        }
        if alone:
            shown["aliases"] = [
                {"alias": alias, "version": number} for alias, number in model.aliases.items()
            ]
            shown["tags"] = _tags(model)
        return shown

    def _shown_version(
        self, model: Model, version: Version, *, alone: bool = True
    ) -> dict[str, Any]:
        """A version as it is shown; in a list without aliases and tags."""
        shown: dict[str, Any] = {
            "name": model.name,
            "version": str(version.number),
            "creation_timestamp": version.created,
            "last_updated_timestamp": version.updated,
            "user_id": version.user,
            "description": version.description,
            "source": version.source,
            "run_id": version.run,
            "status": "READY" if version.ready else "PENDING_REGISTRATION",
            "storage_location": _location(model, version),
        }
        if alone:
            here = (
                alias for alias, number in model.aliases.items() if number == str(version.number)
            )
            shown["aliases"] = [{"alias": alias, "version": str(version.number)} for alias in here]
            shown["tags"] = _tags(version)
        return shown


def _location(model: Model, version: Version) -> str:
    return f"abfss://metastore@contoso.dfs.core.windows.net/models/{model.name.replace('.', '/')}/{version.number}"  # noqa: E501 a table, or a text as it is sent


def _needed(asked: dict[str, Any], name: str) -> str:
    if not asked.get(name):
        raise missing(name)
    return str(asked[name])


def _tags(of: Model | Version) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in of.tags.items()]


def _tag(on: Model | Version, asked: dict[str, Any]) -> dict[str, Any]:
    """Set a tag. https://docs.databricks.com/en/database-objects/tags.html#constraint"""
    key = _needed(asked, "key")
    if re.search(r"[.,\-=/:]", key) or len(key) > LONGEST_NAME:
        raise Refusal(
            400,
            INVALID,
            f"Tag key '{key}' is invalid: it contains one of the characters . , - = / :",
        )
    if key not in on.tags and len(on.tags) >= MOST_TAGS:
        raise Refusal(400, INVALID, f"A securable can have at most {MOST_TAGS} tags.")
    on.tags[key], on.updated = str(asked.get("value") or ""), now()
    return {}


def _untag(on: Model | Version, asked: dict[str, Any]) -> dict[str, Any]:
    on.tags.pop(_needed(asked, "key"), None)
    return {}


def _page(
    name: str, found: list[dict[str, Any]], asked: dict[str, Any], default: int = PAGE
) -> dict[str, Any]:
    start, size = int(asked.get("page_token") or 0), int(asked.get("max_results") or default)
    more = {"next_page_token": str(start + size)} if start + size < len(found) else {}
    return {name: found[start : start + size]} | more
