"""Which form a request has, how it is read, and what is refused with which words."""

import json
from typing import Any

import pytest

from idemix.errors import MalformedRequestError
from idemix.request import (
    DisclosureRequest,
    IssuanceRequest,
    RequestorRequest,
    RequestRuleError,
    SignatureRequest,
    parse_revocation_request,
    parse_session_request,
    request_from_claims,
    revocation_from_claims,
)
from idemix.request.legacy import NotConvertibleError, to_old_json
from tests.support.sessions import DISCLOSURE, ISSUANCE, SIGNATURE, STUDENT_CARD, disclosure, issuance, signature

LEVEL = "irma-demo.RU.studentCard.level"
REVOCATION = "https://irma.app/ld/request/revocation/v1"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (disclosure([[LEVEL]]), DisclosureRequest),
        (signature("m", [[LEVEL]]), SignatureRequest),
        (issuance(STUDENT_CARD), IssuanceRequest),
        ({"request": disclosure([[LEVEL]])}, DisclosureRequest),
        ({"type": "disclosing", "content": [{"label": "l", "attributes": [LEVEL]}]}, DisclosureRequest),
        ({"type": "signing", "message": "m", "content": [{"attributes": {LEVEL: "4"}}]}, SignatureRequest),
        ({"type": "issuing", "credentials": [STUDENT_CARD]}, IssuanceRequest),
        ({"request": {"type": "issuing", "credentials": [STUDENT_CARD]}}, IssuanceRequest),
    ],
)
def test_shapes(text: dict[str, Any], kind: type) -> None:
    parsed = parse_session_request(json.dumps(text))
    assert type(parsed.request) is kind
    assert parse_session_request(json.dumps(parsed.to_json()).encode()).to_json() == parsed.to_json()


def test_a_request_is_restored_as_it_was() -> None:
    base = {
        "context": "AQ==",
        "nonce": "",
        "protocolVersion": "2.8",
        "type": "disclosing",
        "devMode": True,
        "clientReturnUrl": "https://r?a=b",
        "augmentReturnUrl": True,
        "host": "h:1",
        "labels": {"0": {"en": "level", "nl": "niveau"}, "-1": None},
        "skipExpiryCheck": ["irma-demo.RU.studentCard"],
        "revocation": {"irma-demo.MijnOverheid.root": {"tolerance": 9, "updates": {"2": {"sacc": 1.5}}}, "irma-demo.RU.studentCard": {}},
        "disclose": [[[LEVEL, {"type": LEVEL, "value": "", "notNull": True}], []], [["irma-demo.RU.studentCard"]]],
    }
    credentials = [
        {**STUDENT_CARD, "validity": 0, "keyCounter": 3, "revocationKey": "key", "revocationSupported": True},
        {"credential": "irma-demo.RU.studentCard", "attributes": {"level": "é"}, "randomblindIDs": ["a"], "sdJwtBatchSize": 2},
    ]
    wrapper = {"validity": 5, "timeout": 6, "callbackUrl": "https://c", "nextSession": {"url": "https://n"}}
    for request in (
        {**base, "@context": DISCLOSURE},
        {**base, "@context": SIGNATURE, "message": "m"},
        {**base, "@context": ISSUANCE, "credentials": credentials},
    ):
        for whole in (request, {**wrapper, "request": request}):
            parsed = parse_session_request(json.dumps(whole))
            assert RequestorRequest.restored(json.loads(json.dumps(parsed.to_json()))) == parsed


def test_wrapper_fields_and_their_defaults() -> None:
    bare = parse_session_request(disclosure([[LEVEL]]))
    assert (bare.validity_seconds, bare.timeout_seconds, bare.callback_url, bare.next_session_url) == (120, 0, "", None)
    wrapped = parse_session_request(
        {"validity": 5, "timeout": 6, "callbackUrl": "https://c", "nextSession": {"url": "https://n"}, "request": disclosure([[LEVEL]])}
    )
    assert (wrapped.validity_seconds, wrapped.timeout_seconds, wrapped.callback_url, wrapped.next_session_url) == (
        *(5, 6, "https://c"),
        "https://n",
    )


