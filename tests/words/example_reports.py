"""Every state that a report, a status line or a reply can have, by the name of its file in `said/`."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.config import BranchRule, Job, Metric, Mlops, Project
from bot.facts import ProjectRun, PullRequestHead, ServingVersion, Step
from bot.rules import branches
from bot.words import replies, report, status

WORKSPACE = "https://adb-123.4.azuredatabricks.net"
NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
CONFIG = Mlops()

TRAIN = Project(
    path="projects/ExampleTrainingProject",
    model="{branch}_model",
    metrics=(Metric(name="rmse"), Metric(name="mae"), Metric(name="r2", goal="higher")),
)
SCORE = Project(
    path="projects/ExampleScoringProject",
    after=("projects/ExampleTrainingProject",),
    metrics=(Metric(name="rows", goal="higher"),),
)

HEAD = PullRequestHead(
    number=42,
    title="Try fewer rounds",
    url="https://dev.azure.com/contoso/ml/_git/wine/pullrequest/42",
    open=True,
    fork=False,
    source="feature_wine_v2",
    target="main",
    author="a.kim@contoso.com",
    commit="a1b2c3d4e5f60718293a4b5c6d7e8f9001122334",
    iteration=3,
    changed=("README.md", "docs/a.md", "docs/b.md"),
)

LOG = """Traceback (most recent call last):
  File "train.py", line 78, in <module>
    train_x = train[cols]
