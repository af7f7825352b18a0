"""Job definitions are read as bundles write them, and each mistake in one gets its sentence."""

import textwrap
from typing import Any

import pytest
import yaml

from bot import job_definitions
from bot.config.repository import Mlops
from bot.errors import ConfigError
from bot.facts.branch import JobDefinition, SourceFile
from bot.services.job_fields import job_fields

FILE = "config/jobs/weekly.yml"
FOLDERS = [
    {"from": "mlflow_hooks", "to": "/Shared/mlflow_hooks"},
    {"from": "projects", "to": "/Shared/projects"},
]
FIELDS = job_fields()
WANTED = Mlops.model_validate({"folders": FOLDERS, "bundle_target": "prod"})
TASK = {"task_key": "train", "notebook_task": {"notebook_path": "../../mlflow_hooks/train.py"}}
JOB: dict[str, Any] = {"name": "weekly", "tasks": [TASK]}


def files(**jobs: Any) -> dict[str, bytes]:
    return {FILE: yaml.safe_dump({"resources": {"jobs": jobs}}, sort_keys=False).encode()}


def read(wanted: Mlops = WANTED, **job: Any) -> JobDefinition:
    return job_definitions.read(files(weekly={**JOB, **job}), wanted, FIELDS)["weekly"]


def mistake(text: str | dict[str, Any], wanted: Mlops = WANTED) -> str:
    """What a person is told of a file with this text, or of a job that differs so from a
    good one.
    """
    held = (
        files(weekly={**JOB, **text})
        if isinstance(text, dict)
        else {FILE: textwrap.dedent(text).encode()}
    )
    with pytest.raises(ConfigError) as refused:
        job_definitions.read(held, wanted, FIELDS)
    return str(refused.value)


def task(**settings: Any) -> dict[str, Any]:
    return {"tasks": [{**TASK, **settings}]}


# -- what is read

STACK = b"""
new_cluster: &new_cluster
  new_cluster:
    num_workers: 3
    spark_version: 17.3.x-cpu-ml-scala2.13
    node_type_id: Standard_D4ds_v5
    custom_tags: {clusterSource: mlops, cost: 5}

common_permissions: &permissions
  permissions:
    - {level: CAN_VIEW, group_name: users}

variables:
  table: {description: Where predictions go, default: "${bundle.target}.${var.schema}.predictions"}
  schema: {default: wine}
  retries: {default: 2}
  paused: {default: "PAUSED"}

resources:
  jobs:
    batch_inference_job:
      name: ${bundle.target}-wine-batch-inference
      tasks:
        - task_key: batch_inference
          <<: *new_cluster
          max_retries: ${var.retries}
          notebook_task:
            notebook_path: ../../mlflow_hooks/nested/BatchInference.py
            base_parameters:
              env: ${bundle.target}
              output: ${var.table}
              branch: ${bundle.git.branch}
              escaped: $${literal}
        - task_key: report
          depends_on: [{task_key: batch_inference}]
          job_cluster_key: small
          libraries:
            - requirements: ../../projects/report/requirements.txt
            - whl: /Volumes/main/wheels/x.whl
          spark_python_task: {python_file: ../../projects/report/report.py}
      schedule:
        quartz_cron_expression: "0 0 11 * * ?"
        timezone_id: Europe/Zurich
        pause_status: ${var.paused}
      queue: {enabled: yes}
      run_as: {user_name: somebody@contoso.com}
      <<: *permissions
"""


