"""Every state that a report, a status line or a reply can have, by the name of its file in
`said/`.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from bot.actions import State
from bot.config.repository import BranchRule, Job, Metric, Mlops, Project
from bot.facts.branch import JobTouched, ObjectFault, Preview, RolledBack
from bot.facts.discussion import Order
from bot.facts.model import (
    Doubt,
    Misfit,
    ModelFacts,
    NotPromoted,
    Promotion,
    RequestFacts,
    ServingVersion,
    SmokeFailed,
    TransitionRequest,
)
from bot.facts.pull_request import (
    Earlier,
    NotReached,
    Picture,
    PullRequestHead,
    QueuePosition,
    Situation,
    Step,
)
from bot.facts.quality_gate import Baseline, Reference
from bot.facts.runs import ProjectRun, RunFault
from bot.rules.pull_request import branch_names, gates
from bot.words import replies, report, status, versions

WORKSPACE = "https://adb-123.4.azuredatabricks.net"
ZURICH = ZoneInfo("Europe/Zurich")
NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
CONFIG = Mlops()

TRAIN = Project(
    path="projects/ExampleTrainingProject",
    model="{branch}_model",
    metrics=(
        Metric(name="rmse", tolerance="2%"),
        Metric(name="mae"),
        Metric(name="r2", goal="higher", limit=0.35),
    ),
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

LOG = (
    "".join(f"epoch {n} of 400, rmse 0.{999 - n}\n" for n in range(400))
    + """\
Traceback (most recent call last):
  File "/tmp/project-ab12cd34/train.py", line 78, in <module>
    train_x = train[cols]
              ~~~~~^^^^^^
  File "/databricks/python/lib/python3.11/site-packages/pandas/core/frame.py", line 3813, in __getitem__
    indexer = self.columns._get_indexer_strict(key, "columns")[1]
