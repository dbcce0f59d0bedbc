"""Proof lists: made, verified, refused."""

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from gmpy2 import mpz
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from idemix.cl.signature import sign
from idemix.credential.credential import Credential, generate_secret_key
from idemix.departures import DEPARTURES
from idemix.errors import ChallengeMismatchError, IdemixError, InvalidProofError, MalformedProofError, ProofRuleError
from idemix.json_text import parse_json
from idemix.keys.public import PublicKey
from idemix.proofs import CommitmentBuilder, ProofD, ProofList, ProofU, build_proof_list, verify_proof_list
from idemix.rangeproof import AT_LEAST, Statement, UnprovableStatementError
from idemix.rangeproof.proof import range_contributions
from tests.idemix.revocation.chain import make_chain
from tests.support.keys import key_pair
from tests.support.randomness import SeededRandom

CONTEXT, NONCE = mpz(1), mpz(987654321)
SESSION = {"context": CONTEXT, "nonce": NONCE, "is_signature": False}
RANDOM = SeededRandom("proofs")
SECRET = generate_secret_key(RANDOM)
KEY, OTHER_KEY, LONG_KEY = (key_pair(name).public for name in ("issuer-1024", "other-1024", "issuer-2048"))
LONG_VALUE = mpz(1) << 700


def credential(name: str, *attributes: int | mpz, secret: mpz = SECRET) -> Credential:
    pair = key_pair(name)
    values = (secret, *map(mpz, attributes))
    return Credential(pair.public, sign(pair.private, pair.public, values, RANDOM), values)


FIRST = credential("issuer-1024", 1001, 1002, 0, LONG_VALUE)
SECOND = credential("other-1024", 2001, 2002)
LONG = credential("issuer-2048", 3001, 3002, 3003, 3004, 3005, 3006, 3007)
BLIND = {3, 5}

WHOLE = credential("issuer-1024", *range(1001, 1008))
WHOLE_PROOF = build_proof_list([WHOLE.disclosure_builder({1, 2}, RANDOM)], **SESSION, random=RANDOM)
PROOFS = build_proof_list(
    [FIRST.disclosure_builder({1, 2}, RANDOM), CommitmentBuilder.create(KEY, SECRET, BLIND, RANDOM)], **SESSION, random=RANDOM
)
KEYS = [KEY, KEY]
BLIND_INDICES = [None, BLIND]


def verify(proofs: ProofList, keys: list[PublicKey] = KEYS, **changes: Any) -> None:
    verify_proof_list(proofs, keys, **{**SESSION, "blind_indices": BLIND_INDICES, "require_metadata": True, **changes})


def test_other_proofs_of_a_disclosure_are_hashed_in_their_order() -> None:
    """After A' and Z̃ the non-revocation proof, then the range proofs; here one is about the revocation attribute as well."""
    witness = make_chain(0).witnesses[0]
    held = credential("issuer-1024", 1001, witness.e, 42)
    statements = {3: [Statement(AT_LEAST, 18)], 2: [Statement(AT_LEAST, 8)]}
    builder = held.disclosure_builder({1}, RANDOM, statements, witness=witness, revocation_index=2)
    written = json.dumps(build_proof_list([builder], **SESSION, random=RANDOM).to_json())
    proofs = ProofList.from_json(json.loads(written))
    verify(proofs, [KEY], blind_indices=None, revocation_indices=[2])
    (proof,) = proofs
    assert isinstance(proof, ProofD)
    assert proof.nonrev_proof is not None
    assert list(proof.to_json())[-2:] == ["nonrev_proof", "rangeproofs"]
    assert proof.contributions(KEY, 2)[2:] == (
        *proof.nonrev_proof.contributions(KEY, proof.c, proof.a_responses[2]),
        *range_contributions(proof.range_proofs, proof.a_responses, KEY, proof.c),
    )
    for lacking in (
        replace(proof, nonrev_proof=None),
        replace(proof, range_proofs={}),
        replace(proof, range_proofs={3: proof.range_proofs[3]}),
    ):
        with pytest.raises(ChallengeMismatchError):
            verify(ProofList((lacking,)), [KEY], blind_indices=None, revocation_indices=[2])


