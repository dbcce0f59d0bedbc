"""The keyshare server's proof merged into a holder's, in lists of proofs."""

from dataclasses import replace
from typing import Any, ClassVar

import pytest
from gmpy2 import mpz
from hypothesis import given, settings
from hypothesis import strategies as st

from idemix.challenge import create_challenge
from idemix.cl.signature import sign
from idemix.credential.credential import Credential, generate_secret_key
from idemix.errors import InvalidProofError, InvalidSignatureError, MalformedProofError, UnknownPublicKeyError
from idemix.keys.public import PublicKey
from idemix.keyshare import ProofP, merge_proofs
from idemix.keyshare.holder import challenge_inputs, join, user_response, without_keyshare_part
from idemix.keyshare.messages import ResponseRequest, commitments_hash
from idemix.keyshare.server import commit, commit_to_key, generate_keyshare_secret, respond, respond_old
from idemix.params import SECRET_RANDOMIZER_BITS
from idemix.proofs import CommitmentBuilder, ProofD, ProofList, ProofU, verify_proof_list
from idemix.proofs.builder import commit_all
from idemix.rangeproof import AT_LEAST, Statement
from idemix.scheme.identifiers import IssuerId, PublicKeyId
from tests.support.keys import key_pair
from tests.support.randomness import SeededRandom

RANDOM = SeededRandom("keyshare")
USER, SERVER = generate_secret_key(RANDOM), generate_keyshare_secret(RANDOM)
SHORT, LONG = key_pair("issuer-1024"), key_pair("issuer-2048")
CONTEXT, NONCE = mpz(1), mpz(987654321)


def credential(name: str, *attributes: int, shared: bool) -> Credential:
    """A credential on the whole secret key, as its holder has it: its own part, and P."""
    pair = key_pair(name)
    values = tuple(map(mpz, attributes))
    signature = sign(pair.private, pair.public, (USER + SERVER if shared else USER, *values), RANDOM)
    P = commit_to_key(SERVER, pair.public) if shared else None
    held = Credential(pair.public, replace(signature, keyshare_p=P), (USER, *values))
    held.verify()
    return held


HELD = {
    "issuer-1024": credential("issuer-1024", 1001, 1002, 1003, shared=True),
    "issuer-2048": credential("issuer-2048", 2001, 2002, shared=True),
    "own": credential("other-1024", 3001, 3002, shared=False),
}
NAMES = {name: PublicKeyId(IssuerId(f"test.{name}"), 0) for name in HELD}


class Exchange:
    """A session with the keyshare server.

    Attributes:
        proofs, parts, keys: the holder's proofs, the server's for each, and the issuers' keys.
        groups: the label of each proof.
    """

    def __init__(self, kinds: list[str], *, newer: bool, seed: int, is_signature: bool = False) -> None:
        random = SeededRandom(seed)
        self.is_signature = is_signature
        builders: list[Any] = []
        holders = [kind.removesuffix(" issued") for kind in kinds]
        for kind, holder in zip(kinds, holders, strict=True):
            held = HELD[holder]
            if kind != holder:
                builders.append(CommitmentBuilder.create(held.public_key, USER, (), random, held.signature.keyshare_p))
            else:
                builders.append(held.disclosure_builder({1}, random, {2: [Statement(AT_LEAST, 1000)]}))
        self.keys = [HELD[holder].public_key for holder in holders]
        self.groups = ["." if holder == "own" else "test" for holder in holders]
        names = [None if holder == "own" else NAMES[holder] for holder in holders]
        known = {name: key for name, key in zip(names, self.keys, strict=True) if name is not None}
        randomizer = random.bits(SECRET_RANDOMIZER_BITS)
        committed = commit_all(builders, randomizer)
        server = commit(SERVER, known, random)
        self.server_randomizer = server.randomizer
        joint = join(committed, [server.commitments[name].P_commit if name else None for name in names], self.keys)
        challenge = create_challenge(CONTEXT, NONCE, joint.contributions, is_signature)
        if newer:
            inputs = challenge_inputs(committed, names)
            request = ResponseRequest(inputs, CONTEXT, NONCE, is_signature, user_response(USER, randomizer, challenge))
            part = respond(SERVER, server.randomizer, commitments_hash(inputs), request, known)
        else:
            last = next(key for name, key in zip(reversed(names), reversed(self.keys), strict=True) if name)
            part = respond_old(SERVER, server.randomizer, challenge, last)
        proofs = joint.respond(challenge)
        if not newer:
            # An issuer of the old protocol multiplies P in, so that it must not be there before.
            proofs = ProofList(tuple(map(self._without_part, proofs, self.groups, self.keys)))
        self.proofs, self.parts = proofs, [None if group == "." else part for group in self.groups]

    @staticmethod
    def _without_part(proof: ProofD | ProofU, group: str, key: PublicKey) -> ProofD | ProofU:
        return without_keyshare_part(proof, commit_to_key(SERVER, key), key) if isinstance(proof, ProofU) and group != "." else proof

    @property
    def merged(self) -> ProofList:
        return merge_proofs(self.proofs, self.parts, self.keys)

    def verify(self, proofs: ProofList, groups: list[str] | None = None) -> None:
        verify_proof_list(
            proofs, self.keys, context=CONTEXT, nonce=NONCE, is_signature=self.is_signature, keyshare_groups=groups or self.groups
        )