def test_a_bundles_file_is_read_as_it_is() -> None:
    found = job_definitions.read(
        {"config/jobs/deep/inference.yml": STACK.replace(b"../../", b"../../../")}, WANTED, FIELDS
    )

    (job,) = found.values()
    first, second = job.settings["tasks"]
    assert (job.key, job.file) == ("batch_inference_job", "config/jobs/deep/inference.yml")
    assert job.settings["name"] == "prod-wine-batch-inference"
    assert first["notebook_task"]["notebook_path"] == "/Shared/mlflow_hooks/nested/BatchInference"
    assert first["notebook_task"]["base_parameters"] == {
        "env": "prod",
        "output": "prod.wine.predictions",
        "branch": "main",
        "escaped": "${literal}",
    }
    assert (first["max_retries"], first["new_cluster"]["custom_tags"]) == (
        2,
        {"clusterSource": "mlops", "cost": "5"},
    )
    assert second["spark_python_task"]["python_file"] == "/Shared/projects/report/report.py"
    assert second["libraries"] == [
        {"requirements": "/Workspace/Shared/projects/report/requirements.txt"},
        {"whl": "/Volumes/main/wheels/x.whl"},
    ]
    assert job.settings["queue"] == {"enabled": True}
    assert job.theirs == ("permissions", "run_as", "schedule.pause_status")
    assert job.settings["schedule"]["pause_status"] == "PAUSED"
    assert not {"permissions", "run_as"} & job.settings.keys()


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("../../mlflow_hooks/train.py", "/Shared/mlflow_hooks/train"),
        ("../../mlflow_hooks/sub/../train.ipynb", "/Shared/mlflow_hooks/train"),
        ("/Shared/other/train", "/Shared/other/train"),
        ("/Workspace/Shared/other/train", "/Shared/other/train"),
    ],
)
def test_a_notebooks_path_becomes_that_of_the_workspace(path: str, there: str) -> None:
    found = read(**task(notebook_task={"notebook_path": path}))

    assert found.settings["tasks"][0]["notebook_task"]["notebook_path"] == there


def test_paths_of_another_git_repository_and_of_other_storage_stay() -> None:
    git = {"git_url": "https://x.test/y", "git_provider": "gitHub", "git_branch": "main"}
    theirs = read(git_source=git, **task(notebook_task={"notebook_path": "a/b"}))
    stored = read(
        **task(
            notebook_task=None, spark_python_task={"python_file": "dbfs:/a.py"}, environment_key="e"
        )
    )

    assert theirs.settings["tasks"][0]["notebook_task"]["notebook_path"] == "a/b"
    assert stored.settings["tasks"][0]["spark_python_task"]["python_file"] == "dbfs:/a.py"


def test_a_task_within_a_task_and_an_environment_are_translated_too() -> None:
    loop = {"inputs": "[1]", "task": {**TASK, "task_key": "one"}}
    lines = [
        "scikit-learn==1.7.0",
        "../../projects/lib/x.whl",
        "-r ../../projects/lib/requirements.txt",
    ]
    spec = {"client": "2", "dependencies": lines}

    found = read(
        tasks=[{"task_key": "all", "for_each_task": loop}],
        environments=[{"environment_key": "e", "spec": spec}],
    )

    inner = found.settings["tasks"][0]["for_each_task"]["task"]
    assert inner["notebook_task"]["notebook_path"] == "/Shared/mlflow_hooks/train"
    assert found.settings["environments"][0]["spec"]["dependencies"] == [
        "scikit-learn==1.7.0",
        "/Workspace/Shared/projects/lib/x.whl",
        "-r /Workspace/Shared/projects/lib/requirements.txt",
    ]


def test_variables_may_stand_in_another_file_and_hold_more_than_a_text() -> None:
    cluster = {"spark_version": "17.3.x", "node_type_id": "n", "num_workers": 1}
    more = {
        "config/jobs/variables.yaml": yaml.safe_dump(
            {"variables": {"small": {"default": cluster}}}
        ).encode()
    }
    job = {**JOB, **task(new_cluster="${var.small}")}

    found = job_definitions.read(
        {**files(weekly=job), **more, "config/jobs/README.md": b"{"}, WANTED, FIELDS
    )

    assert found["weekly"].settings["tasks"][0]["new_cluster"] == cluster


# -- mistakes

