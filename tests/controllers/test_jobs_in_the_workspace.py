"""Jobs as code against the stand-in for Databricks: created, changed, renamed, removed, adopted,
refused, cut off.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pydantic import SecretStr

from bot.actions import ChangeJob, CreateJob, RemoveJob
from bot.config.environment import WorkspaceAccess as Access
from bot.controllers.branch import jobs
from bot.controllers.services import Services
from bot.errors import ServiceError
from bot.facts.branch import BranchJobs, JobDefinition, OwnedJob
from bot.rules.branch import jobs as rule
from bot.services.databricks_sdk import DatabricksSdk
from bot.words import branch as words
from sandbox.databricks import Databricks as WorkspaceAccess

HERE = "contoso/ml/wine"
TASK = {
    "task_key": "train",
    "notebook_task": {"notebook_path": "/Shared/hooks/train"},
    "timeout_seconds": 600,
}
SETTINGS: dict[str, Any] = {
    "name": "weekly",
    "tasks": [TASK],
    "parameters": [{"name": "data", "default": "full"}],
    "schedule": {
        "quartz_cron_expression": "0 0 2 * * ?",
        "timezone_id": "UTC",
        "pause_status": "PAUSED",
    },
}


class Bot:
    """What a branch's pass does about jobs, with a manifest in memory."""

    def __init__(self, workspace: WorkspaceAccess) -> None:
        self.workspace = workspace
        service = DatabricksSdk(Access(workspace.url, (SecretStr("dapi-good"),)))
        self.world = cast(
            Services, SimpleNamespace(production=SimpleNamespace(databricks=service), calls=8)
        )
        self.owned: Mapping[str, OwnedJob] = {}

    def gather(self, *wanted: JobDefinition, commit: str = "c1") -> BranchJobs:
        return jobs.gather(
            HERE, commit, {one.key: one for one in wanted}, self.owned, self.world, 7
        )

    def apply(self, *wanted: JobDefinition, commit: str = "c1") -> list[str]:
        facts = self.gather(*wanted, commit=commit)
        told, ids = [], {}
        orders = [
            order
            for order in rule.plan(facts)
            if isinstance(order, CreateJob | ChangeJob | RemoveJob)
        ]
        if orders:
            self.owned = rule.claimed(facts)
        for order in orders:
            said, number = jobs.perform(order, HERE, self.world)
            told.append(said)
            ids[order.definition.key if isinstance(order, CreateJob) else order.key] = number
        self.owned = rule.owned(facts, ids)
        return told

    def names(self) -> list[str]:
        return [one["settings"]["name"] for one in self.workspace.jobs()]


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[Bot]:
    with WorkspaceAccess(tmp_path, tokens={"dapi-good": "signalman"}) as started:
        yield Bot(started)


def job(key: str = "weekly", **settings: Any) -> JobDefinition:
    return JobDefinition(key, {**SETTINGS, **settings}, "config/jobs/x.yml")


def test_a_job_is_created_changed_renamed_and_removed(bot: Bot) -> None:
    created = bot.apply(job())
    (first,) = bot.workspace.jobs()
    again = bot.apply(job(), commit="c2")
    changed = bot.apply(job(tasks=[{**TASK, "timeout_seconds": 900}]), commit="c3")
    renamed = bot.apply(
        job(name="every week", tasks=[{**TASK, "timeout_seconds": 900}]), commit="c4"
    )
    (last,) = bot.workspace.jobs()
    removed = bot.apply(commit="c5")

    assert [created, again, changed, renamed, removed] == [
        ["created job weekly"],
        [],
        ["changed job weekly: tasks.train.timeout_seconds"],
        ["changed job weekly: name"],
        ["removed job every week"],
    ]
    assert first["job_id"] == last["job_id"]
    assert last["settings"]["schedule"]["pause_status"] == "PAUSED"
    assert last["settings"]["tags"] == {
        "signalman_repository": HERE,
        "signalman_job": "weekly",
        "signalman_created": "c1",
        "signalman_synced": "c4",
        "signalman_pull_request": "7",
    }
    assert bot.workspace.jobs() == []