#: A proof in the old protocol has P under one key, so that all credentials issued in one session have that key.
KINDS = st.lists(st.sampled_from(["issuer-1024", "issuer-2048", "own", "issuer-2048 issued", "own issued"]), min_size=1, max_size=5)


@settings(max_examples=25)
@given(KINDS, st.booleans(), st.booleans(), st.integers(0, 1 << 32))
def test_honest_proofs_fit_and_hold_once_merged(kinds: list[str], newer: bool, is_signature: bool, seed: int) -> None:
    """Responses are sums of those of holder and server; every bound that is checked leaves room for that."""
    kinds = sorted([*kinds, "issuer-2048 issued"], key=lambda kind: kind.endswith("issued"))
    exchange = Exchange(kinds, newer=newer, seed=seed, is_signature=is_signature)
    merged = exchange.merged
    for proof, key, group in zip(merged, exchange.keys, exchange.groups, strict=True):
        proof.check_structure(key)
        response = proof.secret_key_response
        assert response is not None
        limit = key.params.l_s_commit if isinstance(proof, ProofU) else key.params.l_m_commit
        assert 0 <= response < 1 << limit + 1
        assert group == "." or response.bit_length() >= exchange.server_randomizer.bit_length()
    exchange.verify(merged)
    with pytest.raises(InvalidProofError):
        exchange.verify(exchange.proofs)
    if "." in exchange.groups:
        with pytest.raises(InvalidProofError, match="secret key response"):
            exchange.verify(merged, ["test"] * len(kinds))


@given(
    st.sampled_from([SHORT.public, LONG.public]),
    *(st.integers(0, (1 << bits) - 1) for bits in (256, 255, 255, SECRET_RANDOMIZER_BITS, LONG.public.params.l_m_commit)),
)
def test_no_honest_response_of_a_commitment_is_too_long(
    key: PublicKey, challenge: int, user: int, server: int, user_randomizer: int, server_randomizer: int
) -> None:
    """Whatever the numbers are, the bound s ≤ 2^(l_s_commit + 1) - 1 leaves room for the sum of both responses."""
    server_randomizer %= 1 << key.params.l_m_commit
    response = user_randomizer + server_randomizer + challenge * (user + server)
    ProofU(mpz(4), mpz(challenge), mpz(0), mpz(response), {}).check_structure(key)


def test_a_response_too_long_is_refused_after_it_is_merged() -> None:
    exchange = Exchange(["issuer-2048 issued"], newer=False, seed=1)
    (part,) = exchange.parts
    assert part is not None
    exchange.parts = [replace(part, s_response=mpz(1) << LONG.public.params.l_s_commit + 1)]
    with pytest.raises(InvalidProofError, match="response size") as refusal:
        exchange.verify(exchange.merged)
    assert refusal.value.departure == "response-size"