PLACE = f"{FILE}: resources.jobs.weekly"
MISTAKES: list[tuple[str | dict[str, Any], str]] = [
    ("a: b: c", f"{FILE} is not valid YAML: "),
    ("- a", f"{FILE} must hold keys and values"),
    ("resources: {jobs: {a: 1, a: 2}}", "the key a is there twice"),
    (
        "targets: {prod: {}}",
        f"{FILE}: targets says where a bundle is deployed to; here that is always",
    ),
    ("bundle: {name: x}", f"{FILE}: bundle says what a bundle is called"),
    ("include: [x.yml]", f"{FILE}: include says which other files"),
    ("job: {}", f"{FILE}: job is not a key that Signalman knows; it may be: resources, variables."),
    (
        "resources: {pipelines: {a: {}}}",
        f"{FILE}: resources.pipelines is not supported; Signalman looks after jobs",
    ),
    ("resources: {jobs: [a]}", f"{FILE}: resources.jobs must hold jobs by their keys"),
    ("resources: {jobs: {a: b}}", f"{FILE}: resources.jobs.a must hold the job's settings"),
    (
        "variables: {x: {lookup: {cluster: y}}}",
        f"{FILE}: variables.x.lookup cannot be looked up offline",
    ),
    (
        {"taks": []},
        f"{PLACE}.taks is not a key of the Jobs API; remove it or correct its spelling. It may be: "
        "budget",
    ),
    ({"deployment": {"kind": "BUNDLE"}}, f"{PLACE}.deployment is not a key of the Jobs API"),
    (task(notebok_task={}), f"{PLACE}.tasks[0].notebok_task is not a key"),
    (
        task(notebook_task={"source": "GIT"}),
        f"{PLACE}.tasks[0].notebook_task.notebook_path is missing.",
    ),
    (
        task(timeout_seconds="soon"),
        f'{PLACE}.tasks[0].timeout_seconds is "soon"; it must be a whole number.',
    ),
    (
        task(new_cluster=["a"]),
        f"{PLACE}.tasks[0].new_cluster is ['a']; it must be keys and values.",
    ),
    ({"tasks": TASK}, "it must be a list."),
    (
        {"max_concurrent_runs": 1.5},
        f"{PLACE}.max_concurrent_runs is 1.5; it must be a whole number.",
    ),
    (
        {"queue": {"enabled": "perhaps"}},
        f'{PLACE}.queue.enabled is "perhaps"; it must be true or false.',
    ),
    ({"name": None}, f"{PLACE}.name is missing."),
    ({"tasks": []}, f"{PLACE}.tasks is missing."),
    ({"tasks": [TASK, TASK]}, f"{PLACE}.tasks has train twice."),
    ({"tags": {"signalman_version": "3"}}, f"{PLACE}.tags.signalman_version is the bot's own"),
    ({"tags": {f"t{n}": "" for n in range(18)}}, f"{PLACE}.tags has 18 tags; it may have 17"),
    ({"lifecycle": {"prevent_destroy": True}}, f"{PLACE}.lifecycle is not supported"),
    (
        {"schedule": {"quartz_cron_expression": "0 2 * * *", "timezone_id": "UTC"}},
        f"{PLACE}.schedule cannot be read: 0 2 * * * has not six or seven fields.",
    ),
    (
        {"schedule": {"quartz_cron_expression": "0 0 2 * * ?", "timezone_id": "Mars/Crater"}},
        f"{PLACE}.schedule cannot be read: Mars/Crater is not a time zone",
    ),
    (
        {
            "schedule": {
                "quartz_cron_expression": "0 0 2 * * ?",
                "timezone_id": "UTC",
                "pause_status": "ON",
            }
        },
        f'{PLACE}.schedule.pause_status is "ON"; it must be one of: PAUSED, UNPAUSED.',
    ),
    ({"schedule": {"timezone_id": "UTC"}}, f"{PLACE}.schedule.quartz_cron_expression is missing."),
    (
        task(notebook_task={"notebook_path": "../../docs/train.py"}),
        f'{PLACE}.tasks[0].notebook_task.notebook_path is "../../docs/train.py", which is '
        "docs/train.py in the "
        "repository; no folder of config/mlops.yml brings that to the workspace. Add one to "
        "`folders`, or move it "
        "below one of: mlflow_hooks, projects.",
    ),
    (task(notebook_task={"notebook_path": "../../../x.py"}), "which leads out of the repository."),
    (task(libraries=[{"whl": "../dist/*.whl"}]), "which stands for files that a bundle builds"),
    (
        {"name": "${var.gone}"},
        f"{PLACE}.name refers to ${{var.gone}}, which has no default; add `variables: {{gone:",
    ),
    ({"description": "${bundle.git.commit}"}, "which would change every job with every commit"),
    ({"description": "at ${workspace.file_path}/x"}, "write the path relative to the file instead"),
    ({"description": "${workspace.current_user.userName}"}, "which is whoever deploys a bundle"),
    ({"description": "${resources.jobs.a.id}"}, "which is what another resource turns out to be"),
    ({"description": "${HOME}"}, "refers to ${HOME}, which is nothing that Signalman knows."),
    (
        "variables: {a: {default: '${var.b}'}, b: {default: '${var.a}'}}\nresources: {jobs: {a: "
        "{name: '${var.a}'}}}",
        "refers to a variable that refers to itself.",
    ),
]


