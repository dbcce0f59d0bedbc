"""One change anywhere in an app's answer: it is refused or found invalid, and nothing else happens."""

import copy
import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from idemix.errors import SessionError
from idemix.session.replies import ServerResponse
from idemix.session.session import Session
from idemix.session.status import Status
from idemix.verification import ProofStatus
from tests.support.sessions import APP, BALLOT, STUDENT_CARD, World, disclosure, issuance, signature

Path = tuple[str | int, ...]
LEVEL = "irma-demo.RU.studentCard.level"
VALUES = st.one_of(
    *(st.none(), st.booleans(), st.integers(min_value=2), st.integers(max_value=-1), st.floats(allow_nan=False, allow_infinity=False)),
    *(st.text(max_size=8), st.just([]), st.just({}), st.just([[]]), st.sampled_from(["AQ==", "AA==", "", "BQ==", "/////w=="])),
)


@cache
def answered() -> dict[str, tuple[World, Session, Any]]:
    """A connected session of each type, with the right answer."""
    world = World()
    world.complete(issuance(STUDENT_CARD))
    requests = {
        "disclosure": disclosure([[LEVEL]], [[], ["irma-demo.RU.studentCard.studentID"]]),
        "signature": signature("m", [[LEVEL]]),
        "issuance": issuance(BALLOT, disclose=[[[LEVEL]]]),
    }
    sessions = {name: world.connected(request) for name, request in requests.items()}
    return {name: (world, session, json.loads(world.wallet.answer(body).body)) for name, (session, body) in sessions.items()}


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every place in a JSON value."""
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from paths(child, (*path, key))


def changed(message: Any, path: Path, value: Any) -> Any:
    if not path:
        return value
    message = copy.deepcopy(message)
    place = message
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return message


def receive(kind: str, message: Any) -> tuple[Session, ServerResponse] | SessionError:
    world, session, _ = answered()[kind]
    ask = world.engine.receive_commitments if kind == "issuance" else world.engine.receive_proofs
    try:
        session, reply = ask(session, json.dumps(message).encode(), authorization=APP)
    except SessionError as refusal:
        return refusal
    assert isinstance(reply, ServerResponse)
    return session, reply


def test_unchanged_answers_are_valid() -> None:
    for kind, (_, _, message) in answered().items():
        outcome = receive(kind, message)
        assert not isinstance(outcome, SessionError)
        assert outcome[1].proof_status is ProofStatus.VALID


@given(st.sampled_from(["disclosure", "signature", "issuance"]), st.data(), VALUES)
def test_changed_answer(kind: str, data: st.DataObject, value: Any) -> None:
    message = answered()[kind][2]
    path = data.draw(st.sampled_from(list(paths(message))))
    other = changed(message, path, value)
    assume(other != message)
    outcome = receive(kind, other)
    if isinstance(outcome, SessionError):
        assert outcome.session is None or outcome.session.status is Status.CANCELLED
        return
    session, reply = outcome
    assert session.status is Status.DONE
    if reply.proof_status is ProofStatus.VALID:
        # Only what is bound by no proof: the optional disjunction's indices, or the holder's own nonce for the issuer's proof.
        assert path[:1] in (("indices",), ("n_2",), ("@context",), ("proofPJwts",), ("timestamp",))
