"""Every answer to a command, by the name of its file in `said/`."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from example_reports import HEAD, LOG, MUCH, NOW, SCORE, TRAIN, UNBRINGABLE, run_of

from bot.config.repository import Metric
from bot.facts.branch import Edited, JobTouched, Live, LiveStatus, Preview, RolledBack, Synced
from bot.facts.discussion import Mistake, Order, Team
from bot.facts.pull_request import NotReached, QueuePosition, Situation, Step
from bot.facts.quality_gate import Judgement
from bot.facts.runs import RunFault
from bot.rules.pull_request import commands
from bot.words import answers

OVERRIDE = '/mlops override gate reason="the old test set had leaked"'
AT = datetime(2026, 3, 2, 9, 41, tzinfo=UTC)
TEAMS = {"contributor": (), "model owner": ("ML leads",), "release manager": ()}

SITUATION = Situation(
    HEAD,
    (
        Step(TRAIN, "passed", run_of(TRAIN, 178.0)),
        Step(SCORE, "runs", run_of(SCORE)),
    ),
    NOW + timedelta(seconds=42),
    pages="https://bot.example.com/pr/42",
)
QUEUED = replace(
    SITUATION,
    steps=(Step(TRAIN, "waits"), Step(SCORE, "waits")),
    queue_position=QueuePosition(0, 2, 5, 4),
)
REFUSED = replace(
    SITUATION,
    steps=(
        Step(
            TRAIN,
            "refused",
            run_of(TRAIN, 178.0),
            RunFault("reported", "rmse 0.802 > 0.744"),
            attempt=2,
            judgements=(
                Judgement(
                    Metric(name="rmse"), 0.802, bound=0.744, source="serving", verdict="worse"
                ),
                Judgement(Metric(name="mae"), None, verdict="missing"),
            ),
        ),
        Step(SCORE, "skipped", fault=NotReached("ExampleTrainingProject")),
    ),
)
OVERRIDDEN = Order("override", HEAD.commit, "A. Kim", AT, "gate", "the old test set had leaked")
PREVIEW = Preview(
    added=("/Shared/mlflow_hooks/drift_report",),
    changed=("/Shared/mlflow_hooks/mlflow_scoring_hook",),
    removed=("/Shared/mlflow_hooks/old",),
    jobs=(
        JobTouched(
            "nightly-scoring",
            created=False,
            schedule="daily at 02:00",
            next_run=AT + timedelta(hours=17),
        ),
        JobTouched("weekly-drift", created=True, paused=True),
        JobTouched(
            "weekly", created=False, was="monthly", changes=("schedule.quartz_cron_expression",)
        ),
        JobTouched("old-report", created=False, schedule="at 02:00 UTC", removed=True),
        JobTouched("by-hand", created=False, schedule="at 02:00 UTC", released=True),
    ),
)
LIVE = (
    Live("nightly-scoring", "wine_quality", "17", HEAD.commit, AT),
    Live("weekly-drift", problem="no version of wine_drift was promoted"),
)
EDITED = Edited(tuple(f"/Shared/hooks/number_{number}" for number in range(6)), ("nightly",), AT)
STANDING = LiveStatus(
    "contoso/ml/wine",
    "0123456789ab",
    Synced(HEAD.commit, 41, AT),
    objects=14,
    kept={"/Shared/hooks/old": "job by-hand runs it"},
    rolled_back=RolledBack("0123456789ab", HEAD.commit, "Ada Lovelace", AT, 42, "7/1"),
    jobs=LIVE,
)


def accepted(line: str) -> str:
    asked = commands.read(line)
    assert isinstance(asked, commands.Asked)
    return answers.accepted(asked.line, asked.verb.name, HEAD.commit, asked.argument, asked.reason)


def mistaken(line: str) -> str:
    found = commands.read(line)
    assert isinstance(found, Mistake)
    return answers.mistake(found)


ANSWERS: Mapping[str, Callable[[], str]] = {
    "answer_accepted_run": lambda: accepted("/mlops run"),
    "answer_accepted_run_all": lambda: accepted("/mlops run all"),
    "answer_accepted_run_one": lambda: accepted("/mlops run ExampleTrainingProject"),
    "answer_accepted_retry": lambda: accepted("/mlops retry"),
    "answer_accepted_cancel": lambda: accepted("/mlops cancel"),
    "answer_accepted_override": lambda: accepted(OVERRIDE),
    "answer_accepted_ok_to_test": lambda: accepted("/mlops ok-to-test"),
    "answer_accepted_confirm": lambda: accepted("/mlops confirm sync"),
    "answer_looks_anew": lambda: answers.looks_anew("/mlops run", HEAD.commit),
    "answer_accepted_retrain": lambda: accepted("/mlops retrain"),
    "answer_nothing_to_run": lambda: answers.nothing_to_run("/mlops run"),
    "answer_refused": lambda: answers.refused(
        OVERRIDE, commands.refusal(verb("override"), "bo", "ada", LEADS)
    ),
    "answer_refused_own": lambda: answers.refused(
        OVERRIDE, commands.refusal(verb("override"), "kim", "kim", LEADS)
    ),
    "answer_refused_nobody": lambda: answers.refused(
        "/mlops rollback model", commands.refusal(verb("rollback"), "kim", "ada", ())
    ),
    "answer_mistake": lambda: mistaken("/mlops rerty"),
    "answer_mistake_unlike_any": lambda: mistaken("/mlops deploy @everybody #1"),
    "answer_mistake_argument": lambda: mistaken("/mlops status production"),
    "answer_mistake_too_much": lambda: mistaken("/mlops cancel everything"),
    "answer_mistake_no_reason": lambda: mistaken("/mlops override gate"),
    "answer_mistake_quotes": lambda: mistaken('/mlops override gate reason="half'),
    "answer_mistake_lines": lambda: mistaken("/mlops logs ExampleTrainingProject 5000"),
    "answer_mistake_nothing": lambda: mistaken("/mlops"),
    "answer_help": lambda: answers.help_("/mlops help", commands.rows(TEAMS)),  # type: ignore[arg-type]
    "answer_status": lambda: answers.status("/mlops status", SITUATION),
    "answer_status_queued": lambda: answers.status("/mlops status", QUEUED),
    "answer_status_nothing": lambda: answers.status(
        "/mlops status", replace(SITUATION, steps=(), pages="")
    ),
    "answer_live": lambda: answers.live("/mlops status prod", STANDING),
    "answer_live_edited": lambda: answers.live(
        "/mlops status prod", replace(STANDING, kept={}, edited=EDITED)
    ),
    "answer_live_no_job": lambda: answers.live(
        "/mlops status prod", LiveStatus("contoso/ml/wine", HEAD.commit, None)
    ),
    "answer_logs": lambda: answers.logs(
        "/mlops logs ExampleTrainingProject 2",
        "ExampleTrainingProject",
        LOG,
        2,
        "https://bot.example.com/runs/t",
    ),
    "answer_logs_none": lambda: answers.logs(
        "/mlops logs ExampleTrainingProject", "ExampleTrainingProject", "", 20
    ),
    "answer_diff": lambda: answers.diff("/mlops diff", PREVIEW),
    "answer_diff_nothing": lambda: answers.diff("/mlops diff", Preview()),
    "answer_diff_problem": lambda: answers.diff(
        "/mlops diff", Preview(problem="two notebooks would be one")
    ),
    "answer_diff_refused": lambda: answers.diff("/mlops diff", UNBRINGABLE),
    "answer_diff_refused_in_part": lambda: answers.diff(
        "/mlops diff", replace(PREVIEW, refused=("Job a is in the way.",))
    ),
    "answer_diff_removing_much": lambda: answers.diff("/mlops diff", MUCH),
    "answer_diff_on_a_broken_target": lambda: answers.diff(
        "/mlops diff", Preview(already=("mlflow_hooks/link is a symbolic link.",))
    ),
    "answer_diff_with_a_job_that_was_left_alone": lambda: answers.diff(
        "/mlops diff", replace(PREVIEW, already=("Job a is left alone.", "Job b too."))
    ),
    "answer_diff_unknown": lambda: answers.diff("/mlops diff", None),
    "answer_explain": lambda: answers.explain("/mlops explain", REFUSED, (OVERRIDDEN,)),
    "answer_explain_queued": lambda: answers.explain(
        "/mlops explain", QUEUED, told="waits for Databricks"
    ),
    "answer_explain_nothing": lambda: answers.explain(
        "/mlops explain", replace(SITUATION, steps=())
    ),
    "answer_already_running": lambda: answers.already_running("/mlops run", HEAD.commit),
    "answer_nothing_to_retry": lambda: answers.nothing_to_retry("/mlops retry", HEAD.commit),
    "answer_nothing_to_cancel": lambda: answers.nothing_to_cancel("/mlops cancel"),
    "answer_nothing_to_accept": lambda: answers.nothing_to_accept(
        OVERRIDE, "gate", ["ExampleTrainingProject"]
    ),
    "answer_unknown_project": lambda: answers.unknown_project(
        "/mlops run Exmaple", "Exmaple", [TRAIN.name, SCORE.name]
    ),
    "answer_not_a_fork": lambda: answers.not_a_fork("/mlops ok-to-test"),
    "answer_closed": lambda: answers.closed("/mlops run"),
    "answer_older": lambda: answers.older(OVERRIDE, HEAD.commit),
    "answer_unavailable": lambda: answers.unavailable("/mlops rollback model"),
}

LEADS = (Team("ML leads", frozenset({"kim"})),)


def verb(name: str) -> commands.Verb:
    return next(one for one in commands.VERBS if one.name == name)
