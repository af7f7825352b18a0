"""What a log line says: an event and what is known of it, as `name=value`, always on one line."""

import json
import re

_PLAIN = re.compile(r"[\w./%:@+-]+", re.ASCII)


def line(event: str, **told: object) -> str:
    """Write an event with its values; whatever they hold, no control character of theirs gets through."""
    return " ".join([event, *(f"{name}={_value(value)}" for name, value in told.items())])


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    text = "; ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)
