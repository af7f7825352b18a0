"""The pictures that a report shows: which are attached, how often, and what happens to those that
cannot be had.
"""

import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

from bot import app
from bot.config.environment import read as read_settings
from bot.config.repository import Metric, Project
from bot.controllers.pull_request import pictures
from bot.controllers.services import Repository, Services
from bot.errors import ServiceError
from bot.facts.pull_request import Picture, PullRequestHead, Step
from bot.facts.quality_gate import Baseline, Judgement
from bot.facts.runs import ProjectRun
from sandbox.world import World

pytestmark = pytest.mark.slow

RMSE, R2 = Metric(name="rmse"), Metric(name="r2", goal="higher")
TRAIN, SCORE = Project(path="projects/train"), Project(path="projects/score")
HISTORY = Baseline(history=({"rmse": 0.74}, {"rmse": 0.73, "r2": 0.4}, {"rmse": float("nan")}))


@pytest.fixture(scope="module")
def bot_world(world: World, tmp_path_factory: pytest.TempPathFactory) -> Services:
    var = tmp_path_factory.mktemp("pictures")
    environment = {**world.environment("http://127.0.0.1:1", var), "BOT_CONFIG": "config/bot.yml"}
    return app.services_of(read_settings(environment))


@pytest.fixture
def repository(bot_world: Services) -> Repository:
    (found,) = bot_world.repositories.values()
    return found


@pytest.fixture
def head(world: World, repository: Repository, request: pytest.FixtureRequest) -> PullRequestHead:
    branch = "".join(letter if letter.isalnum() else "_" for letter in request.node.name)
    world.azure.push(branch, {"projects/pictures.txt": branch}, "Draw")
    return repository.azure.pull_request(world.azure.open_pull_request(branch))


def png(size: tuple[int, int] = (20, 10)) -> bytes:
    sent = io.BytesIO()
    Image.new("RGB", size, "green").save(sent, "PNG")
    return sent.getvalue()


def step(
    world: World,
    files: Mapping[str, bytes],
    *judgements: Judgement,
    project: Project = TRAIN,
    **known: Any,
) -> Step:
    """A step whose run has ended, and drew these files."""
    info = world.mlflow.call("POST", "/api/2.0/mlflow/runs/create", {"experiment_id": "0"})["run"][
        "info"
    ]
    for name, content in files.items():
        file = Path(info["artifact_uri"]) / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    run = ProjectRun(
        "token", project.path, "6e99ba5" + "0" * 33, 1, "local", mlflow_run=info["run_id"]
    )
    return Step(
        project, "passed", replace(run, **{"outcome": "succeeded", **known}), judgements=judgements
    )


def titles(found: tuple[Picture, ...]) -> list[str]:
    return [one.title for one in found]


def test_a_runs_pictures_are_attached_by_name_and_can_be_seen(
    world: World, bot_world: Services, repository: Repository, head: PullRequestHead
) -> None:
    one = step(world, {"plots/b.png": png((2000, 10)), "a.png": png(), "model/notes.txt": b"x"})

    found = pictures.attach_all(head, [one], {}, repository, bot_world)

    assert titles(found) == ["a", "plots/b"]
    shown = requests.get(found[1].url, auth=("", world.keys.azure), timeout=5).content
    assert Image.open(io.BytesIO(shown)).size == (960, 5)


def test_each_picture_is_one_call_and_a_second_pass_shows_the_same(
    world: World, bot_world: Services, repository: Repository, head: PullRequestHead
) -> None:
    judged = Judgement(RMSE, 0.712, bound=0.744, serving=0.73, verdict="ok")
    one = step(world, {f"{number}.png": png() for number in range(6)}, judged)

    def made() -> list[str]:
        place = f"/pullRequests/{head.number}/attachments"
        return [call.method for call in list(world.azure.calls) if place in call.path]

    before = len(made())

    first = pictures.attach_all(head, [one], {TRAIN.path: HISTORY}, repository, bot_world)
    calls = made()[before:]
    second = pictures.attach_all(head, [one], {TRAIN.path: HISTORY}, repository, bot_world)

    assert titles(first) == ["rmse", "0", "1", "2", "3"]
    assert calls == ["POST"] * 5
    assert second == first
    assert len(world.azure.attachments(head.number)) == 5


