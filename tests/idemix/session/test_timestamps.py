"""Signatures with time stamps: made by the wallet, verified in the session and later, refused once anything is changed."""

import json
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
from gmpy2 import mpz
from hypothesis import given, settings
from hypothesis import strategies as st

from idemix.errors import IdemixError, InvalidTimestampError
from idemix.messages import SignedMessage
from idemix.proofs import ProofD, ProofList
from idemix.request import SignatureRequest, parse_session_request
from idemix.scheme.configuration import Configuration
from idemix.session.session import Session
from idemix.timestamp import ED25519, NO_KEYS, Stamped, TimestampKeys, stamped_value, timestamp_server
from idemix.timestamp.proof_of_work import WorkRequest
from idemix.verification import AttributeStatus, ProofStatus, Verified, verify_signed_message
from tests.support.clock import START
from tests.support.sessions import FULL_NAME, STUDENT_CARD, World, encode, issuance, recorded_configuration, signature
from tests.support.shared import shared
from tests.support.timestamps import URL, MemoryService
from tests.support.timestamps import timestamp_server as make_server

TEXT = "I owe you everything"
LEVEL = [["irma-demo.RU.studentCard.level"]]
NAME = [["irma-demo.MijnOverheid.fullName.firstname"]]


class StampedWorld(World):
    """A world with a time-stamp server that the engine trusts."""

    def __init__(self, **server: Any) -> None:
        super().__init__()
        self.timestamps = MemoryService(make_server(**server), lambda: self.clock())
        self.engine = self.new_engine(timestamp_keys=self.timestamps.keys)
        self.wallet.timestamps = self.timestamps

    def sign(self, *disclose: Any) -> SignedMessage:
        """A signature session; the signed message that the requestor gets."""
        session, outcome = self.complete(signature(TEXT, *(disclose or (LEVEL,))))
        assert outcome.status is ProofStatus.VALID
        return self.result(session)

    @staticmethod
    def result(session: Session) -> SignedMessage:
        """The signed message in a session's result, as its requestor stores it."""
        return SignedMessage.from_json(json.loads(encode(session.result))["signature"])

    def verify(self, message: SignedMessage, keys: TimestampKeys | None = None) -> Verified:
        """Verify a message on its own."""
        trusted = self.timestamps.keys if keys is None else keys
        return verify_signed_message(message, None, self.configuration, now=self.clock(), timestamp_keys=trusted)


@pytest.fixture
def world() -> StampedWorld:
    world = StampedWorld()
    world.complete(issuance(STUDENT_CARD))
    world.complete(issuance(FULL_NAME))
    return world


@pytest.mark.feature("I8.1", "I8.2")
def test_made_with_a_stamp_and_verified_after_the_credential_has_expired(world: StampedWorld) -> None:
    message = world.sign(LEVEL, NAME)
    assert message.timestamp is not None
    assert message.timestamp.time == int(world.clock().timestamp())
    assert message.timestamp.signature.algorithm == ED25519
    verified = world.verify(message)
    assert verified.status is ProofStatus.VALID
    assert [(attribute.value, attribute.status) for attribute in verified.disclosed[0] or ()] == [
        ("42", AttributeStatus.EXTRA),
        ("J", AttributeStatus.EXTRA),
    ]
    world.clock.advance(days=365)
    assert world.wallet.credentials[0].has_expired(world.clock().timestamp())
    assert world.verify(message).status is ProofStatus.VALID
    # A stamp counts only for those who know the server's key.
    assert world.verify(message, NO_KEYS).status is ProofStatus.INVALID_TIMESTAMP


def test_a_credential_that_had_expired_at_the_time_of_the_stamp(world: StampedWorld) -> None:
    world.timestamps.now = lambda: world.clock() + timedelta(days=365)
    session, outcome = world.complete(signature(TEXT, LEVEL))
    assert outcome.status is ProofStatus.EXPIRED
    assert world.verify(world.result(session)).status is ProofStatus.EXPIRED


