"""Files that the stand-in Databricks hands out and takes: of registered models, and below the DBFS
root.
"""

import base64
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config
from databricks.sdk.errors import DatabricksError, NotFound, PermissionDenied, ResourceAlreadyExists
from databricks.sdk.service import compute, jobs
from mlflow.store.artifact.databricks_models_artifact_repo import DatabricksModelsArtifactRepository

from sandbox.databricks import Databricks
from sandbox.mlflow_server import MlflowServer

TOKEN = "dapi-of-somebody"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
MODEL = "/api/2.0/mlflow/model-versions"
CLUSTER = {"spark_version": "10.4.x-scala2.12", "node_type_id": "Standard_DS3_v2", "num_workers": 1}


@pytest.fixture
def with_models(tmp_path: Path, mlflow_server: MlflowServer) -> Iterator[Databricks]:
    with Databricks(
        tmp_path, tokens={TOKEN: "ada@contoso.example"}, mlflow_url=mlflow_server.url
    ) as started:
        yield started


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Databricks]:
    with Databricks(tmp_path, tokens={TOKEN: "ada@contoso.example"}) as started:
        yield started


@pytest.fixture
def old_workspace(tmp_path: Path) -> Iterator[Databricks]:
    with Databricks(tmp_path, tokens={TOKEN: "ada@contoso.example"}, dbfs_root=True) as started:
        yield started


@pytest.fixture
def signed_in(with_models: Databricks, monkeypatch: pytest.MonkeyPatch) -> Databricks:
    monkeypatch.setenv("DATABRICKS_HOST", with_models.url)
    monkeypatch.setenv("DATABRICKS_TOKEN", TOKEN)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "databricks")
    return with_models


def client_of(workspace: Databricks) -> WorkspaceClient:
    return WorkspaceClient(config=Config(host=workspace.url, token=TOKEN, retry_timeout_seconds=2))


def registered(server: MlflowServer, name: str) -> Path:
    """Version 1 of a model, the folder of which is given."""
    run = server.call("POST", "/api/2.0/mlflow/runs/create", {"experiment_id": "0"})["run"]["info"]
    folder = Path(run["artifact_uri"].removeprefix("file://")) / "model"
    (folder / "data").mkdir(parents=True)
    (folder / "MLmodel").write_text("flavors: {}\n")
    (folder / "data" / "weights.bin").write_bytes(bytes(range(256)))
    server.call("POST", "/api/2.0/mlflow/registered-models/create", {"name": name})
    body = {"name": name, "source": f"{run['artifact_uri']}/model", "run_id": run["run_id"]}
    server.call("POST", f"{MODEL}/create", body)
    return folder


def ask(workspace: Databricks, call: str, **query: Any) -> requests.Response:
    return requests.get(workspace.url + call, params=query, headers=HEADERS, timeout=10)


@pytest.mark.slow
def test_mlflows_own_client_downloads_a_registered_model(
    signed_in: Databricks, mlflow_server: MlflowServer, tmp_path: Path
) -> None:
    registered(mlflow_server, "downloaded")
    files = DatabricksModelsArtifactRepository("models:/downloaded/1", registry_uri="databricks")

    (tmp_path / "here").mkdir()
    found = Path(files.download_artifacts("", str(tmp_path / "here")))

    assert (found / "MLmodel").read_text() == "flavors: {}\n"
    assert (found / "data" / "weights.bin").read_bytes() == bytes(range(256))
    assert files.list_artifacts("MLmodel") == []
    assert files.list_artifacts("no such folder") == []


@pytest.mark.slow
def test_a_signed_address_needs_no_token_and_gives_also_a_part(
    with_models: Databricks, mlflow_server: MlflowServer
) -> None:
    registered(mlflow_server, "in_parts")
    signed = ask(
        with_models,
        f"{MODEL}/get-signed-download-uri",
        name="in_parts",
        version=1,
        path="data/weights.bin",
    )

    whole = requests.get(signed.json()["signed_uri"], timeout=5)
    part = requests.get(signed.json()["signed_uri"], headers={"Range": "bytes=10-13"}, timeout=5)

    assert whole.content == bytes(range(256))
    assert (part.status_code, part.content) == (206, bytes([10, 11, 12, 13]))
    assert part.headers["Content-Range"] == "bytes 10-13/256"