def test_context_at_the_top_decides() -> None:
    with pytest.raises(RequestRuleError, match="Disclosure request had no attributes"):
        parse_session_request({"@context": DISCLOSURE, "request": disclosure([[LEVEL]])})


@pytest.mark.parametrize(
    ("body", "where", "text"),
    [
        ({"@context": "x"}, "@context", "Invalid session request type"),
        ({"request": {"@context": "x"}}, "request.@context", "Invalid requestor request type"),
        ({}, "@context", "Failed to JSON unmarshal request bytes"),
        (disclosure(), "disclose", "Disclosure request had no attributes"),
        (disclosure([[LEVEL]], []), "disclose[1]", "Empty disjunction"),
        (disclosure([["a.b"]]), "disclose[0][0][0]", "Expected attribute request to consist of 4 or 3 parts, 2 found"),
        ({"request": disclosure([["a"]])}, "request.disclose[0][0][0]", "Expected attribute request to consist of 4 or 3 parts, 1 found"),
        (disclosure([["a.b.c.d", "a.b.x.d", "a.b.c.e"]]), "disclose[0][0][2]", "Within inner conjunctions, attributes from the same"),
        (signature("", [[LEVEL]]), "message", "Signature request had empty message"),
        (signature("m"), "disclose", "Signature request had no attributes"),
        (issuance(), "credentials", "Empty issuance request"),
        (issuance({"credential": "a.b"}), "credentials[0].credential", "Expected credential ID to consist of 3 parts, 2 found"),
    ],
)
def test_rules_in_the_words_of_the_reference(body: dict[str, Any], where: str, text: str) -> None:
    with pytest.raises(RequestRuleError) as refusal:
        parse_session_request(body)
    assert refusal.value.where == where
    assert str(refusal.value).startswith(text)


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b"", "body"),
        (b"[]", "body"),
        (b'{"a":1}x', "body"),
        (b'{"@context":NaN}', "body"),
        (disclosure([[LEVEL]], labels=[]), "labels"),
        (disclosure([[LEVEL]], labels={"x": {}}), "labels"),
        (disclosure([[LEVEL]], nonce=-1), "nonce"),
        (disclosure([[LEVEL]], nonce="!"), "nonce"),
        (disclosure([[LEVEL]], protocolVersion="2.8.1"), "protocolVersion"),
        (disclosure([[LEVEL]], devMode="yes"), "devMode"),
        (disclosure([[LEVEL]], skipExpiryCheck=[5]), "skipExpiryCheck[0]"),
        (disclosure([[LEVEL]], revocation={"a.b.c": {"tolerance": -1}}), "revocation.a.b.c.tolerance"),
        (disclosure([[{"type": LEVEL, "value": 5}]]), "disclose[0][0][0].value"),
        ({"timeout": 1.5, "request": disclosure([[LEVEL]])}, "timeout"),
        ({"timeout": 2**63, "request": disclosure([[LEVEL]])}, "timeout"),
        ({"timeout": True, "request": disclosure([[LEVEL]])}, "timeout"),
        ({"nextSession": "x", "request": disclosure([[LEVEL]])}, "nextSession"),
        (issuance(None), "credentials[0]"),
        (issuance({**STUDENT_CARD, "validity": "5"}), "credentials[0].validity"),
        (issuance({**STUDENT_CARD, "keyCounter": -1}), "credentials[0].keyCounter"),
        (issuance({**STUDENT_CARD, "attributes": {"level": 4}}), "credentials[0].attributes.level"),
    ],
)
def test_malformed_requests_name_the_field(body: Any, where: str) -> None:
    with pytest.raises(MalformedRequestError) as refusal:
        parse_session_request(body if isinstance(body, bytes) else json.dumps(body))
    assert refusal.value.where == where
    assert refusal.value.departure is None


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(MalformedRequestError, match="nested") as refusal:
        parse_session_request(b"[" * 100_000)
    assert refusal.value.departure == "json-limits"


@pytest.mark.parametrize(
    "body",
    [
        '{"@context":"%s","@context":"%s","disclose":[[["%s"]]]}',
        '{"@context":"%s","@Context":"%s","disclose":[[["%s"]]]}',
    ],
)
def test_doubled_key_is_refused(body: str) -> None:
    with pytest.raises(MalformedRequestError) as refusal:
        parse_session_request(body % (DISCLOSURE, DISCLOSURE, LEVEL))
    assert refusal.value.departure == "doubled-key"


