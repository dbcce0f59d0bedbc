"""Reading what was written gives the same; reading anything gives a request or a refusal."""

import json
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from idemix.errors import MalformedRequestError
from idemix.request import AttributeRequest, Con, RequestorRequest, condiscon_to_json, parse_condiscon, parse_session_request
from idemix.request.condiscon import condiscon_from_json
from idemix.scheme.identifiers import AttributeTypeId, CredentialTypeId
from tests.support.sessions import DISCLOSURE, ISSUANCE, SIGNATURE

NAMES = st.text(st.characters(exclude_characters=".", exclude_categories=["Cs"]), max_size=5)
ATTRIBUTE_TYPES = st.tuples(NAMES, NAMES, NAMES, NAMES).map(lambda parts: AttributeTypeId(".".join(parts)))
CREDENTIAL_TYPES = st.tuples(NAMES, NAMES, NAMES).map(lambda parts: CredentialTypeId(".".join(parts)))
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
ATTRIBUTES = st.builds(AttributeRequest, ATTRIBUTE_TYPES | CREDENTIAL_TYPES, st.none() | TEXT, st.booleans())


def adjacent(con: list[AttributeRequest]) -> Con:
    """The attributes with those of one credential type together."""
    order = list(dict.fromkeys(attribute.credential_type for attribute in con))
    return tuple(sorted(con, key=lambda attribute: order.index(attribute.credential_type)))


CONS = st.lists(ATTRIBUTES, max_size=4).map(adjacent)
CONDISCONS = st.lists(st.lists(CONS, min_size=1, max_size=3).map(tuple), max_size=3).map(tuple)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    ["disclose", "labels", "skipExpiryCheck", "nonce", "revocation", "protocolVersion", "message", "credentials", "content", "type", "host"]
)


@given(CONDISCONS)
def test_reading_what_was_written_gives_the_same(condiscon: Any) -> None:
    written = json.loads(json.dumps(condiscon_to_json(condiscon)))
    assert parse_condiscon(written) == condiscon
    assert condiscon_from_json(written) == condiscon
    assert condiscon_to_json(parse_condiscon(written)) == written


def refusal_of(read: Callable[[Any], object], value: Any) -> MalformedRequestError | None:
    """The refusal to read a value, None where it is read."""
    try:
        read(value)
    except MalformedRequestError as refusal:
        return refusal
    return None


@given(JSON)
def test_any_json_is_a_condiscon_or_refused(value: Any) -> None:
    refusal = refusal_of(parse_condiscon, value)
    if refusal is None:
        condiscon = parse_condiscon(value)
        assert parse_condiscon(condiscon_to_json(condiscon)) == condiscon
    else:
        assert refusal.where.startswith("disclose")


@given(st.sampled_from([DISCLOSURE, SIGNATURE, ISSUANCE, None]), st.dictionaries(FIELDS, JSON), st.booleans())
def test_any_object_is_a_request_or_refused(context: str | None, fields: dict[str, Any], wrapped: bool) -> None:
    request = {**fields, "@context": context} if context else fields
    text = json.dumps({"request": request} if wrapped else request)
    refusal = refusal_of(parse_session_request, text)
    if refusal is None:
        parsed = parse_session_request(text)
        written = json.dumps(parsed.to_json())
        assert parse_session_request(written).to_json() == parsed.to_json()
        assert RequestorRequest.restored(json.loads(written)) == parse_session_request(written)
    else:
        assert refusal.where


@given(st.binary(max_size=60))
def test_random_bytes_are_refused(body: bytes) -> None:
    refusal = refusal_of(parse_session_request, body)
    assert refusal is not None
    assert refusal.where
