"""What a job's settings must hold, what the server adds to them, and how an update is merged. Pure.

https://docs.databricks.com/api/workspace/jobs/create and …/update
"""

import copy
import re
from collections.abc import Mapping
from typing import Any

from sandbox.databricks.wire import Refusal

Settings = dict[str, Any]
TASK_KINDS = ("notebook_task", "spark_python_task")
OTHER_KINDS = ("python_wheel_task", "spark_jar_task", "sql_task", "dbt_task", "pipeline_task", "run_job_task",  # noqa: E501 a table, or a text as it is sent
               "condition_task", "for_each_task", "spark_submit_task", "shell_command_task")  # fmt: skip  # noqa: E501 a table, or a text as it is sent
LIBRARIES = {"pypi", "whl", "jar", "egg", "maven", "cran", "requirements"}
KEPT = {"name", "description", "tags", "tasks", "job_clusters", "environments", "email_notifications",  # noqa: E501 a table, or a text as it is sent
        "webhook_notifications", "notification_settings", "timeout_seconds", "health", "schedule", "trigger",  # noqa: E501 a table, or a text as it is sent
        "continuous", "max_concurrent_runs", "git_source", "format", "queue", "parameters", "run_as", "edit_mode",  # noqa: E501 a table, or a text as it is sent
        "deployment", "budget_policy_id", "performance_target"}  # fmt: skip
OF_ONE_TASK = {"new_cluster", "existing_cluster_id", "libraries", "max_retries", "min_retry_interval_millis",  # noqa: E501 a table, or a text as it is sent
               "retry_on_timeout", *TASK_KINDS, *OTHER_KINDS}  # fmt: skip
KEYS = {
    "tasks": "task_key",
    "job_clusters": "job_cluster_key",
    "parameters": "name",
    "environments": "environment_key",
}
REMOVABLE = ("tasks", "job_clusters")
PROVIDERS = (
    "github,gitlab,bitbucketcloud,gitlabenterpriseedition,bitbucketserver,azuredevopsservices,githubenterprise,"
    "awscodecommit"
)


def accepted(asked: Mapping[str, Any], version: str) -> Settings:
    """Settings for a new job or a reset, checked and completed as the server does. `version` is
    `2.0` … `2.2`.
    """
    settings = {
        key: copy.deepcopy(value) for key, value in asked.items() if key in KEPT | OF_ONE_TASK
    }
    if settings.get("tasks"):
        settings = {key: value for key, value in settings.items() if key in KEPT}
        settings["format"] = "MULTI_TASK"
    else:
        settings.pop("tasks", None)
        settings["format"] = "SINGLE_TASK"
    settings.setdefault("name", "Untitled")
    settings.setdefault("email_notifications", {})
    settings.setdefault("webhook_notifications", {})
    settings.setdefault("timeout_seconds", 0)
    settings.setdefault("max_concurrent_runs", 1)
    if version == "2.2":
        settings.setdefault("queue", {"enabled": True})
    if settings.get("schedule"):
        settings["schedule"].setdefault("pause_status", "UNPAUSED")
    for task in settings.get("tasks", []):
        task.setdefault("run_if", "ALL_SUCCESS")
        task.setdefault("timeout_seconds", 0)
        task.setdefault("email_notifications", {})
    source = "GIT" if settings.get("git_source") else "WORKSPACE"
    for task in tasks_of(settings):
        for kind in TASK_KINDS:
            if isinstance(task.get(kind), dict):
                task[kind].setdefault("source", source)
    check(settings)
    return settings


def merged(old: Settings, new: Mapping[str, Any], removed: list[str], version: str) -> Settings:
    """The settings after jobs/update.

    Top-level fields are replaced whole, arrays are merged entry by entry on their
    keys. For `parameters` the rule is not documented; they are merged by name.
    """
    settings = copy.deepcopy(old)
    for field in removed:
        array, _, key = field.partition("/")
        if not key:
            settings.pop(field, None)
        elif array not in REMOVABLE:
            raise _invalid(
                f"Removing {field} is not supported: of lists, only tasks and job clusters lose "
                "entries."
            )
        else:
            settings[array] = [
                entry for entry in settings.get(array, []) if entry.get(KEYS[array]) != key
            ]
    for field, value in new.items():
        if field in KEYS and isinstance(value, list):
            by_key = {entry.get(KEYS[field]): entry for entry in settings.get(field, [])}
            by_key |= {entry.get(KEYS[field]): entry for entry in value}
            settings[field] = list(by_key.values())
        else:
            settings[field] = value
    return accepted(settings, version)


def tasks_of(settings: Settings) -> list[dict[str, Any]]:
    """The tasks, in both forms of settings; the one task of the old form has no `task_key`."""
    if "tasks" in settings:
        tasks: list[dict[str, Any]] = settings["tasks"]
        return tasks
    return [{key: value for key, value in settings.items() if key in OF_ONE_TASK}]


