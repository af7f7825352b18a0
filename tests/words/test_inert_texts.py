"""Nothing from outside is live in anything the bot says, and nothing it says is too long to be posted."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from example_reports import CONFIG, HEAD, SCORE, WORKSPACE, run_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rendered import Rendered, rendered
from test_escape import HOSTILE

from bot.config import BranchRule, Job, Metric, Project
from bot.facts import ServingVersion, Step
from bot.rules import branches
from bot.words import replies, report, status

MARK = "ж"
"""In no template: where it is seen outside code, text from outside got there."""

TEXTS = st.lists(st.sampled_from(HOSTILE), max_size=8).map(lambda parts: MARK + "".join(parts) + MARK)
LOGS = st.lists(st.sampled_from(HOSTILE), max_size=40).map(lambda parts: MARK + "".join(parts) + MARK)
NAMES = TEXTS.map(lambda text: re.sub(r"[/\\\0]", "_", text))
HTML_CODE = re.compile(r"<code>[^<]*</code>")
TAGS = re.compile(r"<details(?: open)?><summary>[^<>\n]*: the last lines of its log</summary>|</details>")


@dataclass(frozen=True)
class Outside:
    """Everything that people, projects and neighbours may have written into what the bot is to tell."""

    name: str
    reason: str
    log: str
    metric: str
    model: str
    branch: str
    commit: str


OUTSIDE = st.builds(
    Outside, name=NAMES, reason=TEXTS, log=LOGS, metric=TEXTS, model=TEXTS, branch=TEXTS, commit=TEXTS
)  # fmt: skip


def steps(outside: Outside, state: str) -> list[Step]:
    project = Project(path=f"projects/{outside.name}", metrics=(Metric(name=outside.metric), Metric(name="x" + MARK)))
    known = {"model_name": outside.model, "model_version": "17", "model_page": f"{WORKSPACE}/m", "log": outside.log}
    run = run_of(project, 61.0, metrics={outside.metric: 0.5}, **known)
    return [
        Step(project, state, run, outside.reason),  # type: ignore[arg-type]
        Step(project, "skipped", None, outside.reason),
    ]


def serving(outside: Outside) -> ServingVersion:
    return ServingVersion(outside.model, "17", "run", outside.reason, 1, by_alias=True)


def bad_name(outside: Outside) -> str:
    bad = branches.judge(outside.branch + "/", BranchRule())
    assert bad is not None
    return report.bad_branch(replace(HEAD, target=outside.name), bad, outside.branch, CONFIG)


SAYINGS: dict[str, Callable[[Outside], str]] = {
    "running": lambda o: report.running(HEAD, steps(o, "runs")),
    "passed": lambda o: report.ended(HEAD, steps(o, "passed")[:1]),
    "failed": lambda o: report.ended(HEAD, steps(o, "failed")),
    "no cluster": lambda o: report.ended(HEAD, steps(o, "no cluster")),
    "bad branch": bad_name,
    "bad configuration": lambda o: report.bad_config(replace(HEAD, target=o.branch), o.log),
    "fork": lambda o: report.fork(replace(HEAD, title=o.reason, author=o.name, source=o.branch)),
    "nothing to run": lambda o: report.nothing_to_run(replace(HEAD, changed=(o.log,))),
    "merged": lambda o: replies.merged("d4e5f6a7", "0123456", {o.branch: (1, 2, 3), o.name: (0, 0, 0)}, [o.model]),
    "retrained": lambda o: replies.retrained(
        o.name,
        run_of(SCORE, 61.0, commit=o.commit, model_name=o.model, model_version="17"),
        {o.name: o.reason},
        {o.metric: 0.5},
        [Job(name=o.name, notebook="/Shared/a/b", model="*", alias=o.branch, stage=o.reason)],
    ),
    "rolled back": lambda o: replies.rolled_back(o.name, (o.model, "12"), (o.branch, "17"), None),
    "not rolled back": lambda o: replies.not_rolled_back(o.name, "it is not in the workspace."),
    "which job": lambda o: replies.which_job(o.name, [o.model, o.branch]),
    "not retrained": lambda o: replies.not_retrained(o.name, o.reason, run_of(SCORE, 61.0, commit=o.commit, log=o.log)),
    "promoted": lambda o: replies.promoted(serving(o), o.branch, (o.name, "12")),
}

SHORT = (
    "merged", "promoted", "retrained", "not retrained", "rolled back", "not rolled back", "which job"
)  # fmt: skip
"""The replies, which have no heading."""

many = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def live(seen: Rendered) -> str:
    """What a reader of Markdown gives a meaning to: everything but code, and the words in the bot's own tags."""
    return seen.live + "".join(TAGS.sub("", HTML_CODE.sub("", html)) for html in seen.html)


