"""ProofU: a holder proves to know what a commitment U holds, when a credential is issued."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Self

from gmpy2 import mpz

from ..arith.modular import powmod
from ..arith.randomness import SYSTEM_RANDOM, RandomSource
from ..cl.commitment import commit
from ..errors import MalformedProofError
from ..integers import decode_integer, decode_integer_map, encode_integer, encode_integer_map
from ..json_text import check_object
from ..keys.public import PublicKey
from .checks import check_challenge, check_group_element, check_indices, check_response, check_responses

_KEYS = frozenset({"U", "c", "v_prime_response", "s_response", "m_user_responses"})

#: The first base on which an attribute can be random blind: 0 is the secret key, 1 the metadata.
_FIRST_ATTRIBUTE = 2


@dataclass(frozen=True, slots=True)
class ProofU:
    """A proof of knowledge of the secret key and the shares within U = S^{v'} · R_0^{s} · ∏ R_i^{m'_i}.

    Attributes:
        U: the commitment.
        c: the challenge.
        v_prime_response, s_response: the responses for v' and the secret key.
        m_user_responses: the responses for the holder's shares of random blind attributes, by index of base.
    """

    U: mpz
    c: mpz
    v_prime_response: mpz
    s_response: mpz
    m_user_responses: Mapping[int, mpz]

    @property
    def secret_key_response(self) -> mpz | None:
        """The response for the secret key."""
        return self.s_response

    def check_structure(self, public_key: PublicKey, blind_indices: Collection[int] | None = None, where: str = "proof") -> None:
        """Check everything that can be checked without an exponentiation.

        U is a unit modulo N; the challenge has the length of a hash; responses are within their bounds; the shares are
        those of the random blind attributes and of no other.

        Args:
            public_key: the issuer's key.
            blind_indices: the bases of the type's random blind attributes; None where the type is not known.
            where: what the proof is, for errors.

        Raises:
            MalformedProofError: the indices break a rule (departure `blind-indices`).
            InvalidProofError: a number is out of bounds.
        """
        params = public_key.params
        indices = self.m_user_responses.keys()
        check_indices(indices, public_key, f"{where}.m_user_responses")
        allowed = indices if blind_indices is None else set(blind_indices)
        if indices != allowed or any(index < _FIRST_ATTRIBUTE for index in indices):
            raise MalformedProofError(f"{where}.m_user_responses", "not exactly the random blind attributes", departure="blind-indices")
        check_challenge(self.c, f"{where}.c")
        check_response(self.v_prime_response, params.l_v_prime_commit + 1, f"{where}.v_prime_response")
        check_response(self.s_response, params.l_s_commit + 1, f"{where}.s_response")
        check_responses(self.m_user_responses, params.l_m_commit + 1, f"{where}.m_user_responses")
        check_group_element(self.U, public_key, f"{where}.U")

    def contributions(self, public_key: PublicKey) -> tuple[mpz, ...]:
        """Return what this proof adds to the challenge: U and Û = U^{-c} · S^{v̂'} · R_0^{ŝ} · ∏ R_i^{m̂_i}, from the responses.

        To be called on a proof that passed `check_structure`.

        Source: gabi `proofs.go` (reconstructUcommit).
        """
        N = public_key.N
        known = public_key.power_product(S=self.v_prime_response, R={0: self.s_response, **self.m_user_responses})
        return self.U, powmod(self.U, -self.c, N) * known % N

    @classmethod
    def from_json(cls, value: Any, where: str = "proof") -> Self:
        """Read the JSON of a commitment proof.

        Raises:
            MalformedProofError: a field is absent, unknown or not of its kind.
        """
        fields = check_object(value, _KEYS, where)
        return cls(
            U=decode_integer(fields.get("U"), f"{where}.U"),
            c=decode_integer(fields.get("c"), f"{where}.c"),
            v_prime_response=decode_integer(fields.get("v_prime_response"), f"{where}.v_prime_response"),
            s_response=decode_integer(fields.get("s_response"), f"{where}.s_response"),
            m_user_responses=decode_integer_map(fields.get("m_user_responses"), f"{where}.m_user_responses"),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object."""
        result: dict[str, Any] = {
            "U": encode_integer(self.U),
            "c": encode_integer(self.c),
            "v_prime_response": encode_integer(self.v_prime_response),
            "s_response": encode_integer(self.s_response),
        }
        if self.m_user_responses:
            result["m_user_responses"] = encode_integer_map(self.m_user_responses)
        return result


@dataclass(frozen=True, slots=True, repr=False)
class CommitmentBuilder:
    """Builds a ProofU. `create` chooses the random parts; the constructor takes them as given.

    Attributes:
        public_key: the issuer's key.
        secret_key: the holder's secret key.
        v_prime: the blinding of U, l_v' random bits.
        v_prime_randomizer: l_v'_commit random bits.
        shares: the holder's shares of random blind attributes, by index of base, l_m - 1 random bits each.
        share_randomizers: l_m_commit random bits for each share.
        keyshare_p: R_0^{m}, m the keyshare server's part of the secret key, of which U is made too; None where there is no server.
    """

    public_key: PublicKey
    secret_key: mpz
    v_prime: mpz
    v_prime_randomizer: mpz
    shares: Mapping[int, mpz]
    share_randomizers: Mapping[int, mpz]
    keyshare_p: mpz | None = None

    @classmethod
    def create(
        cls,
        public_key: PublicKey,
        secret_key: mpz,
        blind_indices: Collection[int] = (),
        random: RandomSource = SYSTEM_RANDOM,
        keyshare_p: mpz | None = None,
    ) -> Self:
        """Choose blinding, shares and randomizers.

        Args:
            public_key: the key under which the credential will be issued.
            secret_key: the holder's secret key.
            blind_indices: the bases of the type's random blind attributes.
            random: the source of randomness.
            keyshare_p: the keyshare server's P under that key.
        """
        params = public_key.params
        return cls(
            public_key=public_key,
            secret_key=secret_key,
            v_prime=random.bits(params.l_v_prime),
            v_prime_randomizer=random.bits(params.l_v_prime_commit),
            shares={index: random.bits(params.l_m - 1) for index in blind_indices},
            share_randomizers={index: random.bits(params.l_m_commit) for index in blind_indices},
            keyshare_p=keyshare_p,
        )

    def commit(self, secret_randomizer: mpz) -> "CommittedCommitment":
        """Return U and Û = S^{v' randomizer} · R_0^{secret randomizer} · ∏ R_i^{randomizer of i}, with what answers the challenge."""
        U = commit(self.public_key, self.secret_key, self.v_prime, self.shares)
        if self.keyshare_p is not None:
            U = U * self.keyshare_p % self.public_key.N
        return CommittedCommitment(
            builder=self,
            secret_randomizer=secret_randomizer,
            U=U,
            U_commit=commit(self.public_key, secret_randomizer, self.v_prime_randomizer, self.share_randomizers),
        )


@dataclass(frozen=True, slots=True, repr=False)
class CommittedCommitment:
    """A commitment proof after its first move."""

    builder: CommitmentBuilder
    secret_randomizer: mpz
    U: mpz
    U_commit: mpz

    @property
    def contributions(self) -> tuple[mpz, ...]:
        """U and Û."""
        return self.U, self.U_commit

    def respond(self, challenge: mpz) -> ProofU:
        """Return the proof: every response is its randomizer + c · its secret."""
        builder = self.builder
        return ProofU(
            U=self.U,
            c=challenge,
            v_prime_response=builder.v_prime_randomizer + challenge * builder.v_prime,
            s_response=self.secret_randomizer + challenge * builder.secret_key,
            m_user_responses={index: builder.share_randomizers[index] + challenge * share for index, share in builder.shares.items()},
        )
