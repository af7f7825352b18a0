"""`python -m bot accept`: whoever may write to the registry says that a version is wanted, and the
bot looks again.
"""

import os
import subprocess
import sys

from bot.subjects import Model
from tests.bot_in_process import Bot
from tests.stories.test_promotions import trained
from tests.stories.test_refused_promotions import nothing_serves, tags

__all__ = ["nothing_serves"]


def accept(bot: Bot, *words: str) -> tuple[int, str, str]:
    environment = {
        **os.environ,
        **bot.world.environment(bot.url, bot.settings.var),
        "BOT_CONFIG": "config/bot.yml",
    }
    command = [sys.executable, "-m", "bot", "accept", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_a_version_is_accepted_and_what_follows_it_is_due(bot: Bot) -> None:
    trained(bot, "from_a_terminal")

    code, said, _ = accept(
        bot, "from_a_terminal_model", "1", "--by", "Ben", "--reason", "measured\n by hand"
    )
    due = {row.subject for row in bot.queue.subjects(100) if row.due_at is not None}

    assert (code, said) == (
        0,
        "from_a_terminal_model v1 is accepted; the jobs that follow it are looked at now.\n",
    )
    assert tags(bot, "from_a_terminal_model", 1)["signalman_accepted"] == "Ben: measured by hand"
    assert Model("from_a_terminal_model") in due


def test_a_version_that_is_not_there_is_a_sentence(bot: Bot) -> None:
    code, _, said = accept(bot, "no_such_model", "7", "--reason", "x")

    assert code == 1
    assert "Error: The registry has no version 7 of no_such_model." in said
