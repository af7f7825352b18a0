"""What must change for the workspace to hold what the branch holds, wherever it was cut off
before.
"""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from workspace_in_memory import WorkspaceInMemory, one_by_one

from bot.actions import (
    BranchAction,
    CreateJob,
    RemoveFolder,
    RemoveObject,
    Reply,
    Wake,
    WriteManifest,
    WriteObject,
)
from bot.config.repository import Folder, Job, Mlops
from bot.facts.branch import BranchFacts, BranchJobs, RolledBack, SourceFile, Synced
from bot.job_definitions import short
from bot.rules.branch import sync
from bot.subjects import Model

REPOSITORY = "contoso/ml/wine"
CONFIG = Mlops(
    folders=(
        Folder.model_validate({"from": "mlflow_hooks", "to": "/Shared/mlflow_hooks"}),
        Folder.model_validate({"from": "projects", "to": "/Shared/projects"}),
    ),
    jobs=(Job(name="nightly", notebook="/Shared/mlflow_hooks/nightly", model="*_model"),),
)
NIGHTLY = short(CONFIG.jobs[0])
BY_HAND = {"/Shared/mlflow_hooks/by_hand": "somebody's", "/Shared/elsewhere/x": "somebody's"}

Tree = tuple[SourceFile, ...]
Merged = tuple[tuple[int, str], ...]

PATHS = (
    "mlflow_hooks/score.py",
    "mlflow_hooks/train.py",
    "mlflow_hooks/lib/columns.csv",
    "projects/wine/train.py",
    "projects/wine/MLproject",
    "projects/readme.md",
    "README.md",
)


def file(path: str, digest: str = "1") -> SourceFile:
    """A file of the branch; the Python files of mlflow_hooks are notebooks."""
    return SourceFile(
        path,
        f"{path}@{digest}",
        100,
        notebook=path.startswith("mlflow_hooks/") and path.endswith(".py"),
    )


TREES = st.dictionaries(st.sampled_from(PATHS), st.sampled_from("123"), max_size=7).map(
    lambda held: tuple(file(path, digest) for path, digest in held.items())
)


def facts(
    world: WorkspaceInMemory,
    tree: Tree,
    tip: str,
    merged: Merged | None = None,
    *,
    confirmed: bool = True,
) -> BranchFacts:
    """What looking tells of a branch with these files and of this workspace."""
    return BranchFacts(
        repository=REPOSITORY,
        target="main",
        tip=tip,
        config=CONFIG,
        files=tree,
        manifest=world.manifest,
        jobs=BranchJobs(
            REPOSITORY,
            tip,
            {"nightly": NIGHTLY},
            world.manifest.jobs,
            {"nightly": world.jobs.get("nightly")},
        ),
        merged=((42, tip),) if merged is None else merged,
        confirmed=confirmed,
    )


def synced(world: WorkspaceInMemory, tree: Tree, tip: str) -> WorkspaceInMemory:
    """The workspace after a whole pass."""
    return world.after(sync.plan(facts(world, tree, tip)))


def planned(
    world: WorkspaceInMemory, tree: Tree, tip: str, merged: Merged | None = None
) -> list[BranchAction]:
    """The orders of a pass, each for itself."""
    return one_by_one(sync.plan(facts(world, tree, tip, merged)))


def held(tree: Tree) -> dict[str, str]:
    """What the workspace has to hold of a branch, beside what is not the bot's."""
    return BY_HAND | {
        path: source.digest for path, source in sync.objects(CONFIG.folders, tree).items()
    }


EMPTY = WorkspaceInMemory(objects=dict(BY_HAND))


# -- a whole pass


def test_a_merge_writes_modules_and_data_first_then_notebooks_then_says_so_then_signs() -> None:
    world = synced(EMPTY, (file("mlflow_hooks/score.py"), file("projects/readme.md")), "c1")

    orders = planned(
        world, (file("mlflow_hooks/score.py", "2"), file("projects/wine/train.py")), "c2"
    )

    whole = [
        order
        for order in orders
        if not isinstance(order, WriteManifest) or order.manifest.commit == "c2"
    ]
    assert [type(order).__name__ for order in whole] == [
        "WriteObject",
        "WriteObject",
        "RemoveObject",
        "Reply",
        "WriteManifest",
        "Wake",
    ]
    assert [order.path for order in orders if isinstance(order, WriteObject | RemoveObject)] == [
        "/Shared/projects/wine/train.py",
        "/Shared/mlflow_hooks/score",
        "/Shared/projects/readme.md",
    ]


