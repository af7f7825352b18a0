"""The pull request that the tests of `checks` judge: two projects in a row and one that stands
alone.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.actions import PullRequestAction, SetStatus, StartRun
from bot.config.repository import Metric, Mlops, Project
from bot.facts.discussion import Order
from bot.facts.model import ServingVersion
from bot.facts.pull_request import PullRequestFacts, PullRequestHead
from bot.facts.runs import Outcome, ProjectRun
from bot.rules.pull_request import steps

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)

TRAIN = Project(
    path="projects/train",
    parameters={"model_name": "{branch}_model", "data": "toy", "rounds": 3},
    model="{branch}_model",
    metrics=(Metric(name="rmse"), Metric(name="r2", goal="higher")),
    timeout=1800.0,
)
SCORE = Project(
    path="projects/score",
    after=("projects/train",),
    parameters={"model_name": "{model_name}", "model_version": "{model_version}"},
    metrics=(Metric(name="rows", goal="higher"),),
)
ALONE = Project(path="projects/alone")
CONFIG = Mlops(projects=(TRAIN, SCORE, ALONE))

HEAD = PullRequestHead(
    number=42,
    title="Try fewer rounds",
    url="https://dev.azure.com/contoso/ml/_git/wine/pullrequest/42",
    open=True,
    fork=False,
    source="feature_wine",
    target="main",
    author="a.kim@contoso.com",
    commit="a1b2c3d4e5f60718293a4b5c6d7e8f9001122334",
    iteration=3,
    changed=("projects/train/train.py", "projects/score/score.py"),
)
PR = PullRequestFacts("contoso/ml/wine", "main", HEAD, CONFIG, pictures=())
SERVING = ServingVersion("wine_model", "7", "0ldrun", "alias champion", 1, by_alias=True)

GOOD: dict[str, dict[str, Any]] = {
    TRAIN.path: {
        "metrics": {"rmse": 0.71, "r2": 0.38},
        "model_name": "feature_wine_model",
        "model_version": "17",
    },
    SCORE.path: {"metrics": {"rows": 1000.0}},
    ALONE.path: {},
}


def run_of(
    project: Project, outcome: Outcome | None = None, *, attempt: int = 1, **known: Any
) -> ProjectRun:
    """A run of the newest iteration: under way, or ended so. One that succeeded did all it
    should.
    """
    facts = ProjectRun(
        token=steps.token(PR.repository, HEAD, project.path, attempt),
        project=project.path,
        commit=HEAD.commit,
        iteration=HEAD.iteration,
        backend="databricks-jobs",
        mlflow_run=f"mlflow-{project.name}",
        cluster_run=f"cluster-{project.name}",
        outcome=outcome,
        closed=outcome is not None,
        started=NOW - timedelta(minutes=5),
        ended=NOW if outcome else None,
        **(GOOD[project.path] if outcome == "succeeded" else {}),
    )
    return replace(facts, **known)


def ordered(verb: str, argument: str = "", reason: str = "", by: str = "Kim") -> Order:
    """An order for the newest commit."""
    return Order(verb, HEAD.commit, by, NOW, argument, reason)  # type: ignore[arg-type]


def changing(*paths: str) -> PullRequestFacts:
    """The pull request, if it changed these files."""
    return replace(PR, head=replace(HEAD, changed=paths))


def kinds(orders: list[PullRequestAction]) -> list[str]:
    """The names of orders, in their order, without the statuses of steps."""
    return [
        type(order).__name__
        for order in orders
        if not (isinstance(order, SetStatus) and order.name != "validate")
    ]


def started(orders: list[PullRequestAction]) -> list[StartRun]:
    """The runs among orders."""
    return [order for order in orders if isinstance(order, StartRun)]


def statuses(orders: list[PullRequestAction]) -> list[tuple[str, str]]:
    """State and description of the statuses `validate` among orders."""
    validate = [
        order for order in orders if isinstance(order, SetStatus) and order.name == "validate"
    ]
    return [(order.state, order.description) for order in validate]
