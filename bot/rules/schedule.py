"""When a job's schedule fires next, and the schedule in words. Knows no clock.

Databricks keeps schedules as Quartz expressions, `seconds minutes hours day month weekday [year]`,
with Sunday as 1
(http://www.quartz-scheduler.org/documentation/quartz-2.3.0/tutorials/crontrigger.html). croniter
reads another dialect, so that each field is read here and handed over as plain numbers. An
expression that is not understood is shown as it stands: it may come from a pull request, and never
stops anything.
"""

import re
from calendar import monthrange
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from cron_descriptor import ExpressionDescriptor, Options
from cron_descriptor.Exception import FormatError
from croniter import CroniterBadDateError, croniter

from bot.config.repository import Schedule

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"), 1
    )
}
_DAYS = {
    name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), 1)
}
_NONE: dict[str, int] = {}
_LONGEST_EXPRESSION = 200
"""Characters."""
_TIMES_SEARCHED = 4000


def words(schedule: Schedule) -> str:
    """The schedule as people say it; the expression itself when it is not understood."""
    try:
        _read(schedule.cron)
        options = Options(
            day_of_week_start_index_zero=False, use_24hour_time_format=True, locale_code="en_US"
        )
        text = ExpressionDescriptor(schedule.cron, options).get_full_description()
    except (ValueError, FormatError):
        return f"{schedule.cron} {schedule.timezone}".strip()
    return f"{text[:1].lower()}{text[1:]} {schedule.timezone}"


def mistake(schedule: Schedule) -> str:
    """What is wrong with a schedule, in a few words; empty when it is understood."""
    try:
        _read(schedule.cron)
    except ValueError as error:
        return str(error)
    try:
        ZoneInfo(schedule.timezone)
    except (ValueError, KeyError, OSError):
        # Of a time zone ZoneInfo says KeyError, or whatever reading a file of that name gives.
        return f"{schedule.timezone} is not a time zone, such as Europe/Zurich or UTC"
    return ""


def next_run(schedule: Schedule, after: datetime) -> datetime | None:
    """The first moment after `after` at which the schedule fires, in its time zone.

    None when it is paused, never fires again, or is not understood. As Quartz does it, a time of
    day that the clock leaves out is left out, and one that it shows twice fires the second time.
    """
    if schedule.paused:
        return None
    try:
        expression, fits = _read(schedule.cron)
        zone = ZoneInfo(schedule.timezone)
        after = after.astimezone(UTC)
        shown = after.astimezone(zone).replace(tzinfo=None)
        # What the clock has shown for the first time is still to come if it shows it again.
        shown -= shown.replace(tzinfo=zone, fold=1).astimezone(UTC) - after
        for _ in range(_TIMES_SEARCHED):
            shown = _next(expression, shown)
            if not fits(shown.date()):
                tomorrow = datetime.combine(shown.date() + timedelta(days=1), time())
                shown = tomorrow - timedelta(seconds=1)
                continue
            moment = shown.replace(tzinfo=zone, fold=1)
            exists = moment.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == shown
            if exists and moment > after:
                return moment
    except (ValueError, KeyError, OSError, OverflowError, CroniterBadDateError):
        return None
    return None


def next_runs(schedule: Schedule, after: datetime, most: int) -> tuple[datetime, ...]:
    """The first so many moments after `after`; fewer where there are no more."""
    moments: list[datetime] = []
    while len(moments) < most:
        moment = next_run(schedule, after)
        if moment is None:
            break
        moments.append(moment)
        after = moment
    return tuple(moments)


def _next(expression: str, after: datetime) -> datetime:
    moment: datetime = croniter(expression, after, second_at_beginning=True).get_next(datetime)
    return moment


def _read(cron: str) -> tuple[str, Callable[[date], bool]]:
    """The expression for croniter, and what else the day of the month must be. Raises
    ValueError.
    """
    fields = cron.upper().split()
    if len(cron) > _LONGEST_EXPRESSION or len(fields) not in (6, 7):
        raise ValueError(f"{cron} has not six or seven fields")
    seconds, minutes, hours, day, months, weekday, *year = fields
    if day not in "*?" and weekday not in "*?":
        raise ValueError(
            f"{cron} names both a day of the month and a weekday, which Quartz does not take"
        )
    days, fits = _day(day)
    read = [
        _field(seconds, 0, 59),
        _field(minutes, 0, 59),
        _field(hours, 0, 23),
        days,
        _field(months, 1, 12, _MONTHS),
        _weekday(weekday),
    ]
    read += [_field(years, 1970, 2099) for years in year]
    return " ".join(read), fits


def _field(field: str, low: int, high: int, names: dict[str, int] = _NONE) -> str:
    numbers: set[int] = set()
    for item in field.split(","):
        numbers.update(_numbers(item, low, high, names))
    if len(numbers) == high - low + 1:
        return "*"
    return ",".join(map(str, sorted(numbers)))


def _numbers(item: str, low: int, high: int, names: dict[str, int]) -> Iterator[int]:
    span, slash, step = item.partition("/")
    first, dash, last = span.partition("-")
    if span == "*":
        begin = low
    else:
        begin = _number(first, low, high, names)
    if dash:
        end = _number(last, low, high, names)
    elif slash or span == "*":
        end = high
    else:
        end = begin
    # 22-2 goes over midnight, and FRI-MON over the weekend.
    around = 0
    if end < begin:
        around = high - low + 1
    stride = 1
    if slash:
        stride = _number(step, 1, 9999, _NONE)
    for number in range(begin, end + around + 1, stride):
        yield number if number <= high else number - around


def _number(text: str, low: int, high: int, names: dict[str, int]) -> int:
    number = names.get(text)
    if number is None and re.fullmatch(r"[0-9]{1,4}", text):
        number = int(text)
    if number is None or not low <= number <= high:
        raise ValueError(f"{text} is not a number from {low} to {high}")
    return number


def _day(field: str) -> tuple[str, Callable[[date], bool]]:
    if field in ("*", "?"):
        return "*", lambda _: True
    if field == "LW":
        return "*", lambda day: day.day == _last_workday(day)
    late = re.fullmatch(r"L-([0-9]{1,2})", field)
    if late is not None:
        before = _number(late[1], 1, 30, _NONE)
        return "*", lambda day: day.day == monthrange(day.year, day.month)[1] - before
    near = re.fullmatch(r"([0-9]{1,2})W", field)
    if near is not None:
        return f"{_number(near[1], 1, 31, _NONE)}W", lambda _: True
    return ("L" if field == "L" else _field(field, 1, 31)), lambda _: True


def _last_workday(day: date) -> int:
    last = day.replace(day=monthrange(day.year, day.month)[1])
    return last.day - max(0, last.isoweekday() - 5)


def _weekday(field: str) -> str:
    if field in ("*", "?"):
        return "*"
    special = re.fullmatch(r"([1-7]|[A-Z]{3})(L|#[1-5])", field)
    if special is not None:
        number = _number(special[1], 1, 7, _DAYS) - 1
        if special[2] == "L":
            return f"L{number}"
        return f"{number}{special[2]}"
    days = _field("SAT" if field == "L" else field, 1, 7, _DAYS)
    if days == "*":
        return days
    return ",".join(str(int(day) - 1) for day in days.split(","))