def test_only_what_changed_is_written() -> None:
    tree = (file("mlflow_hooks/score.py"), file("mlflow_hooks/train.py"))
    world = synced(EMPTY, tree, "c1")

    orders = planned(
        world, (file("mlflow_hooks/score.py"), file("mlflow_hooks/train.py", "2")), "c2"
    )

    assert [order.path for order in orders if isinstance(order, WriteObject)] == [
        "/Shared/mlflow_hooks/train"
    ]


def test_a_workspace_that_holds_the_tip_is_left_alone_and_its_models_are_looked_at() -> None:
    world = synced(EMPTY, (file("mlflow_hooks/score.py"),), "c1")

    assert planned(world, (), "c1") == [Wake(Model("*_model"))]


def test_a_job_that_is_not_there_is_created_though_the_files_are() -> None:
    world = replace(synced(EMPTY, (file("mlflow_hooks/score.py"),), "c1"), jobs={})

    tree = (file("mlflow_hooks/score.py"),)
    after = synced(world, tree, "c1")

    assert [
        order for order in planned(world, tree, "c1") if isinstance(order, CreateJob | WriteObject)
    ] == [CreateJob(NIGHTLY, "c1")]
    assert sync.plan(facts(after, tree, "c1")) == [Wake(Model("*_model"))]


def test_the_pull_request_is_told_what_its_merge_did() -> None:
    world = synced(EMPTY, (file("mlflow_hooks/score.py"), file("projects/readme.md")), "c1")

    after = synced(
        world, (file("mlflow_hooks/score.py", "2"), file("projects/wine/train.py")), "d4e5f6a7"
    )

    assert after.told[-1] == (
        "🔁 Merged as `d4e5f6a`: `/Shared/mlflow_hooks` 1 updated, 0 new, 0 removed; "
        "`/Shared/projects` 0 updated, 1 new, 1 removed.\n"
    )


def test_every_pull_request_that_was_merged_since_the_last_sync_is_told_of_its_own_commit() -> None:
    merged = ((41, "c2c2c2c2"), (42, "c3c3c3c3"))

    orders = planned(EMPTY, (file("mlflow_hooks/score.py"),), "c3c3c3c3", merged)

    assert [(one.number, one.body[:44]) for one in orders if isinstance(one, Reply)] == [
        (41, "🔁 Merged as `c2c2c2c`, live with `c3c3c3c`: "[:44]),
        (42, "🔁 Merged as `c3c3c3c`: `/Shared/mlflow_hooks` 0"[:44]),
    ]


def test_what_was_complete_last_is_remembered_while_nothing_is() -> None:
    world = synced(EMPTY, (file("mlflow_hooks/score.py"),), "c1")

    first, second = (
        world.after(planned(world, (file("mlflow_hooks/new.py"),), tip)[:1]) for tip in ("c2", "c3")
    )
    again = second.after(planned(first, (file("mlflow_hooks/newer.py"),), "c3")[:1])

    assert (first.manifest.commit, first.manifest.since) == ("", "c1")
    assert (again.manifest.commit, again.manifest.since) == ("", "c1")


def test_who_was_told_of_a_merge_is_not_told_again_when_the_branch_has_moved_on_meanwhile() -> None:
    tree = (file("mlflow_hooks/score.py"),)
    cut_off = EMPTY.after(planned(EMPTY, tree, "c2c2c2c2", ((41, "c2c2c2c2"),))[:-2])

    after = cut_off.after(planned(cut_off, tree, "c3c3c3c3", ((41, "c2c2c2c2"), (42, "c3c3c3c3"))))

    assert sum("Merged as `c2c2c2c`" in told for told in after.told) == 1


