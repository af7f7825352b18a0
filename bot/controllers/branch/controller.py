"""A pass over a target branch: what it holds, what the workspace holds of it, and what is still
missing.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import assert_never

from bot.actions import (
    BranchAction,
    ChangeJob,
    CreateJob,
    LookAgain,
    NoteDrift,
    ObjectAction,
    RemoveFolder,
    RemoveJob,
    RemoveObject,
    Reply,
    SetAside,
    Together,
    Wake,
    WriteManifest,
    WriteObject,
)
from bot.controllers import parallel, target_config, thread
from bot.controllers.branch import drift, jobs, manifest
from bot.controllers.services import Repository, Services
from bot.facts.branch import BranchFacts, Manifest
from bot.passes import Look, Outcome
from bot.rules.branch import jobs as job_rules
from bot.rules.branch import sync
from bot.rules.pull_request import commands
from bot.subjects import Branch, Subject
from bot.words import report


def pass_over(subject: Branch, look: Look, services: Services) -> Outcome:
    """Gather, decide, perform."""
    repository = services.repositories[subject.repository]
    facts = gather(repository, services, thorough=not look.news)
    performed: list[str] = []
    wake: list[Subject] = []
    again: list[float] = []
    ids: dict[str, int] = {}
    orders = sync.plan(facts)
    memo = look.memo
    if not look.news and sync.settled(facts.manifest, facts.tip):
        # First, so that an edit is told before it is written over.
        found, memo = drift.look_for_drift(facts, look.memo, repository, services)
        orders = [*found, *orders]
    for action in look.while_leased(orders):
        match action:
            case CreateJob() | ChangeJob() | RemoveJob():
                told, job = jobs.perform(action, facts.repository, services)
                if isinstance(action, CreateJob):
                    ids[action.definition.key] = job
                performed.append(told)
            case WriteManifest(noted):
                owned = {
                    key: replace(job, id=ids.get(key, job.id)) for key, job in noted.jobs.items()
                }
                manifest.write(replace(noted, jobs=owned), services.production.databricks)
                if noted.commit == facts.tip:
                    performed.append(f"the workspace holds {noted.commit[:7]}")
            case Wake(woken):
                wake.append(woken)
            case LookAgain(seconds):
                again.append(seconds)
            case _:
                performed += perform(action, look, repository, services)
    return Outcome(min(again, default=None), memo, tuple(performed), tuple(wake))


def gather(repository: Repository, services: Services, *, thorough: bool = True) -> BranchFacts:
    """Read the branch's tip and its configuration, the manifest, and what has to be known for what
    they differ in.

    The jobs are read where their definitions have changed, and if it is to be `thorough`. Raises
    ConfigError when the configuration at the tip cannot be used: the workspace then stays as it is.
    """
    served = repository.served
    databricks = services.production.databricks
    (tip, wanted), held, asked = parallel.three(
        lambda: target_config.read(repository),
        lambda: manifest.read(served.key, databricks),
        lambda: manifest.read_rollback(served.key, databricks),
    )
    back = None
    if asked is not None and asked.commit == tip:
        back = asked
    goal = tip
    if back is not None:
        goal = back.instead
        repository.mirror.bring_past(served.target, goal)
        wanted = target_config.at(goal, repository)
    facts = BranchFacts(
        repository=served.key,
        target=served.target,
        tip=goal,
        config=wanted,
        files=(),
        manifest=held,
        now=services.now(),
        rolled_back=back,
    )
    if sync.settled(held, goal) and not thorough:
        return facts
    files, merged, described = parallel.three(
        lambda: repository.mirror.files(goal, tuple(folder.from_ for folder in wanted.folders)),
        lambda: _merged(held, goal, repository) if back is None else (),
        lambda: jobs.definitions(goal, wanted, repository),
    )
    facts = replace(facts, files=files, merged=merged)
    if thorough or job_rules.moved(described, held.jobs):
        number = sync.brought_by(facts)
        facts = replace(
            facts, jobs=jobs.gather(served.key, goal, described, held.jobs, services, number)
        )
    removed, guarded = sync.removals(facts)
    if not removed:
        return facts
    return replace(facts, used=_used(services), confirmed=guarded and _confirmed(facts, repository))


def _merged(held: Manifest, tip: str, repository: Repository) -> tuple[tuple[int, str], ...]:
    """The pull requests that were merged since the commit that was completely there, the oldest
    first.
    """
    if held.commit == tip:
        return ()
    commits = repository.mirror.since(repository.served.target, held.commit or held.since, tip)
    merged = repository.azure.merged_as(commits)
    return tuple((merged[commit], commit) for commit in reversed(commits) if commit in merged)


def _used(services: Services) -> tuple[tuple[str, int, str], ...]:
    """The workspace paths that jobs run, each with the id and the name of the job."""
    return tuple(
        (path, job.id, job.name)
        for job in services.production.databricks.jobs()
        for path in sync.runs(job.settings)
    )


def _confirmed(facts: BranchFacts, repository: Repository) -> bool:
    """Whether somebody agreed, on a pull request that brought it, that so much is removed."""
    live = facts.manifest.live
    numbers = {number for number, _ in facts.merged} or (
        {live.pull_request} if live and live.pull_request else set()
    )
    for number in sorted(numbers):
        head = repository.azure.pull_request(number)
        given = commands.orders(repository.azure.discussion(number), head.commit)
        if any(order.verb == "confirm" for order in given):
            return True
    return False


def perform(
    action: ObjectAction | Together | NoteDrift | Reply,
    look: Look,
    repository: Repository,
    services: Services,
) -> list[str]:
    """Do one thing, or things side by side; says in words what was done.

    Raises LostLease when the subject is not ours any more.
    """
    if not isinstance(action, Together):
        return [_perform(action, repository, services)]

    def one(order: ObjectAction) -> Callable[[], str]:
        def call() -> str:
            (mine,) = look.while_leased((order,))
            return _perform(mine, repository, services)

        return call

    return parallel.side_by_side([one(order) for order in action.orders], services.calls)


def _perform(
    action: ObjectAction | NoteDrift | Reply, repository: Repository, services: Services
) -> str:
    databricks = services.production.databricks
    match action:
        case WriteObject(path, source):
            content = repository.mirror.content(source.digest)
            suffix = ""
            if source.notebook:
                suffix = source.path.rpartition(".")[2]
            databricks.write(path, content, f".{suffix}" if suffix else "")
            return f"wrote {path}"
        case RemoveObject(path):
            databricks.remove(path)
            return f"removed {path}"
        case RemoveFolder(path):
            databricks.remove_folder(path)
            return f"removed folder {path}, if it was empty"
        case NoteDrift() | SetAside():
            return drift.perform(action, services)
        case Reply(number, body, sign):
            body = services.templates.filled(body)
            opening = services.templates.filled(report.not_yet())
            thread.reply(repository.azure, number, body, sign, opening=opening, merged=True)
            return f"told pull request {number}: {body.strip()}"
        case _:
            assert_never(action)


def described(action: BranchAction) -> list[str]:
    """What an action would do, for a dry run; nothing for what leaves no trace in the workspace."""
    match action:
        case WriteObject(path, source):
            return [f"write {path} from {source.path}"]
        case RemoveObject(path):
            return [f"remove {path}"]
        case RemoveFolder(path):
            return [f"remove folder {path}, if it is empty"]
        case Together(orders):
            return [line for order in orders for line in described(order)]
        case CreateJob(definition):
            return [f"create job {definition.name}"]
        case ChangeJob(name=name, changes=changes):
            return [f"change job {name}: {', '.join(changes) or 'its tags'}"]
        case RemoveJob(name=name):
            return [f"remove job {name}"]
        case _:
            return []