@many
@given(OUTSIDE)
@pytest.mark.parametrize("saying", SAYINGS)
def test_what_comes_from_outside_is_shown_as_code_only(saying: str, outside: Outside) -> None:
    seen = rendered(SAYINGS[saying](outside))

    assert MARK not in live(seen)
    assert not re.search(r"[@$|`]|[#!]\d|https?:", live(seen))
    assert all(link.startswith(WORKSPACE) for link in seen.links)
    assert seen.headings == (0 if saying in SHORT else 1)


@many
@given(OUTSIDE)
@pytest.mark.parametrize("saying", ["running", "passed", "failed", "no cluster"])
def test_every_table_keeps_its_columns(saying: str, outside: Outside) -> None:
    rows = rendered(SAYINGS[saying](outside)).rows

    assert rows == {"running": (4, 4, 4), "passed": (3, 3, 3, 4, 4), "no cluster": (4, 4, 4)}.get(
        saying, (3, 3, 3, 4, 4, 4)
    )


@many
@given(OUTSIDE)
def test_every_fence_is_closed_and_every_fold_too(outside: Outside) -> None:
    text = SAYINGS["failed"](outside)
    seen = rendered(text)

    assert len(seen.fences) == 1
    assert "".join(seen.html).count("<details") == "".join(seen.html).count("</details>") == 1
    assert text.count(f"\n{seen.fences[0][0]}text\n") == 1
    assert f"\n{seen.fences[0][0]}\n\n</details>" in text


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
@given(OUTSIDE, st.sampled_from(["failed", "no cluster", "passed"]))
def test_a_status_line_is_one_line_of_at_most_eighty_characters(outside: Outside, state: str) -> None:
    lines = [
        status.ended(steps(outside, state)[: 1 if state == "passed" else 2]),
        status.running(steps(outside, state)),
    ]

    for line in lines:
        assert 0 < len(line) <= 80
        assert line.isprintable()


def test_a_status_line_that_is_cut_says_so() -> None:
    many_projects = [Step(Project(path=f"projects/number_{number}"), "waits") for number in range(30)]

    line = status.running(many_projects)

    assert len(line) == 80
    assert line.endswith("…")


# -- what is live today


def test_the_pattern_of_the_branch_rule_is_shown_as_it_is_written() -> None:
    rule = BranchRule(pattern=r"^(feature|fix)_[a-z]*_\d+$|^hot_\w*$")
    bad = branches.judge("wine", rule)
    assert bad is not None

    seen = rendered(report.bad_branch(HEAD, bad, None, CONFIG))

    assert rule.pattern in seen.code


def test_the_version_a_job_had_before_is_shown_as_code_only() -> None:
    seen = rendered(
        replies.promoted(ServingVersion("m", "17", "r", "alias champion", 1, by_alias=True), "j", ("m", "@ж #1"))
    )

    assert MARK not in live(seen)


def test_the_name_above_a_log_is_shown_as_code() -> None:
    outside = Outside("#1 $x$ @жж", "r", "log", "rmse", "m", "b", "c")

    assert f"<summary><code>{outside.name}</code>" in SAYINGS["failed"](outside)


# -- what is too long


def failing(projects: int, metrics: int, name: str = "metric", log: str = "") -> list[Step]:
    """That many failed projects, with that many metrics each."""
    wanted = tuple(Metric(name=f"{name}_{number}") for number in range(metrics))
    values = {metric.name: number / 7 for number, metric in enumerate(wanted)}
    return [
        Step(project, "failed", run_of(project, 61.0, metrics=values, log=log), "exit code 3")
        for project in (Project(path=f"projects/number_{number}", metrics=wanted) for number in range(projects))
    ]


LONGEST = 150_000
"""Characters that Azure DevOps takes in one comment."""


@pytest.mark.parametrize(
    "steps",
    [
        failing(1, 1000, log="x" * 1_000_000),
        failing(1, 0, log="`" * 1_000_000),
        failing(1, 0, log="|\n" * 500_000),
        failing(6, 10, log="x" * 100_000),
        failing(9, 0, log="x" * 100_000),
        failing(3, 0, log="`" * 100_000),
        failing(2, 1000, name="m" * 200),
    ],
    ids=[
        "long log",
        "log of backticks",
        "log of lines",
        "six logs",
        "nine logs",
        "three logs of backticks",
        "long metrics",
    ],
)
def test_a_report_is_short_enough_to_be_posted(steps: list[Step]) -> None:
    assert len(report.ended(HEAD, steps)) <= LONGEST


def test_a_report_on_a_configuration_with_a_thousand_mistakes_is_short_enough_too() -> None:
    problem = "\n".join(f"config/mlops.yml: projects[{n}].path is missing." + "x" * 900 for n in range(1000))

    assert len(report.bad_config(HEAD, problem)) <= LONGEST
