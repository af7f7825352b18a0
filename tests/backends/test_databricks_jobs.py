"""The backend `databricks-jobs` against the stand-in, which really runs what is submitted."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from example_project import CLUSTER, alive, ended, processes, project, submission, until
from pydantic import SecretStr

from bot.backends.databricks_jobs import CODE, LOGS, DatabricksJobs
from bot.backends.run import LogChunk
from bot.config.environment import WorkspaceAccess as Access
from bot.errors import NotFound, ProjectError, ServiceError
from bot.services.databricks_sdk import DatabricksSdk
from sandbox.databricks import Databricks as WorkspaceAccess

SUBMIT = "/api/2.2/jobs/runs/submit"


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[WorkspaceAccess]:
    with WorkspaceAccess(tmp_path / "workspace", tokens={"dapi-bot": "signalman"}) as started:
        yield started


@pytest.fixture
def backend(workspace: WorkspaceAccess) -> DatabricksJobs:
    return backend_of(workspace)


def backend_of(workspace: WorkspaceAccess) -> DatabricksJobs:
    return DatabricksJobs(DatabricksSdk(Access(workspace.url, (SecretStr("dapi-bot"),))))


def uploaded(workspace: WorkspaceAccess) -> list[str]:
    """The names of what was written below the folder of uploads, each as often as it was
    written.
    """
    sent = [
        call.request["path"]
        for call in workspace.calls
        if call.path == "/api/2.0/workspace/import" and call.status == 200
    ]
    return [path.rsplit("/", 1)[1] for path in sent if path.startswith(CODE)]


def submitted(workspace: WorkspaceAccess) -> list[dict[str, Any]]:
    return [call.request for call in workspace.calls if call.path == SUBMIT]


def test_a_project_is_uploaded_once_for_its_content(
    workspace: WorkspaceAccess, backend: DatabricksJobs, tmp_path: Path
) -> None:
    here, copy, changed = (tmp_path / name for name in ("here", "elsewhere", "changed"))

    for number, folder in enumerate(
        (project(here), here, project(copy), project(changed, note="changed"))
    ):
        run = backend.submit(submission(folder, token=str(number)))
        assert ended(backend, run).outcome == "succeeded"
    backend_of(workspace).submit(submission(here, token="after a restart"))

    archives = [name for name in uploaded(workspace) if name.endswith(".tgz")]
    launchers = [name for name in uploaded(workspace) if name.startswith("launcher_")]
    assert len(archives) == len(set(archives)) == 2
    assert len(launchers) == 1


def test_the_same_token_is_the_same_run(
    workspace: WorkspaceAccess, backend: DatabricksJobs, tmp_path: Path
) -> None:
    folder = project(tmp_path / "project")

    first = backend.submit(submission(folder))
    again = backend_of(workspace).submit(submission(folder))
    other = backend.submit(submission(folder, token="another"))

    assert first == again != other
    assert len(workspace.runs()) == 2


def test_a_submission_whose_answer_was_lost_is_found_again(
    workspace: WorkspaceAccess, backend: DatabricksJobs, tmp_path: Path
) -> None:
    folder = project(tmp_path / "project")
    workspace.fail_next("POST", SUBMIT, lose_answer=True)

    with pytest.raises(ServiceError):
        backend.submit(submission(folder))
    run = backend.submit(submission(folder))

    (only,) = workspace.runs()
    assert str(only["run_id"]) == run
    assert len(submitted(workspace)) == 2
    assert ended(backend, run).outcome == "succeeded"


def test_a_run_that_succeeds_says_so_with_its_page_and_its_times(
    backend: DatabricksJobs, tmp_path: Path
) -> None:
    run = backend.submit(submission(project(tmp_path / "project")))

    seen = ended(backend, run)

    assert (seen.outcome, seen.reason) == ("succeeded", "")
    assert "done" in seen.log
    assert f"/runs/{run}" in seen.page
    assert seen.started is not None
    assert seen.ended is not None
    assert seen.started <= seen.ended


@pytest.mark.parametrize(
    ("mode", "reason"),
    [("raises", "KeyError: 'alcohol' (exit code 1)"), ("exits", "mode exits (exit code 3)")],
)
def test_a_project_that_fails_is_seen_with_its_reason_and_its_last_words(
    backend: DatabricksJobs, tmp_path: Path, mode: str, reason: str
) -> None:
    run = backend.submit(submission(project(tmp_path / "project"), mode))

    seen = ended(backend, run)

    assert (seen.outcome, seen.reason) == ("failed", reason)
    assert f"mode {mode}" in seen.log
    assert len(seen.log.splitlines()) <= 60


def test_a_run_past_its_limit_is_ended_by_the_workspace(
    backend: DatabricksJobs, tmp_path: Path
) -> None:
    run = backend.submit(submission(project(tmp_path / "project"), "for ever", timeout=1.0))

    seen = ended(backend, run)

    assert seen.outcome == "timed out"
    assert seen.reason


def test_a_cancelled_run_is_seen_as_such_and_leaves_no_process(
    backend: DatabricksJobs, tmp_path: Path
) -> None:
    run = backend.submit(submission(project(tmp_path / "project"), "for ever"))
    until(lambda: backend.look(run).started)

    backend.cancel(run)
    seen = ended(backend, run)
    backend.cancel(run)

    assert seen.outcome == "cancelled"
    assert not any(alive(process) for process in processes(seen.log))
    assert backend.look(run).outcome == "cancelled"


def test_a_cluster_that_does_not_come_up_is_not_the_projects_fault(
    workspace: WorkspaceAccess, backend: DatabricksJobs, tmp_path: Path
) -> None:
    workspace.fail_next_cluster(message="The quota of Standard_D4ds_v5 is used up.")

    seen = ended(backend, backend.submit(submission(project(tmp_path / "project"))))

    assert seen.outcome == "no cluster"
    assert "The quota of Standard_D4ds_v5 is used up." in seen.reason


def test_cluster_and_libraries_are_what_the_project_says_and_the_run_is_tagged(
    workspace: WorkspaceAccess, backend: DatabricksJobs, tmp_path: Path
) -> None:
    machines = {**CLUSTER, "custom_tags": {"team": "ml"}, "spark_env_vars": {"A": "b"}}

    backend.submit(submission(project(tmp_path / "project"), cluster=machines, timeout=90.0))

    (sent,) = submitted(workspace)
    (task,) = sent["tasks"]
    assert task["new_cluster"] == {
        **machines,
        "custom_tags": {"team": "ml", "signalman_pull_request": "7"},
    }
    assert task["libraries"] == [
        {"pypi": {"package": "mlflow==3.17.2"}},
        {"pypi": {"package": "scikit-learn==1.9.1"}},
    ]
    assert sent["timeout_seconds"] == task["timeout_seconds"] == 90
    assert sent["run_name"] == "signalman contoso/ml/models !7 example (fine)"


def test_a_project_gets_the_variables_of_its_submission_and_the_run_shows_no_token(
    workspace: WorkspaceAccess, backend: DatabricksJobs, tmp_path: Path
) -> None:
    variables = {"MLFLOW_RUN_ID": "run-42", "WORDS": "a 'b' $(c)"}

    run = backend.submit(submission(project(tmp_path / "project"), "tells", environment=variables))
    ended(backend, run)

    told = workspace.output(int(run))
    assert "variable MLFLOW_RUN_ID run-42" in told
    assert "variable WORDS a 'b' $(c)" in told
    assert "dapi-bot" not in told
    assert "dapi-bot" not in str(submitted(workspace))


def test_a_project_that_cannot_be_run_sends_nothing(
    workspace: WorkspaceAccess, backend: DatabricksJobs, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(ProjectError, match="has no MLproject file"):
        backend.submit(submission(tmp_path / "empty"))

    assert not workspace.calls


def test_a_run_nobody_knows_is_said_to_be_gone(backend: DatabricksJobs) -> None:
    with pytest.raises(NotFound):
        backend.look("123456")


def live(workspace: WorkspaceAccess) -> DatabricksJobs:
    return DatabricksJobs(DatabricksSdk(Access(workspace.url, (SecretStr("dapi-bot"),))), live=True)


def left_behind(workspace: WorkspaceAccess) -> list[str]:
    return [path for path in workspace.tree(LOGS) if path.startswith(LOGS)]


def test_a_log_can_be_followed_while_the_run_goes_on(
    workspace: WorkspaceAccess, tmp_path: Path
) -> None:
    backend = live(workspace)
    run = backend.submit(submission(project(tmp_path / "project"), "for ever"))

    first = until(
        lambda: part if (part := backend.live_log(run, "token-for-ever", 0)).content else None
    )
    again = backend.live_log(run, "token-for-ever", len(first.content))
    middle = backend.live_log(run, "token-for-ever", 5)
    backend.cancel(run)
    ended(backend, run)

    assert first.content.startswith(b"mode for ever\n")
    assert (first.start, first.cut) == (0, False)
    assert again.start == len(first.content)
    assert (middle.start, middle.content[:9]) == (5, b"for ever\n")


def test_what_is_left_of_a_log_is_removed_when_the_whole_is_read(
    workspace: WorkspaceAccess, tmp_path: Path
) -> None:
    backend = live(workspace)
    run = backend.submit(submission(project(tmp_path / "project")))
    ended(backend, run)
    assert left_behind(workspace) == [f"{LOGS}/token-fine.log"]

    for _ in range(2):
        whole = backend.whole_log(run, "token-fine")

        assert (whole.content.decode().splitlines()[:2], whole.cut) == (
            ["mode fine", "done"],
            False,
        )
        assert left_behind(workspace) == []
    assert backend.live_log(run, "token-fine", 7) == LogChunk(b"", 7)


@pytest.mark.parametrize("content", [b"", b"12", b"x\nline\n", b"12\n"])
def test_a_log_that_is_just_being_written_tells_nothing_wrong(
    workspace: WorkspaceAccess, content: bytes
) -> None:
    databricks = DatabricksSdk(Access(workspace.url, (SecretStr("dapi-bot"),)))
    databricks.write(f"{LOGS}/t.log", content)

    assert live(workspace).live_log("7", "t", 20) == LogChunk(b"", 20)


def test_of_a_log_that_ran_ahead_the_newest_part_is_read(workspace: WorkspaceAccess) -> None:
    databricks = DatabricksSdk(Access(workspace.url, (SecretStr("dapi-bot"),)))
    databricks.write(f"{LOGS}/t.log", b"100\nline\n")
    backend = live(workspace)

    assert backend.live_log("7", "t", 20) == LogChunk(b"line\n", 100, cut=True)
    assert backend.live_log("7", "t", 102) == LogChunk(b"ne\n", 102)
    assert backend.live_log("7", "t", 105) == LogChunk(b"", 105)
    assert backend.live_log("7", "t", 200) == LogChunk(b"", 200)


def test_a_log_that_nobody_follows_leaves_nothing(
    workspace: WorkspaceAccess, backend: DatabricksJobs, tmp_path: Path
) -> None:
    run = backend.submit(submission(project(tmp_path / "project")))
    ended(backend, run)

    assert LOGS not in workspace.tree()
    assert backend.live_log(run, "token-fine", 0) == LogChunk(b"")
    assert backend.whole_log(run, "token-fine").content.startswith(b"mode fine\n")


def test_of_a_log_that_databricks_does_not_keep_whole_the_end_is_told(
    workspace: WorkspaceAccess, tmp_path: Path
) -> None:
    backend = live(workspace)
    talks = "for number in range(60): print(str(number) * 50_000)\nprint('end')\n"
    run = backend.submit(submission(project(tmp_path / "project", **{"main.py": talks})))
    ended(backend, run)

    whole = backend.whole_log(run, "token-fine")

    assert whole.cut
    assert whole.content.endswith(b"9\nend\n")
    assert len(whole.content) == 5 * 1024 * 1024


def test_the_token_of_the_run_is_in_no_log(workspace: WorkspaceAccess, tmp_path: Path) -> None:
    backend = live(workspace)
    run = backend.submit(submission(project(tmp_path / "project"), "tells"))
    ended(backend, run)

    (part,) = (workspace.tree(LOGS)[path] for path in left_behind(workspace))

    for told in (part, backend.whole_log(run, "token-tells").content):
        assert b"variable DATABRICKS_TOKEN ***" in told
        assert b"dapi-task" not in told
