"""Somebody changes by hand what the bot brought to the workspace, and a look at the branch finds
it.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from pydantic import SecretStr

from bot.actions import WriteObject
from bot.cli import live
from bot.config.environment import WorkspaceAccess
from bot.controllers.branch import controller as branch
from bot.controllers.branch import drift
from bot.facts.branch import BranchFacts
from bot.passes import Look
from bot.rules.branch import sync
from bot.services.databricks_sdk import DatabricksSdk
from bot.subjects import Branch
from tests.bot_in_process import Bot, PullRequest
from tests.stories.test_commands_from_a_pull_request import asked
from tests.stories.test_pull_requests import opened

Bringing = Callable[[str], tuple[PullRequest, int]]
HOOKS = "/Shared/mlflow_hooks"
JOB = """\
resources:
  jobs:
    {name}:
      name: {name}
      timeout_seconds: 3600
      schedule: {{quartz_cron_expression: '0 30 4 * * ?', timezone_id: UTC, pause_status: UNPAUSED}}
"""
TASKS = """\
      tasks:
        - {task_key: load, notebook_task: {notebook_path: ../../mlflow_hooks/score.py}}
        - {task_key: clean, notebook_task: {notebook_path: ../../mlflow_hooks/score.py}}
        - task_key: only
          notebook_task: {notebook_path: ../../mlflow_hooks/score.py}
          depends_on: [{task_key: load}, {task_key: clean}]
"""
NOTEBOOK = "# Databricks notebook source\nprint({!r})\n\n# COMMAND ----------\n\nprint('end')\n"


@dataclass
class Clock:
    """The sweeps over a branch, as far as its objects go; what one remembers, the next one
    knows.
    """

    bot: Bot
    pr: PullRequest
    memo: Mapping[str, Any] = field(default_factory=dict)

    def sweep(self) -> list[str]:
        """Look for drift, and do what is to be done about it; gives what was done, in words."""
        return self.look(self.gather())

    def gather(self) -> BranchFacts:
        """What a pass knows when it looks for drift."""
        world = self.bot.services
        (repository,) = world.repositories.values()
        # What other stories did to jobs is none of this one's business.
        return replace(branch.gather(repository, world), jobs=None)

    def look(self, facts: BranchFacts) -> list[str]:
        """The same as a sweep, by what is known already."""
        world = self.bot.services
        (repository,) = world.repositories.values()
        look = Look(Branch(repository.served.key), self.memo, news=False)
        orders, memo = drift.look_for_drift(facts, self.memo, repository, world)
        self.memo = json.loads(json.dumps(memo))
        return [line for order in orders for line in branch.perform(order, look, repository, world)]

    @property
    def told(self) -> list[str]:
        """What the pull request was told of drift."""
        return [one for thread in self.pr.threads for one in thread if "Drift" in one]

    def calls(self) -> list[str]:
        """What the workspace was asked in one more look, besides what a pass knows already."""
        facts = self.gather()
        self.bot.world.databricks.calls.clear()
        self.look(facts)
        return sorted(
            f"{call.method} {call.path.rpartition('/2.')[2]}"
            for call in self.bot.world.databricks.calls
        )

    @property
    def folders(self) -> set[str]:
        """The folders of the workspace in which something of the bot's stands."""
        return {path.rpartition("/")[0] for path in self.gather().manifest.files}


@pytest.fixture(autouse=True)
def _workspace_as_it_was(bot: Bot) -> Iterator[None]:
    yield
    world = bot.services
    (repository,) = world.repositories.values()
    facts = branch.gather(repository, world)
    look = Look(Branch(repository.served.key), {}, news=False)
    there = bot.world.databricks.tree(HOOKS)
    for path, source in sync.objects(facts.config.folders, facts.files).items():
        if path.startswith(HOOKS) and there.get(path) != repository.mirror.read(
            facts.tip, source.path
        ):
            branch.perform(WriteObject(path, source, facts.tip), look, repository, world)


@pytest.fixture
def person(bot: Bot) -> DatabricksSdk:
    """Somebody else, in the same workspace."""
    token = SecretStr(bot.world.keys.person)
    return DatabricksSdk(WorkspaceAccess(host=bot.world.databricks.url, tokens=(token,)))


