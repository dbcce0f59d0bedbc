"""Revocation from end to end: issue, prove, revoke, follow, refuse."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from idemix.errors import InvalidUpdateError, InvalidWitnessError
from idemix.messages import DisclosedIndex, Disclosure
from idemix.proofs import build_proof_list
from idemix.revocation import Witness, event_blocks
from idemix.session.errors import RevocationStateError, SessionFailedError
from idemix.session.session import Session
from idemix.verification import AttributeStatus, ProofStatus, verify_signed_message
from idemix.wallet import EventsNeededError, PreparedAnswer, RefusedSessionError, RejectedAnswerError, UnsatisfiableRequestError, Wallet
from idemix.wallet.choice import default_choice
from tests.support.keys import key_pair
from tests.support.revocation import MemoryAuthority
from tests.support.sessions import BSN, FULL_NAME, ROOT, World, disclosure, encode, issuance, root, signature, stored

ASKED = disclosure([[BSN]], revocation=[str(ROOT)])


@pytest.fixture
def authority(world: World) -> MemoryAuthority:
    return world.with_authority()


def disclosed(session: Session) -> dict[str, Any]:
    """The one attribute that was disclosed."""
    ((attribute,),) = (group for group in session.result.to_json()["disclosed"])  # type: ignore[attr-defined]
    return dict(attribute)


def holder(world: World, revocation_key: str) -> Wallet:
    """A new wallet with a credential."""
    wallet = world.wallet = world.new_wallet()
    world.complete(issuance(root(revocation_key)))
    return wallet


@pytest.mark.feature("I9.3")
def test_issue_prove_revoke_update_and_refuse(world: World, authority: MemoryAuthority) -> None:
    kept, revoked = holder(world, "kept"), holder(world, "revoked")
    assert [record.revocation_key for record in authority.records] == ["kept", "revoked"]
    for wallet in (kept, revoked):
        world.wallet = wallet
        session, outcome = world.complete(ASKED)
        assert outcome.status is ProofStatus.VALID
        assert disclosed(session)["notrevoked"] is True
        assert "notrevokedbefore" not in disclosed(session)

    # The app made its answer just before: the proof holds, but is about a state older than the one that was sent afterwards.
    world.clock.advance(seconds=30)
    early, body = world.connected(ASKED)
    late_answer = revoked.answer(body)
    assert authority.revoke(ROOT, "revoked") == 1
    _, later_body = world.connected(ASKED)
    with pytest.raises(UnsatisfiableRequestError):
        revoked.answer(later_body)
    assert [held.is_revoked for held in revoked.credentials] == [True]
    early, reply = world.post(early, late_answer)
    assert reply.proof_status is ProofStatus.VALID

    world.wallet = kept
    before = kept.credentials[0].witness
    session, outcome = world.complete(ASKED)
    assert outcome.status is ProofStatus.VALID
    assert disclosed(session)["notrevoked"] is True
    assert kept.credentials[0].witness != before
    assert kept.next_events(ROOT) == {2: 2}


def test_proof_against_a_state_older_than_the_one_sent_is_refused(world: World, authority: MemoryAuthority) -> None:
    wallet = holder(world, "k")
    authority.revoke(ROOT, "k")
    session, _ = world.connected(ASKED)
    # A revoked holder who does not look at the updates proves what was true before.
    request = wallet.read_request(encode(session.request.request))
    held = wallet.credentials[0]
    answer = forged(wallet, replace(request, revocation={}), held)
    session, reply = world.post(session, answer)
    assert reply.proof_status is ProofStatus.INVALID
    assert session.disclosed == ()


def forged(wallet: Wallet, request: Any, held: Any) -> PreparedAnswer:
    """What a holder sends who proves with the old witness."""
    builder = held.disclosure_builder({1, 2}, wallet._random, proves_non_revocation=True)
    proofs = build_proof_list([builder], context=request.proof_context(), nonce=request.proof_nonce(), is_signature=False)
    body = json.dumps(Disclosure(proofs, ((DisclosedIndex(0, 2),),)).to_json()).encode()
    return PreparedAnswer("proofs", body, request, (), (), 0)


def test_accumulator_that_is_not_signed_is_refused(world: World, authority: MemoryAuthority) -> None:
    wallet = holder(world, "k")
    session, body = world.connected(ASKED)
    answer = wallet.answer(body)
    value = json.loads(answer.body)
    accumulator = authority.states[ROOT, 2].verify(world.configuration.public_key(ROOT.issuer, 2))
    signed = accumulator.sign(replace(key_pair("issuer-1024").private, counter=2))
    value["proofs"][0]["nonrev_proof"]["sacc"] = signed.to_json()
    session, reply = world.post(session, replace(answer, body=json.dumps(value).encode()))
    assert reply.proof_status is ProofStatus.INVALID


@pytest.mark.parametrize(("tolerance", "max_age"), [(0, 300), (60, 30)])
def test_state_is_brought_up_to_date_after_half_the_tolerance(
    world: World, authority: MemoryAuthority, tolerance: int, max_age: int
) -> None:
    world.connected({**ASKED, "revocation": {str(ROOT): {"tolerance": tolerance}}})
    assert authority.max_age_seconds == max_age


def test_credential_of_another_key_is_left_as_it_is(world: World, authority: MemoryAuthority) -> None:
    wallet = holder(world, "k")
    (held,) = wallet.credentials
    key = replace(held.credential.public_key, counter=1)
    other = replace(held, credential=replace(held.credential, public_key=key))
    wallet.credentials = (other, held)
    revoke_others(world, authority, 1)
    wallet.apply_update(ROOT, authority.newest(ROOT, 2, 16))
    assert wallet.credentials == (other, held.updated(authority.newest(ROOT, 2, 16)))
    assert wallet.credentials[1] != held


def test_missing_proof_is_refused(world: World, authority: MemoryAuthority) -> None:
    wallet = holder(world, "k")
    session, body = world.connected(ASKED)
    without = {key: value for key, value in json.loads(body)["request"].items() if key != "revocation"}
    session, reply = world.post(session, wallet.answer(json.dumps(without).encode()))
    assert reply.proof_status is ProofStatus.INVALID


def test_signed_message_proves_non_revocation(world: World, authority: MemoryAuthority) -> None:
    holder(world, "k")
    session, outcome = world.complete(signature("I am not revoked", [[BSN]], revocation=[str(ROOT)]))
    assert outcome.status is ProofStatus.VALID
    assert disclosed(session)["notrevoked"] is True
    assert session.signature is not None
    # Later and without the request, what is known is up to when it was not revoked.
    world.clock.advance(days=30)
    verified = verify_signed_message(session.signature, None, world.configuration, now=world.now)
    assert verified.status is ProofStatus.VALID
    ((attribute,),) = (group or () for group in verified.disclosed)
    assert attribute.status is AttributeStatus.EXTRA
    assert (attribute.not_revoked, attribute.not_revoked_before) == (True, int((world.now - timedelta(days=30)).timestamp()))


def test_issuance_on_a_credential_that_is_not_revoked(world: World, authority: MemoryAuthority) -> None:
    wallet = holder(world, "k")
    asked = issuance(FULL_NAME, disclose=[[[BSN]]], revocation=[str(ROOT)])
    session, outcome = world.complete(asked)
    assert outcome.status is ProofStatus.VALID
    assert disclosed(session)["notrevoked"] is True
    assert len(wallet.credentials) == 2
    authority.revoke(ROOT, "k")
    session, body = world.connected(asked)
    with pytest.raises(UnsatisfiableRequestError):
        wallet.answer(body)


def test_proof_that_nobody_asked_for_is_told(world: World, authority: MemoryAuthority) -> None:
    wallet = holder(world, "k")
    session, body = world.connected(disclosure([[BSN]]))
    session, reply = world.post(session, forged(wallet, wallet.read_request(body), wallet.credentials[0]))
    assert reply.proof_status is ProofStatus.VALID
    assert disclosed(session)["notrevoked"] is True


def test_without_a_proof_nothing_is_said_of_revocation(world: World, authority: MemoryAuthority) -> None:
    holder(world, "k")
    session, _ = world.complete(disclosure([[BSN]]))
    assert {"notrevoked", "notrevokedbefore"}.isdisjoint(disclosed(session))


@pytest.mark.parametrize(
    ("tolerance", "age", "told"),
    [(0, 600, False), (0, 601, True), (60, 60, False), (60, 61, True), (10**9, 10**6, False), (0, -3600, False)],
)
def test_old_accumulator_is_told(world: World, authority: MemoryAuthority, tolerance: int, age: int, told: bool) -> None:
    holder(world, "k")
    made_at = int(world.now.timestamp())
    world.clock.advance(seconds=age)
    session, outcome = world.complete({**ASKED, "revocation": {str(ROOT): {"tolerance": tolerance}}})
    assert outcome.status is ProofStatus.VALID
    assert disclosed(session).get("notrevokedbefore") == (made_at if told else None)


def test_state_that_was_confirmed_later_counts_from_then(world: World, authority: MemoryAuthority) -> None:
    holder(world, "k")
    authority.synced_at = int(world.now.timestamp()) + 500
    world.clock.advance(seconds=1000)
    session, _ = world.complete(ASKED)
    assert "notrevokedbefore" not in disclosed(session)
    world.clock.advance(seconds=1000)
    session, _ = world.complete(ASKED)
    assert disclosed(session)["notrevokedbefore"] == authority.synced_at


def test_state_newer_than_the_one_sent_counts_from_its_own_time(world: World, authority: MemoryAuthority) -> None:
    """What the server was told of its own state says nothing of the newer one, which it does not know."""
    wallet = holder(world, "k")
    session, body = world.connected(ASKED)
    world.clock.advance(seconds=10)
    revoke_others(world, authority, 1)
    newest = int(world.now.timestamp())
    wallet.apply_update(ROOT, authority.newest(ROOT, 2, 16))
    authority.synced_at = newest + 700
    world.clock.advance(seconds=700)
    session, reply = world.post(session, wallet.answer(body))
    assert reply.proof_status is ProofStatus.VALID
    assert disclosed(session)["notrevokedbefore"] == newest


def test_renewed_time_reaches_the_witness(world: World, authority: MemoryAuthority) -> None:
    wallet = holder(world, "k")
    world.clock.advance(days=1)
    authority.advance(ROOT, [])
    session, _ = world.complete(ASKED)
    assert "notrevokedbefore" not in disclosed(session)
    assert wallet.credentials[0].witness is not None
    assert wallet.credentials[0].witness.updated_at == int(world.now.timestamp())


def revoke_others(world: World, authority: MemoryAuthority, count: int) -> None:
    """Issue credentials to others, and revoke them."""
    public, private = world.keys.signing_key(ROOT.issuer)
    signed = authority.accumulator(ROOT, public.counter)
    accumulator = signed.verify(public)
    authority.advance(ROOT, [Witness.issue(private, signed, accumulator).e for _ in range(count)])


def test_witness_that_is_too_old_asks_for_the_events_between(world: World, authority: MemoryAuthority) -> None:
    wallet = holder(world, "k")
    revoke_others(world, authority, 20)
    session, body = world.connected(ASKED)
    with pytest.raises(EventsNeededError) as needed:
        wallet.answer(body)
    assert (needed.value.credential_type, needed.value.key_counter, needed.value.first_index) == (ROOT, 2, 1)

    public = world.configuration.public_key(ROOT.issuer, 2)
    newest = authority.newest(ROOT, 2, 16)
    assert newest.events is not None
    blocks = event_blocks(needed.value.first_index, newest.events.index - 1)
    assert blocks == [(0, 16)]
    update = newest.after(authority.events(ROOT, 2, *blocks[0]), public)
    assert wallet.apply_update(ROOT, update) == ()
    session, reply = world.post(session, wallet.answer(body))
    assert reply.proof_status is ProofStatus.VALID


def test_wallet_comes_back_with_its_witnesses(world: World, authority: MemoryAuthority) -> None:
    wallet = holder(world, "k")
    again = Wallet.from_json(json.loads(json.dumps(wallet.to_json())), world.configuration, clock=world.clock)
    assert again.credentials == wallet.credentials
    authority.revoke(ROOT, "k")
    (revoked,) = again.apply_update(ROOT, authority.newest(ROOT, 2, 16))
    assert revoked.is_revoked
    once_more = Wallet.from_json(json.loads(json.dumps(again.to_json())), world.configuration, clock=world.clock)
    assert once_more.credentials == (revoked,)
    assert once_more.next_events(ROOT) == {}
    assert once_more.apply_update(ROOT, authority.newest(ROOT, 2, 16)) == ()


def test_update_that_does_not_hold_changes_nothing(world: World, authority: MemoryAuthority) -> None:
    wallet = holder(world, "k")
    before = wallet.credentials
    revoke_others(world, authority, 2)
    update = authority.newest(ROOT, 2, 2)
    assert update.events is not None
    false = replace(update, events=replace(update.events, primes=(update.events.primes[0], update.events.primes[1] + 2)))
    with pytest.raises(InvalidUpdateError):
        wallet.apply_update(ROOT, false)
    other = MemoryAuthority(world.configuration, world.keys, world.clock, ROOT)
    revoke_others(world, other, 3)
    with pytest.raises(InvalidWitnessError):
        wallet.apply_update(ROOT, other.newest(ROOT, 2, 16))
    assert wallet.credentials == before


def test_updates_of_a_request_must_cover_the_keys_held(world: World, authority: MemoryAuthority) -> None:
    wallet = holder(world, "k")
    _, body = world.connected(ASKED)
    request = json.loads(body)
    updates = request["request"]["revocation"][str(ROOT)]["updates"]
    updates["7"] = updates.pop("2")
    with pytest.raises(RefusedSessionError, match="no revocation update"):
        wallet.answer(json.dumps(request).encode())


def test_credential_without_witness_cannot_prove(world: World, authority: MemoryAuthority) -> None:
    wallet = holder(world, "k")
    wallet.credentials = tuple(replace(held, witness=None) for held in wallet.credentials)
    _, body = world.connected(ASKED)
    with pytest.raises(UnsatisfiableRequestError):
        wallet.answer(body)
    assert wallet.next_events(ROOT) == {}
    assert wallet.due_updates() == {}


def test_revoked_credential_is_not_shown_in_a_chain(world: World, authority: MemoryAuthority) -> None:
    wallet = holder(world, "k")
    world.complete(issuance(FULL_NAME))
    _, body = world.connected(disclosure([[BSN]]))
    earlier = wallet.answer(body).choice
    authority.revoke(ROOT, "k")
    wallet.apply_update(ROOT, authority.newest(ROOT, 2, 16))
    _, body = world.connected(disclosure([["irma-demo.MijnOverheid.fullName.firstname"]]))
    with pytest.raises(RefusedSessionError, match="not to be revoked"):
        wallet.answer(body, earlier=earlier)


def test_due_updates_come_with_age(world: World, authority: MemoryAuthority) -> None:
    wallet = holder(world, "k")
    assert all(wallet.due_updates() == {} for _ in range(20))
    world.clock.advance(days=365)
    looks = [wallet.due_updates() for _ in range(200)]
    assert 30 <= sum(look == {ROOT: {2: 1}} for look in looks) <= 110
    assert all(look in ({}, {ROOT: {2: 1}}) for look in looks)


@pytest.mark.parametrize("change", [{"nonrev": None}, {"revocationSupported": False}], ids=["no witness", "a witness unasked"])
def test_witness_comes_where_it_was_announced(world: World, authority: MemoryAuthority, change: dict[str, Any]) -> None:
    session, body = world.connected(issuance(root("k")))
    request = json.loads(body)
    if "revocationSupported" in change:
        request["request"]["credentials"][0] |= change
    answer = world.wallet.answer(json.dumps(request).encode())
    _, reply = world.post(session, answer)
    value = reply.to_json()
    if "nonrev" in change:
        value["sigs"][0] |= change
    with pytest.raises(RejectedAnswerError, match="witness"):
        world.wallet.finish(answer, json.dumps(value).encode())
    assert world.wallet.credentials == ()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda witness: witness.__setitem__("u", "AQ=="), id="u"),
        pytest.param(lambda witness: witness.__setitem__("e", "BQ=="), id="e"),
    ],
)
def test_false_witness_is_refused(world: World, authority: MemoryAuthority, change: Callable[[dict[str, Any]], None]) -> None:
    session, body = world.connected(issuance(root("k")))
    answer = world.wallet.answer(body)
    _, reply = world.post(session, answer)
    value = json.loads(encode(reply))
    change(value["sigs"][0]["nonrev"])
    with pytest.raises(InvalidWitnessError):
        world.wallet.finish(answer, json.dumps(value).encode())
    assert world.wallet.credentials == ()


def test_app_sees_that_a_witness_will_come_and_no_revocation_key(world: World, authority: MemoryAuthority) -> None:
    _, body = world.connected(issuance(root("secret name")))
    (credential,) = json.loads(body)["request"]["credentials"]
    assert credential["revocationSupported"] is True
    assert b"secret name" not in body


def test_updates_that_were_sent_stay_with_the_session(world: World, authority: MemoryAuthority) -> None:
    revoke_others(world, authority, 20)
    session, body = world.connected(ASKED)
    sent = json.loads(body)["request"]["revocation"][str(ROOT)]["updates"]
    assert sent == {"2": authority.newest(ROOT, 2, 16).to_json()}
    again = stored(session).request.request.to_json()
    assert again["revocation"][str(ROOT)]["updates"] == sent  # type: ignore[index]


def test_issuance_needs_the_authority(world: World, authority: MemoryAuthority) -> None:
    session, body = world.connected(issuance(root("k")))
    answer = world.wallet.answer(body)
    authority.is_reachable = False
    with pytest.raises(SessionFailedError, match="does not answer") as refusal:
        world.post(session, answer)
    assert refusal.value.code == "ISSUANCE_FAILED"
    assert authority.records == []


def test_session_needs_the_state(world: World, authority: MemoryAuthority) -> None:
    holder(world, "k")
    authority.is_reachable = False
    session = world.start(ASKED)
    with pytest.raises(SessionFailedError, match="does not answer") as refusal:
        world.connect(session)
    assert isinstance(refusal.value.cause, RevocationStateError)
    assert refusal.value.code == "REVOCATION"


def test_state_without_any_key_is_none(world: World, authority: MemoryAuthority) -> None:
    authority.states.clear()
    with pytest.raises(SessionFailedError, match="no revocation state") as refusal:
        world.connect(world.start(ASKED))
    assert refusal.value.code == "REVOCATION"


def test_nothing_is_issued_on_a_state_that_does_not_hold(world: World, authority: MemoryAuthority) -> None:
    session, body = world.connected(issuance(root("k")))
    state = authority.states[ROOT, 2]
    data = bytearray(state.signed_accumulator.data)
    data[20] ^= 1
    authority.states[ROOT, 2] = replace(state, signed_accumulator=replace(state.signed_accumulator, data=bytes(data)))
    with pytest.raises(SessionFailedError, match="does not hold") as refusal:
        world.post(session, world.wallet.answer(body))
    assert refusal.value.code == "ISSUANCE_FAILED"
    assert authority.records == []


def test_records_of_one_session_are_told_apart(world: World, authority: MemoryAuthority) -> None:
    world.complete(issuance(root("k", "1"), root("k", "2")))
    first, second = authority.records
    assert second.issued_ns == first.issued_ns + 1
    assert first.prime != second.prime
    assert authority.revoke(ROOT, "k") == 2


def test_default_choice_passes_over_the_revoked(world: World, authority: MemoryAuthority) -> None:
    wallet = holder(world, "k")
    authority.revoke(ROOT, "k")
    wallet.apply_update(ROOT, authority.newest(ROOT, 2, 16))
    request = wallet.read_request(world.connected(disclosure([[], [BSN]]))[1])
    assert default_choice(wallet.candidates(request)) == ((),)
