"""A pass over a target branch reconciles the workspace: what the one holds, what the other holds of
it, and what is still missing.
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
from bot.facts.branch import BranchFacts
from bot.passes import Look, Outcome
from bot.rules.branch import jobs as job_rules
from bot.rules.branch import sync
from bot.rules.pull_request import commands
from bot.subjects import Branch, Subject


def pass_over(subject: Branch, look: Look, services: Services) -> Outcome:
    """Gather, decide, perform."""
    repository = services.repositories[subject.repository]
    facts = gather(repository, services, thorough=not look.news)
    performed: list[str] = []
    wake: list[Subject] = []
    again: list[float] = []
    ids: dict[str, int] = {}
    actions = sync.plan(facts)
    memo = look.memo
    if not look.news and sync.settled(facts.manifest, facts.tip):
        # First, so that an edit is told before it is written over.
        restoring, memo = drift.look_for_drift(facts, look.memo, repository, services)
        actions = [*restoring, *actions]
    for action in look.while_leased(actions):
        match action:
            case CreateJob() | ChangeJob() | RemoveJob():
                line, job_id = jobs.perform(action, facts.repository, services)
                if isinstance(action, CreateJob):
                    ids[action.definition.key] = job_id
                performed.append(line)
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
    facts = _goal(repository, services)
    if sync.settled(facts.manifest, facts.tip) and not thorough:
        return facts
    held = facts.manifest
    commit = facts.tip
    config = facts.config
    folders = tuple(folder.from_ for folder in config.folders)
    files, merged, described = parallel.three(
        lambda: repository.mirror.files(commit, folders),
        lambda: _merged(facts, repository),
        lambda: jobs.definitions(commit, config, repository),
    )
    facts = replace(facts, files=files, merged=merged)
    if thorough or job_rules.moved(described, held.jobs):
        number = sync.brought_by(facts)
        job_facts = jobs.gather(facts.repository, commit, described, held.jobs, services, number)
        facts = replace(facts, jobs=job_facts)
    removed, guarded = sync.removals(facts)
    if not removed:
        return facts
    return replace(facts, used=_used(services), confirmed=guarded and _confirmed(facts, repository))


def _goal(repository: Repository, services: Services) -> BranchFacts:
    """What the workspace is to hold, and what it holds: the tip, or the commit that is to be there
    instead, and the manifest.
    """
    served = repository.served
    databricks = services.production.databricks
    (tip, config), held, noted = parallel.three(
        lambda: target_config.read(repository),
        lambda: manifest.read(served.key, databricks),
        lambda: manifest.read_rollback(served.key, databricks),
    )
    goal = BranchFacts(
        repository=served.key,
        target=served.target,
        tip=tip,
        config=config,
        files=(),
        manifest=held,
        now=services.now(),
    )
    if noted is None or noted.commit != tip:
        return goal
    repository.mirror.bring_past(served.target, noted.instead)
    config = target_config.at(noted.instead, repository)
    return replace(goal, tip=noted.instead, config=config, rolled_back=noted)


def _merged(facts: BranchFacts, repository: Repository) -> tuple[tuple[int, str], ...]:
    """The pull requests that were merged since the commit that was completely there, the oldest
    first; none for a commit that is rolled back to.
    """
    held = facts.manifest
    tip = facts.tip
    if facts.rolled_back is not None or held.commit == tip:
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
    numbers = {number for number, _ in facts.merged}
    if not numbers and live is not None and live.pull_request is not None:
        numbers = {live.pull_request}
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

    def performing(each: ObjectAction) -> Callable[[], str]:
        def call() -> str:
            (leased,) = look.while_leased((each,))
            return _perform(leased, repository, services)

        return call

    return parallel.side_by_side([performing(each) for each in action.actions], services.calls)


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
            thread.reply(
                repository.azure, number, body, sign, templates=services.templates, merged=True
            )
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
        case Together(actions):
            return [line for each in actions for line in described(each)]
        case CreateJob(definition):
            return [f"create job {definition.name}"]
        case ChangeJob(name=name, changes=changes):
            return [f"change job {name}: {', '.join(changes) or 'its tags'}"]
        case RemoveJob(name=name):
            return [f"remove job {name}"]
        case _:
            return []