def test_a_merge_that_changes_nothing_in_the_workspace_is_not_spoken_of() -> None:
    tree = (file("mlflow_hooks/score.py"), file("README.md"))
    world = synced(EMPTY, tree, "c1")

    orders = planned(world, (file("mlflow_hooks/score.py"), file("README.md", "2")), "c2")

    assert [
        order for order in orders if isinstance(order, Reply | WriteObject | RemoveObject)
    ] == []
    assert [
        (order.manifest.commit, order.manifest.files)
        for order in orders
        if isinstance(order, WriteManifest)
    ] == [("c2", world.manifest.files)]


def test_a_push_that_no_pull_request_brought_is_told_to_nobody() -> None:
    orders = planned(EMPTY, (file("mlflow_hooks/score.py"),), "c1", merged=())

    assert [order for order in orders if isinstance(order, Reply)] == []


# -- always


@given(TREES, TREES)
def test_a_whole_pass_leaves_what_the_branch_holds_and_what_is_not_the_bots(
    before: Tree, after: Tree
) -> None:
    world = synced(synced(EMPTY, before, "c1"), after, "c2")

    assert world.objects == held(after)
    assert world.manifest.commit == "c2"
    assert world.manifest.files == {k: v for k, v in held(after).items() if k not in BY_HAND}
    assert [one.commit for one in world.manifest.history] == ["c2", "c1"]


@given(TREES, TREES)
def test_a_notebook_that_git_had_and_still_has_is_never_missing(before: Tree, after: Tree) -> None:
    world = synced(EMPTY, before, "c1")
    orders = planned(world, after, "c2")

    for done in range(len(orders) + 1):
        halfway = world.after(orders[:done])
        assert held(before).keys() & held(after).keys() <= halfway.objects.keys()


@given(TREES, TREES, st.lists(st.integers(0, 20), max_size=4))
def test_no_folder_is_left_that_only_held_what_is_gone(
    before: Tree, after: Tree, cuts: list[int]
) -> None:
    world = synced(EMPTY, before, "c1")
    for cut in cuts:
        world = world.after(planned(world, after, "c2")[:cut])

    world = synced(world, after, "c2")

    roots = {folder.to for folder in CONFIG.folders}
    below = {
        folder for folder in world.folders if any(folder.startswith(f"{root}/") for root in roots)
    }
    assert below == {
        folder for folder in below if any(path.startswith(f"{folder}/") for path in world.objects)
    }


@given(TREES, TREES, st.lists(st.integers(0, 20), max_size=4))
def test_a_sync_cut_off_anywhere_and_done_again_ends_in_the_same_world(
    before: Tree, after: Tree, cuts: list[int]
) -> None:
    start = synced(EMPTY, before, "c1")
    world = start
    for cut in cuts:
        world = world.after(planned(world, after, "c2")[:cut])

    assert synced(world, after, "c2") == synced(start, after, "c2")


@given(TREES, TREES, TREES, st.integers(0, 20))
def test_only_what_the_bot_wrote_is_ever_removed(
    before: Tree, after: Tree, last: Tree, cut: int
) -> None:
    world = synced(EMPTY, before, "c1")
    world = world.after(planned(world, after, "c2")[:cut])
    written = {*held(before), *held(after)} - BY_HAND.keys()

    removed = {
        order.path for order in planned(world, last, "c3") if isinstance(order, RemoveObject)
    }

    assert removed <= written
    assert removed <= world.manifest.files.keys()


@given(TREES, TREES)
def test_the_commit_is_noted_last_and_then_nothing_is_left_to_do(before: Tree, after: Tree) -> None:
    world = synced(EMPTY, before, "c1")
    orders = [order for order in planned(world, after, "c2") if not isinstance(order, Wake)]

    assert [place for place, order in enumerate(orders) if names(order, "c2")] == [len(orders) - 1]
    assert planned(world.after(orders), after, "c2") == [Wake(Model("*_model"))]


@given(TREES, TREES, st.integers(0, 20))
def test_what_is_written_is_owned_before_it_is_there(before: Tree, after: Tree, cut: int) -> None:
    world = synced(EMPTY, before, "c1")

    halfway = world.after(planned(world, after, "c2")[:cut])

    assert halfway.objects.keys() - BY_HAND.keys() <= halfway.manifest.files.keys()


