"""Credentials."""

from dataclasses import replace

import pytest
from gmpy2 import mpz

from idemix.cl.signature import sign
from idemix.credential.attributes import credential_hash
from idemix.credential.credential import Credential, generate_secret_key
from idemix.credential.metadata import MetadataAttribute
from idemix.errors import InvalidSignatureError
from idemix.proofs import build_proof_list, verify_proof_list
from tests.support.keys import key_pair
from tests.support.randomness import SeededRandom

PAIR = key_pair("issuer-1024")
METADATA = MetadataAttribute.create("a.b.c", signed_at=1_700_000_000, expires_at=1_800_000_000, key_counter=0)
VALUES = (generate_secret_key(SeededRandom()), METADATA.encode(), mpz(3))
CREDENTIAL = Credential(PAIR.public, sign(PAIR.private, PAIR.public, VALUES, SeededRandom()), VALUES)


def test_knows_its_metadata_and_hash() -> None:
    CREDENTIAL.verify()
    assert CREDENTIAL.metadata == METADATA
    assert CREDENTIAL.hash == credential_hash(VALUES[1:])


def test_repr_shows_no_attribute() -> None:
    assert not any(str(value) in repr(CREDENTIAL) for value in VALUES)


def test_another_attribute_is_refused() -> None:
    with pytest.raises(InvalidSignatureError):
        replace(CREDENTIAL, attributes=(*VALUES[:2], mpz(4))).verify()


def test_discloses() -> None:
    proofs = build_proof_list([CREDENTIAL.disclosure_builder({1})], context=1, nonce=2, is_signature=True)
    verify_proof_list(proofs, [PAIR.public], context=1, nonce=2, is_signature=True, require_metadata=True)


def test_secret_keys_have_255_bits() -> None:
    keys = [generate_secret_key() for _ in range(64)]
    assert len(set(keys)) == 64
    assert max(key.bit_length() for key in keys) == 255
