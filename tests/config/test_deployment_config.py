"""What a deployment needs of the environment, and that its secrets are shown nowhere."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bot.config import environment
from bot.config.deployment import Commands
from bot.config.environment import Secrets, Settings, person
from bot.errors import ConfigError

ROOT = Path(__file__).parents[2]

SECRETS = {
    "AZURE_DEVOPS_TOKEN": "pat-5f0c",
    "AZURE_DEVOPS_WEBHOOK_USERNAME": "hooks-user-77",
    "AZURE_DEVOPS_WEBHOOK_PASSWORD": "hooks-pw-93ab",
    "DATABRICKS_TOKEN": "dapi-1d2e",
    "DATABRICKS_WEBHOOK_SECRET": "dbx-hook-40fe",
    "MLFLOW_WEBHOOK_SECRET": "mlf-hook-c11d",
}
OPTIONAL = {
    "DATABRICKS_VALIDATION_HOST": "https://adb-9.9.azuredatabricks.net",
    "DATABRICKS_VALIDATION_TOKEN": "dapi-other-77",
    "DASHBOARD_USERNAME": "looker",
    "DASHBOARD_PASSWORD": "look-pw-5512",
}
NEEDED = {
    "BOT_CONFIG": str(ROOT / "config" / "bot.yml"),
    "AZURE_DEVOPS_ORG_URL": "https://dev.azure.com/contoso/",
    "AZURE_DEVOPS_PROJECT": "ml",
    "AZURE_DEVOPS_REPOSITORY": "wine",
    "DATABRICKS_HOST": "https://adb-123.4.azuredatabricks.net",
    **SECRETS,
}


def read(**changed: str | None) -> Settings:
    """The settings of an environment that has all it needs, but for these changes; None takes a
    variable away.
    """
    return environment.read(
        {name: value for name, value in {**NEEDED, **changed}.items() if value is not None}
    )


def mistake(**changed: str | None) -> str:
    """What a person is told of such an environment."""
    with pytest.raises(ConfigError) as refused:
        read(**changed)
    return str(refused.value)


def words(secrets: Secrets) -> list[str]:
    return [secret.get_secret_value() for secret in secrets]


# -- what is there


def test_a_deployment_with_all_it_needs_is_read() -> None:
    found = read()

    assert [one.key for one in found.served] == ["contoso/ml/wine"]
    assert found.served[0].url == "https://dev.azure.com/contoso/ml/_git/wine"
    assert found.production.host == "https://adb-123.4.azuredatabricks.net"
    assert (found.tracking_uri, found.registry_uri) == ("databricks", "databricks")
    assert found.database_url.startswith("sqlite:///")


OTHER = {
    "DATABRICKS_VALIDATION_HOST": "https://adb-9.9.azuredatabricks.net",
    "DATABRICKS_VALIDATION_TOKEN": "other",
}


def test_pull_request_code_runs_in_the_production_workspace_only_if_no_other_is_named() -> None:
    assert read().shares_workspace
    assert not read(**OTHER).shares_workspace


def test_the_production_workspace_is_recognised_however_its_address_is_written() -> None:
    written = "https://ADB-123.4.AzureDatabricks.net/?o=123"

    assert read(**OTHER | {"DATABRICKS_VALIDATION_HOST": written}).shares_workspace


def test_databricks_sdk_is_not_left_to_present_the_production_token_in_the_validation_workspace() -> (  # noqa: E501 a table, or a text as it is sent
    None
):
    told = mistake(DATABRICKS_VALIDATION_HOST=OTHER["DATABRICKS_VALIDATION_HOST"])

    assert told.startswith(
        "DATABRICKS_VALIDATION_TOKEN is not set, and DATABRICKS_TOKEN is the production workspace's"
    )


def test_a_token_for_a_validation_workspace_that_is_not_named_is_a_mistake() -> None:
    told = mistake(DATABRICKS_VALIDATION_TOKEN="other-words")

    assert told.startswith(
        "DATABRICKS_VALIDATION_TOKEN is set and DATABRICKS_VALIDATION_HOST is not"
    )
    assert "other-words" not in told


def test_one_sign_in_for_two_workspaces_is_noticed() -> None:
    signed_in_otherwise = {"DATABRICKS_TOKEN": None, "DATABRICKS_VALIDATION_TOKEN": None}

    assert read(**OTHER | signed_in_otherwise).shares_identity
    assert not read(**OTHER).shares_identity
    assert not read(DATABRICKS_TOKEN=None).shares_identity


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changed", "warnings"),
    [
        ({}, ["pull-request code runs in the production workspace"]),
        (OTHER, []),
        (
            {**OTHER, "DATABRICKS_TOKEN": "", "DATABRICKS_VALIDATION_TOKEN": ""},
            [
                "pull-request code runs with the identity that the production workspace knows the "
                "bot by"
            ],
        ),
    ],
)
def test_a_start_warns_of_what_two_workspaces_would_keep_apart(
    tmp_path: Path, changed: dict[str, str], warnings: list[str]
) -> None:
    variables = {"PATH": os.environ["PATH"], "SIGNALMAN_VAR": str(tmp_path), **NEEDED, **changed}

    started = subprocess.run(
        [sys.executable, "-c", "from bot import app; app.prepare()"],
        cwd=ROOT, env=variables, capture_output=True, text=True, check=True,
    )  # fmt: skip

    told = [
        json.loads(line)["message"] for line in started.stderr.splitlines() if '"warning"' in line
    ]
    assert [one.partition(";")[0] for one in told] == warnings


def test_the_production_token_is_not_taken_for_the_validation_workspace() -> None:
    found = read(
        DATABRICKS_VALIDATION_HOST="https://adb-9.9.azuredatabricks.net",
        DATABRICKS_VALIDATION_TOKEN="other",
    )

    assert words(found.validation.tokens) == ["other"]
    assert words(found.production.tokens) == ["dapi-1d2e"]


def test_an_mlflow_server_serves_as_registry_too_unless_another_is_named() -> None:
    server = "https://mlflow.contoso.example"

    assert read(MLFLOW_TRACKING_URI=f"{server}/").registry_uri == server
    assert (
        read(MLFLOW_TRACKING_URI=server, MLFLOW_REGISTRY_URI="databricks").registry_uri
        == "databricks"
    )


SILENT = """
repositories: [{project: "${AZURE_DEVOPS_PROJECT}", repository: "${AZURE_DEVOPS_REPOSITORY}"}]
registry_webhooks: [mlflow]
limits: {poll: 2m}
"""


@pytest.mark.parametrize(
    ("registry", "tells"),
    [("databricks-uc", False), ("databricks", False), ("https://mlflow.contoso.example", True)],
)
def test_a_registry_tells_by_itself_only_by_webhooks_that_the_deployment_names(
    registry: str, tells: bool, tmp_path: Path
) -> None:
    (tmp_path / "bot.yml").write_text(SILENT)

    found = read(BOT_CONFIG=str(tmp_path / "bot.yml"), MLFLOW_REGISTRY_URI=registry)

    assert (found.registry_tells, found.limits.poll) == (tells, 120.0)


def test_unity_catalog_never_tells() -> None:
    assert read().registry_tells
    assert not read(MLFLOW_REGISTRY_URI="databricks-uc").registry_tells


# -- two values, and files


def test_a_secret_that_is_being_changed_may_have_two_values() -> None:
    found = read(
        AZURE_DEVOPS_TOKEN="new, old",
        DATABRICKS_WEBHOOK_SECRET="a,b",
        MLFLOW_WEBHOOK_SECRET=" a , b ",
    )

    assert words(found.azure_tokens) == ["new", "old"]
    assert words(found.databricks_hooks) == ["a", "b"]
    assert words(found.mlflow_hooks) == ["a", "b"]


def test_two_webhook_names_and_two_passwords_are_accepted_in_each_pairing() -> None:
    found = read(AZURE_DEVOPS_WEBHOOK_USERNAME="u1,u2", AZURE_DEVOPS_WEBHOOK_PASSWORD="p1,p2")

    pairs = {(name.get_secret_value(), word.get_secret_value()) for name, word in found.azure_hooks}
    assert pairs == {("u1", "p1"), ("u1", "p2"), ("u2", "p1"), ("u2", "p2")}


@pytest.mark.parametrize("name", [name for name in NEEDED if name != "BOT_CONFIG"])
def test_each_variable_may_be_given_as_a_file(name: str, tmp_path: Path) -> None:
    held = tmp_path / "secret"
    held.write_text(NEEDED[name] + "\n", encoding="utf-8")

    found = read(**{name: None, f"{name}_FILE": str(held)})

    assert found == read()


def test_a_variable_goes_before_its_file() -> None:
    assert read(AZURE_DEVOPS_TOKEN_FILE="/nowhere") == read()


def test_a_file_that_cannot_be_read_is_named() -> None:
    assert mistake(MLFLOW_WEBHOOK_SECRET=None, MLFLOW_WEBHOOK_SECRET_FILE="/nowhere/x") == (
        "MLFLOW_WEBHOOK_SECRET_FILE is /nowhere/x, which cannot be read (No such file or "
        "directory)."
    )


# -- what is missing


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "AZURE_DEVOPS_ORG_URL",
            "is not set. It is the address of your organisation, such as "
            "https://dev.azure.com/contoso.",
        ),
        (
            "AZURE_DEVOPS_WEBHOOK_USERNAME",
            "is not set. It is any name; the service hooks must present the same.",
        ),
        (
            "AZURE_DEVOPS_WEBHOOK_PASSWORD",
            "is not set. It is a long random text; the service hooks must present the same.",
        ),
        (
            "DATABRICKS_HOST",
            "is not set. It is the address of the production workspace, such as "
            "https://adb-123.4.azuredatabricks.net.",
        ),
        (
            "DATABRICKS_WEBHOOK_SECRET",
            "is not set. It is the secret given to the registry webhook in Databricks.",
        ),
        (
            "MLFLOW_WEBHOOK_SECRET",
            "is not set. It is the secret given to the webhook on the MLflow server.",
        ),
    ],
)
def test_a_missing_variable_is_named_with_where_to_get_it(name: str, sentence: str) -> None:
    assert mistake(**{name: None}) == f"{name} {sentence}"
    assert mistake(**{name: ""}) == f"{name} {sentence}"


def test_the_token_is_named_with_the_rights_it_needs() -> None:
    told = mistake(AZURE_DEVOPS_TOKEN=None)

    assert told.startswith("AZURE_DEVOPS_TOKEN is not set. ")
    assert "Personal access tokens: Code (read & write) and Code (status)" in told


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("AZURE_DEVOPS_PROJECT", "the Azure DevOps project that holds the repository"),
        ("AZURE_DEVOPS_REPOSITORY", "the name of the repository to serve"),
    ],
)
def test_a_missing_variable_that_the_file_refers_to_is_named_with_both(
    name: str, meaning: str
) -> None:
    assert (
        mistake(**{name: None})
        == f"{name} is not set, and {NEEDED['BOT_CONFIG']} refers to it. It is {meaning}."
    )


def test_a_variable_of_ones_own_in_the_file_is_yours_to_set(tmp_path: Path) -> None:
    file = tmp_path / "bot.yml"
    file.write_text("repositories: [{project: '${TEAM}', repository: wine}]", encoding="utf-8")

    assert (
        mistake(BOT_CONFIG=str(file))
        == f"TEAM is not set, and {file} refers to it. It is yours to set."
    )
    assert read(BOT_CONFIG=str(file), TEAM="red").served[0].key == "contoso/red/wine"


def test_every_missing_variable_is_named_at_once() -> None:
    told = mistake(AZURE_DEVOPS_TOKEN=None, DATABRICKS_HOST=None, MLFLOW_WEBHOOK_SECRET=None)

    assert [line.split()[0] for line in told.splitlines()] == [
        "AZURE_DEVOPS_TOKEN",
        "DATABRICKS_HOST",
        "MLFLOW_WEBHOOK_SECRET",
    ]


def test_a_sender_that_may_not_send_needs_no_secret(tmp_path: Path) -> None:
    file = tmp_path / "bot.yml"
    file.write_text(
        "registry_webhooks: [mlflow]\nrepositories: [{project: a, repository: b}]", encoding="utf-8"
    )

    found = read(BOT_CONFIG=str(file), DATABRICKS_WEBHOOK_SECRET=None)

    assert found.databricks_hooks == ()
    assert words(found.mlflow_hooks) == ["mlf-hook-c11d"]


def test_the_secret_of_a_sender_that_may_not_send_opens_nothing(tmp_path: Path) -> None:
    file = tmp_path / "bot.yml"
    file.write_text(
        "registry_webhooks: []\nrepositories: [{project: a, repository: b}]", encoding="utf-8"
    )

    found = read(BOT_CONFIG=str(file))

    assert (found.databricks_hooks, found.mlflow_hooks) == ((), ())


def test_an_empty_environment_is_told_all_it_lacks_at_once() -> None:
    with pytest.raises(ConfigError) as refused:
        environment.read({"BOT_CONFIG": NEEDED["BOT_CONFIG"]})

    needed = NEEDED.keys() - {"BOT_CONFIG", "DATABRICKS_TOKEN"}
    assert {line.split()[0] for line in str(refused.value).splitlines()} == needed


def test_the_token_is_said_to_be_a_token() -> None:
    assert "It is Azure DevOps" not in mistake(AZURE_DEVOPS_TOKEN=None)


@pytest.mark.parametrize(
    "name", ["AZURE_DEVOPS_TOKEN", "AZURE_DEVOPS_WEBHOOK_PASSWORD", "MLFLOW_WEBHOOK_SECRET"]
)
@pytest.mark.parametrize("value", [",", " ", " , "])
def test_a_secret_of_nothing_but_spaces_and_commas_is_missing(name: str, value: str) -> None:
    assert mistake(**{name: value}).startswith(f"{name} is not set.")


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    held = tmp_path / "secret"
    held.write_bytes(b"\xff\xfe\x00")

    assert "AZURE_DEVOPS_TOKEN_FILE" in mistake(
        AZURE_DEVOPS_TOKEN=None, AZURE_DEVOPS_TOKEN_FILE=str(held)
    )


# -- addresses


@pytest.mark.parametrize(
    "name", ["AZURE_DEVOPS_ORG_URL", "DATABRICKS_HOST", "DATABRICKS_VALIDATION_HOST"]
)
@pytest.mark.parametrize(
    "value", ["http://dev.azure.com/contoso", "http://127.0.0.1.example.com", "http://10.0.0.5"]
)
def test_a_token_is_sent_over_http_to_this_machine_only(name: str, value: str) -> None:
    assert mistake(**{name: value}) == (
        f"{name} is an http address; a token is only sent over https, except to this machine."
    )


@pytest.mark.parametrize(
    "value", ["http://127.0.0.1:8080", "http://localhost:5000", "http://[::1]:80"]
)
def test_this_machine_may_be_reached_over_http(value: str) -> None:
    assert read(DATABRICKS_HOST=value).production.host == value


@pytest.mark.parametrize(
    "value", ["ftp://dev.azure.com", "https://", "file:///etc/passwd", "databricks"]
)
def test_an_address_that_is_none_is_refused(value: str) -> None:
    told = mistake(DATABRICKS_HOST=value)

    assert told.startswith("DATABRICKS_HOST is ")
    assert told.endswith("it must be an http(s) address.")


def test_an_address_that_holds_a_password_is_refused_without_showing_it() -> None:
    assert "s3cret" not in mistake(AZURE_DEVOPS_ORG_URL="https://bot:s3cret@dev.azure.com/contoso")


def test_a_registry_is_the_workspaces_or_an_mlflow_server() -> None:
    assert mistake(MLFLOW_REGISTRY_URI="sqlite") == (
        'MLFLOW_REGISTRY_URI is "sqlite"; '
        'it must be "databricks", "databricks-uc" or the http(s) address of an MLflow server.'
    )


def test_runs_are_not_tracked_in_unity_catalog() -> None:
    assert mistake(MLFLOW_TRACKING_URI="databricks-uc").startswith(
        'MLFLOW_TRACKING_URI is "databricks-uc"'
    )


def test_an_address_without_its_scheme_is_shown_as_it_was_found() -> None:
    assert '"adb-123.4.azuredatabricks.net"' in mistake(
        DATABRICKS_HOST="adb-123.4.azuredatabricks.net"
    )


def test_an_address_copied_from_a_clone_command_is_told_what_is_wrong() -> None:
    assert "@" in mistake(AZURE_DEVOPS_ORG_URL="https://contoso@dev.azure.com/contoso")


@pytest.mark.parametrize("name", ["DATABRICKS_HOST", "MLFLOW_TRACKING_URI"])
def test_an_address_with_broken_brackets_is_named(name: str) -> None:
    assert mistake(**{name: "https://[::1"}).startswith(name)


# -- secrets are shown nowhere


def everything_shown(found: object) -> str:
    return (
        repr(found) + str(found) + f"{found!r:.100000}" + "".join(map(repr, vars(found).values()))
    )


def test_settings_that_are_printed_show_no_secret() -> None:
    shown = everything_shown(read(**OPTIONAL))

    secrets = (
        *SECRETS.values(),
        OPTIONAL["DATABRICKS_VALIDATION_TOKEN"],
        OPTIONAL["DASHBOARD_PASSWORD"],
    )
    assert [secret for secret in secrets if secret in shown] == []


def test_every_secret_is_given_to_the_log_to_keep_out() -> None:
    kept_out = set(words(read(**OPTIONAL).secrets))

    names = {"AZURE_DEVOPS_WEBHOOK_USERNAME"}  # a name is no secret, and not kept out
    assert {value for name, value in SECRETS.items() if name not in names} <= kept_out
    assert {OPTIONAL["DATABRICKS_VALIDATION_TOKEN"], OPTIONAL["DASHBOARD_PASSWORD"]} <= kept_out


@pytest.mark.parametrize(
    "name", [name for name in NEEDED if name not in SECRETS and name != "BOT_CONFIG"]
)
def test_no_mistake_is_told_with_a_secret(name: str) -> None:
    told = mistake(**{name: None})

    assert [secret for secret in SECRETS.values() if secret in told] == []


def test_settings_that_are_printed_show_no_password_of_the_database() -> None:
    assert "s3cret" not in everything_shown(
        read(DATABASE_URL="postgresql://bot:s3cret@db.example/signalman")
    )


def test_an_mlflow_address_that_is_refused_is_told_without_its_password() -> None:
    assert "s3cret" not in mistake(
        MLFLOW_TRACKING_URI="postgresql://mlflow:s3cret@db.example/mlflow"
    )


@pytest.mark.parametrize("name", ["MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"])
def test_an_mlflow_address_with_a_password_in_it_is_refused(name: str) -> None:
    assert "s3cret" not in mistake(**{name: "https://bot:s3cret@mlflow.example"})


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("ARM_CLIENT_SECRET", "arm-very-secret", "arm-very-secret"),
        ("AZURE_CLIENT_SECRET", "azure-very-secret", "azure-very-secret"),
        ("DATABRICKS_CLIENT_SECRET", "dose-very-secret", "dose-very-secret"),
        ("DATABASE_URL", "postgresql://bot:s%40fe-p4ss@db.example/signalman", "s@fe-p4ss"),
        ("DATABASE_URL", "postgresql://bot:s%40fe-p4ss@db.example/signalman", "s%40fe-p4ss"),
    ],
)
def test_what_else_signs_in_is_kept_out_of_the_log_too(name: str, value: str, secret: str) -> None:
    assert secret in words(read(**{name: value}).secrets)


def test_the_password_of_a_database_whose_address_is_in_a_file_is_kept_out_too(
    tmp_path: Path,
) -> None:
    held = tmp_path / "address"
    held.write_text("postgresql://bot:safe-p4ss@db.example/signalman\n", encoding="utf-8")

    assert "safe-p4ss" in words(read(DATABASE_URL_FILE=str(held)).secrets)


def test_an_address_of_the_database_that_is_none_is_read_as_it_is() -> None:
    assert read(DATABASE_URL="postgresql://[db/signalman").database_url.endswith("[db/signalman")


def test_what_is_no_secret_by_its_name_or_is_too_short_is_not_kept_out() -> None:
    named = {"TOKENS_AT": "/usr/local/bin", "SOME_TOKEN": "short", "KEYBOARD": "a-long-one"}

    assert not {*named.values()} & {*words(read(**named).secrets)}


@pytest.mark.parametrize(
    ("there", "lacking"),
    [
        ("DASHBOARD_USERNAME", "DASHBOARD_PASSWORD"),
        ("DASHBOARD_PASSWORD", "DASHBOARD_USERNAME"),
    ],
)
def test_half_a_pair_of_credentials_is_refused_for_it_would_guard_nothing(
    there: str, lacking: str
) -> None:
    told = mistake(**{there: "looker-5512"})

    assert told.startswith(f"{there} is set and {lacking} is not")
    assert "looker-5512" not in told


# -- a person at a terminal

HERS = {
    "AZURE_DEVOPS_ORG_URL": "https://dev.azure.com/contoso",
    "AZURE_DEVOPS_PROJECT": "ml",
    "AZURE_DEVOPS_REPOSITORY": "models",
    "AZURE_DEVOPS_PERSON_TOKEN": "hers",
}


def test_a_person_needs_a_token_and_none_of_the_bots_secrets() -> None:
    found = person(HERS)

    assert [one.key for one in found.served] == ["contoso/ml/models"]
    assert found.token.get_secret_value() == "hers"
    assert "hers" not in repr(found)


@pytest.mark.parametrize("name", HERS)
def test_what_a_person_has_not_set_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        person({key: value for key, value in HERS.items() if key != name})


def test_a_person_does_not_speak_with_the_bots_token() -> None:
    with pytest.raises(ConfigError, match="does not listen to itself") as refused:
        person({**HERS, "AZURE_DEVOPS_TOKEN": "another,hers"})

    assert "hers" not in str(refused.value)


def test_who_may_command_is_nobody_unless_somebody_is_named() -> None:
    found = Commands()

    assert (found.contributors, found.model_owners, found.release_managers, found.own) == (
        (),
        (),
        (),
        False,
    )
