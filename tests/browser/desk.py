"""A stand-in Azure DevOps without a bot, and pull requests on which the bot's comments are put to
be looked at.
"""

import contextlib
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bot.pictures.chart import chart
from sandbox.azure_devops import AzureDevOps

IMAGE = re.compile(r"(!\[[^\]\n]*\]\()([^\s)]+)")
PICTURE = chart(
    "rmse", "lower", (0.731, 0.728, 0.735, 0.724, 0.727, 0.721), 0.712, 0.744, 0.73, "main"
)


@dataclass
class Desk:
    """Opens pull requests and says things there; `numbers` count whatever needs a name of
    its own.
    """

    azure: AzureDevOps
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def pull_request(self, title: str = "Try fewer rounds") -> int:
        """A new pull request."""
        branch = f"feature_wine_v{next(self.numbers)}"
        self.azure.push(branch, {"train.py": branch}, title)
        return self.azure.open_pull_request(branch, title=title, author="A. Kim")

    def page(self, number: int) -> str:
        """Where a pull request is read."""
        return f"{self.azure.organization_url}/ml/_git/models/pullrequest/{number}"

    def say(
        self,
        number: int,
        text: str,
        thread: int | None = None,
        author: str = "Signalman",
        pictures: Sequence[bytes] = (),
    ) -> int:
        """Say something. Its images are attached to the pull request: these, or else a chart. Gives
        the thread.
        """
        shown = iter(pictures)

        def attached(image: re.Match[str]) -> str:
            return image[1] + self.azure.attach(
                number, f"{next(self.numbers)}.png", next(shown, PICTURE)
            )

        return self.azure.comment(number, IMAGE.sub(attached, text), thread, author=author)


@contextlib.contextmanager
def open_desk(root: Path) -> Iterator[Desk]:
    """A desk whose files are below `root`."""
    content = root / "content"
    content.mkdir()
    (content / "train.py").write_text("print('training')\n")
    with AzureDevOps(root / "azure", project="ml", repository="models", bot_token="pat") as azure:
        azure.seed(content)
        yield Desk(azure)