@pytest.mark.slow
def test_a_signed_address_ends_and_cannot_be_guessed(
    with_models: Databricks, mlflow_server: MlflowServer
) -> None:
    registered(mlflow_server, "for_a_while")
    assert with_models.stored_files is not None
    with_models.stored_files.valid_seconds = 0.0
    signed = ask(
        with_models,
        f"{MODEL}/get-signed-download-uri",
        name="for_a_while",
        version=1,
        path="MLmodel",
    ).json()

    late = requests.get(signed["signed_uri"], timeout=5)
    guessed = requests.get(signed["signed_uri"][:-4] + "AAAA", timeout=5)

    assert (late.status_code, guessed.status_code) == (403, 403)
    assert b"flavors" not in late.content + guessed.content


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", ["../../../mlflow.db", "/etc/passwd", "data/../../MLmodel", "out", "out/passwd"]
)
def test_nothing_but_the_files_of_the_version_is_handed_out(
    with_models: Databricks, mlflow_server: MlflowServer, path: str
) -> None:
    name = "kept_in_" + "".join(letter for letter in path if letter.isalpha())
    folder = registered(mlflow_server, name)
    (folder / "out").symlink_to("/etc")

    signed = ask(with_models, f"{MODEL}/get-signed-download-uri", name=name, version=1, path=path)
    below = ask(with_models, f"{MODEL}/list-artifacts", name=name, version=1, path=path)
    top = ask(with_models, f"{MODEL}/list-artifacts", name=name, version=1)

    assert signed.status_code in (400, 404)
    assert below.json().get("files") is None
    assert [file["path"] for file in top.json()["files"]] == ["MLmodel", "data"]


