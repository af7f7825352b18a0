"""What is asked of the bot on a pull request: done if whoever asks may ask it, and answered where they asked.

The answer is the sign that a command was dealt with. What it orders follows from
the answer, whoever reads it.
"""

from bot.controllers import conversation, memory, preview, rollback
from bot.controllers.memory import Course
from bot.controllers.neighbours import Neighbours, Repository
from bot.facts import ProjectRun, PullRequestFacts
from bot.passes import Look
from bot.rules import checks, obeying
from bot.rules.commands import Asked, Given, Mistake
from bot.subjects import Retraining
from bot.words import addresses, answers
from bot.words.mask import masked


def deal(given: Given, look: Look, done: Course, repository: Repository, world: Neighbours) -> None:
    """Deal with one command."""
    head = done.memory.known
    body = conversation.refused(given, head, repository, world) or _done(given, look, done, repository, world)
    conversation.answer(repository.azure, head.number, given, body)
    done.performed.append(f"answered {given.comment.author}: {body.splitlines()[0]}")


def _done(given: Given, look: Look, done: Course, repository: Repository, world: Neighbours) -> str:
    pr, now, asked = memory.facts(repository, done.memory, world.public_url), world.now(), given.asked
    if pr.head.target != pr.target:
        return answers.unavailable(asked.line)
    if isinstance(asked, Asked) and asked.verb.name == "diff":
        done.know(preview=preview.gather(pr.head, repository, world, now))
        pr = memory.facts(repository, done.memory, world.public_url)
    situation = checks.situation(pr, checks.planned(pr), now)

    def read_log(run: ProjectRun) -> tuple[str, str]:
        return masked(run.log, world.secrets), addresses.run(world.public_url, run.token)

    told = conversation.told(asked, situation, pr.config, world, orders=pr.orders, why=pr.problem, read_log=read_log)
    if told is not None or isinstance(asked, Mistake):
        return told or answers.unavailable(asked.line)
    match asked.verb.name, asked.argument:
        case "retrain", _:
            return _retrained(given, asked, pr, done)
        case "rollback", "model":
            if pr.config is None:
                return answers.unavailable(asked.line)
            said, performed = rollback.roll_back(asked.job, pr.config, look, repository, world)
            done.performed += performed
            return answers.plain(asked.line, said)
        case "rollback", _:
            return answers.unavailable(asked.line)
    reaction = obeying.react(given, asked, pr, now)
    if reaction.order is not None:
        done.memory = done.memory.obeying(reaction.order)
    return reaction.body


def _retrained(given: Given, asked: Asked, pr: PullRequestFacts, done: Course) -> str:
    projects = tuple(one for one in (pr.config.projects if pr.config else ()) if one.retrain is not None)
    project = obeying.named(asked.argument, projects) if asked.argument else projects[0] if len(projects) == 1 else None
    if project is None:
        return answers.unknown_project(asked.line, asked.argument, [one.name for one in projects])
    comment = given.comment
    done.wake.append(Retraining(pr.repository, pr.head.number, comment.thread, comment.id, project.path))
    return answers.accepted(asked.line, "retrain", pr.head.commit, project.name)
