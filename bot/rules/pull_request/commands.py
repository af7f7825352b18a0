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
from typing import get_args

from bot.facts.discussion import (
    COMMAND,
    Comment,
    Discussion,
    Mistake,
    NotAllowed,
    Order,
    OrderVerb,
    Right,
    Team,
)
from bot.words import answers, escape

LONGEST = 300
"""Characters of a command, so that an answer can repeat the whole of it."""
MOST_LINES = 200
FEW_LINES = 20

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

    `vouches`: it lets a stranger's code run, so that it takes somebody in a team that is named, and
    never who opened the pull request.
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
    vouches: bool = False

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
        vouches=True,
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
class Given:
    """A command somebody gave, and the comment it stands in."""

    comment: Comment
    asked: Asked | Mistake


def read(content: str) -> Asked | Mistake | None:
    """Read a comment; None when it is not a command."""
    command = line(content)
    if not command:
        return None
    if len(command) > LONGEST:
        return Mistake(command, "too long", most=LONGEST)
    # Word processors and phones write other quotation marks; where both are, those are part of what
    # is said.
    quoted = command
    if '"' not in command:
        quoted = command.translate(_QUOTES)
    try:
        words = shlex.split(quoted)
    except ValueError:
        return Mistake(command, "quotation mark", like=_nearest_line(command))
    if len(words) == 1:
        return Mistake(command, "no command")
    name = words[1]
    verb = _BY_NAME.get(name.casefold())
    if verb is None:
        return Mistake(command, "unknown command", name, _nearest(name, list(_BY_NAME), COMMAND))
    return _understood(command, verb, words[2:])


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
    given: list[Given] = []
    for thread in _threads(discussion):
        answered = _answered(thread, discussion.me)
        for comment in thread:
            asked = None
            if _human(comment, discussion.me):
                asked = read(comment.content)
            if asked is not None and (comment.id, asked.line) not in answered:
                given.append(Given(comment, asked))
    return sorted(
        given, key=lambda entry: (entry.comment.published, entry.comment.thread, entry.comment.id)
    )


def orders(discussion: Discussion, commit: str) -> tuple[Order, ...]:
    """The orders that were accepted and hold for a commit, in the order they were given.

    They are read back from the bot's own answers, so that an order is neither lost
    with the database, nor changed by an edit of the comment it was given in.
    """
    given: list[Order] = []
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
                given.append(
                    Order(
                        asked.verb.name, commit, by, answer.published, asked.argument, asked.reason
                    )
                )
    return tuple(sorted(given, key=lambda order: order.at))


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


def refusal(
    verb: Verb, who: str, creator: str, teams: Sequence[Team], *, own: bool = False
) -> NotAllowed | None:
    """Why somebody may not give a command, and who may; None when they may.

    `who` and `creator` are identity ids, of who asks and of who opened the pull
    request; `teams` are those that have the verb's right; `own` allows people to
    judge their own pull requests, but not to vouch for a fork's code.
    """
    if verb.right == "anyone":
        return None
    if not teams and (verb.vouches or verb.right != "contributor"):
        return NotAllowed("no team", verb.right, setting=SETTINGS[verb.right])
    # Where no team is named, Azure DevOps lets only those comment who may contribute.
    if teams and not any(who in team.members for team in teams):
        return NotAllowed("not in a team", verb.right, tuple(teams))
    if verb.own or (own and not verb.vouches):
        return None
    if not creator:
        return NotAllowed("creator unknown", verb.right)
    if who == creator:
        return NotAllowed("own pull request", verb.right, tuple(teams))
    return None


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
    elif teams is not None and (verb.vouches or verb.right not in ("anyone", "contributor")):
        who = f"{who} (nobody yet)"
    elif verb.vouches:
        who = f"{who} of a named team"
    if verb.own:
        return who
    return f"{who}, but not who opened the pull request"


def _understood(line: str, verb: Verb, rest: Sequence[str]) -> Asked | Mistake:
    words, reason = _reasoned(verb, rest)
    mistake = _mistaken(line, verb, words)
    if mistake is not None:
        return mistake
    if verb.reason and not reason:
        return Mistake(line, "no reason", like=verb.examples[0])
    argument = ""
    if words:
        argument = words[0]
    if verb.choices:
        argument = argument.casefold()
    if len(words) < 2:
        return Asked(verb, line, argument, reason=reason)
    if verb.name == "rollback":
        return Asked(verb, line, argument, job=words[1])
    return Asked(verb, line, argument, int(words[1]))


def _reasoned(verb: Verb, rest: Sequence[str]) -> tuple[list[str], str]:
    """The words after a command's name, and the reason among them (empty: there is none)."""
    words: list[str] = []
    reason = ""
    for word in rest:
        key, sign, value = word.partition("=")
        if verb.reason and sign and key.casefold() == "reason":
            reason = " ".join(value.split())
        else:
            words.append(word)
    return words, reason


def _mistaken(line: str, verb: Verb, words: Sequence[str]) -> Mistake | None:
    """What is wrong with the words after a command's name; None: nothing."""
    most = verb.most
    if verb.name == "rollback" and words[:1] and words[0].casefold() == "sync":
        most = 1
    if len(words) > most:
        shorter = _example(verb, words[:most])
        return Mistake(line, "too much", words[most], shorter, usage=verb.line)
    if len(words) < verb.least:
        return Mistake(line, "too little", like=verb.examples[0], usage=verb.line)
    if verb.choices and words and words[0].casefold() not in verb.choices:
        word = words[0].casefold()
        meant = _nearest(word, verb.choices, f"{COMMAND} {verb.name}")
        return Mistake(line, "no such choice", word, meant, usage=verb.line)
    if verb.name == "logs" and len(words) == 2 and not _is_number_of_lines(words[1]):
        return Mistake(line, "no number of lines", words[1], most=MOST_LINES)
    return None


def _is_number_of_lines(word: str) -> bool:
    return bool(re.fullmatch(r"[0-9]{1,3}", word)) and 1 <= int(word) <= MOST_LINES


def _nearest(word: str, known: Sequence[str], before: str) -> str:
    """The command that may have been meant: `before` it, and what is spelled most like `word`;
    empty when nothing is like it.
    """
    near = difflib.get_close_matches(word.casefold()[:40], known, 1)
    if near:
        return f"{before} {near[0]}"
    return ""


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
    threads: dict[int, list[Comment]] = {}
    for comment in discussion.comments:
        threads.setdefault(comment.thread, []).append(comment)
    return [sorted(comments, key=lambda entry: entry.id) for comments in threads.values()]


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
