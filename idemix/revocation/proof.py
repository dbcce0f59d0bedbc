"""The proof of non-revocation within a disclosure proof.

It proves to know u and e with u^e = ν, where e is the revocation attribute of the disclosed credential. With r_2, r_3 random below
N/4, C_r = G^{r_2} · H^{r_3} commits to the blinding and C_u = u · H^{r_2} hides u; then with α = e, β = e·r_2, δ = e·r_3, ε = r_2, ζ = r_3

    C_r = G^ε · H^ζ        ν = C_u^α · H^{-β}        1 = C_r^α · G^{-β} · H^{-δ}    (mod N)

are proved together. The third ties β to α·ε, so that in the second H^{-β} takes away exactly what C_u hides u behind. The response of α is
the one that the disclosure proof gives for the revocation attribute, which makes both be about one e.

Source: Camenisch and Lysyanskaya, "Dynamic Accumulators and Application to Efficient Revocation of Anonymous Credentials",
CRYPTO 2002, section 3.3; gabi `revocation/proof.go`.
"""

from dataclasses import dataclass
from typing import Any, Self

from gmpy2 import mpz

from ..arith.modular import inverse, powmod, powmod_secret
from ..arith.randomness import SYSTEM_RANDOM, RandomSource
from ..errors import InvalidProofError, MalformedProofError
from ..integers import decode_integer, encode_integer
from ..json_text import check_object
from ..keys.public import PublicKey
from ..params import REVOCATION_RANDOMIZER_BITS
from ..proofs.checks import check_group_element, check_response
from .accumulator import SignedAccumulator
from .witness import Witness

_RESPONSES = ("beta", "delta", "epsilon", "zeta")


