"""Nothing from outside is live in anything the bot says, and nothing it says is too long to be
posted.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from example_reports import CONFIG, HEAD, NOW, SCORE, WORKSPACE, run_of, situation
from hypothesis import given, settings
from hypothesis import strategies as st
from rendered import Rendered, rendered
from test_escape import HOSTILE

from bot.config.repository import BranchRule, Job, Metric, Project
from bot.facts.branch import Drift, JobTouched, Preview
from bot.facts.discussion import Order
from bot.facts.model import (
    ModelFacts,
    NotPromoted,
    Promotion,
    RequestFacts,
    ServingVersion,
    TransitionRequest,
)
from bot.facts.pull_request import Earlier, NotReached, Picture, QueuePosition, Situation, Step
from bot.facts.quality_gate import Baseline, Reference
from bot.facts.runs import RunFault
from bot.rules.model import signature
from bot.rules.pull_request import branch_names, gates
from bot.words import drift, replies, report, status, versions
from tests.examples import percent

MARK = "ж"
"""In no template: where it is seen outside code, text from outside got there."""

TEXTS = st.lists(st.sampled_from(HOSTILE), max_size=8).map(
    lambda parts: MARK + "".join(parts) + MARK
)
LOGS = st.lists(st.sampled_from(HOSTILE), max_size=40).map(
    lambda parts: MARK + "".join(parts) + MARK
)
NAMES = TEXTS.map(lambda text: re.sub(r"[/\\\0]", "_", text))
HTML_CODE = re.compile(r"<code>[^<]*</code>")
TAGS = re.compile(
    r"<details(?: open)?><summary>(?:Last \d+ of \d+ log lines of |The whole log of |Earlier "
    r"commits \(\d+\)"
    r"|On merge \(dry run\): \d+ changed, \d+ new, \d+ removed(?:; \d+ jobs? "
    r"touched)?)</summary>|</details>"
)


@dataclass(frozen=True)
class Outside:
    """Everything that people, projects and neighbours may have written into what the bot is to
    tell.
    """

    name: str
    reason: str
    log: str
    metric: str
    model: str
    branch: str
    commit: str
    person: str
    why: str
    label: str
    title: str
    path: str
    job: str
    told: str


OUTSIDE = st.builds(
    Outside, name=NAMES, reason=TEXTS, log=LOGS, metric=TEXTS, model=TEXTS, branch=TEXTS, commit=TEXTS, person=TEXTS,  # noqa: E501 a table, or a text as it is sent
    why=TEXTS, label=TEXTS, title=TEXTS, path=TEXTS, job=TEXTS, told=TEXTS,
)  # fmt: skip


def command(outside: Outside, verb: Any = "override") -> Order:
    return Order(
        verb, outside.commit, outside.person, NOW, argument=outside.name, reason=outside.why
    )


def steps(outside: Outside, state: str) -> list[Step]:
    metrics = (Metric(name=outside.metric, limit=1.0), Metric(name="x" + MARK, required=False))
    project = Project(path=f"projects/{outside.name}", metrics=metrics)
    known = {
        "model_name": outside.model,
        "model_version": "17",
        "model_page": f"{WORKSPACE}/m",
        "log": outside.log,
    }
    value = 2.0 if state in ("refused", "accepted") else 0.5
    run = run_of(
        project, None if state == "runs" else 61.0, metrics={outside.metric: value}, **known
    )
    baseline = Baseline(
        Reference(outside.label, {outside.metric: 0.4}),
        Reference(f"{outside.label} v12", {outside.metric: 0.6}, False),
    )
    judgements, refusal = gates.judge(project, run, baseline)
    return [
        Step(
            project,
            state,  # type: ignore[arg-type]
            run,
            refusal if state == "refused" else RunFault("reported", outside.reason),
            judgements=judgements if state in ("passed", "refused", "accepted") else (),
            accepted=command(outside) if state == "accepted" else None,
            baseline=baseline,
        ),
        Step(project, "skipped", None, NotReached(outside.reason)),
    ]


def surrounded(outside: Outside, state: str, *, first: bool = False, **known: Any) -> Situation:
    """A pull request in whose report everything is that people could have written."""
    return situation(
        *steps(outside, state)[: 1 if first else 2],
        pictures=(Picture(outside.title, f"{WORKSPACE}/picture.png"), Picture(outside.title, outside.path)),  # noqa: E501 a table, or a text as it is sent
        preview=Preview(
            (outside.path,), (outside.path,), (outside.path,),
            (JobTouched(outside.job, True, outside.told, NOW), JobTouched(outside.job, False, "", paused=True),  # noqa: E501 a table, or a text as it is sent
             JobTouched(outside.job, False, was=outside.job, changes=(outside.path,), left=(outside.path,))),  # noqa: E501 a table, or a text as it is sent
            outside.why,
            (outside.why,),
            already=(outside.why,),
        ),
        earlier=(
            Earlier(outside.commit, "failed", outside.told),
            Earlier(outside.commit, "superseded", outside.told),
            Earlier(outside.commit, "passed", outside.told),
        ),
        pages=WORKSPACE,
        repository=outside.name,
        **known,
    )  # fmt: skip


def serving(outside: Outside) -> ServingVersion:
    return ServingVersion(outside.model, "17", "run", outside.reason, 1, by_alias=True)


def promotion(outside: Outside) -> Promotion:
    run = run_of(SCORE, 61.0, commit=outside.commit)
    measured, was = {outside.metric: 120.0}, (outside.name, "12")
    accepted = f"{outside.person}: {outside.why}"
    return Promotion(
        serving(outside), outside.job, was, outside.commit, 42, False, run, measured, accepted, NOW
    )


def not_promoted(outside: Outside) -> NotPromoted:
    run = run_of(SCORE, 61.0, commit=outside.commit, log=outside.log)
    ours = json.dumps({"inputs": [{"name": outside.metric, "type": outside.told}]})
    why = signature.misfit(ours, '{"inputs":[{"name":"a","type":"b"}]}')
    assert why is not None
    return NotPromoted(serving(outside), outside.job, outside.model, why, True, run)


def requested(outside: Outside) -> RequestFacts:
    asked = TransitionRequest(outside.branch, outside.person, 1, outside.told)
    facts = ModelFacts(outside.name, outside.job, None, ())
    metric = Metric(name=outside.metric)
    return RequestFacts(
        facts, (asked,), (outside.model, "12"), {metric.name: 1.0}, {metric.name: 2.0}, (metric,)
    )


def bad_name(outside: Outside) -> str:
    bad = branch_names.judge(outside.branch + "/", BranchRule())
    assert bad is not None
    now = replace(situation(), head=replace(HEAD, target=outside.name))
    return report.bad_branch(now, bad, outside.branch, CONFIG)


def drifted(outside: Outside) -> Drift:
    lines = drift.difference(outside.log, outside.log + outside.reason).lines
    names = (outside.name, outside.path)
    return Drift(
        outside.path,
        "edited",
        "report",
        "x",
        1,
        lines,
        1,
        1,
        names,
        put_back=True,
        aside=outside.title,
    )


def headed(outside: Outside, **known: Any) -> Situation:
    head = replace(HEAD, title=outside.reason, author=outside.name, source=outside.branch, **known)
    return replace(surrounded(outside, "waits"), head=head, steps=())


SAYINGS: dict[str, Callable[[Outside], str]] = {
    "queued": lambda o: report.queued(replace(headed(o), queue_position=QueuePosition(0, 1, 3, 4))),
    "running": lambda o: report.running(surrounded(o, "runs")),
    "passed": lambda o: report.ended(surrounded(o, "passed", first=True)),
    "accepted": lambda o: report.ended(surrounded(o, "accepted", first=True)),
    "refused": lambda o: report.ended(surrounded(o, "refused")),
    "failed": lambda o: report.ended(surrounded(o, "failed")),
    "no cluster": lambda o: report.ended(surrounded(o, "no cluster")),
    "cancelled": lambda o: report.ended(surrounded(o, "runs", cancelled=command(o, "cancel"))),
    "bad branch": bad_name,
    "bad configuration": lambda o: report.bad_config(headed(o, target=o.branch), o.log),
    "fork": lambda o: report.fork(headed(o)),
    "nothing to run": lambda o: report.nothing_to_run(headed(o, changed=(o.log,))),
    "merged": lambda o: replies.merged(
        "d4e5f6a7", "0123456", {o.branch: (1, 2, 3), o.name: (0, 0, 0)}, [(o.model, "created")]
    ),
    "retrained": lambda o: replies.retrained(
        o.name,
        run_of(SCORE, 61.0, commit=o.commit, model_name=o.model, model_version="17"),
        {o.name: o.reason},
        {o.metric: 0.5},
        [Job(name=o.name, notebook="/Shared/a/b", model="*", alias=o.branch, stage=o.reason)],
    ),
    "rolled back": lambda o: replies.rolled_back(o.name, (o.model, "12"), (o.branch, "17"), None),
    "not rolled back": lambda o: replies.not_rolled_back(o.name, "no job"),
    "which job": lambda o: replies.which_job(o.name, [o.model, o.branch]),
    "not retrained": lambda o: replies.not_retrained(
        o.name, o.reason, run_of(SCORE, 61.0, commit=o.commit, log=o.log)
    ),
    "promoted": lambda o: replies.promoted(promotion(o)),
    "not promoted": lambda o: replies.not_promoted(not_promoted(o)),
    "accepted for promotion": lambda o: replies.accepted_versions(
        [(o.model, "17", [o.job, o.name])]
    ),
    "live on a version": lambda o: versions.live(promotion(o)),
    "refused on a version": lambda o: versions.refused(not_promoted(o)),
    "asked for on a version": lambda o: versions.asked(
        requested(o), versions.Finding(accepted=o.person)
    ),
    "drift": lambda o: drift.drift_reply([drifted(o)], o.commit),
    "drift of many": lambda o: drift.drift_reply(
        [drifted(o), *[replace(drifted(o), kind="field", difference=())] * 59], o.commit
    ),
    "verdict changed": lambda o: replies.verdict_changed(
        HEAD, "failed", o.told, Earlier(o.commit, "passed", o.told)
    ),
}
REPLIES = frozenset(
    (
        "drift",
        "drift of many",
        "merged",
        "promoted",
        "not promoted",
        "accepted for promotion",
        "live on a version",
        "refused on a version",
        "asked for on a version",
        "verdict changed",
        "retrained",
        "not retrained",
        "rolled back",
        "not rolled back",
        "which job",
    )
)
"""What has no heading."""

many = settings(max_examples=percent(40))


def live(seen: Rendered) -> str:
    """What a reader of Markdown gives a meaning to: everything but code, and the words in the bot's
    own tags.
    """
    return seen.live + "".join(TAGS.sub("", HTML_CODE.sub("", html)) for html in seen.html)


@many
@given(OUTSIDE)
@pytest.mark.parametrize("saying", SAYINGS)
def test_what_comes_from_outside_is_shown_as_code_only(saying: str, outside: Outside) -> None:
    seen = rendered(SAYINGS[saying](outside))

    assert MARK not in live(seen)
    assert not re.search(r"[@$|`]|[#!]\d|https?:", live(seen))
    assert all(link.startswith(WORKSPACE) for link in seen.links)
    assert seen.headings == (0 if saying in REPLIES else 1)


@many
@given(OUTSIDE)
@pytest.mark.parametrize(
    "saying", ["running", "passed", "accepted", "refused", "failed", "no cluster", "cancelled"]
)
def test_every_table_keeps_its_columns(saying: str, outside: Outside) -> None:
    rows = rendered(SAYINGS[saying](outside)).rows

    # Branch name, the one project or two, the gate; and metrics where the gate judged any.
    steps = 4 * (4 if saying in ("passed", "accepted") else 5)
    metrics = (6,) * 3 if saying in ("passed", "accepted", "refused") else ()
    assert rows == (*metrics, *(4,) * (steps // 4))


FENCED = (
    "failed",
    "refused",
    "bad configuration",
    "not retrained",
    "not promoted",
    "drift",
    "drift of many",
)


@many
@given(OUTSIDE)
@pytest.mark.parametrize("saying", SAYINGS)
def test_every_fence_is_closed_and_every_fold_too(saying: str, outside: Outside) -> None:
    text = SAYINGS[saying](outside)
    seen = rendered(text)
    html = "".join(seen.html)

    assert (
        html.count("<details")
        == html.count("</details>")
        == html.count("<summary>")
        == html.count("</summary>")
    )
    assert saying == "bad branch" or len(seen.fences) == (saying in FENCED)
    for fence, _ in seen.fences:
        assert len(re.findall(rf"^{fence}(?:text)?$", text, re.MULTILINE)) == 2


@many
@given(OUTSIDE)
@pytest.mark.parametrize("saying", SAYINGS)
def test_no_terminal_colour_no_null_and_nothing_that_turns_a_line_around_is_posted(
    saying: str, outside: Outside
) -> None:
    text = SAYINGS[saying](outside)

    assert not set(text) & set("\x1b\0\x08\x9b\u202e\u200f\u200b\ufeff\ud800\r")
    assert text.encode()


@many
@given(
    OUTSIDE,
    st.sampled_from(["failed", "refused", "accepted", "no cluster", "passed", "runs", "waits"]),
    st.booleans(),
)
def test_a_status_line_is_one_line_of_at_most_eighty_characters(
    outside: Outside, state: str, cancelled: bool
) -> None:
    now = surrounded(outside, state, first=state in ("passed", "accepted"))
    now = replace(now, cancelled=command(outside, "cancel")) if cancelled else now
    bad = branch_names.judge(outside.branch + "/", BranchRule())
    lines = [
        status.ended(now),
        status.running(now),
        *(line for _, _, line in (*status.steps(now), *status.steps(now, bad))),
    ]

    for line in lines:
        assert 0 < len(line) <= 80
        assert line.isprintable()


def test_a_status_line_that_is_cut_says_so() -> None:
    many_projects = [
        Step(Project(path=f"projects/number_{number}"), "waits") for number in range(30)
    ]

    line = status.running(situation(*many_projects))

    assert len(line) == 80
    assert line.endswith("…")


# -- what is live today


def test_the_pattern_of_the_branch_rule_is_shown_as_it_is_written() -> None:
    rule = BranchRule(pattern=r"^(feature|fix)_[a-z]*_\d+$|^hot_\w*$")
    bad = branch_names.judge("wine", rule)
    assert bad is not None

    seen = rendered(report.bad_branch(situation(), bad, None, CONFIG))

    assert rule.pattern in seen.code


def test_the_version_a_job_had_before_is_shown_as_code_only() -> None:
    seen = rendered(
        replies.promoted(
            Promotion(
                ServingVersion("m", "17", "r", "alias champion", 1, by_alias=True),
                "j",
                ("m", "@ж #1"),
            )
        )
    )

    assert MARK not in live(seen)


def test_the_name_above_a_log_is_shown_as_code() -> None:
    project = Project(path="projects/#1 $x$ @жж")
    step = Step(
        project,
        "failed",
        run_of(project, 61.0, outcome="failed", log="log"),
        RunFault("reported", "reason"),
    )

    assert "of <code>#1 $x$ @жж</code></summary>" in report.ended(situation(step))


@pytest.mark.parametrize("saying", ["failed", "no cluster", "accepted", "running", "cancelled"])
def test_a_secret_in_a_reason_or_a_log_is_told_nobody(saying: str) -> None:
    token = "dapi0123456789abcdef0123456789abcdef"
    plain = dict.fromkeys(Outside.__dataclass_fields__, "x")
    outside = Outside(
        **{**plain, "reason": f"with {token}", "log": f"a\nwith {token[:20]}\x1b[31m{token[20:]}\n"}
    )

    text = SAYINGS[saying](outside)
    now = surrounded(outside, "no cluster" if saying == "no cluster" else "failed")

    assert token not in text
    assert token[:20] not in text
    assert not any(
        token[:20] in line
        for line in (status.ended(now), *(line for _, _, line in status.steps(now)))
    )


# -- what is too long


LONGEST = 150_000
"""UTF-16 units that Azure DevOps takes in one comment."""

LONG = "🦊|`@x#1!1$x$</details>\x1b[31m\0\u202e" * 40
EPOCH = "epoch 🦊 ```` </details>\n"


def ending(
    state: str,
    projects: int,
    metrics: int,
    name: str = "metric",
    log: str = "",
    reason: str = "exit code 3",
) -> Situation:
    """That many projects that ended so, with that many metrics each, and everything else as long as
    it gets.
    """
    found = []
    for number in range(projects):
        wanted = tuple(Metric(name=f"{name}_{place}", limit=0.0) for place in range(metrics))
        project = Project(path=f"projects/{name}_{number}", metrics=wanted)
        values = {metric.name: place / 7 for place, metric in enumerate(wanted)}
        page = f"{WORKSPACE}/" + "p" * 1900
        run = run_of(
            project,
            61.0,
            metrics=values,
            log=log,
            run_page=page,
            mlflow_page=page,
            outcome="failed",
        )
        baseline = Baseline(Reference(name, values), Reference(name, values, comparable=False))
        judgements, _ = gates.judge(project, run, baseline)
        order = Order("override", "c", name, NOW, reason=reason) if state == "accepted" else None
        found.append(
            Step(
                project, state, run, RunFault("reported", reason), 1, 0, judgements, order, baseline
            )
        )  # type: ignore[arg-type]
    paths = tuple(f"/Shared/{name}/{number}" for number in range(3000))
    return situation(
        *found,
        pictures=(Picture(name, f"{WORKSPACE}/" + "p" * 1900),) * 100,
        preview=Preview(
            paths,
            paths,
            paths,
            tuple(JobTouched(path, True, name, NOW) for path in paths),
            name,
            paths,
        ),
        earlier=tuple(
            Earlier("c", kind, name) for kind in ("failed", "superseded") for _ in range(500)
        ),  # type: ignore[arg-type]
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "state", ["failed", "refused", "accepted", "no cluster", "passed", "runs", "waits"]
)
@pytest.mark.parametrize(
    ("projects", "metrics", "name", "log"),
    [
        (1, 1000, "metric", lambda: "x" * 1_000_000),
        (1, 0, "metric", lambda: "`" * 1_000_000),
        (1, 0, "metric", lambda: "|\n" * 500_000),
        (1, 1000, LONG, lambda: EPOCH * (50_000_000 // 24)),
        (9, 10, "metric", lambda: (EPOCH * 50_000)[:1_000_000]),
        (200, 5, LONG, lambda: (EPOCH * 5_000)[:100_000]),
        (200, 0, "metric", str),
        (2, 1000, "m" * 200, str),
    ],
    ids=["long log", "log of backticks", "log of lines", "50 MB", "nine logs", "200 long projects", "200 projects",  # noqa: E501 a table, or a text as it is sent
         "long metrics"],
)  # fmt: skip
def test_a_report_is_short_enough_to_be_posted_and_whole(
    state: str, projects: int, metrics: int, name: str, log: Callable[[], str]
) -> None:
    now = ending(state, projects, metrics, name, log())

    text = report.running(now) if state in ("runs", "waits") else report.ended(now)

    assert len(text.encode("utf-16-le")) // 2 <= LONGEST
    assert text.splitlines()[0].startswith("### ")
    assert text.endswith(
        "[all runs](https://signalman.contoso.example/pull-requests/contoso/ml/wine/42)\n"
    )
    html = "".join(rendered(text).html)
    assert html.count("<details") == html.count("</details>")


@pytest.mark.parametrize("say", [report.queued, report.fork, report.nothing_to_run])
def test_other_reports_are_short_enough_too(say: Callable[[Situation], str]) -> None:
    now = ending("waits", 200, 5, LONG)
    now = replace(
        now, head=replace(HEAD, source=LONG * 100, title=LONG * 100, changed=(LONG,) * 1000)
    )

    assert len(say(now).encode("utf-16-le")) // 2 <= LONGEST


def test_what_gives_way_is_the_log_before_the_metrics_and_those_before_the_preview() -> None:
    usual = report.ended(ending("failed", 1, 0, log="line\n" * 100))
    crowded = report.ended(ending("failed", 9, 0, log=("line" + "🦊" * 1800 + "\n") * 20))

    assert usual.count("\nline") == 20
    assert usual.count("- changed `") == crowded.count("- changed `") == 30
    assert 9 <= crowded.count("\nline") < 9 * 20
    assert crowded.count("| ❌ failed") == 9


def test_a_metric_that_is_refused_is_shown_before_those_that_are_not() -> None:
    wanted = tuple(Metric(name=f"m{place}", limit=1.0) for place in range(1000))
    project = Project(path="projects/x", metrics=wanted)
    run = run_of(
        project, 1.0, metrics={metric.name: 2.0 * (metric.name == "m999") for metric in wanted}
    )
    judgements, refusal = gates.judge(project, run, Baseline())

    text = report.ended(situation(Step(project, "refused", run, refusal, judgements=judgements)))

    assert "| `m999` ↓ | **2** | ≤ 1 | ❌ |" in text
    assert "and 900 more\n" in text


def test_a_report_on_a_configuration_with_a_thousand_mistakes_is_short_enough_too() -> None:
    problem = "\n".join(
        f"config/mlops.yml: projects[{n}].path is missing." + "x" * 900 for n in range(1000)
    )

    assert len(report.bad_config(situation(), problem)) <= LONGEST
