"""What merging a pull request would do, gathered from the merge that Azure DevOps tried. Changes
nothing.
"""

from dataclasses import replace
from datetime import datetime

from bot.controllers import target_config
from bot.controllers.branch import jobs, manifest
from bot.controllers.services import Repository, Services
from bot.errors import ConfigError, NotFound, ServiceError
from bot.facts.branch import OwnedJob, Preview
from bot.facts.pull_request import PullRequestHead
from bot.rules.branch import jobs as rule
from bot.rules.branch import preview


def gather(
    head: PullRequestHead, repository: Repository, services: Services, now: datetime
) -> Preview:
    """What a merge of this head would change in the workspace.

    Raises nothing of a neighbour's: a preview that cannot be made says why, and holds up no
    verdict.
    """
    try:
        return _compared(head, repository, services, now)
    except (ConfigError, ServiceError) as reason:
        return Preview(problem=str(reason))


def _compared(
    head: PullRequestHead, repository: Repository, services: Services, now: datetime
) -> Preview:
    try:
        merge, source = repository.mirror.bring_merge(head.number)
    except NotFound:
        source = ""
    if source != head.commit:
        return Preview(
            problem=f"Azure DevOps has not merged {head.commit[:7]} with {head.target} on trial: "
            "it conflicts with it, or the trial is still under way."
        )
    before = None
    mistakes_before = []
    held = None
    try:
        before = _content(repository.mirror.parents(merge)[0], repository)
        held = preview.present(before)
    except ConfigError as mistakes:
        mistakes_before = str(mistakes).splitlines()
    try:
        after = _content(merge, repository)
    except ConfigError as mistakes:
        return preview.unreadable(str(mistakes).splitlines(), mistakes_before)
    noted = manifest.read(repository.served.key, services.production.databricks)
    jobs_before = preview.known(before, after)
    owned = {key: OwnedJob(0, rule.owned_by(job)) for key, job in jobs_before.items()}
    owned |= {
        key: replace(job, id=noted.jobs[key].id) for key, job in owned.items() if key in noted.jobs
    }
    names = {key: job.name for key, job in jobs_before.items()}
    job_facts = jobs.gather(
        repository.served.key, merge, after.jobs, owned, services, known_as=names
    )
    # A merge that repairs the target branch brings all that the workspace has waited for.
    return preview.preview(noted.files if held is None else held, before, after, job_facts, now)


def _content(commit: str, repository: Repository) -> preview.Content:
    """What a commit says of the workspace. Raises ConfigError when its configuration cannot be
    read.
    """
    config = target_config.at(commit, repository)
    files = repository.mirror.files(commit, tuple(folder.from_ for folder in config.folders))
    try:
        return preview.Content(config, files, jobs.definitions(commit, config, repository, files))
    except ConfigError as mistakes:
        return preview.Content(config, files, mistakes=tuple(str(mistakes).splitlines()))
