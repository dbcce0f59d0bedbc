"""Proof of work."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idemix.errors import MalformedRequestError
from idemix.timestamp.proof_of_work import MAX_DIFFICULTY, TooMuchWorkError, WorkRequest, write_unpadded

REQUEST = WorkRequest(12, b"a nonce")


@given(st.integers(0, 12), st.binary(max_size=40), st.binary(max_size=40))
def test_what_is_done_is_accepted_for_what_it_was_done_for(difficulty: int, nonce: bytes, data: bytes) -> None:
    request = WorkRequest(difficulty, nonce)
    assert request.is_fulfilled(request.fulfil(data), data)


def test_it_is_work() -> None:
    done = REQUEST.fulfil(b"data")
    assert not REQUEST.is_fulfilled(done, b"other data")
    assert not WorkRequest(12, b"another nonce").is_fulfilled(done, b"data")
    assert not WorkRequest(40, b"a nonce").is_fulfilled(done, b"data")


@pytest.mark.parametrize(
    "work", [b"", b"x" * 24, REQUEST.fulfil(b"data")[:-1], REQUEST.fulfil(b"data") + b"x", REQUEST.fulfil(b"data")[:8] * 3]
)
def test_what_is_no_work(work: bytes) -> None:
    assert not REQUEST.is_fulfilled(work, b"data")


def test_the_reference_asks_and_answers_so() -> None:
    """The example of go-pow."""
    request = WorkRequest.parse("sha2bday-5-c29tZSByYW5kb20gbm9uY2U", "work")
    assert request == WorkRequest(5, b"some random nonce")
    assert str(request) == "sha2bday-5-c29tZSByYW5kb20gbm9uY2U"
    work = request.fulfil(b"some bound data")
    assert write_unpadded(work) == "AAAAAAAAAAMAAAAAAAAADgAAAAAAAAAb"
    assert request.is_fulfilled(work, b"some bound data")


@given(st.integers(0, 64), st.binary(max_size=40))
def test_written_and_read(difficulty: int, nonce: bytes) -> None:
    request = WorkRequest(difficulty, nonce)
    assert WorkRequest.parse(str(request), "work") == request


@pytest.mark.parametrize(
    "text",
    ["", "sha2bday", "sha2bday-5", "sha3-5-AA", "sha2bday--AA", "sha2bday-x-AA", "sha2bday-65-AA", "sha2bday-5-AA==", "sha2bday-5-*"],
)
def test_other_requests_are_refused(text: str) -> None:
    with pytest.raises(MalformedRequestError):
        WorkRequest.parse(text, "work")


def test_a_holder_does_not_work_for_ever() -> None:
    with pytest.raises(TooMuchWorkError):
        WorkRequest(MAX_DIFFICULTY + 1, b"").fulfil(b"")