def test_randomizers_of_the_server_are_as_long_as_its_keys_allow() -> None:
    keys = {NAMES["issuer-1024"]: SHORT.public, NAMES["issuer-2048"]: LONG.public}
    for known, bits in ((keys, 592), ({NAMES["issuer-2048"]: LONG.public}, 640), ({}, 640)):
        found = [commit(SERVER, known, SeededRandom(seed)).randomizer.bit_length() for seed in range(8)]
        assert max(found) == bits


class TestMerging:
    """What the server's part may be put to."""

    old = Exchange(["issuer-1024", "issuer-1024 issued"], newer=False, seed=1)
    newer = Exchange(["issuer-1024", "issuer-1024 issued"], newer=True, seed=1)

    def test_the_newer_part_takes_the_place_of_the_holders(self) -> None:
        for merged, part in zip(self.newer.merged, self.newer.parts, strict=True):
            assert part is not None
            assert (merged.c, merged.secret_key_response) == (part.c, part.s_response)

    def test_the_old_part_is_added(self) -> None:
        for before, after, part in zip(self.old.proofs, self.old.merged, self.old.parts, strict=True):
            assert part is not None
            assert before.secret_key_response is not None
            assert after.secret_key_response == before.secret_key_response + part.s_response

    @pytest.mark.parametrize("exchange", [old, newer], ids=["old", "newer"])
    def test_a_proof_that_hides_no_secret_key_is_refused(self, exchange: Exchange) -> None:
        proof, part = exchange.proofs[0], exchange.parts[0]
        assert isinstance(proof, ProofD)
        assert part is not None
        without = replace(proof, a_responses={index: value for index, value in proof.a_responses.items() if index})
        with pytest.raises(MalformedProofError) as refusal:
            part.merge(without, SHORT.public)
        assert refusal.value.departure == "secret-key-hidden"

    @pytest.mark.parametrize("value", [0, 1, int(SHORT.public.N), int(SHORT.public.N + 4), int(SHORT.private.p)])
    def test_neither_factor_of_U_is_out_of_range(self, value: int) -> None:
        proof, part = self.old.proofs[1], self.old.parts[1]
        assert isinstance(proof, ProofU)
        assert part is not None
        for changed, changed_part in ((replace(proof, U=mpz(value)), part), (proof, replace(part, P=mpz(value)))):
            with pytest.raises(InvalidProofError) as refusal:
                changed_part.merge(changed, SHORT.public)
            assert refusal.value.departure == "element-range"

    def test_a_challenge_too_long_is_refused(self) -> None:
        for proof in self.old.proofs:
            with pytest.raises(InvalidProofError, match="challenge"):
                ProofP(mpz(1) << 256, mpz(1)).merge(proof, SHORT.public)


class TestServer:
    """What the server does not answer."""

    inputs = challenge_inputs(commit_all([HELD["issuer-1024"].disclosure_builder({1}, RANDOM)], mpz(5)), [NAMES["issuer-1024"]])
    request = ResponseRequest(inputs, CONTEXT, NONCE, False, mpz(7))
    keys: ClassVar = {NAMES["issuer-1024"]: SHORT.public}

    def test_commitments_that_were_not_hashed(self) -> None:
        other = replace(self.inputs[0], commitment=self.inputs[0].commitment + 1)
        with pytest.raises(InvalidProofError, match="hash"):
            respond(SERVER, mpz(3), commitments_hash([other]), self.request, self.keys)

    def test_a_key_it_does_not_know(self) -> None:
        with pytest.raises(UnknownPublicKeyError):
            respond(SERVER, mpz(3), commitments_hash(self.inputs), self.request, {})

    def test_a_challenge_that_is_none(self) -> None:
        with pytest.raises(InvalidProofError):
            respond_old(SERVER, mpz(3), mpz(1) << 256, SHORT.public)


def test_a_part_that_is_no_group_element_is_not_joined() -> None:
    committed = commit_all([HELD["issuer-1024"].disclosure_builder({1}, RANDOM)], mpz(5))
    with pytest.raises(InvalidProofError):
        join(committed, [mpz(0)], [SHORT.public])


def test_a_credential_is_not_on_the_holders_part_alone() -> None:
    held = HELD["issuer-1024"]
    with pytest.raises(InvalidSignatureError):
        replace(held, signature=replace(held.signature, keyshare_p=None)).verify()