@settings(deadline=None, max_examples=20)
@given(st.sets(st.integers(1, 4)), st.sets(st.integers(1, 2)), st.sets(st.integers(1, 8)), st.booleans(), st.integers(0, 1 << 32))
def test_what_is_proved_verifies(first: set[int], second: set[int], long: set[int], is_signature: bool, seed: int) -> None:
    random = SeededRandom(seed)
    assume(max(long, default=0) < len(LONG.attributes))
    shown = [(FIRST, first), (SECOND, second), (LONG, long)]
    builders = [holder.disclosure_builder(disclosed, random) for holder, disclosed in shown]
    proofs = build_proof_list(builders, context=CONTEXT, nonce=NONCE, is_signature=is_signature, random=random)
    keys = [KEY, OTHER_KEY, LONG_KEY]
    verify_proof_list(proofs, keys, context=CONTEXT, nonce=NONCE, is_signature=is_signature)
    for proof, (holder, disclosed) in zip(proofs, shown, strict=True):
        assert isinstance(proof, ProofD)
        assert proof.a_disclosed == {index: holder.attributes[index] for index in disclosed}
    assert ProofList.from_json(parse_json(json.dumps(proofs.to_json()), "proofs")) == proofs
    with pytest.raises(InvalidProofError):
        verify_proof_list(proofs, keys, context=CONTEXT, nonce=NONCE, is_signature=not is_signature)


def test_two_disclosures_of_one_credential_share_nothing_that_links_them() -> None:
    one, other = (build_proof_list([FIRST.disclosure_builder({1}, RANDOM)], **SESSION, random=RANDOM)[0] for _ in range(2))
    assert isinstance(one, ProofD)
    assert isinstance(other, ProofD)
    assert one.A != other.A
    assert not set(one.a_responses.values()) & set(other.a_responses.values())


@pytest.mark.parametrize(
    "changes",
    [{"nonce": NONCE + 1}, {"context": CONTEXT + 1}, {"is_signature": True}, {"context": NONCE, "nonce": CONTEXT}],
)
def test_another_session_is_refused(changes: dict[str, object]) -> None:
    verify(PROOFS)
    with pytest.raises(InvalidProofError, match="challenge mismatch"):
        verify(PROOFS, **changes)


