"""What a project's cluster file may ask of Databricks: an allow-list, because pull requests can
change that file.
"""

import json
import re
from pathlib import Path
from typing import Any

from bot.backends.project_files import at, kind, listed, text_of
from bot.errors import ProjectError

# https://docs.databricks.com/api/workspace/jobs/submit, tasks.new_cluster. What is left out is left
# out on purpose: init scripts, images, instance profiles, logs and other people's identity reach
# beyond the run, and a job cluster ends with its run, so it takes no auto-termination.
ALLOWED: dict[str, tuple[type, ...]] = {
    "autoscale": (dict,),
    "azure_attributes": (dict,),
    "custom_tags": (dict,),
    "data_security_mode": (str,),
    "driver_instance_pool_id": (str,),
    "driver_node_type_id": (str,),
    "enable_elastic_disk": (bool,),
    "instance_pool_id": (str,),
    "is_single_node": (bool,),
    "kind": (str,),
    "node_type_id": (str,),
    "num_workers": (int,),
    "policy_id": (str,),
    "runtime_engine": (str,),
    "spark_conf": (dict,),
    "spark_env_vars": (dict,),
    "spark_version": (str,),
    "use_ml_runtime": (bool,),
}
ALLOWED_INSIDE = {
    "autoscale": {"min_workers", "max_workers"},
    "azure_attributes": {"availability", "first_on_demand", "spot_bid_max_price"},
}
SECRET = re.compile(r"\{\{\s*secrets\s*/", re.IGNORECASE)


def cluster(
    folder: Path, file: str = "cluster.json", most_workers: int | None = None
) -> dict[str, Any]:
    """The `new_cluster` a project asks for, read from `file` in its folder and held against the
    allow-list.

    Both forms that MLflow takes are read: the cluster itself, and
    `{"new_cluster": {…}}`. ProjectError names file, key and what is allowed;
    `most_workers` is the deployment's cap, None for none.
    """
    return parse(text_of(folder, file), at(folder, file), most_workers)


def parse(text: str, where: str, most_workers: int | None = None) -> dict[str, Any]:
    """The cluster that the text of a cluster file describes; `where` is how an error names the
    file.
    """
    try:
        content = json.loads(text)
    except ValueError as error:
        raise ProjectError(f"{where} is not JSON: {error}.") from None
    except RecursionError:
        raise ProjectError(f"{where} has lists and objects too deep inside each other.") from None
    if isinstance(content, dict) and set(content) == {"new_cluster"}:
        content = content["new_cluster"]
    if not isinstance(content, dict):
        raise ProjectError(
            f"{where} must describe a cluster as a JSON object; found {kind(content)}."
        )
    for key, value in content.items():
        _check(where, key, value)
    if "spark_version" not in content:
        raise ProjectError(f'{where} lacks `spark_version`, for example "17.3.x-cpu-ml-scala2.13".')
    if not {"node_type_id", "instance_pool_id", "policy_id"} & content.keys():
        raise ProjectError(
            f"{where} must name the machines: `node_type_id`, `instance_pool_id` or `policy_id`."
        )
    _check_size(where, content, most_workers)
    return content


def _check(where: str, key: str, value: object) -> None:
    if key not in ALLOWED:
        raise ProjectError(
            f"{where}: `{key}` may not be set by a project; allowed are {listed(ALLOWED)}."
        )
    kinds = ALLOWED[key]
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise ProjectError(f"{where}: `{key}` must be {kind(kinds[0]())}; found {kind(value)}.")
    if isinstance(value, dict):
        _check_inside(where, key, value)
    elif SECRET.search(str(value)):
        raise ProjectError(
            f"{where}: `{key}` refers to a secret; a project's cluster may not read secrets."
        )


def _check_inside(where: str, key: str, value: dict[str, object]) -> None:
    for inner, content in value.items():
        if inner not in ALLOWED_INSIDE.get(key, {inner}):
            allowed = listed(ALLOWED_INSIDE[key])
            raise ProjectError(
                f"{where}: `{key}.{inner}` may not be set by a project; allowed are {allowed}."
            )
        if not isinstance(content, str | int | float):
            raise ProjectError(
                f"{where}: `{key}.{inner}` must be a text or a number; found {kind(content)}."
            )
        if SECRET.search(f"{inner} {content}"):
            raise ProjectError(
                f"{where}: `{key}.{inner}` refers to a secret; a project's cluster may not read "
                "secrets."
            )


def _check_size(where: str, content: dict[str, Any], most_workers: int | None) -> None:
    sizes = [*content.get("autoscale", {}).values(), content.get("num_workers", 0)]
    for workers in sizes:
        if not isinstance(workers, int) or workers < 0:
            raise ProjectError(
                f"{where}: the number of workers must be a whole number from 0; found {workers!r}."
            )
        if most_workers is not None and workers > most_workers:
            raise ProjectError(
                f"{where} asks for {workers} workers; this deployment allows a project "
                f"{most_workers}."
            )