@pytest.mark.slow
def test_a_version_that_does_not_exist_has_no_files(
    with_models: Databricks, mlflow_server: MlflowServer
) -> None:
    registered(mlflow_server, "one_version")

    answer = ask(with_models, f"{MODEL}/list-artifacts", name="one_version", version=7)

    assert (answer.status_code, answer.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_the_root_of_dbfs_is_disabled_unless_it_is_asked_for(workspace: Databricks) -> None:
    uploaded = requests.post(f"{workspace.url}/dbfs/x.txt", b"x", headers=HEADERS, timeout=5)

    with pytest.raises(PermissionDenied, match="DBFS root is disabled"):
        client_of(workspace).dbfs.get_status("/x.txt")
    assert uploaded.status_code == 403


def test_files_are_written_to_dbfs_and_read_back_by_the_services_client(
    old_workspace: Databricks,
) -> None:
    dbfs = client_of(old_workspace).dbfs
    large = bytes(range(256)) * 10_000

    with dbfs.open("/a/stream.bin", write=True) as stream:
        stream.write(large)
    dbfs.put("/a/put.txt", contents=base64.b64encode(b"small").decode())

    assert dbfs.open("/a/stream.bin", read=True).read() == large
    assert [(file.path, file.file_size) for file in dbfs.list("/a")] == [
        ("/a/put.txt", 5),
        ("/a/stream.bin", len(large)),
    ]
    with pytest.raises(ResourceAlreadyExists):
        dbfs.put("/a/put.txt", contents=base64.b64encode(b"again").decode())
    with pytest.raises(NotFound):
        dbfs.get_status("/a/nothing")
    with pytest.raises(DatabricksError):
        dbfs.get_status("/../workspace")


def test_an_upload_needs_a_token_and_replaces_nothing(old_workspace: Databricks) -> None:
    address = f"{old_workspace.url}/dbfs/mlflow-experiments/1/code.tar.gz"

    strange = requests.post(address, b"evil", timeout=5)
    first = requests.post(address, b"one", headers=HEADERS, timeout=5)
    second = requests.post(address, b"two", headers=HEADERS, timeout=5)

    assert (strange.status_code, first.status_code, second.status_code) == (401, 200, 409)
    assert "File already exists" in second.text
    assert (
        old_workspace.dbfs.on_disk("dbfs:/mlflow-experiments/1/code.tar.gz").read_bytes() == b"one"
    )


def test_a_command_of_the_old_jobs_api_finds_dbfs_and_its_clusters_disk(
    old_workspace: Databricks,
) -> None:
    requests.post(f"{old_workspace.url}/dbfs/in/word.txt", b"hello\n", headers=HEADERS, timeout=5)
    command = (
        "mkdir -p /databricks/work && rsync -a /dbfs/in/word.txt /databricks/work && cat "
        "/databricks/work/word.txt"
    )
    command += "; echo $GREETING /Shared/dbfs/in; exit 3"
    task = {"command": ["bash", "-c", command], "env_vars": {"GREETING": "hi"}}

    body = {"run_name": "shell", "new_cluster": CLUSTER, "shell_command_task": task}
    run = requests.post(
        f"{old_workspace.url}/api/2.0/jobs/runs/submit", json=body, headers=HEADERS, timeout=5
    ).json()
    ended = old_workspace.wait(run["run_id"], 30)

    assert ended["state"]["result_state"] == "FAILED"
    assert old_workspace.output(run["run_id"]).startswith("hello\nhi /Shared/dbfs/in\n")
    page = requests.get(ended["run_page_url"], timeout=5).text
    assert "exit code 3" in page
    assert "rsync -a /dbfs/in/word.txt" in page


def test_a_python_file_of_dbfs_runs_and_sees_dbfs(old_workspace: Databricks) -> None:
    program = b"import sys\nprint(open('/dbfs/code/main.py').readline().strip(), sys.argv[1])\n"
    requests.post(f"{old_workspace.url}/dbfs/code/main.py", program, headers=HEADERS, timeout=5)
    python = jobs.SparkPythonTask(python_file="dbfs:/code/main.py", parameters=["one"])
    task = jobs.SubmitTask(
        task_key="main",
        new_cluster=compute.ClusterSpec.from_dict(CLUSTER),
        spark_python_task=python,
    )

    run = client_of(old_workspace).jobs.submit(run_name="old", tasks=[task]).run_id
    ended = old_workspace.wait(run, 30)

    assert ended["state"]["result_state"] == "SUCCESS"
    assert old_workspace.output(run) == "import sys one\n"


def test_a_schedule_is_paused_as_people_do_it(workspace: Databricks) -> None:
    schedule = jobs.CronSchedule(quartz_cron_expression="0 0 2 * * ?", timezone_id="UTC")
    client = client_of(workspace)
    notebook = jobs.Task(
        task_key="score", notebook_task=jobs.NotebookTask(notebook_path="/Shared/score")
    )
    job = client.jobs.create(name="nightly", schedule=schedule, tasks=[notebook]).job_id
    assert job is not None

    workspace.pause(job)
    paused = client.jobs.get(job).settings
    workspace.pause(job, False)
    resumed = client.jobs.get(job).settings

    assert paused is not None
    assert paused.schedule is not None
    assert paused.schedule.pause_status == jobs.PauseStatus.PAUSED
    assert resumed is not None
    assert resumed.schedule is not None
    assert resumed.schedule.pause_status == jobs.PauseStatus.UNPAUSED
    assert resumed.schedule.quartz_cron_expression == "0 0 2 * * ?"


def test_what_was_sent_and_answered_can_be_read_afterwards(old_workspace: Databricks) -> None:
    client_of(old_workspace).workspace.mkdirs("/Shared/seen")
    requests.post(f"{old_workspace.url}/dbfs/raw.bin", b"\x00raw", headers=HEADERS, timeout=5)

    made, raw = list(old_workspace.calls)[-2:]

    assert made.request == json.loads(made.sent) == {"path": "/Shared/seen"}
    assert made.answered == b"{}"
    assert (raw.request, raw.sent, raw.status) == (None, b"\x00raw", 200)


def test_an_answer_can_be_lost_after_the_work_was_done(workspace: Databricks) -> None:
    workspace.fail_next("POST", "/api/2.0/workspace/mkdirs", lose_answer=True)

    answer = requests.post(
        f"{workspace.url}/api/2.0/workspace/mkdirs",
        json={"path": "/Shared/done"},
        headers=HEADERS,
        timeout=5,
    )

    assert answer.status_code == 503
    assert client_of(workspace).workspace.get_status("/Shared/done").path == "/Shared/done"


def test_pages_are_there_while_a_run_is_under_way(old_workspace: Databricks) -> None:
    task = {"command": ["bash", "-c", "echo begun; sleep 60"]}
    body = {"run_name": "live", "new_cluster": CLUSTER, "shell_command_task": task}
    run = requests.post(
        f"{old_workspace.url}/api/2.0/jobs/runs/submit", json=body, headers=HEADERS, timeout=5
    ).json()
    shown = ask(old_workspace, "/api/2.0/jobs/runs/get", run_id=run["run_id"]).json()
    for _ in range(500):
        if "begun" in old_workspace.output(run["run_id"]):
            break
        threading.Event().wait(0.02)

    listed = requests.get(f"{old_workspace.url}/runs", timeout=5)
    live = requests.get(shown["run_page_url"], timeout=5)

    assert (listed.status_code, live.status_code) == (200, 200)
    assert "running" in listed.text
    assert "begun" in live.text
