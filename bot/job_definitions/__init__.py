"""Jobs as code: what the repository wants of the jobs in the workspace, in the schema of Databricks
Asset Bundles.

Files of the folder of definitions (`resources: jobs: <key>: …`,
https://docs.databricks.com/dev-tools/bundles/resources) and the short form in `config/mlops.yml`
become the same thing, a JobDefinition. Reads no disk and asks nobody: files are given as bytes. A
mistake is one sentence that names file, key, what was found and what is allowed.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from bot.config import yaml_file
from bot.config.budget import OverBudget
from bot.config.repository import MLOPS_FILE, Folder, Job, Mlops, Schedule
from bot.errors import ConfigError
from bot.facts.branch import JobDefinition, SourceFile
from bot.facts.job_fields import JobFields
from bot.job_definitions import references, schema
from bot.job_definitions.paths import Paths
from bot.rules import schedule
from bot.rules.branch import sync
from bot.rules.branch.jobs import FOLLOWED, TRIGGERS

SUFFIXES = (".yml", ".yaml")
MOST_TAGS = 17
"""Databricks takes 25; the others are for what the bot writes there."""

_OF_BUNDLES = {
    "bundle": "what a bundle is called and how it is deployed",
    "targets": "where a bundle is deployed to; here that is always the production workspace, and "
    "what is at the target branch's tip",
    "environments": "where a bundle is deployed to; here that is always the production workspace",
    "include": "which other files belong to a bundle; here it is every .yml and .yaml file of this "
    "folder",
    "artifacts": "what a bundle builds; Signalman builds nothing",
    "sync": "which files a bundle uploads; here that is `folders` in config/mlops.yml",
    "workspace": "where a bundle is deployed to; here that is the production workspace of "
    "config/bot.yml",
    "permissions": "who may do what; that is left to the workspace",
    "run_as": "who jobs run as; that is left to the workspace",
    "presets": "how a bundle changes what its files say; here a job is what its file says",
    "experimental": "what bundles try out",
    "python": "code that a bundle runs to make resources; Signalman runs no code of the repository "
    "to read it",
    "scripts": "commands of a bundle; Signalman runs none",
}


def read(files: Mapping[str, bytes], config: Mlops, fields: JobFields) -> dict[str, JobDefinition]:
    """The jobs of the folder of definitions, content by path, under their keys; `fields` are what
    the Jobs API takes.

    Raises ConfigError with a sentence for each mistake.
    """
    mistakes: list[str] = []
    defaults: dict[str, Any] = {}
    jobs: dict[str, tuple[str, Any]] = {}
    for file, content in sorted(files.items()):
        if file.endswith(SUFFIXES):
            try:
                _collect(file, content, defaults, jobs, mistakes)
            except ConfigError as error:
                mistakes.append(str(error))
    followed = {job.name for job in config.jobs if job.notebook is None}
    definitions: dict[str, JobDefinition] = {}
    filled_in = references.References(defaults, config)
    for key, (file, job) in jobs.items():
        definition = _definition(key, file, job, filled_in, fields, mistakes)
        if definition is None:
            continue
        if definition.name in followed:
            definition = _following(definition)
        definitions[key] = definition
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    return definitions


def short(
    job: Job, libraries: Sequence[Mapping[str, Any]] = (), cluster: Mapping[str, Any] | None = None
) -> JobDefinition:
    """The short form of a scoring job, with the libraries and the cluster of its project."""
    task: dict[str, Any] = {
        "task_key": "score",
        "notebook_task": {"notebook_path": job.notebook, "source": "WORKSPACE"},
        "timeout_seconds": round(job.timeout),
    }
    parameters = dict(job.parameters)
    if job.project is not None:
        parameters.setdefault("project", PurePosixPath(job.project).name)
        task["libraries"] = [dict(library) for library in libraries]
    if cluster:
        task["new_cluster"] = dict(cluster)
    settings: dict[str, Any] = {
        "name": job.name,
        "tasks": [{key: value for key, value in task.items() if value != []}],
        "max_concurrent_runs": 1,
        "parameters": [{"name": name, "default": value} for name, value in parameters.items()],
    }
    theirs: tuple[str, ...] = ()
    if job.schedule is not None:
        status = "UNPAUSED"
        if job.schedule.paused:
            status = "PAUSED"
        settings["schedule"] = {
            "quartz_cron_expression": job.schedule.cron,
            "timezone_id": job.schedule.timezone,
            "pause_status": status,
        }
        if "paused" in job.schedule.model_fields_set:
            theirs = ("schedule.paused",)
    return _following(JobDefinition(job.name, settings, MLOPS_FILE, theirs))


def together(
    read_from_files: Mapping[str, JobDefinition], shorts: Iterable[JobDefinition], config: Mlops
) -> dict[str, JobDefinition]:
    """All jobs that the repository describes, by key.

    Raises ConfigError where two have one key or one name, where an entry of `jobs` names a job that
    nobody describes, and where a schedule cannot be read.
    """
    definitions = dict(read_from_files)
    mistakes = [
        _missing(number, job, definitions)
        for number, job in enumerate(config.jobs)
        if job.notebook is None
    ]
    for definition in shorts:
        key = definition.key
        other = definitions.get(key)
        if other is not None:
            mistakes.append(
                f"{other.file}: resources.jobs.{key} is also a job of {MLOPS_FILE}; remove one of "
                "them."
            )
        definitions[key] = definition
        mistakes += _schedule(definition, f"{MLOPS_FILE}: jobs: {key}")
    names: dict[str, JobDefinition] = {}
    for definition in definitions.values():
        other = names.setdefault(definition.name, definition)
        if other is not definition:
            mistakes.append(
                f"{definition.file}: {definition.key} has the name {definition.settings['name']}, "
                f"which {other.key} in {other.file} has too; a job is known by its name, so give "
                "one of them another."
            )
    sentences = [mistake for mistake in mistakes if mistake]
    if sentences:
        raise ConfigError("\n".join(sentences))
    return definitions


def absent(
    definitions: Iterable[JobDefinition], folders: Sequence[Folder], files: Sequence[SourceFile]
) -> list[str]:
    """A sentence for each notebook or file that a job names in a mirrored folder and that is not
    there.
    """
    held, _ = sync.placed(folders, files)
    mistakes = []
    for definition in definitions:
        for key, path, notebook in named(definition):
            mirrored = any(path.startswith(f"{folder.to}/") for folder in folders)
            there = path in held and held[path].notebook == notebook
            if mirrored and not there:
                what = "file"
                if notebook:
                    what = "notebook"
                mistakes.append(
                    f"{definition.file}: task {key} of job {definition.key} runs {path}, but the "
                    f"repository has no {what} that becomes it{_hint(path, notebook, held)}."
                )
    return mistakes


def named(definition: JobDefinition) -> list[tuple[str, str, bool]]:
    """The workspace paths that a job's tasks run: task, path, and whether it has to be a
    notebook.
    """
    paths = []
    usual_source = "WORKSPACE"
    if "git_source" in definition.settings:
        usual_source = "GIT"
    for task in definition.settings.get("tasks", ()):
        repeated = task.get("for_each_task", {}).get("task", {})
        for step in (task, repeated):
            for kind, key, notebook in (
                ("notebook_task", "notebook_path", True),
                ("spark_python_task", "python_file", False),
            ):
                program = step.get(kind, {})
                source = program.get("source", usual_source)
                if key in program and source == "WORKSPACE":
                    paths.append((task["task_key"], program[key], notebook))
    return paths


def _hint(path: str, notebook: bool, held: Mapping[str, SourceFile]) -> str:
    source = held.get(path)
    for target, candidate in held.items():
        if source is None and target.rpartition(".")[0] == path:
            source = candidate
    if source is None:
        return ""
    if notebook:
        return (
            f'; {source.path} is a plain file, because its first line is not "# Databricks '
            'notebook source"'
        )
    return f"; {source.path} is a notebook, so name it as notebook_task.notebook_path"


def _collect(
    file: str,
    content: bytes,
    defaults: dict[str, Any],
    jobs: dict[str, tuple[str, Any]],
    mistakes: list[str],
) -> None:
    """Read one file. Raises ConfigError when it is not YAML."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise ConfigError(f"{file} is not UTF-8.") from None
    loaded = yaml_file.load(text, file)
    anchored = _anchored(text)
    if not isinstance(loaded, Mapping):
        raise ConfigError(f"{file} must hold keys and values, such as resources: jobs: nightly: …")
    for key, value in loaded.items():
        if key == "variables":
            declared, wrong = references.variables(value, f"{file}: variables")
            mistakes += wrong
            for name in declared:
                if name in defaults:
                    mistakes.append(
                        f"{file}: variables.{name} has a default in another file too; remove one "
                        "of them."
                    )
            defaults.update(declared)
        elif key == "resources":
            mistakes += _resources(file, value, jobs)
        elif key in _OF_BUNDLES:
            mistakes.append(
                f"{file}: {key} says {_OF_BUNDLES[key]}. A file of job definitions holds "
                "`resources: jobs:` and `variables:`; remove the rest."
            )
        elif str(key) not in anchored:
            # What is only there to be used again with *name may be called anything, as in a bundle.
            mistakes.append(
                f"{file}: {key} is not a key that Signalman knows; it may be: resources, variables."
            )