@pytest.mark.parametrize(
    ("text", "sentence"), MISTAKES, ids=[sentence[:50] for _, sentence in MISTAKES]
)
def test_a_mistake_is_told_with_file_key_what_was_found_and_what_is_allowed(
    text: str | dict[str, Any], sentence: str
) -> None:
    assert sentence in mistake(text)


def test_each_mistake_is_told_and_only_once() -> None:
    told = mistake({"taks": [], "max_concurrent_runs": "many", "name": "${var.gone}"}).splitlines()

    # References first, then types in the order of the file.
    assert [line.split(" ")[1].rpartition(".")[2] for line in told] == [
        "name",
        "taks",
        "max_concurrent_runs",
    ]


def test_a_target_is_only_known_where_the_configuration_names_it() -> None:
    unnamed = Mlops.model_validate({"folders": FOLDERS})

    assert "set bundle_target in config/mlops.yml" in mistake(
        {"name": "${bundle.target}-weekly"}, unnamed
    )


def test_a_key_or_a_variable_that_two_files_hold_is_a_mistake() -> None:
    held = {"variables": {"x": {"default": 1}}, "resources": {"jobs": {"weekly": JOB}}}
    content = yaml.safe_dump(held, sort_keys=False).encode()

    with pytest.raises(ConfigError) as refused:
        job_definitions.read(
            {"config/jobs/a.yml": content, "config/jobs/b.yml": content}, WANTED, FIELDS
        )

    assert str(refused.value).splitlines() == [
        "config/jobs/b.yml: variables.x has a default in another file too; remove one of them.",
        "config/jobs/b.yml: resources.jobs.weekly is in config/jobs/a.yml too; remove one of them.",
    ]


# -- scoring jobs


def wanted_with(*jobs: dict[str, Any]) -> Mlops:
    return Mlops.model_validate(
        {"folders": FOLDERS, "jobs": [{"model": "wine", **job} for job in jobs]}
    )


def together(wanted: Mlops, **jobs: Any) -> dict[str, JobDefinition]:
    shorts = [job_definitions.short(job) for job in wanted.jobs if job.notebook]
    return job_definitions.together(
        job_definitions.read(files(**jobs), wanted, FIELDS), shorts, wanted
    )


def test_an_entry_without_a_notebook_is_the_job_of_that_name_and_gets_the_parameters_of_a_model() -> (  # noqa: E501 a table, or a text as it is sent
    None
):
    job = {
        **JOB,
        "parameters": [
            {"name": "model_name", "default": "old"},
            {"name": "data", "default": "full"},
        ],
    }

    found = together(
        wanted_with({"name": "weekly"}), weekly_key=job, other={**JOB, "name": "other"}
    )

    assert found["weekly_key"].follows
    assert found["weekly_key"].settings["parameters"] == [
        {"name": "model_name", "default": "old"},
        {"name": "data", "default": "full"},
        {"name": "model_version", "default": ""},
    ]
    assert not found["other"].follows
    assert "parameters" not in found["other"].settings


def test_the_short_form_becomes_a_definition_too() -> None:
    schedule = {"cron": "0 0 2 * * ?", "timezone": "Europe/Zurich", "paused": True}
    entry = {"name": "nightly", "notebook": "/Shared/mlflow_hooks/score", "schedule": schedule}

    (found,) = together(wanted_with(entry)).values()

    assert (found.key, found.file, found.follows) == ("nightly", "config/mlops.yml", True)
    assert found.theirs == ("schedule.paused",)
    assert found.settings["schedule"]["pause_status"] == "PAUSED"
    assert [one["name"] for one in found.settings["parameters"]] == ["model_name", "model_version"]


