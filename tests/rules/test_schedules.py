"""When a schedule fires next, and how it reads."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.config.repository import Schedule
from bot.rules import schedule as schedules
from sandbox.databricks import quartz as stand_in

WEDNESDAY = datetime(2026, 11, 25, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "next_run", "words"),
    [
        ("0 0 2 * * ?", "2026-11-25 02:00", "at 02:00 UTC"),
        ("0 30 1 * * ?", "2026-11-26 01:30", "at 01:30 UTC"),
        ("0 0 2 ? * MON-FRI", "2026-11-25 02:00", "at 02:00, Monday through Friday UTC"),
        ("0 0 2 ? * 1", "2026-11-29 02:00", "at 02:00, only on Sunday UTC"),
        ("0 0 2 ? * fri-mon", "2026-11-27 02:00", "at 02:00, Friday through Monday UTC"),
        ("0 0 2 ? * MON-MON", "2026-11-30 02:00", None),
        ("0 0 2 ? * 2/2", "2026-11-25 02:00", None),
        ("0 0 2 ? * 6L", "2026-11-27 02:00", "at 02:00, on the last Friday of the month UTC"),
        ("0 0 2 ? * FRIL", "2026-11-27 02:00", None),
        ("0 0 2 ? * L", "2026-11-28 02:00", None),
        ("0 0 2 ? * 6#3", "2026-12-18 02:00", "at 02:00, on the third Friday of the month UTC"),
        ("0 0 2 L * ?", "2026-11-30 02:00", "at 02:00, on the last day of the month UTC"),
        (
            "0 0 2 L-3 * ?",
            "2026-11-27 02:00",
            "at 02:00, 3 days before the last day of the month UTC",
        ),
        ("0 0 2 LW 1 ?", "2027-01-29 02:00", None),
        ("0 0 2 15W 8 ?", "2027-08-16 02:00", None),
        ("0 0 2 29 2 ?", "2028-02-29 02:00", None),
        ("0 0 2 1 JAN,JUL ?", "2027-01-01 02:00", None),
        ("0 0 2 * * ? 2031", "2031-01-01 02:00", "at 02:00, only in 2031 UTC"),
        (
            "0 0/15 8-18 ? * 2-6",
            "2026-11-25 08:00",
            "every 15 minutes, between 08:00 and 18:59, Monday through Friday UTC",
        ),
        ("30 59/15 2-2 * * ?", "2026-11-25 02:59", None),
        ("0 0 22-2 * * ?", "2026-11-25 02:00", None),
        ("* * * * * ?", "2026-11-25 01:30", "every second UTC"),
    ],
)
def test_a_schedule_is_read_as_quartz_means_it(cron: str, next_run: str, words: str | None) -> None:
    schedule = Schedule(cron=cron)

    found = schedules.next_run(schedule, WEDNESDAY)

    assert found is not None
    assert found.strftime("%Y-%m-%d %H:%M") == next_run
    assert words is None or schedules.words(schedule) == words


@pytest.mark.parametrize(
    "cron",
    ["", "nightly", "0 2 * * ?", "0 99 2 * * ?", "0 0 2 1 * MON", "0 0 2 30 2 ?", "0 0 2 * * ? 2001", "0 0/0 2 * * ?",  # noqa: E501 a table, or a text as it is sent
     "0 0 2 L-99 * ?", "0 0 2 ? * 8", "0 0 2 ? * <b>`x`", "0 0 0-99999999999 * * ?", "0 0 2 ٣ * ?", "@daily"],  # noqa: E501 a table, or a text as it is sent
)  # fmt: skip
def test_a_schedule_that_never_fires_or_is_not_understood_has_no_next_run(cron: str) -> None:
    assert schedules.next_run(Schedule(cron=cron), WEDNESDAY) is None


def test_a_schedule_that_is_not_understood_is_shown_as_it_stands() -> None:
    assert (
        schedules.words(Schedule(cron="0 99 2 * * ?", timezone="Europe/Zurich"))
        == "0 99 2 * * ? Europe/Zurich"
    )
    assert schedules.words(Schedule(cron="0 0 2 ? * L")) == "0 0 2 ? * L UTC"


def test_a_run_is_told_in_the_schedules_time_zone() -> None:
    schedule = Schedule(cron="0 0 2 * * ?", timezone="Europe/Zurich")

    found = schedules.next_run(schedule, WEDNESDAY)

    assert found == datetime(2026, 11, 26, 2, 0, tzinfo=ZoneInfo("Europe/Zurich"))
    assert (
        schedules.next_run(Schedule(cron="0 0 2 * * ?", timezone="Mars/Crater"), WEDNESDAY) is None
    )
    assert (
        schedules.next_run(Schedule(cron="0 0 2 * * ?", timezone="../../etc/passwd"), WEDNESDAY)
        is None
    )


@pytest.mark.parametrize(
    ("cron", "after", "runs"),
    [
        # The night in which the clock goes from 2 to 3, and the one in which it goes from 3 back to
        # 2.
        (
            "0 30 2 * * ?",
            "2026-03-28T00:00Z",
            ["28 02:30 +0100", "30 02:30 +0200", "31 02:30 +0200"],
        ),
        (
            "0 0/30 1-3 * * ?",
            "2026-03-29T00:15Z",
            ["29 01:30 +0100", "29 03:00 +0200", "29 03:30 +0200"],
        ),
        (
            "0 30 2 * * ?",
            "2026-10-24T12:00Z",
            ["25 02:30 +0100", "26 02:30 +0100", "27 02:30 +0100"],
        ),
        (
            "0 30 2 * * ?",
            "2026-10-25T00:45Z",
            ["25 02:30 +0100", "26 02:30 +0100", "27 02:30 +0100"],
        ),
        (
            "0 0 3 * * ?",
            "2026-10-24T12:00Z",
            ["25 03:00 +0100", "26 03:00 +0100", "27 03:00 +0100"],
        ),
        ("0 0 3 1 1 ? 2027", "2026-10-24T12:00Z", ["01 03:00 +0100"]),
    ],
)
def test_the_next_runs_are_those_that_the_clock_on_the_wall_shows(
    cron: str, after: str, runs: list[str]
) -> None:
    schedule = Schedule(cron=cron, timezone="Europe/Zurich")

    found = schedules.next_runs(schedule, datetime.fromisoformat(after), 3)

    assert [moment.strftime("%d %H:%M %z") for moment in found] == runs


@pytest.mark.parametrize(
    ("schedule", "told"),
    [
        (Schedule(cron="0 0 2 * * ?", timezone="Europe/Zurich"), ""),
        (Schedule(cron="0 99 2 * * ?"), "99 is not a number from 0 to 59"),
        (Schedule(cron="0 2 * * ?"), "0 2 * * ? has not six or seven fields"),
        (Schedule(cron="0 0 2 * * ?", timezone="Mars/Crater"), "Mars/Crater is not a time zone"),
        (
            Schedule(cron="0 0 2 * * ?", timezone="../../etc/passwd"),
            "../../etc/passwd is not a time zone",
        ),
    ],
)
def test_what_is_wrong_with_a_schedule_is_told(schedule: Schedule, told: str) -> None:
    assert schedules.mistake(schedule).startswith(told)
    assert bool(schedules.mistake(schedule)) == bool(told)


def test_what_is_paused_has_no_next_run() -> None:
    assert schedules.next_run(Schedule(cron="0 0 2 * * ?", paused=True), WEDNESDAY) is None


def items(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    ranges = st.tuples(number, number).map(lambda two: f"{min(two)}-{max(two)}")
    steps = st.tuples(number, st.integers(1, 20)).map(lambda two: f"{two[0]}/{two[1]}")
    one = st.one_of(number.map(str), ranges, steps)
    return st.one_of(st.just("*"), st.lists(one, min_size=1, max_size=3).map(",".join))


EXPRESSIONS = st.one_of(
    st.tuples(items(0, 59), items(0, 59), items(0, 23), items(1, 28), items(1, 12), st.just("?")),
    st.tuples(items(0, 59), items(0, 59), items(0, 23), st.just("?"), items(1, 12), items(1, 7)),
).map(" ".join)
MOMENTS = st.integers(1_700_000_000, 1_900_000_000).map(
    lambda seconds: datetime.fromtimestamp(seconds, UTC)
)


@given(EXPRESSIONS, MOMENTS)
def test_the_stand_in_for_databricks_reads_it_in_another_way_and_finds_the_same(
    cron: str, now: datetime
) -> None:
    found = schedules.next_run(Schedule(cron=cron), now)

    assert found == stand_in.next_run(cron, "UTC", now)
    assert found is None or found > now


@given(
    st.text(alphabet="0123456789*?/,-LW# MONFRIJAN\n\x00é", max_size=60),
    st.text(max_size=20),
    MOMENTS,
)
def test_no_text_is_too_strange_for_a_schedule(cron: str, timezone: str, now: datetime) -> None:
    found = schedules.next_run(Schedule(cron=cron, timezone=timezone), now)

    assert schedules.words(Schedule(cron=cron, timezone=timezone)) is not None
    assert found is None or timedelta() < found - now
