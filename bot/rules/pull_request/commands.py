"""What people may ask of the bot on a pull request: the one table of commands, how they are read,
who may give them.

A comment is a command only when it begins with `/mlops`, and only its first
line is read. What the bot has answered is all the memory there is: an answer
begins with the command it answers, as it was then.
"""

import difflib
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from bot.facts.discussion import COMMAND, Comment, Discussion, Order, OrderVerb, Team
from bot.words import answers, escape

LONGEST = 300
"""Characters of a command, so that an answer can repeat the whole of it."""
MOST_LINES = 200
FEW_LINES = 20

Right = Literal["anyone", "contributor", "model owner", "release manager"]
SETTINGS: Mapping[Right, str] = {
    "contributor": "contributors",
    "model owner": "model_owners",
    "release manager": "release_managers",
}


@dataclass(frozen=True)
class Verb:
    """A command: `usage` is what follows its name, `own` whether who opened the pull request may
    give it.

    `least` and `most` count the words that follow; `choices` are all that the first may be, if any
    are named. `judges`: it holds for the one commit that who gives it has seen, and for none that
    comes after.
    """

    name: str
    usage: str
    purpose: str
    right: Right
    examples: tuple[str, ...]
    least: int = 0
    most: int = 0
    choices: tuple[str, ...] = ()
    own: bool = True
    judges: bool = False
    reason: bool = False

    @property
    def line(self) -> str:
        """How it is written: `/mlops status [prod]`."""
        return f"{COMMAND} {self.name} {self.usage}".rstrip()


VERBS = (
    Verb(
        "run",
        "[project|all]",
        "run the validation of the latest commit again: what it touches, one project, or all of "
        "them",
        "contributor",
        ("/mlops run", "/mlops run all", "/mlops run ExampleTrainingProject"),
        most=1,
    ),
    Verb(
        "retry",
        "",
        "run again only what failed, and what waited for it",
        "contributor",
        ("/mlops retry",),
    ),
    Verb(
        "cancel",
        "",
        "stop what runs for this pull request, and drop what waits",
        "contributor",
        ("/mlops cancel",),
    ),
    Verb(
        "status",
        "[prod]",
        "what runs and what waits; with `prod`, which model serves, from which commit, since when",
        "anyone",
        ("/mlops status", "/mlops status prod"),
        most=1,
        choices=("prod",),
    ),
    Verb(
        "logs",
        "<step> [lines]",
        f"the last lines of a step's log, {FEW_LINES} unless said otherwise, {MOST_LINES} at most",
        "contributor",
        ("/mlops logs ExampleTrainingProject", "/mlops logs ExampleTrainingProject 100"),
        least=1,
        most=2,
    ),
    Verb(
        "diff",
        "",
        "what a merge would change in the production workspace",
        "anyone",
        ("/mlops diff",),
    ),
    Verb(
        "override",
        '<check> reason="…"',
        "accept a check that failed (`gate`, or a project), for this commit and no other; with "
        "`promotion`, a promoted version from here that was never validated, or takes other "
        "columns",
        "model owner",
        (
            '/mlops override gate reason="the old test set had leaked"',
            '/mlops override promotion reason="trained by hand, measured by Ben"',
        ),
        least=1,
        most=1,
        own=False,
        judges=True,
        reason=True,
    ),
    Verb(
        "retrain",
        "[project]",
        "train for production: the target branch's project, on all of the data",
        "model owner",
        ("/mlops retrain", "/mlops retrain ExampleTrainingProject"),
        most=1,
    ),
    Verb(
        "rollback",
        "model [job] | sync",
        "let a scoring job go back to the model version before, or the workspace to the commit "
        "before",
        "release manager",
        ("/mlops rollback model", "/mlops rollback model nightly-scoring", "/mlops rollback sync"),
        least=1,
        most=2,
        choices=("model", "sync"),
    ),
    Verb(
        "confirm",
        "sync",
        "agree that the merge removes much of what is in the workspace, for this commit and no "
        "other",
        "release manager",
        ("/mlops confirm sync",),
        least=1,
        most=1,
        choices=("sync",),
        judges=True,
    ),
    Verb(
        "ok-to-test",
        "",
        "let the code of a fork run, this commit and no other",
        "contributor",
        ("/mlops ok-to-test",),
        own=False,
        judges=True,
    ),
    Verb(
        "explain",
        "",
        "why the bot did what it did here, or did nothing",
        "anyone",
        ("/mlops explain",),
    ),
    Verb(
        "help",
        "",
        "this list",
        "anyone",
        ("/mlops help",),
    ),
)
"""Every command there is."""

