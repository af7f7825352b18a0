"""When a Quartz schedule fires next. Pure; common expressions only.

`seconds minutes hours day-of-month month day-of-week [year]`, with `*`, `?`,
lists, ranges, steps and names; `L`, `W` and `#` are not understood.
http://www.quartz-scheduler.org/documentation/quartz-2.3.0/tutorials/crontrigger.html
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC"
DAYS = "SUN MON TUE WED THU FRI SAT"
FIELDS = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (1, 7))
SEARCHED_DAYS = 366 * 4


def next_run(expression: str, zone: str, after: datetime) -> datetime | None:
    """The first moment after `after`, in UTC; None when there is none in four years, or it is not
    understood.
    """
    try:
        words = expression.upper().split()
        seconds, minutes, hours, days, months, weekdays = (
            _values(word, *bounds) for word, bounds in zip(words[:6], FIELDS, strict=True)
        )
        clock = ZoneInfo(zone)
    except (ValueError, KeyError, OSError):
        return None
    local = after.astimezone(clock)
    for offset in range(SEARCHED_DAYS):
        day = (local + timedelta(days=offset)).date()
        if (
            day.month not in months
            or day.day not in days
            or day.isoweekday() % 7 + 1 not in weekdays
        ):
            continue
        for hour in sorted(hours):
            for minute in sorted(minutes):
                for second in sorted(seconds):
                    moment = datetime(
                        day.year, day.month, day.day, hour, minute, second, tzinfo=clock
                    )
                    if moment > local:
                        return moment.astimezone(UTC)
    return None


def _values(field: str, low: int, high: int) -> set[int]:
    names = {(1, 12): MONTHS, (1, 7): DAYS}.get((low, high), "")
    for number, name in enumerate(names.split(), start=1):
        field = field.replace(name, str(number))
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        if first in ("*", "?"):
            begin, end = low, high
        else:
            begin = int(first)
            end = int(last) if last else (high if step else begin)
        found |= set(range(begin, end + 1, int(step or 1)))
    if not found or not found <= set(range(low, high + 1)):
        raise ValueError(f"{field} is outside {low} to {high}")
    return found
