"""Text from outside without what looks like a secret: a log may hold one that nobody meant to
print.

What a secret looks like is a guess, and in doubt it is masked. Colours and other unseen characters
may part a secret: take them out first (`escape.visible`). Every pattern here reads its text once,
however it is written.
"""

import re
from collections.abc import Iterable

from bot.masking import MASK, forms

_WORD = r"(?<![A-Za-z0-9])"
_END = r"(?![A-Za-z0-9])"
_SHAPES = (
    # Azure DevOps personal access tokens, of both lengths
    # (https://learn.microsoft.com/azure/devops/organizations/accounts/use-personal-access-tokens-to-authenticate).
    re.compile(rf"{_WORD}(?:[A-Za-z0-9]{{84}}|[a-z2-7]{{52}}){_END}"),
    # Databricks: personal access tokens, OAuth secrets and the tokens of its other kinds.
    re.compile(rf"{_WORD}(?:dapi|dose|dkea|dsapi)[0-9a-fA-F]{{32}}(?:-\d+)?{_END}"),
    re.compile(rf"{_WORD}gh[opsur]_[A-Za-z0-9]{{36,255}}{_END}"),
    re.compile(rf"{_WORD}github_pat_[A-Za-z0-9_]{{40,255}}{_END}"),
    re.compile(rf"{_WORD}A(?:KIA|SIA)[A-Z0-9]{{16}}{_END}"),
    re.compile(
        r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)",
        re.DOTALL,
    ),
)
_NAMED = (
    # The signatures in the addresses of Azure Storage (SAS), Amazon and Google.
    re.compile(
        r"(?i)((?:[?&]|%26|&amp;)(?:sig|signature|x-amz-signature|x-amz-security-token|x-goog-signature)=)[^\s&\"'<>]+"
    ),
    re.compile(r"(?i)(\b(?:AccountKey|SharedAccessKey|SharedAccessSignature)=)[^\s;\"']+"),
    re.compile(
        r"(?i)((?<![a-z])authorization[\"']?[ \t]{0,3}[:=][ \t]{0,3}[\"']?(?:[a-z]{1,20}[ "
        r"\t]{1,3})?)[^\s\"',;]+"
    ),
    re.compile(r"(?i)((?<![a-z])bearer[ \t]{1,3}[\"']?)[\w.~+/=-]{8,}"),
    re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]{0,20}://[^\s/:@\"']{0,200}:)[^\s/\"']{1,1000}(?=@)"),
    # password=…, "api_key": "…", DB_TOKEN=…
    re.compile(
        r"(?i)((?<![a-z])(?:password|passwd|pwd|secret|token|(?:api|access|account|secret|private)[_-]?key|client[_-]?secret)"
        r"[\"']?[ \t]{0,3}[:=][ \t]{0,3})(?:\"[^\"\n]{4,}\"|'[^'\n]{4,}'|[\"']?[^\s\"',;&]{4,})"
    ),
)
_DOTTED = re.compile(r"(?<![\w-])[\w-]++(?:\.[\w-]*+)++", re.ASCII)


def masked(text: str, secrets: Iterable[str] = ()) -> str:
    """Put a mask where one of these secrets stands, in whichever encoding, and where something
    looks like a secret.
    """
    for known in sorted(
        {form for secret in secrets for form in forms(secret)}, key=len, reverse=True
    ):
        text = text.replace(known, MASK)
    for shape in _SHAPES:
        text = shape.sub(MASK, text)
    text = _DOTTED.sub(_without_web_token, text)
    for named in _NAMED:
        text = named.sub(rf"\g<1>{MASK}", text)
    return text


def _without_web_token(found: re.Match[str]) -> str:
    # A JSON Web Token begins with {" in base64 and has two dots or more
    # (https://www.rfc-editor.org/rfc/rfc7515).
    word = found[0]
    place = word.find("eyJ")
    if place >= 0 and word.count(".", place) >= 2:
        return word[:place] + MASK
    return word