KeyError: "['alcohol'] not in index"
launcher: KeyError: "['alcohol'] not in index" (exit code 1)
"""  # noqa: E501 a table, or a text as it is sent
)

PAGES = "https://signalman.contoso.example"
MAIN = Reference("main", {"rmse": 0.721, "mae": 0.53, "r2": 0.374, "rows": 442.0})
PRODUCTION = Reference("production v12", {"rmse": 0.73, "mae": 0.541, "r2": 0.366})
BASELINE = Baseline(MAIN, PRODUCTION)

GOOD = {"rmse": 0.712, "mae": 0.524, "r2": 0.381}
WORSE = {"rmse": 0.802, "mae": 0.61, "r2": 0.36}


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


def trained(metrics: Mapping[str, float], baseline: Baseline = BASELINE, **known: Any) -> Step:
    """The training, ended well with these metrics, as the gate sees it."""
    run = run_of(
        TRAIN,
        178,
        metrics=metrics,
        model_name="feature_wine_v2_model",
        model_version="17",
        model_page=f"{WORKSPACE}/ml/models/feature_wine_v2_model/versions/17",
        **known,
    )
    judgements, refusal = gates.judge(TRAIN, run, baseline)
    return Step(
        TRAIN,
        "refused" if refusal else "passed",
        run,
        refusal,
        judgements=judgements,
        baseline=baseline,
    )


def scored(baseline: Baseline | None = None) -> Step:
    """The scoring, ended well."""
    known = baseline or Baseline(MAIN)
    run = run_of(SCORE, 65, metrics={"rows": 442.0}, token="t2")
    return Step(SCORE, "passed", run, judgements=gates.judge(SCORE, run, known)[0], baseline=known)


TRAINED = trained(GOOD)
SCORED = scored()
SCORE_WAITS = Step(SCORE, "waits")
SCORE_SKIPPED = Step(SCORE, "skipped", fault=NotReached("ExampleTrainingProject"))


def situation(*steps: Step, after: float = 221, **known: Any) -> Situation:
    """The pull request with these steps, so many seconds after their first start."""
    return Situation(
        HEAD,
        steps,
        NOW + timedelta(seconds=after),
        **{"repository": "contoso/ml/wine", "pages": PAGES, **known},
    )


def failed(reason: str, seconds: float = 79, **known: Any) -> list[Step]:
    """Training failed, scoring was skipped."""
    return [
        Step(
            TRAIN,
            "failed",
            run_of(TRAIN, seconds, **{"outcome": "failed", **known}),
            RunFault("reported", reason),
        ),
        SCORE_SKIPPED,
    ]


def bad_branch(name: str, rule: BranchRule | None = None, taken: tuple[str, ...] = ()) -> str:
    """The report on a branch of that name."""
    rule = rule or BranchRule()
    bad = branch_names.judge(name, rule)
    assert bad is not None
    now = replace(situation(), head=replace(HEAD, source=name))
    return report.bad_branch(now, bad, branch_names.suggest(name, rule, taken), CONFIG)


def order(verb: Any, **known: Any) -> Order:
    """A command by somebody."""
    return Order(verb, HEAD.commit, "A. Kim", NOW, **known)


CRASHED = failed("KeyError: \"['alcohol'] not in index\" (exit code 1)", log=LOG)
CRASHED_TWICE = [
    *failed("exit code 3", log="no space left\n")[:1],
    Step(
        SCORE,
        "failed",
        run_of(SCORE, 3, outcome="failed", log=LOG, token="t2"),
        RunFault("reported", "KeyError: 'x' (exit code 1)"),
    ),
]
SCORING_CRASHED = [
    TRAINED,
    Step(
        SCORE,
        "failed",
        run_of(SCORE, 31, outcome="failed", log="ValueError: no such column\n", token="t2"),
        RunFault("reported", "ValueError: no such column (exit code 1)"),
    ),
]
TIMED_OUT = failed(
    "ran past its limit of 30m", 1800, outcome="timed out", log="epoch 811 of 1000\n"
)
STOPPED = failed("the run was cancelled", 44, outcome="cancelled")
NO_MODEL = failed(
    "ended without registering the model feature_wine_v2_model", 44, outcome="succeeded"
)
REFUSED = [trained(WORSE), SCORE_SKIPPED]
UNMEASURED = [trained({"mae": 0.524, "r2": float("nan")}), SCORE_SKIPPED]
ACCEPTED = [
    replace(
        trained(WORSE),
        state="accepted",
        accepted=order("override", argument="gate", reason="known label shift"),
    ),
    SCORED,
]
ACCEPTED_FAILURE = [
    TRAINED,
    replace(
        SCORING_CRASHED[1],
        state="accepted",
        accepted=order("override", argument="ExampleScoringProject", reason="#7"),
    ),
]
LOST = [
    Step(
        TRAIN,
        "no cluster",
        run_of(TRAIN, 660, outcome="no cluster"),
        RunFault("reported", "the region has no such machines"),
        losses=3,
    ),
    SCORE_SKIPPED,
]
AGAIN = [
    Step(
        TRAIN,
        "again",
        run_of(TRAIN, 60, outcome="no cluster"),
        RunFault("reported", "the region has no such machines"),
        losses=1,
    ),
    SCORE_WAITS,
]
RUNS = [Step(TRAIN, "runs", run_of(TRAIN)), SCORE_WAITS]
STARTS = [
    Step(TRAIN, "runs", run_of(TRAIN, started=None, mlflow_page="", run_page="")),
    SCORE_WAITS,
]
SCORES = [
    TRAINED,
    Step(
        SCORE,
        "runs",
        run_of(SCORE, started=NOW + timedelta(seconds=179), mlflow_page="", token="t2"),
    ),
]
SLOTLESS = [TRAINED, SCORE_WAITS]
CANCELLED = [
    replace(RUNS[0], run=run_of(TRAIN, 44, outcome="cancelled", withdrawn=True)),
    SCORE_WAITS,
]
OTHER_DATA = replace(PRODUCTION, comparable=False)
PLAIN = Step(
    Project(path="projects/Plain"), "passed", run_of(TRAIN, 4.2, mlflow_page="", run_page="")
)

PICTURES = (
    Picture(
        "ExampleTrainingProject: rmse",
        "https://dev.azure.com/contoso/_apis/git/attachments/pr42-h.png",
    ),
    Picture(
        "ExampleTrainingProject: rmse_by_quantile",
        "https://dev.azure.com/contoso/_apis/git/attachments/pr42-a1b2c3d-rmse.png",
    ),
)
PREVIEW = Preview(
    added=("/Shared/mlflow_hooks/drift_report",),
    changed=("/Shared/mlflow_hooks/mlflow_scoring_hook",),
    jobs=(
        JobTouched(
            "nightly-scoring", False, "daily at 02:00 UTC", datetime(2026, 3, 3, 2, 0, tzinfo=UTC)
        ),
        JobTouched("weekly-drift", True, "Mondays at 03:00 UTC", paused=True),
        JobTouched(
            "weekly-training",
            False,
            "at 02:30 Europe/Zurich",
            datetime(2026, 3, 28, 2, 30, tzinfo=ZURICH),
            later=(
                datetime(2026, 3, 30, 2, 30, tzinfo=ZURICH),
                datetime(2026, 3, 31, 2, 30, tzinfo=ZURICH),
            ),
            changes=("schedule.quartz_cron_expression", "tasks.train.timeout_seconds"),
            left=("permissions", "run_as"),
        ),
    ),
)
UNBRINGABLE = Preview(
    refused=(
        ObjectFault("link", "mlflow_hooks/link"),
        *(f"config/jobs/{place}.yml: resources.jobs.a.taks is not a key" for place in range(20)),
    )
)
MUCH = Preview(
    removed=tuple(f"/Shared/mlflow_hooks/n{place}" for place in range(5)), held=5, objects=7
)
NO_PREVIEW = Preview(problem="/Shared/mlflow_hooks/report exists and was not written by Signalman")
EARLIER = (
    Earlier(
        "77aa01b2c3",
        "failed",
        "ExampleTrainingProject refused: rmse 0.802 > 0.7446 (production v12 0.73 + 2%)",
    ),
    Earlier("0c9e1f2d3e", "superseded", ""),
    Earlier("1d0f2e3c4b", "superseded", ""),
    Earlier("2e1a3b4c5d", "passed", "passed · rmse 0.719 (−0.011 vs production v12) · 6m02s"),
    Earlier("3f2b4c5d6e", "error", "ExampleTrainingProject could not be run: no machines"),
)

REPORTS: Mapping[str, Callable[[], str]] = {
    "queued": lambda: report.queued(
        situation(
            Step(TRAIN, "waits"),
            SCORE_WAITS,
            queue_position=QueuePosition(free=0, ahead=1, waiting=3, limit=4),
        )
    ),
    "queued_next": lambda: report.queued(
        situation(
            Step(TRAIN, "waits"),
            SCORE_WAITS,
            queue_position=QueuePosition(free=1, ahead=0, waiting=1, limit=1),
            earlier=EARLIER,
        )
    ),
    "queued_without_place": lambda: report.queued(situation(Step(TRAIN, "waits"), pages="")),
    "starting": lambda: report.running(situation(*STARTS)),
    "running_first": lambda: report.running(situation(*RUNS, after=42, earlier=EARLIER[:2])),
    "running_second": lambda: report.running(situation(*SCORES)),
    "running_without_slot": lambda: report.running(
        situation(*SLOTLESS, queue_position=QueuePosition(0, 0, 1, 4))
    ),
    "running_again": lambda: report.running(situation(*AGAIN, after=70)),
    "passed": lambda: report.ended(
        situation(TRAINED, SCORED, pictures=PICTURES, preview=PREVIEW, earlier=EARLIER)
    ),
    "passed_one_project": lambda: report.ended(situation(TRAINED, pages="")),
    "passed_first_model": lambda: report.ended(
        situation(trained(GOOD, Baseline()), scored(Baseline()))
    ),
    "passed_before_anything_serves": lambda: report.ended(
        situation(trained(GOOD, Baseline(MAIN)), SCORED)
    ),
    "passed_other_data": lambda: report.ended(
        situation(trained(GOOD, Baseline(MAIN, OTHER_DATA)), SCORED)
    ),
    "passed_not_better": lambda: report.ended(
        situation(trained({"rmse": 0.74, "mae": 0.55, "r2": 0.36}))
    ),
    "passed_without_metrics": lambda: report.ended(situation(PLAIN, preview=Preview())),
    "passed_accepted": lambda: report.ended(situation(*ACCEPTED)),
    "passed_accepted_failure": lambda: report.ended(situation(*ACCEPTED_FAILURE)),
    "passed_merge_refused": lambda: report.ended(situation(TRAINED, preview=NO_PREVIEW)),
    "passed_unbringable": lambda: report.ended(situation(TRAINED, preview=UNBRINGABLE)),
    "passed_removing_much": lambda: report.ended(situation(TRAINED, preview=MUCH)),
    "failed_unbringable": lambda: report.ended(situation(*CRASHED, preview=UNBRINGABLE)),
    "no_cluster_unbringable": lambda: report.ended(situation(*LOST, preview=UNBRINGABLE)),
    "passed_on_a_broken_target": lambda: report.ended(
        situation(TRAINED, preview=Preview(already=UNBRINGABLE.refused))
    ),
    "nothing_to_run_unbringable": lambda: report.ended(situation(preview=UNBRINGABLE)),
    "failed": lambda: report.ended(situation(*CRASHED, earlier=EARLIER[:1])),
    "failed_no_model": lambda: report.ended(situation(*NO_MODEL)),
    "failed_timed_out": lambda: report.ended(situation(*TIMED_OUT)),
    "failed_stopped": lambda: report.ended(situation(*STOPPED)),
    "failed_twice": lambda: report.ended(situation(*CRASHED_TWICE)),
    "failed_second": lambda: report.ended(situation(*SCORING_CRASHED)),
    "refused": lambda: report.ended(situation(*REFUSED, pictures=PICTURES[:1], preview=PREVIEW)),
    "refused_unmeasured": lambda: report.ended(situation(*UNMEASURED)),
    "no_cluster": lambda: report.ended(situation(*LOST)),
    "cancelled": lambda: report.ended(situation(*CANCELLED, cancelled=order("cancel"))),
    "bad_branch": lambda: bad_branch("feature/wine.v2"),
    "bad_branch_no_commands": lambda: bad_branch("größe/$(reboot)"),
    "bad_branch_unseen_characters": lambda: bad_branch("wine\u202egnp/x\x07y"),
    "bad_branch_too_long": lambda: bad_branch("w" * 130),
    "bad_branch_no_suggestion": lambda: bad_branch("wine", BranchRule(pattern="release-[0-9]+")),
    "bad_config": lambda: report.bad_config(
        situation(),
        'config/mlops.yml: projects[0].timeout is "soon"; it must be a time such as 90s, 30m or '
        "2h.\n"
        "config/mlops.yml: jobs[0].notebook is missing.",
    ),
    "fork": lambda: report.fork(situation()),
    "held_up": lambda: report.held_up(situation(), "Databricks"),
    "nothing_to_run": lambda: report.nothing_to_run(situation(earlier=EARLIER)),
}

RETRAINED = run_of(
    TRAIN,
    734,
    commit="d4e5f6a7b8c9",
    where="production",
    owner="retraining/x",
    metrics={"rmse": 58.0123},
    model_name="wine_quality",
    model_version="18",
    model_page=f"{WORKSPACE}/ml/models/wine_quality/versions/18",
)
V17 = ServingVersion("wine_model", "17", "r", "alias champion", 1, by_alias=True)
SMOKED = ProjectRun(
    "t", "projects/Scoring", "d4e5f6a70123", 0, "databricks-jobs",
    run_page="https://adb-1.azuredatabricks.net/jobs/runs/7", mlflow_page="https://adb-1.azuredatabricks.net/ml/7",
    started=datetime(2026, 3, 2, 2, 0, tzinfo=UTC), ended=datetime(2026, 3, 2, 2, 1, tzinfo=UTC), outcome="succeeded",  # noqa: E501 a table, or a text as it is sent
)  # fmt: skip
NIGHTLY = Job(name="nightly-scoring", notebook="/Shared/hooks/score", model="wine_*")


REPLIES: Mapping[str, Callable[[], str]] = {
    "reply_before_any_report": report.not_yet,
    "reply_merged": lambda: replies.merged(
        "d4e5f6a70123",
        "d4e5f6a70123",
        {"/Shared/mlflow_hooks": (1, 1, 0), "/Shared/projects": (12, 0, 3)},
        [],
    ),
    "reply_merged_with_others": lambda: replies.merged(
        "d4e5f6a70123", "0123456789ab", {"/Shared/mlflow_hooks": (1, 1, 0)}, []
    ),
    "reply_merged_with_job": lambda: replies.merged(
        "d4e5f6a70123",
        "d4e5f6a70123",
        {"/Shared/mlflow_hooks": (0, 2, 0)},
        [("nightly-scoring", "created")],
    ),
    "reply_merged_with_what_waits": lambda: replies.merged(
        "d4e5f6a70123",
        "d4e5f6a70123",
        {"/Shared/mlflow_hooks": (1, 0, 0)},
        [("nightly-scoring", "changed"), ("weekly", "removed")],
        {
            "/Shared/mlflow_hooks/old": replies.UNCONFIRMED,
            "/Shared/mlflow_hooks/in_use": "job by-hand runs it",
        },
        [
            "config/jobs/a.yml: job a (a) is managed by a Databricks Asset Bundle in the "
            "workspace, so it is left alone."
        ],
        2,
    ),
    "reply_taken_back": lambda: replies.taken_back(
        RolledBack("d4e5f6a70123", "0123456789ab", "Ada Lovelace", None, 42, "7/1"), 2
    ),
    "reply_taking_back": lambda: replies.taking_back(
        RolledBack("d4e5f6a70123", "0123456789ab", "Ada"), 41
    ),
    "reply_promoted_first": lambda: replies.promoted(Promotion(V17, "nightly-scoring")),
    "reply_promoted_next": lambda: replies.promoted(
        Promotion(
            replace(V17, promoted_by="stage Production"),
            "nightly-scoring",
            ("wine_model", "12"),
            smoke=SMOKED,
            measured={"rows": 120.0},
            next_run=datetime(2026, 3, 3, 2, 0, tzinfo=UTC),
            page="https://adb-1.azuredatabricks.net/jobs/11",
        )
    ),
    "reply_promoted_accepted": lambda: replies.promoted(
        Promotion(V17, "nightly-scoring", accepted="Ben: the old test set had leaked")
    ),
    "reply_promoted_retrained": lambda: replies.promoted(
        Promotion(
            replace(V17, name="wine_quality"),
            "nightly-scoring",
            ("wine_quality", "16"),
            retrained=True,
        )
    ),
    "reply_not_promoted_never_validated": lambda: replies.not_promoted(
        NotPromoted(
            V17,
            "nightly-scoring",
            "v12",
            Doubt("not merged", "d4e5f6a", target="main"),
            acceptable=True,
        )
    ),
    "reply_not_promoted_smoke": lambda: replies.not_promoted(
        NotPromoted(
            V17,
            "nightly-scoring",
            "",
            SmokeFailed(RunFault("reported", "KeyError: 'alcohol'")),
            run=replace(SMOKED, outcome="failed", log=LOG),
        )
    ),
    "reply_accepted_versions": lambda: replies.accepted_versions(
        [("wine_model", "17", ["nightly-scoring"]), ("tide_model", "2", ["nightly", "weekly"])]
    ),
    "reply_nothing_promoted": replies.nothing_promoted,
    "version_live": lambda: (
        versions.live(
            Promotion(
                V17,
                "nightly-scoring",
                ("wine_model", "12"),
                "d4e5f6a70123",
                42,
                smoke=SMOKED,
                measured={"rows": 120.0},
                accepted="Ben: leaked",
            )
        )
        + "\n"
    ),
    "version_refused": lambda: (
        versions.refused(
            NotPromoted(
                V17,
                "nightly-scoring",
                "v12",
                Misfit("no signature"),
            )
        )
        + "\n"
    ),
    "version_asked_for": lambda: (
        versions.asked(
            RequestFacts(
                ModelFacts("contoso/ml/wine", "nightly-scoring", None, ()),
                (TransitionRequest("Production", "ada@contoso.example", 1),),
                ("wine_model", "12"),
                {"rmse": 0.71},
                {"rmse": 0.73, "rows": 120.0},
                (Metric(name="rmse"), Metric(name="rows", goal="higher")),
            ),
            versions.Finding(
                misfit=Misfit("column is not given", "sugar"),
                serving="v12",
                refused=True,
                tried=True,
            ),
        )
        + "\n"
    ),
    "reply_rolled_back": lambda: replies.rolled_back(
        "nightly-scoring", ("wine", "12"), ("wine", "17"), datetime(2026, 3, 3, 2, 0, tzinfo=UTC)
    ),
    "reply_rolled_back_to_another_model": lambda: replies.rolled_back(
        "nightly-scoring", ("wine", "12"), ("tide", "3"), None
    ),
    "reply_not_rolled_back": lambda: replies.not_rolled_back("nightly-scoring", "no job"),
    "reply_rollback_of_which_job": lambda: replies.which_job("", ["nightly-scoring", "hourly"]),
    "reply_rollback_of_an_unknown_job": lambda: replies.which_job("daily", ["nightly-scoring"]),
    "reply_rollback_without_jobs": lambda: replies.which_job("", []),
    "reply_retrained": lambda: replies.retrained(
        "wine", RETRAINED, {"data": "full"}, {"rmse": 58.0123}, [NIGHTLY]
    ),
    "reply_retrained_for_nobody": lambda: replies.retrained(
        "wine", replace(RETRAINED, run_page=""), {}, {}, []
    ),
    "reply_not_retrained": lambda: replies.not_retrained(
        "ExampleTrainingProject",
        "KeyError: 'alcohol'",
        replace(RETRAINED, outcome="failed", log=LOG),
    ),
    "reply_not_retrained_at_all": lambda: replies.not_retrained(
        "Wine",
        "config/mlops.yml on main has no retrain for it; it has one for: ExampleTrainingProject",
    ),
    "reply_passes_now": lambda: replies.verdict_changed(
        HEAD, "succeeded", status.ended(situation(TRAINED, SCORED)), EARLIER[0]
    ),
    "reply_fails_now": lambda: replies.verdict_changed(
        HEAD, "failed", status.ended(situation(*REFUSED)), EARLIER[3]
    ),
    "reply_error_now": lambda: replies.verdict_changed(
        HEAD, "error", status.ended(situation(*LOST)), EARLIER[3]
    ),
    "reply_fails_after_an_error": lambda: replies.verdict_changed(
        HEAD, "failed", status.ended(situation(*CRASHED)), EARLIER[4]
    ),
}

STATUS_LINES: Mapping[str, Callable[[], str]] = {
    "queued": lambda: status.queued(
        situation(Step(TRAIN, "waits"), queue_position=QueuePosition(0, 1, 3, 4))
    ),
    "queued without a place": lambda: status.queued(situation(Step(TRAIN, "waits"))),
    "running": lambda: status.running(situation(TRAINED, SCORE_WAITS)),
    "passed": lambda: status.ended(situation(TRAINED)),
    "passed, two projects": lambda: status.ended(situation(TRAINED, SCORED)),
    "passed, nothing serves": lambda: status.ended(situation(trained(GOOD, Baseline(MAIN)))),
    "passed, nothing there": lambda: status.ended(
        situation(trained(GOOD, Baseline()), scored(Baseline()))
    ),
    "passed, without metrics": lambda: status.ended(situation(PLAIN)),
    "passed, accepted": lambda: status.ended(situation(*ACCEPTED)),
    "failed": lambda: status.ended(situation(*CRASHED)),
    "failed, timed out": lambda: status.ended(situation(*TIMED_OUT)),
    "refused": lambda: status.ended(situation(*REFUSED)),
    "refused, metric missing": lambda: status.ended(situation(*UNMEASURED)),
    "no cluster": lambda: status.ended(situation(*LOST)),
    "cancelled": lambda: status.ended(situation(*CANCELLED, cancelled=order("cancel"))),
    "bad branch name": status.bad_branch,
    "bad configuration": status.bad_config,
    "held up": status.held_up,
    "fork": status.fork,
    "no project touched": lambda: status.nothing_to_run(HEAD),
    "no project touched, one file": lambda: status.nothing_to_run(
        replace(HEAD, changed=("README.md",))
    ),
    "no project touched, no file": lambda: status.nothing_to_run(replace(HEAD, changed=())),
}

STATUS_STEPS: Mapping[str, Callable[[], list[tuple[str, State, str]]]] = {
    "queued": lambda: status.steps(
        situation(Step(TRAIN, "waits"), SCORE_WAITS, queue_position=QueuePosition(0, 1, 3, 4))
    ),
    "running": lambda: status.steps(situation(*SCORES)),
    "again": lambda: status.steps(situation(*AGAIN)),
    "passed": lambda: status.steps(situation(TRAINED, SCORED)),
    "without metrics": lambda: status.steps(situation(PLAIN)),
    "accepted": lambda: status.steps(situation(*ACCEPTED)),
    "accepted failure": lambda: status.steps(situation(*ACCEPTED_FAILURE)),
    "failed": lambda: status.steps(situation(*CRASHED)),
    "refused": lambda: status.steps(situation(*REFUSED)),
    "no cluster": lambda: status.steps(situation(*LOST)),
    "cancelled": lambda: status.steps(situation(*CANCELLED, cancelled=order("cancel"))),
    "bad branch name": lambda: status.steps(
        situation(), branch_names.judge("feature/wine.v2", BranchRule())
    ),
}
