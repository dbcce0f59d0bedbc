"""What a wallet checks, chooses and keeps."""

import json
from datetime import timedelta

import pytest

from idemix.errors import MalformedRequestError, UnknownIdentifierError, VerificationError
from idemix.integers import encode_integer
from idemix.request import parse_session_request
from idemix.wallet import RefusedSessionError, RejectedAnswerError, UnsatisfiableRequestError, Wallet, default_choice
from idemix.wallet.choice import Candidates, Choice, group_credentials
from tests.support.sessions import APP, BALLOT, FULL_NAME, SINGLETON, STUDENT_CARD, World, disclosure, encode, issuance

LEVEL = "irma-demo.RU.studentCard.level"
STUDENT_ID = "irma-demo.RU.studentCard.studentID"
PREFIX = "irma-demo.MijnOverheid.fullName.prefix"


def student(level: str) -> dict[str, object]:
    return {"credential": "irma-demo.RU.studentCard", "attributes": {**STUDENT_CARD["attributes"], "level": level}}  # type: ignore[dict-item]


def candidates(world: World, *disclose: object, **fields: object) -> Candidates:
    return world.wallet.candidates(parse_session_request(disclosure(*disclose, **fields)).request)


def levels(found: Candidates) -> list[list[list[str | None]]]:
    return [[[pick.credential.value_of(pick.identifier) for pick in way] for way in ways] for ways in found]


def test_candidates_are_all_ways_in_order(world: World) -> None:
    world.complete(issuance(student("1"), student("2"), FULL_NAME))
    assert levels(candidates(world, [[LEVEL]])) == [[["1"], ["2"]]]
    assert levels(candidates(world, [[], [LEVEL]])) == [[[], ["1"], ["2"]]]
    assert levels(candidates(world, [[{"type": LEVEL, "value": "2"}]])) == [[["2"]]]
    assert levels(candidates(world, [[PREFIX]], [[{"type": PREFIX, "notNull": True}], ["irma-demo.MijnOverheid.singleton"]])) == [
        [[None]],
        [],
    ]
    assert levels(candidates(world, [["irma-demo.RU.studentCard"]])) == [[["present"], ["present"]]]


def test_attributes_of_one_type_come_from_one_credential(world: World) -> None:
    world.complete(issuance(student("1"), student("2")))
    (ways,) = candidates(world, [[LEVEL, STUDENT_ID]])
    assert len(ways) == 2
    assert all(len({pick.credential.hash for pick in way}) == 1 for way in ways)


def test_expired_credentials_are_no_candidates_unless_asked_for(world: World) -> None:
    world.complete(issuance({**student("1"), "validity": int(world.now.timestamp()) + 14 * 86400}))
    world.clock.advance(days=21)
    assert levels(candidates(world, [[LEVEL]])) == [[]]
    assert levels(candidates(world, [[LEVEL]], skipExpiryCheck=["irma-demo.RU.studentCard"])) == [[["1"]]]


def test_request_that_nothing_satisfies(world: World) -> None:
    _, body = world.connected(disclosure([[], [LEVEL]], [[LEVEL]], [[STUDENT_ID]]))
    with pytest.raises(UnsatisfiableRequestError) as refusal:
        world.wallet.answer(body)
    assert refusal.value.missing == (1, 2)


def test_holder_chooses(world: World) -> None:
    world.complete(issuance(student("1"), student("2")))

    def last(found: Candidates) -> Choice:
        return tuple(ways[-1] for ways in found)

    session, body = world.connected(disclosure([[LEVEL]]))
    session, _ = world.post(session, world.wallet.answer(body, choose=last))
    assert session.result.to_json()["disclosed"][0][0]["rawvalue"] == "2"  # type: ignore[index]


def test_one_proof_a_credential(world: World) -> None:
    world.complete(issuance(STUDENT_CARD))
    groups, indices = group_credentials(default_choice(candidates(world, [[LEVEL]], [[STUDENT_ID]], [[LEVEL]])))
    assert [bases for _, bases in groups] == [frozenset({1, 4, 5})]
    assert [[(i.credential, i.attribute) for i in entry] for entry in indices] == [[(0, 5)], [(0, 4)], [(0, 5)]]


def test_singleton_takes_the_place_of_the_one_before(world: World) -> None:
    world.complete(issuance(SINGLETON))
    world.complete(issuance({**SINGLETON, "attributes": {"BSN": "2"}}))
    world.complete(issuance(student("1")))
    world.complete(issuance(student("1")))
    world.complete(issuance(student("2")))
    assert [str(held.type.id).rpartition(".")[2] for held in world.wallet.credentials] == ["singleton", "studentCard", "studentCard"]


