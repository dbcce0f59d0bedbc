"""How proofs are matched with a request; the proofs are a wallet's, put together as a dishonest one would."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from gmpy2 import mpz

from idemix.cl.signature import sign
from idemix.credential.credential import Credential
from idemix.credential.metadata import MetadataAttribute, floor_to_week
from idemix.errors import MalformedProofError
from idemix.messages import Disclosure, SignedMessage
from idemix.proofs import build_proof_list
from idemix.request import DisclosureRequest, SignatureRequest, parse_session_request
from idemix.scheme.identifiers import AttributeTypeId, CredentialTypeId
from idemix.timestamp import Timestamp, TimestampSignature
from idemix.verification import (
    AttributeStatus,
    DisclosedAttribute,
    IndexOutOfRangeError,
    ProofStatus,
    RevocationSetting,
    ShownCredential,
    Verified,
    WrongProofKindError,
    default_settings,
    disclosed_from_json,
    disclosed_to_json,
    verify_disclosure,
    verify_signed_message,
)
from idemix.wallet import HeldCredential
from tests.support.sessions import FULL_NAME, SINGLETON, STUDENT_CARD, World, disclosure, issuance, signature

UNIVERSITY, NUMBER, STUDENT_ID, LEVEL = (
    f"irma-demo.RU.studentCard.{name}" for name in ("university", "studentCardNumber", "studentID", "level")
)
FIRST_NAMES, FIRST_NAME, FAMILY_NAME, PREFIX = (
    f"irma-demo.MijnOverheid.fullName.{name}" for name in ("firstnames", "firstname", "familyname", "prefix")
)


def card(level: str) -> dict[str, Any]:
    return {"credential": STUDENT_CARD["credential"], "attributes": {**STUDENT_CARD["attributes"], "level": level}}  # type: ignore[dict-item]


@pytest.fixture
def world() -> World:
    world = World()
    world.complete(issuance(card("1"), card("2"), FULL_NAME, SINGLETON))
    return world


def request_for(*disclose: Any, **fields: Any) -> DisclosureRequest:
    request = parse_session_request(disclosure(*disclose, nonce="BQ==", **fields)).request
    assert isinstance(request, DisclosureRequest)
    return request


def verify(
    world: World, request: DisclosureRequest, shown: list[tuple[HeldCredential, set[int]]], indices: list[list[tuple[int, int]]]
) -> Verified:
    """Verify proofs that show these bases of these credentials, with these indices."""
    builders = [held.credential.disclosure_builder(bases | {1}) for held, bases in shown]
    proofs = build_proof_list(builders, context=request.proof_context(), nonce=request.proof_nonce(), is_signature=False)
    message = {
        "proofs": proofs.to_json(),
        "indices": [[{"cred": cred, "attr": attr} for cred, attr in entry] for entry in indices],
    }
    return verify_disclosure(Disclosure.from_json(json.loads(json.dumps(message))), request, world.configuration, now=world.now)


def values(verified: Verified) -> list[Any]:
    return [None if group is None else [attribute.value for attribute in group] for group in verified.disclosed]


def test_matching_is_by_position(world: World) -> None:
    one = world.wallet.credentials[0]
    request = request_for([[STUDENT_ID, LEVEL]])
    assert verify(world, request, [(one, {4, 5})], [[(0, 4), (0, 5)]]).status is ProofStatus.VALID
    swapped = verify(world, request, [(one, {4, 5})], [[(0, 5), (0, 4)]])
    assert (swapped.status, values(swapped)) == (ProofStatus.MISSING_ATTRIBUTES, [None])


def test_an_attribute_beyond_those_of_the_type_is_refused(world: World) -> None:
    """A signature on some attributes is one on these and a 0 as well."""
    one = world.wallet.credentials[0]
    longer = replace(one, credential=replace(one.credential, attributes=(*one.credential.attributes, mpz(0))))
    request = request_for([[LEVEL]])
    assert verify(world, request, [(one, {5})], [[(0, 5)]]).status is ProofStatus.VALID
    with pytest.raises(MalformedProofError) as refusal:
        verify(world, request, [(longer, {5})], [[(0, 5)]])
    assert refusal.value.departure == "index-beyond-attributes"


def test_extras_form_one_list_at_the_end(world: World) -> None:
    one, _, name, _ = world.wallet.credentials
    verified = verify(world, request_for([[LEVEL]]), [(one, {3, 5}), (name, {5, 2})], [[(0, 5)]])
    assert verified.status is ProofStatus.VALID
    assert values(verified) == [["1"], ["31415927", "J", None]]
    assert {attribute.status for attribute in verified.disclosed[1] or ()} == {AttributeStatus.EXTRA}


def test_indices_beyond_the_request_make_nothing_known(world: World) -> None:
    one = world.wallet.credentials[0]
    assert values(verify(world, request_for([[LEVEL]]), [(one, {5, 4})], [[(0, 5)], [(0, 4)]])) == [["1"], ["s1234567"]]
    # Named beyond the length of the conjunction: neither matched nor extra.
    assert values(verify(world, request_for([[LEVEL]]), [(one, {5, 4})], [[(0, 5), (0, 4)]])) == [["1"]]


def test_one_attribute_may_serve_twice(world: World) -> None:
    one = world.wallet.credentials[0]
    assert values(verify(world, request_for([[LEVEL]], [[LEVEL]]), [(one, {5})], [[(0, 5)], [(0, 5)]])) == [["1"], ["1"]]


def test_optional_disjunction(world: World) -> None:
    one = world.wallet.credentials[0]
    request = request_for([[LEVEL]], [[], [PREFIX]])
    assert values(verify(world, request, [(one, {5})], [[(0, 5)], []])) == [["1"], []]
    other = verify(world, request, [(one, {5})], [[(0, 5)], [(0, 5)]])
    assert (other.status, values(other)) == (ProofStatus.MISSING_ATTRIBUTES, [["1"], None])


def test_too_few_lists_of_indices(world: World) -> None:
    one = world.wallet.credentials[0]
    verified = verify(world, request_for([[LEVEL]], [[STUDENT_ID]]), [(one, {5})], [[(0, 5)]])
    assert (verified.status, values(verified)) == (ProofStatus.MISSING_ATTRIBUTES, [])
    verified = verify(world, request_for([[LEVEL]], [[STUDENT_ID]]), [(one, {5})], [])
    assert (verified.status, values(verified)) == (ProofStatus.MISSING_ATTRIBUTES, [["1"]])


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        ({"type": LEVEL, "value": "1"}, ProofStatus.VALID),
        ({"type": LEVEL, "value": ""}, ProofStatus.MISSING_ATTRIBUTES),
        ({"type": LEVEL, "value": "1", "notNull": True}, ProofStatus.VALID),
        ({"type": STUDENT_ID}, ProofStatus.MISSING_ATTRIBUTES),
    ],
)
def test_required_values(world: World, wanted: Mapping[str, Any], status: ProofStatus) -> None:
    assert verify(world, request_for([[wanted]]), [(world.wallet.credentials[0], {5})], [[(0, 5)]]).status is status


def test_absent_value(world: World) -> None:
    name = world.wallet.credentials[2]
    verified = verify(world, request_for([[PREFIX]]), [(name, {5})], [[(0, 5)]])
    assert (verified.status, values(verified)) == (ProofStatus.VALID, [[None]])
    verified = verify(world, request_for([[{"type": PREFIX, "notNull": True}]]), [(name, {5})], [[(0, 5)]])
    assert verified.status is ProofStatus.MISSING_ATTRIBUTES


def test_conjunction_over_two_credentials_of_a_type_is_refused(world: World) -> None:
    one, two, _, _ = world.wallet.credentials
    with pytest.raises(MalformedProofError) as refusal:
        verify(world, request_for([[STUDENT_ID, LEVEL]]), [(one, {4}), (two, {5})], [[(0, 4), (1, 5)]])
    assert (refusal.value.departure, refusal.value.where) == ("split-conjunction", "indices[0]")
    # In two disjunctions they may be different ones.
    verified = verify(world, request_for([[STUDENT_ID]], [[LEVEL]]), [(one, {4}), (two, {5})], [[(0, 4)], [(1, 5)]])
    assert values(verified) == [["s1234567"], ["2"]]


def test_singleton_is_shown_once(world: World) -> None:
    singleton = world.wallet.credentials[3]
    request = request_for([["irma-demo.MijnOverheid.singleton.BSN"]])
    assert verify(world, request, [(singleton, {2})], [[(0, 2)]]).status is ProofStatus.VALID
    verified = verify(world, request, [(singleton, {2}), (singleton, {2})], [[(0, 2)]])
    assert (verified.status, verified.disclosed) == (ProofStatus.INVALID, ())


def test_index_out_of_range(world: World) -> None:
    one = world.wallet.credentials[0]
    for cred in (1, 2, 99):
        with pytest.raises(IndexOutOfRangeError, match="Credential index out of range") as refusal:
            verify(world, request_for([[LEVEL]]), [(one, {5})], [[(cred, 5)]])
        assert refusal.value.where == "indices[0][0].cred"
    with pytest.raises(MalformedProofError, match="not negative"):
        verify(world, request_for([[LEVEL]]), [(one, {5})], [[(-1, 5)]])


@pytest.mark.parametrize("attr", [0, -1, -5, 2, 7, 48])
def test_index_of_what_is_not_disclosed(world: World, attr: int) -> None:
    with pytest.raises(MalformedProofError, match=r"indices\[0\]\[0\]\.attr"):
        verify(world, request_for([[LEVEL]]), [(world.wallet.credentials[0], {5})], [[(0, attr)]])


def test_expiry_follows_matching(world: World) -> None:
    one, _, name, _ = world.wallet.credentials
    world.clock.now += timedelta(days=400)
    shown = [(one, {5})]
    assert verify(world, request_for([[LEVEL]]), shown, [[(0, 5)]]).status is ProofStatus.EXPIRED
    assert verify(world, request_for([[STUDENT_ID]]), shown, [[(0, 5)]]).status is ProofStatus.MISSING_ATTRIBUTES
    skipping = request_for([[LEVEL]], skipExpiryCheck=["irma-demo.RU.studentCard"])
    assert verify(world, skipping, shown, [[(0, 5)]]).status is ProofStatus.VALID
    assert verify(world, skipping, [*shown, (name, {2})], [[(0, 5)]]).status is ProofStatus.EXPIRED


def test_expiry_to_the_second(world: World) -> None:
    one = world.wallet.credentials[0]
    world.clock.now += timedelta(seconds=one.credential.metadata.expires_at - world.now.timestamp())
    assert verify(world, request_for([[LEVEL]]), [(one, {5})], [[(0, 5)]]).status is ProofStatus.VALID
    world.clock.advance(seconds=0.001)
    assert verify(world, request_for([[LEVEL]]), [(one, {5})], [[(0, 5)]]).status is ProofStatus.EXPIRED


def test_non_revocation_asked_and_not_proved(world: World) -> None:
    request = request_for([[LEVEL]], revocation=["irma-demo.RU.studentCard"])
    assert verify(world, request, [(world.wallet.credentials[0], {5})], [[(0, 5)]]).status is ProofStatus.INVALID


def test_commitment_proof_in_a_disclosure(world: World) -> None:
    commitment = {"U": "BQ==", "c": "AQ==", "v_prime_response": "AQ==", "s_response": "AQ=="}
    with pytest.raises(WrongProofKindError):
        verify_disclosure(Disclosure.from_json({"proofs": [commitment]}), request_for([[LEVEL]]), world.configuration, now=world.now)


def test_attributes_written_and_read(world: World) -> None:
    one, _, name, _ = world.wallet.credentials
    disclosed = verify(
        world, request_for([["irma-demo.RU.studentCard"]], [[STUDENT_ID]]), [(one, set()), (name, {5})], [[(0, 1)], []]
    ).disclosed
    assert [None if group is None else len(group) for group in disclosed] == [1, None, 1]
    assert disclosed_from_json(json.loads(json.dumps(disclosed_to_json(disclosed)))) == disclosed


# Signed messages ----------------------------------------------------------------------------------------------------------


def signed(world: World, message: str = "I owe you") -> tuple[SignedMessage, SignatureRequest]:
    session, body = world.connected(signature(message, [[LEVEL]]))
    request = session.request.request
    assert isinstance(request, SignatureRequest)
    return SignedMessage.parse(world.wallet.answer(body).body), request


def test_signed_message_with_and_without_its_request(world: World) -> None:
    message, request = signed(world)
    against = verify_signed_message(message, request, world.configuration, now=world.now)
    alone = verify_signed_message(message, None, world.configuration, now=world.now)
    assert (against.status, values(against)) == (ProofStatus.VALID, [["1"]])
    assert (alone.status, values(alone)) == (ProofStatus.VALID, [["1"]])
    assert [attribute.status for attribute in alone.disclosed[0] or ()] == [AttributeStatus.EXTRA]
    assert SignedMessage.from_json(json.loads(json.dumps(message.to_json()))) == message


def test_changed_signed_message(world: World) -> None:
    message, request = signed(world)
    now, schemes = world.now, world.configuration
    for changed in (
        replace(message, message="I owe you more"),
        replace(message, nonce=message.nonce + 1),
        replace(message, context=message.context + 1),
    ):
        assert verify_signed_message(changed, request, schemes, now=now).status is ProofStatus.UNMATCHED_REQUEST
        assert verify_signed_message(changed, None, schemes, now=now).status is ProofStatus.INVALID
    stamped = replace(message, timestamp=Timestamp(1, "", TimestampSignature("ed25519", b"", bytes(32))))
    assert verify_signed_message(stamped, request, schemes, now=now).status is ProofStatus.INVALID_TIMESTAMP
    empty = replace(message, signature=type(message.signature)(()))
    assert verify_signed_message(empty, request, schemes, now=now).status is ProofStatus.INVALID


@pytest.mark.parametrize("field", ["nonce", "context"])
def test_signed_message_without_nonce_or_context_is_malformed(world: World, field: str) -> None:
    message, request = signed(world)
    for value in (-1, "!"):
        with pytest.raises(MalformedProofError, match=field):
            SignedMessage.from_json({**message.to_json(), field: value})
    without = SignedMessage.from_json({**message.to_json(), field: None})
    for wanted in (request, None):
        with pytest.raises(MalformedProofError, match=f"{field}: missing"):
            verify_signed_message(without, wanted, world.configuration, now=world.now)


def test_a_credential_signed_after_its_key_had_expired_is_expired(world: World) -> None:
    one = world.wallet.credentials[0]
    shown = ShownCredential.of(one.credential.disclosure_builder({1}).commit(mpz(5)).respond(mpz(7)), world.configuration, "proof")
    signed_at = shown.metadata.signed_at
    for expires_at, expired in ((signed_at - 1, True), (signed_at, False)):
        key = replace(shown.public_key, expires_at=expires_at)
        assert replace(shown, public_key=key).has_expired(signed_at, []) is expired


def held(world: World, credential_type: str, secret: mpz) -> HeldCredential:
    """A credential of a type, issued on a secret key."""
    kind = world.configuration.credential_types[CredentialTypeId(credential_type)]
    public_key, private_key = world.keys.signing_key(kind.issuer)
    signed_at = floor_to_week(int(world.now.timestamp()))
    metadata = MetadataAttribute.create(credential_type, signed_at=signed_at, expires_at=signed_at + 10**7, key_counter=public_key.counter)
    values = (secret, metadata.encode(), *(mpz(2 * index + 1) for index in range(len(kind.attributes))))
    return HeldCredential(kind, Credential(public_key, sign(private_key, public_key, values), values))


def test_one_secret_key_for_each_keyshare_server_and_one_for_all_schemes_without(world: World) -> None:
    """`test` and `test2` have a keyshare server each, irma-demo has none."""
    request = request_for([[FAMILY_NAME]])
    demo, other_demo = (held(world, "irma-demo.MijnOverheid.fullName", mpz(secret)) for secret in (11, 12))
    first, other_first = (held(world, "test.test.mijnirma", mpz(secret)) for secret in (11, 12))
    second = held(world, "test2.test.mijnirma", mpz(13))
    for shown, status in (
        ([demo, other_first, second], ProofStatus.VALID),
        ([demo, other_demo], ProofStatus.INVALID),
        ([demo, first, other_first], ProofStatus.INVALID),
    ):
        assert verify(world, request, [(shown[0], {4}), *((one, {2}) for one in shown[1:])], [[(0, 4)]]).status is status


def test_what_a_disclosed_attribute_shows_and_takes_by_itself() -> None:
    attribute = DisclosedAttribute(AttributeTypeId(LEVEL), "a value", AttributeStatus.PRESENT, 0)
    assert "a value" not in repr(attribute)
    assert (attribute.not_revoked, attribute.not_revoked_before) == (False, None)
    assert default_settings(CredentialTypeId("a.b.c")) == RevocationSetting(tolerance=600, synced_at=0)
