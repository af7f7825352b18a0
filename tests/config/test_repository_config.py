"""Each mistake in a configuration file gets its sentence, and the repository's own files
have none.
"""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bot.config import environment, repository, yaml_file
from bot.config.repository import MLOPS_FILE, Mlops, Project
from bot.errors import ConfigError

ROOT = Path(__file__).parents[2]


def mistake(text: str) -> str:
    """What a person is told of `config/mlops.yml` with this text."""
    with pytest.raises(ConfigError) as refused:
        yaml_file.parse(Mlops, text, MLOPS_FILE)
    return str(refused.value)


def deployment_mistake(text: str, folder: Path) -> str:
    """What a person is told of `config/bot.yml` with this text."""
    file = folder / "bot.yml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        environment.deployed(file, lambda name: f"<{name}>")
    return str(refused.value).replace(str(file), "config/bot.yml")


INSIDE = "it must be a path inside the repository, such as projects/ExampleTrainingProject."
ABSOLUTE = (
    "it must be an absolute workspace path of at least two parts, such as /Shared/mlflow_hooks."
)
BACKENDS = "it must be 'databricks-jobs', 'databricks' or 'local'."
TIME = "it must be a time such as 90s, 30m or 2h."

MISTAKES = [
    ("tarjet: main", "tarjet is not a key that Signalman knows; remove it or correct its spelling. "
        "It may be: target, branches, experiment, backend, projects, folders, jobs, definitions, "
        "bundle_target, job_drift, most_removed."),
    (
        "projects: [{path: a, timeot: 3m}]",
        "projects[0].timeot is not a key that Signalman knows; remove it or correct its spelling. "
        "It may be: path, entry_point, parameters, after, model, metrics, "
        "signature, retrain, timeout, cluster, backend.",
    ),
    (
        "branches: {forbiden: []}",
        "branches.forbiden is not a key that Signalman knows; remove it or correct its spelling. "
        "It may be: forbidden, pattern, longest.",
    ),
    ("projects: [{}]", "projects[0].path is missing."),
    ("projects: [{path: /a}]", f'projects[0].path is "/a"; {INSIDE}'),
    ("projects: [{path: ../a}]", f'projects[0].path is "../a"; {INSIDE}'),
    ("projects: [{path: 'a\\b'}]", f'projects[0].path is "a\\b"; {INSIDE}'),
    ("projects: [{path: .}]", f'projects[0].path is "."; {INSIDE}'),
    ("projects: [{path: a, after: [/b]}]", f'projects[0].after[0] is "/b"; {INSIDE}'),
    ("projects: [{path: a, timeout: soon}]", f'projects[0].timeout is "soon"; {TIME}'),
    ("projects: [{path: a, timeout: 30 minutes}]", f'projects[0].timeout is "30 minutes"; {TIME}'),
    ("projects: [{path: a, timeout: true}]", f"projects[0].timeout is True; {TIME}"),
    ("projects: [{path: a, timeout: [30m]}]", f"projects[0].timeout is ['30m']; {TIME}"),
    ("projects: [{path: a, backend: "
     "kubernetes}]", f'projects[0].backend is "kubernetes"; {BACKENDS}'),
    ("backend: spark", f'backend is "spark"; {BACKENDS}'),
    ("projects: [{path: a, metrics: [{goal: lower}]}]", "projects[0].metrics[0].name is missing."),
    (
        "projects: [{path: a, metrics: [{name: rmse, goal: down}]}]",
        "projects[0].metrics[0].goal is \"down\"; it must be 'lower' or 'higher'.",
    ),
    (
        "projects: [{path: a, after: [b]}, {path: b}]",
        "projects[0].after names b, which is not a project further up; it may be one of: none.",
    ),
    (
        "projects: [{path: a}, {path: b}, {path: c, after: [d]}]",
        "projects[2].after names d, which is not a project further up; it may be one of: a, b.",
    ),
    ("projects: [{path: a, after: "
     "[a]}]", "projects[0].after names a, which is not a project further up; it may be "
     "one of: none."),
    ("projects: [{path: a}, {path: ./a}]", "projects names a twice."),
    (
        "branches: {pattern: '['}",
        'branches.pattern is "["; it must be a regular expression (unterminated character set at '
        'position 0).',
    ),
    ("experiment: Shared/x", f'experiment is "Shared/x"; {ABSOLUTE}'),
    ("experiment: /x", f'experiment is "/x"; {ABSOLUTE}'),
    ("folders: [{from: a}]", "folders[0].to is missing."),
    ("folders: [{to: /Shared/a}]", "folders[0].from is missing."),
    ("folders: [{from: a, to: /Shared/../x}]", f'folders[0].to is "/Shared/../x"; {ABSOLUTE}'),
    (
        "jobs: [{name: a, notebook: /Shared/a, model: a/b}]",
        "jobs[0].model is \"a/b\"; it must be a model's name, in which * stands for any "
        "characters.",
    ),
    (
        "jobs: [{name: a, notebook: /Shared/a, model: a}, {name: a, notebook: /Shared/b, model: "
        "b}]",
        "jobs names a twice.",
    ),
    ("jobs: [{name: a, notebook: /Shared/a, model: a, schedule: "
     "{}}]", "jobs[0].schedule.cron is missing."),
    (
        f"backend: {'x' * 200}",
        f'backend is "{"x" * 78}…; {BACKENDS}',
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "sentence"), MISTAKES, ids=[text[:60] for text, _ in MISTAKES])
def test_a_mistake_is_told_with_file_key_what_was_found_and_what_is_allowed(
    text: str, sentence: str
) -> None:
    assert mistake(text) == f"config/mlops.yml: {sentence}".replace("::", ":")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("hello", 'config/mlops.yml holds "hello" at its top; it must hold keys and values.'),
        ("- a", "config/mlops.yml holds ['a'] at its top; it must hold keys and values."),
        ("7", "config/mlops.yml holds 7 at its top; it must hold keys and values."),
    ],
)
def test_a_file_that_holds_no_keys_is_told_so(text: str, sentence: str) -> None:
    assert mistake(text) == sentence


