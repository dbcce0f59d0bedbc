"""Proofs of our own that verified once verify for ever."""

import json
from pathlib import Path
from typing import Any

import pytest
from gmpy2 import mpz

from idemix.cl.commitment import commit
from idemix.issuance.builder import CredentialBuilder
from idemix.issuance.messages import IssueSignatureMessage
from idemix.json_text import parse_json
from idemix.proofs import CommitmentBuilder, ProofList, verify_proof_list
from tests.support.keys import key_pair

FOLDER = Path(__file__).parents[1] / "frozen"


def records(name: str) -> list[Any]:
    return [pytest.param(record, id=record["name"]) for record in json.loads((FOLDER / name).read_text())]


@pytest.mark.parametrize("record", records("proof_lists.json"))
def test_proof_list(record: dict[str, Any]) -> None:
    verify_proof_list(
        ProofList.from_json(parse_json(json.dumps(record["proofs"]), "proofs")),
        [key_pair(name).public for name in record["keys"]],
        context=mpz(record["context"]),
        nonce=mpz(record["nonce"]),
        is_signature=record["is_signature"],
        keyshare_groups=record["keyshare_groups"],
        blind_indices=record["blind_indices"],
        require_metadata=True,
    )


@pytest.mark.parametrize("record", records("issued_credentials.json"))
def test_issued_credential(record: dict[str, Any]) -> None:
    key = key_pair(record["key"]).public
    shares = {int(index): mpz(value) for index, value in record["shares"].items()}
    state = CommitmentBuilder(key, mpz(record["secret_key"]), mpz(record["v_prime"]), mpz(0), shares, {})
    assert commit(key, state.secret_key, state.v_prime, shares) == mpz(record["U"])
    message = IssueSignatureMessage.from_json(record["message"])
    attributes = [None if value is None else mpz(value) for value in record["attributes"]]
    _, values = CredentialBuilder(state, mpz(record["context"]), mpz(record["nonce2"])).construct(message, attributes)
    assert [str(value) for value in values] == record["values"]
