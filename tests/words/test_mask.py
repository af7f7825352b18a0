"""What looks like a secret is masked wherever it stands, what does not is left alone, and neither
takes long.
"""

import base64
import json
import string
import time
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.masking import MASK, forms
from bot.words.mask import masked

SECRETS = st.text(min_size=4, max_size=60).filter(
    lambda text: not set(text) <= set("*") and text.encode("utf-8", "ignore")
)
PLAIN = st.text(alphabet=string.ascii_letters + string.digits + " .,:\n", max_size=40)

PAT = "abcdefghijklmnopqrstuvwxyz234567" * 2
NEW_PAT = "A1b2C3d4" * 9 + "JQQJAZDOx1y2"
TOKEN = base64.urlsafe_b64encode(b'{"alg":"RS256"}').decode().rstrip("=")
CLAIMS = base64.urlsafe_b64encode(b'{"sub":"somebody"}').decode().rstrip("=")

LOOKS = {
    "personal access token": PAT[:52],
    "personal access token of today": NEW_PAT,
    "databricks token": "dapi0123456789abcdef0123456789abcdef",
    "databricks token of a second kind": "dapi0123456789abcdef0123456789abcdef-2",
    "databricks oauth secret": "dose0123456789abcdef0123456789abcdef",
    "json web token": f"{TOKEN}.{CLAIMS}.c2lnbmF0dXJl",
    "json web token without a signature": f"{TOKEN}.{CLAIMS}.",
    "github token": "ghp_" + "a1B2" * 9,
    "amazon key": "AKIAIOSFODNN7EXAMPLE",
    "private key": "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nabc\n-----END RSA PRIVATE KEY-----",
}
NAMED = {
    "shared access signature": (
        "https://x.blob.core.windows.net/c/f?sv=2022&sig=",
        "aB%2F9x%3D",
        "&se=2026",
    ),
    "header": ("Authorization: Bearer ", "abc.def-123", "\n"),
    "header in a dictionary": ("{'Authorization': 'Basic ", "dXNlcjpwYXNz", "'}"),
    "bearer": ("sent bearer ", "0123456789abcdef", " to it"),
    "address": ("postgresql://bot:", "p@ss:w0rd", "@db.example/x"),
    "address without a user": ("redis://:", "hunter2", "@cache:6379"),
    "variable": ("AZURE_DEVOPS_TOKEN=", "s3cr3t", " next"),
    "quoted variable": ('password = "', "correct horse", '" next'),
    "key of a dictionary": ("{'api_key': '", "s3cr3t", "', 'x': 1}"),
    "connection string": ("AccountName=x;AccountKey=", "abc/def==", ";EndpointSuffix=y"),
    "client secret": ("client_secret: ", "s3cr3t~x", "\n"),
}

INNOCENT = [
    "Traceback (most recent call last):",
    '  File "projects/ExampleTrainingProject/train.py", line 78, in <module>',
    "KeyError: 'alcohol'",
    "commit a1b2c3d4e5f60718293a4b5c6d7e8f9001122334",
    "sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "see https://adb-123.4.azuredatabricks.net/#job/1/run/2 and "
    "git@ssh.dev.azure.com:v3/contoso/ml",
    "https://contoso@dev.azure.com/contoso/ml/_git/wine",
    "https://example.com:8443/path",
    "tokens: 1234, max_tokens=2048, tokenizer=bert-base",
    "signature=any, design=4 and sig = 0.05",
    "100%|██████████| 400/400 [00:08<00:00, 49.6it/s, rmse=0.712]",
    "sklearn.linear_model.ElasticNet.fit(alpha=0.5)",
]


@given(SECRETS, PLAIN, PLAIN)
def test_a_configured_secret_is_masked_in_every_encoding(
    secret: str, before: str, after: str
) -> None:
    assume(not any("\ud800" <= c <= "\udfff" for c in secret))
    for form in forms(secret):
        assume(form not in MASK and form not in before and form not in after)

        assert form not in masked(f"{before}{form}{after}", [secret]).replace(MASK, "\0")


@pytest.mark.parametrize(
    "write",
    [str, quote, json.dumps, repr, lambda s: base64.b64encode(f"bot:{s}".encode()).decode()],
)
def test_a_password_is_masked_however_it_was_printed(write: Callable[[str], str]) -> None:
    secret = 'pa/ss+w"ö rd\\&'

    assert write(secret).strip("\"'=")[-10:] not in masked(f"got {write(secret)} back", [secret])


@pytest.mark.parametrize("kind", LOOKS)
@pytest.mark.parametrize("frame", ["{}", "got {} back", "'{}'", "x={};", "({})", "\n{}\n"])
def test_what_looks_like_a_secret_is_masked_wherever_it_stands(kind: str, frame: str) -> None:
    told = masked(frame.format(LOOKS[kind]))

    assert told == frame.format(MASK)


@pytest.mark.parametrize("kind", NAMED)
def test_what_is_called_a_secret_is_masked_and_what_surrounds_it_is_not(kind: str) -> None:
    before, secret, after = NAMED[kind]

    told = masked(before + secret + after)

    assert secret not in told
    assert MASK in told
    assert told.startswith(before.rstrip("\"'"))
    assert told.endswith(after.lstrip("\"'"))


@pytest.mark.parametrize("line", INNOCENT)
def test_what_is_no_secret_is_left_alone(line: str) -> None:
    assert masked(line, ["a-secret-of-ours"]) == line


@given(
    st.text(max_size=200),
    st.lists(st.sampled_from([*LOOKS.values(), *("".join(n) for n in NAMED.values())])),
)
def test_what_was_masked_once_stays_as_it_is(text: str, secrets: list[str]) -> None:
    once = masked(" ".join([text, *secrets]))

    assert masked(once) == once


def test_a_secret_too_short_to_be_one_masks_nothing() -> None:
    assert masked("the rain in Spain", ["in", "", "a"]) == "the rain in Spain"


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece",
    ["a", "eyJ", "eyJ.", "a.", "://", "://:", "://a:", "password=", "token=\"", "token='token=\"", "Bearer ", "sig=",  # noqa: E501 a table, or a text as it is sent
     "?sig=", "-----BEGIN PRIVATE KEY-----", "dapi", "0123456789abcdef", "authorization: ",
     "authorization: a ", " ", "\n"],
)  # fmt: skip
def test_two_megabytes_of_anything_take_no_more_than_a_moment(piece: str) -> None:
    text = piece * (2_000_000 // len(piece))
    began = time.process_time()

    masked(text, ["a-secret-of-ours", "another"])

    assert time.process_time() - began < 5
