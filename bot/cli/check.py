"""`check`: everything that can be said of the configuration without asking anybody."""

import json
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bot import job_definitions, own_templates
from bot.backends import cluster, project
from bot.config import environment, yaml_file
from bot.config.deployment import Deployment
from bot.config.environment import UNITY_CATALOG
from bot.config.repository import MLOPS_FILE, Job, Mlops
from bot.config.yaml_file import Shape
from bot.errors import ConfigError, ProjectError
from bot.facts.branch import JobDefinition, SourceFile, is_notebook
from bot.rules.branch import sync
from bot.services.job_fields import job_fields
from bot.words import branch

SCHEMAS: dict[str, type[Shape]] = {"bot.schema.json": Deployment, "mlops.schema.json": Mlops}


def mistakes(root: Path) -> Iterator[str]:
    """One sentence per mistake in the configuration files of a checkout and in what they name."""
    yield from _in_deployment(root)
    try:
        mlops = yaml_file.parse(Mlops, (root / MLOPS_FILE).read_text(encoding="utf-8"), MLOPS_FILE)
    except FileNotFoundError:
        yield f"{MLOPS_FILE} is missing."
        return
    except ConfigError as error:
        yield str(error)
        return
    if os.environ.get("MLFLOW_REGISTRY_URI") == UNITY_CATALOG:
        yield from _not_in_unity_catalog(mlops)
    yield from _in_projects(root, mlops)
    yield from _in_jobs_and_folders(root, mlops)


def _in_deployment(root: Path) -> Iterator[str]:
    file = root / (os.environ.get("BOT_CONFIG") or "config/bot.yml")
    try:
        # Whether the variables it refers to are set is for the start to say.
        deployment = environment.deployed(file, lambda name: os.environ.get(name) or f"<{name}>")
        if deployment.templates is not None:
            own_templates.read(root / deployment.templates)
    except ConfigError as error:
        yield str(error)


def _in_projects(root: Path, mlops: Mlops) -> Iterator[str]:
    for number, configured in enumerate(mlops.projects):
        folder = root / configured.path
        try:
            project.read(folder)
            if (configured.backend or mlops.backend) != "local":
                cluster.cluster(folder, configured.cluster)
        except ProjectError as error:
            yield f"{MLOPS_FILE}: projects[{number}]: {error}"


def _in_jobs_and_folders(root: Path, mlops: Mlops) -> Iterator[str]:
    """What is wrong with the jobs that are defined, and with the files that would lie beside
    them.
    """
    shorts = []
    for number, job in enumerate(mlops.jobs):
        try:
            if job.notebook is not None:
                shorts.append(_short(root, job))
        except ProjectError as error:
            yield f"{MLOPS_FILE}: jobs[{number}]: {error}"
    files = tuple(_files(root, mlops))
    _, faults = sync.placed(mlops.folders, files)
    yield from map(branch.object_fault, faults.values())
    try:
        definitions = job_definitions.read(_definitions(root, mlops), mlops, job_fields())
        jobs = job_definitions.together(definitions, shorts, mlops)
    except ConfigError as error:
        yield from str(error).splitlines()
        return
    if files:
        yield from job_definitions.absent(jobs.values(), mlops.folders, files)


def _not_in_unity_catalog(mlops: Mlops) -> Iterator[str]:
    for key, name in _models(mlops):
        if name is not None and name.count(".") != 2:
            yield (
                f"{MLOPS_FILE}: {key} is {name}; MLFLOW_REGISTRY_URI is {UNITY_CATALOG}, and names "
                "in Unity Catalog have three parts, such as prod.ml.wine_model."
            )


def _models(mlops: Mlops) -> Iterator[tuple[str, str | None]]:
    """The models that the file names outright, each with the key that names it."""
    for number, configured in enumerate(mlops.projects):
        yield f"projects[{number}].model", configured.model
        if configured.retrain is not None:
            yield f"projects[{number}].retrain.model", configured.retrain.model
    for number, job in enumerate(mlops.jobs):
        if "*" not in job.model:
            yield f"jobs[{number}].model", job.model


def schemas() -> dict[str, str]:
    """File name -> JSON Schema, for editors."""
    return {
        name: json.dumps(shape.model_json_schema(by_alias=True), indent=2) + "\n"
        for name, shape in SCHEMAS.items()
    }


def _short(root: Path, job: Job) -> JobDefinition:
    if job.project is None:
        return job_definitions.short(job)
    folder = root / job.project
    return job_definitions.short(job, project.read(folder).libraries, cluster.cluster(folder))


def _definitions(root: Path, mlops: Mlops) -> dict[str, bytes]:
    definitions = {}
    for path in sorted((root / mlops.definitions).rglob("*")):
        named_so = path.suffix in job_definitions.SUFFIXES
        if named_so and path.is_file() and not path.is_symlink():
            definitions[str(path.relative_to(root))] = path.read_bytes()
    return definitions


def _files(root: Path, mlops: Mlops) -> Iterator[SourceFile]:
    for folder in mlops.folders:
        for path in sorted((root / folder.from_).rglob("*")):
            if path.is_symlink() or path.is_file():
                name = str(path.relative_to(root))
                link = path.is_symlink()
                size = path.lstat().st_size
                notebook = is_notebook(name, partial(_first, path))
                yield SourceFile(name, "", size, notebook=notebook, link=link)


def _first(path: Path, size: int) -> bytes:
    if path.is_symlink():  # A link is never followed: it may lead out of the checkout, or nowhere.
        return b""
    with path.open("rb") as file:
        return file.read(size)