WAS_REVERTED = (
    "a sync cut off between a write and the manifest, and then reverted, believes the old manifest"
)


@given(TREES, TREES, TREES, st.integers(0, 20))
@example((file("mlflow_hooks/score.py", "1"),), (file("mlflow_hooks/score.py", "2"),), (), 1)
def test_a_sync_cut_off_and_followed_by_another_commit_ends_with_that_commit(
    before: Tree, after: Tree, last: Tree, cut: int
) -> None:
    world = synced(EMPTY, before, "c1")
    world = world.after(planned(world, after, "c2")[:cut])

    for tree in (last, before):
        assert synced(world, tree, "c3").objects == held(tree)


def test_a_merge_that_is_reverted_while_it_is_synced_leaves_nothing_of_itself() -> None:
    old, new = (file("mlflow_hooks/score.py", "1"),), (file("mlflow_hooks/score.py", "2"),)
    world = synced(EMPTY, old, "c1")
    cut_off = world.after(up_to(WriteObject, planned(world, new, "c2")))

    assert synced(cut_off, old, "c3").objects == held(old)


def test_a_notebook_whose_removal_is_reverted_while_it_is_synced_comes_back() -> None:
    old = (file("mlflow_hooks/score.py"),)
    world = synced(EMPTY, old, "c1")
    cut_off = world.after(up_to(RemoveObject, planned(world, (), "c2")))

    assert synced(cut_off, old, "c3").objects == held(old)


def test_a_target_branch_that_is_set_back_while_it_is_synced_is_synced_back() -> None:
    old, new = (file("mlflow_hooks/score.py", "1"),), (file("mlflow_hooks/score.py", "2"),)
    world = synced(EMPTY, old, "c1")
    cut_off = world.after(up_to(WriteObject, planned(world, new, "c2")))

    assert synced(cut_off, old, "c1").objects == held(old)


def test_a_notebook_may_become_a_folder() -> None:
    world = synced(EMPTY, (file("mlflow_hooks/score.py"),), "c1")
    tree = (SourceFile("mlflow_hooks/score/daily.py", "1", 100, notebook=True),)

    assert synced(world, tree, "c2").objects == held(tree)


def test_a_folder_that_becomes_a_notebook_is_no_folder_to_remove() -> None:
    world = synced(
        EMPTY, (SourceFile("mlflow_hooks/score/daily.py", "1", 100, notebook=True),), "c1"
    )
    tree = (file("mlflow_hooks/score.py"),)

    orders = planned(world, tree, "c2")

    assert not any(isinstance(order, RemoveFolder) for order in orders)
    assert world.after(orders).objects == held(tree)


def test_a_folder_with_something_that_waits_stays() -> None:
    tree = (
        file("mlflow_hooks/score.py"),
        *(file(f"projects/wine/{number}.txt") for number in range(9)),
    )
    world = synced(EMPTY, tree, "c1")

    orders = one_by_one(sync.plan(facts(world, tree[:1], "c2", confirmed=False)))

    assert not any(isinstance(order, RemoveFolder) for order in orders)


def names(order: object, commit: str) -> bool:
    """Whether an order notes that a commit is completely there."""
    return isinstance(order, WriteManifest) and order.manifest.commit == commit


def up_to(kind: type, orders: Sequence[BranchAction]) -> list[BranchAction]:
    """The orders up to the first of a kind, with it."""
    return list(
        orders[: next(place for place, order in enumerate(orders) if isinstance(order, kind)) + 1]
    )


# -- what is not removed at once

MANY = tuple(file(f"mlflow_hooks/n{number}.py") for number in range(10))


@pytest.mark.parametrize(
    ("removed", "owned", "asked"),
    [
        (0, 0, False), (0, 10, False), (1, 1, True), (10, 10, True), (3, 4, False), (3, 10, False),
        (4, 10, True), (4, 13, True), (4, 14, False), (30, 100, False), (31, 100, True),
    ],
)  # fmt: skip
def test_much_of_what_is_there_is_only_removed_when_somebody_agrees(
    removed: int, owned: int, asked: bool
) -> None:
    assert sync.guarded(removed, owned, 30) is asked


