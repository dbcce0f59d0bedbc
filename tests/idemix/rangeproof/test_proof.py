"""Range proofs in disclosures: made, read, verified, refused."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from gmpy2 import mpz
from hypothesis import given, settings
from hypothesis import strategies as st

from idemix.cl.signature import sign
from idemix.credential.credential import Credential, generate_secret_key
from idemix.departures import DEPARTURES
from idemix.errors import InvalidProofError, MalformedProofError
from idemix.json_text import parse_json
from idemix.proofs import ProofD, ProofList, build_proof_list, verify_proof_list
from idemix.rangeproof import AT_LEAST, AT_MOST, MAX_RANGE_PROOFS, Statement, ThreeSquares, UnprovableStatementError
from tests.support.keys import key_pair
from tests.support.randomness import SeededRandom

RANDOM = SeededRandom("range proofs")
SECRET = generate_secret_key(RANDOM)
SESSION = {"context": mpz(1), "nonce": mpz(987654321), "is_signature": False}
THREE = ThreeSquares(1000)
PAIR = key_pair("issuer-1024")
KEY = PAIR.public


def credential(*attributes: int | mpz, name: str = "issuer-1024") -> Credential:
    pair = key_pair(name)
    values = (SECRET, *map(mpz, attributes))
    return Credential(pair.public, sign(pair.private, pair.public, values, RANDOM), values)


BORN = credential(1001, 1986, 0, 1 << 120)


def prove(holder: Credential, statements: dict[int, list[Statement]], seed: int = 0) -> ProofList:
    random = SeededRandom(seed)
    return build_proof_list([holder.disclosure_builder({1}, random, statements)], **SESSION, random=random)


def verify(proofs: ProofList, holder: Credential = BORN) -> ProofD:
    verify_proof_list(proofs, [holder.public_key], **SESSION, require_metadata=True)
    proof = proofs[0]
    assert isinstance(proof, ProofD)
    return proof


@settings(max_examples=30)
@given(
    st.integers(0, (1 << 256) - 1),
    st.integers(0, 1 << 255),
    st.sampled_from([AT_LEAST, AT_MOST]),
    st.one_of(st.just(1), st.integers(1, 1 << 20)),
    st.sampled_from(["issuer-1024", "issuer-2048"]),
)
def test_what_holds_is_proved_and_what_does_not_is_not(attribute: int, bound: int, sign: int, factor: int, name: str) -> None:
    holder = credential(1001, attribute, name=name)
    difference = sign * (factor * attribute - bound)
    if not 0 <= difference < 1 << 256:
        with pytest.raises(UnprovableStatementError):
            prove(holder, {2: [Statement(sign, bound, factor)]})
        return
    proofs = prove(holder, {2: [Statement(sign, bound, factor)]})
    assert ProofList.from_json(parse_json(json.dumps(proofs.to_json()), "proofs")) == proofs
    (range_proof,) = verify(proofs, holder).range_proofs[2]
    assert range_proof.structure.proves(sign, bound, factor)
    assert not range_proof.structure.proves(-sign, bound, factor)
    assert not range_proof.structure.proves(sign, bound + sign, factor)


@settings(max_examples=20)
@given(st.integers(1, 3000), st.integers(0, 249), st.booleans())
def test_three_squares(bound: int, difference: int, at_least: bool) -> None:
    statement = Statement(AT_LEAST if at_least else AT_MOST, bound, squares=THREE)
    attribute = bound + difference if at_least else bound - difference
    if attribute < 0:
        return
    holder = credential(1001, attribute)
    if not at_least and difference == 0:
        # "At most" becomes "less than" with three squares.
        with pytest.raises(UnprovableStatementError):
            prove(holder, {2: [statement]})
        return
    (range_proof,) = verify(prove(holder, {2: [statement]}), holder).range_proofs[2]
    assert len(range_proof.C) == 3
    assert range_proof.structure.proves(statement.sign, bound)


def test_several_statements_on_several_attributes_and_credentials() -> None:
    statements = {4: [Statement(AT_LEAST, 5)], 2: [Statement(AT_LEAST, 1976), Statement(AT_MOST, 1996)]}
    other = credential(2001, 7)
    builders = [BORN.disclosure_builder({1}, RANDOM, statements), other.disclosure_builder({1}, RANDOM, {2: [Statement(AT_MOST, 7)]})]
    proofs = build_proof_list(builders, **SESSION, random=RANDOM)
    verify_proof_list(proofs, [KEY, KEY], **SESSION)
    first, second = proofs
    assert isinstance(first, ProofD)
    assert isinstance(second, ProofD)
    assert {index: len(found) for index, found in first.range_proofs.items()} == {2: 2, 4: 1}
    assert {index: len(found) for index, found in second.range_proofs.items()} == {2: 1}


@pytest.mark.parametrize(
    ("index", "statement"),
    [
        pytest.param(1, Statement(AT_LEAST, 5), id="a disclosed attribute"),
        pytest.param(9, Statement(AT_LEAST, 5), id="no attribute"),
        pytest.param(2, Statement(AT_LEAST, 1987), id="it is smaller"),
        pytest.param(2, Statement(AT_MOST, 1985), id="it is larger"),
        pytest.param(2, Statement(AT_LEAST, 1000, squares=THREE), id="beyond three squares"),
    ],
)
def test_statements_that_cannot_be_proved(index: int, statement: Statement) -> None:
    with pytest.raises(UnprovableStatementError):
        prove(BORN, {index: [statement]})


def test_a_large_factor_is_no_hindrance() -> None:
    verify(prove(BORN, {2: [Statement(AT_LEAST, 1 << 72, factor=1 << 62)]}))


def test_an_attribute_that_is_hashed_cannot_be_proved_about() -> None:
    with pytest.raises(UnprovableStatementError, match="longer"):
        prove(credential(1001, mpz(1) << 300), {2: [Statement(AT_LEAST, 5)]})


PROOFS = prove(BORN, {2: [Statement(AT_LEAST, 1976), Statement(AT_MOST, 1996, squares=THREE)]})
L_M_COMMIT = KEY.params.l_m_commit


def range_proofs(position: int = 0) -> tuple[list[Any], dict[str, Any]]:
    """The JSON of the list, and in it that of a range proof: the first of four squares, the second of three."""
    proofs = copy.deepcopy(PROOFS.to_json())
    return proofs, proofs[0]["rangeproofs"]["2"][position]


def put(name: str, value: object) -> Callable[[dict[str, Any]], None]:
    return lambda proof: proof.__setitem__(name, value)


def put_in(name: str, value: object) -> Callable[[dict[str, Any]], None]:
    return lambda proof: proof[name].__setitem__(0, value)


CHANGES: dict[str, tuple[int, Callable[[dict[str, Any]], Any], str | None]] = {
    "sign 0": (0, put("sign", 0), None),
    "sign 2": (0, put("sign", 2), None),
    "sign a text": (0, put("sign", "1"), None),
    "sign a truth value": (0, put("sign", True), None),
    "sign a fraction": (0, put("sign", 1.0), None),
    "other sign": (0, put("sign", -1), None),
    "no sign": (0, lambda proof: proof.pop("sign"), "range-proof-form"),
    "no factor": (0, lambda proof: proof.pop("a"), "range-proof-form"),
    "null factor": (0, put("a", None), "range-proof-form"),
    "factor 0": (0, put("a", 0), "range-proof-form"),
    "negative factor": (0, put("a", -1), "range-proof-form"),
    "factor too large": (0, put("a", 1 << 63), "range-proof-form"),
    "other factor": (0, put("a", 2), None),
    "factor 1 with three squares": (1, put("a", 1), None),
    "no l_d": (0, lambda proof: proof.pop("l_d"), "range-proof-form"),
    "l_d negative": (0, put("l_d", -1), None),
    "l_d too large": (0, put("l_d", 257), None),
    "l_d too small for the responses": (0, put("l_d", 1), "response-size"),
    "no bound": (0, lambda proof: proof.pop("k"), None),
    "bound too long": (0, put("k", 1 << 256 + 64), None),
    "stronger bound": (0, put("k", 1977), None),
    "weaker bound": (0, put("k", 1975), None),
    "five squares": (0, lambda proof: [proof[name].append(proof[name][0]) for name in ("Cs", "ds", "vs")], None),
    "two squares": (1, lambda proof: [proof[name].pop() for name in ("Cs", "ds", "vs")], None),
    "one commitment less": (0, lambda proof: proof["Cs"].pop(), None),
    "one response less": (0, lambda proof: proof["ds"].pop(), None),
    "one blinding less": (0, lambda proof: proof["vs"].pop(), None),
    "no commitments": (0, lambda proof: proof.pop("Cs"), None),
    "commitments no list": (0, put("Cs", {"0": "AQ=="}), None),
    "null commitment": (0, put_in("Cs", None), None),
    "commitment 0": (0, put_in("Cs", ""), "element-range"),
    "commitment 1": (0, put_in("Cs", 1), "element-range"),
    "commitment beyond n": (0, lambda proof: proof["Cs"].__setitem__(0, int(PROOFS[0].range_proofs[2][0].C[0] + KEY.N)), "element-range"),
    "commitment with a factor of n": (0, put_in("Cs", int(PAIR.private.p)), "element-range"),
    "d too long": (0, put_in("ds", 1 << 128 + 256 + 80 + 1), "response-size"),
    "v too long": (0, put_in("vs", 1 << L_M_COMMIT + 1), "response-size"),
    "v5 too long": (0, put("v5", 1 << L_M_COMMIT + 128 + 2 + 1), "response-size"),
    "no v5": (0, lambda proof: proof.pop("v5"), None),
    "a key we do not know": (0, put("x", 1), "unknown-proof-key"),
    "a key in another case": (0, lambda proof: proof.__setitem__("V5", proof.pop("v5")), "unknown-proof-key"),
}  # fmt: skip


@pytest.mark.parametrize("label", CHANGES)
def test_a_changed_range_proof_is_refused(label: str) -> None:
    position, change, departure = CHANGES[label]
    proofs, proof = range_proofs(position)
    change(proof)
    refuse(proofs, departure)


PLACES: dict[str, tuple[Callable[[dict[str, Any]], Any], str | None]] = {
    "on a disclosed attribute": (lambda found: found.update({"1": found.pop("2")}), "range-proof-index"),
    "on another attribute": (lambda found: found.update({"3": found.pop("2")}), None),
    "on no attribute": (lambda found: found.update({"7": found["2"]}), "range-proof-index"),
    "on a negative index": (lambda found: found.update({"-1": found["2"]}), "index-form"),
    "in another order": (lambda found: found["2"].reverse(), None),
    "one less": (lambda found: found["2"].pop(), None),
    "none": (lambda found: found.pop("2"), None),
    "one twice": (lambda found: found["2"].append(found["2"][0]), None),
    "an empty list": (lambda found: found.update({"3": []}), "range-proof-form"),
    "a null list": (lambda found: found.update({"3": None}), "range-proof-form"),
    "no list": (lambda found: found.update({"3": {}}), None),
    "a null proof": (lambda found: found["2"].append(None), None),
    "too many": (lambda found: found.update({"3": found["2"] * (MAX_RANGE_PROOFS // 2)}), "range-proof-count"),
}


@pytest.mark.parametrize("label", PLACES)
def test_a_range_proof_belongs_where_it_was_made(label: str) -> None:
    change, departure = PLACES[label]
    proofs, _ = range_proofs()
    change(proofs[0]["rangeproofs"])
    refuse(proofs, departure)


def refuse(proofs: list[Any], departure: str | None) -> None:
    with pytest.raises((MalformedProofError, InvalidProofError)) as refusal:
        verify(ProofList.from_json(parse_json(json.dumps(proofs), "proofs")))
    assert refusal.value.departure == departure
    if departure is not None:
        assert isinstance(refusal.value, DEPARTURES[departure].error)


@settings(max_examples=100)
@given(st.integers(0, 1), st.sampled_from(["Cs", "ds", "vs", "v5", "k", "a", "sign"]), st.integers(0, 2), st.integers(0, 1023))
def test_any_changed_number_is_refused(position: int, name: str, place: int, bit: int) -> None:
    proofs, proof = range_proofs(position)
    holder, key = (proof[name], place) if isinstance(proof[name], list) else (proof, name)
    read = ProofList.from_json(proofs)[0]
    assert isinstance(read, ProofD)
    found = read.range_proofs[2][position]
    values = {"Cs": found.C, "ds": found.d_responses, "vs": found.v_responses, "v5": found.v5_response}
    current = values.get(name, getattr(found.structure, name, None))
    number = int(current[place] if isinstance(current, tuple) else current)  # type: ignore[arg-type]
    holder[key] = number ^ (1 << bit % (max(number, 1).bit_length() + 1))
    with pytest.raises((MalformedProofError, InvalidProofError)):
        verify(ProofList.from_json(parse_json(json.dumps(proofs), "proofs")))


def test_two_proofs_of_one_statement_share_nothing_that_links_them() -> None:
    statements = {2: [Statement(AT_LEAST, 1976)]}
    one, other = (verify(prove(BORN, statements, seed)).range_proofs[2][0] for seed in (1, 2))
    numbers = [{*proof.C, *proof.d_responses, *proof.v_responses, proof.v5_response} for proof in (one, other)]
    assert not numbers[0] & numbers[1]


def test_randomizers_are_as_long_as_the_paper_says() -> None:
    """Only so do responses hide what they answer for."""
    lengths = [0, 0, 0]
    for seed in range(8):
        builder = BORN.disclosure_builder({1}, SeededRandom(seed), {2: [Statement(AT_LEAST, 1976)]})
        (prover,) = builder.ranges
        found = (max(prover.d_randomizers), max(prover.v_randomizers), prover.v5_randomizer)
        lengths = [max(length, value.bit_length()) for length, value in zip(lengths, found, strict=True)]
        assert prover.d_randomizers != prover.v_randomizers
    assert lengths == [128 + 256 + 80, L_M_COMMIT, L_M_COMMIT + 128 + 2]