def merged(bot: Bot, name: str, changes: dict[str, Any]) -> Clock:
    """A pull request that was merged and synced, and a branch that was looked at since."""
    pr = opened(bot, name, changes)
    bot.settle()
    bot.world.azure.complete(pr.number)
    bot.settle()
    clock = Clock(bot, pr)
    assert clock.sweep() == []
    return clock


@pytest.fixture
def mending(bot: Bot) -> Iterator[None]:
    """The hooks' folder puts back what is edited."""
    before = bot.world.azure.read("config/mlops.yml")
    line = b"{from: mlflow_hooks, to: /Shared/mlflow_hooks"
    changed = before.replace(line, line + b", drift: restore")
    assert changed != before
    bot.world.azure.push("main", {"config/mlops.yml": changed}, "Mend the hooks", base="main")
    yield
    bot.world.azure.push("main", {"config/mlops.yml": before}, "Leave them alone", base="main")
    bot.settle()


@pytest.fixture
def restoring(bot: Bot) -> Iterator[None]:
    """Jobs are made what Git says."""
    before = bot.world.azure.read("config/mlops.yml")
    bot.world.azure.push(
        "main",
        {"config/mlops.yml": before + b"\njob_drift: restore\n"},
        "Mend the jobs",
        base="main",
    )
    yield
    bot.world.azure.push("main", {"config/mlops.yml": before}, "Leave the jobs alone", base="main")
    bot.settle()


def test_an_edited_notebook_is_told_once_with_its_difference_where_it_came_from(
    bot: Bot, person: DatabricksSdk
) -> None:
    clock = merged(bot, "to_be_edited", {"mlflow_hooks/edited.py": NOTEBOOK.format("one")})
    person.write(f"{HOOKS}/edited", NOTEBOOK.format("two").encode(), ".py")

    assert clock.sweep()[0] == f"drift: {HOOKS}/edited was edited in the workspace (+1 −1 lines)"
    (told,) = clock.told
    assert "-print('one')\n+print('two')" in told
    assert clock.sweep() == []
    person.write(f"{HOOKS}/edited", NOTEBOOK.format("three").encode(), ".py")
    clock.memo = {}
    clock.sweep()
    assert len(clock.told) == 2
    clock.memo = {}
    clock.sweep()
    assert len(clock.told) == 2
    assert b"three" in bot.world.databricks.tree(HOOKS)[f"{HOOKS}/edited"]


def test_a_look_that_finds_nothing_new_only_lists_the_folders(
    bot: Bot, person: DatabricksSdk
) -> None:
    clock = merged(bot, "nothing_new", {"mlflow_hooks/calm.py": NOTEBOOK.format("calm")})
    folders = clock.folders

    assert clock.calls() == ["GET 0/workspace/list"] * len(folders)
    person.write(f"{HOOKS}/calm", NOTEBOOK.format("storm").encode(), ".py")
    assert clock.calls().count("GET 0/workspace/export") == 1
    person.write(f"{HOOKS}/calm", NOTEBOOK.format("calm").encode(), ".py")
    assert clock.sweep() == []
    assert clock.calls() == ["GET 0/workspace/list"] * len(folders)


def test_what_else_lies_in_the_folder_is_nobodys_business(bot: Bot, person: DatabricksSdk) -> None:
    clock = merged(bot, "with_guests", {"mlflow_hooks/host.py": NOTEBOOK.format("host")})
    person.write(f"{HOOKS}/guest", NOTEBOOK.format("guest").encode(), ".py")

    assert clock.sweep() == []
    person.remove(f"{HOOKS}/guest")


def test_a_notebook_that_was_deleted_is_missed(bot: Bot, person: DatabricksSdk) -> None:
    clock = merged(bot, "to_be_deleted", {"mlflow_hooks/deleted.py": NOTEBOOK.format("x")})
    person.remove(f"{HOOKS}/deleted")

    clock.sweep()

    (told,) = clock.told
    assert "was deleted from the workspace" in told
    assert f"{HOOKS}/deleted" not in bot.world.databricks.tree(HOOKS)
    assert clock.sweep() == []


