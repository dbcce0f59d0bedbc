"""What is written is read as it was, in each format."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.configuration_text import dump, parse

TEXTS = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=30) | st.sampled_from(
    ["true", "01", "1e3", "2020-01-01", "no", "-", "?"]
)
VALUES = st.recursive(
    TEXTS | st.booleans() | st.integers(-(10**15), 10**15),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("text_format", ["json", "toml", "yaml"])
@given(value=st.dictionaries(TEXTS, VALUES, max_size=5))
def test_reading_undoes_writing(text_format: str, value: dict[str, object]) -> None:
    assert parse(dump(value, text_format).encode(), text_format) == value
