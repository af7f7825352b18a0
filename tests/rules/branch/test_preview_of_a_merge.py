"""What a merge would do, told from the two sides of the merge that was tried."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bot import job_definitions
from bot.config.repository import Folder, Job, Mlops, Schedule
from bot.errors import ConfigError
from bot.facts.branch import (
    BranchFacts,
    BranchJobs,
    JobDefinition,
    JobFacts,
    JobTouched,
    Manifest,
    MergeFault,
    OwnedJob,
    Preview,
    SourceFile,
)
from bot.rules.branch import jobs as rule
from bot.rules.branch import preview, sync
from bot.services.databricks import job_facts
from bot.words.branch import merge_faults
from tests.rules.branch.workspace_in_memory import WorkspaceInMemory

NOW = datetime(2026, 11, 25, 1, 30, tzinfo=UTC)
HOOKS = Folder(**{"from": "mlflow_hooks"}, to="/Shared/mlflow_hooks")
PROJECTS = Folder(**{"from": "projects"}, to="/Shared/projects")
NIGHTLY = Job(
    name="nightly",
    notebook="/Shared/mlflow_hooks/score",
    model="wine",
    project="projects/scoring",
    schedule=Schedule(cron="0 30 3 ? * MON-FRI", timezone="Europe/Zurich"),
)
CONFIG = Mlops(folders=(HOOKS, PROJECTS), jobs=(NIGHTLY,))
WANTED = job_definitions.short(NIGHTLY)
TAGS = {
    "signalman_repository": "contoso/ml/wine",
    "signalman_job": "nightly",
    "signalman_created": "c0",
}
FILES = {
    "mlflow_hooks/score.py": "a",
    "mlflow_hooks/old.csv": "b",
    "projects/scoring/score.py": "c",
    "README.md": "d",
}


def content(files: Mapping[str, str], config: Mlops = CONFIG) -> preview.Content:
    found = [
        SourceFile(path, digest, 10, notebook=path.endswith("hooks/score.py"))
        for path, digest in files.items()
    ]
    return preview.Content(
        config, found, {job.name: job_definitions.short(job) for job in config.jobs}
    )


def live(definition: JobDefinition = WANTED, **settings: Any) -> JobFacts:
    """The job as it stands, and as people changed it by hand."""
    named = {**definition.settings, "tags": TAGS, **settings}
    return job_facts(
        {"job_id": 7, "settings": {key: value for key, value in named.items() if value is not None}}
    )


def cron(expression: str, timezone: str = "UTC", pause: str = "UNPAUSED") -> dict[str, str]:
    return {"quartz_cron_expression": expression, "timezone_id": timezone, "pause_status": pause}


LIVE = live()


def held(before: preview.Content) -> dict[str, str]:
    try:
        return preview.present(before)
    except ConfigError:
        return {}


def seen(
    after: preview.Content,
    before: preview.Content | None = None,
    live: JobFacts | None = LIVE,
) -> Preview:
    before = before or content(FILES)
    owned = {key: OwnedJob(0, rule.owned_by(one)) for key, one in before.jobs.items()}
    there: dict[str, JobFacts | None] = dict.fromkeys((*after.jobs, *before.jobs))
    for key in there:
        if key in before.jobs or (live and after.jobs[key].settings["name"] == live.name):
            there[key] = live
    jobs = BranchJobs("contoso/ml/wine", "merge", after.jobs, owned, there)
    return preview.preview(held(before), before, after, jobs, NOW)


def described(job: JobDefinition) -> preview.Content:
    return replace(content(FILES), jobs={job.key: job})


def told(faults: tuple[MergeFault, ...]) -> str:
    """Why a merge cannot be brought, as people read it."""
    return "\n".join(merge_faults(faults))


def test_new_changed_and_removed_objects_are_told_by_their_workspace_paths() -> None:
    files = {
        "mlflow_hooks/score.py": "a2",
        "mlflow_hooks/new.py": "n",
        "projects/scoring/score.py": "c",
        "docs/x": "y",
    }

    found = seen(content(files))

    assert found.added == ("/Shared/mlflow_hooks/new.py",)
    assert found.changed == ("/Shared/mlflow_hooks/score",)
    assert found.removed == ("/Shared/mlflow_hooks/old.csv",)
    assert found.problem == ""


def test_a_merge_that_removes_much_is_told_with_how_much_there_is() -> None:
    assert (seen(content({})).held, seen(content({})).objects) == (3, 3)
    assert (seen(content(FILES)).held, seen(content(FILES)).objects) == (0, 0)


def test_a_merge_that_touches_no_mirrored_folder_changes_nothing() -> None:
    assert seen(content(FILES | {"README.md": "other"})) == Preview()


def test_a_job_whose_notebook_changes_is_named_with_its_live_schedule() -> None:
    changed = content(FILES | {"mlflow_hooks/score.py": "a2"})

    (job,) = seen(changed, live=live(schedule=cron("0 0 2 * * ?", pause="PAUSED"))).jobs
    assert (job.paused, job.next_run, job.later) == (True, None, ())

    (job,) = seen(changed).jobs
    assert (job.name, job.created, job.paused) == ("nightly", False, False)
    assert job.schedule == "at 03:30, Monday through Friday Europe/Zurich"
    assert [one.isoformat() for one in (job.next_run, *job.later) if one] == [
        "2026-11-25T03:30:00+01:00",
        "2026-11-26T03:30:00+01:00",
        "2026-11-27T03:30:00+01:00",
    ]


def test_a_job_is_touched_by_its_project_and_by_what_lies_beside_its_notebook() -> None:
    beside = seen(
        content({path: digest for path, digest in FILES.items() if path != "mlflow_hooks/old.csv"})
    )
    project = seen(content(FILES | {"projects/scoring/score.py": "c2"}))
    elsewhere = seen(content(FILES | {"projects/scoring_of_tides/score.py": "e"}))

    assert [len(found.jobs) for found in (beside, project, elsewhere)] == [1, 1, 0]


def test_a_paused_job_and_one_without_a_schedule_have_no_next_run() -> None:
    changed = content(FILES | {"mlflow_hooks/score.py": "a2"})

    (paused,) = seen(changed, live=live(schedule=cron("0 0 2 * * ?", pause="PAUSED"))).jobs
    free = replace(
        WANTED, settings={key: value for key, value in WANTED.settings.items() if key != "schedule"}
    )
    bare = replace(changed, jobs={"nightly": free})

    assert (paused.paused, paused.next_run, paused.schedule) == (
        True,
        None,
        "at 03:30, Monday through Friday Europe/Zurich",
    )
    assert seen(bare, replace(content(FILES), jobs=bare.jobs), live(schedule=None)).jobs == (
        JobTouched("nightly", created=False),
    )


def test_a_job_that_the_merge_brings_is_told_with_the_schedule_it_will_have() -> None:
    before = content(FILES, CONFIG.model_copy(update={"jobs": ()}))

    (job,) = seen(content(FILES), before, live=None).jobs

    assert job.created
    assert job.schedule == "at 03:30, Monday through Friday Europe/Zurich"
    assert job.next_run == datetime(2026, 11, 25, 2, 30, tzinfo=UTC)


def test_a_job_that_the_target_branch_is_still_to_create_is_no_doing_of_the_merge() -> None:
    assert seen(content(FILES), live=None).jobs == ()


def test_what_changes_of_a_job_is_told_and_what_is_left_to_the_workspace() -> None:
    settings = {**WANTED.settings, "schedule": cron("0 0 4 * * ?"), "max_concurrent_runs": 2}
    after = described(replace(WANTED, settings=settings, theirs=("permissions",)))

    (job,) = seen(
        after, live=live(schedule=cron("0 0 2 * * ?", pause="PAUSED"), timeout_seconds=5)
    ).jobs

    assert job.changes == (
        "max_concurrent_runs",
        "schedule.quartz_cron_expression",
        "schedule.timezone_id",
    )
    assert (job.schedule, job.paused, job.left) == ("at 04:00 UTC", True, ("permissions",))


def test_what_people_changed_by_hand_is_no_doing_of_the_merge() -> None:
    assert seen(content(FILES), live=live(max_concurrent_runs=9)).jobs == ()


def test_a_rename_is_told_by_both_names_whichever_of_name_and_key_changes() -> None:
    named = {**WANTED.settings, "name": "every night"}
    again = described(replace(WANTED, settings=named))
    moved = described(replace(WANTED, key="night"))
    both = described(replace(WANTED, key="night", settings=named))

    told = [
        [(job.name, job.was, job.created) for job in seen(after).jobs]
        for after in (again, moved, both)
    ]

    assert told == [[("every night", "nightly", False)], [], [("every night", "nightly", False)]]


def test_a_job_that_goes_is_deleted_if_the_bot_created_it_and_else_let_go() -> None:
    nothing = replace(content(FILES), jobs={})
    by_hand = {key: value for key, value in TAGS.items() if key != "signalman_created"}

    assert seen(nothing).jobs == (JobTouched("nightly", created=False, removed=True),)
    assert seen(nothing, live=live(tags=by_hand)).jobs == (
        JobTouched("nightly", created=False, released=True),
    )
    assert seen(nothing, live=None).jobs == ()


def test_a_job_of_a_bundle_is_refused_and_not_told_as_changed() -> None:
    after = described(replace(WANTED, settings={**WANTED.settings, "max_concurrent_runs": 2}))
    theirs = live(deployment={"kind": "BUNDLE"})

    brought, changed = (
        seen(after, replace(content(FILES), jobs={}), theirs),
        seen(after, live=theirs),
    )

    assert (brought.jobs, changed.jobs) == ((), ())
    assert "is managed by a Databricks Asset Bundle" in told(brought.refused)
    assert (brought.already, changed.refused, changed.already) == ((), (), brought.refused)


def test_a_merge_that_mirrors_another_folder_brings_all_of_it() -> None:
    before = content(FILES, CONFIG.model_copy(update={"folders": (HOOKS,)}))

    assert seen(content(FILES), before).added == ("/Shared/projects/scoring/score.py",)


def test_what_the_sync_would_refuse_is_refused_before_the_merge() -> None:
    large = SourceFile("mlflow_hooks/model.bin", "m", sync.LARGEST + 1)
    link = SourceFile("mlflow_hooks/link", "l", 5, link=True)
    files = content(FILES).files

    refused = [seen(preview.Content(CONFIG, (*files, bad))) for bad in (large, link)]
    collision = seen(content(FILES | {"mlflow_hooks/score": "e"}))

    assert "at most 10,485,760 (10 MB)" in told(refused[0].refused)
    assert "is a symbolic link" in told(refused[1].refused)
    assert "would both become /Shared/mlflow_hooks/score" in told(collision.refused)
    assert all(
        (one.added, one.changed, one.removed, one.jobs) == ((), (), (), ())
        for one in (*refused, collision)
    )


# -- what is wrong with the target branch already

LARGE = SourceFile("mlflow_hooks/model.bin", "m", sync.LARGEST + 1)
LINK = SourceFile("mlflow_hooks/link", "l", 5, link=True)


def with_(*more: SourceFile, mistakes: tuple[str, ...] = ()) -> preview.Content:
    return replace(content(FILES), files=(*content(FILES).files, *more), mistakes=mistakes)


def test_what_the_target_branch_has_wrong_already_is_told_and_held_against_nobody() -> None:
    found = seen(with_(LARGE, SourceFile("docs/x", "y", 1)), with_(LARGE))

    assert found == Preview(already=found.already)
    assert "mlflow_hooks/model.bin has 10,485,761 bytes" in told(found.already)


def test_what_a_merge_adds_to_what_is_wrong_is_held_against_it_and_nothing_else() -> None:
    found = seen(with_(LARGE, LINK), with_(replace(LARGE, size=sync.LARGEST + 9)))

    assert (
        told(found.refused)
        == "mlflow_hooks/link is a symbolic link; links are never followed. Replace it by the file itself."  # noqa: E501 a table, or a text as it is sent
    )
    assert told(found.already).startswith("mlflow_hooks/model.bin has")


def test_one_more_file_in_two_folders_that_are_spelled_alike_is_nothing_new() -> None:
    two = [
        SourceFile(f"projects/{name}/x{place}", "d", 1)
        for place, name in enumerate(("tides", "Tides"))
    ]

    found = seen(with_(*two, SourceFile("projects/Tides/a", "d", 1)), with_(*two))

    assert (found.refused, told(found.already).count("differ by case only")) == ((), 1)


def test_a_mistake_in_a_job_of_the_target_branch_stops_no_other_change() -> None:
    old, new = "config/jobs/a.yml: old", "config/jobs/b.yml: new"

    found = seen(
        replace(with_(SourceFile("projects/new", "n", 1), mistakes=(old, new)), jobs={}),
        with_(mistakes=(old,)),
    )

    assert (found.refused, found.already) == ((new,), (old,))
    assert found.added == ("/Shared/projects/new",)


def test_a_configuration_that_cannot_be_read_is_refused_for_what_is_new_in_it() -> None:
    assert preview.unreadable(["a", "b"], ["a"]) == Preview(refused=("b",), already=("a",))


def test_an_empty_line_of_a_mistake_is_no_mistake_of_its_own() -> None:
    mistakes = ['backend is "a', "", 'b"']

    assert preview.unreadable(mistakes, ['backend is "a', 'b"']).refused == ()


def test_a_merge_that_mends_the_target_branch_is_not_refused() -> None:
    found = seen(content(FILES), with_(LARGE, LINK))

    assert (found.refused, found.already, len(found.added)) == ((), (), 3)


TREES = st.dictionaries(
    st.sampled_from(
        [
            "mlflow_hooks/score.py",
            "mlflow_hooks/a.csv",
            "projects/scoring/x.py",
            "projects/b/y",
            "docs/z",
        ]
    ),
    st.sampled_from(["1", "2", "3"]),
)


@given(TREES, TREES)
def test_what_is_told_is_what_the_sync_then_does(
    before: dict[str, str], after: dict[str, str]
) -> None:
    def synced(
        files: Mapping[str, str], commit: str, workspace: WorkspaceInMemory
    ) -> WorkspaceInMemory:
        found = tuple(content(files).files)
        facts = BranchFacts(
            "contoso/ml/wine", "main", commit, CONFIG, found, workspace.manifest, confirmed=True
        )
        return workspace.after(sync.plan(facts))

    was = synced(
        before,
        "c1",
        WorkspaceInMemory(manifest=Manifest("contoso/ml/wine"), jobs={"nightly": LIVE}),
    )
    told = seen(content(after), content(before))
    now = synced(after, "c2", was)

    assert set(told.added) == now.objects.keys() - was.objects.keys()
    assert set(told.removed) == was.objects.keys() - now.objects.keys()
    assert set(told.changed) == {
        p for p in was.objects if now.objects.get(p, was.objects[p]) != was.objects[p]
    }
