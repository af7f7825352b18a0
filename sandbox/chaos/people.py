"""People at work: they open, push, comment, abandon, merge and promote, as dice say, and remember
what they did.

They never look at the bot; some wait for its verdict, as people do, and some do not.
"""

import random
from collections.abc import Callable, Sequence
from typing import Any

from sandbox.azure_devops import Refusal
from sandbox.chaos import repository_content as content
from sandbox.chaos.changes import MODES, Change
from sandbox.chaos.diary import Diary
from sandbox.chaos.runs import LOST_CLUSTER
from sandbox.chaos.verdicts import final
from sandbox.world import World

MOST_OPEN = 9
MOST_UNJUDGED = 6
"""Pull requests that wait for a verdict; with more of them, people only talk: one machine runs it
all.
"""


class People:
    """Everybody who works in the world; `changes` is what they made.

    `clusters` is how many clusters the cloud fails to bring up meanwhile. Each costs a pull request
    half a minute.
    """

    def __init__(self, seed: int, world: World, diary: Diary, *, clusters: int = 0) -> None:
        self.changes: list[Change] = []
        self._promoted: set[tuple[str, str]] = set()
        self._clusters = clusters
        self._dice = random.Random(f"{seed} people")
        self._world, self._diary = world, diary
        self._hooks: list[str] = []
        self._champion = ""
        self._count = 0

    @property
    def waiting(self) -> bool:
        """Whether any open pull request waits for its verdict."""
        return self._unjudged() > 0

    def act(self) -> None:
        """Do one thing, the first that can be done of those the dice propose."""
        acts: list[tuple[int, Callable[[], bool]]] = [
            (24, self._open),
            (14, self._push),
            (26, self._comment),
            (16, self._merge),
            (7, self._abandon),
            (6, self._reactivate),
            (7, self._promote),
            (2, self._lose_a_cluster),
        ]
        weights = [weight for weight, _ in acts]
        for _ in range(4):
            if self._dice.choices([act for _, act in acts], weights)[0]():
                return

    def _open(self) -> bool:
        if len(self._open_ones()) >= MOST_OPEN or self._unjudged() >= MOST_UNJUDGED:
            return False
        self._count += 1
        bad = self._dice.random() < 0.08
        change = Change(
            0, f"feature/x.{self._count}" if bad else f"c{self._count}", badly_named=bad
        )
        change.patient = self._dice.random() < 0.7
        self._pushed(change, self._files(change))
        change.number = self._world.azure.open_pull_request(
            change.branch, title=f"Change {self._count}"
        )
        self.changes.append(change)
        self._diary.note("opened", number=change.number, branch=change.branch, modes=change.modes)
        return True

    def _push(self) -> bool:
        found = self._one(
            [
                one
                for one in self._open_ones()
                if self._unjudged() < MOST_UNJUDGED or not self._judged(one)
            ]
        )
        if found is None:
            return False
        self._pushed(found, self._files(found))
        self._diary.note(
            "pushed", number=found.number, commit=found.pushed[-1][0][:7], modes=found.modes
        )
        return True

    def _comment(self) -> bool:
        found = self._one(self.changes[-12:])
        if found is None:
            return False
        self._count += 1
        self._world.azure.comment(found.number, f"What about this? ({self._count})")
        return True

    def _merge(self) -> bool:
        found = self._one([one for one in self._ready() if one.own_files_only])
        if found is None:
            return False
        try:
            commit = self._world.azure.complete(found.number)
        except Refusal as refusal:
            self._diary.note("not merged", number=found.number, why=str(refusal))
            found.own_files_only = False
            return False
        found.state = "merged"
        self._diary.note("merged", number=found.number, commit=commit)
        return True

    def _abandon(self) -> bool:
        found = self._one(self._ready())
        if found is None:
            return False
        self._world.azure.abandon(found.number)
        found.state, found.times_abandoned = "abandoned", found.times_abandoned + 1
        self._diary.note("abandoned", number=found.number)
        return True

    def _reactivate(self) -> bool:
        found = self._one([one for one in self.changes[-20:] if one.state == "abandoned"])
        if found is None or len(self._open_ones()) >= MOST_OPEN:
            return False
        self._world.azure.reactivate(found.number)
        found.state = "open"
        self._diary.note("reactivated", number=found.number)
        return True

    def _promote(self) -> bool:
        if self._champion and self._dice.random() < 0.5:
            self._alias("DELETE", {"name": self._champion, "alias": content.ALIAS})
            self._champion = ""
            return True
        path = f"/api/2.0/mlflow/model-versions/search?max_results=20&filter=name%20LIKE%20'%25{content.MODELS}'"  # noqa: E501 a table, or a text as it is sent
        found = self._world.mlflow.call("GET", path).get("model_versions", [])
        fresh = [(str(one["name"]), str(one["version"])) for one in found]
        fresh = [one for one in fresh if one not in self._promoted]
        if not fresh:
            return False
        name, version = self._dice.choice(fresh)
        self._promoted.add((name, version))
        if not self._champion and self._dice.random() < 0.3:
            self._alias("POST", {"name": name, "alias": content.ALIAS, "version": version})
            self._champion = name
        else:
            self._world.databricks.transition(name, version, content.STAGE)
            self._diary.note("promoted", model=name, version=version)
        return True

    def _lose_a_cluster(self) -> bool:
        if not self._clusters:
            return False
        self._clusters -= 1
        self._world.databricks.fail_next_cluster(LOST_CLUSTER)
        self._diary.note("the next cluster will be lost")
        return True

    def _alias(self, method: str, body: dict[str, Any]) -> None:
        self._world.mlflow.call(method, "/api/2.0/mlflow/registered-models/alias", body)
        self._diary.note("alias", method=method, **body)

    def _pushed(self, change: Change, files: dict[str, str | None]) -> None:
        commit = self._world.azure.push(change.branch, files, f"Change {self._count}")
        change.pushed.append((commit, change.verdict))

    def _files(self, change: Change) -> dict[str, str | None]:
        """What the next commit changes; `change` remembers what that means."""
        self._count += 1
        mark, roll = f"{change.branch} {self._count}", self._dice.random()
        if roll < 0.25:
            return {f"README_{self._count}.md": f"{mark}\n"}
        if roll < 0.50:
            change.to_be_told = True
            return self._hook(mark)
        project = self._dice.choice((content.QUICK, content.QUICK, content.OTHER))
        if roll < 0.72:
            # A file that no other pull request touches: this one can be merged.
            change.to_be_told = True
            change.modes.setdefault(project, "fine")
            return {f"{project}/notes_{self._count}.txt": f"{mark}\n"}
        if roll < 0.77:
            change.to_be_told = True
            change.modes.setdefault(content.SCORING, "fine")
            return {f"{content.SCORING}/notes_{self._count}.txt": f"{mark}\n"}
        mode = self._dice.choice(sorted(MODES))
        change.modes[project], change.own_files_only = mode, False
        return {f"{project}/train.py": content.training(project, mode, mark)}

    def _hook(self, mark: str) -> dict[str, str | None]:
        files: dict[str, str | None] = {
            f"{content.HOOKS}/hook_{self._count}.py": content.notebook(mark)
        }
        on_main = [path for path in self._hooks if self._there(path)]
        if on_main and self._dice.random() < 0.3:
            gone = self._dice.choice(on_main)
            self._hooks.remove(gone)  # by nobody else, or the two could not both be merged
            files[gone] = None
        self._hooks += [path for path, text in files.items() if text is not None]
        return files

    def _there(self, path: str) -> bool:
        try:
            return bool(self._world.azure.read(path))
        except KeyError:
            return False

    def _open_ones(self) -> list[Change]:
        return [one for one in self.changes if one.state == "open"]

    def _ready(self) -> list[Change]:
        return [one for one in self._open_ones() if not one.patient or self._judged(one)]

    def _judged(self, change: Change) -> bool:
        return final(self._world.azure, change.number, len(change.pushed))

    def _unjudged(self) -> int:
        return sum(not self._judged(one) for one in self._open_ones())

    def _one(self, among: Sequence[Change]) -> Change | None:
        return self._dice.choice(among) if among else None