def test_a_parameter_goes_by_a_reset_and_what_people_set_stays(bot: Bot) -> None:
    bot.apply(job(parameters=[*SETTINGS["parameters"], {"name": "old", "default": "1"}]))
    (held,) = bot.workspace.jobs_api.jobs.values()
    held.settings["schedule"]["pause_status"] = "UNPAUSED"
    held.settings["run_as"] = {"user_name": "somebody"}
    held.settings["parameters"].append({"name": "by_hand", "default": "2"})

    told = bot.apply(job(), commit="c2")

    (after,) = bot.workspace.jobs()
    assert told == ["changed job weekly: parameters.old"]
    assert [one["name"] for one in after["settings"]["parameters"]] == ["data", "by_hand"]
    assert after["settings"]["run_as"] == {"user_name": "somebody"}
    assert after["settings"]["schedule"]["pause_status"] == "UNPAUSED"
    assert [one.path for one in bot.workspace.calls if "reset" in one.path] == [
        "/api/2.2/jobs/reset"
    ]


def test_a_job_that_people_made_is_adopted_and_let_go(bot: Bot) -> None:
    made = bot.world.production.databricks.create_job({**SETTINGS, "description": "by hand"})

    adopted = bot.apply(job())
    let_go = bot.apply(commit="c2")

    assert adopted == ["changed job weekly, which is the repository's now"]
    assert let_go == ["let job weekly go, which Signalman did not create"]
    (after,) = bot.workspace.jobs()
    assert (after["job_id"], after["settings"]["description"]) == (made, "by hand")
    assert "tags" not in after["settings"]


def test_a_bundles_job_is_left_alone(bot: Bot) -> None:
    deployment = {"kind": "BUNDLE", "metadata_file_path": "/x"}
    bot.world.production.databricks.create_job(
        {**SETTINGS, "deployment": deployment, "edit_mode": "UI_LOCKED"}
    )
    before = bot.workspace.jobs()

    told = bot.apply(job(max_concurrent_runs=4))

    assert (told, bot.owned, bot.workspace.jobs()) == ([], {}, before)
    assert "is managed by a Databricks Asset Bundle" in words.job_left_alone(
        rule.problems(bot.gather(job()))[0]
    )


def test_another_key_finds_the_job_by_its_name(bot: Bot) -> None:
    bot.apply(job())

    told = bot.apply(job("other"), commit="c2")

    assert told == ["changed job weekly, which is the repository's now"]
    assert bot.owned.keys() == {"other"}
    assert bot.names() == ["weekly"]


def test_a_setting_that_reads_back_otherwise_is_an_error(bot: Bot) -> None:
    bot.apply(job())
    (held,) = bot.workspace.jobs_api.jobs.values()

    change = ChangeJob(
        held.job_id, "weekly", {"max_concurrent_runs": 4, "name": "weekly"}, name="weekly"
    )
    bot.workspace.observers.append(
        lambda exchange: (
            held.settings.update(max_concurrent_runs=1) if "update" in exchange.path else None
        )
    )

    with pytest.raises(
        ServiceError, match=r"reads back otherwise: max_concurrent_runs\. Somebody may be"
    ):
        jobs.perform(change, HERE, bot.world)


WISHES = {
    "create": (job(), job("daily", name="daily")),
    "change": (job(max_concurrent_runs=3, parameters=[]),),
    "rename": (job(name="every week"),),
    "move": (job("other"),),
    "move and rename": (job("other", name="every week"),),
    "remove": (),
}
CALLS = ("create", "update", "reset", "delete", "get", "list", "runs/list")


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("wish", WISHES)
@pytest.mark.parametrize("lost", [True, False], ids=["answer lost", "not done"])
def test_cut_off_after_or_before_any_call_the_next_pass_ends_in_the_same(
    bot: Bot, wish: str, call: str, lost: bool
) -> None:
    bot.apply(job())
    bot.workspace.fail_next("GET" if call in ("get", "list", "runs/list") else "POST", f"/api/2.2/jobs/{call}", 503,  # noqa: E501 a table, or a text as it is sent
                            lose_answer=lost)  # fmt: skip
    try:
        bot.apply(*WISHES[wish], commit="c2")
    except ServiceError:
        bot.apply(*WISHES[wish], commit="c2")

    assert sorted(bot.names()) == sorted(one.settings["name"] for one in WISHES[wish])
    assert bot.owned.keys() == {one.key for one in WISHES[wish]}
    assert rule.unlike_applied(bot.gather(*WISHES[wish])) == {}
    assert bot.apply(*WISHES[wish], commit="c3") == []


def test_a_job_whose_creation_was_not_noted_is_found_though_it_was_called_otherwise_since(
    bot: Bot,
) -> None:
    bot.workspace.fail_next("POST", "/api/2.2/jobs/create", 503, lose_answer=True)
    with pytest.raises(ServiceError):
        bot.apply(job())

    bot.apply(job(name="every week"), commit="c2")

    assert bot.names() == ["every week"]