def _anchored(text: str) -> set[str]:
    """The keys at the top of a file whose values have an anchor."""
    keys: set[str] = set()
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon and key[:1].strip() and value.lstrip().startswith("&"):
            keys.add(key.strip().strip("\"'"))
    return keys


def _resources(file: str, resources: Any, jobs: dict[str, tuple[str, Any]]) -> list[str]:
    if not isinstance(resources, Mapping):
        return [f"{file}: resources must hold `jobs:`."]
    mistakes = [
        f"{file}: resources.{kind} is not supported; Signalman looks after jobs only, so leave "
        f"{kind} to the bundle."
        for kind in resources
        if kind != "jobs"
    ]
    inside = resources.get("jobs") or {}
    if not isinstance(inside, Mapping):
        return [
            *mistakes,
            f"{file}: resources.jobs must hold jobs by their keys, such as nightly: {{name: …}}.",
        ]
    for key, job in inside.items():
        if str(key) in jobs:
            mistakes.append(
                f"{file}: resources.jobs.{key} is in {jobs[str(key)][0]} too; remove one of them."
            )
        jobs[str(key)] = (file, job)
    return mistakes


def _definition(
    key: str,
    file: str,
    job: Any,
    filled_in: references.References,
    fields: JobFields,
    mistakes: list[str],
) -> JobDefinition | None:
    """A job of a file; None when something in it is wrong."""
    place = f"{file}: resources.jobs.{key}"
    before = len(mistakes)
    if not isinstance(job, Mapping):
        mistakes.append(f"{place} must hold the job's settings, such as name and tasks.")
        return None
    try:
        resolved = filled_in.resolved(job, place, mistakes)
    except OverBudget as excess:
        mistakes.append(f"{place} {excess}.")
        return None
    if "lifecycle" in resolved:
        mistakes.append(
            f"{place}.lifecycle is not supported; remove it. A job that its file does not name any "
            "more is deleted only if Signalman created it, and not while it runs."
        )
    theirs = [name for name in ("permissions", "run_as") if resolved.pop(name, None) is not None]
    resolved.pop("lifecycle", None)
    translated = Paths(file, filled_in.config.folders, mistakes).translate(resolved, place)
    settings, wrong = schema.settings(translated, place, fields)
    mistakes += wrong
    if len(mistakes) == before:
        mistakes += _whole(settings, place)
    if len(mistakes) > before:
        return None
    for trigger in TRIGGERS:
        if "pause_status" in settings.get(trigger, {}):
            theirs.append(f"{trigger}.pause_status")
    definition = JobDefinition(key, settings, file, tuple(theirs))
    mistakes += _schedule(definition, place)
    return definition


