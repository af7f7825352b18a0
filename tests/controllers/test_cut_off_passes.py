"""Stories whose passes are cut off, wherever one may be: the same end, and nothing twice."""

from collections.abc import Iterator

import pytest
from _pytest.mark.structures import ParameterSet

from tests.controllers.call_interrupter import Side
from tests.controllers.cut_points import StoryKind
from tests.controllers.stories_of_merges import HOOKS, MERGES, brought_to_the_workspace
from tests.controllers.stories_of_promotions import (
    PROMOTIONS,
    by_alias_to_another_version,
    by_stage,
    refused,
    tried_first,
)
from tests.controllers.stories_of_pull_requests import PULL_REQUESTS
from tests.controllers.stories_of_retrainings import RETRAININGS, retrained
from tests.controllers.story_runner import Story, StoryRunner

KINDS = (PULL_REQUESTS, MERGES, PROMOTIONS, RETRAININGS)


def every_story() -> Iterator[ParameterSet]:
    for kind in KINDS:
        for story in kind.stories:
            yield pytest.param(kind, story, id=story.__name__)


def every_cut_point() -> Iterator[ParameterSet]:
    for kind in KINDS:
        for story in kind.stories:
            for point in kind.cut_points(story):
                yield pytest.param(
                    kind, story, point.side, point.change, id=f"{story.__name__}, {point.name}"
                )


@pytest.mark.parametrize(("kind", "story"), list(every_story()), indirect=["kind"], scope="module")
def test_the_changes_that_are_cut_are_all_that_a_story_makes(
    stories: StoryRunner, kind: StoryKind, story: Story
) -> None:
    told = stories.of(story)

    assert kind.changes(story, told.scene.bot.interrupter.passes) == list(kind.stories[story])
    assert told.scene.bot.errors == []


@pytest.mark.parametrize(
    ("kind", "story", "side", "cut"), list(every_cut_point()), indirect=["kind"], scope="module"
)
def test_a_story_ends_the_same_wherever_a_pass_is_cut_off(
    stories: StoryRunner, kind: StoryKind, story: Story, side: Side, cut: str
) -> None:
    whole, told = stories.of(story), stories.of(story, side, cut)

    assert told.seen == whole.seen
    assert told.scene.bot.errors == []
    assert told.scene.bot.deaths == 1


@pytest.mark.parametrize("kind", [MERGES], indirect=True, ids=str)
def test_a_merge_ends_in_a_workspace_as_the_commit_and_one_job(
    stories: StoryRunner, kind: StoryKind
) -> None:
    told = stories.of(brought_to_the_workspace)

    assert set(told.seen["workspace"]) == {
        f"{HOOKS}/(name)_{which}" for which in ("stays", "changes", "comes")
    }
    assert told.seen["manifest"]["commit"] == "(commit 2)"
    assert len(told.seen["jobs"]) == 1


@pytest.mark.parametrize(
    ("kind", "story", "version"),
    [
        pytest.param(PROMOTIONS, by_stage, "1", id="by_stage-1"),
        pytest.param(
            PROMOTIONS, by_alias_to_another_version, "2", id="by_alias_to_another_version-2"
        ),
        pytest.param(PROMOTIONS, tried_first, "1", id="tried_first-1"),
    ],
    indirect=["kind"],
    scope="module",
)
def test_a_promotion_ends_in_a_job_that_is_pointed_and_told_of(
    stories: StoryRunner, kind: StoryKind, story: Story, version: str
) -> None:
    told = stories.of(story)
    (job,) = told.seen["jobs"]

    assert f"'name': 'model_version', 'default': '{version}'" in job["parameters"]
    assert f"'signalman_version': '{version}'" in job["tags"]
    assert f"**v{version}**" in told.seen["threads"][0][1][-1]
    assert "scores with this version" in told.seen["versions"][int(version) - 1]["signalman"]
    assert told.seen["tried"] == (["FINISHED"] if story is tried_first else [])


@pytest.mark.parametrize("kind", [PROMOTIONS], indirect=True, ids=str)
def test_a_refused_one_leaves_the_job_and_is_told_of(stories: StoryRunner, kind: StoryKind) -> None:
    told = stories.of(refused)
    (job,) = told.seen["jobs"]

    assert "'name': 'model_version', 'default': ''" in job["parameters"]
    assert [comment.startswith("🛑") for comment in told.seen["threads"][0][1]] == [False, True]
    assert "does not score with this version" in told.seen["versions"][0]["signalman"]


@pytest.mark.parametrize("kind", [RETRAININGS], indirect=True, ids=str)
def test_a_retraining_ends_in_one_run_one_version_and_an_answer(
    stories: StoryRunner, kind: StoryKind
) -> None:
    told = stories.of(retrained)

    assert told.seen["cluster runs"] == ["SUCCESS"]
    assert told.seen["MLflow runs"] == ["FINISHED"]
    assert told.seen["versions"] == 1
    assert "**v1** is registered, trained from `(commit 2)`" in told.seen["answers"][1]
