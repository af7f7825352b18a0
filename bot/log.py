"""One line of JSON per event, in which nothing from outside can begin a second line and no secret
is shown.
"""

import json
import logging
import re
from collections.abc import Iterable
from datetime import UTC, datetime

from bot.masking import MASK, forms

_PLAIN = re.compile(r"[\w./%:@+-]+", re.ASCII)


class _Lines(logging.Formatter):
    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__()
        self._secrets = sorted(
            {form for secret in secrets for form in forms(secret)}, key=len, reverse=True
        )

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._masked(record.getMessage()),
        }
        if record.exc_info:
            entry["error"] = self._masked(self.formatException(record.exc_info))
        return json.dumps(entry, ensure_ascii=True)

    def _masked(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text


def set_up(secrets: Iterable[str], level: int = logging.INFO) -> None:
    """Send what the bot logs to the standard error stream; the given secrets never appear in it."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Lines(secrets))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("bot").setLevel(level)


def line(event: str, **told: object) -> str:
    """Write an event with its values; whatever they hold, no control character of theirs gets
    through.
    """
    return " ".join([event, *(f"{name}={_value(value)}" for name, value in told.items())])


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, list | tuple):
        text = "; ".join(map(str, value))
    else:
        text = str(value)
    if _PLAIN.fullmatch(text):
        return text
    return json.dumps(text)
