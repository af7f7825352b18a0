"""What comes of an order that somebody may give, as things are."""

from dataclasses import replace
from datetime import timedelta

import pytest
from example_pull_request import CONFIG, HEAD, NOW, PR, changing, kinds, statuses

from bot.actions import PutReport
from bot.config.repository import Folder
from bot.facts.branch import Preview
from bot.facts.discussion import Comment
from bot.facts.pull_request import PullRequestFacts
from bot.rules.pull_request import checks, commands, orders
from bot.rules.pull_request.commands import Asked, Given

HOOKS = Folder.model_validate({"from": "mlflow_hooks", "to": "/Shared/mlflow_hooks"})
MIRRORED = CONFIG.model_copy(update={"folders": (HOOKS,)})
HOOK = replace(changing("mlflow_hooks/score.py"), config=MIRRORED)


def reaction(line: str, pr: PullRequestFacts, minutes: int = 0) -> orders.Reaction:
    asked = commands.read(line)
    assert isinstance(asked, Asked)
    said = NOW + timedelta(minutes=minutes)
    comment = Comment(7, 1, "ada-id", "Ada", "ada@contoso.example", line, said, said)
    return orders.react(Given(comment, asked), asked, pr, NOW)


@pytest.mark.parametrize("changed", ["mlflow_hooks/score.py", "config/jobs/nightly.yml"])
def test_what_brings_something_and_touches_no_project_is_looked_at_anew(changed: str) -> None:
    pr = replace(changing(changed), config=MIRRORED)
    judged = replace(
        pr, head=replace(pr.head, judged=True), preview=Preview(refused=("it is a link.",))
    )

    found = reaction("/mlops run", judged)

    assert found.order is not None
    assert (
        f"✅ for `{HEAD.commit[:7]}`: it touches no project, so nothing is run. I look again"
        in found.body
    )
    anew = replace(pr, orders=(found.order,))
    assert kinds(checks.plan(anew, NOW)) == ["PreviewMerge", "LookAgain"]
    assert statuses(checks.plan(replace(anew, preview=Preview()), NOW))[0][0] == "notApplicable"


def test_a_change_to_the_configuration_alone_counts_among_what_a_merge_brings() -> None:
    pr = replace(changing("config/mlops.yml"), config=MIRRORED.model_copy(update={"projects": ()}))

    asked = checks.plan(pr, NOW)
    report = checks.plan(replace(pr, preview=Preview(added=("/Shared/mlflow_hooks/a",))), NOW)[0]

    assert kinds(asked) == ["PreviewMerge", "LookAgain"]
    assert isinstance(report, PutReport)
    assert "`/Shared/mlflow_hooks/a`" in report.body
    assert reaction("/mlops run", pr).order is not None


def test_what_neither_touches_a_project_nor_brings_anything_is_not_looked_at_again() -> None:
    found = reaction("/mlops run", replace(HOOK, head=replace(HEAD, changed=("README.md",))))

    assert found.order is None
    assert "so there is nothing to run again" in found.body


@pytest.mark.parametrize(
    "line", ["/mlops confirm sync", '/mlops override train reason="x"', "/mlops ok-to-test"]
)
def test_a_judgement_holds_for_no_commit_that_was_pushed_after_it(line: str) -> None:
    head = replace(HEAD, pushed=NOW, fork=True, changed=())
    pr = replace(PR, head=head, config=CONFIG)

    assert reaction(line, pr, minutes=-1).order is None
    assert "override" in line or reaction(line, pr, minutes=1).order is not None


def test_that_much_is_removed_may_be_agreed_before_and_after_the_merge_by_the_whole_commit() -> (
    None
):
    merged = replace(PR, head=replace(HEAD, open=False, merged=True, judged=True))
    abandoned = replace(PR, head=replace(HEAD, open=False))

    for pr in (PR, merged):
        found = reaction("/mlops confirm sync", pr)
        assert found.order is not None
        assert f"✅ for `{HEAD.commit}`:" in found.body
    assert reaction("/mlops confirm sync", abandoned).order is None
