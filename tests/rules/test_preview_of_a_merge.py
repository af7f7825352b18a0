"""What a merge would do, told from the two sides of the merge that was tried."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from bot.config import Folder, Job, Mlops, Schedule
from bot.facts import BranchFacts, JobFacts, JobTouched, Manifest, Preview, SourceFile
from bot.rules import preview, sync
from tests.rules.workspace_in_memory import WorkspaceInMemory

NOW = datetime(2026, 11, 25, 1, 30, tzinfo=UTC)
HOOKS = Folder(**{"from": "mlflow_hooks"}, to="/Shared/mlflow_hooks")
PROJECTS = Folder(**{"from": "projects"}, to="/Shared/projects")
NIGHTLY = Job(
    name="nightly",
    notebook="/Shared/mlflow_hooks/score",
    model="wine",
    project="projects/scoring",
    schedule=Schedule(cron="0 0 2 * * ?"),
)
CONFIG = Mlops(folders=(HOOKS, PROJECTS), jobs=(NIGHTLY,))
LIVE = JobFacts(7, "nightly", schedule=Schedule(cron="0 30 3 ? * MON-FRI", timezone="Europe/Zurich"))
FILES = {"mlflow_hooks/score.py": "a", "mlflow_hooks/old.csv": "b", "projects/scoring/score.py": "c", "README.md": "d"}


def content(files: Mapping[str, str], config: Mlops = CONFIG) -> preview.Content:
    found = [SourceFile(path, digest, 10, notebook=path.endswith("hooks/score.py")) for path, digest in files.items()]
    return preview.Content(config, found)


def seen(
    after: preview.Content,
    before: preview.Content | None = None,
    live: JobFacts | None = LIVE,
) -> Preview:
    before = before or content(FILES)
    names = [job.name for job in before.config.jobs]
    return preview.preview(preview.present(before), names, after, {"nightly": live}, NOW)


def test_new_changed_and_removed_objects_are_told_by_their_workspace_paths() -> None:
    files = {"mlflow_hooks/score.py": "a2", "mlflow_hooks/new.py": "n", "projects/scoring/score.py": "c", "docs/x": "y"}

    found = seen(content(files))

    assert found.added == ("/Shared/mlflow_hooks/new.py",)
    assert found.changed == ("/Shared/mlflow_hooks/score",)
    assert found.removed == ("/Shared/mlflow_hooks/old.csv",)
    assert found.problem == ""


def test_a_merge_that_touches_no_mirrored_folder_changes_nothing() -> None:
    assert seen(content(FILES | {"README.md": "other"})) == Preview()


def test_a_job_whose_notebook_changes_is_named_with_its_live_schedule() -> None:
    (job,) = seen(content(FILES | {"mlflow_hooks/score.py": "a2"})).jobs

    assert (job.name, job.created, job.paused) == ("nightly", False, False)
    assert job.schedule == "at 03:30, Monday through Friday Europe/Zurich"
    assert job.next_run is not None
    assert job.next_run.isoformat() == "2026-11-25T03:30:00+01:00"


def test_a_job_is_touched_by_its_project_and_by_what_lies_beside_its_notebook() -> None:
    beside = seen(content({path: digest for path, digest in FILES.items() if path != "mlflow_hooks/old.csv"}))
    project = seen(content(FILES | {"projects/scoring/score.py": "c2"}))
    elsewhere = seen(content(FILES | {"projects/scoring_of_tides/score.py": "e"}))

    assert [len(found.jobs) for found in (beside, project, elsewhere)] == [1, 1, 0]


def test_a_paused_job_and_one_without_a_schedule_have_no_next_run() -> None:
    changed = content(FILES | {"mlflow_hooks/score.py": "a2"})

    (paused,) = seen(changed, live=replace(LIVE, schedule=Schedule(cron="0 0 2 * * ?", paused=True))).jobs
    (bare,) = seen(changed, live=replace(LIVE, schedule=None)).jobs

    assert (paused.paused, paused.next_run, paused.schedule) == (True, None, "at 02:00 UTC")
    assert bare == JobTouched("nightly", created=False)


def test_a_job_that_the_merge_brings_is_told_with_the_schedule_it_will_have() -> None:
    before = content(FILES, CONFIG.model_copy(update={"jobs": ()}))

    (job,) = seen(content(FILES), before, live=None).jobs

    assert job.created
    assert job.schedule == "at 02:00 UTC"
    assert job.next_run == datetime(2026, 11, 25, 2, 0, tzinfo=UTC)


def test_a_job_that_the_target_branch_is_still_to_create_is_no_doing_of_the_merge() -> None:
    assert seen(content(FILES), live=None).jobs == ()


def test_a_merge_that_mirrors_another_folder_brings_all_of_it() -> None:
    before = content(FILES, CONFIG.model_copy(update={"folders": (HOOKS,)}))

    assert seen(content(FILES), before).added == ("/Shared/projects/scoring/score.py",)


def test_what_the_sync_would_refuse_is_a_problem_before_the_merge() -> None:
    large = SourceFile("mlflow_hooks/model.bin", "m", sync.LARGEST + 1)
    link = SourceFile("mlflow_hooks/link", "l", 5, link=True)
    files = content(FILES).files

    refused = [seen(preview.Content(CONFIG, (*files, bad))) for bad in (large, link)]
    collision = seen(content(FILES | {"mlflow_hooks/score": "e"}))

    assert "at most 10,485,760 (10 MB)" in refused[0].problem
    assert "is a symbolic link" in refused[1].problem
    assert "would both become /Shared/mlflow_hooks/score" in collision.problem
    assert all((one.added, one.changed, one.removed, one.jobs) == ((), (), (), ()) for one in (*refused, collision))


TREES = st.dictionaries(
    st.sampled_from(["mlflow_hooks/score.py", "mlflow_hooks/a.csv", "projects/scoring/x.py", "projects/b/y", "docs/z"]),
    st.sampled_from(["1", "2", "3"]),
)


@given(TREES, TREES)
def test_what_is_told_is_what_the_sync_then_does(before: dict[str, str], after: dict[str, str]) -> None:
    def synced(files: Mapping[str, str], commit: str, workspace: WorkspaceInMemory) -> WorkspaceInMemory:
        found = tuple(content(files).files)
        facts = BranchFacts("contoso/ml/wine", "main", commit, CONFIG, found, workspace.manifest, {"nightly": LIVE})
        return workspace.after(sync.plan(facts))

    was = synced(before, "c1", WorkspaceInMemory(manifest=Manifest("contoso/ml/wine"), jobs={"nightly": LIVE}))
    told = seen(content(after), content(before))
    now = synced(after, "c2", was)

    assert set(told.added) == now.objects.keys() - was.objects.keys()
    assert set(told.removed) == was.objects.keys() - now.objects.keys()
    assert set(told.changed) == {p for p in was.objects if now.objects.get(p, was.objects[p]) != was.objects[p]}