@pytest.mark.parametrize(
    ("entries", "jobs", "sentence"),
    [
        (
            [{"name": "weekley"}],
            {"weekly": JOB},
            "config/mlops.yml: jobs[0].name is weekley: it has no notebook, and no file describes "
            "a job of that name. "
            "It may be: weekly.",
        ),
        (
            [{"name": "weekly_key"}],
            {"weekly_key": JOB},
            "config/mlops.yml: jobs[0].name is weekly_key, which is a job's key; write its name, "
            "weekly.",
        ),
        (
            [{"name": "weekly", "parameters": {"a": "b"}, "timeout": "1h"}],
            {"weekly": JOB},
            "config/mlops.yml: jobs[0] has no notebook, so that weekly is a job of the folder of "
            "definitions; say "
            "parameters and timeout there.",
        ),
        (
            [{"name": "weekly", "notebook": "/Shared/a/b"}],
            {"other": JOB},
            "config/mlops.yml: weekly has the name weekly, which other in config/jobs/weekly.yml "
            "has too",
        ),
        (
            [{"name": "weekly", "notebook": "/Shared/a/b"}],
            {"weekly": {**JOB, "name": "else"}},
            f"{FILE}: resources.jobs.weekly is also a job of config/mlops.yml",
        ),
        (
            [{"name": "a", "notebook": "/Shared/a/b", "schedule": {"cron": "nightly"}}],
            {},
            "config/mlops.yml: jobs: a.schedule cannot be read: nightly has not six or seven "
            "fields.",
        ),
    ],
)
def test_what_does_not_hang_together_is_a_mistake(
    entries: list[dict[str, Any]], jobs: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        together(wanted_with(*entries), **jobs)

    assert sentence in str(refused.value)


# -- what jobs run


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, ""),
        ({"notebook_task": {"notebook_path": "/Shared/mlflow_hooks/train"}}, ""),
        ({"notebook_task": {"notebook_path": "/Shared/elsewhere/x"}}, ""),
        (
            {"notebook_task": {"notebook_path": "../../mlflow_hooks/gone.py"}},
            f"{FILE}: task train of job weekly runs /Shared/mlflow_hooks/gone, but the repository "
            "has no notebook that "
            "becomes it.",
        ),
        (
            {"notebook_task": {"notebook_path": "../../mlflow_hooks/plain.py"}},
            f"{FILE}: task train of job weekly runs /Shared/mlflow_hooks/plain, but the repository "
            "has no notebook "
            "that becomes it; mlflow_hooks/plain.py is a plain file, because its first line is not "
            '"# Databricks '
            'notebook source".',
        ),
        (
            {
                "notebook_task": None,
                "spark_python_task": {"python_file": "/Workspace/Shared/mlflow_hooks/train"},
            },
            f"{FILE}: task train of job weekly runs /Shared/mlflow_hooks/train, but the repository "
            "has no file that "
            "becomes it; mlflow_hooks/train.py is a notebook, so name it as "
            "notebook_task.notebook_path.",
        ),
    ],
)
def test_what_a_job_runs_has_to_be_in_the_repository(settings: dict[str, Any], told: str) -> None:
    held = [
        SourceFile("mlflow_hooks/train.py", "1", 9, notebook=True),
        SourceFile("mlflow_hooks/plain.py", "2", 9),
    ]

    assert job_definitions.absent([read(**task(**settings))], WANTED.folders, held) == (
        [told] if told else []
    )


def growing(levels: int, times: int, value: str = "x") -> dict[str, bytes]:
    """Variables of which each refers to the one before it so many times, and a job that refers to
    the last one.
    """
    lines = [f"  v0: {{default: '{value}'}}"]
    lines += [
        f"  v{level}: {{default: '{f'${{var.v{level - 1}}}' * times}'}}"
        for level in range(1, levels)
    ]
    job = f"resources: {{jobs: {{a: {{name: '${{var.v{levels - 1}}}'}}}}}}"
    return {FILE: "\n".join(["variables:", *lines, job]).encode()}


@pytest.mark.parametrize(
    ("levels", "times", "value", "why"),
    [
        (20, 40, "x", "resources.jobs.a refers to more than 50,000 values"),
        (4, 20, "x" * 1000, "holds references that become more than 1,048,576 characters"),
    ],
)
def test_variables_that_would_become_too_much_are_a_mistake_that_is_found_at_once(
    levels: int, times: int, value: str, why: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        job_definitions.read(growing(levels, times, value), WANTED, FIELDS)

    assert why in str(refused.value)


def test_a_list_that_variables_bring_again_and_again_is_counted_each_time() -> None:
    lists = ["  v0: {default: [1, 2, 3]}"]
    lists += [
        f"  v{level}: {{default: ['${{var.v{level - 1}}}', '${{var.v{level - 1}}}']}}"
        for level in range(1, 20)
    ]
    text = "\n".join(["variables:", *lists, "resources: {jobs: {a: {name: '${var.v19}'}}}"])

    assert "refers to more than 50,000 values" in mistake(text)