_BY_NAME = {verb.name: verb for verb in VERBS}
PROMOTION = "promotion"
"""What an override is about that accepts a model version, and no commit."""
ORDERS: tuple[OrderVerb, ...] = get_args(OrderVerb)
_QUOTES = str.maketrans("“”„‟″", '"""""')


@dataclass(frozen=True)
class Asked:
    """A command that could be read: `line` is all of it, `argument` what it is about, `lines` how
    much of a log.

    `job` is the scoring job that a rollback is about, empty: the only one.
    """

    verb: Verb
    line: str
    argument: str = ""
    lines: int = FEW_LINES
    reason: str = ""
    job: str = ""


@dataclass(frozen=True)
class Mistake:
    """A command that could not be read.

    `word` is what is at fault, as it was written (empty: nothing in particular), `told` what is
    wrong with it, `meant` a command that may have been meant, and `like` an example.
    """

    line: str
    told: str
    word: str = ""
    meant: str = ""
    like: str = ""


@dataclass(frozen=True)
class Given:
    """A command somebody gave, and the comment it stands in."""

    comment: Comment
    asked: Asked | Mistake


def read(content: str) -> Asked | Mistake | None:
    """Read a comment; None when it is not a command."""
    found = line(content)
    if not found:
        return None
    if len(found) > LONGEST:
        return Mistake(found, f"A command has at most {LONGEST} characters, and this one has more.")
    try:
        # Word processors and phones write the others; where both are, those are part of what is
        # said.
        words = shlex.split(found if '"' in found else found.translate(_QUOTES))
    except ValueError:
        return Mistake(
            found, "A quotation mark is opened and not closed.", like=_nearest_line(found)
        )
    if len(words) == 1:
        return Mistake(found, f"What should I do? `{COMMAND} help` lists what I can.")
    name = words[1]
    rest = words[2:]
    verb = _BY_NAME.get(name.casefold())
    if verb is None:
        near = difflib.get_close_matches(name.casefold()[:40], list(_BY_NAME), 1)
        return Mistake(
            found, "is not a command of mine.", name, f"{COMMAND} {near[0]}" if near else ""
        )
    return _understood(found, verb, rest)


def line(content: str) -> str:
    """The command that a comment begins with, as answers repeat it; empty when it begins
    with none.
    """
    if content[: len(COMMAND)].casefold() != COMMAND:
        return ""
    first = " ".join(escape.visible(content[: 10 * LONGEST]).partition("\n")[0].split())
    if re.match(r"/mlops(\s|$)", first, re.IGNORECASE):
        return first
    return ""


def open(discussion: Discussion) -> list[Given]:
    """The commands that were not answered yet, the oldest first.

    One that was edited is a new one when its command reads otherwise now. What the
    bot says is none, nor what builds say, nor what was deleted.
    """
    found: list[Given] = []
    for thread in _threads(discussion):
        answered = _answered(thread, discussion.me)
        for comment in thread:
            asked = None
            if _human(comment, discussion.me):
                asked = read(comment.content)
            if asked is not None and (comment.id, asked.line) not in answered:
                found.append(Given(comment, asked))
    return sorted(
        found, key=lambda entry: (entry.comment.published, entry.comment.thread, entry.comment.id)
    )


