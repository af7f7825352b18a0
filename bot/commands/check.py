"""`check`: everything that can be said of the configuration without asking anybody."""

import json
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bot import config, settings
from bot.backends import cluster, project
from bot.errors import ConfigError, ProjectError
from bot.facts import SourceFile, is_notebook
from bot.rules import sync
from bot.words import template

SCHEMAS: dict[str, type[config.Shape]] = {"bot.schema.json": settings.Deployment, "mlops.schema.json": config.Mlops}


def mistakes(root: Path) -> Iterator[str]:
    """One sentence per mistake in the configuration files of a checkout and in what they name."""
    file = root / (os.environ.get("BOT_CONFIG") or "config/bot.yml")
    try:
        # Whether the variables it refers to are set is for the start to say.
        deployment = settings.deployed(file, lambda name: os.environ.get(name) or f"<{name}>")
        if deployment.templates is not None:
            template.read(root / deployment.templates)
    except ConfigError as error:
        yield str(error)
    try:
        wanted = config.parse(config.Mlops, (root / config.MLOPS_FILE).read_text(encoding="utf-8"), config.MLOPS_FILE)
    except FileNotFoundError:
        yield f"{config.MLOPS_FILE} is missing."
        return
    except ConfigError as error:
        yield str(error)
        return
    for number, one in enumerate(wanted.projects):
        try:
            project.read(root / one.path)
            if (one.backend or wanted.backend) != "local":
                cluster.cluster(root / one.path, one.cluster)
        except ProjectError as error:
            yield f"{config.MLOPS_FILE}: projects[{number}]: {error}"
    for number, job in enumerate(wanted.jobs):
        try:
            if job.project is not None:
                project.read(root / job.project)
                cluster.cluster(root / job.project)
        except ProjectError as error:
            yield f"{config.MLOPS_FILE}: jobs[{number}]: {error}"
    try:
        sync.objects(wanted.folders, tuple(_files(root, wanted)))
    except ConfigError as error:
        yield str(error)


def schemas() -> dict[str, str]:
    """File name -> JSON Schema, for editors."""
    return {
        name: json.dumps(shape.model_json_schema(by_alias=True), indent=2) + "\n" for name, shape in SCHEMAS.items()
    }


def _files(root: Path, wanted: config.Mlops) -> Iterator[SourceFile]:
    for folder in wanted.folders:
        for path in sorted((root / folder.from_).rglob("*")):
            if path.is_symlink() or path.is_file():
                name, link, size = str(path.relative_to(root)), path.is_symlink(), path.lstat().st_size
                notebook = is_notebook(name, partial(_first, path))
                yield SourceFile(name, "", size, notebook=notebook, link=link)


def _first(path: Path, size: int) -> bytes:
    if path.is_symlink():  # A link is never followed: it may lead out of the checkout, or nowhere.
        return b""
    with path.open("rb") as file:
        return file.read(size)
