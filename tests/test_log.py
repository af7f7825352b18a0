"""A line of the log is one line of JSON, and shows no secret however it is written."""

import base64
import json
import logging
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import log


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], list[dict[str, str]]]]:
    """What was logged since, read back line by line."""
    root, bot = logging.getLogger(), logging.getLogger("bot")
    before = (root.handlers[:], root.level, bot.level)

    yield lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]

    root.handlers[:], level, bot_level = before
    root.setLevel(level)
    bot.setLevel(bot_level)


Logged = Callable[[], list[dict[str, str]]]
SECRET = 'pa/ss+w"ö rd\\&'
"""As awkward as a password may be."""

PLAIN = "s3cret-token-0001"


def basic(name: str) -> Callable[[str], str]:
    return lambda secret: base64.b64encode(f"{name}:{secret}".encode()).decode()


SHOWN_BY: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in an address": lambda secret: quote(secret, safe=""),
    "in base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "in a header without a name": basic(""),
    "in a header with a name": basic("hooks"),
    "in a header with a longer name": basic("hooks1"),
}
SHOWN_BY_TOO: dict[str, Callable[[str], str]] = {
    "in a header with a name of another length": basic("hooks-2"),
    "in the path of an address": quote,
    "in a value of a line of the log": lambda secret: log.line("asked", secret=secret),
    "in Python's own words": repr,
}


@pytest.mark.parametrize("secret", [SECRET, PLAIN])
@pytest.mark.parametrize("form", SHOWN_BY)
def test_no_secret_is_logged_however_it_is_written(form: str, secret: str, logged: Logged) -> None:
    log.set_up([secret])
    shown = SHOWN_BY[form](secret)

    logging.getLogger("bot.test").warning("asked with %s and got an answer", shown)

    (line,) = logged()
    assert log.MASK in line["message"]
    assert shown.rstrip("=")[-12:] not in line["message"]


@pytest.mark.parametrize("form", SHOWN_BY_TOO)
def test_no_secret_is_logged_however_else_it_is_written(form: str, logged: Logged) -> None:
    log.set_up([SECRET])
    shown = SHOWN_BY_TOO[form](SECRET)

    logging.getLogger("bot.test").warning("asked with %s and got an answer", shown)

    assert shown.rstrip("=")[-12:] not in logged()[0]["message"]


def test_a_secret_in_an_error_is_not_logged(logged: Logged) -> None:
    log.set_up([PLAIN])

    try:
        raise ValueError(f"https://x:{PLAIN}@example.com")
    except ValueError as error:
        logging.getLogger("bot.test").exception("it failed: %s", error)

    (line,) = logged()
    assert PLAIN not in json.dumps(line)
    assert "ValueError" in line["error"]


def test_a_longer_secret_is_masked_whole_though_a_shorter_one_begins_it(logged: Logged) -> None:
    log.set_up(["s3cret", "s3cret-longer"])

    logging.getLogger("bot.test").warning("s3cret-longer")

    assert logged()[0]["message"] == log.MASK


def test_a_text_too_short_to_be_a_secret_masks_nothing(logged: Logged) -> None:
    log.set_up(["", "abc"])

    logging.getLogger("bot.test").warning("abc")

    assert logged()[0]["message"] == "abc"


def test_nothing_from_outside_begins_a_second_line(logged: Logged) -> None:
    log.set_up([])

    logging.getLogger("bot.test").warning(
        log.line("delivery", reason='x\n{"level": "error"}\r\u2028\x1b[31m')
    )

    (line,) = logged()
    assert line["level"] == "warning"
    assert line["message"].startswith("delivery reason=")


def test_a_line_of_the_log_tells_when_how_bad_who_and_what(logged: Logged) -> None:
    log.set_up([])

    logging.getLogger("bot.worker").info(
        log.line("pass", subject="model/wine", seconds=0.25, done=["a", "b"])
    )

    (line,) = logged()
    assert line["time"].endswith("+00:00")
    assert (line["level"], line["logger"]) == ("info", "bot.worker")
    assert line["message"] == 'pass subject=model/wine seconds=0.250 done="a; b"'


def test_the_chatter_of_libraries_is_not_logged(logged: Logged) -> None:
    log.set_up([])

    logging.getLogger("urllib3").info("Starting new HTTPS connection")

    assert logged() == []


@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "c"]), st.one_of(st.text(), st.lists(st.text()), st.floats())
    )
)
def test_what_is_told_of_an_event_stays_on_its_line(told: dict[str, object]) -> None:
    written = log.line("event", **told)

    assert written.isascii()
    assert written.isprintable()
