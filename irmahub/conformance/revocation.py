"""Vectors of revocation: accumulators, events, updates, witnesses and proofs on their own (revocation.json)."""

import functools
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gmpy2 import mpz

from idemix import cbor
from idemix.challenge import hash_commit
from idemix.errors import ChallengeMismatchError, IdemixError
from idemix.integers import integer_from_bytes
from idemix.keys.private import PrivateKey
from idemix.keys.public import PublicKey
from idemix.revocation import (
    Accumulator,
    Event,
    EventList,
    NonRevocationBuilder,
    NonRevocationProof,
    SignedAccumulator,
    Update,
    Witness,
)
from idemix.revocation.accumulator import event_hash
from idemix.revocation.notation import Message
from irmahub.conformance.core import Case, Context, Departed, Mismatch, expect_equal, judge
from irmahub.conformance.reasons import expect_class

Record = Mapping[str, Any]


def matches(document: Mapping[str, Any]) -> bool:
    """Whether the file holds chains of revocation events."""
    return "chains" in document


def cases(document: Mapping[str, Any], context: Context) -> Iterator[Case]:  # noqa: ARG001 - every shape is called alike
    """Yield the cases of every chain."""
    for chain in document["chains"]:
        name = chain["public_key"]
        public = PublicKey.from_xml(document["public_keys"][name]["public_xml"].encode())
        private = PrivateKey.from_xml(document["private_keys"][name].encode(), demo=True)
        state = _Chain(chain, public, private)
        for group, run in state.groups.items():
            entries = chain.get(group, [])
            for position, record in enumerate(entries if isinstance(entries, list) else [entries]):
                yield Case(f"chains.{group}", f"{name}/{record.get('name', position)}", functools.partial(run, record))
        unknown = {group for group in chain if group not in state.groups and isinstance(chain[group], list | dict)}
        for group in sorted(unknown):
            yield Case(f"chains.{group}", name, functools.partial(_unknown, group))


def _unknown(group: str) -> None:
    raise Mismatch(f"no check takes the list {group}")


