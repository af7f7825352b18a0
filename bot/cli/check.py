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
    file = root / (os.environ.get("BOT_CONFIG") or "config/bot.yml")
    try:
        # Whether the variables it refers to are set is for the start to say.
        deployment = environment.deployed(file, lambda name: os.environ.get(name) or f"<{name}>")
        if deployment.templates is not None:
            own_templates.read(root / deployment.templates)
    except ConfigError as error:
        yield str(error)
    try:
        wanted = yaml_file.parse(Mlops, (root / MLOPS_FILE).read_text(encoding="utf-8"), MLOPS_FILE)
    except FileNotFoundError:
        yield f"{MLOPS_FILE} is missing."
        return
    except ConfigError as error:
        yield str(error)
        return
    if os.environ.get("MLFLOW_REGISTRY_URI") == UNITY_CATALOG:
        yield from _not_in_unity_catalog(wanted)
    for number, one in enumerate(wanted.projects):
        try:
            project.read(root / one.path)
            if (one.backend or wanted.backend) != "local":
                cluster.cluster(root / one.path, one.cluster)
        except ProjectError as error:
            yield f"{MLOPS_FILE}: projects[{number}]: {error}"
    shorts = []
    for number, job in enumerate(wanted.jobs):
        try:
            if job.notebook is not None:
                shorts.append(_short(root, job))
        except ProjectError as error:
            yield f"{MLOPS_FILE}: jobs[{number}]: {error}"
    files = tuple(_files(root, wanted))
    _, faults = sync.placed(wanted.folders, files)
    yield from map(branch.object_fault, faults.values())
    try:
        jobs = job_definitions.together(
            job_definitions.read(_definitions(root, wanted), wanted, job_fields()), shorts, wanted
        )
    except ConfigError as error:
        yield from str(error).splitlines()
        return
    if files:
        yield from job_definitions.absent(jobs.values(), wanted.folders, files)


def _not_in_unity_catalog(wanted: Mlops) -> Iterator[str]:
    named: list[tuple[str, str | None]] = []
    for number, one in enumerate(wanted.projects):
        named.append((f"projects[{number}].model", one.model))
        named.append(
            (f"projects[{number}].retrain.model", one.retrain.model if one.retrain else None)
        )
    named += [
        (f"jobs[{number}].model", job.model)
        for number, job in enumerate(wanted.jobs)
        if "*" not in job.model
    ]
    for key, name in named:
        if name is not None and name.count(".") != 2:
            yield (
                f"{MLOPS_FILE}: {key} is {name}; MLFLOW_REGISTRY_URI is {UNITY_CATALOG}, and names "
                "in Unity Catalog have three parts, such as prod.ml.wine_model."
            )


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


def _definitions(root: Path, wanted: Mlops) -> dict[str, bytes]:
    found = sorted((root / wanted.definitions).rglob("*"))
    files = [
        path
        for path in found
        if path.suffix in job_definitions.SUFFIXES and not path.is_symlink() and path.is_file()
    ]
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def _files(root: Path, wanted: Mlops) -> Iterator[SourceFile]:
    for folder in wanted.folders:
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
