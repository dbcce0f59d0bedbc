"""The keyshare server's side of a session: pure computation on one user's part of the secret key.

A randomizer answers one challenge. Who keeps it between the two messages must forget it with the first answer: two answers
with one randomizer give m_kss away.

Source: gabi `keyshare.go`, `legacy.go`; irmago `internal/keysharecore/operations.go`.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from gmpy2 import mpz

from ..arith.randomness import SYSTEM_RANDOM, RandomSource
from ..challenge import create_challenge
from ..errors import InvalidProofError, UnknownPublicKeyError
from ..keys.public import PublicKey
from ..params import SECRET_KEY_BITS, params_for
from ..proofs.checks import check_challenge
from .messages import KeyName, ResponseRequest, commitments_hash
from .proof_p import ProofP, ProofPCommitment

Keys = Mapping[KeyName, PublicKey]


def generate_keyshare_secret(random: RandomSource = SYSTEM_RANDOM) -> mpz:
    """Return a user's m_kss, of 255 bits, so that the sum with m_user fits an attribute under every key."""
    return random.bits(SECRET_KEY_BITS)


@dataclass(frozen=True, slots=True, repr=False)
class ServerCommitment:
    """The server's first move.

    Attributes:
        randomizer: w, kept until the answer.
        commitments: what the holder gets, by key. The newer protocol sends `P_commit` alone.
    """

    randomizer: mpz
    commitments: Mapping[KeyName, ProofPCommitment]


def commit(secret: mpz, keys: Keys, random: RandomSource = SYSTEM_RANDOM) -> ServerCommitment:
    """Choose w and return R_0^w and P = R_0^{m_kss} under each key.

    w has the length that hides m_kss best; where a key of 1024 bits is among them that is less, for the response must fit there.

    Source: gabi `keyshare.go` (NewKeyshareCommitments).
    """
    shortest = min((key.params.l_n for key in keys.values()), default=2048)
    randomizer = random.bits(params_for(min(shortest, 2048)).l_m_commit)
    return ServerCommitment(
        randomizer,
        {name: ProofPCommitment(key.power_product(R={0: secret}), key.power_product(R={0: randomizer})) for name, key in keys.items()},
    )


def commit_to_key(secret: mpz, public_key: PublicKey) -> mpz:
    """Return P = R_0^{m_kss}, which an issuer signs as a part of U."""
    return public_key.power_product(R={0: secret})


def respond_old(secret: mpz, randomizer: mpz, challenge: mpz, public_key: PublicKey) -> ProofP:
    """Answer a challenge of the holder's making: s = w + c·m_kss, with P.

    Args:
        secret, randomizer: m_kss and w.
        challenge: c.
        public_key: that of the credentials to be issued, for P.

    Raises:
        InvalidProofError: the challenge is longer than one.

    Source: gabi `legacy.go` (KeyshareResponseLegacy).
    """
    check_challenge(challenge, "challenge")
    return ProofP(challenge, randomizer + challenge * secret, commit_to_key(secret, public_key))


def respond(secret: mpz, randomizer: mpz, hashed: bytes, request: ResponseRequest, keys: Keys) -> ProofP:
    """Make the challenge and answer it for both: s = w + c·m_kss + the holder's response.

    Args:
        secret, randomizer: m_kss and w.
        hashed: what the holder sent before it saw the server's commitments.
        request: its second message.
        keys: the issuers' keys that the server knows.

    Raises:
        UnknownPublicKeyError: the request names another key.
        InvalidProofError: the request is not what was hashed.

    Source: gabi `keyshare.go` (KeyshareResponse).
    """
    for element in request.inputs:
        if element.key is not None and element.key not in keys:
            raise UnknownPublicKeyError(str(element.key))
    if not hmac.compare_digest(commitments_hash(request.inputs), hashed):
        raise InvalidProofError("the commitments are not those of the hash sent before")
    contributions: list[mpz] = []
    for element in request.inputs:
        commitment = element.commitment
        if element.key is not None:
            key = keys[element.key]
            commitment = commitment * key.power_product(R={0: randomizer}) % key.N
        contributions += (element.value, commitment, *element.others)
    challenge = create_challenge(request.context, request.nonce, contributions, request.is_signature)
    return ProofP(challenge, randomizer + challenge * secret + request.user_response)