@pytest.mark.parametrize(
    ("keys", "changes", "error"),
    [
        pytest.param([KEY], {}, MalformedProofError, id="too few keys"),
        pytest.param([KEY, KEY, KEY], {}, MalformedProofError, id="too many keys"),
        pytest.param([OTHER_KEY, KEY], {}, IdemixError, id="another key"),
        pytest.param(KEYS, {"keyshare_groups": ["."]}, MalformedProofError, id="too few groups"),
        pytest.param(KEYS, {"blind_indices": [None]}, MalformedProofError, id="too few blind sets"),
        pytest.param(KEYS, {"revocation_indices": [None]}, MalformedProofError, id="too few revocation indices"),
        pytest.param(KEYS, {"revocation_indices": [None] * 3}, MalformedProofError, id="too many revocation indices"),
        pytest.param(KEYS, {"blind_indices": [None, {3}]}, MalformedProofError, id="a share too much"),
        pytest.param(KEYS, {"blind_indices": [None, {3, 4, 5}]}, MalformedProofError, id="a share too few"),
        pytest.param(KEYS, {"blind_indices": [None, {3, 4}]}, MalformedProofError, id="another share"),
    ],
)
def test_counts_and_blind_indices(keys: list[PublicKey], changes: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        verify(PROOFS, keys, **changes)


def test_the_empty_list_is_refused() -> None:
    with pytest.raises(InvalidProofError, match="empty"):
        verify(ProofList.from_json(None), [], blind_indices=None)


class TestSecretKeys:
    """Proofs of one group are about one secret key."""

    def list_with_another_secret(self) -> ProofList:
        other = credential("other-1024", 2001, secret=SECRET + 1)
        builders = [FIRST.disclosure_builder({1}, RANDOM), other.disclosure_builder({1}, RANDOM)]
        return build_proof_list(builders, **SESSION, random=RANDOM)

    def test_another_secret_key_in_one_group(self) -> None:
        proofs = self.list_with_another_secret()
        for groups in (None, [], ["a", "a"]):
            with pytest.raises(InvalidProofError, match="secret key response"):
                verify_proof_list(proofs, [KEY, OTHER_KEY], **SESSION, keyshare_groups=groups)

    def test_another_secret_key_in_another_group(self) -> None:
        proofs = self.list_with_another_secret()
        verify_proof_list(proofs, [KEY, OTHER_KEY], **SESSION, keyshare_groups=["a", "b"])

    def test_a_disclosed_secret_key_equals_none(self) -> None:
        builders = [FIRST.disclosure_builder({0, 1}, RANDOM), SECOND.disclosure_builder({0, 1}, RANDOM)]
        proofs = build_proof_list(builders, **SESSION, random=RANDOM)
        with pytest.raises(InvalidProofError, match="secret key response"):
            verify_proof_list(proofs, [KEY, OTHER_KEY], **SESSION)

    def test_a_bare_list_may_disclose_it_an_answer_may_not(self) -> None:
        proofs = build_proof_list([FIRST.disclosure_builder({0, 1}, RANDOM)], **SESSION, random=RANDOM)
        verify_proof_list(proofs, [KEY], **SESSION)
        with pytest.raises(MalformedProofError) as refusal:
            verify_proof_list(proofs, [KEY], **SESSION, require_metadata=True)
        assert refusal.value.departure == "secret-key-hidden"

    def test_an_answer_discloses_the_metadata(self) -> None:
        proofs = build_proof_list([FIRST.disclosure_builder({2}, RANDOM)], **SESSION, random=RANDOM)
        verify_proof_list(proofs, [KEY], **SESSION)
        with pytest.raises(MalformedProofError) as refusal:
            verify_proof_list(proofs, [KEY], **SESSION, require_metadata=True)
        assert refusal.value.departure == "metadata-disclosed"


def disclosure() -> dict[str, Any]:
    """The JSON of the disclosure proof: 1 and 2 disclosed; 0, 3 and 4 hidden."""
    return copy.deepcopy(PROOFS.to_json()[0])


def commitment() -> dict[str, Any]:
    return copy.deepcopy(PROOFS.to_json()[1])


def put(name: str, value: object) -> Callable[[dict[str, Any]], None]:
    return lambda proof: proof.__setitem__(name, value)


def put_in(name: str, index: str, value: object) -> Callable[[dict[str, Any]], None]:
    return lambda proof: proof[name].__setitem__(index, value)


def take(name: str, index: str | None = None) -> Callable[[dict[str, Any]], None]:
    return (lambda proof: proof.pop(name)) if index is None else (lambda proof: proof[name].pop(index))


DISCLOSURE_CHANGES = {
    "overlap": (put_in("a_responses", "2", "AQ=="), "overlapping-indices"),
    "overlap of the secret key": (put_in("a_disclosed", "0", "AQ=="), "overlapping-indices"),
    "an index too high": (put_in("a_responses", "8", ""), None),
    "an index far too high": (put_in("a_disclosed", "9999", ""), None),
    "a gap": (put_in("a_responses", "6", ""), "index-gap"),
    "an index left out": (take("a_responses", "3"), "index-gap"),
    "nothing hidden, nothing shown": (lambda proof: (proof["a_responses"].clear(), proof["a_disclosed"].clear()), "index-gap"),
    "negative index": (put_in("a_responses", "-1", ""), "index-form"),
    "index with leading zero": (put_in("a_responses", "05", ""), "index-form"),
    "index no number": (put_in("a_disclosed", "x", ""), "index-form"),
    "unknown key": (put("x", 1), "unknown-proof-key"),
    "key in another case": (put("E_response", "AQ=="), "unknown-proof-key"),
    "a key of another proof": (put("U", "AQ=="), "unknown-proof-key"),
    "no c": (take("c"), None),
    "null c": (put("c", None), None),
    "c too long": (put("c", 1 << 256), None),
    "no e_response": (take("e_response"), None),
    "no v_response": (take("v_response"), None),
    "null response": (put_in("a_responses", "3", None), None),
    "null value": (put_in("a_disclosed", "1", None), None),
    "responses a list": (put("a_responses", []), None),
    "values a text": (put("a_disclosed", "AQ=="), None),
    "e_response too long": (put("e_response", 1 << KEY.params.l_e_commit + 1), "response-size"),
    "v_response too long": (put("v_response", 1 << KEY.params.l_v_commit + 1), "response-size"),
    "a_response too long": (put_in("a_responses", "3", 1 << KEY.params.l_m_commit + 1), "response-size"),
    "secret key response too long": (put_in("a_responses", "0", 1 << KEY.params.l_m_commit + 1), "response-size"),
    "A is 0": (put("A", ""), "element-range"),
    "A is 1": (put("A", 1), "element-range"),
    "A is n": (put("A", int(KEY.N)), "element-range"),
    "A beyond n": (put("A", int(KEY.N + 4)), "element-range"),
    "A shares a factor": (put("A", int(key_pair("issuer-1024").private.p)), "element-range"),
    "A negated": (lambda proof: proof.__setitem__("A", int(KEY.N - PROOFS[0].A)), None),  # type: ignore[union-attr]
    "A negative": (put("A", -4), None),
    "A a fraction": (put("A", 1.5), None),
    "another non-revocation proof": (put("nonrev_proof", {}), None),
    "no range proofs on an attribute": (put("rangeproofs", {"3": []}), "range-proof-form"),
    "range proofs a list": (put("rangeproofs", []), None),
    "range proofs a number": (put("rangeproofs", 0), None),
}

COMMITMENT_CHANGES = {
    "U is 0": (put("U", ""), "element-range"),
    "U beyond n": (put("U", int(KEY.N + 4)), "element-range"),
    "v_prime_response too long": (put("v_prime_response", 1 << KEY.params.l_v_prime_commit + 1), "response-size"),
    "s_response too long": (put("s_response", 1 << KEY.params.l_s_commit + 1), "response-size"),
    "share response too long": (put_in("m_user_responses", "3", 1 << KEY.params.l_m_commit + 1), "response-size"),
    "a share for another attribute": (put_in("m_user_responses", "4", ""), "blind-indices"),
    "a share for the metadata": (put_in("m_user_responses", "1", ""), "blind-indices"),
    "a share for the secret key": (put_in("m_user_responses", "0", ""), "blind-indices"),
    "a share missing": (take("m_user_responses", "5"), "blind-indices"),
    "an index too high": (put_in("m_user_responses", "8", ""), None),
    "no s_response": (take("s_response"), None),
    "no v_prime_response": (take("v_prime_response"), None),
    "no c": (take("c"), None),
    "unknown key": (put("A ", 1), "unknown-proof-key"),
}


@pytest.mark.parametrize("label", DISCLOSURE_CHANGES)
def test_a_changed_disclosure_is_refused(label: str) -> None:
    change, departure = DISCLOSURE_CHANGES[label]
    proof = disclosure()
    change(proof)
    refuse([proof, commitment()], departure)


@pytest.mark.parametrize("label", COMMITMENT_CHANGES)
def test_a_changed_commitment_is_refused(label: str) -> None:
    change, departure = COMMITMENT_CHANGES[label]
    proof = commitment()
    change(proof)
    refuse([disclosure(), proof], departure)


@pytest.mark.parametrize(
    "proofs", [{}, "x", 5, [None], [{}], ["x"], [[]], [{"A": None, "U": None}], [{"a": "AQ=="}]], ids=lambda proofs: json.dumps(proofs)
)
def test_what_is_no_list_of_proofs_is_refused(proofs: object) -> None:
    with pytest.raises(MalformedProofError):
        ProofList.from_json(proofs)


def refuse(proofs: list[dict[str, Any]], departure: str | None) -> None:
    with pytest.raises((MalformedProofError, InvalidProofError)) as refusal:
        verify(ProofList.from_json(parse_json(json.dumps(proofs), "proofs")))
    assert refusal.value.departure == departure
    if departure is not None:
        assert isinstance(refusal.value, DEPARTURES[departure].error)


@pytest.mark.parametrize("rest", [{"nonrev_proof": None}, {"rangeproofs": {}}, {"rangeproofs": None}])
def test_parts_that_are_empty_are_as_absent(rest: dict[str, object]) -> None:
    verify(ProofList.from_json([{**disclosure(), **rest}, commitment()]))


#: Every number of the two proofs, by the place of its proof, its name and, in a map, its index.
NUMBERS: dict[tuple[int, str, str | None], mpz] = {}
for position, parsed in enumerate(PROOFS):
    fields = ("c", "A", "e_response", "v_response") if isinstance(parsed, ProofD) else ("U", "c", "v_prime_response", "s_response")
    maps = ("a_responses", "a_disclosed") if isinstance(parsed, ProofD) else ("m_user_responses",)
    NUMBERS |= {(position, name, None): getattr(parsed, name) for name in fields}
    NUMBERS |= {(position, name, str(i)): value for name in maps for i, value in getattr(parsed, name).items()}


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(sorted(NUMBERS, key=str)), st.integers(0, 2100), st.booleans())
def test_any_changed_number_is_refused(place: tuple[int, str, str | None], bit: int, doubled: bool) -> None:
    position, name, index = place
    current = int(NUMBERS[place])
    changed = 2 * current if doubled else current ^ (1 << bit % (current.bit_length() + 1))
    assume(changed != current)
    proofs = [disclosure(), commitment()]
    holder, key = (proofs[position], name) if index is None else (proofs[position][name], index)
    holder[key] = changed
    with pytest.raises((MalformedProofError, InvalidProofError)):
        verify(ProofList.from_json(parse_json(json.dumps(proofs), "proofs")))


