"""Who is in the teams that may give commands, asked of the stand-in and believed for a minute."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.config.deployment import Commands
from bot.config.environment import ServedRepository
from bot.controllers.permissions import Rights
from bot.services.azure_client import Client
from bot.services.azure_devops import AzureDevOps
from sandbox.azure_devops import AzureDevOps as StandIn

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture
def azure(tmp_path: Path) -> Iterator[StandIn]:
    with StandIn(tmp_path / "azure", bot_token="pat") as stand_in:
        yield stand_in


@pytest.fixture
def service(azure: StandIn) -> AzureDevOps:
    served = ServedRepository("contoso/ml/models", azure.organization_url, "ml", "models", "main")
    return AzureDevOps(served, Client(azure.organization_url, (SecretStr("pat"),)))


def test_membership_is_read_when_somebody_asks_and_again_after_a_minute(
    azure: StandIn, service: AzureDevOps
) -> None:
    rights = Rights(Commands(model_owners=("ML leads",)))
    azure.team("ML leads", "Kim")
    kim = azure.world.people.named("Kim").id

    (first,) = rights.teams("model owner", service, NOW)
    azure.team("ML leads")
    (soon,) = rights.teams("model owner", service, NOW + timedelta(seconds=59))
    calls = len(azure.calls)
    (later,) = rights.teams("model owner", service, NOW + timedelta(seconds=60))

    assert calls == 1
    assert first.members == soon.members == {kim}
    assert later.members == frozenset()


def test_where_no_team_is_named_nothing_is_asked(azure: StandIn, service: AzureDevOps) -> None:
    rights = Rights(Commands())

    assert rights.teams("contributor", service, NOW) == ()
    assert rights.teams("release manager", service, NOW) == ()
    assert rights.teams("anyone", service, NOW) == ()
    assert azure.calls == []


def test_a_team_that_does_not_exist_has_no_members(service: AzureDevOps) -> None:
    (found,) = Rights(Commands(release_managers=("Nobody",))).teams("release manager", service, NOW)

    assert (found.name, found.members, found.known) == ("Nobody", frozenset(), False)
