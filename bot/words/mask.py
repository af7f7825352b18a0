"""Text from outside without the secrets that are known."""

from collections.abc import Iterable

MASK = "***"


def masked(text: str, secrets: Iterable[str] = ()) -> str:
    """Put a mask where one of these secrets stands."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text
