"""How a sender proves who it is: secrets compared in constant time, on bytes.

It knows no sender and no body. Where no secret is accepted, nothing is.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping


def header(headers: Mapping[str, str], name: str) -> str:
    """The header of that name in whatever case it was sent; empty where it was not."""
    for sent, value in headers.items():
        if sent.lower() == name.lower():
            return value
    return ""


def matches(given: bytes, accepted: Iterable[bytes]) -> bool:
    """Tell whether `given` is one of the accepted values, in a time that depends on neither."""
    # Digests have one length, so even the length of a secret stays unknown; no early return for the
    # same reason.
    presented = hashlib.sha256(given).digest()
    matched = False
    for value in accepted:
        matched |= hmac.compare_digest(presented, hashlib.sha256(value).digest())
    return matched


def basic(headers: Mapping[str, str], credentials: Iterable[tuple[str, str]]) -> bool:
    """Tell whether the Authorization header holds one of the pairs of user name and password."""
    scheme, _, encoded = header(headers, "Authorization").partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        given = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return False
    return matches(given, [f"{username}:{password}".encode() for username, password in credentials])


def hmac_sha256(secret: str, message: bytes) -> bytes:
    """What a registry signs a message with."""
    return hmac.new(secret.encode(), message, hashlib.sha256).digest()