def orders(discussion: Discussion, commit: str) -> tuple[Order, ...]:
    """The orders that were accepted and hold for a commit, in the order they were given.

    They are read back from the bot's own answers, so that an order is neither lost
    with the database, nor changed by an edit of the comment it was given in.
    """
    found: list[Order] = []
    for thread in _threads(discussion):
        authors = {comment.id: comment.author for comment in thread}
        for answer in thread:
            accepted = None
            if answer.author_id == discussion.me:
                accepted = answers.acceptance(answer.content)
            asked = None
            if accepted:
                asked = read(accepted[0])
            if (
                accepted is None
                or not isinstance(asked, Asked)
                or not _holds_for(asked.verb, accepted[1], commit)
            ):
                continue
            if asked.verb.name in ORDERS:
                by = authors.get(answer.parent, "")
                found.append(
                    Order(
                        asked.verb.name, commit, by, answer.published, asked.argument, asked.reason
                    )
                )
    return tuple(sorted(found, key=lambda order: order.at))


def accepted(discussion: Discussion, name: str) -> list[tuple[Comment, Asked]]:
    """The commands of that name that were accepted, each with the comment it was given in as that
    reads now.
    """
    found: list[tuple[Comment, Asked]] = []
    for thread in _threads(discussion):
        given = {comment.id: comment for comment in thread}
        for answer in thread:
            told = None
            if answer.author_id == discussion.me:
                told = answers.acceptance(answer.content)
            asked = None
            if told:
                asked = read(told[0])
            if isinstance(asked, Asked) and asked.verb.name == name and answer.parent in given:
                found.append((given[answer.parent], asked))
    return found


def refusal(verb: Verb, who: str, creator: str, teams: Sequence[Team], *, own: bool = False) -> str:
    """Why somebody may not give a command, and who may; empty when they may.

    `who` and `creator` are identity ids, of who asks and of who opened the pull
    request; `teams` are those that have the verb's right; `own` allows people to
    judge their own pull requests.
    """
    if verb.right == "anyone":
        return ""
    whom = _whom(verb.right, teams)
    if verb.right == "contributor" and not teams:
        allowed = True  # Azure DevOps lets only those comment who may contribute.
    elif not teams:
        setting = f"`commands.{SETTINGS[verb.right]}` in `config/bot.yml`"
        return f"Only {verb.right}s may do that, and there are none: {setting} names no team."
    else:
        allowed = any(who in team.members for team in teams)
    if not allowed:
        return f"You are no {verb.right}. {whom} may do that."
    if not verb.own and not own and not creator:
        return "It is not known who opened this pull request, so nobody may say that."
    if not verb.own and not own and who == creator:
        return f"You opened this pull request, so somebody else has to say that. {whom} may."
    return ""


def rows(teams: Mapping[Right, Sequence[str]] | None = None) -> list[tuple[str, str, str]]:
    """How each command is written, what it is for, and who may give it.

    `teams` names those that have a right; None: that is another deployment's to say.
    """
    return [(verb.line, verb.purpose, _who(verb, teams)) for verb in VERBS]


def _who(verb: Verb, teams: Mapping[Right, Sequence[str]] | None) -> str:
    names = ", ".join(escape.cell(name) for name in (teams or {}).get(verb.right, ()))
    if verb.right == "anyone":
        who = "anyone"
    else:
        who = f"{verb.right}s"
    if names:
        who = f"{who} ({names})"
    elif teams is not None and verb.right not in ("anyone", "contributor"):
        who = f"{who} (nobody yet)"
    if verb.own:
        return who
    return f"{who}, but not who opened the pull request"


def _whom(right: Right, teams: Sequence[Team]) -> str:
    if not teams:
        return "Another contributor"
    named = [
        escape.code(team.name) + ("" if team.known else " (which Azure DevOps does not have)")
        for team in teams
    ]
    return f"The {right}s, who are in {' or '.join(named)},"


