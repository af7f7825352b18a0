"""What is asked of the bot on a pull request: done if whoever asks may ask it, and answered where
they asked.

The answer is the sign that a command was dealt with. What it orders follows from
the answer, whoever reads it.
"""

from bot.config.repository import Project
from bot.controllers.branch import rollback as merge_rollback
from bot.controllers.model import acceptance, rollback
from bot.controllers.pull_request import answers, memo, preview
from bot.controllers.pull_request.memo import PassState
from bot.controllers.services import Repository, Services
from bot.facts.discussion import Comment, Mistake
from bot.facts.pull_request import PullRequestFacts
from bot.facts.runs import ProjectRun
from bot.passes import Look
from bot.rules.pull_request import checks, commands, orders, recall
from bot.rules.pull_request.commands import Asked, Given
from bot.subjects import Branch, Retraining, Subject
from bot.words import addresses
from bot.words import answers as words

MOST_OF_A_LOG = 200_000
"""Characters: more than an answer has room for."""


def obey(
    given: Given, look: Look, done: PassState, repository: Repository, services: Services
) -> None:
    """Do what one command asks, if whoever gave it may, and answer it."""
    head = done.memo.known_head
    body = answers.refused(given, head, repository, services)
    if not body:
        body = _answered(given, done, repository, services)
    if not body:
        body = _carried_out(given, look, done, repository, services)
    body = services.templates.filled(body)
    answers.answer(repository.azure, head.number, given, body)
    done.performed.append(f"answered {given.comment.author}: {body.splitlines()[0]}")


def _answered(given: Given, done: PassState, repository: Repository, services: Services) -> str:
    """The answer to what only asks, cannot be understood, or is asked where it has no meaning;
    empty for a command that changes something.
    """
    now = services.now()
    asked = given.asked
    head = done.memo.known_head
    if head.target != repository.served.target:
        return words.unavailable(asked.line)
    if isinstance(asked, Asked) and asked.verb.name == "diff":
        done.know(preview=preview.gather(head, repository, services, now))
    pr = memo.facts(repository, done.memo, services.public_url)
    situation = checks.situation(pr, checks.planned(pr), now)

    def read_log(run: ProjectRun) -> tuple[str, str]:
        kept, _ = services.queue.log_end(run.token, MOST_OF_A_LOG)
        return kept or run.log, addresses.run(services.public_url, run.token)

    answer = answers.told(
        asked, situation, repository, services, orders=pr.orders, why=pr.problem, read_log=read_log
    )
    return answer or ""


def _carried_out(
    given: Given, look: Look, done: PassState, repository: Repository, services: Services
) -> str:
    """Do what changes something, and give the answer."""
    pr = memo.facts(repository, done.memo, services.public_url)
    asked = given.asked
    if isinstance(asked, Mistake):
        return words.unavailable(asked.line)
    match asked.verb.name:
        case "retrain":
            return _retrained(given, asked, pr, done)
        case "rollback" if asked.argument == "sync":
            said = _take_back(given, pr, done, repository, services)
        case "rollback":
            if pr.config is None:
                return words.unavailable(asked.line)
            said, performed = rollback.roll_back(asked.job, pr.config, look, repository, services)
            done.performed += performed
        case "override" if asked.argument.casefold() == commands.PROMOTION:
            if pr.config is None:
                return words.unavailable(asked.line)
            said, performed, woken = acceptance.accept(
                pr.head.number, given.comment.author, asked.reason, pr.config, repository, services
            )
            done.performed += performed
            done.wake += woken
        case _:
            return _ordered(given, asked, pr, done, services)
    return words.plain(asked.line, services.templates.filled(said))


def _take_back(
    given: Given,
    pr: PullRequestFacts,
    done: PassState,
    repository: Repository,
    services: Services,
) -> str:
    """Take the last merge back; gives what is said of it."""
    comment = given.comment
    order = f"{pr.head.number}/{comment.thread}/{comment.id}"
    said, noted = merge_rollback.take_back(
        comment.author, order, pr.head.number, repository, services
    )
    if noted:
        done.wake.append(Branch(pr.repository))
    return said


def _ordered(
    given: Given, asked: Asked, pr: PullRequestFacts, done: PassState, services: Services
) -> str:
    """Note an order if there is something to be obeyed, and give the answer."""
    reaction = orders.react(given, asked, pr, services.now())
    if reaction.order is not None:
        done.memo = recall.ordered(done.memo, reaction.order)
        if reaction.order.verb == "confirm":
            done.wake.append(Branch(pr.repository))
    return reaction.body


def subjects_to_wake(done: PassState, repository: Repository, services: Services) -> list[Subject]:
    """Whom commands have woken that were accepted here, also in a pass that was cut off before it
    could wake them: retrainings, and the branch that waits for somebody to agree.
    """
    if done.talk is None:
        return []
    pr = memo.facts(repository, done.memo, services.public_url)
    given = commands.accepted(done.talk, "retrain")
    subjects: list[Subject] = [
        _retraining(comment, project, pr)
        for comment, asked in given
        if (project := _trained(asked, pr))
    ]
    agreed = any(order.verb == "confirm" for order in commands.orders(done.talk, pr.head.commit))
    if agreed and pr.head.merged:
        return [*subjects, Branch(pr.repository)]
    return subjects


def _retrained(given: Given, asked: Asked, pr: PullRequestFacts, done: PassState) -> str:
    project = _trained(asked, pr)
    if project is None:
        return words.unknown_project(
            asked.line, asked.argument, [project.name for project in _trainable(pr)]
        )
    done.wake.append(_retraining(given.comment, project, pr))
    return words.accepted(asked.line, "retrain", pr.head.commit, project.name)


def _retraining(comment: Comment, project: Project, pr: PullRequestFacts) -> Retraining:
    return Retraining(pr.repository, pr.head.number, comment.thread, comment.id, project.path)


def _trained(asked: Asked, pr: PullRequestFacts) -> Project | None:
    """The project that somebody wants retrained: the one named, or the only one there is."""
    projects = _trainable(pr)
    if asked.argument:
        return orders.named(asked.argument, projects)
    if len(projects) == 1:
        return projects[0]
    return None


def _trainable(pr: PullRequestFacts) -> tuple[Project, ...]:
    return tuple(
        project
        for project in (pr.config.projects if pr.config else ())
        if project.retrain is not None
    )
