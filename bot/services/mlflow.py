"""MLflow: experiments, runs and registered models, at explicit addresses.

The process-global, fluent part of MLflow is not used: a worker speaks to more
than one server and must not let two passes share an active run. A call that is
not answered within seconds is given up; the queue looks again.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any, Literal
from urllib.parse import quote

# MLflow's own defaults keep a call to a dead server alive for four minutes (measured: 247 s). And
# it repeats calls that create something, so that an answer lost on its way becomes two runs.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "15")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import yaml
from mlflow.entities import ExperimentTag, Metric, Run, RunStatus, RunTag, ViewType
from mlflow.entities.model_registry import ModelVersionTag
from mlflow.exceptions import MlflowException
from mlflow.store.model_registry.rest_store import RestStore as RegistryStore
from mlflow.store.tracking.rest_store import RestStore as TrackingStore
from mlflow.utils.rest_utils import MlflowHostCreds

from bot.errors import NotFound, ServiceError
from bot.facts.model import ModelVersion, ServingVersion
from bot.services.mlflow_artifacts import Artifacts

LONGEST_MLMODEL = 256 * 1024
"""Bytes; enough for a signature of five thousand columns."""


@dataclass(frozen=True)
class MlflowRun:
    """An MLflow run: `status` in MLflow's words, `metrics` the last value of each, `parameters` as
    they were logged.
    """

    id: str
    experiment: str
    status: str
    started: datetime
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Experiment:
    """An MLflow experiment that is not deleted."""

    id: str
    tags: Mapping[str, str]


RunEnd = Literal["FINISHED", "FAILED", "KILLED"]

_LARGEST_BATCH = 1000
"""Metrics in one call (mlflow/utils/validation.py, MAX_METRICS_PER_BATCH)."""

GONE = ("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND")
"""The codes of what is not there."""


class Mlflow:
    """A tracking server and registry at one address.

    `sign_in` gives a bearer token for each call (None: no authentication);
    `workspace` tells that the address is a Databricks workspace, whose pages and
    experiment folders differ.
    """

    def __init__(self, address: str, *, sign_in: Callable[[], str | None], workspace: bool) -> None:
        self._address = address.rstrip("/")
        self.workspace = workspace

        def credentials() -> MlflowHostCreds:
            token = sign_in() or os.environ.get("MLFLOW_TRACKING_TOKEN")
            if workspace:
                return MlflowHostCreds(self._address, token=token)
            return MlflowHostCreds(
                self._address,
                token=token,
                username=os.environ.get("MLFLOW_TRACKING_USERNAME"),
                password=os.environ.get("MLFLOW_TRACKING_PASSWORD"),
            )

        self._credentials = credentials
        self._tracking = TrackingStore(credentials)
        self._registry: Any = RegistryStore(credentials)
        self._artifacts = Artifacts(credentials, workspace=workspace)

    # -- runs

    def experiment(self, name: str) -> Experiment | None:
        """An experiment by its name; None when there is none, or only a deleted one."""
        experiment = self._experiment(name)
        if experiment and experiment.lifecycle_stage == "active":
            return _experiment(experiment)
        return None

    def make_experiment(self, name: str, tags: Mapping[str, str]) -> str:
        """The id of an experiment that carries these tags; created, or brought back if it was
        deleted.

        On Databricks its parent folder must exist.
        """
        experiment = self._experiment(name)
        if experiment is None:
            with _sentences(f"create experiment {name}"):
                try:
                    own = [ExperimentTag(key, value) for key, value in tags.items()]
                    return str(self._tracking.create_experiment(name, tags=own))
                except MlflowException as error:
                    if error.error_code != "RESOURCE_ALREADY_EXISTS":
                        raise
            return self.make_experiment(name, tags)
        if experiment.lifecycle_stage != "active":
            with _sentences(f"restore experiment {name}"):
                self._tracking.restore_experiment(experiment.experiment_id)
        self.tag_experiment(_experiment(experiment), tags)
        return str(experiment.experiment_id)

    def experiments(self, tags: Mapping[str, str]) -> list[Experiment]:
        """All experiments that carry these tags."""
        experiments: list[Experiment] = []
        token: str | None = None
        with _sentences("search experiments"):
            while True:
                page = self._tracking.search_experiments(
                    ViewType.ACTIVE_ONLY, 1000, _tagged(tags), None, token
                )
                experiments += [_experiment(experiment) for experiment in page]
                token = page.token
                if not token:
                    return experiments

    def tag_experiment(self, experiment: Experiment, tags: Mapping[str, str]) -> None:
        """Let an experiment carry these tags too."""
        with _sentences(f"tag experiment {experiment.id}"):
            for key, value in tags.items():
                if experiment.tags.get(key) != value:
                    self._tracking.set_experiment_tag(experiment.id, ExperimentTag(key, value))

    def delete_experiment(self, experiment: str) -> None:
        """Put an experiment where `make_experiment` can bring it back from; one that is gone is
        already there.
        """
        with _sentences(f"delete experiment {experiment}"), _gone_is_fine():
            self._tracking.delete_experiment(experiment)

    def _experiment(self, name: str) -> Any:
        with _sentences(f"show experiment {name}"):
            try:
                return self._tracking.get_experiment_by_name(name)
            except MlflowException as error:
                if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                    return None
                raise

    def runs(self, experiment: str, tags: Mapping[str, str]) -> list[MlflowRun]:
        """All runs of an experiment that carry these tags, the newest first."""
        runs: list[MlflowRun] = []
        token: str | None = None
        with _sentences("search runs"):
            while True:
                page, token = self._tracking._search_runs(
                    [experiment],
                    _tagged(tags),
                    ViewType.ACTIVE_ONLY,
                    1000,
                    ["attributes.start_time DESC"],
                    token,
                )
                runs += [_record(run) for run in page]
                if not token:
                    return runs

    def logged(self, experiment: str, tags: Mapping[str, str], most: int) -> list[MlflowRun]:
        """The newest runs of an experiment that carry these tags, at most so many, the newest
        first; one call.
        """
        with _sentences("search runs"):
            page, _ = self._tracking._search_runs(
                [experiment],
                _tagged(tags),
                ViewType.ACTIVE_ONLY,
                most,
                ["attributes.start_time DESC"],
                None,
            )
        return [_record(run) for run in page][:most]

    def start(self, experiment: str, name: str, started: datetime, tags: Mapping[str, str]) -> str:
        """Create a run; gives its id."""
        with _sentences("create a run"):
            run = self._tracking.create_run(
                experiment,
                tags.get("mlflow.user", "signalman"),
                int(started.timestamp() * 1000),
                [RunTag(key, value) for key, value in tags.items()],
                name,
            )
        return str(run.info.run_id)

    def record(
        self, run: str, metrics: Mapping[str, float], tags: Mapping[str, str], at: datetime
    ) -> None:
        """Let a run that was started hold these metrics and have ended; its tags come last, as the
        sign of it.
        """
        moment = int(at.timestamp() * 1000)
        logged = [Metric(key, value, moment, 0) for key, value in metrics.items()]
        with _sentences("record a run"):
            for start in range(0, len(logged), _LARGEST_BATCH):
                batch = logged[start : start + _LARGEST_BATCH]
                self._tracking.log_batch(run, metrics=batch, params=[], tags=[])
        self.end(run, "FINISHED", at)
        self.tag(run, tags)

    def run(self, run: str) -> MlflowRun:
        """A run with its metrics and tags. Raises NotFound."""
        with _sentences(f"show run {run}"):
            return _record(self._tracking.get_run(run))

    def tag(self, run: str, tags: Mapping[str, str]) -> None:
        """Set tags on a run, one call for all of them."""
        run_tags = [RunTag(key, value) for key, value in tags.items()]
        with _sentences(f"tag run {run}"):
            self._tracking.log_batch(run, metrics=[], params=[], tags=run_tags)

    def end(self, run: str, status: RunEnd, ended: datetime) -> None:
        """Let a run show how it really ended."""
        with _sentences(f"close run {run}"):
            self._tracking.update_run_info(
                run, RunStatus.from_string(status), int(ended.timestamp() * 1000), None
            )

    def delete_run(self, run: str) -> None:
        """Take a run out of sight; one that is gone already stays so."""
        with _sentences(f"delete run {run}"), _gone_is_fine():
            self._tracking.delete_run(run)

    # -- files

    def pictures(self, run: str, most_bytes: int) -> list[str]:
        """The paths of a run's PNG files of at most so many bytes, those of upper folders first.

        A search that would take too many calls gives what it has found.
        """
        with _sentences(f"list the files of run {run}"):
            return self._artifacts.pictures(run, most_bytes)

    def artifact(self, run: str, path: str, most_bytes: int) -> bytes:
        """A file of a run. Raises NotFound, and ServiceError where it has more bytes."""
        with _sentences(f"read {path} of run {run}"):
            return self._artifacts.of_run(run, path, most_bytes)

    def signature(self, name: str, version: str) -> str:
        """What a registered version takes and gives, as canonical JSON; empty when it does not say
        so.

        Raises ServiceError while nobody can tell: a model is not to be refused for that.
        """
        try:
            with _sentences(f"read the signature of {name} v{version}"):
                mlmodel = self._artifacts.of_version(name, version, "MLmodel", LONGEST_MLMODEL)
                return _signature(mlmodel)
        except ServiceError as trouble:
            if trouble.status is None or trouble.status >= 500:
                raise
            return ""

    # -- registered models

    def registered_by(self, run: str) -> tuple[str, str] | None:
        """Name and version of the newest model version that a run registered; None when it
        registered none.
        """
        with _sentences(f"search the model versions of run {run}"):
            versions = list(self._searched(f"run_id = '{_quoted(run)}'", 100))
        newest = max(versions, key=_number, default=None)
        if newest:
            return (newest.name, str(newest.version))
        return None

    def promoted(self, pattern: str, alias: str | None, stage: str | None) -> list[ServingVersion]:
        """For each registered model of that name (`*` stands for any characters): the version
        promoted by alias, or else the newest in the stage. All pages.
        """
        promoted: list[ServingVersion] = []
        with _sentences(f"search the models {pattern}"):
            for model in self._registered(pattern):
                promoted += self._serving(model, alias, stage)
        return promoted

    def same(self, one: str, other: str) -> bool:
        """Whether two names are those of one model."""
        return one == other

    def versions(self, name: str) -> list[ModelVersion]:
        """All versions of a registered model; none of one that is not there."""
        with _sentences(f"search the versions of {name}"):
            try:
                # A search tells no aliases (measured with MLflow 3); the model does.
                aliases = self._registry.get_registered_model(name).aliases or {}
            except MlflowException as error:
                if error.error_code in GONE:
                    return []
                raise
            return [
                _version(version, aliases)
                for version in self._searched(f"name = '{_quoted(name)}'", 1000)
                if version.name == name
            ]

    def version(self, name: str, version: str) -> ModelVersion | None:
        """A version as it is now, without its aliases; None when it is not there. One call."""
        try:
            with _sentences(f"show {name} v{version}"):
                read = self._registry.get_model_version(name, version)
        except NotFound:
            return None
        return replace(_version(read, {}), status=str(read.status or ""))

    def tag_version(self, name: str, version: str, tags: Mapping[str, str]) -> None:
        """Let a version carry these tags too; one call each. Raises ServiceError with status 403
        where it may not.
        """
        try:
            with _sentences(f"tag {name} v{version}"):
                for key, value in tags.items():
                    self._registry.set_model_version_tag(name, version, ModelVersionTag(key, value))
        except ServiceError as refused:
            cause = refused.__cause__
            if isinstance(cause, MlflowException) and cause.error_code == "PERMISSION_DENIED":
                raise ServiceError(
                    "MLflow", f"{refused} The bot needs that permission.", status=403
                ) from refused
            raise

    @property
    def comments(self) -> bool:
        """Whether people can comment on its versions, which they can in the registry of a workspace
        only.
        """
        return self.workspace

    def archive_version(self, name: str, version: str, tags: Mapping[str, str]) -> None:
        """Move a version to the stage Archived, where the registry has stages, and let it carry
        these tags.
        """
        with _sentences(f"archive {name} v{version}"), _gone_is_fine():
            for key, value in tags.items():
                self._registry.set_model_version_tag(name, version, ModelVersionTag(key, value))
            try:
                self._registry.transition_model_version_stage(name, version, "Archived", False)
            except MlflowException as error:
                # Unity Catalog has none
                # (https://mlflow.org/docs/latest/ml/model-registry/#migrating-from-stages).
                if "stage" not in str(error).lower():
                    raise

    def delete_version(self, name: str, version: str) -> None:
        """Delete a version, and the registered model with its last one; what is gone is already
        deleted.
        """
        with _sentences(f"delete {name} v{version}"), _gone_is_fine():
            self._registry.delete_model_version(name, version)
        if not self.versions(name):
            with _sentences(f"delete {name}"), _gone_is_fine():
                self._registry.delete_registered_model(name)

    def _registered(self, pattern: str) -> Iterator[Any]:
        condition = f"name = '{_quoted(pattern)}'"
        if "*" in pattern:
            like = pattern.replace("*", "%")
            condition = f"name LIKE '{_quoted(like)}'"
        # An underscore means any character to LIKE; the pattern means itself.
        itself = pattern.replace("[", "[[]")
        token: str | None = None
        while True:
            page = self._registry.search_registered_models(condition, 100, None, token)
            yield from (model for model in page if fnmatchcase(model.name, itself))
            token = page.token
            if not token:
                return

    def _searched(self, condition: str, most: int) -> Iterator[Any]:
        token: str | None = None
        while True:
            page = self._registry.search_model_versions(condition, most, None, token)
            yield from page
            token = page.token
            if not token:
                return

    def _serving(
        self, model: Any, alias: str | None, stage: str | None
    ) -> Iterator[ServingVersion]:
        number = None
        if alias:
            number = (model.aliases or {}).get(alias)
        if number is not None:
            version = self._registry.get_model_version(model.name, number)
            yield _serving(version, f"alias {alias}", by_alias=True)
            return
        if not stage:
            return
        latest = model.latest_versions or ()
        staged = [version for version in latest if version.current_stage == stage]
        if staged:
            yield _serving(max(staged, key=_number), f"stage {stage}", by_alias=False)

    # -- pages for people

    def run_page(self, experiment: str, run: str) -> str:
        """Where people look at a run."""
        if self.workspace:
            path = f"ml/experiments/{experiment}/runs/{run}"
        else:
            path = f"#/experiments/{experiment}/runs/{run}"
        return f"{self._address}/{path}"

    def model_page(self, name: str, version: str) -> str:
        """Where people look at a model version."""
        named = quote(name, safe="")
        if self.workspace:
            path = f"ml/models/{named}/versions/{version}"
        else:
            path = f"#/models/{named}/versions/{version}"
        return f"{self._address}/{path}"


def _experiment(experiment: Any) -> Experiment:
    return Experiment(str(experiment.experiment_id), dict(experiment.tags or {}))


def _tagged(tags: Mapping[str, str]) -> str:
    return " and ".join(f"tags.`{key}` = '{_quoted(value)}'" for key, value in tags.items())


def _record(run: Run) -> MlflowRun:
    return MlflowRun(
        id=run.info.run_id,
        experiment=run.info.experiment_id,
        status=run.info.status,
        started=datetime.fromtimestamp((run.info.start_time or 0) / 1000, UTC),
        metrics=dict(run.data.metrics),
        tags=dict(run.data.tags),
        parameters=dict(run.data.params),
    )


def _signature(mlmodel: bytes) -> str:
    # The file is written by the code of a pull request. Of PyYAML's loaders only this one neither
    # runs out of stack in C, nor of memory by merged keys.
    try:
        described = yaml.BaseLoader(mlmodel).get_single_data()
        signature = None
        if isinstance(described, dict):
            signature = described.get("signature")
        if not isinstance(signature, dict):
            return ""
        columns = {}
        for key in ("inputs", "outputs"):
            text = signature.get(key)
            if isinstance(text, str) and (read := json.loads(text)) is not None:
                columns[key] = read
        if columns:
            return json.dumps(columns, sort_keys=True, separators=(",", ":"))
        return ""
    except (yaml.YAMLError, ValueError, RecursionError):
        return ""


def _number(version: Any) -> int:
    return int(version.version)


def _version(version: Any, aliases: Mapping[str, Any]) -> ModelVersion:
    """A version in our terms; `aliases` are its model's, with the number that each stands for."""
    number = str(version.version)
    return ModelVersion(
        name=version.name,
        version=number,
        run=str(version.run_id or ""),
        stage=str(version.current_stage or ""),
        aliases=tuple(alias for alias, named in aliases.items() if str(named) == number),
        tags=dict(version.tags or {}),
    )


def _serving(version: Any, promoted_by: str, *, by_alias: bool) -> ServingVersion:
    return ServingVersion(
        name=version.name,
        version=str(version.version),
        run=str(version.run_id or ""),
        promoted_by=promoted_by,
        updated=int(version.last_updated_timestamp or version.creation_timestamp or 0),
        by_alias=by_alias,
    )


def _quoted(text: str) -> str:
    # MLflow's filters have no escape for a quote inside quotes; a text that holds one matches
    # nothing.
    return text.replace("'", "")


@contextmanager
def _gone_is_fine() -> Iterator[None]:
    try:
        yield
    except MlflowException as error:
        if error.error_code not in GONE:
            raise


@contextmanager
def _sentences(what: str) -> Iterator[None]:
    try:
        yield
    except MlflowException as error:
        reason = " ".join(str(error).split())[:300]
        if error.error_code in GONE:
            raise NotFound("MLflow", f"MLflow could not {what}: {reason}", status=404) from error
        raise ServiceError("MLflow", f"MLflow could not {what}: {reason}") from error
