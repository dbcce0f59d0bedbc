"""The layout of the key timeline."""

from datetime import UTC, datetime, timedelta

from console.issuer_keys.models import IssuerKeyInfo, KeyCustody, KeyState
from console.issuer_keys.timeline import LEFT, WIDTH, build_timeline, is_urgent

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def key(issuer: str, counter: int, state: KeyState, days: int | None) -> IssuerKeyInfo:
    """A key that was made and activated 100 days ago and expires in so many days."""
    then = NOW - timedelta(days=100)
    return IssuerKeyInfo(
        id=f"{issuer}-{counter}",
        issuer_id=issuer,
        counter=counter,
        issuer_name={"en": issuer},
        bits=2048,
        bases=12,
        created_at=then,
        expires_at=None if days is None else NOW + timedelta(days=days),
        state=state,
        custody=KeyCustody.KEYSTORE,
        fingerprint="ab" * 32,
        published_at=then,
        seen_live_at=then,
        may_activate_at=then,
        activated_at=then if state is KeyState.ACTIVE else None,
        retired_at=None,
        job_id=None,
        progress=None,
    )


def test_twelve_months_begin_with_this_one() -> None:
    months = build_timeline([], NOW).months
    assert [month.start.month for month in months] == [11, 12, *range(1, 11)]
    assert months[0].x == LEFT


def test_a_key_that_ends_without_successor_is_followed_by_a_gap() -> None:
    timeline = build_timeline([key("a.b", 1, KeyState.ACTIVE, 9)], NOW)
    (row,) = timeline.rows
    assert [bar.kind for bar in row.bars] == ["late", "gap"]
    assert row.mark is not None
    assert row.mark_kind == "bad"
    assert row.bars[0].x < timeline.now < row.mark


def test_a_key_with_successor_is_followed_by_verifying() -> None:
    keys = [key("a.b", 1, KeyState.ACTIVE, 18), key("a.b", 2, KeyState.PUBLISHED, 700)]
    first, second = build_timeline(keys, NOW).rows
    assert [bar.kind for bar in first.bars] == ["late", "verify"]
    assert [bar.kind for bar in second.bars] == ["wait"]
    assert (first.is_first, second.is_first) == (True, False)


def test_a_key_that_outlives_the_year_fills_it_and_has_no_mark() -> None:
    (row,) = build_timeline([key("a.b", 1, KeyState.ACTIVE, 900)], NOW).rows
    assert [(bar.kind, bar.size) for bar in row.bars] == [("issue", 2)]
    assert row.mark is None


def test_no_bar_leaves_the_drawing() -> None:
    keys = [key(f"a.{days}", 1, KeyState.ACTIVE, days) for days in (-50, -1, 0, 1, 29, 31, 364, 5000)]
    for row in build_timeline(keys, NOW).rows:
        for bar in row.bars:
            assert bar.x >= LEFT
            assert bar.x + bar.width <= LEFT + WIDTH


def test_what_says_nothing_of_the_year_is_not_drawn() -> None:
    keys = [key("a.b", 0, KeyState.RETIRED, -10), key("a.b", 1, KeyState.FAILED, None), key("a.b", 2, KeyState.GENERATING, None)]
    assert build_timeline(keys, NOW).rows == ()


def test_the_most_urgent_issuers_come_first_and_stay_when_rows_are_few() -> None:
    keys = [key("a.calm", 1, KeyState.ACTIVE, 900), key("b.late", 1, KeyState.ACTIVE, 9), key("c.moving", 1, KeyState.GENERATED, 700)]
    assert [row.key.issuer_id for row in build_timeline(keys, NOW).rows] == ["b.late", "c.moving", "a.calm"]
    assert [row.key.issuer_id for row in build_timeline(keys, NOW, most_rows=1).rows] == ["b.late"]


def test_a_key_is_urgent_when_it_ends_soon_and_nothing_follows_it() -> None:
    late, calm = key("a.b", 1, KeyState.ACTIVE, 9), key("a.c", 1, KeyState.ACTIVE, 90)
    assert is_urgent(late, [late, calm], NOW)
    assert not is_urgent(calm, [late, calm], NOW)
    assert not is_urgent(late, [late, key("a.b", 2, KeyState.GENERATED, 700)], NOW)
    assert is_urgent(late, [late, key("a.b", 2, KeyState.FAILED, None)], NOW)
