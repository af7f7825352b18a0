"""What is asked of the bot on a pull request: done if whoever asks may ask it, and answered where
they asked.

The answer is the sign that a command was dealt with. What it orders follows from
the answer, whoever reads it.
"""

from bot.config.repository import Project
from bot.controllers.branch import rollback as merge_rollback
from bot.controllers.model import acceptance, rollback
from bot.controllers.pull_request import answers as conversation
from bot.controllers.pull_request import memo, preview
from bot.controllers.pull_request.memo import PassState
from bot.controllers.services import Repository, Services
from bot.facts.discussion import Comment, Mistake
from bot.facts.pull_request import PullRequestFacts
from bot.facts.runs import ProjectRun
from bot.passes import Look
from bot.rules.pull_request import checks, commands, orders
from bot.rules.pull_request.commands import Asked, Given
from bot.subjects import Branch, Retraining, Subject
from bot.words import addresses, answers

MOST_OF_A_LOG = 200_000
"""Characters: more than an answer has room for."""


def deal(
    given: Given, look: Look, done: PassState, repository: Repository, services: Services
) -> None:
    """Deal with one command."""
    head = done.memory.known
    body = conversation.refused(given, head, repository, services) or _done(
        given, look, done, repository, services
    )
    body = services.templates.filled(body)
    conversation.answer(repository.azure, head.number, given, body)
    done.performed.append(f"answered {given.comment.author}: {body.splitlines()[0]}")


def _done(
    given: Given, look: Look, done: PassState, repository: Repository, services: Services
) -> str:
    pr = memo.facts(repository, done.memory, services.public_url)
    now = services.now()
    asked = given.asked
    if pr.head.target != pr.target:
        return answers.unavailable(asked.line)
    if isinstance(asked, Asked) and asked.verb.name == "diff":
        done.know(preview=preview.gather(pr.head, repository, services, now))
        pr = memo.facts(repository, done.memory, services.public_url)
    situation = checks.situation(pr, checks.planned(pr), now)

    def read_log(run: ProjectRun) -> tuple[str, str]:
        kept, _ = services.queue.log_end(run.token, MOST_OF_A_LOG)
        return kept or run.log, addresses.run(services.public_url, run.token)

    told = conversation.told(
        asked, situation, repository, services, orders=pr.orders, why=pr.problem, read_log=read_log
    )
    if told is not None or isinstance(asked, Mistake):
        return told or answers.unavailable(asked.line)
    match asked.verb.name:
        case "retrain":
            return _retrained(given, asked, pr, done)
        case "rollback" if asked.argument == "sync":
            comment = given.comment
            order = f"{pr.head.number}/{comment.thread}/{comment.id}"
            said, noted = merge_rollback.take_back(
                comment.author, order, pr.head.number, repository, services
            )
            if noted:
                done.wake.append(Branch(pr.repository))
            return answers.plain(asked.line, services.templates.filled(said))
        case "rollback":
            if pr.config is None:
                return answers.unavailable(asked.line)
            said, performed = rollback.roll_back(asked.job, pr.config, look, repository, services)
            done.performed += performed
            return answers.plain(asked.line, services.templates.filled(said))
        case "override" if asked.argument.casefold() == commands.PROMOTION:
            if pr.config is None:
                return answers.unavailable(asked.line)
            said, performed, woken = acceptance.accept(
                pr.head.number, given.comment.author, asked.reason, pr.config, repository, services
            )
            done.performed += performed
            done.wake += woken
            return answers.plain(asked.line, services.templates.filled(said))
    reaction = orders.react(given, asked, pr, now)
    if reaction.order is not None:
        done.memory = done.memory.obeying(reaction.order)
        if reaction.order.verb == "confirm":
            done.wake.append(Branch(pr.repository))
    return reaction.body


def woken(done: PassState, repository: Repository, services: Services) -> list[Subject]:
    """Whom commands have woken that were accepted here, also in a pass that was cut off before it
    could wake them: retrainings, and the branch that waits for somebody to agree.
    """
    if done.talk is None:
        return []
    pr = memo.facts(repository, done.memory, services.public_url)
    given = commands.accepted(done.talk, "retrain")
    found: list[Subject] = [
        _retraining(comment, project, pr)
        for comment, asked in given
        if (project := _trained(asked, pr))
    ]
    agreed = any(order.verb == "confirm" for order in commands.orders(done.talk, pr.head.commit))
    if agreed and pr.head.merged:
        return [*found, Branch(pr.repository)]
    return found


def _retrained(given: Given, asked: Asked, pr: PullRequestFacts, done: PassState) -> str:
    project = _trained(asked, pr)
    if project is None:
        return answers.unknown_project(
            asked.line, asked.argument, [project.name for project in _trainable(pr)]
        )
    done.wake.append(_retraining(given.comment, project, pr))
    return answers.accepted(asked.line, "retrain", pr.head.commit, project.name)


def _retraining(comment: Comment, project: Project, pr: PullRequestFacts) -> Retraining:
    return Retraining(pr.repository, pr.head.number, comment.thread, comment.id, project.path)


def _trained(asked: Asked, pr: PullRequestFacts) -> Project | None:
    """The project that somebody wants retrained: the one named, or the only one there is."""
    known = _trainable(pr)
    if asked.argument:
        return orders.named(asked.argument, known)
    if len(known) == 1:
        return known[0]
    return None


def _trainable(pr: PullRequestFacts) -> tuple[Project, ...]:
    return tuple(
        project
        for project in (pr.config.projects if pr.config else ())
        if project.retrain is not None
    )