def test_without_a_way_to_servers_there_is_no_stamp(world: StampedWorld) -> None:
    world.wallet.timestamps = None
    message = world.sign()
    assert message.timestamp is None
    assert world.verify(message).status is ProofStatus.VALID
    world.clock.advance(days=365)
    assert world.verify(message).status is ProofStatus.EXPIRED


def test_a_server_that_wants_work_gets_it() -> None:
    world = StampedWorld(work=WorkRequest(8, b"nonce"))
    world.complete(issuance(STUDENT_CARD))
    assert world.verify(world.sign()).status is ProofStatus.VALID
    assert len(world.timestamps.posted) == 2


def test_a_server_that_does_not_answer_ends_the_session(world: StampedWorld) -> None:
    world.timestamps.server = replace(world.timestamps.server, url="https://elsewhere.example/")
    with pytest.raises(IdemixError, match="nobody answers"):
        world.sign()


@cache
def signed() -> tuple[StampedWorld, SignedMessage]:
    """A signed message with its world, for the tests that only look at it."""
    world = StampedWorld()
    world.complete(issuance(STUDENT_CARD))
    return world, world.sign()


def proof_of(message: SignedMessage) -> ProofD:
    proof = message.signature[0]
    assert isinstance(proof, ProofD)
    return proof


def with_proof(message: SignedMessage, **changes: Any) -> SignedMessage:
    return replace(message, signature=ProofList((replace(proof_of(message), **changes),)))


def with_signature(message: SignedMessage, **changes: Any) -> SignedMessage:
    stamp = message.timestamp
    assert stamp is not None
    return replace(message, timestamp=replace(stamp, signature=replace(stamp.signature, **changes)))


def test_what_a_stamp_is_on() -> None:
    world, message = signed()
    proof, stamp = proof_of(message), message.timestamp
    assert stamp is not None

    def disclosing(**attributes: mpz) -> SignedMessage:
        return with_proof(message, a_disclosed={int(name[1:]): value for name, value in attributes.items()})

    metadata, value = proof.a_disclosed[1], proof.a_disclosed[5]
    assert set(proof.a_disclosed) == {1, 5}
    changed = {
        "nothing": (message, "VALID"),
        "text": (replace(message, message=TEXT + "!"), "INVALID_TIMESTAMP"),
        "A": (with_proof(message, A=proof.A + 1), "INVALID_TIMESTAMP"),
        "attribute": (disclosing(m1=metadata, m5=value + 2), "INVALID_TIMESTAMP"),
        "no metadata": (disclosing(m5=value), "INVALID_TIMESTAMP"),
        "unknown type": (disclosing(m1=metadata + 1, m5=value), "INVALID_TIMESTAMP"),
        "time": (replace(message, timestamp=replace(stamp, time=stamp.time - 1)), "INVALID_TIMESTAMP"),
        "key": (with_signature(message, public_key=bytes(32)), "INVALID_TIMESTAMP"),
        "algorithm": (with_signature(message, algorithm="xmssmt"), "INVALID_TIMESTAMP"),
        "signature": (with_signature(message, data=bytes(64)), "INVALID_TIMESTAMP"),
        "form": (replace(message, ld_context=""), "INVALID_TIMESTAMP"),
        # The address in the stamp is not looked at.
        "address": (replace(message, timestamp=replace(stamp, server_url="https://evil.example/")), "VALID"),
        "challenge": (with_proof(message, c=proof.c + 1), "INVALID"),
        "nonce": (replace(message, nonce=(message.nonce or 0) + 1), "INVALID"),
        "no stamp": (replace(message, timestamp=None), "INVALID"),
    }
    outcomes = {label: world.verify(altered).status.value for label, (altered, _) in changed.items()}
    assert outcomes == {label: status for label, (_, status) in changed.items()}
    refusal = world.verify(changed["algorithm"][0]).refusal
    assert isinstance(refusal, InvalidTimestampError)
    assert refusal.departure == "timestamp-algorithm"


