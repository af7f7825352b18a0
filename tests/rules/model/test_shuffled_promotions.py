"""Histories of a registry, told in order and told badly: the jobs score with the same in the end.

Events are lost, doubled, late and swapped, and passes are cut off. What a job
keeps when what is promoted is refused or archived is what it scored with last, and
what it goes back to what it scored with before; so in these histories people have
seen that before they did so.
"""

import random
from collections.abc import Callable

import pytest

from tests.examples import percent
from tests.rules.model.registry_in_memory import Registry, Version

MODELS = ("wine_model", "tide_model")
SEEDS = 1000
TOGETHER = 100

Happening = Callable[[Registry], None]


class Story:
    """What happens, by a seed; each happening with the model that its event names. `None`: people
    look at the jobs.
    """

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.versions = {
            (model, str(number)): self._version(number)
            for model in MODELS
            for number in range(1, 7)
        }
        self.happenings: list[tuple[str, Happening] | None] = []
        self.watched = self.dice.random() < 0.4
        for _ in range(self.dice.randint(4, 14)):
            self._add(self.dice.choice(MODELS))
            self.happenings += [None] if self.watched else []

    def _version(self, number: int) -> Version:
        # Of six versions of a model three are good, and each of the others is refused for another
        # reason.
        kinds = {4: {"judged": "failed"}, 5: {"signature": ""}, 6: {"scores": False}}
        return Version(**kinds.get(number, {}))  # type: ignore[arg-type]

    def _add(self, model: str) -> None:
        good, bad = self.dice.choice("123"), self.dice.choice("456")
        by_alias = self.dice.random() < 0.4
        match self.dice.choice(("good", "good", "good", "bad", "away", "accept", "rollback")):
            case "good":
                self.happenings.append((model, _promote(model, good, by_alias=by_alias)))
            case "bad":
                self.happenings += [None, (model, _promote(model, bad, by_alias=by_alias)), None]
            case "away":
                self.happenings += [None, (model, _away(model, by_alias=by_alias)), None]
            case "accept":
                self.happenings += [
                    None,
                    (model, lambda registry: registry.accept(model, bad)),
                    None,
                ]
            case "rollback" if self.watched:
                job = self.dice.choice(("nightly", "weekly", "monthly"))
                self.happenings.append(("", lambda registry: registry.roll_back(job)))

    def registry(self) -> Registry:
        """The registry before anything happens."""
        return Registry(
            {
                name: Version(one.judged, one.signature, one.scores)
                for name, one in self.versions.items()
            }
        )


def _promote(model: str, version: str, *, by_alias: bool) -> Happening:
    if by_alias:
        return lambda registry: registry.to_alias(model, version)
    return lambda registry: registry.to_stage(model, version, "Production")


def _away(model: str, *, by_alias: bool) -> Happening:
    def away(registry: Registry) -> None:
        if by_alias:
            registry.to_alias(model, None)
            return
        for (name, version), one in registry.versions.items():
            if name == model and one.stage == "Production":
                registry.to_stage(name, version, "Archived")

    return away


def in_order(story: Story) -> Registry:
    """Each event is heard once and at once."""
    registry = story.registry()
    for happening in story.happenings:
        if happening is None:
            registry.sweep()
        else:
            model, happens = happening
            happens(registry)
            registry.look(model)
    registry.sweep()
    return registry


def badly(story: Story) -> Registry:
    """Events are lost, doubled, late and swapped, and passes are cut off; then the clock asks."""
    registry, dice, post = story.registry(), story.dice, list[str]()
    for happening in story.happenings:
        if happening is None:
            registry.sweep()
            continue
        model, happens = happening
        happens(registry)
        post += [model] * dice.choice((0, 1, 1, 2))
        dice.shuffle(post)
        while post and dice.random() < 0.6:
            registry.look(post.pop(), dice.choice((None, None, 0, 1, 2, 3, 4, 5)))
    registry.sweep()
    for model in post:
        registry.look(model)
    return registry


@pytest.mark.parametrize("first", range(0, SEEDS, TOGETHER))
def test_however_badly_a_history_is_told_the_jobs_end_the_same(first: int) -> None:
    for seed in range(first, first + min(percent(TOGETHER), TOGETHER)):
        straight, told = in_order(Story(seed)), badly(Story(seed))

        assert told.settings() == straight.settings(), f"seed {seed}"


@pytest.mark.parametrize("seed", range(50))
def test_nothing_is_left_to_do_after_a_sweep_and_nothing_is_told_twice(seed: int) -> None:
    registry = badly(Story(seed))
    settled, said = registry.settings(), list(registry.told)

    registry.sweep()

    assert registry.settings() == settled
    assert registry.told == said
    assert len(said) == len(set(said))


def test_the_histories_tell_of_everything() -> None:
    found = [in_order(Story(seed)) for seed in range(100)]
    told = "".join(words for registry in found for words in registry.told)

    assert "Signalman never validated" in told
    assert "it has no signature" in told
    assert "its smoke run on toy data says `KeyError`" in told
    assert "accepted by `Ben: I know it`" in told
    assert any(
        "signalman_held" in job for registry in found for job in registry.settings().values()
    )
