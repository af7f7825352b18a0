"""What people ask of the bot on a pull request, done if they may and answered where they asked.

An answer is the sign that a command was dealt with. What it orders follows from
the answer, whoever reads it, so the answer comes first.
"""

import logging
from datetime import UTC, datetime

from bot.controllers import memory, preview, rollback
from bot.controllers.memory import Course
from bot.controllers.neighbours import Neighbours, Repository
from bot.errors import NotFound
from bot.facts import Live, PullRequestFacts
from bot.rules import checks, obeying, rollout
from bot.rules.commands import Asked, Given, Mistake, refusal, rows
from bot.subjects import Retraining
from bot.words import addresses, answers

log = logging.getLogger(__name__)


def answer(given: Given, done: Course, repository: Repository, world: Neighbours) -> None:
    """Deal with one command."""
    asked, comment, head = given.asked, given.comment, done.memory.known
    if isinstance(asked, Mistake):
        body = answers.mistake(asked.line, asked.told, asked.word, asked.meant)
    elif why := _refusal(asked, comment.author_id, done, repository, world):
        body = answers.refused(asked.line, why)
    else:
        body = _obeyed(given, asked, done, repository, world)
    try:
        repository.azure.answer(head.number, comment.thread, comment.id, body)
        if comment.first:
            repository.azure.set_thread_status(head.number, comment.thread, "closed")
    except NotFound:
        log.info("a command on pull request %s was taken back before it was answered", head.number)
    done.performed.append(f"answered {comment.author}: {body.splitlines()[0]}")


def _refusal(asked: Asked, who: str, done: Course, repository: Repository, world: Neighbours) -> str:
    teams = world.rights.teams(asked.verb.right, repository.azure, world.now())
    return refusal(asked.verb, who, done.memory.known.creator, teams, own=world.rights.commands.own)


def _obeyed(given: Given, asked: Asked, done: Course, repository: Repository, world: Neighbours) -> str:
    pr, line, now = memory.facts(repository, done.memory, world.public_url), asked.line, world.now()
    if pr.head.target != pr.target:
        return answers.unavailable(line)
    told = checks.situation(pr, checks.planned(pr), now)
    match asked.verb.name:
        case "help":
            return answers.help_(line, rows(world.rights.names()))
        case "status" if asked.argument == "prod":
            return answers.live(line, _live(pr, world))
        case "status":
            return answers.status(line, told)
        case "explain":
            return answers.explain(line, told, pr.orders, pr.problem)
        case "diff":
            return answers.diff(line, preview.gather(pr.head, repository, world, now))
        case "logs":
            return _logs(asked, pr, world)
        case "retrain":
            return _retrained(given, asked, pr, done)
        case "rollback" if asked.argument == "model":
            return rollback.answer(line, pr, repository, world)
        case "rollback":
            return answers.unavailable(line)
    reaction = obeying.react(given, asked, pr, now)
    if reaction.order is not None:
        done.memory = done.memory.obeying(reaction.order)
    return reaction.body


def _logs(asked: Asked, pr: PullRequestFacts, world: Neighbours) -> str:
    steps = checks.planned(pr)
    project = obeying.named(asked.argument, tuple(step.project for step in steps))
    step = next((one for one in steps if one.project == project), None)
    if step is None:
        return answers.unknown_project(asked.line, asked.argument, [one.project.name for one in steps])
    run = step.run
    log_ = run.log if run is not None else ""
    page = addresses.run(world.public_url, run.token) if run is not None else ""
    return answers.logs(asked.line, step.project.name, log_, asked.lines, page)


def _retrained(given: Given, asked: Asked, pr: PullRequestFacts, done: Course) -> str:
    projects = tuple(one for one in (pr.config.projects if pr.config else ()) if one.retrain is not None)
    project = obeying.named(asked.argument, projects) if asked.argument else projects[0] if len(projects) == 1 else None
    if project is None:
        return answers.unknown_project(asked.line, asked.argument, [one.name for one in projects])
    comment = given.comment
    done.wake.append(Retraining(pr.repository, pr.head.number, comment.thread, comment.id, project.path))
    return answers.accepted(asked.line, "retrain", pr.head.commit, project.name)


def _live(pr: PullRequestFacts, world: Neighbours) -> list[Live]:
    """What each scoring job of the configuration loads."""
    found: list[Live] = []
    for job in pr.config.jobs if pr.config else ():
        there = world.production.databricks.job(job.name)
        name, version = rollout.loaded(there) if there is not None else ("", "")
        if there is None or not version:
            problem = "It is not there yet." if there is None else "No version was promoted yet."
            found.append(Live(job.name, problem=problem))
            continue
        promoted = world.production.models.promoted(job.model, job.alias, job.stage)
        one = next((one for one in promoted if (one.name, one.version) == (name, version)), None)
        since = datetime.fromtimestamp(one.updated / 1000, UTC) if one is not None and one.updated else None
        found.append(Live(job.name, name, version, there.tags.get(rollout.COMMIT, ""), since))
    return found
