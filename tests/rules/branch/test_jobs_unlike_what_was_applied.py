"""Which jobs of the workspace are unlike what was applied to them, by which a job's drift is known
and put right.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.actions import ChangeJob
from bot.config.repository import Mlops
from bot.facts.branch import BranchFacts, BranchJobs, JobDefinition, JobFacts, Manifest, OwnedJob
from bot.rules.branch import jobs, sync

HERE = "contoso/ml/wine"
COMMIT = "a1b2"
CRON = {"quartz_cron_expression": "0 0 2 * * ?", "timezone_id": "UTC", "pause_status": "UNPAUSED"}
OPS, DATA = {"id": "ops"}, {"id": "data"}
LIBRARIES = [{"pypi": {"package": "wine"}}, {"pypi": {"package": "beer"}}]
TASKS: list[dict[str, Any]] = [
    {
        "task_key": "load",
        "notebook_task": {"notebook_path": "/Shared/hooks/load"},
        "libraries": LIBRARIES,
    },
    {"task_key": "clean", "notebook_task": {"notebook_path": "/Shared/hooks/clean"}},
    {
        "task_key": "score",
        "depends_on": [{"task_key": "load"}, {"task_key": "clean"}],
        "max_retries": 0,
    },
]
NIGHTLY = JobDefinition(
    "nightly",
    {
        "name": "nightly",
        "timeout_seconds": 3600,
        "schedule": CRON,
        "tasks": TASKS,
        "job_clusters": [
            {"job_cluster_key": key, "new_cluster": {"num_workers": 1}} for key in ("big", "small")
        ],
        "parameters": [
            {"name": "data", "default": "full"},
            {"name": "model_name", "default": ""},
            {"name": "model_version", "default": ""},
        ],
        "webhook_notifications": {"on_failure": [OPS, DATA]},
        "tags": {"team": "wine"},
        "run_as": {"service_principal_name": "x"},
    },
    "config/jobs/nightly.yml",
    follows=True,
)
MADE = jobs.created(NIGHTLY, HERE, COMMIT, 7)


def served(**changed: Any) -> dict[str, Any]:
    """The settings as the server shows them, with what it adds and in an order of its own."""
    tasks = [{**one, "run_if": "ALL_SUCCESS", "timeout_seconds": 0} for one in reversed(TASKS)]
    del tasks[0]["max_retries"]
    shown = {**MADE, "tasks": tasks, "email_notifications": {}, "format": "MULTI_TASK"}
    return {**{name: value for name, value in shown.items() if name != "run_as"}, **changed}


def task(key: str, **changed: Any) -> dict[str, Any]:
    """The tasks as the server shows them, with something else in one of them."""
    return {
        "tasks": [one | (changed if one["task_key"] == key else {}) for one in served()["tasks"]]
    }


def branch(there: Mapping[str, Any], **more: Any) -> BranchJobs:
    found = JobFacts(1, "nightly", tags=there.get("tags", {}), settings=there, **more)
    return BranchJobs(
        HERE,
        COMMIT,
        {"nightly": NIGHTLY},
        {"nightly": OwnedJob(1, jobs.owned_by(NIGHTLY))},
        {"nightly": found},
    )


def put_right(found: BranchJobs, policy: str) -> bool:
    """Whether a look at a workspace that holds the commit changes the job."""
    config = Mlops.model_validate({"job_drift": policy})
    facts = BranchFacts(
        HERE, "main", COMMIT, config, (), Manifest(HERE, COMMIT, jobs=found.owned), found
    )
    return any(isinstance(order, ChangeJob) for order in sync.plan(facts))


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"schedule": {**CRON, "pause_status": "PAUSED"}},
        {"run_as": {"user_name": "ada"}, "permissions": [{"user_name": "ada"}], "edit_mode": "UI_LOCKED"},  # noqa: E501 a table, or a text as it is sent
        {"tags": {**MADE["tags"], "signalman_synced": "ffff", "signalman_model": "m", "their": "own"}},  # noqa: E501 a table, or a text as it is sent
        {"parameters": [{"name": "model_version", "default": "7"}, {"name": "model_name", "default": "m"},  # noqa: E501 a table, or a text as it is sent
                        {"name": "data", "default": "full"}, {"name": "their", "default": "own"}]},
        {"email_notifications": {"on_failure": ["ada@contoso.example"]}, "description": "by hand"},
        {"tasks": [*served()["tasks"], {"task_key": "theirs"}]},
    ],
)  # fmt: skip
def test_what_people_and_the_rollout_set_is_the_same(changed: dict[str, Any]) -> None:
    found = branch(served(**changed))

    assert jobs.unlike_applied(found) == {}
    assert not put_right(found, "restore")


@pytest.mark.parametrize(
    "changed",
    [
        task("score", depends_on=[{"task_key": "clean"}, {"task_key": "load"}]),
        task("load", libraries=LIBRARIES[::-1]),
        {"tasks": TASKS[1:] + TASKS[:1]},
        {"job_clusters": MADE["job_clusters"][::-1]},
        {"parameters": MADE["parameters"][::-1]},
        {"webhook_notifications": {"on_failure": [DATA, OPS]}},
    ],
)
def test_another_order_of_what_is_a_set_is_the_same(changed: dict[str, Any]) -> None:
    found = branch(served(**changed))

    assert jobs.unlike_applied(found) == {}
    assert not put_right(found, "restore")


@pytest.mark.parametrize(
    ("changed", "places"),
    [
        ({"timeout_seconds": 60}, {"timeout_seconds": (3600, 60)}),
        ({"name": "mine"}, {"name": ("nightly", "mine")}),
        (
            {"schedule": None},
            {"schedule": ({k: v for k, v in CRON.items() if k != "pause_status"}, None)},
        ),
        (
            {
                "schedule": {
                    **CRON,
                    "quartz_cron_expression": "0 0 9 * * ?",
                    "pause_status": "PAUSED",
                }
            },
            {"schedule.quartz_cron_expression": ("0 0 2 * * ?", "0 0 9 * * ?")},
        ),
        (
            {"parameters": [{"name": "data", "default": "toy"}, *MADE["parameters"][1:]]},
            {"parameters.data.default": ("full", "toy")},
        ),
        (
            {"parameters": MADE["parameters"][1:]},
            {"parameters.data": ({"name": "data", "default": "full"}, None)},
        ),
        (
            {"tags": {"team": "wine", "signalman_job": "nightly"}},
            {"tags.signalman_repository": (HERE, None)},
        ),
        ({"tasks": served()["tasks"][:2]}, {"tasks.load": (TASKS[0], None)}),
        (
            task("score", depends_on=[]),
            {"tasks.score.depends_on": ([{"task_key": "load"}, {"task_key": "clean"}], [])},
        ),
        (
            task("score", depends_on=[{"task_key": "load"}]),
            {
                "tasks.score.depends_on": (
                    [{"task_key": "load"}, {"task_key": "clean"}],
                    [{"task_key": "load"}],
                )
            },
        ),
        (
            task("load", notebook_task={"notebook_path": "/Users/x"}),
            {"tasks.load.notebook_task.notebook_path": ("/Shared/hooks/load", "/Users/x")},
        ),
    ],
)
def test_what_differs_is_told_and_put_right_where_that_is_wished(
    changed: dict[str, Any], places: dict[str, Any]
) -> None:
    found = branch(served(**changed))

    assert jobs.unlike_applied(found) == {"nightly": places}
    assert put_right(found, "restore")
    assert not put_right(found, "report")


@pytest.mark.parametrize(
    "found",
    [
        branch(served(timeout_seconds=60), bundle=True),
        branch(
            served(
                timeout_seconds=60, tags={**MADE["tags"], "signalman_repository": "contoso/ml/beer"}
            )
        ),
        replace(branch(served()), there={"nightly": None}),
        replace(branch(served(timeout_seconds=60)), wanted={}),
    ],
)
def test_a_job_of_others_or_that_is_gone_or_goes_is_not_compared(found: BranchJobs) -> None:
    assert jobs.unlike_applied(found) == {}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
SETTINGS = st.dictionaries(st.text(max_size=5), JSON, max_size=5)


def compared(applied: Mapping[str, Any], there: Mapping[str, Any]) -> dict[str, Any]:
    tags = {jobs.REPOSITORY: HERE, jobs.KEY: "nightly"}
    found = branch({**there, "tags": tags})
    return jobs.unlike_applied(replace(found, owned={"nightly": OwnedJob(1, applied)})).get(
        "nightly", {}
    )


@given(SETTINGS, SETTINGS)
def test_settings_are_never_unlike_themselves_nor_by_what_they_do_not_name(
    own: Any, more: Any
) -> None:
    assert compared(own, own) == {}
    assert compared(own, {**more, **own}) == {}
    assert compared({}, more) == {}
