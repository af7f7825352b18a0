"""Which changes make the workspace's jobs those that a commit describes, and leave what is not the
repository's.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.actions import BranchAction, ChangeJob, CreateJob, LookAgain, RemoveJob
from bot.facts.branch import BranchJobs, JobDefinition, JobFacts, OwnedJob
from bot.rules.branch import jobs as rule
from bot.services.databricks import job_facts
from bot.words import branch as words
from sandbox.databricks import settings as server

HERE = "contoso/ml/wine"
TASK = {
    "task_key": "train",
    "notebook_task": {"notebook_path": "/Shared/hooks/train"},
    "timeout_seconds": 600,
}
CRON = {"quartz_cron_expression": "0 0 2 * * ?", "timezone_id": "UTC"}
SETTINGS: dict[str, Any] = {"name": "weekly", "tasks": [TASK], "schedule": CRON}


def job(key: str = "weekly", *, follows: bool = False, **settings: Any) -> JobDefinition:
    named = {**SETTINGS, **settings}
    return JobDefinition(
        key,
        {name: value for name, value in named.items() if value is not None},
        "config/jobs/x.yml",
        follows=follows,
    )


@dataclass
class Workspace:
    """Jobs as the stand-in for Databricks keeps them, and what the manifest says of them."""

    jobs: dict[int, dict[str, Any]] = field(default_factory=dict)
    owned: Mapping[str, OwnedJob] = field(default_factory=dict)
    running: frozenset[int] = frozenset()

    def facts(self, *wanted: JobDefinition, commit: str = "c1", number: int = 7) -> BranchJobs:
        by_key = {one.key: one for one in wanted}
        there = {key: self._find(key, by_key.get(key)) for key in (*by_key, *self.owned)}
        running = frozenset(
            key
            for key, one in there.items()
            if one and key not in by_key and one.id in self.running
        )
        return BranchJobs(HERE, commit, by_key, self.owned, there, running, number)

    def _find(self, key: str, definition: JobDefinition | None) -> JobFacts | None:
        known = self.owned[key].id if key in self.owned else 0
        if known not in self.jobs:
            name = definition.settings["name"] if definition else None
            known = next((one for one, held in self.jobs.items() if held["name"] == name), 0)
        return (
            job_facts({"job_id": known, "settings": copy.deepcopy(self.jobs[known])})
            if known
            else None
        )

    def apply(
        self, *wanted: JobDefinition, commit: str = "c1", number: int = 7, cut: int = 99
    ) -> list[BranchAction]:
        """Plan, perform so many of the orders, and note what is owned if that was all of them."""
        facts = self.facts(*wanted, commit=commit, number=number)
        orders = rule.plan(facts)
        if orders:
            self.owned = rule.claimed(facts)
        ids = {}
        for order in orders[:cut]:
            match order:
                case CreateJob(definition, brought, pull_request):
                    ids[definition.key] = len(self.jobs) + 1
                    created = rule.created(definition, HERE, brought, pull_request)
                    self.jobs[ids[definition.key]] = server.accepted(created, "2.2")
                case ChangeJob(number_of, whole=True):
                    self.jobs[number_of] = server.accepted(order.new_settings, "2.2")
                case ChangeJob(number_of):
                    old = self.jobs[number_of]
                    self.jobs[number_of] = server.merged(
                        old, order.new_settings, list(order.remove), "2.2"
                    )
                    found = job_facts({"job_id": number_of, "settings": self.jobs[number_of]})
                    assert rule.unlike(order, found) == ()
                case RemoveJob(number_of):
                    del self.jobs[number_of]
        if cut >= len(orders):
            self.owned = rule.owned(facts, ids)
        return orders

    def add(self, **settings: Any) -> int:
        number = len(self.jobs) + 1
        self.jobs[number] = server.accepted({**SETTINGS, **settings}, "2.2")
        return number


def changed(workspace: Workspace, *wanted: JobDefinition, commit: str = "c2") -> ChangeJob:
    (order,) = workspace.apply(*wanted, commit=commit)
    assert isinstance(order, ChangeJob)
    return order


@pytest.fixture
def held() -> Workspace:
    """A workspace in which the bot created the job."""
    workspace = Workspace()
    workspace.apply(job())
    return workspace


# -- created, changed


def test_a_job_that_is_not_there_is_created_with_where_it_comes_from(held: Workspace) -> None:
    assert held.jobs[1]["tags"] == {
        "signalman_repository": HERE,
        "signalman_job": "weekly",
        "signalman_created": "c1",
        "signalman_synced": "c1",
        "signalman_pull_request": "7",
    }
    assert held.owned == {"weekly": OwnedJob(1, job().settings)}


def test_another_commit_alone_changes_nothing(held: Workspace) -> None:
    assert held.apply(job(), commit="c2", number=8) == []


def test_only_what_differs_is_sent_and_complete(held: Workspace) -> None:
    held.jobs[1]["schedule"]["pause_status"] = "PAUSED"

    order = changed(held, job(schedule={**CRON, "timezone_id": "Europe/Zurich"}))

    assert order.new_settings["schedule"] == {
        **CRON,
        "timezone_id": "Europe/Zurich",
        "pause_status": "PAUSED",
    }
    assert order.new_settings.keys() == {"schedule", "tags"}
    assert (order.remove, order.whole, order.changes) == ((), False, ("schedule.timezone_id",))
    assert held.jobs[1]["tags"]["signalman_synced"] == "c2"
    assert held.jobs[1]["tags"]["signalman_created"] == "c1"


def test_what_the_file_says_of_a_pause_is_looked_at_when_the_schedule_is_new(
    held: Workspace,
) -> None:
    paused = {**CRON, "pause_status": "PAUSED"}
    new = Workspace()
    new.apply(job(schedule=None))

    assert held.apply(job(schedule=paused)) == []
    changed(new, job(schedule=paused))
    assert new.jobs[1]["schedule"]["pause_status"] == "PAUSED"


def test_what_people_set_by_hand_stays(held: Workspace) -> None:
    held.jobs[1]["tasks"][0]["max_retries"] = 3
    held.jobs[1]["tasks"].append({**TASK, "task_key": "by_hand"})
    held.jobs[1]["run_as"] = {"user_name": "somebody"}
    held.jobs[1]["tags"]["cost"] = "42"

    changed(held, job(tasks=[{**TASK, "timeout_seconds": 900}]))

    assert [(one["task_key"], one.get("max_retries")) for one in held.jobs[1]["tasks"]] == [
        ("train", 3),
        ("by_hand", None),
    ]
    assert held.jobs[1]["tasks"][0]["timeout_seconds"] == 900
    assert (held.jobs[1]["run_as"], held.jobs[1]["tags"]["cost"]) == (
        {"user_name": "somebody"},
        "42",
    )


def test_what_the_file_names_no_more_is_removed(held: Workspace) -> None:
    second = {**TASK, "task_key": "second"}
    held.apply(job(tasks=[TASK, second], description="of wine", tags={"team": "wine"}))

    order = changed(held, job(schedule=None), commit="c3")

    assert set(order.remove) == {"tasks/second", "description", "schedule"}
    assert [one["task_key"] for one in held.jobs[1]["tasks"]] == ["train"]
    assert not {"description", "schedule", "team"} & {*held.jobs[1], *held.jobs[1]["tags"]}


def test_what_an_update_cannot_remove_is_removed_by_sending_the_whole(held: Workspace) -> None:
    both = [{"name": "data", "default": "full"}, {"name": "old", "default": "x"}]
    held.apply(job(parameters=both))
    held.jobs[1]["parameters"].append({"name": "by_hand", "default": "y"})
    held.jobs[1]["run_as"] = {"user_name": "somebody"}

    order = changed(held, job(parameters=both[:1]))

    assert order.whole
    assert not {"run_as", "format"} & order.new_settings.keys()
    assert [one["name"] for one in held.jobs[1]["parameters"]] == ["data", "by_hand"]


def test_what_cannot_stand_beside_what_the_file_names_goes(held: Workspace) -> None:
    cluster = {"spark_version": "17.3.x", "node_type_id": "n", "num_workers": 1}
    held.apply(job(tasks=[{**TASK, "new_cluster": cluster}]))
    del held.jobs[1]["tasks"][0]["new_cluster"]
    held.jobs[1]["tasks"][0]["existing_cluster_id"] = "by-hand"

    changed(held, job(tasks=[{**TASK, "new_cluster": cluster}]))

    assert held.jobs[1]["tasks"][0]["new_cluster"] == cluster
    assert "existing_cluster_id" not in held.jobs[1]["tasks"][0]


def test_libraries_in_another_order_are_the_same() -> None:
    libraries = [{"pypi": {"package": "a"}}, {"pypi": {"package": "b"}}]
    workspace = Workspace()
    workspace.apply(job(tasks=[{**TASK, "libraries": libraries}]))
    workspace.jobs[1]["tasks"][0]["libraries"].reverse()

    assert workspace.apply(job(tasks=[{**TASK, "libraries": libraries}])) == []


def test_the_version_that_a_scoring_job_is_pointed_at_is_not_the_files() -> None:
    named = [{"name": "model_name", "default": ""}, {"name": "model_version", "default": ""}]
    workspace = Workspace()
    workspace.apply(job(parameters=named, follows=True))
    workspace.jobs[1]["parameters"] = [
        {"name": "model_name", "default": "wine"},
        {"name": "model_version", "default": "7"},
    ]
    workspace.jobs[1]["tags"]["signalman_version"] = "7"

    again = workspace.apply(job(parameters=named, follows=True), commit="c2")
    changed(
        workspace,
        job(parameters=[*named, {"name": "data", "default": "full"}], follows=True),
        commit="c3",
    )

    assert again == []
    assert {one["name"]: one["default"] for one in workspace.jobs[1]["parameters"]} == {
        "model_name": "wine",
        "model_version": "7",
        "data": "full",
    }
    assert workspace.jobs[1]["tags"]["signalman_version"] == "7"


def test_a_parameter_of_that_name_is_the_files_where_no_model_is_followed(held: Workspace) -> None:
    held.apply(job(parameters=[{"name": "model_name", "default": "wine"}]))

    changed(held, job(parameters=[{"name": "model_name", "default": "tides"}]))

    assert held.jobs[1]["parameters"] == [{"name": "model_name", "default": "tides"}]


# -- renamed, adopted, refused, removed


def test_another_name_under_the_same_key_renames_the_job(held: Workspace) -> None:
    order = changed(held, job(name="every week"))

    assert (order.job, order.name, order.changes) == (1, "weekly", ("name",))
    assert held.jobs[1]["name"] == "every week"


@pytest.mark.parametrize(
    "renamed", [job("other"), job("other", name="other")], ids=["same name", "alike"]
)
def test_another_key_takes_the_job_over(held: Workspace, renamed: JobDefinition) -> None:
    changed(held, renamed)

    assert held.jobs.keys() == {1}
    assert (held.jobs[1]["name"], held.jobs[1]["tags"]["signalman_job"]) == (
        renamed.settings["name"],
        "other",
    )
    assert held.owned.keys() == {"other"}
    assert held.apply(renamed, commit="c3") == []


def test_another_job_beside_one_that_goes_is_not_the_same(held: Workspace) -> None:
    orders = held.apply(job("other", name="other", max_concurrent_runs=2), commit="c2")

    assert [type(order) for order in orders] == [CreateJob, RemoveJob]


def test_two_jobs_may_change_names(held: Workspace) -> None:
    held.apply(job(), job("daily", name="daily", max_concurrent_runs=2))

    held.apply(job(name="daily"), job("daily", name="weekly", max_concurrent_runs=2))

    assert [held.jobs[number]["name"] for number in (1, 2)] == ["daily", "weekly"]


def test_a_new_job_may_have_the_name_that_another_gives_up(held: Workspace) -> None:
    held.apply(job(name="every week"), job("new", max_concurrent_runs=2))

    assert [held.jobs[number]["name"] for number in (1, 2)] == ["every week", "weekly"]


def test_a_job_that_people_made_is_adopted_and_let_go_again() -> None:
    workspace = Workspace()
    number = workspace.add(tags={"team": "wine"}, description="by hand")

    changed(workspace, job(max_concurrent_runs=2))
    adopted = copy.deepcopy(workspace.jobs[number])
    (order,) = workspace.apply(commit="c3")

    assert (adopted["max_concurrent_runs"], adopted["description"]) == (2, "by hand")
    assert "signalman_created" not in adopted["tags"]
    assert isinstance(order, ChangeJob)
    assert order.goes
    assert workspace.jobs[number]["tags"] == {"team": "wine"}
    assert workspace.owned == {}
    assert workspace.apply(commit="c4") == []


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            {"deployment": {"kind": "BUNDLE"}},
            "is managed by a Databricks Asset Bundle in the workspace",
        ),
        (
            {"tags": {"signalman_repository": "contoso/ml/tides"}},
            "belongs to the repository contoso/ml/tides",
        ),
    ],
)
def test_a_job_of_somebody_elses_is_refused(settings: dict[str, Any], told: str) -> None:
    workspace = Workspace()
    workspace.add(**settings)
    facts = workspace.facts(job(max_concurrent_runs=2))

    (problem,) = map(words.job_left_alone, rule.problems(facts))

    assert problem.startswith(f"config/jobs/x.yml: job weekly (weekly) {told}")
    assert rule.plan(facts) == []
    assert rule.owned(facts) == rule.claimed(facts) == {}


def test_a_job_that_the_bot_created_is_deleted_when_it_does_not_run(held: Workspace) -> None:
    held.running = frozenset({1})
    waiting = held.apply(commit="c2")
    kept = dict(held.owned)
    held.running = frozenset()

    assert waiting == [LookAgain(rule.PATIENCE)]
    assert kept.keys() == {"weekly"}
    assert held.apply(commit="c2") == [RemoveJob(1, "weekly", "weekly")]
    assert (held.jobs, held.owned) == ({}, {})


def test_a_job_that_became_somebody_elses_is_not_deleted(held: Workspace) -> None:
    held.jobs[1]["tags"]["signalman_repository"] = "contoso/ml/tides"

    assert held.apply(commit="c2") == []
    assert held.owned == {}


def test_a_job_that_somebody_deleted_is_created_again(held: Workspace) -> None:
    held.jobs.clear()

    (order,) = held.apply(job(), commit="c2")

    assert isinstance(order, CreateJob)


# -- whatever the file said before, says now, and people did in between

TEXTS = st.sampled_from(["a", "b", "c"])
CLUSTER = {"spark_version": "17.3.x", "node_type_id": "n", "num_workers": 1}
NOTEBOOKS = st.fixed_dictionaries(
    {"notebook_path": TEXTS.map("/Shared/{}".format)},
    optional={"base_parameters": st.dictionaries(TEXTS, TEXTS, min_size=1)},
)
ONE_TASK = st.fixed_dictionaries(
    {"task_key": st.sampled_from(["one", "two", "three"]), "notebook_task": NOTEBOOKS},
    optional={
        "timeout_seconds": st.integers(1, 3),
        "new_cluster": st.just(CLUSTER),
        "libraries": st.just([{"pypi": {"package": "x"}}]),
    },
)
TASKS = st.lists(ONE_TASK, min_size=1, max_size=3, unique_by=lambda one: str(one["task_key"]))
FILES = st.fixed_dictionaries(
    {"name": st.sampled_from(["weekly", "daily"]), "tasks": TASKS},
    optional={
        "tags": st.dictionaries(TEXTS, TEXTS, min_size=1),
        "description": TEXTS,
        "max_concurrent_runs": st.integers(2, 4),
        "schedule": st.sampled_from([CRON, {**CRON, "timezone_id": "Europe/Zurich"}]),
        "parameters": st.lists(
            st.fixed_dictionaries({"name": TEXTS, "default": TEXTS}),
            min_size=1,
            unique_by=lambda one: str(one["name"]),
        ),
    },
).map(lambda settings: JobDefinition("key", settings, "x.yml"))


def by_hand(settings: dict[str, Any]) -> dict[str, Any]:
    """A job to which people have done what no file names."""
    found = copy.deepcopy(settings)
    found["tags"]["hand"], found["timeout_seconds"] = "1", 7
    found["health"] = {"rules": []}
    found["parameters"] = [*found.get("parameters", ()), {"name": "hand", "default": "1"}]
    found["tasks"] = [
        *({**one, "max_retries": 9} for one in found["tasks"]),
        {**TASK, "task_key": "hand"},
    ]
    if "schedule" in found:
        found["schedule"]["pause_status"] = "PAUSED"
    return server.accepted(found, "2.2")


def hands(found: dict[str, Any]) -> tuple[Any, ...]:
    return (
        found["tags"]["hand"],
        found["timeout_seconds"],
        found["health"],
        [one for one in found["parameters"] if one["name"] == "hand"],
        [one for one in found["tasks"] if one["task_key"] == "hand"],
    )


@given(FILES, FILES, st.booleans())
def test_the_job_is_what_the_file_says_and_what_people_did_stays(
    before: JobDefinition, now: JobDefinition, cut: bool
) -> None:
    workspace = Workspace()
    workspace.apply(before)
    workspace.jobs[1] = by_hand(workspace.jobs[1])
    did = hands(workspace.jobs[1])
    paused = workspace.jobs[1].get("schedule")

    if cut:
        workspace.apply(before, commit="c2", cut=0)
    workspace.apply(now, commit="c3")

    held = workspace.jobs[1]
    assert rule.unlike_applied(workspace.facts(now)) == {}
    assert hands(held) == did
    if paused and "schedule" in now.settings:
        assert held["schedule"]["pause_status"] == "PAUSED"
    for name, key in (("tasks", "task_key"), ("parameters", "name")):
        assert {one[key] for one in held.get(name, ())} - {"hand"} == {
            one[key] for one in now.settings.get(name, ())
        }
    assert {*held["tags"]} - {"hand", *rule.OURS} == {*now.settings.get("tags", ())}
    assert workspace.apply(now, commit="c4") == []


@given(FILES, FILES, FILES)
def test_a_change_that_was_cut_off_leaves_nothing_of_itself_behind(
    before: JobDefinition, cut_off: JobDefinition, now: JobDefinition
) -> None:
    whole, cut = Workspace(), Workspace()
    for workspace in (whole, cut):
        workspace.apply(before)
    orders = cut.facts(cut_off, commit="c2")
    cut.apply(cut_off, commit="c2")
    # Performed, and killed before the manifest said so.
    cut.owned = rule.claimed(orders)

    whole.apply(now, commit="c3")
    cut.apply(now, commit="c3")

    found = [
        rule.changes(one.jobs[1], other.jobs[1]) for one, other in ((whole, cut), (cut, whole))
    ]
    assert [[path for path in paths if path not in ("timeout_seconds",)] for paths in found] == [
        [],
        [],
    ]
    assert cut.apply(now, commit="c4") == []
