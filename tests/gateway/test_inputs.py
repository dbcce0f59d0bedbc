"""Errors of input: all fields at once, in the reader's language."""

import pytest

from gateway.inputs import Errors, InvalidInputError, Message, demand_reason


def test_message_is_its_english_text_and_can_be_translated() -> None:
    message = Message("must have at most %(limit)d characters", limit=64)
    assert message == "must have at most 64 characters"
    assert message.translated({"must have at most %(limit)d characters": "mag hooguit %(limit)d tekens hebben"}.__getitem__) == (
        "mag hooguit 64 tekens hebben"
    )


def test_message_without_values_keeps_percent_signs() -> None:
    message = Message("100% sure")
    assert message == "100% sure"
    assert message.translated(str) == "100% sure"


def test_values_are_never_templates() -> None:
    assert Message("“%(pattern)s” is no permission", pattern="%(limit)s %d").translated(str) == "“%(limit)s %d” is no permission"


def test_messages_among_the_values_are_translated_too() -> None:
    message = Message("%(path)s: %(rule)s", path="a.xml", rule=Message("is there %(times)s times", times=2))
    assert message == "a.xml: is there 2 times"
    texts = {"%(path)s: %(rule)s": "%(path)s: %(rule)s", "is there %(times)s times": "staat er %(times)s keer"}
    assert message.translated(texts.__getitem__) == "a.xml: staat er 2 keer"


def test_all_fields_are_told() -> None:
    errors = Errors()
    errors.check(True, "name", "never seen")
    errors.check(False, "name", "must be given")
    errors.add("name", "second of its field")
    errors.add("", "of the whole")
    with pytest.raises(InvalidInputError) as caught:
        errors.raise_if_any()
    assert caught.value.errors == {"name": "must be given", "": "of the whole"}
    assert str(caught.value) == "name: must be given; of the whole"


def test_no_error_raises_nothing() -> None:
    Errors().raise_if_any()
    with pytest.raises(ValueError, match="says nothing"):
        InvalidInputError({})


@pytest.mark.parametrize("reason", [None, "", "  \n"])
def test_reason_must_say_something(reason: str | None) -> None:
    with pytest.raises(InvalidInputError) as caught:
        demand_reason(reason)
    assert caught.value.errors == {"reason": "must be given"}
    demand_reason("because")
