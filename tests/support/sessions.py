"""An engine and a wallet over the reference's test configuration, joined in memory."""

import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from gateway.scheme_files import read_configuration
from idemix.request import RequestorRequest, parse_session_request
from idemix.scheme.configuration import Configuration
from idemix.scheme.identifiers import CredentialTypeId
from idemix.session.engine import EngineSettings, SessionEngine
from idemix.session.randomness import SystemRandomness
from idemix.session.replies import NextSessionNeeded
from idemix.session.revocation import RevocationStates
from idemix.session.session import Session
from idemix.timestamp import NO_KEYS, TimestampKeys
from idemix.wallet import Outcome, PreparedAnswer, Wallet
from irmahub.conformance.requests import KeyFiles
from tests.support.clock import START, SettableClock
from tests.support.revocation import MemoryAuthority
from tests.support.shared import shared

DISCLOSURE = "https://irma.app/ld/request/disclosure/v2"
SIGNATURE = "https://irma.app/ld/request/signature/v2"
ISSUANCE = "https://irma.app/ld/request/issuance/v2"
STUDENT_CARD = {
    "credential": "irma-demo.RU.studentCard",
    "attributes": {"university": "Radboud", "studentCardNumber": "31415927", "studentID": "s1234567", "level": "42"},
}
FULL_NAME = {"credential": "irma-demo.MijnOverheid.fullName", "attributes": {"firstnames": "J", "firstname": "J", "familyname": "S"}}
SINGLETON = {"credential": "irma-demo.MijnOverheid.singleton", "attributes": {"BSN": "12345"}}
BALLOT = {"credential": "irma-demo.stemmen.stempas", "attributes": {"election": "plantsoen"}}
#: A credential type that can be revoked, of which a holder has one at most.
ROOT = CredentialTypeId("irma-demo.MijnOverheid.root")
BSN = "irma-demo.MijnOverheid.root.BSN"
APP = "app's own secret 012"


@cache
def recorded_configuration() -> Configuration:
    """The reference's test configuration."""
    configuration, problems = read_configuration(shared("schemes", "testdata", "irma_configuration"), int(START.timestamp()))
    assert not problems
    return configuration


def disclosure(*disclose: Any, **fields: Any) -> dict[str, Any]:
    """A disclosure request for these disjunctions."""
    return {"@context": DISCLOSURE, "disclose": list(disclose), **fields}


def signature(message: str, *disclose: Any, **fields: Any) -> dict[str, Any]:
    """A signature request for these disjunctions."""
    return {"@context": SIGNATURE, "message": message, "disclose": list(disclose), **fields}


def issuance(*credentials: Any, **fields: Any) -> dict[str, Any]:
    """An issuance request for these credentials."""
    return {"@context": ISSUANCE, "credentials": list(credentials), **fields}


def root(revocation_key: str, bsn: str = "299792458") -> dict[str, Any]:
    """A credential of the type `ROOT` to issue."""
    return {"credential": str(ROOT), "attributes": {"BSN": bsn}, "revocationKey": revocation_key}


def encode(value: Any) -> bytes:
    """What travels of a reply."""
    return json.dumps(value.to_json() if hasattr(value, "to_json") else value).encode()


def stored(session: Session) -> Session:
    """The session as it comes back from a store."""
    again = Session.from_json(json.loads(json.dumps(session.to_json())))
    assert again == session
    return again


class World:
    """An engine, a wallet and a clock for both."""

    def __init__(self) -> None:
        self.clock = SettableClock()
        self.configuration = recorded_configuration()
        self.keys = KeyFiles(self.configuration, shared("schemes", "testdata", "privatekeys"))
        self.randomness = SystemRandomness()
        self.revocation: RevocationStates | None = None
        self.engine = self.new_engine()
        self.wallet = self.new_wallet()

    def with_authority(self) -> MemoryAuthority:
        """Let credentials of the type `ROOT` be revocable, and return their authority."""
        authority = MemoryAuthority(self.configuration, self.keys, self.clock, ROOT)
        self.revocation = authority
        self.engine = self.new_engine()
        return authority

    def new_engine(self, *, timestamp_keys: TimestampKeys = NO_KEYS, **settings: Any) -> SessionEngine:
        return SessionEngine(
            self.configuration,
            self.keys,
            EngineSettings(url="https://example.com/irma/", **settings),
            self.clock,
            self.randomness,
            lambda error: {"error": error.code, "message": str(error)},
            timestamp_keys=timestamp_keys,
            revocation=self.revocation,
        )

    def new_wallet(self) -> Wallet:
        return Wallet.create(self.configuration, clock=self.clock)

    def start(self, request: Mapping[str, Any] | RequestorRequest, **arguments: Any) -> Session:
        parsed = request if isinstance(request, RequestorRequest) else parse_session_request(request)
        return stored(self.engine.start(parsed, **arguments)[0])

    def connect(self, session: Session, authorization: str = APP) -> tuple[Session, bytes]:
        """The app fetches a session; what it gets."""
        session, reply = self.engine.connect(session, min_version="2.4", max_version="2.9", authorization=authorization)
        return stored(session), encode(reply)

    def connected(self, request: Mapping[str, Any]) -> tuple[Session, bytes]:
        """A session that an app has fetched, and what it got."""
        return self.connect(self.start(request))

    def post(self, session: Session, answer: PreparedAnswer) -> tuple[Session, Any]:
        """The app posts its answer."""
        receive = self.engine.receive_proofs if answer.path == "proofs" else self.engine.receive_commitments
        session, reply = receive(session, answer.body, authorization=APP)
        return stored(session), reply

    def complete(self, request: Mapping[str, Any]) -> tuple[Session, Outcome]:
        """A session from start to end, with the wallet's own choices."""
        session, body = self.connected(request)
        answer = self.wallet.answer(body)
        session, reply = self.post(session, answer)
        assert not isinstance(reply, NextSessionNeeded)
        return session, self.wallet.finish(answer, encode(reply))

    @property
    def now(self) -> datetime:
        return self.clock()