def _understood(found: str, verb: Verb, rest: Sequence[str]) -> Asked | Mistake:
    words: list[str] = []
    reason = ""
    for word in rest:
        key, sign, value = word.partition("=")
        if verb.reason and sign and key.casefold() == "reason":
            reason = " ".join(value.split())
        else:
            words.append(word)
    if verb.name == "rollback" and words[:1] and words[0].casefold() == "sync":
        most = 1
    else:
        most = verb.most
    if len(words) > most:
        return Mistake(
            found, f"is too much for `{verb.line}`.", words[most], _example(verb, words[:most])
        )
    if len(words) < verb.least:
        return Mistake(found, f"`{verb.line}` is how it is written.", like=verb.examples[0])
    if verb.choices and words:
        words[0] = words[0].casefold()
        if words[0] not in verb.choices:
            near = difflib.get_close_matches(words[0][:40], verb.choices, 1)
            meant = ""
            if near:
                meant = f"{COMMAND} {verb.name} {near[0]}"
            return Mistake(found, f"is not what `{verb.line}` takes.", words[0], meant)
    if verb.reason and not reason:
        return Mistake(
            found, "It needs a reason, for those who read this later.", like=verb.examples[0]
        )
    argument = ""
    if words:
        argument = words[0]
    if len(words) < 2:
        return Asked(verb, found, argument, reason=reason)
    if verb.name == "rollback":
        return Asked(verb, found, argument, job=words[1])
    if not re.fullmatch(r"[0-9]{1,3}", words[1]) or not 1 <= int(words[1]) <= MOST_LINES:
        return Mistake(found, f"is not a number of lines from 1 to {MOST_LINES}.", words[1])
    return Asked(verb, found, argument, int(words[1]))


def _example(verb: Verb, words: Sequence[str]) -> str:
    """The command without what is too much, if that is one."""
    shorter = " ".join([COMMAND, verb.name, *words])
    plain = all(re.fullmatch(r"[\w./-]+", word, re.ASCII) for word in words)
    if plain and not verb.reason and isinstance(_understood(shorter, verb, words), Asked):
        return shorter
    return ""


def _nearest_line(found: str) -> str:
    name = ""
    if len(found.split()) > 1:
        name = found.split()[1].casefold()
    if name in _BY_NAME:
        return _BY_NAME[name].examples[0]
    return ""


def _threads(discussion: Discussion) -> list[list[Comment]]:
    found: dict[int, list[Comment]] = {}
    for comment in discussion.comments:
        found.setdefault(comment.thread, []).append(comment)
    return [sorted(comments, key=lambda entry: entry.id) for comments in found.values()]


def _human(comment: Comment, me: str) -> bool:
    return (
        not comment.deleted
        and comment.author_id != me
        and not comment.unique_name.startswith("Build\\")
    )


def _answered(thread: Sequence[Comment], me: str) -> set[tuple[int, str]]:
    """Which comments of a thread were answered, each with the line that was."""
    asked = {comment.id: line(comment.content) for comment in thread if _human(comment, me)}
    found: set[tuple[int, str]] = set()
    for answer in thread:
        if answer.author_id != me:
            continue
        fits = [
            one
            for one, said in asked.items()
            if said and one < answer.id and answers.is_for(answer.content, said)
        ]
        if answer.parent in fits or (answer.deleted and answer.parent in asked):
            # What a deleted answer said is gone; what it was about must not be done again for that.
            found.add((answer.parent, asked[answer.parent]))
        elif not asked.get(answer.parent):
            # Should the service not keep what was answered, an answer is still for one that reads
            # so.
            found.update(
                (comment_id, asked[comment_id])
                for comment_id in [
                    fitting for fitting in fits if (fitting, asked[fitting]) not in found
                ][:1]
            )
    return found


def _holds_for(verb: Verb, named: str, commit: str) -> bool:
    # Somebody can make a commit whose first digits are those of another one.
    if verb.judges:
        return named == commit
    return bool(named) and commit.startswith(named)
