"""How moments, distances in time and counts are written: `2 Dec 2026`, `in 9 days`, `10:46`, `about 48,000`."""

from datetime import datetime, timedelta
from typing import Final

from babel.dates import format_timedelta
from flask import Flask
from flask_babel import format_datetime, format_decimal, get_locale, gettext

from idemix.clock import Clock

#: What ends within this time is shown as ending soon.
NEAR: Final = timedelta(days=30)

#: Counts are exact below this.
EXACT_COUNTS: Final = 10_000


def day(moment: datetime) -> str:
    """`2 Dec 2026`."""
    return format_datetime(moment, "d MMM y")


def long_day(moment: datetime) -> str:
    """`Monday 23 November 2026`."""
    return format_datetime(moment, "EEEE d MMMM y")


def time_of_day(moment: datetime) -> str:
    """`10:46`."""
    return format_datetime(moment, "HH:mm")


def day_and_time(moment: datetime) -> str:
    """`2 Dec 2026, 10:46`."""
    return format_datetime(moment, "d MMM y, HH:mm")


def distance(moment: datetime, now: datetime) -> str:
    """`in 9 days`, `4 days ago`, `just now`."""
    difference = moment - now
    if abs(difference) < timedelta(seconds=45):
        return gettext("just now")
    return format_timedelta(difference, add_direction=True, threshold=1.5, locale=get_locale())


def span(seconds: float) -> str:
    """`0.4 s`, `38 s`, `2 min`."""
    if seconds < 10:
        return gettext("%(number)s s", number=format_decimal(round(seconds, 1)))
    if seconds < 120:
        return gettext("%(number)s s", number=format_decimal(round(seconds)))
    return gettext("%(number)s min", number=format_decimal(round(seconds / 60)))


def count(number: int) -> str:
    """`3,594` below 10,000, then `about 48,000`."""
    if number < EXACT_COUNTS:
        return format_decimal(number)
    return gettext("about %(number)s", number=format_decimal(round(number, -3)))


def text_in_language(texts: dict[str, str]) -> str:
    """The text of a scheme in the reader's language, else in English, else in any."""
    return texts.get(str(get_locale())) or texts.get("en") or next(iter(texts.values()), "")


def install_formats(app: Flask, clock: Clock) -> None:
    """Give the templates the filters `day`, `moment`, `distance`, … ; distances are to the time of `clock`."""
    app.jinja_env.filters.update(
        day=day,
        long_day=long_day,
        time_of_day=time_of_day,
        clock=lambda moment: format_datetime(moment, "HH:mm:ss"),
        month=lambda moment: format_datetime(moment, "LLL"),
        month_and_year=lambda moment: format_datetime(moment, "LLL y"),
        is_past=lambda moment: moment <= clock(),
        is_near=lambda moment: moment - clock() <= NEAR,
        moment=day_and_time,
        distance=lambda moment: distance(moment, clock()),
        span=span,
        count=count,
        text=text_in_language,
    )
