"""The stand-in Databricks, asked by databricks-sdk and by MLflow's own client, as the bot would ask
the service.
"""

import base64
import hashlib
import hmac
import http.server
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config
from databricks.sdk.errors import (
    BadRequest,
    DatabricksError,
    InvalidParameterValue,
    NotFound,
    ResourceAlreadyExists,
    ResourceDoesNotExist,
)
from databricks.sdk.service import compute, jobs, ml
from databricks.sdk.service.workspace import ExportFormat, ImportFormat, Language, ObjectType

from sandbox.databricks import Databricks, quartz
from sandbox.mlflow_server import MlflowServer

TOKEN = "dapi-of-the-bot"
BOT = "signalman@contoso.example"
CLUSTER = compute.ClusterSpec(
    spark_version="15.4.x-cpu-ml-scala2.12", node_type_id="Standard_DS3_v2", num_workers=1
)
NOTEBOOK = """# Databricks notebook source
# MAGIC %md
# MAGIC # Score the newest customers

# COMMAND ----------

# MAGIC %pip install lightgbm

# COMMAND ----------

# MAGIC %run ./shared_names

# COMMAND ----------

dbutils.widgets.text("model_name", "nobody")
dbutils.widgets.text("month", "january")
print(GREETING, dbutils.widgets.get("model_name"), dbutils.widgets.get("month"))

# COMMAND ----------

display(open("../projects/names.txt").read())
try:
    dbutils.notebook.exit(dbutils.widgets.get("model_name") + "@" + dbutils.widgets.get("model_version"))
except Exception:
    print("a notebook's own except does not stop exit")

# COMMAND ----------

print("never reached")
"""  # noqa: E501 a table, or a text as it is sent


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Databricks]:
    with Databricks(tmp_path, tokens={TOKEN: BOT}) as started:
        yield started


@pytest.fixture
def client(workspace: Databricks) -> WorkspaceClient:
    return client_of(workspace)


def client_of(workspace: Databricks) -> WorkspaceClient:
    return WorkspaceClient(config=Config(host=workspace.url, token=TOKEN, retry_timeout_seconds=2))


def put(
    client: WorkspaceClient, path: str, content: str | bytes, *, overwrite: bool = False
) -> None:
    client.workspace.mkdirs(path.rsplit("/", 1)[0])
    sent = content.encode() if isinstance(content, str) else content
    client.workspace.upload(path, sent, format=ImportFormat.AUTO, overwrite=overwrite)


def python_task(path: str, *words: str, **more: Any) -> jobs.SubmitTask:
    program = jobs.SparkPythonTask(
        python_file=path, parameters=list(words), source=jobs.Source.WORKSPACE
    )
    return jobs.SubmitTask(task_key="main", new_cluster=CLUSTER, spark_python_task=program, **more)


def run(
    workspace: Databricks, client: WorkspaceClient, program: str, *words: str, **more: Any
) -> jobs.Run:
    put(client, "/Shared/project/main.py", program, overwrite=True)
    submitted = client.jobs.submit(
        run_name="a run", tasks=[python_task("/Shared/project/main.py", *words)], **more
    )
    workspace.wait(submitted.run_id)
    return client.jobs.get_run(submitted.run_id)


def output(client: WorkspaceClient, found: jobs.Run) -> jobs.RunOutput:
    return client.jobs.get_run_output(found.tasks[0].run_id)


def until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "It did not come to pass in time."
        threading.Event().wait(0.02)
    return found


def is_alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


# Who may come in


def test_a_call_without_a_token_is_refused(workspace: Databricks) -> None:
    answer = requests.get(f"{workspace.url}/api/2.2/jobs/list", timeout=5)

    assert answer.status_code == 401
    assert "Credential was not sent" in answer.json()["message"]


def test_a_call_with_a_wrong_token_is_refused_in_the_services_words(workspace: Databricks) -> None:
    answer = requests.get(
        f"{workspace.url}/api/2.2/jobs/list", headers={"Authorization": "Bearer x"}, timeout=5
    )

    assert answer.status_code == 403
    assert answer.json() == {"error_code": 403, "message": "Invalid access token."}


def test_the_client_learns_who_it_is_and_which_workspace_this_is(client: WorkspaceClient) -> None:
    assert client.current_user.me().user_name == BOT
    assert client.config.workspace_id == "900800700600"


# The workspace tree


def test_auto_import_makes_a_notebook_of_a_file_with_the_header_and_keeps_others_as_files(
    client: WorkspaceClient,
) -> None:
    put(client, "/Shared/hooks/score.py", NOTEBOOK)
    put(client, "/Shared/hooks/names.py", "NAMES = []\n")

    found = {item.path: item for item in client.workspace.list("/Shared/hooks")}

    assert found["/Shared/hooks/score"].object_type is ObjectType.NOTEBOOK
    assert found["/Shared/hooks/score"].language is Language.PYTHON
    assert found["/Shared/hooks/names.py"].object_type is ObjectType.FILE
    assert found["/Shared/hooks/names.py"].size == len("NAMES = []\n")


def test_what_was_imported_is_exported_unchanged(client: WorkspaceClient) -> None:
    put(client, "/Shared/hooks/score.py", NOTEBOOK)

    exported = client.workspace.export("/Workspace/Shared/hooks/score", format=ExportFormat.SOURCE)

    assert base64.b64decode(exported.content).decode() == NOTEBOOK
    with client.workspace.download("/Shared/hooks/score") as file:
        assert file.read().decode() == NOTEBOOK


