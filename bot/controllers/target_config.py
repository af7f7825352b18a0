"""The target branch as it is now: its tip, and the configuration it holds there."""

from bot.config import yaml_file
from bot.config.repository import MLOPS_FILE, Mlops
from bot.controllers.services import Repository
from bot.errors import ConfigError


def read(repository: Repository) -> tuple[str, Mlops]:
    """The commit at the target branch's tip and the configuration in it.

    Raises ConfigError when the configuration is missing or cannot be used.
    """
    tip = repository.mirror.fetch(repository.served.target)
    return tip, at(tip, repository)


def at(commit: str, repository: Repository) -> Mlops:
    """The configuration that the target branch has, or would have, at a commit that was fetched.
    Raises ConfigError.
    """
    target = repository.served.target
    text = repository.mirror.read(commit, MLOPS_FILE)
    if text is None:
        raise ConfigError(f"{MLOPS_FILE} is not on {target} ({commit[:7]}).")
    found = yaml_file.parse(Mlops, text.decode("utf-8", "replace"), MLOPS_FILE)
    if found.target != target:
        raise ConfigError(
            f'{MLOPS_FILE}: target is "{found.target}", but the bot reads this file from {target}; '
            "correct it here, or `target` in config/bot.yml."
        )
    return found
