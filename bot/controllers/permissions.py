"""Permissions: who is in the teams that may give commands, in a cache of a minute."""

import logging
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta

from bot.config.deployment import Commands
from bot.errors import NotFound
from bot.facts.discussion import Right, Team
from bot.services.azure_devops import AzureDevOps

BELIEVED = timedelta(seconds=60)
"""Somebody who has left a team may still give its commands for so long."""

log = logging.getLogger(__name__)


class Rights:
    """The teams of a deployment's `commands`. May be shared by threads."""

    def __init__(self, commands: Commands) -> None:
        self.commands = commands
        self._named: Mapping[Right, tuple[str, ...]] = {
            "contributor": commands.contributors,
            "model owner": commands.model_owners,
            "release manager": commands.release_managers,
        }
        self._known: dict[tuple[str, str], tuple[datetime, Team]] = {}
        self._lock = threading.Lock()

    def teams(self, right: Right, azure: AzureDevOps, now: datetime) -> tuple[Team, ...]:
        """The teams that have a right, with their members; one call for each that was not read
        lately.

        A team that Azure DevOps does not have has no members.
        """
        return tuple(self._team(name, azure, now) for name in self._named.get(right, ()))

    def names(self) -> Mapping[Right, tuple[str, ...]]:
        """The names of the teams that have each right; of `anyone` there is none."""
        return self._named

    def _team(self, name: str, azure: AzureDevOps, now: datetime) -> Team:
        with self._lock:
            read, team = self._known.get((azure.key, name), (None, None))
        if team is not None and read is not None and now - read < BELIEVED:
            return team
        try:
            team = Team(name, azure.members(name))
        except NotFound:
            log.warning(
                "commands in config/bot.yml name a team that Azure DevOps does not have: %s", name
            )
            team = Team(name, known=False)
        with self._lock:
            self._known[azure.key, name] = (now, team)
        return team