@pytest.mark.parametrize(
    "text", ["a: [", "target: main\n\tx: 1", "? [a]\n: 1", "a: !!python/name:os.system", "\0"]
)
def test_a_file_that_is_not_yaml_is_told_where(text: str) -> None:
    assert mistake(text).startswith("config/mlops.yml is not valid YAML: ")
    assert "\n" not in mistake(text)


def test_each_mistake_gets_a_line_of_its_own() -> None:
    assert mistake("jobs: [{}]\nbackend: spark").splitlines() == [
        f'config/mlops.yml: backend is "spark"; {BACKENDS}',
        "config/mlops.yml: jobs[0].name is missing.",
        "config/mlops.yml: jobs[0].model is missing.",
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("registry_webhooks: [gitlab]\nrepositories: [{project: a, repository: b}]",
         "config/bot.yml: registry_webhooks[0] is \"gitlab\"; it must be 'databricks' or "
         "'mlflow'."),
        ("limits: {sweep: often}\nrepositories: [{project: a, repository: b}]",
         f'config/bot.yml: limits.sweep is "often"; {TIME}'),
        ("repos: []\nrepositories: [{project: a, repository: b}]",
         "config/bot.yml: repos is not a key that Signalman knows; remove it or correct its "
         "spelling. "
         "It may be: repositories, client, registry_webhooks, limits, policies, report, commands, "
         "templates."),
        ("{}", "config/bot.yml: repositories is missing."),
        ("", "config/bot.yml: repositories is missing."),
        ("- a", "config/bot.yml holds ['a'] at its top; it must hold keys and values."),
    ],
)  # fmt: skip
def test_a_mistake_in_the_deployments_file_is_told_alike(
    text: str, sentence: str, tmp_path: Path
) -> None:
    assert deployment_mistake(text, tmp_path) == sentence


def test_a_deployments_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        environment.deployed(tmp_path / "bot.yml", str)

    assert str(refused.value) == (
        f"{tmp_path}/bot.yml cannot be read (No such file or directory). Set BOT_CONFIG to where "
        "it is."
    )


def test_a_deployments_file_that_is_not_yaml_is_told_where(tmp_path: Path) -> None:
    assert deployment_mistake("a: [", tmp_path).startswith("config/bot.yml is not valid YAML: ")


# -- what is right


def test_an_empty_file_asks_for_nothing_and_is_valid() -> None:
    assert yaml_file.parse(Mlops, "", MLOPS_FILE) == Mlops()


@pytest.mark.parametrize("name", ["bot", "mlops"])
def test_each_file_names_its_schema_for_editors(name: str) -> None:
    first = (ROOT / "config" / f"{name}.yml").read_text(encoding="utf-8").splitlines()[0]

    assert first == f"# yaml-language-server: $schema=schema/{name}.schema.json"


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("90s", 90),
        ("30m", 1800),
        ("2h", 7200),
        ("1.5h", 5400),
        ("1d", 86400),
        ("90", 90),
        (90, 90),
        (" 5 m ", 300),
    ],
)
def test_a_time_may_be_written_with_its_unit(written: str | int, seconds: float) -> None:
    assert Project.model_validate({"path": "a", "timeout": written}).timeout == seconds


def test_a_configuration_cannot_be_changed_once_it_is_read() -> None:
    found = yaml_file.parse(Mlops, "target: dev", MLOPS_FILE)

    with pytest.raises(ValidationError):
        found.target = "main"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("/Shared/{user}/{branch}_expr", "/Shared/a.kim/x_expr"),
        ("{unknown} {branch}", "{unknown} x"),
        ("{{branch}}", "{x}"),
        ("no braces", "no braces"),
        ("{} { } {branch", "{} { } {branch"),
    ],
)
def test_a_template_is_filled_with_the_names_it_holds(template: str, filled: str) -> None:
    assert repository.fill(template, user="a.kim", branch="x") == filled


@given(st.text(), st.text())
def test_what_is_filled_in_is_not_filled_again(branch: str, user: str) -> None:
    assert repository.fill("{branch}/{user}", branch=branch, user=user) == f"{branch}/{user}"