@pytest.mark.usefixtures("mending")
def test_with_restore_everything_is_put_back_and_no_edit_is_lost(
    bot: Bot, person: DatabricksSdk
) -> None:
    notebook, data = NOTEBOOK.format("right"), "a,b\n1,2\n"
    clock = merged(
        bot, "to_be_mended", {"mlflow_hooks/mended.py": notebook, "mlflow_hooks/mended.csv": data}
    )
    before = bot.world.databricks.tree(HOOKS)
    person.write(f"{HOOKS}/mended", NOTEBOOK.format("wrong").encode(), ".py")
    person.remove(f"{HOOKS}/mended.csv")

    done = clock.sweep()

    tree = bot.world.databricks.tree(HOOKS)
    (kept,) = (path for path in tree if "/.edited/mended~" in path)
    assert {path: tree[path] for path in before} == before
    assert tree[kept] == NOTEBOOK.format("wrong").encode()
    assert [line for line in done if line.startswith(("wrote", "kept"))] == [
        f"kept an edit as {kept}",
        f"wrote {HOOKS}/mended.csv",
        f"wrote {HOOKS}/mended",
    ]
    assert any(
        "put back as Git has it" in told and kept in told and "+print('wrong')" in told
        for told in clock.told
    )
    assert len(clock.told) == 2
    assert clock.sweep() == []


@pytest.mark.usefixtures("mending")
def test_what_is_written_again_and_again_is_not_fought_for_ever(
    bot: Bot, person: DatabricksSdk
) -> None:
    clock = merged(bot, "fought_over", {"mlflow_hooks/fought.py": NOTEBOOK.format("ours")})
    for _ in range(2):
        person.write(f"{HOOKS}/fought", NOTEBOOK.format("theirs").encode(), ".py")
        clock.sweep()

    assert "found changed in the same way again" in clock.told[-1]
    assert b"theirs" in bot.world.databricks.tree(HOOKS)[f"{HOOKS}/fought"]
    assert clock.sweep() == []


def test_of_a_jupyter_notebook_only_cells_count(bot: Bot, person: DatabricksSdk) -> None:
    cells: list[dict[str, Any]] = [
        {"cell_type": "markdown", "metadata": {}, "source": ["# Wine\n", "and more"]},
        {
            "cell_type": "code",
            "metadata": {},
            "source": ["%pip install wine"],
            "outputs": [],
            "execution_count": None,
        },
        {
            "cell_type": "code",
            "metadata": {},
            "source": ["score()"],
            "outputs": [],
            "execution_count": 3,
        },
    ]
    document = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    clock = merged(bot, "with_jupyter", {"mlflow_hooks/book.ipynb": json.dumps(document)})
    cells[2]["source"] = ["score(twice)"]
    person.write(f"{HOOKS}/book", json.dumps(document).encode(), ".ipynb")

    clock.sweep()

    (told,) = clock.told
    assert "-score()\n+score(twice)" in told
    assert "-%pip" not in told


@pytest.fixture
def bring(bot: Bot) -> Iterator[Bringing]:
    """Have a pull request bring a job of a name, and sweep; the job goes with the story."""
    files: dict[str, None] = {}

    def call(name: str) -> tuple[PullRequest, int]:
        file = f"config/jobs/{name}.yml"
        pr = opened(bot, name, {file: JOB.format(name=name) + TASKS})
        bot.settle()
        bot.world.azure.complete(pr.number)
        files[file] = None
        bot.settle()
        bot.sweep()
        (job,) = (
            one["job_id"] for one in bot.world.databricks.jobs() if one["settings"]["name"] == name
        )
        return pr, job

    yield call
    bot.world.azure.push("main", files, "Remove a story's job", base="main")
    bot.settle()


def settings_of(person: DatabricksSdk, job: int) -> Mapping[str, Any]:
    return person.read_job(job).settings


def drift_told(pr: PullRequest) -> list[str]:
    return [reply for reply in pr.replies if "Drift" in reply]


