"""How the bot is deployed for a storm: its configuration file, and the doors by which a worker
finds the neighbours.
"""

import re
from pathlib import Path

from sandbox.bot_process import HERE
from sandbox.chaos.weather import Sky
from sandbox.world import World


def configuration(file: Path, *, sweep: str, lease: str) -> Path:
    """Write the product's own config/bot.yml with another sweep, and with another lease if one is
    given.
    """
    text = (HERE / "config" / "bot.yml").read_text(encoding="utf-8")
    text = re.sub(r"sweep: \w+", f"sweep: {sweep}", text)
    file.write_text(
        re.sub(r"lease: \w+", f"lease: {lease}", text) if lease else text, encoding="utf-8"
    )
    return file


def doors(world: World, sky: Sky, worker: int) -> dict[str, str]:
    """The environment of one worker, in which every neighbour is behind the weather."""
    azure = sky.door("azure", world.azure.url, worker)
    databricks = sky.door("databricks", world.databricks.url, worker)
    mlflow = sky.door("mlflow", world.mlflow.url, worker)
    return {
        "AZURE_DEVOPS_ORG_URL": f"{azure}/{world.azure.world.organization}",
        "DATABRICKS_HOST": databricks,
        "DATABRICKS_VALIDATION_HOST": databricks,
        "MLFLOW_TRACKING_URI": mlflow,
        "MLFLOW_REGISTRY_URI": mlflow,
    }
