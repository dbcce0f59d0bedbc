"""The layout of the chart of sessions."""

from datetime import UTC, datetime, timedelta

from console.home.chart import BASE, HEIGHT, HOURS, build_chart
from gateway.archive.service import HourCount

NOW = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)
HOUR = NOW.replace(minute=0)


def test_a_day_without_sessions_has_a_scale_and_no_bars() -> None:
    chart = build_chart([], NOW)
    assert len(chart.bars) == HOURS
    assert not any(bar.parts for bar in chart.bars)
    assert chart.total == 0
    assert chart.lines[0] == (BASE, 0)


def test_the_parts_of_a_bar_stand_on_each_other_and_fit_the_scale() -> None:
    chart = build_chart([HourCount(HOUR, 6, 3, 1), HourCount(HOUR - timedelta(hours=23), 1, 0, 0)], NOW)
    assert (chart.done, chart.cancelled, chart.failed) == (7, 3, 1)
    last = chart.bars[-1]
    assert [part.kind for part in last.parts] == ["done", "cancel", "fail"]
    assert [part.y for part in last.parts] == sorted((part.y for part in last.parts), reverse=True)
    assert last.parts[-1].y >= BASE - HEIGHT
    assert [part.kind for part in chart.bars[0].parts] == ["done"]


def test_what_is_older_than_a_day_is_not_drawn() -> None:
    assert build_chart([HourCount(HOUR - timedelta(hours=24), 5, 0, 0)], NOW).total == 0


def test_the_lines_of_the_scale_are_whole_counts_up_to_the_highest_bar() -> None:
    for highest in (1, 2, 3, 7, 19, 77, 340, 48_000):
        lines = build_chart([HourCount(HOUR, highest, 0, 0)], NOW).lines
        assert lines[-1][1] >= highest
        assert len({number for _, number in lines}) == len(lines)


def test_every_fourth_hour_is_written() -> None:
    labels = [bar.label.hour for bar in build_chart([], NOW).bars if bar.label]
    assert labels == [12, 16, 20, 0, 4, 8]