class _Chain:
    """One chain with its keys."""

    def __init__(self, chain: Record, public: PublicKey, private: PrivateKey) -> None:
        self._chain = chain
        self._public = public
        self._private = private
        self.groups: Mapping[str, Callable[[Record], Departed | None]] = {
            "accumulators": self._accumulator,
            "signed_accumulators": self._signed_accumulator,
            "events": self._event,
            "event_list": functools.partial(self._event_list, 0),
            "event_list_from_2": functools.partial(self._event_list, 2),
            "updates": self._update,
            "witnesses": self._witness,
            "witness_checks": self._witness_check,
            "witness_updates": self._witness_updates,
            "nonrevocation_proofs": self._proof,
        }

    def _both(self, kind: type[Message], record: Record) -> Any:
        """Read a message in both notations, which say the same, and write it as it was."""
        value = kind.from_json(json.loads(record["json"]), "json")
        expect_equal("JSON", json.dumps(value.to_json(), separators=(",", ":")), record["json"])
        expect_equal("CBOR read", kind.from_cbor(bytes.fromhex(record["cbor_hex"]), "cbor"), value)
        expect_equal("CBOR", value.to_cbor().hex(), record["cbor_hex"])
        return value

    def _accumulator(self, record: Record) -> None:
        accumulator = self._both(Accumulator, record)
        expected = Accumulator(mpz(record["nu"]), record["index"], record["time"], bytes.fromhex(record["event_hash_hex"]))
        expect_equal("accumulator", accumulator, expected)
        if accumulator.index:
            before = Accumulator.from_json(json.loads(self._chain["accumulators"][accumulator.index - 1]["json"]), "json")
            prime = mpz(self._chain["events"][accumulator.index]["e"])
            expect_equal("revoked from the one before", before.without(self._private, [prime], now=accumulator.time), accumulator)

    def _signed_accumulator(self, record: Record) -> None:
        signed = self._both(SignedAccumulator, record)
        expect_equal("signed accumulator", signed, SignedAccumulator(bytes.fromhex(record["data_hex"]), record["pk_counter"]))
        accumulator = signed.verify(self._public)
        expect_equal("message", accumulator.to_cbor().hex(), record["msg_hex"])
        parts = {"Msg": bytes.fromhex(record["msg_hex"]), "Sig": bytes.fromhex(record["sig_hex"])}
        expect_equal("signed message", cbor.encode(parts).hex(), record["data_hex"])
        expect_equal("signed by us", accumulator.sign(self._private).verify(self._public), accumulator)

    def _event(self, record: Record) -> None:
        event = self._both(Event, record)
        expect_equal("event", event, Event(record["index"], mpz(record["e"]), bytes.fromhex(record["parent_hash_hex"])))
        expect_equal("hash", event.hash.hex(), record["hash_hex"])
        expect_equal("hash from its parts", event_hash(event.index, event.parent_hash, event.prime).hex(), record["hash_hex"])

    def _event_list(self, start: int, record: Record) -> None:
        events = self._both(EventList, record)
        single = [Event.from_json(json.loads(event["json"]), "json") for event in self._chain["events"][start:]]
        expect_equal("events", list(events), single)
        expect_equal("list of the events", EventList.of(single), events)

    def _update(self, record: Record) -> Departed | None:
        expected = record["expected"]
        verdict = functools.partial(judge, record, accepted=expected["verdict"] == "valid", crashed=expected["verdict"] == "panic")
        try:
            update = Update.from_json(json.loads(record["json"]), "update")
            accumulator = update.verify(self._public)
        except IdemixError as error:
            if expected["verdict"] != "valid":
                expect_class(expected["error"], error)
            return verdict(error=error)
        outcome = verdict(error=None)
        expect_equal("index", accumulator.index, expected["accumulator_index"])
        expect_equal("events", 0 if update.events is None else len(update.events.primes), expected["events"])
        if "cbor_hex" in record:
            expect_equal("CBOR read", Update.from_cbor(bytes.fromhex(record["cbor_hex"]), "cbor"), update)
            expect_equal("CBOR", update.to_cbor().hex(), record["cbor_hex"])
        if "product_of_all_e" in record and update.events is not None:
            expect_equal("product", update.events.product(update.events.index), mpz(record["product_of_all_e"]))
        return outcome

    def _witness(self, record: Record) -> None:
        witness = self._both(Witness, record)
        expect_equal("u", witness.u, mpz(record["parsed"]["u"]))
        expect_equal("integers of CBOR", integer_from_bytes(cbor.decode(bytes.fromhex(record["cbor_hex"]), "cbor")["u"]), witness.u)
        self._compare_witness(witness, record["parsed"])

    def _compare_witness(self, witness: Witness, recorded: Record) -> None:
        accumulator = witness.verify(self._public)
        expect_equal("u", witness.u, mpz(recorded["u"]))
        expect_equal("e", witness.e, mpz(recorded["e"]))
        expect_equal("updated", witness.updated_at, recorded["updated"])
        state = (accumulator.index, accumulator.time)
        expect_equal("accumulator", state, (recorded["accumulator_index"], recorded["accumulator_time"]))

    def _witness_check(self, record: Record) -> Departed | None:
        accepted = record["expected"]["verdict"] == "valid"
        try:
            Witness.from_json(json.loads(record["json"]), "witness").verify(self._public)
        except IdemixError as error:
            if not accepted:
                expect_class(record["expected"]["error"], error)
            return judge(record, accepted=accepted, error=error)
        return judge(record, accepted=accepted, error=None)

    def _find(self, group: str, name: str) -> Record:
        return next(record for record in self._chain[group] if record["name"] == name)

    def _witness_updates(self, record: Record) -> None:
        witness = Witness.from_json(json.loads(self._find("witnesses", record["witness"])["json"]), "witness")
        for step in record["steps"]:
            update = Update.from_json(json.loads(self._find("updates", step["update"])["json"]), "update")
            error: IdemixError | None = None
            try:
                witness = witness.update(self._public, update)
            except IdemixError as refusal:
                error = refusal
            judge(record, accepted=step["error"] is None, error=error)
            if error is not None:
                expect_class(step["error"], error)
            self._compare_witness(witness, step["witness_after"])

    def _proof(self, record: Record) -> Departed | None:
        if "proof_json" not in record:
            return self._refusing_prover(record)
        accepted = record["expected"]["verdict"] == "valid"
        alpha, challenge, nonce = (mpz(record[name]) for name in ("alpha_response", "challenge", "hash_input_suffix_nonce"))
        posted = json.loads(record["proof_json"])
        # A proof on its own gives the response that within a disclosure proof is the attribute's.
        posted["responses"].pop("alpha", None)
        try:
            proof = NonRevocationProof.from_json(posted)
            proof.check_structure(self._public, alpha, "proof")
            contributions = proof.contributions(self._public, challenge, alpha)
            if hash_commit([*contributions, nonce]) != challenge:
                raise ChallengeMismatchError("challenge mismatch")
        except IdemixError as error:
            if not accepted:
                expect_class(record["expected"]["error"], error)
            return judge(record, accepted=accepted, error=error)
        outcome = judge(record, accepted=accepted, error=None)
        expect_equal("JSON", proof.to_json(), posted)
        recorded = [mpz(value) for value in record["commitment_contributions"]]
        expect_equal("contributions", list(contributions), recorded)
        committed = self._builder(record).commit()
        expect_equal("contributions of the prover", list(committed.contributions), recorded)
        expect_equal("proof made from the prover's state", committed.respond(challenge), proof)
        return outcome

    def _builder(self, record: Record) -> NonRevocationBuilder:
        witness = Witness.from_json(json.loads(self._find("witnesses", record["witness"])["json"]), "witness")
        secrets, randomizers = record["secrets"], record["randomizers"]
        return NonRevocationBuilder(
            public_key=self._public,
            witness=witness,
            nu=witness.verify(self._public).nu,
            r_2=mpz(secrets["epsilon"]),
            r_3=mpz(secrets["zeta"]),
            **{f"{name}_randomizer": mpz(randomizers[name]) for name in ("alpha", "beta", "delta", "epsilon", "zeta")},
        )

    def _refusing_prover(self, record: Record) -> None:
        """A revoked witness put together with a newer accumulator."""
        witness = json.loads(self._find("witnesses", record["witness"])["json"])
        witness["sacc"] = json.loads(self._chain["signed_accumulators"][record["accumulator_index"]]["json"])
        try:
            NonRevocationBuilder.create(self._public, Witness.from_json(witness, "witness"))
        except IdemixError as error:
            expect_class(record["expected"]["error"], error)
            return
        raise Mismatch("proves what the reference refuses to prove")
