"""Sessions of apps whose secret key is shared with a keyshare server, in both protocols."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from idemix.cl.primes import PrimePool
from idemix.issuance.messages import IssueCommitmentMessage
from idemix.json_text import parse_json
from idemix.keyshare import ProofP, sign_proof_p
from idemix.messages import Disclosure
from idemix.request import IssuanceRequest, parse_session_request
from idemix.scheme.identifiers import CredentialTypeId
from idemix.session.errors import InvalidProofsError, KeyshareProofMissingError, MalformedInputError, SessionFailedError
from idemix.session.issuing import Commitments, sign_credentials, verify_commitments
from idemix.session.session import Session
from idemix.session.status import Status
from idemix.verification import ProofStatus, verify_disclosure
from tests.support.keyshare import KeyshareApp, server_key
from tests.support.sessions import APP, STUDENT_CARD, World, disclosure, encode, issuance, recorded_configuration, signature
from tests.support.shared import shared

EMAIL = {"credential": "test.test.email", "attributes": {"email": "a@example.com"}}
SHARED = [["test.test.email.email"]]
OWN = [["irma-demo.RU.studentCard.studentID"]]


def parsed(body: bytes) -> Any:
    return parse_session_request(json.loads(body)["request"]).request


class KeyshareWorld(World):
    """A world with an app that is enrolled at the keyshare server of the scheme `test`."""

    def __init__(self, newer: bool) -> None:
        super().__init__()
        self.app = KeyshareApp(self.configuration, self.clock, newer)

    def prove(self, request: dict[str, Any], change: Callable[[dict[str, Any]], object] = lambda answer: None) -> tuple[Session, Any]:
        """A disclosure or signature session; `change` alters the app's answer."""
        session, body = self.connected(request)
        answer = self.app.proofs(parsed(body))
        change(answer)
        return self.engine.receive_proofs(session, json.dumps(answer).encode(), authorization=APP)

    def issue(self, request: dict[str, Any], change: Callable[[dict[str, Any]], object] = lambda answer: None) -> tuple[Session, Any]:
        """An issuance session; the app keeps what it gets."""
        session, body = self.connected(request)
        wanted = parsed(body)
        assert isinstance(wanted, IssuanceRequest)
        answer, builders = self.app.commitments(wanted)
        change(answer)
        session, reply = self.engine.receive_commitments(session, json.dumps(answer).encode(), authorization=APP)
        self.app.keep(wanted, builders, json.loads(encode(reply)))
        return session, reply


@pytest.fixture(params=[False, True], ids=["old protocol", "newer protocol"])
def world(request: pytest.FixtureRequest) -> KeyshareWorld:
    return KeyshareWorld(request.param)


@pytest.mark.feature("I11")
def test_issued_then_disclosed_signed_and_combined(world: KeyshareWorld) -> None:
    session, reply = world.issue(issuance(EMAIL))
    assert session.status is Status.DONE
    assert reply.proof_status is ProofStatus.VALID
    held = world.app.credentials[CredentialTypeId("test.test.email")]
    held.verify()
    assert held.signature.keyshare_p is not None
    world.issue(issuance(STUDENT_CARD))

    session, reply = world.prove(disclosure(SHARED, OWN))
    assert session.proof_status is ProofStatus.VALID
    assert [group[0].value for group in session.disclosed if group] == ["a@example.com", "s1234567"]
    session, reply = world.prove(signature("I owe you everything", SHARED, OWN))
    assert session.proof_status is ProofStatus.VALID
    # Both kinds of credential, disclosed and issued at once.
    session, reply = world.issue(issuance(EMAIL, STUDENT_CARD, disclose=[SHARED, OWN]))
    assert session.proof_status is ProofStatus.VALID
    for credential in world.app.credentials.values():
        credential.verify()


def test_the_second_key_of_the_server_is_found_by_its_number(world: KeyshareWorld) -> None:
    world.app.key_number = 1
    assert world.issue(issuance(EMAIL))[1].proof_status is ProofStatus.VALID


def test_another_users_part_makes_no_proof(world: KeyshareWorld) -> None:
    world.issue(issuance(EMAIL))
    world.app.keyshare_secret += 1
    session, _ = world.prove(disclosure(SHARED))
    assert session.proof_status is ProofStatus.INVALID


def issue_refused(world: KeyshareWorld, change: Callable[[dict[str, Any]], object]) -> SessionFailedError:
    with pytest.raises(SessionFailedError) as refusal:
        world.issue(issuance(EMAIL), change)
    assert refusal.value.session.status is Status.CANCELLED
    return refusal.value


def other_jwt(**changes: Any) -> Callable[[dict[str, Any]], object]:
    """Put another JWT of the same proof in place."""

    def change(answer: dict[str, Any]) -> None:
        claims = answer["proofPJwts"]["test"].split(".")[1]
        content = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        proof = ProofP.from_json(content["ProofP"])
        given = {"key_number": 0, "now": datetime.fromtimestamp(content["iat"], UTC), "private_key": server_key(), **changes}
        answer["proofPJwts"]["test"] = sign_proof_p(proof, given.pop("private_key"), **given)

    return change


