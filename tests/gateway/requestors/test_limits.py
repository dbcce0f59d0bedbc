"""Limits: what they may be, and whether an address or a moment is within them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.inputs import Errors, InvalidInputError
from gateway.requestors.limits import NO_LIMITS, Hours, Limits

WORKING = ("monday", "tuesday", "wednesday", "thursday", "friday")


def faults(limits: Limits) -> list[str]:
    errors = Errors()
    limits.check(errors)
    try:
        errors.raise_if_any()
    except InvalidInputError as error:
        return list(error.errors)
    return []


@pytest.mark.parametrize(
    ("limits", "field"),
    [
        ({"rate_per_minute": 0}, "rate_per_minute"),
        ({"rate_per_minute": 1_000_001}, "rate_per_minute"),
        ({"burst": 5}, "burst"),
        ({"rate_per_minute": 5, "burst": 0}, "burst"),
        ({"concurrent_sessions": -1}, "concurrent_sessions"),
        ({"sessions_per_day": 0}, "sessions_per_day"),
        ({"addresses": ("192.0.2.0/24", "192.0.2.1/24")}, "addresses.1"),
        ({"addresses": ("example.org",)}, "addresses.0"),
        ({"addresses": ("192.0.2.1",) * 201}, "addresses"),
        ({"hours": (Hours(("monday",)), Hours(("funday",)))}, "hours.1.days"),
        ({"hours": (Hours(()),)}, "hours.0.days"),
        ({"hours": (Hours(("monday", "monday")),)}, "hours.0.days"),
        ({"hours": (Hours(("monday",), "24:00"),)}, "hours.0.begin"),
        ({"hours": (Hours(("monday",), "8:00"),)}, "hours.0.begin"),
        ({"hours": (Hours(("monday",), "08:00", "24:01"),)}, "hours.0.end"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"time_zone": "../../etc/passwd"}, "time_zone"),
        ({"time_zone": ""}, "time_zone"),
        ({"replay_window_seconds": 0}, "replay_window_seconds"),
        ({"replay_window_seconds": 86_401}, "replay_window_seconds"),
    ],
)
def test_a_limit_that_breaks_a_rule_is_told_at_its_field(limits: dict[str, Any], field: str) -> None:
    assert faults(Limits(**limits)) == [field]


def test_limits_come_back_from_where_they_are_stored() -> None:
    whole = Limits(60, 10, 5, 1000, ("192.0.2.0/24", "2001:db8::/32"), (Hours(WORKING, "08:00", "18:00"),), "Europe/Amsterdam", 300)
    assert faults(whole) == []
    assert Limits.from_json(whole.to_json()) == whole
    assert Limits.from_json(None) == Limits.from_json({}) == NO_LIMITS
    assert Limits.from_json(NO_LIMITS.to_json()) == NO_LIMITS
    assert faults(NO_LIMITS) == []


@pytest.mark.parametrize(
    ("address", "entry"),
    [
        ("192.0.2.7", "192.0.2.0/24"),
        ("::ffff:192.0.2.7", "192.0.2.0/24"),
        ("192.0.3.7", None),
        ("2001:db8::5", "2001:db8::/32"),
        ("fe80::1%eth0", "fe80::1"),
        ("2001:db9::5", None),
        ("", None),
        ("unix:", None),
    ],
)
def test_addresses(address: str, entry: str | None) -> None:
    assert Limits(addresses=("192.0.2.0/24", "2001:db8::/32", "fe80::1")).allowing_address(address) == entry


@pytest.mark.parametrize(
    ("moment", "holds"),
    [
        # Amsterdam is an hour ahead of UTC in November, two in June.
        (datetime(2026, 11, 27, 7, 0, tzinfo=UTC), True),
        (datetime(2026, 11, 27, 6, 59, tzinfo=UTC), False),
        (datetime(2026, 11, 27, 16, 59, 59, tzinfo=UTC), True),
        (datetime(2026, 11, 27, 17, 0, tzinfo=UTC), False),
        (datetime(2026, 6, 26, 6, 0, tzinfo=UTC), True),
        (datetime(2026, 6, 26, 16, 0, tzinfo=UTC), False),
        (datetime(2026, 11, 28, 12, 0, tzinfo=UTC), False),
    ],
)
def test_hours_are_those_of_the_time_zone(moment: datetime, holds: bool) -> None:
    assert Limits(hours=(Hours(WORKING, "08:00", "18:00"),), time_zone="Europe/Amsterdam").allows_moment(moment) is holds


@pytest.mark.parametrize(
    ("moment", "holds"),
    [
        (datetime(2026, 11, 27, 22, 0, tzinfo=UTC), True),
        (datetime(2026, 11, 28, 1, 59, tzinfo=UTC), True),
        (datetime(2026, 11, 28, 2, 0, tzinfo=UTC), False),
        (datetime(2026, 11, 28, 23, 0, tzinfo=UTC), False),
        (datetime(2026, 11, 27, 1, 0, tzinfo=UTC), False),
    ],
)
def test_hours_may_end_on_the_next_day(moment: datetime, holds: bool) -> None:
    assert Limits(hours=(Hours(("friday",), "22:00", "02:00"),)).allows_moment(moment) is holds


def test_a_day_ends_where_the_requestor_is() -> None:
    limits = Limits(sessions_per_day=1, time_zone="Europe/Amsterdam")
    evening = datetime(2026, 11, 27, 22, 30, tzinfo=UTC)
    assert limits.day(evening).isoformat() == "2026-11-27"
    assert limits.end_of_day(evening).astimezone(UTC) == datetime(2026, 11, 27, 23, 0, tzinfo=UTC)
    assert limits.day(datetime(2026, 11, 27, 23, 0, tzinfo=UTC)).isoformat() == "2026-11-28"
