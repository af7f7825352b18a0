"""What merging a pull request would do, gathered from the merge that Azure DevOps tried. Changes nothing."""

from collections.abc import Mapping
from datetime import datetime

from bot.controllers import branch, target
from bot.controllers.neighbours import Neighbours, Repository
from bot.errors import ConfigError, NotFound, ServiceError
from bot.facts import Preview, PullRequestHead
from bot.rules import preview


def gather(head: PullRequestHead, repository: Repository, world: Neighbours, now: datetime) -> Preview:
    """What a merge of this head would change in the workspace.

    Raises nothing of a neighbour's: a preview that cannot be made says why, and holds up no verdict.
    """
    try:
        return _compared(head, repository, world, now)
    except (ConfigError, ServiceError) as reason:
        return Preview(problem=str(reason))


def _compared(head: PullRequestHead, repository: Repository, world: Neighbours, now: datetime) -> Preview:
    try:
        merge, source = repository.mirror.bring_merge(head.number)
    except NotFound:
        source = ""
    if source != head.commit:
        return Preview(
            problem=f"Azure DevOps has not merged {head.commit[:7]} with {head.target} on trial: it conflicts with it, "
            "or the trial is still under way."
        )
    base = repository.mirror.parents(merge)[0]
    after = _content(merge, repository)
    try:
        before = _content(base, repository)
        held: Mapping[str, str] = preview.present(before)
        known = [job.name for job in before.config.jobs]
    except ConfigError:
        # A merge that repairs the target branch brings all that the workspace has waited for.
        held, known = branch.read_manifest(repository.served.key, world).files, []
    jobs = {job.name: world.production.databricks.job(job.name) for job in after.config.jobs}
    return preview.preview(held, known, after, jobs, now)


def _content(commit: str, repository: Repository) -> preview.Content:
    wanted = target.at(commit, repository)
    folders = tuple(folder.from_ for folder in wanted.folders)
    return preview.Content(wanted, repository.mirror.files(commit, folders))