def test_source_import_makes_a_notebook_of_any_python_file_and_keeps_its_name(
    client: WorkspaceClient,
) -> None:
    content = base64.b64encode(b"print(1)\n").decode()

    client.workspace.import_(
        "/Shared/a.py", content=content, format=ImportFormat.SOURCE, language=Language.PYTHON
    )

    assert client.workspace.get_status("/Shared/a.py").object_type is ObjectType.NOTEBOOK
    exported = base64.b64decode(client.workspace.export("/Shared/a.py").content)
    assert exported == b"# Databricks notebook source\nprint(1)\n"


def test_a_jupyter_notebook_becomes_a_notebook_and_comes_back_as_one(
    client: WorkspaceClient,
) -> None:
    cells = [
        {"cell_type": "markdown", "source": "# Title"},
        {"cell_type": "code", "source": ["x = 1\n", "x"]},
    ]
    put(client, "/Shared/look.ipynb", json.dumps({"cells": cells}))

    source = base64.b64decode(client.workspace.export("/Shared/look").content).decode()
    back = json.loads(
        base64.b64decode(
            client.workspace.export("/Shared/look", format=ExportFormat.JUPYTER).content
        )
    )

    assert "# MAGIC %md\n# MAGIC # Title" in source
    assert [cell["cell_type"] for cell in back["cells"]] == ["markdown", "code"]
    assert "".join(back["cells"][1]["source"]).strip() == "x = 1\nx"


def test_nothing_is_imported_where_the_parent_does_not_exist(client: WorkspaceClient) -> None:
    with pytest.raises(NotFound, match=r"The parent folder \(/Shared/nowhere\) does not exist\."):
        client.workspace.upload("/Shared/nowhere/a.py", b"", format=ImportFormat.AUTO)


def test_an_object_is_replaced_only_when_that_is_asked_for(client: WorkspaceClient) -> None:
    put(client, "/Shared/a.txt", "old")
    before = client.workspace.get_status("/Shared/a.txt").object_id

    with pytest.raises(ResourceAlreadyExists):
        put(client, "/Shared/a.txt", "new")
    put(client, "/Shared/a.txt", "new", overwrite=True)

    assert client.workspace.download("/Shared/a.txt").read() == b"new"
    assert client.workspace.get_status("/Shared/a.txt").object_id == before


def test_a_notebook_and_a_file_do_not_take_each_others_place(client: WorkspaceClient) -> None:
    put(client, "/Shared/score", "a file\n")

    with pytest.raises(DatabricksError, match=r"asked: NOTEBOOK, actual: FILE"):
        put(client, "/Shared/score.py", NOTEBOOK, overwrite=True)


def test_an_empty_directory_is_listed_without_objects(
    workspace: Databricks, client: WorkspaceClient
) -> None:
    client.workspace.mkdirs("/Shared/empty/deep")
    client.workspace.mkdirs("/Shared/empty/deep")

    assert list(client.workspace.list("/Shared/empty/deep")) == []
    assert workspace.calls[-1].response == {}


def test_what_is_not_there_is_said_to_be_missing(client: WorkspaceClient) -> None:
    with pytest.raises(ResourceDoesNotExist, match=r"Path \(/Shared/x\) doesn't exist\."):
        client.workspace.get_status("/Shared/x")


def test_a_directory_with_something_in_it_goes_only_recursively(client: WorkspaceClient) -> None:
    put(client, "/Shared/hooks/score.py", NOTEBOOK)

    with pytest.raises(BadRequest, match="not empty"):
        client.workspace.delete("/Shared/hooks")
    client.workspace.delete("/Shared/hooks", recursive=True)

    assert list(client.workspace.list("/Shared")) == []


@pytest.mark.parametrize("path", ["/Shared", "/Users", f"/Users/{BOT}"])
def test_the_workspaces_own_folders_cannot_be_deleted(client: WorkspaceClient, path: str) -> None:
    with pytest.raises(BadRequest, match="is protected"):
        client.workspace.delete(path, recursive=True)


def test_the_home_of_an_unknown_user_cannot_be_made(client: WorkspaceClient) -> None:
    with pytest.raises(BadRequest, match="Folder Users is protected"):
        client.workspace.mkdirs("/Users/nobody@contoso.example/x")


@pytest.mark.parametrize("path", ["/Shared/../../outside", "Shared/a", "/Shared/./a"])
def test_a_path_leads_nowhere_but_into_the_workspace(client: WorkspaceClient, path: str) -> None:
    with pytest.raises(InvalidParameterValue):
        client.workspace.mkdirs(path)


def test_ten_megabytes_are_too_much(client: WorkspaceClient) -> None:
    with pytest.raises(DatabricksError) as refused:
        client.workspace.upload(
            "/Shared/big.bin", b"x" * (10 * 1024 * 1024 + 1), format=ImportFormat.RAW
        )

    assert refused.value.error_code == "MAX_NOTEBOOK_SIZE_EXCEEDED"


# Jobs


