"""Sessions from start to end between an engine and a wallet, and what the engine refuses."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from gmpy2 import mpz

from idemix.credential.metadata import MAX_VALIDITY_WEEKS, WEEK_SECONDS, floor_to_week
from idemix.errors import IdemixError, MalformedRequestError, SessionError, UnknownIdentifierError
from idemix.integers import encode_integer
from idemix.request import RequestRuleError, parse_session_request
from idemix.revocation import IssuanceRecord
from idemix.session.access import check_host
from idemix.session.engine import RETRY_WINDOW
from idemix.session.errors import (
    AttributesExpiredError,
    HostMismatchError,
    InvalidProofsError,
    IssuanceFailedError,
    KeyshareProofMissingError,
    MalformedInputError,
    NextSessionError,
    PairingRequiredError,
    ProtocolVersionError,
    RevocationStateError,
    SessionFailedError,
    SessionUnauthorizedError,
    UnexpectedRequestError,
    UnknownKeyError,
    VerificationFailedError,
    WrongEndpointError,
)
from idemix.session.replies import NextSessionNeeded, frontend_status
from idemix.session.revocation import NoRevocation
from idemix.session.session import FrontendAuth, Session
from idemix.session.status import PairingMethod, Status
from idemix.verification import AttributeStatus, ProofStatus
from tests.support.sessions import (
    APP,
    BALLOT,
    FULL_NAME,
    ROOT,
    SINGLETON,
    STUDENT_CARD,
    World,
    disclosure,
    encode,
    issuance,
    signature,
    stored,
)

STUDENT_ID = "irma-demo.RU.studentCard.studentID"
LEVEL = "irma-demo.RU.studentCard.level"
PIN = b'{"@context":"https://irma.app/ld/request/frontendoptions/v1","pairingMethod":"pin"}'


def values(session: Session) -> list[list[str | None] | None]:
    return [None if group is None else [attribute.value for attribute in group] for group in session.disclosed]


# All session types --------------------------------------------------------------------------------------------------------


def test_issuance_then_disclosure(world: World) -> None:
    session, outcome = world.complete(issuance(STUDENT_CARD, FULL_NAME))
    assert (session.status, session.proof_status, outcome.status) == (Status.DONE, ProofStatus.VALID, ProofStatus.VALID)
    assert [str(held.type.id) for held in outcome.received] == [STUDENT_CARD["credential"], FULL_NAME["credential"]]

    session, outcome = world.complete(disclosure([[STUDENT_ID, LEVEL]], [["irma-demo.MijnOverheid.fullName.prefix"]]))
    assert (session.status, outcome.status) == (Status.DONE, ProofStatus.VALID)
    assert values(session) == [["s1234567", "42"], [None]]
    assert session.disclosed[1] is not None
    assert session.disclosed[1][0].status is AttributeStatus.NULL


def test_signature(world: World) -> None:
    world.complete(issuance(STUDENT_CARD))
    session, outcome = world.complete(signature("I owe you € 5", [[STUDENT_ID]]))
    assert (session.status, outcome.status) == (Status.DONE, ProofStatus.VALID)
    assert session.signature is not None
    assert session.signature.message == "I owe you € 5"
    assert session.result.to_json()["signature"] == session.signature.to_json()


def test_random_blind_attribute_is_made_by_both_sides(world: World) -> None:
    session, outcome = world.complete(issuance(BALLOT))
    assert outcome.status is ProofStatus.VALID
    session, _ = world.complete(disclosure([["irma-demo.stemmen.stempas.votingnumber"]]))
    (number,) = values(session)[0] or []
    assert number is not None
    assert len(number) > 38  # 255 bits and a little more in base 62


def test_combined_issuance_and_disclosure(world: World) -> None:
    world.complete(issuance(STUDENT_CARD))
    session, outcome = world.complete(issuance(SINGLETON, disclose=[[[LEVEL]]]))
    assert (session.status, outcome.status, values(session)) == (Status.DONE, ProofStatus.VALID, [["42"]])
    assert len(world.wallet.credentials) == 2


def test_credential_as_such(world: World) -> None:
    world.complete(issuance(STUDENT_CARD))
    session, _ = world.complete(disclosure([["irma-demo.RU.studentCard"]]))
    assert values(session) == [["present"]]


def test_optional_disjunction_stays_empty(world: World) -> None:
    world.complete(issuance(STUDENT_CARD))
    session, outcome = world.complete(disclosure([[LEVEL]], [[], ["irma-demo.MijnOverheid.singleton.BSN"]]))
    assert (outcome.status, values(session)) == (ProofStatus.VALID, [["42"], []])


def test_chain_of_three_discloses_again(world: World) -> None:
    def chained(request: dict[str, object]) -> dict[str, object]:
        return {"nextSession": {"url": "https://requestor.example/next"}, "request": request}

    world.complete(issuance(STUDENT_CARD))
    first = world.start(chained(disclosure([[STUDENT_ID]], [[], ["irma-demo.MijnOverheid.singleton.BSN"]])), requestor="shop")
    first, body = world.connect(first)
    answer = world.wallet.answer(body)
    first, needed = world.post(first, answer)
    assert isinstance(needed, NextSessionNeeded)
    assert (needed.url, needed.result.status, first.status) == ("https://requestor.example/next", Status.CONNECTED, Status.CONNECTED)
    first, continued = world.engine.start_next(first, needed, parse_session_request(chained(issuance(SINGLETON))))
    outcome = world.wallet.finish(answer, encode(continued.response))
    second = stored(continued.next_session or first)
    assert (first.status, first.result.next_session) == (Status.DONE, second.requestor_token)
    assert outcome.next_session == world.engine.pointer(second)
    assert frontend_status(first)["nextSession"] == world.engine.pointer(second).to_json()
    assert (second.frontend_auth, second.requestor) == (first.frontend_auth, "shop")
    assert second.client_token != first.client_token

    second, body = world.connect(second)
    assert "disclose" not in json.loads(body)["request"]
    answer = world.wallet.answer(body, earlier=answer.choice)
    second, needed = world.post(second, answer)
    second, continued = world.engine.start_next(second, needed, parse_session_request(disclosure([[LEVEL]])))
    assert world.wallet.finish(answer, encode(continued.response)).received

    third, body = world.connect(stored(continued.next_session or first))
    answer = world.wallet.answer(body, earlier=answer.choice)
    third, reply = world.post(third, answer)
    assert (third.status, values(third)) == (Status.DONE, [["42"], ["s1234567"], []])
    assert reply.to_json() == {"proofStatus": "VALID"}


def test_chain_ends_where_nothing_follows(world: World) -> None:
    world.complete(issuance(STUDENT_CARD))
    session, body = world.connected({"nextSession": {"url": "https://x/"}, "request": disclosure([[LEVEL]])})
    session, needed = world.post(session, world.wallet.answer(body))
    session, continued = world.engine.start_next(session, needed, None)
    assert (session.status, continued.next_session) == (Status.DONE, None)


def test_chain_asks_for_the_same_holder(world: World) -> None:
    world.complete(issuance(STUDENT_CARD))
    session, body = world.connected({"nextSession": {"url": "https://x/"}, "request": disclosure([[STUDENT_ID]])})
    session, needed = world.post(session, world.wallet.answer(body))
    _, continued = world.engine.start_next(session, needed, parse_session_request(disclosure([[LEVEL]])))
    session, body = world.connect(stored(continued.next_session or session))
    session, reply = world.post(session, world.wallet.answer(body))  # does not disclose again
    assert reply.proof_status is ProofStatus.MISSING_ATTRIBUTES


@pytest.mark.parametrize(
    "following",
    [disclosure([["irma-demo.RU.nope.x"]]), {"nextSession": {"url": ""}, "request": disclosure([[LEVEL]])}],
    ids=["unknown type", "empty next URL"],
)
def test_next_session_that_cannot_start_leaves_the_first_connected(world: World, following: dict[str, object]) -> None:
    world.complete(issuance(STUDENT_CARD))
    session, body = world.connected({"nextSession": {"url": "https://x/"}, "request": disclosure([[STUDENT_ID]])})
    session, needed = world.post(session, world.wallet.answer(body))
    with pytest.raises(NextSessionError) as refusal:
        world.engine.start_next(session, needed, parse_session_request(following))
    assert refusal.value.session is session
    assert (session.status, session.proof_status) == (Status.CONNECTED, ProofStatus.VALID)


def test_chain_stops_at_proofs_that_do_not_hold(world: World) -> None:
    session, _ = world.connected({"nextSession": {"url": "https://x/"}, "request": disclosure([[STUDENT_ID]])})
    with pytest.raises(NextSessionError, match="invalid state") as refusal:
        world.engine.receive_proofs(session, b"{}", authorization=APP)
    assert refusal.value.session is not None
    assert refusal.value.session.proof_status is ProofStatus.MISSING_ATTRIBUTES
    assert refusal.value.session.status is Status.CONNECTED


# Starting -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_json", "hint"),
    [
        (disclosure([[LEVEL]]), False),
        (disclosure([[{"type": LEVEL, "value": "1"}]]), True),
        (signature("m", [[LEVEL]]), True),
        (issuance(STUDENT_CARD), True),
        ({"nextSession": {"url": "https://x/"}, "request": disclosure([[LEVEL]])}, True),
    ],
)
def test_package(world: World, request_json: dict[str, object], hint: bool) -> None:
    session, package = world.engine.start(parse_session_request(request_json))
    frontend = {"authorization": session.frontend_auth, "pairingHint": True, "minProtocolVersion": "1.0", "maxProtocolVersion": "1.1"}
    if not hint:
        del frontend["pairingHint"]
    assert package.to_json() == {
        "sessionPtr": {"u": f"https://example.com/irma/session/{session.client_token}", "irmaqr": session.action.value},
        "token": session.requestor_token,
        "frontendRequest": frontend,
    }
    assert {len(session.requestor_token), len(session.client_token), len(session.frontend_auth)} == {20}
    assert len({session.requestor_token, session.client_token, session.frontend_auth}) == 3


def test_one_request_starts_many_sessions(world: World) -> None:
    engine = world.new_engine(augment_client_return_url=True)
    request = parse_session_request(disclosure([[LEVEL]], clientReturnUrl="https://shop/?a=1", augmentReturnUrl=True))
    one, other = (engine.start(request)[0] for _ in range(2))
    assert one.request.request.client_return_url == f"https://shop/?a=1&token={one.requestor_token}"
    assert other.request.request.client_return_url == f"https://shop/?a=1&token={other.requestor_token}"
    assert one.request.request.nonce != other.request.request.nonce
    assert request.request.nonce is None


def test_requested_host_is_in_the_pointer_and_demanded(world: World) -> None:
    session = world.start(disclosure([[LEVEL]], host="other.example:8080"))
    assert world.engine.pointer(session).url == f"https://other.example:8080/irma/session/{session.client_token}"
    check_host(session, "other.example:8080")
    with pytest.raises(HostMismatchError):
        check_host(session, "other.example")
    check_host(world.start(disclosure([[LEVEL]])), "anything")


@pytest.mark.parametrize(
    ("request_json", "error", "text"),
    [
        (disclosure([["irma-demo.RU.nope.x"]]), UnknownIdentifierError, "irma-demo.RU.nope"),
        (disclosure([[LEVEL]], augmentReturnUrl=True, clientReturnUrl="https://x"), RequestRuleError, "not enabled"),
        (disclosure([[LEVEL]], revocation=["irma-demo.RU.studentCard"]), RequestRuleError, "revocation not enabled in scheme"),
        (disclosure([[LEVEL, "irma-demo.MijnOverheid.fullName.prefix"]]), RequestRuleError, "Multiple non-singletons"),
        (issuance({**STUDENT_CARD, "attributes": {"level": "1"}}), RequestRuleError, "Required attributes are missing"),
        (issuance({**STUDENT_CARD, "keyCounter": 99}), UnknownIdentifierError, "irma-demo.RU-99"),
        (issuance({**STUDENT_CARD, "validity": 1_500_000_000}), RequestRuleError, "expired credentials"),
        (issuance({**BALLOT, "attributes": {"election": "x", "votingnumber": "1"}}), RequestRuleError, "randomblind"),
        (
            issuance({"credential": "irma-demo.MijnOverheid.root", "attributes": {"BSN": "1"}, "revocationKey": "k"}),
            RequestRuleError,
            "no revocation server configured",
        ),
        ({"nextSession": {"url": ""}, "request": disclosure([[LEVEL]])}, MalformedRequestError, "nextSession"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refused_at_the_start(world: World, request_json: dict[str, object], error: type[IdemixError], text: str) -> None:
    with pytest.raises(error, match=text):
        world.engine.start(parse_session_request(request_json))


def test_issuer_without_key_that_signs(world: World) -> None:
    class NoKeys:
        def signing_key(self, issuer: object, counter: int | None = None) -> None:
            raise UnknownIdentifierError(str(issuer))

    world.keys = NoKeys()  # type: ignore[assignment]
    with pytest.raises(RequestRuleError, match="issuer private key not found"):
        world.new_engine().start(parse_session_request(issuance(STUDENT_CARD)))


def test_expired_key_does_not_issue(world: World) -> None:
    public_key, _ = world.keys.signing_key(parse_session_request(issuance(STUDENT_CARD)).request.credentials[0].credential_type.issuer)
    world.clock.now += timedelta(seconds=public_key.expires_at - world.now.timestamp() + 1)
    with pytest.raises(RequestRuleError, match=r"expired public key irma-demo\.RU-2"):
        world.engine.start(parse_session_request(issuance({**STUDENT_CARD, "validity": 4_000_000_000})))


def test_app_never_sees_the_revocation_key(world: World) -> None:
    session, body = world.connected(issuance({**STUDENT_CARD, "revocationKey": "secret name"}))
    assert b"secret name" not in body
    assert b"revocationSupported" not in body
    assert session.request.request.to_json()["credentials"][0]["revocationKey"] == "secret name"  # type: ignore[index]


# Connecting ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lowest", "highest"),
    [
        (None, "2.8"),
        ("2.8", None),
        ("", "2.8"),
        ("2", "2.8"),
        ("2.8", "2.x"),
        ("2.8.1", "2.8"),
        ("2.8", "+2.8"),
        ("02.8", "2.8"),
        ("[]", "2.8"),
        ("2.8", "2.8x"),
        (f"{2**63}.0", "2.8"),
    ],
)
def test_malformed_versions_leave_the_session(world: World, lowest: str | None, highest: str | None) -> None:
    session = world.start(disclosure([[LEVEL]]))
    with pytest.raises(MalformedInputError, match=r"X-IRMA-M|not of form") as refusal:
        world.engine.connect(session, min_version=lowest, max_version=highest, authorization=APP)
    assert refusal.value.session is None


@pytest.mark.parametrize(
    ("lowest", "highest"),
    [("2.4", "2.7"), ("2.9", "2.9"), ("2.9", "2.8"), ("3.0", "3.1"), ("1.0", "1.9"), (f"{2**63 - 1}.0", f"{2**63 - 1}.0")],
)
def test_no_common_version_cancels(world: World, lowest: str, highest: str) -> None:
    session = world.start(disclosure([[LEVEL]]))
    with pytest.raises(SessionFailedError) as refusal:
        world.engine.connect(session, min_version=lowest, max_version=highest, authorization=APP)
    assert isinstance(refusal.value.cause, ProtocolVersionError)
    assert refusal.value.code == "PROTOCOL_VERSION"
    failed = stored(refusal.value.session)
    assert failed.status is Status.CANCELLED
    assert failed.result.to_json()["error"] == {"error": "PROTOCOL_VERSION", "message": ""}


def test_app_without_authorization_cancels(world: World) -> None:
    session = world.start(disclosure([[LEVEL]]))
    with pytest.raises(SessionFailedError, match="No authorization header provided") as refusal:
        world.engine.connect(session, min_version="2.8", max_version="2.8", authorization="")
    assert (refusal.value.code, refusal.value.session.status) == ("UNAUTHORIZED", Status.CANCELLED)


def test_versions_are_json_in_quotes_or_bare(world: World) -> None:
    session = world.start(disclosure([[LEVEL]]))
    session, reply = world.engine.connect(session, min_version='"2.4"', max_version=" 2.9 ", authorization=APP)
    assert str(reply.version) == "2.8"


def test_second_app_is_refused(world: World) -> None:
    session, _ = world.connected(disclosure([[LEVEL]]))
    with pytest.raises(UnexpectedRequestError, match="Session already started"):
        world.connect(session, "another app")


def test_non_revocation_cannot_be_asked_without_its_state(world: World) -> None:
    session = world.start(disclosure([["irma-demo.MijnOverheid.root.BSN"]], revocation=["irma-demo.MijnOverheid.root"]))
    with pytest.raises(SessionFailedError, match=r"irma-demo\.MijnOverheid\.root") as refusal:
        world.connect(session)
    assert isinstance(refusal.value.cause, RevocationStateError)


def test_credential_that_can_be_revoked_needs_a_revocation_key(world: World) -> None:
    world.with_authority()
    with pytest.raises(RequestRuleError, match=f"revocation enabled for {ROOT} but no revocationKey specified"):
        world.start(issuance({"credential": str(ROOT), "attributes": {"BSN": "1"}}))


def test_without_a_state_of_revocation_there_is_nothing_to_issue_with() -> None:
    states = NoRevocation()
    record = IssuanceRecord("k", str(ROOT), 2, mpz(17), 0, 0)
    for ask in (
        lambda: states.accumulator(ROOT, 2),
        lambda: states.record(record),
        lambda: states.updates(ROOT, count=1, max_age_seconds=1),
    ):
        with pytest.raises(RevocationStateError, match=str(ROOT)):
            ask()


def test_first_answer_to_the_app(world: World) -> None:
    session, body = world.connected(disclosure([[LEVEL]]))
    message = json.loads(body)
    assert message["@context"] == "https://irma.app/ld/request/client/v1"
    assert message["protocolVersion"] == message["request"]["protocolVersion"] == "2.8"
    assert message["options"] == {"@context": "https://irma.app/ld/options/v1", "pairingMethod": "none"}
    assert (message["request"]["context"], message["request"]["devMode"]) == ("AQ==", True)
    _, request = world.engine.get_request(session, authorization=APP)
    assert request.to_json() == message["request"]


# Pairing ------------------------------------------------------------------------------------------------------------------


def test_pairing(world: World) -> None:
    world.complete(issuance(STUDENT_CARD))
    session = world.start(disclosure([[LEVEL]]))
    session, first = world.engine.set_options(session, PIN, authorization=session.frontend_auth)
    assert first.pairing_method is PairingMethod.PIN
    assert first.pairing_code.isdigit()
    assert len(first.pairing_code) == 4
    session, body = world.connect(session)
    message = json.loads(body)
    assert session.status is Status.PAIRING
    assert message["options"]["pairingCode"] == first.pairing_code
    assert "request" not in message
    for ask in (world.engine.receive_proofs, world.engine.receive_commitments):
        with pytest.raises(PairingRequiredError):
            ask(session, b"{}", authorization=APP)
    with pytest.raises(PairingRequiredError):
        world.engine.get_request(session, authorization=APP)
    session = stored(world.engine.complete_pairing(session, authorization=session.frontend_auth))
    assert session.status is Status.CONNECTED
    session, request = world.engine.get_request(session, authorization=APP)
    session, reply = world.post(session, world.wallet.answer(encode(request)))
    assert reply.proof_status is ProofStatus.VALID


def test_pairing_can_be_chosen_anew_and_taken_back(world: World) -> None:
    session = world.start(disclosure([[LEVEL]]))
    codes = set()
    for _ in range(8):
        session, options = world.engine.set_options(session, PIN, authorization=session.frontend_auth)
        codes.add(options.pairing_code)
    assert len(codes) > 1
    unchanged, options = world.engine.set_options(session, PIN.replace(b"pin", b""), authorization=session.frontend_auth)
    assert unchanged is session
    assert options == session.options
    session, options = world.engine.set_options(session, PIN.replace(b"pin", b"none"), authorization=session.frontend_auth)
    assert (options.pairing_method, options.pairing_code) == (PairingMethod.NONE, "")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", MalformedInputError),
        (b"[]", MalformedInputError),
        (b'{"pairingMethod":"pin"}', MalformedInputError),
        (PIN.replace(b'"pin"', b"5"), MalformedInputError),
        (PIN.replace(b"pin", b"smell"), UnexpectedRequestError),
    ],
)
def test_bad_options(world: World, body: bytes, error: type[SessionError]) -> None:
    session = world.start(disclosure([[LEVEL]]))
    with pytest.raises(error):
        world.engine.set_options(session, body, authorization=session.frontend_auth)


def test_frontend_must_show_its_secret(world: World) -> None:
    session = world.start(disclosure([[LEVEL]]))
    for authorization in ("", "x", session.client_token, session.requestor_token):
        with pytest.raises(SessionUnauthorizedError):
            world.engine.set_options(session, PIN, authorization=authorization)
        with pytest.raises(SessionUnauthorizedError):
            world.engine.complete_pairing(session, authorization=authorization)


def test_pairing_out_of_order(world: World) -> None:
    session = world.start(disclosure([[LEVEL]]))
    with pytest.raises(UnexpectedRequestError, match="Pairing was not enabled"):
        world.engine.complete_pairing(session, authorization=session.frontend_auth)
    session, _ = world.connect(session)
    with pytest.raises(UnexpectedRequestError, match="initialized"):
        world.engine.set_options(session, PIN, authorization=session.frontend_auth)


# Answers ------------------------------------------------------------------------------------------------------------------


def test_answers_out_of_order(world: World) -> None:
    session = world.start(disclosure([[LEVEL]]))
    for ask in (world.engine.receive_proofs, world.engine.receive_commitments):
        with pytest.raises(UnexpectedRequestError, match="not yet started"):
            ask(session, b"{}", authorization=APP)
    session, _ = world.connect(session)
    with pytest.raises(SessionUnauthorizedError):
        world.engine.receive_proofs(session, b"{}", authorization="other")
    session, _ = world.engine.receive_proofs(session, b"{}", authorization=APP)
    with pytest.raises(UnexpectedRequestError, match="already finished"):
        world.engine.receive_proofs(session, b"{}", authorization=APP)


def test_wrong_endpoint(world: World) -> None:
    session, _ = world.connected(disclosure([[LEVEL]]))
    with pytest.raises(WrongEndpointError):
        world.engine.receive_commitments(session, b'{"n_2":"AQ==","combinedProofs":[]}', authorization=APP)
    session, _ = world.connected(issuance(STUDENT_CARD))
    with pytest.raises(WrongEndpointError):
        world.engine.receive_proofs(session, b"{}", authorization=APP)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x",
        b"[]",
        b'{"proofs":"x"}',
        b'{"proofs":[{}]}',
        b'{"proofs":[{"A":-1}]}',
        b'{"indices":[[null]]}',
        b'{"indices":[[{"cred":"0"}]]}',
    ],
)
def test_malformed_answer_leaves_the_session_connected(world: World, body: bytes) -> None:
    session, _ = world.connected(disclosure([[LEVEL]]))
    with pytest.raises(MalformedInputError) as refusal:
        world.engine.receive_proofs(session, body, authorization=APP)
    assert refusal.value.session is None


@pytest.mark.parametrize(
    ("body", "message"),
    [(b'{"proofs":[{"A":-1}]}', "Unexpected negative integer"), (b'{"proofs":[{"x":1}]}', "Unknown proof type found in ProofList")],
)
def test_proofs_are_refused_in_the_words_of_the_reference(world: World, body: bytes, message: str) -> None:
    session, _ = world.connected(disclosure([[LEVEL]]))
    with pytest.raises(MalformedInputError) as refusal:
        world.engine.receive_proofs(session, body, authorization=APP)
    assert str(refusal.value) == message


def test_empty_answer_misses_attributes_and_ends_the_session(world: World) -> None:
    for body in (b"null", b"{}", b'{"proofs":[],"indices":[[]]}'):
        session, _ = world.connected(disclosure([[LEVEL]]))
        session, reply = world.engine.receive_proofs(session, body, authorization=APP)
        assert (session.status, reply.to_json()) == (Status.DONE, {"proofStatus": "MISSING_ATTRIBUTES"})


def test_invalid_proofs_end_a_disclosure(world: World) -> None:
    world.complete(issuance(STUDENT_CARD))
    _, other = world.connected(disclosure([[LEVEL]]))
    session, _ = world.connected(disclosure([[LEVEL]]))
    session, reply = world.post(session, world.wallet.answer(other))  # proofs over another nonce
    assert (session.status, reply.proof_status, session.disclosed) == (Status.DONE, ProofStatus.INVALID, ())


def test_signature_of_another_request_is_not_matched(world: World) -> None:
    world.complete(issuance(STUDENT_CARD))
    _, other = world.connected(signature("other", [[LEVEL]]))
    session, _ = world.connected(signature("m", [[LEVEL]]))
    session, reply = world.post(session, world.wallet.answer(other))
    assert (session.status, reply.proof_status) == (Status.DONE, ProofStatus.UNMATCHED_REQUEST)
    assert session.signature is not None


def test_time_stamped_signature_is_not_trusted(world: World) -> None:
    world.complete(issuance(STUDENT_CARD))
    session, body = world.connected(signature("m", [[LEVEL]]))
    message = json.loads(world.wallet.answer(body).body)
    message["timestamp"] = {"Time": 1, "ServerUrl": "", "Sig": {"Alg": "ed25519", "Data": "AA==", "PublicKey": "AA=="}}
    ended, reply = world.engine.receive_proofs(session, json.dumps(message).encode(), authorization=APP)
    assert reply.to_json() == {"proofStatus": "INVALID_TIMESTAMP"}
    assert stored(ended).result.to_json()["signature"]["timestamp"] == message["timestamp"]  # type: ignore[index]
    message["timestamp"] = {"extra": 1, "Hashing": {"Hash": "shake256"}}
    ended, reply = world.engine.receive_proofs(session, json.dumps(message).encode(), authorization=APP)
    assert ended.result.to_json()["signature"]["timestamp"] == {  # type: ignore[index]
        "Time": 0,
        "ServerUrl": "",
        "Sig": {"Alg": "", "Data": None, "PublicKey": None},
        "Hashing": {"Hash": "shake256", "Prefix": None},
    }


@pytest.mark.parametrize(
    "stamp", [5, "x", [], {"Time": "1"}, {"Time": 1.5}, {"Sig": 5}, {"Sig": {"Data": 5}}, {"Sig": {"PublicKey": "!"}}, {"Hashing": 5}]
)
def test_malformed_time_stamp_leaves_the_session_connected(world: World, stamp: object) -> None:
    session, _ = world.connected(signature("m", [[LEVEL]]))
    message = {"signature": [], "indices": [], "nonce": "AQ==", "context": "AQ==", "message": "m", "timestamp": stamp}
    with pytest.raises(MalformedInputError, match="timestamp") as refusal:
        world.engine.receive_proofs(session, encode(message), authorization=APP)
    assert refusal.value.session is None


def test_signed_message_without_proofs_is_invalid_whatever_else_it_lacks(world: World) -> None:
    session, _ = world.connected(signature("m", [[LEVEL]]))
    session, reply = world.engine.receive_proofs(session, b"{}", authorization=APP)
    assert (session.status, reply.to_json()) == (Status.DONE, {"proofStatus": "INVALID"})
    signed = stored(session).result.to_json()["signature"]
    assert (signed["nonce"], signed["context"], signed["message"]) == (None, None, "")  # type: ignore[index]


@pytest.mark.parametrize("name", ["nonce", "context"])
def test_proofs_without_nonce_or_context_are_malformed(world: World, name: str) -> None:
    world.complete(issuance(STUDENT_CARD))
    session, body = change_answer(world, signature("m", [[LEVEL]]), lambda m: m.update({name: None}))
    with pytest.raises(MalformedInputError, match=f"{name}: missing") as refusal:
        world.engine.receive_proofs(session, body, authorization=APP)
    assert refusal.value.session is None


def test_signed_message_of_the_older_form_keeps_its_empty_context(world: World) -> None:
    session, _ = world.connected(signature("m", [[LEVEL]]))
    message = {"signature": [], "indices": [], "nonce": "AQ==", "context": "AQ==", "message": "m"}
    session, _ = world.engine.receive_proofs(session, encode(message), authorization=APP)
    assert stored(session).result.to_json()["signature"]["@context"] == ""  # type: ignore[index]


def change_answer(world: World, request: dict[str, object], change: Callable[[dict[str, object]], object]) -> tuple[Session, bytes]:
    session, body = world.connected(request)
    message = json.loads(world.wallet.answer(body).body)
    change(message)
    return session, json.dumps(message).encode()


def test_index_of_a_proof_that_is_not_there_cancels(world: World) -> None:
    world.complete(issuance(STUDENT_CARD))
    session, body = change_answer(world, disclosure([[LEVEL]]), lambda m: m["indices"][0][0].update(cred=2))  # type: ignore[index]
    with pytest.raises(SessionFailedError, match="out of range") as refusal:
        world.engine.receive_proofs(session, body, authorization=APP)
    assert isinstance(refusal.value.cause, VerificationFailedError)


@pytest.mark.parametrize("index", [(-1, 5), (1, 5), (0, 0), (0, -2), (0, 2), (0, 99)])
def test_index_of_nothing_disclosed_leaves_the_session(world: World, index: tuple[int, int]) -> None:
    world.complete(issuance(STUDENT_CARD))
    session, body = change_answer(world, disclosure([[LEVEL]]), lambda m: m["indices"][0][0].update(cred=index[0], attr=index[1]))  # type: ignore[index]
    with pytest.raises(MalformedInputError, match="indices"):
        world.engine.receive_proofs(session, body, authorization=APP)


def test_unknown_key_cancels(world: World) -> None:
    world.complete(issuance(STUDENT_CARD))
    metadata = world.wallet.credentials[0].credential.metadata
    elsewhere = replace(metadata, key_counter=77)

    def rename(message: dict[str, object]) -> None:
        message["proofs"][0]["a_disclosed"]["1"] = encode_integer(elsewhere.encode())  # type: ignore[index]

    session, body = change_answer(world, disclosure([[LEVEL]]), rename)
    with pytest.raises(SessionFailedError) as refusal:
        world.engine.receive_proofs(session, body, authorization=APP)
    assert isinstance(refusal.value.cause, UnknownKeyError)
    assert refusal.value.session.result.to_json()["error"] == {"error": "UNKNOWN_PUBLIC_KEY", "message": "Missing public key"}


def test_too_few_proofs_cancel_an_issuance(world: World) -> None:
    session, _ = world.connected(issuance(STUDENT_CARD))
    with pytest.raises(SessionFailedError, match="Received insufficient proofs") as refusal:
        world.engine.receive_commitments(session, b'{"n_2":"AQ==","combinedProofs":[]}', authorization=APP)
    assert refusal.value.code == "MALFORMED_INPUT"


def test_a_disclosure_in_the_place_of_a_commitment_is_an_invalid_proof(world: World) -> None:
    world.complete(issuance(STUDENT_CARD))
    session, body = change_answer(world, issuance(SINGLETON, disclose=[[[LEVEL]]]), lambda m: m["combinedProofs"].pop())  # type: ignore[attr-defined]
    with pytest.raises(SessionFailedError) as refusal:
        world.engine.receive_commitments(session, body, authorization=APP)
    assert isinstance(refusal.value.cause, InvalidProofsError)


def test_an_index_of_a_commitment_cancels_an_issuance_without_a_word(world: World) -> None:
    world.complete(issuance(STUDENT_CARD))
    session, body = change_answer(world, issuance(SINGLETON, disclose=[[[LEVEL]]]), lambda m: m["indices"][0][0].update(cred=1))  # type: ignore[index]
    with pytest.raises(SessionFailedError) as refusal:
        world.engine.receive_commitments(session, body, authorization=APP)
    assert (refusal.value.code, str(refusal.value)) == ("EXCEPTION", "")


def test_commitments_of_another_session_are_not_signed(world: World) -> None:
    _, other = world.connected(issuance(STUDENT_CARD))
    session, _ = world.connected(issuance(STUDENT_CARD))
    with pytest.raises(SessionFailedError) as refusal:
        world.post(session, world.wallet.answer(other))
    assert isinstance(refusal.value.cause, InvalidProofsError)


def test_combined_session_without_what_was_asked_is_not_signed(world: World) -> None:
    session, body = world.connected(issuance(SINGLETON, disclose=[[[], [LEVEL]]]))
    answer = world.wallet.answer(body)
    wanted = parse_session_request(issuance(SINGLETON, disclose=[[[LEVEL]]])).request.disclose
    session = replace(session, request=replace(session.request, request=replace(session.request.request, disclose=wanted)))
    with pytest.raises(SessionFailedError) as refusal:
        world.post(session, answer)
    assert isinstance(refusal.value.cause, InvalidProofsError)


def test_expired_attributes_are_refused_when_issuing(world: World) -> None:
    soon = int(world.now.timestamp()) + 14 * 86400
    world.complete(issuance({**STUDENT_CARD, "validity": soon}))
    session, body = world.connected(issuance(SINGLETON, disclose=[[[LEVEL]]]))
    answer = world.wallet.answer(body)
    world.clock.advance(days=20)
    with pytest.raises(SessionFailedError) as refusal:
        world.post(session, answer)
    assert isinstance(refusal.value.cause, AttributesExpiredError)


def test_expired_attributes_are_told_when_disclosing(world: World) -> None:
    soon = int(world.now.timestamp()) + 14 * 86400
    world.complete(issuance({**STUDENT_CARD, "validity": soon}))
    session, body = world.connected(disclosure([[LEVEL]]))
    answer = world.wallet.answer(body)
    world.clock.advance(days=20)
    session, reply = world.post(session, answer)
    assert (reply.proof_status, values(session)) == (ProofStatus.EXPIRED, [["42"]])


def test_credential_of_a_keyshare_scheme_needs_its_server(world: World) -> None:
    types = world.configuration.credential_types.values()
    credential_type = next(t for t in types if str(t.issuer) == "test.test" and not t.supports_revocation)
    attributes = {a.attribute_id: "x" for a in credential_type.attributes if not a.random_blind}
    session, _ = world.connected(issuance({"credential": str(credential_type.id), "attributes": attributes}))
    commitment = b'{"n_2":"AQ==","combinedProofs":[{"U":"BQ==","c":"AQ==","v_prime_response":"AQ==","s_response":"AQ=="}]}'
    with pytest.raises(SessionFailedError, match="no keyshare proof included for scheme test") as refusal:
        world.engine.receive_commitments(session, commitment, authorization=APP)
    assert isinstance(refusal.value.cause, KeyshareProofMissingError)


def test_key_that_is_gone_at_signing_cancels(world: World) -> None:
    session, body = world.connected(issuance(STUDENT_CARD))
    answer = world.wallet.answer(body)

    class Gone:
        def signing_key(self, issuer: object, counter: int | None = None) -> None:
            assert counter == 2  # the key promised at the start
            raise UnknownIdentifierError(str(issuer))

    world.keys = Gone()  # type: ignore[assignment]
    with pytest.raises(SessionFailedError) as refusal:
        world.new_engine().receive_commitments(session, answer.body, authorization=APP)
    assert isinstance(refusal.value.cause, IssuanceFailedError)


@pytest.mark.parametrize("validity", [2**50, 2**62])
def test_validity_beyond_the_metadata_is_refused_at_the_start(world: World, validity: int) -> None:
    with pytest.raises(RequestRuleError, match="at most 65535 weeks") as refusal:
        world.start(issuance({**STUDENT_CARD, "validity": validity}))
    assert (refusal.value.where, refusal.value.departure) == ("credentials[0].validity", "credential-validity")


def test_longest_validity_is_issued(world: World) -> None:
    longest = floor_to_week(int(world.now.timestamp())) + (MAX_VALIDITY_WEEKS + 1) * WEEK_SECONDS - 1
    session, _ = world.complete(issuance({**STUDENT_CARD, "validity": longest}))
    assert session.status is Status.DONE
    with pytest.raises(RequestRuleError):
        world.start(issuance({**STUDENT_CARD, "validity": longest + 1}))


# Ends and life times ------------------------------------------------------------------------------------------------------


def test_cancel_forgets_the_result_and_happens_once(world: World) -> None:
    session, _ = world.connected(disclosure([[LEVEL]]))
    session = world.engine.cancel(replace(session, proof_status=ProofStatus.VALID))
    assert session.result.to_json() == {"token": session.requestor_token, "status": "CANCELLED", "type": "disclosing"}
    assert world.engine.cancel(session) is session
    assert world.engine.check_timeout(session) is session


def test_time_out_before_the_app_connects(world: World) -> None:
    session = world.start({"timeout": 30, "request": disclosure([[LEVEL]])})
    world.clock.advance(seconds=30)
    assert world.engine.check_timeout(session) is session
    world.clock.advance(seconds=1)
    timed_out = stored(world.engine.check_timeout(session))
    assert timed_out.status is Status.TIMEOUT
    assert timed_out.revision == session.revision + 1
    assert world.engine.check_timeout(timed_out) is timed_out
    with pytest.raises(UnexpectedRequestError):
        world.connect(timed_out)


def test_connected_app_has_the_servers_time(world: World) -> None:
    session, _ = world.connected({"timeout": 30, "request": disclosure([[LEVEL]])})
    world.clock.advance(minutes=15)
    assert world.engine.check_timeout(session) is session
    world.clock.advance(seconds=1)
    assert world.engine.check_timeout(session).status is Status.TIMEOUT


def test_result_is_kept_after_any_end(world: World) -> None:
    session, _ = world.connected(disclosure([[LEVEL]]))
    assert world.engine.forgotten_at(session) == world.now + timedelta(minutes=20)
    world.clock.advance(minutes=16)
    timed_out = world.engine.check_timeout(session)
    assert world.engine.deadline(timed_out) is None
    assert world.engine.forgotten_at(timed_out) == world.now + timedelta(minutes=5)


@pytest.mark.parametrize("timeout", [2**62, -(2**62)])
def test_absurd_time_outs_are_no_crash(world: World, timeout: int) -> None:
    session = world.start({"timeout": timeout, "request": disclosure([[LEVEL]])})
    assert world.engine.forgotten_at(session) >= world.now + timedelta(minutes=5)
    assert (world.engine.check_timeout(session).status is Status.TIMEOUT) == (timeout < 0)


# Repeated requests --------------------------------------------------------------------------------------------------------


def test_repeated_request_gets_the_same_answer(world: World) -> None:
    session, _ = world.connected(disclosure([[LEVEL]]))
    path, body = "/irma/session/x/proofs", b"{}"
    session, reply = world.engine.receive_proofs(session, body, authorization=APP)
    session = stored(world.engine.remember(session, path, body, authorization=APP, response=encode(reply), http_status=200))
    again = world.engine.recall(session, path, body, authorization=APP)
    assert again is not None
    assert (again.response, again.http_status) == (encode(reply), 200)
    for other_path, other_body, authorization in ((path + "/", body, APP), (path, b"{} ", APP), (path, body, "other"), (path, body, "")):
        assert world.engine.recall(session, other_path, other_body, authorization=authorization) is None
    world.clock.now += RETRY_WINDOW
    assert world.engine.recall(session, path, body, authorization=APP) is not None
    world.clock.advance(seconds=1)
    assert world.engine.recall(session, path, body, authorization=APP) is None


def test_answer_is_not_repeated_when_the_status_has_changed(world: World) -> None:
    session = world.start(disclosure([[LEVEL]]))
    session = world.engine.remember(session, "/p", b"", authorization=APP, response=b"{}", http_status=400)
    assert world.engine.recall(session, "/p", b"", authorization=APP) is not None
    assert world.engine.recall(world.engine.cancel(session), "/p", b"", authorization=APP) is None


def test_callers_without_the_secret_do_not_push_out_the_answer(world: World) -> None:
    session, _ = world.connected(disclosure([[LEVEL]]))
    assert world.engine.remember(session, "/p", b"", authorization="other", response=b"{}", http_status=403) is session


def test_revision_rises_with_every_change(world: World) -> None:
    session = world.start(disclosure([[LEVEL]]))
    revisions = [session.revision]
    session, _ = world.engine.set_options(session, PIN, authorization=session.frontend_auth)
    revisions.append(session.revision)
    session, _ = world.connect(session)
    revisions.append(session.revision)
    session = world.engine.complete_pairing(session, authorization=session.frontend_auth)
    revisions.append(session.revision)
    revisions.append(world.engine.cancel(session).revision)
    assert revisions == sorted(set(revisions))


def test_frontend_secret_can_be_given(world: World) -> None:
    assert world.start(disclosure([[LEVEL]]), frontend_auth=FrontendAuth("kept in the chain")).frontend_auth == "kept in the chain"