KeyError: "['alcohol'] not in index"
"""


def run_of(project: Project, seconds: float | None = None, **known: Any) -> ProjectRun:
    """A run with its pages; `seconds` is how long it took, None while it runs."""
    return replace(
        ProjectRun(
            token="t",
            project=project.path,
            commit=HEAD.commit,
            iteration=3,
            backend="databricks-jobs",
            run_page=f"{WORKSPACE}/#job/1/run/2",
            mlflow_page=f"{WORKSPACE}/ml/experiments/7/runs/0a1b2c",
            outcome=None if seconds is None else "succeeded",
            started=NOW,
            ended=None if seconds is None else NOW + timedelta(seconds=seconds),
        ),
        **known,
    )


TRAINED = Step(
    TRAIN,
    "passed",
    run_of(
        TRAIN,
        178,
        metrics={"rmse": 58.0123, "mae": 46.5, "r2": 0.381},
        model_name="feature_wine_v2_model",
        model_version="17",
        model_page=f"{WORKSPACE}/ml/models/feature_wine_v2_model/versions/17",
    ),
)
SCORED = Step(SCORE, "passed", run_of(SCORE, 65, metrics={"rows": 442.0}))
SCORE_WAITS = Step(SCORE, "waits")
SCORE_SKIPPED = Step(SCORE, "skipped", reason="ExampleTrainingProject did not succeed")


def failed(reason: str, seconds: float = 79, **known: Any) -> list[Step]:
    """Training failed, scoring was skipped."""
    return [Step(TRAIN, "failed", run_of(TRAIN, seconds, **{"outcome": "failed", **known}), reason), SCORE_SKIPPED]


def bad_branch(name: str, rule: BranchRule | None = None, taken: tuple[str, ...] = ()) -> str:
    """The report on a branch of that name."""
    rule = rule or BranchRule()
    bad = branches.judge(name, rule)
    assert bad is not None
    return report.bad_branch(replace(HEAD, source=name), bad, branches.suggest(name, rule, taken), CONFIG)


CRASHED = failed("KeyError: \"['alcohol'] not in index\"", log=LOG)
NO_METRIC = failed("ended without logging the metric rmse", metrics={"mae": 46.5})
TIMED_OUT = failed("ran past its limit of 30m", 1800, outcome="timed out", log="epoch 811 of 1000\n")
LOST = [
    Step(TRAIN, "no cluster", run_of(TRAIN, 660, outcome="no cluster"), "the region has no such machines", losses=3),
    SCORE_SKIPPED,
]
RUNS = [Step(TRAIN, "runs", run_of(TRAIN)), SCORE_WAITS]

REPORTS: Mapping[str, Callable[[], str]] = {
    "running_first": lambda: report.running(HEAD, RUNS),
    "running_second": lambda: report.running(HEAD, [TRAINED, Step(SCORE, "runs", run_of(SCORE, mlflow_page=""))]),
    "passed": lambda: report.ended(HEAD, [TRAINED, SCORED]),
    "passed_without_metrics": lambda: report.ended(
        HEAD, [Step(Project(path="projects/Plain"), "passed", run_of(TRAIN, 4.2, mlflow_page="", run_page=""))]
    ),
    "failed": lambda: report.ended(HEAD, CRASHED),
    "failed_metric_missing": lambda: report.ended(HEAD, NO_METRIC),
    "failed_timed_out": lambda: report.ended(HEAD, TIMED_OUT),
    "failed_twice": lambda: report.ended(
        HEAD,
        [
            *failed("exit code 3", log="no space left\n")[:1],
            Step(SCORE, "failed", run_of(SCORE, 3, outcome="failed", log=LOG), "exit code 1"),
        ],
    ),
    "failed_second": lambda: report.ended(
        HEAD,
        [
            TRAINED,
            Step(
                SCORE, "failed", run_of(SCORE, 31, outcome="failed", log="ValueError: no such column\n"), "exit code 1"
            ),
        ],
    ),
    "no_cluster": lambda: report.ended(HEAD, LOST),
    "bad_branch": lambda: bad_branch("feature/wine.v2"),
    "bad_branch_no_commands": lambda: bad_branch("größe/$(reboot)"),
    "bad_branch_unseen_characters": lambda: bad_branch("wine\u202egnp/x\x07y"),
    "bad_branch_too_long": lambda: bad_branch("w" * 130),
    "bad_branch_no_suggestion": lambda: bad_branch("wine", BranchRule(pattern="release-[0-9]+")),
    "bad_config": lambda: report.bad_config(
        HEAD,
        'config/mlops.yml: projects[0].timeout is "soon"; it must be a time such as 90s, 30m or 2h.\n'
        "config/mlops.yml: jobs[0].notebook is missing.",
    ),
    "fork": lambda: report.fork(HEAD),
    "held_up": lambda: report.held_up(HEAD, "Databricks"),
    "nothing_to_run": lambda: report.nothing_to_run(HEAD),
}

RETRAINED = run_of(
    TRAIN,
    734,
    commit="d4e5f6a7b8c9",
    command="retraining/x",
    metrics={"rmse": 58.0123},
    model_name="wine_quality",
    model_version="18",
    model_page=f"{WORKSPACE}/ml/models/wine_quality/versions/18",
)
NIGHTLY = Job(name="nightly-scoring", notebook="/Shared/hooks/score", model="wine_*")


REPLIES: Mapping[str, Callable[[], str]] = {
    "reply_merged": lambda: replies.merged(
        "d4e5f6a70123", "d4e5f6a70123", {"/Shared/mlflow_hooks": (1, 1, 0), "/Shared/projects": (12, 0, 3)}, []
    ),
    "reply_merged_with_others": lambda: replies.merged(
        "d4e5f6a70123", "0123456789ab", {"/Shared/mlflow_hooks": (1, 1, 0)}, []
    ),
    "reply_merged_with_job": lambda: replies.merged(
        "d4e5f6a70123", "d4e5f6a70123", {"/Shared/mlflow_hooks": (0, 2, 0)}, ["nightly-scoring"]
    ),
    "reply_promoted_first": lambda: replies.promoted(
        ServingVersion("wine_model", "17", "r", "alias champion", 1, by_alias=True), "nightly-scoring", ("", "")
    ),
    "reply_promoted_next": lambda: replies.promoted(
        ServingVersion("wine_model", "17", "r", "stage Production", 1, by_alias=False),
        "nightly-scoring",
        ("wine_model", "12"),
    ),
    "reply_promoted_retrained": lambda: replies.promoted(
        ServingVersion("wine_quality", "18", "r", "alias champion", 1, by_alias=True),
        "nightly-scoring",
        ("wine_quality", "17"),
        retrained=True,
    ),
    "reply_rolled_back": lambda: replies.rolled_back(
        "nightly-scoring", ("wine", "12"), ("wine", "17"), datetime(2026, 3, 3, 2, 0, tzinfo=UTC)
    ),
    "reply_rolled_back_to_another_model": lambda: replies.rolled_back(
        "nightly-scoring", ("wine", "12"), ("tide", "3"), None
    ),
    "reply_not_rolled_back": lambda: replies.not_rolled_back("nightly-scoring", "it is not in the workspace."),
    "reply_rollback_of_which_job": lambda: replies.which_job("", ["nightly-scoring", "hourly"]),
    "reply_rollback_of_an_unknown_job": lambda: replies.which_job("daily", ["nightly-scoring"]),
    "reply_rollback_without_jobs": lambda: replies.which_job("", []),
    "reply_retrained": lambda: replies.retrained("wine", RETRAINED, {"data": "full"}, {"rmse": 58.0123}, [NIGHTLY]),
    "reply_retrained_for_nobody": lambda: replies.retrained("wine", replace(RETRAINED, run_page=""), {}, {}, []),
    "reply_not_retrained": lambda: replies.not_retrained(
        "ExampleTrainingProject", "KeyError: 'alcohol'", replace(RETRAINED, outcome="failed", log=LOG)
    ),
    "reply_not_retrained_at_all": lambda: replies.not_retrained(
        "Wine", "config/mlops.yml on main has no retrain for it; it has one for: ExampleTrainingProject"
    ),
}

STATUS_LINES: Mapping[str, Callable[[], str]] = {
    "running": lambda: status.running([TRAINED, SCORE_WAITS]),
    "passed": lambda: status.ended([TRAINED, SCORED]),
    "failed": lambda: status.ended(CRASHED),
    "failed, metric missing": lambda: status.ended(NO_METRIC),
    "failed, timed out": lambda: status.ended(TIMED_OUT),
    "no cluster": lambda: status.ended(LOST),
    "bad branch name": status.bad_branch,
    "bad configuration": status.bad_config,
    "fork": status.fork,
    "no project touched": lambda: status.nothing_to_run(HEAD),
    "no project touched, one file": lambda: status.nothing_to_run(replace(HEAD, changed=("README.md",))),
    "no project touched, no file": lambda: status.nothing_to_run(replace(HEAD, changed=())),
}
