"""The forms in which a secret may be written, so that none of them is shown."""

import base64
import json
from urllib.parse import quote

MASK = "********"


def forms(secret: str) -> list[str]:
    """A secret in each of the encodings that headers, addresses and quotes give it; one too short
    to be one in none.
    """
    if len(secret) < 4:
        return []
    plain = [
        secret,
        quote(secret),
        quote(secret, safe=""),
        json.dumps(secret)[1:-1],
        repr(secret)[1:-1],
    ]
    return plain + [_base64(secret.encode(), offset) for offset in range(3)]


def _base64(raw: bytes, offset: int) -> str:
    # What comes before it, such as a user's name, decides at which of three offsets a text is
    # encoded; the characters at its edges belong to its neighbours too and are left out.
    encoded = base64.b64encode(b"\0" * offset + raw).decode()
    return encoded[-(-offset * 8 // 6) : (offset + len(raw)) * 8 // 6]