@pytest.mark.feature("I8.3")
@settings(max_examples=300)
@given(st.integers(0, 1 << 20), st.integers(1, 255))
def test_any_changed_byte_makes_it_invalid_or_means_the_same(position: int, difference: int) -> None:
    world, message = signed()
    text = json.dumps(message.to_json(), separators=(",", ":")).encode()
    changed = bytearray(text)
    changed[position % len(text)] ^= difference
    try:
        again = SignedMessage.parse(bytes(changed))
        status = world.verify(again).status
    except IdemixError:
        return
    # Base64 has bits that count for nothing. Neither do the address in a stamp, the name of the form, and where attributes are.
    assert status is not ProofStatus.VALID or signed_parts(again) == signed_parts(message)


def signed_parts(message: SignedMessage) -> SignedMessage:
    """What of a signed message counts where there is no request."""
    assert message.timestamp is not None
    return replace(message, ld_context="", indices=(), timestamp=replace(message.timestamp, server_url=""))


def test_a_message_of_the_older_form_has_a_stamp_on_the_attributes() -> None:
    held = signed()[0].wallet.credentials[0]
    builder = held.credential.disclosure_builder({1, 5})
    stamped = Stamped(builder.signature.A, {i: builder.attributes[i] for i in (1, 5)}, len(held.type.attributes) + 2, builder.public_key)
    old, new = (stamped_value(TEXT, [stamped], old_form=form) for form in (True, False))
    assert old != new
    assert stamped.attributes == [0, builder.attributes[1], 0, 0, 0, builder.attributes[5]]


@pytest.mark.feature("I8.2")
@pytest.mark.parametrize("name", ["signature-v2.8", "signature-conjunction", "signature-legacy-request"])
def test_what_the_reference_recorded_with_its_own_app(name: str) -> None:
    """The recorder's key stands in for that of the server that the scheme names."""
    folder = shared("vectors", "transcripts")
    recorded_key = bytes.fromhex(json.loads((folder / "index.json").read_bytes())["server_configuration"]["timestamp_public_key_hex"])
    exchanges = json.loads((folder / f"{name}.json").read_bytes())["exchanges"]
    connected = next(entry for entry in exchanges if entry["side"] == "app" and entry["method"] == "GET")
    answered = next(entry for entry in exchanges if entry["path"].endswith("/proofs"))
    request = parse_session_request(json.loads(connected["response_body"])["request"]).request
    assert isinstance(request, SignatureRequest)
    message = SignedMessage.parse(answered["request_body"])
    assert message.timestamp is not None
    keys = TimestampKeys(frozenset({(URL, recorded_key)}))
    for wanted in (request, None):
        for trusted, status in ((keys, ProofStatus.VALID), (NO_KEYS, ProofStatus.INVALID_TIMESTAMP)):
            verified = verify_signed_message(message, wanted, recorded_configuration(), now=START, timestamp_keys=trusted)
            assert verified.status is status


class TestServers:
    """The one server whose stamps count is that of the schemes."""

    configuration: Configuration = signed()[0].configuration

    def test_one_server_for_all(self) -> None:
        schemes = self.configuration.schemes.values()
        demo = next(scheme for scheme in schemes if scheme.demo and scheme.timestamp_server)
        assert timestamp_server([demo, demo]) == demo.timestamp_server
        for others in ([], [replace(demo, timestamp_server="")], [demo, replace(demo, timestamp_server="https://other.example/")]):
            with pytest.raises(InvalidTimestampError):
                timestamp_server(others)

    def test_a_credential_with_more_attributes_than_its_key_has_bases(self) -> None:
        world, message = signed()
        proof, key = proof_of(message), world.wallet.credentials[0].credential.public_key
        with pytest.raises(InvalidTimestampError, match="bases"):
            Stamped(proof.A, proof.a_disclosed, len(key.R) + 1, key).representation()
