"""What can be due: a pull request, a branch, a model, a retraining. And who said so.

A webhook is read into the name of a subject and nothing more; the pass that
follows reads the world as it is then.
"""

from dataclasses import dataclass
from urllib.parse import quote, unquote


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull request of a served repository, which is named `organization/project/repository`."""

    repository: str
    number: int


@dataclass(frozen=True, slots=True)
class Branch:
    """The target branch of a served repository, which is named
    `organization/project/repository`.
    """

    repository: str


@dataclass(frozen=True, slots=True)
class Model:
    """A registered model, or the pattern that a scoring job follows (such as `*_model`)."""

    name: str


@dataclass(frozen=True, slots=True)
class Retraining:
    """A training for production that a comment on a pull request asked for; `project` as it is
    named there.
    """

    repository: str
    number: int
    thread: int
    comment: int
    project: str


Subject = PullRequest | Branch | Model | Retraining


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook: `key` is the same when it is delivered again; `event` is the sender's name for
    it.
    """

    key: str
    sender: str
    event: str
    subject: Subject


def key(subject: Subject) -> str:
    """Write a subject as the text under which the queue keeps it."""
    match subject:
        case PullRequest(repository, number):
            return f"pull-request/{quote(repository, safe='')}/{number}"
        case Branch(repository):
            return f"branch/{quote(repository, safe='')}"
        case Model(name):
            return f"model/{quote(name, safe='')}"
        case Retraining(repository, number, thread, comment, project):
            named = f"{number}/{thread}/{comment}/{quote(project, safe='')}"
            return f"retraining/{quote(repository, safe='')}/{named}"


def parse(text: str) -> Subject:
    """Read back what `key` wrote. Raises ValueError for anything else."""
    match text.split("/"):
        case ["pull-request", repository, number]:
            return PullRequest(unquote(repository), int(number))
        case ["branch", repository]:
            return Branch(unquote(repository))
        case ["model", name]:
            return Model(unquote(name))
        case ["retraining", repository, number, thread, comment, project]:
            return Retraining(
                unquote(repository), int(number), int(thread), int(comment), unquote(project)
            )
    raise ValueError(f"{text!r} does not name a subject")
