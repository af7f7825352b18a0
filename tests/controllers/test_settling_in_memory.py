"""Passes repeated to the end reach the same world, whatever happened and wherever they were cut off.

Two worlds in memory, the rules alone, no servers: a pull request, and a workspace
with a scoring job.
"""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bot.facts import Outcome
from tests.controllers.town import FINAL, Memo, Town, verdict
from tests.rules.example_pull_request import ALONE, CONFIG, SCORE, TRAIN

BOUNDED = settings(deadline=None, derandomize=True, max_examples=150, stateful_step_count=30)

FILES = [f"{TRAIN.path}/train.py", f"{SCORE.path}/score.py", f"{ALONE.path}/alone.py", "README.md"]
CONFIGS = [CONFIG, CONFIG.model_copy(update={"projects": (TRAIN, SCORE)})]
CUTS = st.none() | st.integers(1, 8)


class PullRequestInMemory(RuleBasedStateMachine):
    """People, projects, the clock and kill -9 at a pull request."""

    def __init__(self) -> None:
        super().__init__()
        self.town = Town()
        self.given: dict[int, str] = {}
        self.configs = [CONFIG]

    @rule(changed=st.sets(st.sampled_from(FILES)), bad=st.sampled_from([False] * 4 + [True]), told=st.booleans())
    def push(self, changed: set[str], bad: bool, told: bool) -> None:
        number = self.town.head.iteration + 1
        self.town.head = replace(
            self.town.head,
            iteration=number,
            commit=f"c{number}",
            source="a/b" if bad else "fine",
            changed=tuple(sorted(changed)),
        )
        self.town.news |= told
        self.configs = [self.town.config]

    @rule(told=st.booleans())
    def close_or_open_again(self, told: bool) -> None:
        self.town.head = replace(self.town.head, open=not self.town.head.open)
        self.town.news |= told

    @rule(config=st.sampled_from(CONFIGS))
    def change_the_configuration(self, config: object) -> None:
        self.town.config = config  # type: ignore[assignment]
        self.configs.append(self.town.config)

    @precondition(lambda self: self.town.running())
    @rule(
        which=st.integers(0, 5),
        outcome=st.sampled_from(["succeeded", "succeeded", "failed", "timed out", "no cluster"]),
    )
    def a_run_ends(self, which: int, outcome: Outcome) -> None:
        running = self.town.running()
        self.town.end(running[which % len(running)], outcome)

    @rule(cut=CUTS)
    def make_a_pass(self, cut: int | None) -> None:
        if self.town.news or self.town.due:
            self.town.make_pass(cut)

    @rule()
    def lose_the_memo(self) -> None:
        self.town.memo = Memo()
        self.town.news = True

    @rule(minutes=st.integers(0, 4))
    def time_passes(self, minutes: int) -> None:
        self.town.now += timedelta(minutes=minutes)

    @rule()
    def sweep(self) -> None:
        self.town.news |= self.town.head.open

    @rule()
    def settle(self) -> None:
        town = self.town
        town.settle()
        if town.head.open:
            states = town.statuses.get(town.head.iteration, [])
            last = states[-1] if states else None
            wanted = {verdict(town, config) or "pending" for config in self.configs}
            assert last in wanted, f"{last} is none of {wanted}"
            if last in ("succeeded", "failed"):
                assert town.threads[0].startswith({"succeeded": "### ✅", "failed": ("### ❌", "### 🚫")}[last])
        for token in town.running():
            run = town.mlflow[token]
            assert town.head.open, "a run goes on for a pull request that is closed"
            assert run.iteration == town.head.iteration, "a run goes on for an older iteration"
        for token, run in town.mlflow.items():
            ended = token in town.cluster and town.cluster[token].outcome is not None
            assert run.closed == ended, f"the MLflow run of {run.project} is not as its run"
            assert not ended or run.outcome == town.cluster[token].outcome

    @invariant()
    def nothing_is_doubled(self) -> None:
        assert len(self.town.threads) <= 1
        assert all(count == 1 for count in Counter(self.town.submitted).values())
        for states in self.town.statuses.values():
            assert sum(state in FINAL for state in states) <= 1, f"a verdict was given twice: {states}"

    @invariant()
    def a_verdict_stands(self) -> None:
        for iteration, states in self.town.statuses.items():
            if iteration in self.given:
                assert states[-1] == self.given[iteration]
            elif states[-1] in FINAL:
                self.given[iteration] = states[-1]

    def teardown(self) -> None:
        self.settle()


TestPullRequestInMemory = PullRequestInMemory.TestCase
TestPullRequestInMemory.settings = BOUNDED