def scoring_job(client: WorkspaceClient, **more: Any) -> int:
    notebook = jobs.NotebookTask(
        notebook_path="/Shared/hooks/score", base_parameters={"model_version": "0"}
    )
    created = client.jobs.create(
        name="Score churn",
        tasks=[jobs.Task(task_key="score", notebook_task=notebook, new_cluster=CLUSTER)],
        parameters=[
            jobs.JobParameterDefinition(name="model_name", default="churn_model"),
            jobs.JobParameterDefinition(name="model_version", default="3"),
        ],
        tags={"signalman_model": "churn_model"},
        **more,
    )
    return int(created.job_id)


def test_a_job_is_shown_with_what_the_server_added(
    workspace: Databricks, client: WorkspaceClient
) -> None:
    schedule = jobs.CronSchedule(quartz_cron_expression="0 0 6 * * ?", timezone_id="Europe/Berlin")
    job_id = scoring_job(client, schedule=schedule)

    settings = client.jobs.get(job_id).settings

    assert settings.max_concurrent_runs == 1
    assert settings.format is jobs.Format.MULTI_TASK
    assert settings.tasks[0].run_if is jobs.RunIf.ALL_SUCCESS
    assert settings.tasks[0].notebook_task.source is jobs.Source.WORKSPACE
    assert settings.schedule.pause_status is jobs.PauseStatus.UNPAUSED
    assert workspace.jobs()[0]["settings"]["queue"] == {"enabled": True}


def test_an_update_replaces_top_level_fields_and_merges_tasks_by_key(
    client: WorkspaceClient,
) -> None:
    job_id = scoring_job(client)
    other = jobs.Task(
        task_key="report", notebook_task=jobs.NotebookTask(notebook_path="/Shared/hooks/report")
    )

    client.jobs.update(
        job_id,
        new_settings=jobs.JobSettings(tags={"signalman_version": "4"}, tasks=[other]),
        fields_to_remove=[],
    )
    settings = client.jobs.get(job_id).settings

    assert settings.name == "Score churn"
    assert settings.tags == {"signalman_version": "4"}
    assert [task.task_key for task in settings.tasks] == ["score", "report"]
    client.jobs.update(job_id, fields_to_remove=["tasks/report", "tags"])
    assert [task.task_key for task in client.jobs.get(job_id).settings.tasks] == ["score"]
    assert client.jobs.get(job_id).settings.tags is None


def test_a_reset_leaves_nothing_of_the_old_settings(client: WorkspaceClient) -> None:
    job_id = scoring_job(client)
    task = jobs.Task(task_key="only", notebook_task=jobs.NotebookTask(notebook_path="/Shared/x"))

    client.jobs.reset(job_id, jobs.JobSettings(name="Another", tasks=[task]))

    settings = client.jobs.get(job_id).settings
    assert (settings.name, settings.tags, settings.parameters or []) == ("Another", None, [])


def test_jobs_are_found_by_name_whatever_its_case_and_page_by_page(client: WorkspaceClient) -> None:
    wanted = scoring_job(client)
    for number in range(5):
        task = jobs.Task(task_key="t", notebook_task=jobs.NotebookTask(notebook_path="/Shared/x"))
        client.jobs.create(name=f"Other {number}", tasks=[task])

    assert [job.job_id for job in client.jobs.list(name="SCORE CHURN")] == [wanted]
    assert len({job.job_id for job in client.jobs.list(limit=2)}) == 6


def test_a_job_that_is_gone_is_missing(client: WorkspaceClient) -> None:
    job_id = scoring_job(client)

    client.jobs.delete(job_id)

    with pytest.raises(NotFound, match=f"Job {job_id} does not exist"):
        client.jobs.get(job_id)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"new_cluster": {"node_type_id": "x", "num_workers": 1}}, "spark_version"),
        ({"new_cluster": {"spark_version": "x", "num_workers": 1}}, "node_type_id"),
        ({"new_cluster": {"spark_version": "x", "node_type_id": "y"}}, "size"),
        (
            {"new_cluster": None, "job_cluster_key": "none"},
            "is not defined in field 'job_clusters'",
        ),
        ({"task_key": ""}, "task_key"),
        ({"libraries": [{"pypi": {"package": "a"}, "whl": "b"}]}, "library"),
        ({"libraries": [{"pypi": {}}]}, "package"),
        ({"notebook_task": {"notebook_path": "relative"}}, "Only absolute paths"),
    ],
)
def test_settings_that_lack_something_are_refused(
    workspace: Databricks, change: dict[str, Any], words: str
) -> None:
    task = {
        "task_key": "t",
        "notebook_task": {"notebook_path": "/a"},
        "new_cluster": CLUSTER.as_dict(),
        **change,
    }
    body = {
        "name": "x",
        "tasks": [{key: value for key, value in task.items() if value is not None}],
    }

    answer = requests.post(
        f"{workspace.url}/api/2.2/jobs/create",
        json=body,
        headers={"Authorization": f"Bearer {TOKEN}"},
        timeout=5,
    )

    assert answer.status_code == 400
    assert answer.json()["error_code"] == "INVALID_PARAMETER_VALUE"
    assert words in answer.json()["message"]


# Runs that really run