def cluster_of(task: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """The cluster a task runs on, as far as it is described; an existing or serverless one is
    empty.
    """
    if "job_cluster_key" in task:
        for cluster in settings.get("job_clusters", []):
            if cluster.get("job_cluster_key") == task["job_cluster_key"]:
                found: dict[str, Any] = cluster.get("new_cluster", {})
                return found
    return dict(task.get("new_cluster") or {})


def check(settings: Settings) -> None:
    """Refuse settings the service would refuse."""
    git = settings.get("git_source")
    if git and not git.get("git_provider"):
        raise _invalid(f"git_source.git_provider must be one of: {PROVIDERS}")
    clusters = [cluster.get("job_cluster_key") for cluster in settings.get("job_clusters", [])]
    for cluster in settings.get("job_clusters", []):
        _check_cluster(cluster.get("new_cluster") or {})
    keys: list[str] = []
    for task in tasks_of(settings):
        if settings["format"] == "MULTI_TASK":
            key = task.get("task_key")
            if not key or not re.fullmatch(r"[\w-]{1,100}", key):
                raise _invalid(f"Invalid task_key: {key!r}. It has to match [a-zA-Z0-9_-]+.")
            if key in keys:
                raise _invalid(f"Duplicate task_key: {key}")
            keys.append(key)
        _check_task(task, clusters)
    for task in tasks_of(settings):
        for needed in task.get("depends_on", []):
            if needed.get("task_key") not in keys:
                raise _invalid(
                    f"Task {task['task_key']} depends on {needed.get('task_key')}, which does not "
                    "exist."
                )
    names = [parameter.get("name") for parameter in settings.get("parameters", [])]
    if len(set(names)) != len(names) or not all(names):
        raise _invalid("Job parameters need a name each, and every name once.")
    if any("default" not in parameter for parameter in settings.get("parameters", [])):
        raise _invalid("Missing required field: parameters.default")
    tags = settings.get("tags", {})
    if len(tags) > 25 or not all(isinstance(value, str) for value in tags.values()):
        raise _invalid("Tags have to be a map of at most 25 strings.")
    schedule = settings.get("schedule")
    if schedule:
        for field in ("quartz_cron_expression", "timezone_id"):
            if not schedule.get(field):
                raise _invalid(f"Missing required field: settings.schedule.{field}")
        if len(schedule["quartz_cron_expression"].split()) not in (6, 7):
            raise _invalid(f"Invalid quartz cron expression: {schedule['quartz_cron_expression']}")


def _check_task(task: Mapping[str, Any], clusters: list[Any]) -> None:
    kinds = [kind for kind in (*TASK_KINDS, *OTHER_KINDS) if task.get(kind) is not None]
    if len(kinds) != 1:
        raise _invalid(
            "A task must have exactly one of notebook_task, spark_python_task and their like."
        )
    notebook, program = task.get("notebook_task"), task.get("spark_python_task")
    if notebook is not None:
        path = notebook.get("notebook_path")
        if not path:
            raise _invalid("Missing required field: notebook_task.notebook_path")
        if notebook.get("source") != "GIT" and not path.startswith("/"):
            raise _invalid(
                "Only absolute paths are currently supported. Paths must begin with '/'."
            )
    if program is not None and not program.get("python_file"):
        raise _invalid("Missing required field: spark_python_task.python_file")
    compute = [
        key
        for key in ("new_cluster", "existing_cluster_id", "job_cluster_key")
        if task.get(key) is not None
    ]
    if len(compute) > 1:
        raise _invalid(f"A task can have one of {', '.join(compute)} only.")
    if not compute and program is not None and not task.get("environment_key"):
        raise _invalid(
            "One of job_cluster_key, new_cluster, existing_cluster_id or environment_key must be "
            "specified."
        )
    if "new_cluster" in compute:
        _check_cluster(task["new_cluster"])
    if "job_cluster_key" in compute and task["job_cluster_key"] not in clusters:
        raise _invalid(
            f"Job cluster '{task['job_cluster_key']}' is not defined in field 'job_clusters'."
        )
    for library in task.get("libraries") or []:
        if not isinstance(library, dict) or len(library) != 1 or not set(library) <= LIBRARIES:
            raise _invalid(
                f"A library has to be exactly one of {', '.join(sorted(LIBRARIES))}; found: "
                f"{library}"
            )
        if "pypi" in library and not (
            isinstance(library["pypi"], dict) and library["pypi"].get("package")
        ):
            raise _invalid("Missing required field: libraries.pypi.package")


def _check_cluster(cluster: Mapping[str, Any]) -> None:
    where = "Cluster validation error: Missing required field: settings.cluster_spec.new_cluster"
    if not cluster.get("spark_version"):
        raise _invalid(f"{where}.spark_version")
    if not (
        cluster.get("node_type_id") or cluster.get("instance_pool_id") or cluster.get("policy_id")
    ):
        raise _invalid(f"{where}.node_type_id")
    sized = (
        cluster.get("num_workers") is not None
        or cluster.get("autoscale")
        or cluster.get("is_single_node")
    )
    if not (sized or cluster.get("policy_id")):
        raise _invalid(f"{where}.size")
    for field in ("spark_env_vars", "custom_tags", "spark_conf"):
        if cluster.get(field) and not all(
            isinstance(value, str) for value in cluster[field].values()
        ):
            raise _invalid(f"Cluster validation error: {field} has to be a map of strings.")


def _invalid(message: str) -> Refusal:
    return Refusal(400, "INVALID_PARAMETER_VALUE", message)