def test_keys_in_any_case_and_unknown_keys() -> None:
    parsed = parse_session_request({"@CONTEXT": DISCLOSURE, "DISCLOSE": [[[{"TYPE": LEVEL, "notnull": True}]]], "diſclose2": 1, "foo": []})
    assert parsed.request.to_json() == disclosure([[{"type": LEVEL, "notNull": True}]])
    # Go folds the long s as well.
    assert parse_session_request({"@context": DISCLOSURE, "diſclose": [[[LEVEL]]]}).request.to_json() == disclosure([[LEVEL]])


def test_null_is_absence() -> None:
    parsed = parse_session_request({"validity": None, "nextSession": None, "request": disclosure([[LEVEL]], labels=None, revocation=None)})
    assert parsed.to_json() == {"validity": 120, "request": disclosure([[LEVEL]])}
    assert parse_session_request(disclosure([None, [LEVEL]][1:], labels={"0": None})).request.labels == {0: None}
    assert parse_session_request(disclosure([[LEVEL], None])).request.disclose[0][1] == ()


def test_text_that_is_no_unicode_becomes_replacement_characters() -> None:
    body = json.dumps(signature("MESSAGE", [[LEVEL]])).replace("MESSAGE", "a\\ud800b").encode()
    parsed = parse_session_request(body)
    assert isinstance(parsed.request, SignatureRequest)
    assert parsed.request.message == "a\ufffdb"
    assert "\ufffd" in str(parse_session_request(json.dumps(disclosure([[LEVEL]], host="H")).encode().replace(b"H", b"\xff")).request.host)


def test_revocation_as_list_is_the_map_with_defaults() -> None:
    parsed = parse_session_request(disclosure([[LEVEL]], revocation=["a.b.c"]))
    assert parsed.request.to_json()["revocation"] == {"a.b.c": {}}
    updates = {"2": {"sacc": {"data": "AA==", "pk": 2}}}
    wanted = {"a.b.c": {"tolerance": 60, "updates": updates}}
    assert parse_session_request(disclosure([[LEVEL]], revocation=wanted)).request.to_json()["revocation"] == wanted


# The old form -------------------------------------------------------------------------------------------------------------


def test_old_form_in_and_out() -> None:
    old = {"type": "disclosing", "content": [{"label": "L", "attributes": {LEVEL: "4"}}, {"label": "M", "attributes": [LEVEL, "a.b.c"]}]}
    parsed = parse_session_request(old).request
    assert parsed.is_legacy
    assert parsed.to_json() == {
        **disclosure([[{"type": LEVEL, "value": "4"}]], [[LEVEL], ["a.b.c"]], type="disclosing"),
        "labels": {"0": {"en": "L", "nl": "L"}, "1": {"en": "M", "nl": "M"}},
    }
    assert to_old_json(parsed) == old


def test_conjunction_has_no_old_form() -> None:
    with pytest.raises(NotConvertibleError, match=r"^request not convertible to legacy request$"):
        to_old_json(parse_session_request(disclosure([[LEVEL, "irma-demo.RU.studentCard.studentID"]])).request)


# JWT claims ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "claim", "request_json"),
    [
        ("verification_request", "sprequest", disclosure([[LEVEL]])),
        ("disclosing", "sprequest", disclosure([[LEVEL]])),
        ("signature_request", "absrequest", signature("m", [[LEVEL]])),
        ("signing", "absrequest", signature("m", [[LEVEL]])),
        ("issue_request", "iprequest", issuance(STUDENT_CARD)),
        ("issuing", "iprequest", issuance(STUDENT_CARD)),
    ],
)
def test_claims(subject: str, claim: str, request_json: dict[str, Any]) -> None:
    parsed = request_from_claims({"sub": subject, "iat": 1, claim: {"validity": 60, "request": request_json}})
    assert parsed.to_json() == {"validity": 60, "request": request_json}


def test_claim_in_the_old_form() -> None:
    old = {"type": "issuing", "credentials": [STUDENT_CARD]}
    assert request_from_claims({"sub": "issue_request", "iprequest": {"request": old}}).request.is_legacy