def test_a_python_file_runs_beside_its_neighbours_with_its_parameters(
    workspace: Databricks, client: WorkspaceClient
) -> None:
    put(client, "/Shared/project/neighbour.py", "VALUE = 7\n")
    put(client, "/Shared/project/data.csv", "a,b\n")

    found = run(
        workspace,
        client,
        "import os, sys\nfrom neighbour import VALUE\nprint(VALUE, sys.argv[1:], "
        "open('data.csv').read())\n",
        "two words",
        "{{job.run_id}}",
    )

    assert found.state.result_state is jobs.RunResultState.SUCCESS
    assert found.status.termination_details.code is jobs.TerminationCodeCode.SUCCESS
    assert output(client, found).logs == f"7 ['two words', '{found.run_id}'] a,b\n\n"


def test_a_task_sees_its_cluster_and_nothing_of_the_machines_secrets(
    workspace: Databricks, client: WorkspaceClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_DEVOPS_TOKEN", "hands off")
    put(client, "/Shared/project/main.py", "import json, os\nprint(json.dumps(dict(os.environ)))\n")
    cluster = compute.ClusterSpec(**{**vars(CLUSTER), "spark_env_vars": {"MLFLOW_RUN_ID": "abc"}})
    task = python_task("/Workspace/Shared/project/main.py")
    task.new_cluster = cluster

    submitted = client.jobs.submit(tasks=[task])
    workspace.wait(submitted.run_id)

    seen = json.loads(workspace.output(submitted.run_id))
    assert seen["MLFLOW_RUN_ID"] == "abc"
    assert seen["DATABRICKS_HOST"] == workspace.url
    assert seen["MLFLOW_TRACKING_URI"] == seen["MLFLOW_REGISTRY_URI"] == "databricks"
    assert seen["DATABRICKS_TOKEN"] != TOKEN
    assert "AZURE_DEVOPS_TOKEN" not in seen
    used_up = requests.get(
        f"{workspace.url}/api/2.0/preview/scim/v2/Me",
        headers={"Authorization": f"Bearer {seen['DATABRICKS_TOKEN']}"},
        timeout=5,
    )
    assert used_up.status_code == 403


def test_a_program_that_fails_is_told_by_its_exception(
    workspace: Databricks, client: WorkspaceClient
) -> None:
    found = run(workspace, client, "def train():\n    raise ValueError('no rows left')\ntrain()\n")

    told = output(client, found)

    assert told.error == "ValueError: no rows left"
    assert 'File "/Workspace/Shared/project/main.py", line 2, in train' in told.error_trace
    assert "task_main" not in told.error_trace
    # As the service: the run shows INTERNAL_ERROR in the old state, its task does not.
    assert found.state.life_cycle_state is jobs.RunLifeCycleState.INTERNAL_ERROR
    assert found.state.result_state is jobs.RunResultState.FAILED
    assert found.tasks[0].state.life_cycle_state is jobs.RunLifeCycleState.TERMINATED
    assert found.status.termination_details.code is jobs.TerminationCodeCode.RUN_EXECUTION_ERROR


@pytest.mark.parametrize(
    ("program", "error"),
    [("import sys; sys.exit(3)", "SystemExit: 3"), ("import os; os._exit(9)", "ended with code 9")],
)
def test_a_program_that_just_ends_has_failed_too(
    workspace: Databricks, client: WorkspaceClient, program: str, error: str
) -> None:
    found = run(workspace, client, program)

    assert found.state.result_state is jobs.RunResultState.FAILED
    assert error in output(client, found).error


def test_a_file_that_is_not_there_is_said_to_be_missing(
    workspace: Databricks, client: WorkspaceClient
) -> None:
    submitted = client.jobs.submit(tasks=[python_task("/Shared/gone.py")])

    ended = workspace.wait(submitted.run_id)

    assert ended["tasks"][0]["state"]["state_message"].startswith(
        "Cannot read the python file /Shared/gone.py."
    )
    assert ended["status"]["termination_details"]["code"] == "RESOURCE_NOT_FOUND"


def test_a_notebook_runs_cell_by_cell_and_job_parameters_win(
    workspace: Databricks, client: WorkspaceClient
) -> None:
    put(client, "/Shared/hooks/score.py", NOTEBOOK)
    put(
        client,
        "/Shared/hooks/shared_names.py",
        "# Databricks notebook source\nGREETING = 'scoring with'\n",
    )
    put(client, "/Shared/projects/names.txt", "anna")
    job_id = scoring_job(client)

    started = client.jobs.run_now(job_id, job_parameters={"model_version": "12"})
    ended = workspace.wait(started.run_id)

    written = workspace.output(started.run_id)
    result = client.jobs.get_run_output(ended["tasks"][0]["run_id"])
    assert "scoring with churn_model january" in written
    assert "anna" in written
    assert "never" not in written
    assert "does not stop exit" not in written
    assert result.notebook_output.result == "churn_model@12"
    assert result.logs is None
    assert {p["name"]: p["value"] for p in ended["job_parameters"]} == {
        "model_name": "churn_model",
        "model_version": "12",
    }


@pytest.mark.parametrize(
    ("cell", "error"),
    [
        ("spark.read.table('x')", "NameError: name 'spark' is not defined"),
        (
            "dbutils.widgets.get('nothing')",
            "InputWidgetNotDefined: No input widget named nothing is defined",
        ),
        (
            "# MAGIC %sql\n# MAGIC select 1",
            "UnsupportedMagic: A cell with %sql in bad needs a real cluster.",
        ),
    ],
)
def test_a_notebook_that_asks_for_what_is_not_there_fails_in_so_many_words(
    workspace: Databricks, client: WorkspaceClient, cell: str, error: str
) -> None:
    put(client, "/Shared/bad.py", f"# Databricks notebook source\n{cell}\n")
    notebook = jobs.NotebookTask(notebook_path="/Shared/bad")

    submitted = client.jobs.submit(tasks=[jobs.SubmitTask(task_key="t", notebook_task=notebook)])
    ended = workspace.wait(submitted.run_id)

    told = client.jobs.get_run_output(ended["tasks"][0]["run_id"]).error
    assert told.endswith(error)


def test_tasks_follow_each_other_and_stop_where_one_fails(
    workspace: Databricks, client: WorkspaceClient
) -> None:
    put(client, "/Shared/project/bad.py", "raise SystemExit('no')\n")
    put(client, "/Shared/project/good.py", "print('good')\n")
    first = python_task("/Shared/project/bad.py")
    second = python_task(
        "/Shared/project/good.py", depends_on=[jobs.TaskDependency(task_key="main")]
    )
    second.task_key = "after"

    submitted = client.jobs.submit(tasks=[second, first])
    workspace.wait(submitted.run_id)

    found = {
        task.task_key: task.state.result_state
        for task in client.jobs.get_run(submitted.run_id).tasks
    }
    assert found == {
        "main": jobs.RunResultState.FAILED,
        "after": jobs.RunResultState.UPSTREAM_FAILED,
    }
    with pytest.raises(InvalidParameterValue, match="multiple tasks"):
        client.jobs.get_run_output(submitted.run_id)


def test_a_cancelled_run_leaves_no_process_behind(
    workspace: Databricks, client: WorkspaceClient
) -> None:
    program = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(os.getpid(), child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    put(client, "/Shared/project/main.py", program)
    submitted = client.jobs.submit(tasks=[python_task("/Shared/project/main.py")])
    processes = [int(word) for word in until(lambda: workspace.output(submitted.run_id)).split()]
    assert (
        client.jobs.get_run(submitted.run_id).status.state is jobs.RunLifecycleStateV2State.RUNNING
    )

    client.jobs.cancel_run(submitted.run_id)
    ended = workspace.wait(submitted.run_id)

    assert ended["state"]["result_state"] == "CANCELED"
    assert ended["status"]["termination_details"]["code"] == "USER_CANCELED"
    until(lambda: not any(map(is_alive, processes)))
    client.jobs.cancel_run(submitted.run_id)
    assert client.jobs.get_run(submitted.run_id).state.result_state is jobs.RunResultState.CANCELED


def test_a_run_that_takes_too_long_is_ended(workspace: Databricks, client: WorkspaceClient) -> None:
    found = run(workspace, client, "import time; time.sleep(600)", timeout_seconds=1)

    assert found.state.result_state is jobs.RunResultState.TIMEDOUT
    assert found.state.user_cancelled_or_timedout is True


def test_a_token_submits_one_run_however_often_it_is_sent(
    client: WorkspaceClient, workspace: Databricks
) -> None:
    put(client, "/Shared/project/main.py", "print('once')\n")
    task = python_task("/Shared/project/main.py")

    first = client.jobs.submit(tasks=[task], idempotency_token="pr-7-abc")
    again = client.jobs.submit(tasks=[task], idempotency_token="pr-7-abc")

    assert first.run_id == again.run_id
    assert len(workspace.runs()) == 1
    with pytest.raises(InvalidParameterValue, match="64"):
        client.jobs.submit(tasks=[task], idempotency_token="x" * 65)


@pytest.mark.parametrize(("queued", "state"), [(True, "QUEUED"), (False, "SKIPPED")])
def test_a_second_run_of_a_job_waits_or_is_skipped(
    workspace: Databricks, client: WorkspaceClient, queued: bool, state: str
) -> None:
    put(client, "/Shared/project/main.py", "import time; time.sleep(600)\n")
    task = jobs.Task(
        task_key="t",
        new_cluster=CLUSTER,
        spark_python_task=jobs.SparkPythonTask(python_file="/Shared/project/main.py"),
    )
    job = client.jobs.create(name="slow", tasks=[task], queue=jobs.QueueSettings(enabled=queued))

    first = workspace.run_now(job.job_id)
    second = workspace.run_now(job.job_id)

    assert client.jobs.get_run(second).state.life_cycle_state.value == state
    client.jobs.cancel_run(first)
    workspace.wait(first)
    if queued:
        until(
            lambda: (
                client.jobs.get_run(second).state.life_cycle_state is jobs.RunLifeCycleState.RUNNING
            )
        )
    assert [found.run_id for found in client.jobs.list_runs(job_id=job.job_id)] == [second, first]


def test_runs_wait_for_a_free_cluster(tmp_path: Path) -> None:
    with Databricks(tmp_path, tokens={TOKEN: BOT}, slots=1) as workspace:
        client = client_of(workspace)
        put(client, "/Shared/project/main.py", "import time; time.sleep(600)\n")
        first = client.jobs.submit(tasks=[python_task("/Shared/project/main.py")])
        second = client.jobs.submit(tasks=[python_task("/Shared/project/main.py")])
        until(
            lambda: (
                client.jobs.get_run(first.run_id).state.life_cycle_state
                is jobs.RunLifeCycleState.RUNNING
            )
        )

        waiting = client.jobs.get_run(second.run_id)

        assert waiting.state.life_cycle_state is jobs.RunLifeCycleState.PENDING
        client.jobs.cancel_run(second.run_id)
        assert workspace.wait(second.run_id)["state"]["result_state"] == "CANCELED"


def test_a_run_is_pending_while_its_cluster_starts(tmp_path: Path) -> None:
    with Databricks(tmp_path, tokens={TOKEN: BOT}, cluster_start_seconds=600) as workspace:
        client = client_of(workspace)
        put(client, "/Shared/project/main.py", "print('never')\n")

        submitted = client.jobs.submit(tasks=[python_task("/Shared/project/main.py")])

        assert (
            client.jobs.get_run(submitted.run_id).status.state
            is jobs.RunLifecycleStateV2State.PENDING
        )
        client.jobs.cancel_run(submitted.run_id)
        assert workspace.wait(submitted.run_id, 5)["state"]["result_state"] == "CANCELED"
        assert workspace.output(submitted.run_id) == ""


def test_the_old_jobs_api_answers_in_its_old_form(
    workspace: Databricks, client: WorkspaceClient
) -> None:
    put(client, "/Shared/project/main.py", "print('old')\n")
    body = {
        "run_name": "old",
        "new_cluster": CLUSTER.as_dict(),
        "spark_python_task": {"python_file": "/Shared/project/main.py"},
    }
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {TOKEN}"
    with session:
        run_id = session.post(
            f"{workspace.url}/api/2.0/jobs/runs/submit", json=body, timeout=5
        ).json()["run_id"]
        workspace.wait(run_id)
        found = session.get(
            f"{workspace.url}/api/2.0/jobs/runs/get?run_id={run_id}", timeout=5
        ).json()
        logs = session.get(
            f"{workspace.url}/api/2.0/jobs/runs/get-output?run_id={run_id}", timeout=5
        ).json()["logs"]

    assert "tasks" not in found
    assert found["state"]["result_state"] == "SUCCESS"
    assert logs == "old\n"


def test_a_task_does_not_outlive_a_workspace_that_is_killed(tmp_path: Path) -> None:
    served = subprocess.Popen(
        [sys.executable, "-m", "sandbox.databricks", "--root", str(tmp_path)],
        env={"PATH": os.environ["PATH"], "DATABRICKS_SANDBOX_TOKENS": f"{TOKEN}={BOT}"},
        stdout=subprocess.PIPE,
        text=True,
    )
    with served:
        assert served.stdout is not None
        url = served.stdout.readline().strip()
        client = WorkspaceClient(config=Config(host=url, token=TOKEN))
        program = "import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(600)\n"
        put(client, "/Shared/project/main.py", program)
        client.jobs.submit(tasks=[python_task("/Shared/project/main.py")])
        written = tmp_path / "workspace" / "Shared" / "project" / "pid"
        process = int(until(lambda: written.exists() and written.read_text()))

        served.send_signal(signal.SIGKILL)

    until(lambda: not is_alive(process))


# Faults, pages


def test_a_call_can_be_made_to_fail_once(workspace: Databricks, client: WorkspaceClient) -> None:
    workspace.fail_next("GET", "/api/2.2/jobs/list", 503, times=1)

    answers = [
        requests.get(
            f"{workspace.url}/api/2.2/jobs/list", headers=client.config.authenticate(), timeout=5
        )
        for _ in range(2)
    ]

    assert [answer.status_code for answer in answers] == [503, 200]
    assert answers[0].json()["error_code"] == "TEMPORARILY_UNAVAILABLE"
    assert [call.status for call in workspace.calls if call.path.endswith("/jobs/list")] == [
        503,
        200,
    ]


def test_the_page_of_a_run_shows_what_it_wrote_and_lets_nothing_of_it_act(
    workspace: Databricks, client: WorkspaceClient
) -> None:
    found = run(workspace, client, "print('<script>alert(1)</script>')\nraise KeyError('<b>')\n")

    page = requests.get(found.run_page_url, timeout=5)

    assert page.status_code == 200
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    assert "<script>" not in page.text
    assert "KeyError" in page.text
    assert requests.get(found.tasks[0].run_page_url, timeout=5).status_code == 200


def test_pages_lead_from_one_to_the_next_and_load_nothing_from_elsewhere(
    workspace: Databricks, client: WorkspaceClient
) -> None:
    put(client, "/Shared/hooks/score me.py", NOTEBOOK)
    scoring_job(
        client, schedule=jobs.CronSchedule(quartz_cron_expression="0 0 6 * * ?", timezone_id="UTC")
    )
    run(workspace, client, "print('hello')\n")
    seen: set[str] = set()
    ahead = ["/"]

    while ahead:
        path = ahead.pop()
        seen.add(path)
        page = requests.get(workspace.url + path, timeout=5)
        assert page.status_code == 200, path
        found = re.findall(r'(?:href|src)="([^"]+)"', page.text)
        assert all(link.startswith("/") for link in found), path
        ahead += [link for link in found if link not in seen | set(ahead)]

    assert "/workspace/Shared/hooks/score%20me" in seen
    assert any(re.fullmatch(r"/jobs/\d+", path) for path in seen)
    assert any(re.fullmatch(r"/jobs/\d+/runs/\d+", path) for path in seen)
    assert requests.get(f"{workspace.url}/jobs/1", timeout=5).status_code == 404


@pytest.mark.parametrize(
    ("expression", "zone", "expected"),
    [
        ("0 0 6 * * ?", "UTC", datetime(2026, 11, 24, 6, 0, tzinfo=UTC)),
        ("0 30 8 ? * MON-FRI", "Europe/Berlin", datetime(2026, 11, 24, 7, 30, tzinfo=UTC)),
        ("0 0/15 * * * ?", "UTC", datetime(2026, 11, 23, 20, 15, tzinfo=UTC)),
        ("0 0 0 1 JAN ?", "UTC", datetime(2027, 1, 1, tzinfo=UTC)),
        ("0 0 0 L * ?", "UTC", None),
    ],
)
def test_the_next_run_of_a_schedule_is_told_where_it_is_known(
    expression: str, zone: str, expected: datetime | None
) -> None:
    assert quartz.next_run(expression, zone, datetime(2026, 11, 23, 20, 1, tzinfo=UTC)) == expected


# With a real MLflow server behind it


class Inbox:
    """Keeps what is posted to it."""

    def __init__(self) -> None:
        self.posted: list[tuple[dict[str, str], bytes]] = []
        inbox = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                inbox.posted.append((dict(self.headers), body))
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/webhooks/databricks"
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def with_mlflow(tmp_path: Path, mlflow_server: MlflowServer) -> Iterator[Databricks]:
    with Databricks(tmp_path, tokens={TOKEN: BOT}, mlflow_url=mlflow_server.url) as started:
        yield started


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    opened = Inbox()
    yield opened
    opened.close()


@pytest.mark.slow
def test_an_experiment_needs_an_absolute_path_whose_parent_exists(with_mlflow: Databricks) -> None:
    client = client_of(with_mlflow)

    with pytest.raises(
        InvalidParameterValue, match="must be an absolute path within the Databricks workspace"
    ):
        client.experiments.create_experiment("churn")
    with pytest.raises(ResourceDoesNotExist, match="Parent directory /Shared/alice does not exist"):
        client.experiments.create_experiment("/Shared/alice/churn_expr")
    client.workspace.mkdirs("/Shared/alice")
    created = client.experiments.create_experiment("/Shared/alice/churn_expr").experiment_id

    assert (
        client.experiments.get_by_name("/Shared/alice/churn_expr").experiment.experiment_id
        == created
    )
    with pytest.raises(ResourceAlreadyExists, match="Node named 'churn_expr' already exists"):
        client.experiments.create_experiment("/Workspace/Shared/alice/churn_expr")
    assert created in {found.experiment_id for found in client.experiments.list_experiments()}


@pytest.mark.slow
def test_runs_are_kept_by_mlflow(with_mlflow: Databricks) -> None:
    client = client_of(with_mlflow)
    experiment = client.experiments.create_experiment("/Shared/runs_expr").experiment_id

    run_id = client.experiments.create_run(experiment_id=experiment, run_name="try").run.info.run_id
    client.experiments.set_tag("commit", "abc", run_id=run_id)
    client.experiments.log_metric("rmse", 0.5, 1, run_id=run_id)
    client.experiments.update_run(run_id=run_id, status=ml.UpdateRunStatus.FINISHED)

    found = client.experiments.get_run(run_id).run
    assert found.info.status is ml.RunInfoStatus.FINISHED
    assert {tag.key: tag.value for tag in found.data.tags}["commit"] == "abc"
    assert found.data.metrics[0].value == 0.5
    moved = requests.get(
        f"{with_mlflow.url}/ml/experiments/1/runs/x", allow_redirects=False, timeout=5
    )
    assert moved.headers["Location"].endswith("/#/experiments/1/runs/x")


@pytest.mark.slow
def test_a_stage_transition_is_told_to_its_subscribers_signed(
    with_mlflow: Databricks, inbox: Inbox
) -> None:
    client = client_of(with_mlflow)
    hook = with_mlflow.subscribe_bot(inbox.url, "a secret")
    elsewhere = client.model_registry.create_webhook(
        [ml.RegistryWebhookEvent.MODEL_VERSION_TRANSITIONED_TO_PRODUCTION],
        model_name="another_model",
        http_url_spec=ml.HttpUrlSpec(url=inbox.url, secret="b"),
    )
    client.model_registry.create_model("tide_model")
    client.model_registry.create_model_version("tide_model", "s3://models/tide")
    client.model_registry.create_model_version("tide_model", "s3://models/tide")

    with_mlflow.transition("tide_model", 1, "Production")
    moved = client.model_registry.transition_stage("tide_model", "2", "Production", True)
    assert with_mlflow.drain()

    events = [json.loads(body) for _, body in inbox.posted]
    assert [(e["event"], e["version"], e.get("from_stage"), e.get("to_stage")) for e in events] == [
        ("MODEL_VERSION_CREATED", "1", None, None),
        ("MODEL_VERSION_CREATED", "2", None, None),
        ("MODEL_VERSION_TRANSITIONED_STAGE", "1", "None", "Production"),
        ("MODEL_VERSION_TRANSITIONED_STAGE", "2", "None", "Production"),
        ("MODEL_VERSION_TRANSITIONED_STAGE", "1", "Production", "Archived"),
    ]
    assert {event["webhook_id"] for event in events} == {hook}
    for headers, body in inbox.posted:
        assert (
            headers["X-Databricks-Signature"]
            == hmac.new(b"a secret", body, hashlib.sha256).hexdigest()
        )
    assert moved.model_version_databricks.current_stage == "Production"
    client.model_registry.delete_webhook(elsewhere.webhook.id)
    assert [found.id for found in client.model_registry.list_webhooks()] == [hook]


@pytest.mark.slow
def test_webhooks_are_managed_as_documented_and_never_give_a_secret_back(
    with_mlflow: Databricks, inbox: Inbox
) -> None:
    client = client_of(with_mlflow)
    spec = ml.HttpUrlSpec(url=inbox.url, secret="a secret", authorization="Bearer b")
    events = [ml.RegistryWebhookEvent.MODEL_VERSION_TRANSITIONED_STAGE]

    created = client.model_registry.create_webhook(
        events, http_url_spec=spec, status=ml.RegistryWebhookStatus.TEST_MODE
    ).webhook
    tested = client.model_registry.test_registry_webhook(created.id)
    client.model_registry.update_webhook(created.id, status=ml.RegistryWebhookStatus.ACTIVE)

    assert tested.status_code == 202
    assert inbox.posted[0][0]["Authorization"] == "Bearer b"
    assert (
        client.model_registry.list_webhooks().__next__().status is ml.RegistryWebhookStatus.ACTIVE
    )
    assert "a secret" not in json.dumps([call.response for call in with_mlflow.calls])
    with pytest.raises(InvalidParameterValue, match="Only HTTPS"):
        client.model_registry.create_webhook(
            events, http_url_spec=ml.HttpUrlSpec(url="http://example.com/")
        )


@pytest.mark.slow
def test_a_webhook_can_start_a_job_with_the_event(with_mlflow: Databricks) -> None:
    client = client_of(with_mlflow)
    put(
        client,
        "/Shared/react.py",
        "# Databricks notebook source\nprint(dbutils.widgets.get('event_message'))\n",
    )
    task = jobs.Task(task_key="t", notebook_task=jobs.NotebookTask(notebook_path="/Shared/react"))
    job = client.jobs.create(name="react", tasks=[task])
    client.model_registry.create_webhook(
        [ml.RegistryWebhookEvent.REGISTERED_MODEL_CREATED],
        job_spec=ml.JobSpec(
            job_id=str(job.job_id), access_token="secret", workspace_url=with_mlflow.url
        ),
    )

    client.model_registry.create_model("reacted_model")
    assert with_mlflow.drain()

    started = next(client.jobs.list_runs(job_id=job.job_id))
    with_mlflow.wait(started.run_id)
    assert json.loads(with_mlflow.output(started.run_id))["model_name"] == "reacted_model"
    page = requests.get(f"{with_mlflow.url}/webhooks", timeout=5).text
    assert "REGISTERED_MODEL_CREATED" in page
    assert "secret" not in page


@pytest.mark.slow
def test_the_workspace_registry_knows_no_aliases_and_no_webhooks_of_mlflows(
    with_mlflow: Databricks,
) -> None:
    client = client_of(with_mlflow)
    client.model_registry.create_model("alias_model")

    for method, path in (
        ("POST", "/api/2.0/mlflow/registered-models/alias"),
        ("GET", "/api/2.0/mlflow/webhooks"),
    ):
        with pytest.raises(NotFound) as refused:
            client.api_client.do(method, path, body={} if method == "POST" else None)
        assert refused.value.error_code == "ENDPOINT_NOT_FOUND"
    assert (
        client.model_registry.get_model("alias_model").registered_model_databricks.name
        == "alias_model"
    )


@pytest.mark.slow
def test_mlflows_own_client_trains_and_registers_through_the_workspace(
    with_mlflow: Databricks, inbox: Inbox
) -> None:
    client = client_of(with_mlflow)
    with_mlflow.subscribe_bot(inbox.url, "a secret")
    program = """
import mlflow
mlflow.set_experiment("/Shared/train_expr")
with mlflow.start_run() as run:
    mlflow.log_metric("rmse", 0.25)
    mlflow.log_text("hello", "notes.txt")
    version = mlflow.MlflowClient().create_registered_model("wave_model")
    made = mlflow.MlflowClient().create_model_version("wave_model", run.info.artifact_uri, run.info.run_id)
    mlflow.MlflowClient().transition_model_version_stage("wave_model", made.version, "Staging")
print("RUN", run.info.run_id)
"""  # noqa: E501 a table, or a text as it is sent

    found = run(with_mlflow, client, program)

    assert found.state.result_state is jobs.RunResultState.SUCCESS, output(
        client, found
    ).error_trace
    run_id = output(client, found).logs.split("RUN ")[1].strip()
    logged = client.experiments.get_run(run_id).run
    assert {metric.key: metric.value for metric in logged.data.metrics} == {"rmse": 0.25}
    assert Path(logged.info.artifact_uri, "notes.txt").read_text() == "hello"
    assert (
        client.model_registry.get_model_version("wave_model", "1").model_version.current_stage
        == "Staging"
    )
    assert with_mlflow.drain()
    assert [json.loads(body)["event"] for _, body in inbox.posted] == [
        "MODEL_VERSION_CREATED",
        "MODEL_VERSION_TRANSITIONED_STAGE",
    ]