TEXT = json.dumps(PROOFS.to_json(), separators=(",", ":")).encode()


@settings(deadline=None, max_examples=300)
@given(st.integers(0, len(TEXT) - 1), st.integers(1, 255))
def test_any_changed_byte_is_refused_or_means_the_same(position: int, difference: int) -> None:
    changed = bytearray(TEXT)
    changed[position] ^= difference
    try:
        proofs = ProofList.from_json(parse_json(bytes(changed), "proofs"))
        verify(proofs)
    except (MalformedProofError, InvalidProofError):
        return
    # The last digit of base64 has bits that count for nothing.
    assert proofs == PROOFS


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(st.integers(0, 9), st.sampled_from(["a_responses", "a_disclosed", "both", "neither"])))
def test_index_maps_are_exactly_those_proved(places: dict[int, str]) -> None:
    # A credential that uses every base: on a shorter one, an attribute of value 0 after the last makes no difference.
    proof = WHOLE_PROOF[0]
    assert isinstance(proof, ProofD)
    known = {**proof.a_responses, **proof.a_disclosed}
    responses, disclosed = dict(proof.a_responses), dict(proof.a_disclosed)
    for index, place in places.items():
        responses.pop(index, None)
        disclosed.pop(index, None)
        if place in ("a_responses", "both"):
            responses[index] = known.get(index, mpz(0))
        if place in ("a_disclosed", "both"):
            disclosed[index] = known.get(index, mpz(0))
    changed = ProofList((replace(proof, a_responses=responses, a_disclosed=disclosed),))
    if changed == WHOLE_PROOF:
        verify_proof_list(changed, [KEY], **SESSION)
        return
    with pytest.raises((MalformedProofError, InvalidProofError)):
        verify_proof_list(changed, [KEY], **SESSION)


