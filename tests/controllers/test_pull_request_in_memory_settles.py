"""A pull request in memory: passes repeated to the end reach the same world, whatever happened
meanwhile.

By the rules alone, no servers: pushes, closings, lost events, ended runs, passes cut
off anywhere, memos lost.
"""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bot.facts.runs import Outcome
from tests.controllers.pull_request_in_memory import FINAL, Memo, PullRequestInMemory, verdict
from tests.examples import percent
from tests.rules.pull_request.example_pull_request import ALONE, CONFIG, SCORE, TRAIN

BOUNDED = settings(max_examples=percent(300), stateful_step_count=30)

TRAINING, SCORING, OTHER = (f"{project.path}/main.py" for project in (TRAIN, SCORE, ALONE))
CHANGES = [(TRAINING,), (TRAINING, SCORING), (OTHER,), (TRAINING, OTHER), ("README.md",)]
CONFIGS = [CONFIG, CONFIG.model_copy(update={"projects": (TRAIN, SCORE)})]


class HistoryOfAPullRequest(RuleBasedStateMachine):
    """People, projects, the clock and kill -9 at a pull request."""

    def __init__(self) -> None:
        super().__init__()
        self.pr = PullRequestInMemory()
        self.given: dict[int, str] = {}
        self.configs = [CONFIG]

    @initialize(changed=st.sampled_from(CHANGES))
    def open(self, changed: tuple[str, ...]) -> None:
        self.pr.head = replace(self.pr.head, changed=changed)

    @rule(changed=st.sampled_from(CHANGES), bad=st.integers(0, 7), told=st.booleans())
    def push(self, changed: tuple[str, ...], bad: int, told: bool) -> None:
        number = self.pr.head.iteration + 1
        source = "a/b" if bad == 7 else "fine"
        self.pr.head = replace(
            self.pr.head, iteration=number, commit=f"c{number}", source=source, changed=changed
        )
        self.pr.news |= told
        self.configs = [self.pr.config]

    @rule(told=st.booleans())
    def close_or_open_again(self, told: bool) -> None:
        self.pr.head = replace(self.pr.head, open=not self.pr.head.open)
        self.pr.news |= told

    @rule(config=st.sampled_from(CONFIGS))
    def change_the_configuration(self, config: object) -> None:
        self.pr.config = config  # type: ignore[assignment]
        self.configs.append(self.pr.config)

    @precondition(lambda self: self.pr.running())
    @rule(
        which=st.integers(0, 5),
        outcome=st.sampled_from(["succeeded", "succeeded", "failed", "timed out", "no cluster"]),
    )
    def a_run_ends(self, which: int, outcome: Outcome) -> None:
        running = self.pr.running()
        self.pr.end(running[which % len(running)], outcome)

    @precondition(lambda self: self.pr.news or self.pr.due)
    @rule(cut=st.integers(1, 8))
    def make_a_pass_that_may_be_cut_off(self, cut: int) -> None:
        self.pr.make_pass(cut)

    @precondition(lambda self: self.pr.running())
    @rule(cut=st.integers(1, 4))
    def all_runs_end_and_the_pass_that_tells_may_be_cut_off(self, cut: int) -> None:
        for token in self.pr.running():
            self.pr.end(token, "succeeded")
        self.pr.make_pass(cut)

    @rule()
    def make_passes(self) -> None:
        for _ in range(3):
            if self.pr.news or self.pr.due:
                self.pr.make_pass()

    @rule()
    def lose_the_memo(self) -> None:
        self.pr.memo = Memo()
        self.pr.news = True

    @rule(minutes=st.integers(1, 6))
    def time_passes_and_the_clock_asks(self, minutes: int) -> None:
        self.pr.now += timedelta(minutes=minutes)
        self.pr.news |= self.pr.head.open and minutes > 4

    @rule()
    def settle(self) -> None:
        pr = self.pr
        pr.settle()
        if pr.head.open:
            states = pr.statuses.get(pr.head.iteration, [])
            last = states[-1] if states else None
            wanted = {verdict(pr, config) or "pending" for config in self.configs}
            assert last in wanted, f"{last} is none of {wanted}"
            if last in ("succeeded", "failed"):
                assert pr.threads[0].startswith(
                    {"succeeded": "### ✅", "failed": ("### ❌", "### 🚫")}[last]
                )
        for token in pr.running():
            run = pr.mlflow[token]
            assert pr.head.open, "a run goes on for a pull request that is closed"
            assert run.iteration == pr.head.iteration, "a run goes on for an older iteration"
        for token, run in pr.mlflow.items():
            ended = token in pr.cluster and pr.cluster[token].outcome is not None
            assert run.closed == ended, f"the MLflow run of {run.project} is not as its run"
            assert not ended or run.outcome == pr.cluster[token].outcome

    @invariant()
    def nothing_is_doubled(self) -> None:
        assert len(self.pr.threads) <= 1
        assert all(count == 1 for count in Counter(self.pr.submitted).values())
        for states in self.pr.statuses.values():
            assert sum(state in FINAL for state in states) <= 1, (
                f"a verdict was given twice: {states}"
            )

    @invariant()
    def a_verdict_stands(self) -> None:
        for iteration, states in self.pr.statuses.items():
            if iteration in self.given:
                assert states[-1] == self.given[iteration]
            elif states[-1] in FINAL:
                self.given[iteration] = states[-1]

    def teardown(self) -> None:
        self.settle()


TestPullRequestInMemory = HistoryOfAPullRequest.TestCase
TestPullRequestInMemory.settings = BOUNDED