_NAMED_BY = {
    "tasks": "task_key",
    "job_clusters": "job_cluster_key",
    "parameters": "name",
    "environments": "environment_key",
}
"""The lists of a job's settings whose entries have a name, and the key that holds it."""


def _whole(settings: Mapping[str, Any], place: str) -> list[str]:
    """What the types do not say."""
    mistakes = []
    for needed in ("name", "tasks"):
        if not settings.get(needed):
            mistakes.append(f"{place}.{needed} is missing.")
    for name, key in _NAMED_BY.items():
        entries = [entry.get(key) for entry in settings.get(name, ())]
        for entry in dict.fromkeys(entries):
            if entries.count(entry) > 1:
                mistakes.append(f"{place}.{name} has {entry} twice.")
    tags = settings.get("tags", {})
    mistakes += [
        f"{place}.tags.{tag} is the bot's own; give it another name."
        for tag in tags
        if tag.startswith("signalman_")
    ]
    if len(tags) > MOST_TAGS:
        mistakes.append(
            f"{place}.tags has {len(tags)} tags; it may have {MOST_TAGS}, as the bot writes some "
            "of its own."
        )
    if sum(trigger in settings for trigger in TRIGGERS) > 1:
        mistakes.append(
            f"{place} has more than one of {', '.join(TRIGGERS)}; a job may have one of them."
        )
    return mistakes


def _schedule(definition: JobDefinition, place: str) -> list[str]:
    setting = definition.settings.get("schedule")
    if not setting:
        return []
    wrong = schedule.mistake(
        Schedule(cron=setting["quartz_cron_expression"], timezone=setting["timezone_id"])
    )
    if wrong:
        return [f"{place}.schedule cannot be read: {wrong}."]
    return []


def _following(definition: JobDefinition) -> JobDefinition:
    """A job that is pointed at the promoted version of a model: it has the parameters that
    name it.
    """
    parameters = list(definition.settings.get("parameters", ()))
    names = [parameter["name"] for parameter in parameters]
    parameters += [{"name": name, "default": ""} for name in FOLLOWED if name not in names]
    settings = {**definition.settings, "parameters": parameters}
    return JobDefinition(definition.key, settings, definition.file, definition.theirs, follows=True)


def _missing(number: int, job: Job, definitions: Mapping[str, JobDefinition]) -> str:
    """What is wrong with an entry of `jobs` that has no notebook; empty: nothing."""
    place = f"{MLOPS_FILE}: jobs[{number}]"
    only_of_short = ("parameters", "project", "schedule", "timeout")
    extra = [key for key in only_of_short if key in job.model_fields_set]
    if extra:
        return (
            f"{place} has no notebook, so that {job.name} is a job of the folder of definitions; "
            f"say {' and '.join(extra)} there."
        )
    described = sorted(definition.name for definition in definitions.values())
    if job.name in described:
        return ""
    if job.name in definitions:
        return (
            f"{place}.name is {job.name}, which is a job's key; write its name, "
            f"{definitions[job.name].settings['name']}."
        )
    names = ", ".join(described) or "none"
    return (
        f"{place}.name is {job.name}: it has no notebook, and no file describes a job of that "
        f"name. It may be: {names}."
    )
