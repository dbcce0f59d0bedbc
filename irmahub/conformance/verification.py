"""Recorded verifications of disclosures and signed messages against their requests (verify.json)."""

import base64
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

from gateway.scheme_files import read_configuration
from idemix.errors import IdemixError
from idemix.json_text import parse_json
from idemix.messages import Disclosure, SignedMessage
from idemix.request import DisclosureRequest, SignatureRequest
from idemix.request.base import DISCLOSURE_FIELDS, SessionRequest, read_base, read_disclosure
from idemix.request.reading import Fields
from idemix.scheme.configuration import Configuration
from idemix.timestamp import ED25519, NO_KEYS, TimestampKeys
from idemix.verification import ProofStatus, Verified, disclosed_to_json, verify_disclosure, verify_signed_message
from irmahub.conformance.core import Case, Context, Departed, Mismatch, judge
from irmahub.conformance.reasons import expect_class


def matches(document: Mapping[str, Any]) -> bool:
    """Cases with a request and a response."""
    return any("response_json" in case for case in document.get("cases", ()))


def cases(document: Mapping[str, Any], context: Context) -> Iterator[Case]:
    """Every case."""
    now = datetime.fromtimestamp(document["evaluated_at"], UTC)
    for case in document["cases"]:
        yield Case("cases", case["name"], partial(_run, case, context.schemes, now, document.get("timestamp_server")))


@cache
def test_configuration(schemes: Path, now: int) -> Configuration:
    """The reference's test configuration, which all recordings use."""
    configuration, problems = read_configuration(schemes / "testdata" / "irma_configuration", now)
    if problems:
        raise Mismatch(f"the test configuration cannot be read: {problems[0]}")
    return configuration


def recorded_timestamp_keys(public_key_hex: str, configuration: Configuration) -> TimestampKeys:
    """The key that the recorder's stand-in trusts; it stood in for the server that each scheme names."""
    key = f"{ED25519}-{base64.b64encode(bytes.fromhex(public_key_hex)).decode()}"
    return TimestampKeys.parse({scheme.timestamp_server: [key] for scheme in configuration.schemes.values() if scheme.timestamp_server})


def _run(case: Mapping[str, Any], schemes: Path, now: datetime, timestamp_server: Mapping[str, Any] | None) -> Departed | None:
    expected = case["expected"]
    configuration = test_configuration(schemes, int(now.timestamp()))
    keys = NO_KEYS
    if timestamp_server is not None:
        keys = recorded_timestamp_keys(timestamp_server["trusted_ed25519_public_key_hex"], configuration)
    try:
        verified = _verify(case, configuration, now, keys)
    except IdemixError as error:
        refused = expected["verdict"] in (ProofStatus.INVALID.value, "panic", "parse_error")
        if expected.get("error"):
            expect_class(expected["error"], error)
        return judge(case, accepted=not refused, crashed=expected["verdict"] == "panic", error=error)
    if expected["verdict"] in ("panic", "parse_error"):
        if verified.status is not ProofStatus.INVALID:
            raise Mismatch(f"{verified.status.value}, where the reference gives no verdict")
        return None
    if verified.status.value != expected["verdict"]:
        if verified.refusal is not None:
            return judge(case, accepted=True, error=verified.refusal)
        raise Mismatch(f"{verified.status.value}, recorded {expected['verdict']}")
    ours, recorded = disclosed_to_json(verified.disclosed), _without_future(expected.get("disclosed") or [], now)
    if comparable_disclosed(ours) != comparable_disclosed(recorded):
        raise Mismatch(f"disclosed {ours}, recorded {expected.get('disclosed')}")
    return None


def _verify(case: Mapping[str, Any], configuration: Configuration, now: datetime, timestamp_keys: TimestampKeys) -> Verified:
    request = None if case["request_json"] in (None, "null") else _request(case["request_json"])
    if case["kind"] == "signature":
        message = SignedMessage.parse(case["response_json"])
        if request is not None and not isinstance(request, SignatureRequest):
            raise Mismatch("the request is no signature request")
        return verify_signed_message(message, request, configuration, now=now, timestamp_keys=timestamp_keys)
    if request is None:
        raise Mismatch("a disclosure has a request")
    return verify_disclosure(Disclosure.from_json(parse_json(case["response_json"], "response")), request, configuration, now=now)


def _request(text: str) -> SessionRequest:
    """Read a request without the rules on requests: the recorder verified against some that break them."""
    fields = Fields.read(parse_json(text, "request"), "", DISCLOSURE_FIELDS | {"message"})
    condiscon, disclosure = read_disclosure(fields)
    arguments = {"disclose": condiscon.unchecked(), **disclosure, **read_base(fields)}
    if fields.text("@context") == SignatureRequest.LD_CONTEXT:
        return SignatureRequest(message=fields.text("message"), **arguments)
    return DisclosureRequest(**arguments)


def _without_future(disclosed: list[Any], now: datetime) -> list[Any]:
    """The recorded attributes without moments to come up to which they are said not to be revoked.

    For an accumulator that is newer than its clock the reference subtracts below zero without sign and so takes it for too old.
    """
    return [
        group
        and [
            {key: value for key, value in attribute.items() if key != "notrevokedbefore" or value <= now.timestamp()} for attribute in group
        ]
        for group in disclosed
    ]


def comparable_disclosed(disclosed: list[Any]) -> list[Any]:
    """Lists of attributes, those of extra ones (whose order is not fixed) without their order."""
    return [
        Counter(json.dumps(attribute, sort_keys=True) for attribute in group)
        if group and all(attribute["status"] == "EXTRA" for attribute in group)
        else group
        for group in disclosed
    ]
