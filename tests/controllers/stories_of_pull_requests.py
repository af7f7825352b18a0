"""Pull requests: trained and scored, failing, superseded, abandoned, opened again, asked to retry,
merged.
"""

from typing import Any

from tests.controllers import visible_state
from tests.controllers.cut_points import StoryKind
from tests.controllers.scene import QUICK, SCORING, Scene
from tests.controllers.story_runner import in_turn


def badly_named(scene: Scene) -> dict[str, Any]:
    scene.open({"README.md": scene.name}, f"bad/{scene.name}")
    scene.bot.hear_of(scene.number)
    scene.bot.finish()
    return visible_state.pull_request(scene)


def trained_and_scored(scene: Scene) -> dict[str, Any]:
    scene.open(scene.trains("fine") | scene.scores())
    scene.bot.hear_of(scene.number)
    scene.bot.work()
    scene.let_end(QUICK)
    scene.bot.work()
    scene.let_end(SCORING)
    scene.bot.finish()
    return visible_state.pull_request(scene)


def failing(scene: Scene) -> dict[str, Any]:
    scene.bot.tell_of_steps()
    scene.open(scene.trains("raises"))
    scene.bot.hear_of(scene.number)
    scene.bot.work()
    scene.let_end(QUICK)
    scene.bot.finish()
    return visible_state.pull_request(scene)


def superseded(scene: Scene) -> dict[str, Any]:
    scene.open(scene.trains("for ever"))
    scene.bot.hear_of(scene.number)
    scene.bot.work_until_killed()
    scene.push(scene.trains("fine"))
    scene.bot.hear_of(scene.number)
    scene.bot.work()
    scene.let_end(QUICK)
    scene.bot.finish()
    assert visible_state.unfinished(scene, 1) == []
    return visible_state.pull_request(scene)


def abandoned(scene: Scene) -> dict[str, Any]:
    scene.open(scene.trains("for ever"))
    scene.bot.hear_of(scene.number)
    scene.bot.work_until_killed()
    scene.world.azure.abandon(scene.number)
    scene.bot.hear_of(scene.number)
    scene.bot.finish()
    assert visible_state.unfinished(scene, 1) == []
    return {"versions": scene.versions(f"{scene.name}_model")}


def opened_again(scene: Scene) -> dict[str, Any]:
    scene.open(scene.trains("fine"))
    scene.bot.hear_of(scene.number)
    scene.bot.work()
    scene.world.azure.abandon(scene.number)
    scene.bot.hear_of(scene.number)
    scene.bot.finish()
    scene.world.azure.reactivate(scene.number)
    scene.bot.hear_of(scene.number)
    scene.bot.work()
    scene.let_end(QUICK)
    scene.bot.finish()
    return visible_state.pull_request(scene)


def asked_to_retry(scene: Scene) -> dict[str, Any]:
    scene.bot.interrupter.pause()
    failing(scene)
    scene.hold(QUICK)
    scene.bot.interrupter.count_from_here()
    thread = scene.world.azure.comment(scene.number, "/mlops retry")
    scene.bot.hear_of(scene.number)
    scene.bot.work()
    scene.let_end(QUICK)
    scene.bot.finish()
    (asked,) = (one for one in scene.world.azure.threads(scene.number) if one["id"] == thread)
    answers = [visible_state.masked(str(one["content"]), scene) for one in asked["comments"]]
    return visible_state.pull_request(scene) | {
        "answers": answers,
        "likes": len(asked["comments"][0]["usersLiked"]),
    }


@in_turn
def merged(scene: Scene) -> dict[str, Any]:
    scene.bot.interrupter.pause()
    trained(scene)
    scene.bot.interrupter.count_from_here()
    scene.commits.append(scene.world.azure.complete(scene.number))
    scene.bot.hear_of(scene.number)
    scene.bot.finish()
    return {
        "records": visible_state.records(scene),
        "versions": scene.versions(f"{scene.name}_model"),
    }


def trained(scene: Scene) -> None:
    scene.open(scene.trains("fine"))
    scene.bot.hear_of(scene.number)
    scene.bot.work()
    scene.let_end(QUICK)
    scene.bot.finish()


STARTS = "set_status 1, make_experiment 1, start 1, write 1, submit 1, tag 1"
PULL_REQUESTS = StoryKind(
    "pull request",
    {
        badly_named: ("open_thread 1, set_status 1",),
        trained_and_scored: (
            STARTS,
            "open_thread 1",
            "end 1, tag 2, make_experiment 2, start 2, write 2, submit 2, tag 3",
            "end 2, tag 4, attach 1",
            "edit_report 1, set_status 2",
        ),
        failing: (
            STARTS,
            "set_status 2, set_status 3, set_status 4, open_thread 1",
            "end 1, tag 2",
            "edit_report 1, set_thread_status 1, set_status 5, set_status 6, set_status 7",
        ),
        asked_to_retry: (
            # What is run is there already: it is named by its content.
            "like 1, set_thread_status 1, answer 1, set_status 1, make_experiment 1, start 1, "
            "submit 1, tag 1",
            "set_status 2, set_status 3, edit_report 1",
            "end 1, tag 2",
            "edit_report 2, set_status 4, set_status 5, set_status 6",
        ),
        superseded: (
            STARTS,
            "open_thread 1",
            "tag 2, cancel 1, set_status 2, make_experiment 2, start 2, write 2, submit 2, tag 3",
            "end 1, tag 4, edit_report 1",
            "end 2, tag 5, attach 1",
            "edit_report 2, set_status 3",
        ),
        merged: ("make_experiment 1, start 1, record 1, tag_experiment 1, tag_experiment 2",),
        abandoned: (STARTS, "open_thread 1", "tag 2, cancel 1", "end 1, tag 3, tag_experiment 1"),
        opened_again: (
            STARTS,
            "open_thread 1",
            "tag 2, cancel 1",
            "end 1, tag 3, tag_experiment 1",
            "make_experiment 2, start 2, submit 2, tag 4",
            "end 2, tag 5, attach 1",
            "edit_report 1, set_status 2",
        ),
    },
    cut={
        failing: slice(1, None),  # a run that will fail is started like one that will not
        asked_to_retry: slice(0, -2),  # what runs again ends like any other
        superseded: slice(0, -2),  # and so does the run that came after another
        opened_again: slice(4, -2),  # until it is opened again it is one that was abandoned
    },
    # What the branch's pass does after a merge is cut off among the merges.
    counted={merged: slice(0, 1)},
    # From two merges on each report has a chart, whatever is merged beside its story.
    prologue=(merged, merged),
)