def test_what_is_no_picture_is_left_out_and_another_takes_its_place(
    world: World, bot_world: Services, repository: Repository, head: PullRequestHead
) -> None:
    files = {"a.png": b"<svg/>", "b.png": png()[:-20], "c.png": png()}

    found = pictures.attach_all(head, [step(world, files)], {}, repository, bot_world)

    assert titles(found) == ["c"]


@pytest.mark.parametrize(
    ("judgements", "baseline", "shown"),
    [
        ([Judgement(RMSE, 0.7)], HISTORY, ["rmse"]),
        ([Judgement(RMSE, 0.7), Judgement(R2, 0.4, bound=0.3, serving=0.4)], HISTORY, ["r2"]),
        ([Judgement(R2, 0.4)], HISTORY, []),
        ([Judgement(RMSE, 0.7, serving=0.8)], None, ["rmse"]),
        ([Judgement(RMSE, None, serving=0.8, verdict="missing")], HISTORY, []),
        ([], HISTORY, []),
    ],
)
def test_a_chart_is_drawn_of_what_is_judged_where_there_is_something_to_compare(
    world: World,
    bot_world: Services,
    repository: Repository,
    head: PullRequestHead,
    judgements: list[Judgement],
    baseline: Baseline | None,
    shown: list[str],
) -> None:
    baselines = {TRAIN.path: baseline} if baseline else {}

    found = pictures.attach_all(
        head, [step(world, {}, *judgements)], baselines, repository, bot_world
    )

    assert titles(found) == shown


def test_pictures_of_several_projects_name_theirs_and_there_are_only_so_many(
    world: World, bot_world: Services, repository: Repository, head: PullRequestHead
) -> None:
    files = {f"{number}.png": png() for number in range(6)}
    steps = [
        step(world, files, project=Project(path=f"projects/{name}"))
        for name in ("train", "score", "more")
    ]

    found = pictures.attach_all(head, steps, {}, repository, bot_world)

    assert titles(found) == [
        f"{name}: {number}" for name in ("train", "score") for number in range(4)
    ]
    assert len(found) == pictures.MOST


def test_a_run_that_goes_on_or_was_withdrawn_shows_nothing(
    world: World, bot_world: Services, repository: Repository, head: PullRequestHead
) -> None:
    going = step(world, {"a.png": png()}, outcome=None)
    withdrawn = step(world, {"a.png": png()}, project=SCORE, withdrawn=True)

    found = pictures.attach_all(
        head, [going, withdrawn, Step(SCORE, "waits")], {}, repository, bot_world
    )

    assert found == ()


def test_pictures_that_mlflow_does_not_give_are_left_out(
    world: World, bot_world: Services, repository: Repository, head: PullRequestHead
) -> None:
    judged = Judgement(RMSE, 0.712, serving=0.73)
    gone = step(world, {}, judged, mlflow_run="0" * 32)

    assert titles(pictures.attach_all(head, [gone], {}, repository, bot_world)) == ["rmse"]


def test_a_picture_that_is_refused_is_left_out_and_azure_devops_being_away_is_told(
    world: World, bot_world: Services, repository: Repository, head: PullRequestHead
) -> None:
    one = step(world, {"a.png": png(), "b.png": png()})

    world.azure.trip(403, method="POST", path="attachments")
    left = pictures.attach_all(head, [one], {}, repository, bot_world)
    world.azure.trip(503, method="POST", path="attachments")

    assert titles(left) == ["b"]
    with pytest.raises(ServiceError, match="503"):
        pictures.attach_all(head, [one], {}, repository, bot_world)