def test_wallet_comes_back_from_json(world: World) -> None:
    world.complete(issuance(STUDENT_CARD, BALLOT))
    text = json.dumps(world.wallet.to_json())
    again = Wallet.from_json(json.loads(text), world.configuration, clock=world.clock)
    assert again.credentials == world.wallet.credentials
    world.wallet = again
    _, outcome = world.complete(disclosure([[LEVEL]]))
    assert outcome.status.value == "VALID"


def test_repr_shows_neither_key_nor_attributes(world: World) -> None:
    session, outcome = world.complete(issuance(student("a value of its own"), disclose=[[[], [{"type": LEVEL, "value": "another value"}]]]))
    shown = repr((world.wallet, outcome, world.wallet.credentials, session, session.request, session.result))
    assert "value of its own" not in shown
    assert "another value" not in shown
    assert session.client_token not in shown
    assert str(world.wallet.credentials[0].credential.attributes[0]) not in shown


@pytest.mark.parametrize("version", ["2.7", "2.9", None])
def test_other_protocol_versions_are_refused(world: World, version: str | None) -> None:
    _, body = world.connected(disclosure([[LEVEL]]))
    message = json.loads(body)
    message["request"]["protocolVersion"] = version
    with pytest.raises(RefusedSessionError, match="protocol version"):
        world.wallet.answer(json.dumps(message).encode())


def test_request_withheld_for_pairing(world: World) -> None:
    with pytest.raises(MalformedRequestError, match="pairing"):
        world.wallet.answer(
            b'{"@context":"https://irma.app/ld/request/client/v1","protocolVersion":"2.8","options":{"pairingMethod":"pin"}}'
        )


def test_unknown_credential_type_is_refused(world: World) -> None:
    _, body = world.connected(disclosure([[LEVEL]]))
    with pytest.raises(UnknownIdentifierError, match=r"irma-demo\.RU\.nope"):
        world.wallet.answer(body.replace(b"RU.studentCard.level", b"RU.nope.level"))


@pytest.mark.parametrize("counter", [1, 99])
def test_expired_or_unknown_issuer_key_is_refused(world: World, counter: int) -> None:
    _, body = world.connected(issuance(STUDENT_CARD))
    message = json.loads(body)
    message["request"]["credentials"][0]["keyCounter"] = counter
    with pytest.raises((RefusedSessionError, UnknownIdentifierError), match=f"irma-demo.RU-{counter}"):
        world.wallet.answer(json.dumps(message).encode())


def test_reply_with_fewer_credentials_is_refused(world: World) -> None:
    _, body = world.connected(issuance(STUDENT_CARD))
    answer = world.wallet.answer(body)
    with pytest.raises(RejectedAnswerError, match="1 credentials were offered, 0 came"):
        world.wallet.finish(answer, b'{"proofStatus":"VALID"}')
    with pytest.raises(MalformedRequestError, match="proofStatus"):
        world.wallet.finish(answer, b'{"proofStatus":"FINE"}')
    assert world.wallet.finish(answer, b'{"proofStatus":"INVALID"}').received == ()


@pytest.mark.parametrize("place", ["proof.c", "proof.e_response", "signature.A", "signature.e", "signature.v"])
def test_changed_signature_is_not_kept(world: World, place: str) -> None:
    session, body = world.connected(issuance(FULL_NAME, STUDENT_CARD))
    answer = world.wallet.answer(body)
    _, reply = world.post(session, answer)
    message = json.loads(encode(reply))
    part, name = place.split(".")
    message["sigs"][1][part][name] = encode_integer(12345)
    with pytest.raises(VerificationError):
        world.wallet.finish(answer, json.dumps(message).encode())
    assert world.wallet.credentials == ()


def test_week_that_begins_between_answer_and_reply(world: World) -> None:
    week = 7 * 86400
    world.clock.now += timedelta(seconds=week - int(world.now.timestamp()) % week - 1)
    session, body = world.connected(issuance(STUDENT_CARD))
    answer = world.wallet.answer(body)
    world.clock.advance(seconds=2)
    _, reply = world.engine.receive_commitments(session, answer.body, authorization=APP)
    assert world.wallet.finish(answer, encode(reply)).received


def test_two_wallets_cannot_share_credentials(world: World) -> None:
    world.complete(issuance(STUDENT_CARD))
    mine = world.wallet
    world.wallet = world.new_wallet()
    world.complete(issuance(FULL_NAME))
    world.wallet.credentials = (*mine.credentials, *world.wallet.credentials)
    session, body = world.connected(disclosure([[LEVEL]], [[PREFIX]]))
    session, reply = world.post(session, world.wallet.answer(body))
    assert reply.to_json() == {"proofStatus": "INVALID"}