# -- names in Unity Catalog


@pytest.mark.parametrize(
    ("forbidden", "lacking"), [("['.']", '"/"'), ("['/', ':']", '"."'), ("[]", '"/" and "."')]
)
def test_a_branch_may_not_break_a_name_in_unity_catalog(forbidden: str, lacking: str) -> None:
    told = mistake(
        f"branches: {{forbidden: {forbidden}}}\nprojects: [{{path: a, model: "
        f"'dev.ml.{{branch}}_model'}}]"
    )

    assert told == (
        "config/mlops.yml: projects[0].model is dev.ml.{branch}_model, a name in Unity Catalog, "
        "where no part may hold "
        f"{lacking}; add {lacking} to branches.forbidden."
    )


def test_the_rule_that_holds_by_default_takes_names_in_unity_catalog() -> None:
    text = (
        "projects: [{path: a, model: 'dev.ml.{branch}_model', retrain: {model: "
        "prod.ml.wine_model}}]"
    )

    assert yaml_file.parse(Mlops, text, MLOPS_FILE).projects[0].model == "dev.ml.{branch}_model"


@pytest.mark.parametrize("model", ["prod.ml.wine_model", "prod.ml.*_model", "*.wine-model"])
def test_a_job_may_follow_names_in_unity_catalog(model: str) -> None:
    text = f"jobs: [{{name: a, notebook: /Shared/a, model: '{model}'}}]"

    assert yaml_file.parse(Mlops, text, MLOPS_FILE).jobs[0].model == model


# -- what is told badly today


@pytest.mark.parametrize(
    "text",
    [
        "target: [main]",
        "projects: 5",
        "projects:",
        "projects: [{path: a, after: b}]",
        "projects: [{path: a, parameters: [x]}]",
        "projects: [{path: a, metrics: [rmse]}]",
        "projects: [{path: a, timeout: 0}]",
        "branches: {forbidden: '/:.'}",
        "branches: {longest: 5}",
        "branches: {longest: long}",
        "branches: []",
        "jobs: [{name: a, notebook: /Shared/a, model: a, parameters: {rows: 5}}]",
        "jobs: [{name: a, notebook: /Shared/a, model: a, schedule: daily}]",
        "jobs: [{name: a, notebook: /Shared/a, model: a, schedule: {cron: x, paused: maybe}}]",
    ],
)
def test_a_mistake_is_told_in_the_words_of_the_file(text: str) -> None:
    told = mistake(text)

    assert "; it must be " in told
    assert not any(word in told for word in ("input should", "tuple", "dictionary", "instance of"))


def test_a_repository_without_its_name_is_one_mistake_and_not_two(tmp_path: Path) -> None:
    told = deployment_mistake("repositories: [{project: ml}]", tmp_path)

    assert told == "config/bot.yml: repositories[0].repository is missing."


def test_a_parameter_of_a_wrong_kind_is_one_mistake_and_not_four() -> None:
    told = mistake("projects: [{path: a, parameters: {since: 2024-01-01}}]").splitlines()

    assert len(told) == 1
    assert told[0].startswith("config/mlops.yml: projects[0].parameters.since is 2024-01-01; ")


@pytest.mark.parametrize(
    "text",
    [
        "projects: [{path: 5}]",
        "projects: [{path: }]",
        "folders: [{from: a, to: 2024}]",
        "experiment: [a]",
    ],
)
def test_a_path_that_is_no_text_is_a_mistake_like_any_other(text: str) -> None:
    assert mistake(text).startswith("config/mlops.yml: ")


def test_the_workspaces_second_name_of_a_path_is_refused_by_name() -> None:
    told = mistake("experiment: /Workspace/Shared/x")

    assert "without /Workspace" in told


def test_an_unknown_key_is_told_with_those_that_are_known() -> None:
    assert "folders" in mistake("notebooks: []")


@pytest.mark.parametrize(
    "text",
    [
        "branches: {forbidden: [ab]}",
        "branches: {forbidden: ['']}",
        "projects: [{path: a, timeout: .inf}]",
        "folders: [{from_: a, to: /Shared/a}]",
        "target: main\ntarget: dev",
        "target: ''",
        "jobs: [{name: a, notebook: /Shared/a, model: a, alias: null, stage: null}]",
    ],
)
def test_nothing_can_be_written_wrong_without_a_sentence_about_it(text: str) -> None:
    mistake(text)


def test_what_is_written_once_may_be_used_in_several_places_and_overridden_there() -> None:
    text = "once: &once {a: 1, b: 2}\nfirst: {<<: *once, b: 3}\nsecond: {<<: [*once, {c: 4}]}\n"

    found = yaml_file.load(text, "x.yml")

    assert found == {
        "once": {"a": 1, "b": 2},
        "first": {"a": 1, "b": 3},
        "second": {"a": 1, "b": 2, "c": 4},
    }
    with pytest.raises(ConfigError, match="the key b is there twice"):
        yaml_file.load("once: &once {a: 1}\nfirst: {<<: *once, b: 3, b: 4}\n", "x.yml")