def test_a_list_reads_as_a_sequence() -> None:
    assert len(PROOFS) == 2
    assert list(PROOFS) == [PROOFS[0], PROOFS[1]]
    assert isinstance(PROOFS[1], ProofU)


def test_a_challenge_longer_than_a_hash_is_refused_before_anything_is_computed() -> None:
    for proof in PROOFS:
        longest = replace(proof, c=(mpz(1) << 256) - 1)
        longest.check_structure(KEY)
        with pytest.raises(ChallengeMismatchError, match=r"^proof\.c: longer"):
            replace(proof, c=mpz(1) << 256).check_structure(KEY)


def test_each_proof_has_its_key() -> None:
    with pytest.raises(ValueError, match="zip"):
        PROOFS.contributions([KEY])


def test_faults_name_the_list_where_nothing_else_is_given() -> None:
    with pytest.raises(MalformedProofError, match=r"^proofs: expected a list"):
        ProofList.from_json({})
    with pytest.raises(MalformedProofError, match=r"^proof\.A: "):
        ProofD.from_json({})
    with pytest.raises(MalformedProofError, match=r"^proof\.U: "):
        ProofU.from_json({})


def test_an_element_without_its_number_departs_from_nothing() -> None:
    for name, departure in (("A", None), ("U", None), ("a", "unknown-proof-key"), ("u", "unknown-proof-key")):
        with pytest.raises(ProofRuleError) as refusal:
            ProofList.from_json([{name: None}])
        assert refusal.value.departure == departure


def test_a_statement_on_the_attribute_after_the_last_cannot_be_proved() -> None:
    with pytest.raises(UnprovableStatementError):
        FIRST.disclosure_builder({1}, RANDOM, {len(FIRST.attributes): [Statement(AT_LEAST, 18)]})