@pytest.mark.parametrize(
    ("claims", "text"),
    [
        ({}, "Invalid session type"),
        ({"sub": "sigrequest"}, "Invalid session type"),
        ({"sub": "verification_request"}, "Not a ServiceProviderRequest"),
        ({"sub": "verification_request", "sprequest": {}}, "Not a ServiceProviderRequest"),
        ({"sub": "signature_request", "absrequest": None}, "Not a SignatureRequestorRequest"),
        ({"sub": "issue_request", "iprequest": {"request": None}}, "Not a IdentityProviderRequest"),
        ({"sub": "issue_request", "iprequest": {"request": disclosure([[LEVEL]])}}, "Not an issuance request"),
        ({"sub": "verification_request", "sprequest": disclosure([[LEVEL]])}, "Not a ServiceProviderRequest"),
    ],
)
def test_claims_without_their_request(claims: dict[str, Any], text: str) -> None:
    with pytest.raises(RequestRuleError, match=text):
        request_from_claims(claims)


def test_revocation_request() -> None:
    wanted = {"@context": REVOCATION, "type": "a.b.c", "revocationKey": "k", "issued": 1_700_000_000_000_000_000}
    assert parse_revocation_request(json.dumps(wanted)).to_json() == wanted
    assert revocation_from_claims({"revrequest": wanted}).to_json() == wanted
    assert parse_revocation_request({"@context": REVOCATION, "type": "a.b.c"}).issued_ns == 0
    for other in ({}, {"revrequest": {"type": "a.b.c"}}, {"revrequest": {"@context": ISSUANCE, "type": "a.b.c"}}):
        with pytest.raises(MalformedRequestError, match="not a revocation request"):
            revocation_from_claims(other)


def test_field_that_is_read_and_not_used() -> None:
    assert "requestSdJwts" not in parse_session_request(issuance(STUDENT_CARD, requestSdJwts=True)).request.to_json()
    with pytest.raises(MalformedRequestError, match="requestSdJwts"):
        parse_session_request(issuance(STUDENT_CARD, requestSdJwts="yes"))


@pytest.mark.parametrize(
    ("written", "version"),
    [("2.8", "2.8"), ("2.10", "2.10"), ('"2.10"', "2.10"), ("2.8e0", None), ("28e-1", None), ("2", None), ("{}", None)],
)
def test_a_version_is_read_as_it_is_written(written: str, version: str | None) -> None:
    text = json.dumps(disclosure([[LEVEL]]) | {"protocolVersion": 777}).replace("777", written)
    if version is None:
        with pytest.raises(MalformedRequestError) as refusal:
            parse_session_request(text)
        assert refusal.value.where == "protocolVersion"
    else:
        assert str(parse_session_request(text).request.protocol_version) == version


def test_a_version_of_another_form_in_the_words_of_the_reference() -> None:
    with pytest.raises(RequestRuleError, match=r"^Invalid protocol version number: not of form x\.y$"):
        parse_session_request(json.dumps(disclosure([[LEVEL]]) | {"protocolVersion": "2.8.1"}))


@pytest.mark.parametrize(
    ("key", "index"),
    [
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("+1", 1),
        ("0" * 30 + "1", 1),
        ("9223372036854775808", None),
        ("", None),
    ],
)
def test_labels_have_64_bit_indices(key: str, index: int | None) -> None:
    body = disclosure([[LEVEL]]) | {"labels": {key: {"en": "a"}}}
    if index is None:
        with pytest.raises(MalformedRequestError, match="labels"):
            parse_session_request(body)
    else:
        assert parse_session_request(body).request.labels == {index: {"en": "a"}}


@pytest.mark.parametrize("counter", ["-1", "+1", "18446744073709551616"])
def test_key_counters_of_updates_are_unsigned(counter: str) -> None:
    type_id = "irma-demo.MijnOverheid.root"
    with pytest.raises(MalformedRequestError, match="updates"):
        parse_session_request(disclosure([[LEVEL]]) | {"revocation": {type_id: {"updates": {counter: None}}}})
    parsed = parse_session_request(disclosure([[LEVEL]]) | {"revocation": {type_id: {"updates": {"18446744073709551615": None}}}})
    assert next(iter(parsed.request.revocation.values())).updates == {2**64 - 1: {}}