@dataclass(frozen=True, slots=True)
class NonRevocationProof:
    """A proof that a credential is not revoked. The response of α is the one in the disclosure proof.

    Attributes:
        C_r, C_u: the commitments. The reference's app sends a C_u that is not reduced, up to twice as long as N.
        beta, delta, epsilon, zeta: the responses.
        signed_accumulator: the accumulator against which the proof is made.
        alpha: the response of α where it was sent though it need not be, or None. The reference writes it into proofs that it has
            verified, as in the result of a signature session.
    """

    C_r: mpz
    C_u: mpz
    beta: mpz
    delta: mpz
    epsilon: mpz
    zeta: mpz
    signed_accumulator: SignedAccumulator
    alpha: mpz | None = None

    def check_structure(self, public_key: PublicKey, alpha: mpz, where: str) -> None:
        """Check everything that can be checked without an exponentiation modulo N.

        The key supports revocation and signed the accumulator, whose ν is a unit; C_r is a unit between 1 and N, and so is C_u
        once it is reduced, which is below N²; responses are within [0, 2^(l+1) - 1], l the length of their randomizer.

        Args:
            public_key: the issuer's key, of the disclosure proof.
            alpha: the disclosure proof's response for the revocation attribute.
            where: what the proof is, for errors.

        Raises:
            MalformedProofError: the key does not support revocation, or what is signed is no accumulator.
            InvalidSignatureError: the accumulator is not signed with this key.
            InvalidProofError: a number is out of bounds.
        """
        if not public_key.supports_revocation:
            raise MalformedProofError(where, f"key {public_key.counter} does not support revocation")
        params = public_key.params
        if self.alpha is not None and self.alpha != alpha:
            raise InvalidProofError(f"{where}.responses[alpha]: not the revocation attribute's", departure="alpha-response")
        check_response(alpha, REVOCATION_RANDOMIZER_BITS + 1, f"{where}.responses[alpha]")
        check_response(self.beta, params.l_er_nonrev_commit + 1, f"{where}.responses[beta]")
        check_response(self.delta, params.l_er_nonrev_commit + 1, f"{where}.responses[delta]")
        check_response(self.epsilon, params.l_r_nonrev_commit + 1, f"{where}.responses[epsilon]")
        check_response(self.zeta, params.l_r_nonrev_commit + 1, f"{where}.responses[zeta]")
        check_group_element(self.C_r, public_key, f"{where}.C_r")
        # A product of two numbers below N, where the reference's app has not reduced it.
        C_u = self.C_u % public_key.N if self.C_u < public_key.N**2 else self.C_u
        check_group_element(C_u, public_key, f"{where}.C_u")
        self.signed_accumulator.verify(public_key, f"{where}.sacc")

    def contributions(self, public_key: PublicKey, challenge: mpz, alpha: mpz) -> tuple[mpz, ...]:
        """Return what this proof adds to the challenge: C_r and C_u as received, ν, and the three relations rebuilt from the responses.

            T_1 = C_r^{-c} · G^ε · H^ζ      T_2 = ν^{-c} · C_u^α · H^{-β}      T_3 = C_r^α · G^{-β} · H^{-δ}

        To be called on a proof that passed `check_structure`.

        Source: gabi `revocation/proof.go` (commitmentsFromProof).
        """
        N = public_key.N
        nu = self.signed_accumulator.verify(public_key).nu
        # What has a negative exponent is gathered below a fraction line, for one inverse each.
        T_1 = public_key.revocation_product(G=self.epsilon, H=self.zeta) * inverse(powmod(self.C_r, challenge, N), N) % N
        below_2 = powmod(nu, challenge, N) * public_key.revocation_product(H=self.beta) % N
        T_2 = powmod(self.C_u, alpha, N) * inverse(below_2, N) % N
        T_3 = powmod(self.C_r, alpha, N) * public_key.revocation_product(G=-self.beta, H=-self.delta) % N
        return self.C_r, self.C_u, nu, T_1, T_2, T_3

    @classmethod
    def from_json(cls, value: Any, where: str = "nonrev_proof") -> Self:
        """Read the JSON of the proof.

        Raises:
            MalformedProofError: a field is absent, unknown or not of its kind.
        """
        fields = check_object(value, {"C_r", "C_u", "responses", "sacc"}, where)
        responses = check_object(fields.get("responses"), {"alpha", *_RESPONSES}, f"{where}.responses")
        alpha = responses.get("alpha")
        return cls(
            C_r=decode_integer(fields.get("C_r"), f"{where}.C_r"),
            C_u=decode_integer(fields.get("C_u"), f"{where}.C_u"),
            signed_accumulator=SignedAccumulator.from_json(fields.get("sacc"), f"{where}.sacc"),
            alpha=None if alpha is None else decode_integer(alpha, f"{where}.responses[alpha]"),
            **{name: decode_integer(responses.get(name), f"{where}.responses[{name}]") for name in _RESPONSES},
        )

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object, without a response for α."""
        return {
            "C_r": encode_integer(self.C_r),
            "C_u": encode_integer(self.C_u),
            "responses": {name: encode_integer(getattr(self, name)) for name in _RESPONSES},
            "sacc": self.signed_accumulator.to_json(),
        }


@dataclass(frozen=True, slots=True, repr=False)
class NonRevocationBuilder:
    """Builds one proof; `create` chooses the random parts, the constructor takes them as given. A second proof would give e away.

    Attributes:
        public_key: the issuer's key.
        witness: the witness, valid for its accumulator.
        nu: ν, of that accumulator.
        r_2, r_3: the blindings, below ⌊N/4⌋.
        alpha_randomizer: below 2^579; the disclosure proof uses it for the revocation attribute.
        beta_randomizer, delta_randomizer: below ⌊N/4⌋·2^579.
        epsilon_randomizer, zeta_randomizer: below ⌊N/4⌋·2^384.
    """

    public_key: PublicKey
    witness: Witness
    nu: mpz
    r_2: mpz
    r_3: mpz
    alpha_randomizer: mpz
    beta_randomizer: mpz
    delta_randomizer: mpz
    epsilon_randomizer: mpz
    zeta_randomizer: mpz

    @classmethod
    def create(cls, public_key: PublicKey, witness: Witness, random: RandomSource = SYSTEM_RANDOM) -> Self:
        """Choose blindings and randomizers.

        Args:
            public_key: the issuer's key.
            witness: the credential's witness.
            random: the source of randomness.

        Raises:
            InvalidWitnessError: the witness does not belong to its accumulator.
            InvalidSignatureError, MalformedKeyError, MalformedProofError, InvalidProofError: see `SignedAccumulator.verify`.
        """
        params = public_key.params
        quarter = public_key.N >> 2
        for_products = quarter << (params.l_er_nonrev_commit - (params.l_n - 2))
        for_blindings = quarter << (params.l_r_nonrev_commit - (params.l_n - 2))
        return cls(
            public_key=public_key,
            witness=witness,
            nu=witness.verify(public_key).nu,
            r_2=random.below(quarter),
            r_3=random.below(quarter),
            alpha_randomizer=random.bits(REVOCATION_RANDOMIZER_BITS),
            beta_randomizer=random.below(for_products),
            delta_randomizer=random.below(for_products),
            epsilon_randomizer=random.below(for_blindings),
            zeta_randomizer=random.below(for_blindings),
        )

    def commit(self) -> "CommittedNonRevocation":
        """Return the commitments, and with α̂ … ζ̂ the randomizers

            T_1 = G^ε̂ · H^ζ̂      T_2 = C_u^α̂ · H^{-β̂}      T_3 = C_r^α̂ · G^{-β̂} · H^{-δ̂}.

        C_u and C_r are written out, u · H^{r_2} and G^{r_2} · H^{r_3}, so that only u is raised to a power without a table.
        """
        key, N, alpha = self.public_key, self.public_key.N, self.alpha_randomizer
        C_r = key.revocation_product(G=self.r_2, H=self.r_3)
        C_u = self.witness.u * key.revocation_product(H=self.r_2) % N
        T_1 = key.revocation_product(G=self.epsilon_randomizer, H=self.zeta_randomizer)
        T_2 = powmod_secret(self.witness.u, alpha, N) * key.revocation_product(H=alpha * self.r_2 - self.beta_randomizer) % N
        T_3 = key.revocation_product(G=alpha * self.r_2 - self.beta_randomizer, H=alpha * self.r_3 - self.delta_randomizer)
        return CommittedNonRevocation(self, (C_r, C_u, self.nu, T_1, T_2, T_3))


@dataclass(frozen=True, slots=True, repr=False)
class CommittedNonRevocation:
    """A proof of non-revocation after its first move.

    Attributes:
        builder: what is proved.
        contributions: C_r, C_u, ν, T_1, T_2, T_3.
    """

    builder: NonRevocationBuilder
    contributions: tuple[mpz, ...]

    def respond(self, challenge: mpz) -> NonRevocationProof:
        """Return the proof: every response is its randomizer + c · its secret."""
        builder = self.builder
        e = builder.witness.e
        return NonRevocationProof(
            C_r=self.contributions[0],
            C_u=self.contributions[1],
            beta=builder.beta_randomizer + challenge * e * builder.r_2,
            delta=builder.delta_randomizer + challenge * e * builder.r_3,
            epsilon=builder.epsilon_randomizer + challenge * builder.r_2,
            zeta=builder.zeta_randomizer + challenge * builder.r_3,
            signed_accumulator=builder.witness.signed_accumulator,
        )