MISSING = {
    "no JWTs": lambda answer: answer.pop("proofPJwts"),
    "that of another scheme": lambda answer: answer.update(proofPJwts={"test2": answer["proofPJwts"]["test"]}),
    "the scheme in another case": lambda answer: answer.update(proofPJwts={"Test": answer["proofPJwts"]["test"]}),
    "no JWT": lambda answer: answer["proofPJwts"].update(test="x"),
    "another key's": other_jwt(private_key=server_key(1)),
    "another scheme's": other_jwt(private_key=server_key(0, "test2")),
    "a key that is not there": other_jwt(key_number=7),
    "made in the future": other_jwt(now=datetime(2030, 1, 1, tzinfo=UTC)),
}


@pytest.mark.parametrize("label", MISSING)
def test_an_issuer_wants_the_server_to_take_part(world: KeyshareWorld, label: str) -> None:
    refusal = issue_refused(world, MISSING[label])
    assert refusal.code == "KEYSHARE_PROOF_MISSING"
    assert isinstance(refusal.cause, KeyshareProofMissingError)


def put_proof(**fields: Any) -> Callable[[dict[str, Any]], object]:
    """Put a JWT of an altered proof in place."""

    def change(answer: dict[str, Any]) -> None:
        claims = answer["proofPJwts"]["test"].split(".")[1]
        content = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        proof = ProofP.from_json({**content["ProofP"], **fields})
        now = datetime.fromtimestamp(content["iat"], UTC)
        answer["proofPJwts"]["test"] = sign_proof_p(proof, server_key(), key_number=0, now=now)

    return change


KEY = recorded_configuration().public_key(CredentialTypeId("test.test.email").issuer, 4)
INVALID = {
    "another response": put_proof(s_response=1),
    "a response too long": put_proof(s_response=1 << KEY.params.l_s_commit + 1),
    "P beyond n": put_proof(P=int(KEY.N + 4)),
    "P is 1": put_proof(P=1),
    "P is 0": put_proof(P=""),
    "another P": put_proof(P=4),
    "a challenge too long": put_proof(c=1 << 256),
    "U beyond n": lambda answer: answer["combinedProofs"][0].update(U=int(KEY.N + 4)),
    "another U": lambda answer: answer["combinedProofs"][0].update(U=4),
}


@pytest.mark.parametrize("label", INVALID)
def test_an_issuer_verifies_what_it_merged(world: KeyshareWorld, label: str) -> None:
    refusal = issue_refused(world, INVALID[label])
    assert refusal.code == "INVALID_PROOFS"
    assert isinstance(refusal.cause, InvalidProofsError)


def test_a_disclosure_without_response_for_the_secret_key_is_no_place_for_the_servers(world: KeyshareWorld) -> None:
    """The reference would put the server's response where the app gave none."""
    world.issue(issuance(EMAIL))
    session, body = world.connected(issuance(EMAIL, disclose=[SHARED]))
    answer, _ = world.app.commitments(parsed(body))
    del answer["combinedProofs"][0]["a_responses"]["0"]
    with pytest.raises(MalformedInputError) as refusal:
        world.engine.receive_commitments(session, json.dumps(answer).encode(), authorization=APP)
    assert refusal.value.departure == "secret-key-hidden"


def test_the_same_secret_key_is_behind_all_credentials_of_a_server(world: KeyshareWorld) -> None:
    world.issue(issuance(EMAIL))
    other = KeyshareApp(world.configuration, world.clock, world.app.newer)
    other.credentials = dict(world.app.credentials)
    other.secret_key = world.app.secret_key + 1
    other.keyshare_secret = world.app.keyshare_secret
    world.app = other
    assert issue_refused_code(world, issuance(EMAIL, disclose=[SHARED])) == "INVALID_PROOFS"


def issue_refused_code(world: KeyshareWorld, request: dict[str, Any]) -> str:
    with pytest.raises(SessionFailedError) as refusal:
        world.issue(request)
    return refusal.value.code


def recorded(sequence: int) -> tuple[IssuanceRequest, Any, datetime]:
    """The request of a recorded session and the app's answer to it."""
    exchanges = {entry["seq"]: entry for entry in json.loads(shared("vectors", "transcripts", "keyshare.json").read_bytes())["exchanges"]}
    request = parse_session_request(json.loads(exchanges[sequence]["response_body"])["request"]).request
    return request, exchanges[sequence + 1]["request_body"], datetime.fromtimestamp(1795461618, UTC)  # type: ignore[return-value]


@pytest.mark.feature("I11")
def test_what_the_reference_recorded_with_its_own_keyshare_server() -> None:
    world = World()
    request, body, now = recorded(2)
    message = IssueCommitmentMessage.from_json(parse_json(body, "body"))
    commitments = Commitments.of(message, request, world.configuration, now=now)
    assert verify_commitments(commitments, world.configuration, now=now).status is ProofStatus.VALID
    (issued,) = sign_credentials(commitments, world.keys, now, world.randomness, PrimePool())
    assert issued.signature.keyshare_p is None
    with pytest.raises(KeyshareProofMissingError):
        Commitments.of(message, request, world.configuration, now=now - timedelta(hours=1))
    asked, body, now = recorded(9)
    verified = verify_disclosure(Disclosure.from_json(parse_json(body, "body")), asked, world.configuration, now=now)
    assert verified.status is ProofStatus.VALID
    assert [group[0].value for group in verified.disclosed if group] == ["a@example.com", "456"]