def test_what_waits_to_be_confirmed_stays_and_is_told_while_everything_else_is_brought() -> None:
    world = synced(EMPTY, MANY, "c1")
    tree = (*MANY[:5], file("mlflow_hooks/new.py"))

    after = world.after(sync.plan(facts(world, tree, "c2", confirmed=False)))

    assert after.objects == held((*MANY, file("mlflow_hooks/new.py")))
    assert after.manifest.commit == "c2"
    assert sorted(after.manifest.kept) == [
        f"/Shared/mlflow_hooks/n{number}" for number in range(5, 10)
    ]
    assert (
        "5 of 10 objects would be removed. If it is meant, say `/mlops confirm sync` here"
        in after.told[-1]
    )
    assert sync.plan(facts(after, tree, "c2", confirmed=False)) == [Wake(Model("*_model"))]


def test_what_was_confirmed_is_removed_and_then_nothing_is_left() -> None:
    world = synced(EMPTY, MANY, "c1")
    waiting = world.after(sync.plan(facts(world, MANY[:5], "c2", confirmed=False)))

    after = synced(waiting, MANY[:5], "c2")

    assert after.objects == held(MANY[:5])
    assert after.manifest.kept == {}
    assert sync.plan(facts(after, MANY[:5], "c2")) == [Wake(Model("*_model"))]


def test_what_waits_goes_on_waiting_when_the_branch_grows() -> None:
    world = synced(EMPTY, MANY, "c1")
    waiting = world.after(sync.plan(facts(world, MANY[:6], "c2", confirmed=False)))
    grown = (*MANY[:6], *(file(f"projects/p{number}.py") for number in range(50)))

    after = waiting.after(sync.plan(facts(waiting, grown, "c3", confirmed=False)))

    assert after.objects == held((*MANY, *grown[6:]))


def test_a_notebook_that_comes_back_while_its_removal_waits_is_not_written_again() -> None:
    world = synced(EMPTY, MANY, "c1")
    waiting = world.after(sync.plan(facts(world, MANY[:5], "c2", confirmed=False)))

    assert [
        o for o in planned(waiting, MANY, "c3") if isinstance(o, WriteObject | RemoveObject)
    ] == []


def test_a_notebook_that_some_job_runs_is_not_removed_before_that_job_lets_go_of_it() -> None:
    world = synced(EMPTY, MANY, "c1")
    used = replace(
        facts(world, MANY[1:], "c2"), used=(("/Shared/mlflow_hooks/n0", 99, "somebody's nightly"),)
    )

    after = world.after(sync.plan(used))

    assert after.objects == held(MANY)
    assert after.manifest.kept == {"/Shared/mlflow_hooks/n0": "job somebody's nightly runs it"}
    assert "job somebody's nightly runs it" in after.told[-1]
    assert synced(after, MANY[1:], "c2").objects == held(MANY[1:])


def test_paths_that_a_job_runs_are_found_in_every_task() -> None:
    notebook = {"notebook_task": {"notebook_path": "/Workspace/Shared/a"}}
    tasks = [
        notebook,
        {"for_each_task": {"task": {"spark_python_task": {"python_file": "/Shared/b.py"}}}},
        {},
    ]

    assert sync.runs({"tasks": tasks}) == {"/Shared/a", "/Shared/b.py"}
    assert sync.runs({}) == set()


# -- what was taken back


def test_a_commit_that_was_taken_back_is_told_where_it_was_asked_for_and_remembered() -> None:
    world = synced(
        synced(EMPTY, MANY[:3], "c1c1c1c1"),
        (file("mlflow_hooks/n0.py", "2"), *MANY[1:3]),
        "c2c2c2c2",
    )
    back = RolledBack("c2c2c2c2", "c1c1c1c1", "Ada", None, 42, "7/1")

    after = world.after(
        sync.plan(replace(facts(world, MANY[:3], "c1c1c1c1", ()), rolled_back=back))
    )

    assert after.objects == held(MANY[:3])
    assert after.manifest.live == Synced("c1c1c1c1", 42, None, "Ada")
    assert after.told[-1].startswith(
        "⏪ Took `c2c2c2c` back: the workspace holds `c1c1c1c` again, notebooks, files"
    )
    assert "as `Ada` wished" in after.told[-1]