def test_a_field_of_a_job_is_told_and_its_pause_and_an_order_are_not(
    bot: Bot, person: DatabricksSdk, bring: Bringing
) -> None:
    pr, job = bring("drift_told")
    tasks = settings_of(person, job)["tasks"]
    after = [{**one, "depends_on": one.get("depends_on", [])[::-1]} for one in tasks[::-1]]

    bot.world.databricks.pause(job)
    person.update_job(job, {"max_concurrent_runs": 3, "tasks": after})
    assert settings_of(person, job)["tasks"] != tasks
    bot.sweep()
    assert drift_told(pr) == []
    person.update_job(job, {"timeout_seconds": 60})
    bot.sweep()
    bot.sweep()

    (told,) = drift_told(pr)
    assert "-timeout_seconds: 3600\n+timeout_seconds: 60" in told
    assert "pause" not in told
    assert "depends_on" not in told
    assert "left alone" in told
    assert settings_of(person, job)["timeout_seconds"] == 60


@pytest.mark.usefixtures("restoring")
def test_a_job_that_is_changed_again_is_put_back_again_and_told_so(
    bot: Bot, person: DatabricksSdk, bring: Bringing
) -> None:
    pr, job = bring("drift_restored")
    for _ in range(3):
        person.update_job(job, {"timeout_seconds": 60})
        bot.sweep()
        assert settings_of(person, job)["timeout_seconds"] == 3600

    first, second = drift_told(pr)
    assert "-timeout_seconds: 3600\n+timeout_seconds: 60" in first
    assert "It is put back as Git has it" in first
    assert "It is put back once more" in second


def test_what_is_left_changed_is_told_by_the_status(
    bot: Bot, person: DatabricksSdk, bring: Bringing
) -> None:
    _, job = bring("drift_in_status")
    (repository,) = bot.services.repositories.values()
    pr = opened(bot, "asks_for_drift", {"README.md": "drift"})
    bot.settle()
    person.update_job(job, {"timeout_seconds": 60})
    person.remove(f"{HOOKS}/score")
    bot.sweep()

    shown = "\n".join(live.status_lines(repository, bot.services))
    answer = asked(pr, "/mlops status prod")

    assert f"differ from Git since somebody changed them by hand: {HOOKS}/score, " in shown
    assert "job drift_in_status" in shown
    assert f"by hand: `{HOOKS}/score`, " in answer
    assert "job `drift_in_status`" in answer
    person.write(f"{HOOKS}/score", bot.world.azure.read("mlflow_hooks/score.py"), ".py")
    person.update_job(job, {"timeout_seconds": 3600})
    bot.sweep()
    shown = "\n".join(live.status_lines(repository, bot.services))
    assert f"{HOOKS}/score" not in shown
    assert "drift_in_status" not in shown


def test_one_object_that_cannot_be_read_hides_no_other(bot: Bot, person: DatabricksSdk) -> None:
    files = {f"mlflow_hooks/read_{number}.py": NOTEBOOK.format(number) for number in (1, 2)}
    clock = merged(bot, "partly_read", files)
    for number in (1, 2):
        person.write(f"{HOOKS}/read_{number}", NOTEBOOK.format("other").encode(), ".py")
    facts = clock.gather()
    bot.world.databricks.fail_next("GET", "/api/2.0/workspace/export", 503)

    clock.look(facts)
    assert len(clock.told) == 1
    clock.sweep()
    assert len(clock.told) == 2


def test_a_sweep_tells_the_pull_request_that_brought_it_once(bot: Bot) -> None:
    pr = opened(bot, "swept_drift", {"mlflow_hooks/swept.py": NOTEBOOK.format("git")})
    bot.world.azure.complete(pr.number)
    bot.settle()
    bot.sweep()

    edited = NOTEBOOK.format("by hand").encode()
    bot.world.databricks.tree_on_disk.write(
        f"{HOOKS}/swept", edited, "NOTEBOOK", "PYTHON", overwrite=True
    )
    bot.sweep()
    bot.sweep()

    told = [reply for reply in pr.replies if "Drift" in reply]
    assert len(told) == 1
    assert "+print('by hand')" in told[0]
    assert bot.world.databricks.tree(HOOKS)[f"{HOOKS}/swept"] == edited
    bot.world.azure.complete(opened(bot, "swept_away", {"mlflow_hooks/swept.py": None}).number)
    bot.settle()
