"""The description of the gateway's API as an OpenAPI 3.1 document.

One table says what every operation takes and answers; the document of an application holds the operations whose routes it has. The
schemas hold what the gateway promises; requests may hold more, as the reference's do.
"""

from collections.abc import Mapping
from typing import Any, Final

from flask import Flask

from . import api_docs

Json = dict[str, Any]

_TOKEN: Final = {"type": "string", "pattern": "^[a-zA-Z0-9]{20}$"}
_ATTRIBUTE: Final = {"type": "string", "description": "scheme.issuer.credential.attribute", "examples": ["irma-demo.RU.studentCard.level"]}
_STATUSES: Final = ["INITIALIZED", "PAIRING", "CONNECTED", "CANCELLED", "DONE", "TIMEOUT"]
_PROOF_STATUSES: Final = ["VALID", "INVALID", "INVALID_TIMESTAMP", "UNMATCHED_REQUEST", "MISSING_ATTRIBUTES", "EXPIRED"]
_TYPES: Final = ["disclosing", "signing", "issuing"]


def _object(properties: Json, *required: str, description: str = "") -> Json:
    schema: Json = {"type": "object", "properties": properties}
    if required:
        schema["required"] = list(required)
    if description:
        schema["description"] = description
    return schema


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _session_request(kind: str, properties: Json, *required: str) -> Json:
    base: Json = {
        "@context": {"const": f"https://irma.app/ld/request/{kind}/v2"},
        "disclose": _ref("ConDisCon"),
        "clientReturnUrl": {"type": "string", "description": "Where the app goes after the session."},
        "augmentReturnUrl": {"type": "boolean", "description": "Whether the requestor token is added to clientReturnUrl."},
        "labels": {"type": "object", "description": "Texts of the disjunctions, by their number and language."},
        "host": {"type": "string", "description": "The host that app and frontend must come by."},
        "skipExpiryCheck": {"type": ["array", "null"], "items": {"type": "string"}},
    }
    return _object({**base, **properties}, "@context", *required)


_SCHEMAS: Final[Json] = {
    "Error": _object(
        {
            "status": {"type": "integer", "description": "The HTTP status."},
            "error": {"type": "string", "description": "The name of the error, such as INVALID_REQUEST."},
            "description": {"type": "string"},
            "message": {"type": "string", "description": "What exactly is wrong. Where it names no field, the header X-Error-Hint does."},
        },
        "status",
        "error",
    ),
    "AttributeRequest": {
        "description": "An attribute, which may have to hold a value.",
        "oneOf": [
            _ATTRIBUTE,
            _object({"type": _ATTRIBUTE, "value": {"type": ["string", "null"]}, "notNull": {"type": "boolean"}}, "type"),
        ],
    },
    "ConDisCon": {
        "description": "All of: one of: all of these attributes.",
        "type": ["array", "null"],
        "items": {"type": "array", "items": {"type": "array", "items": _ref("AttributeRequest")}},
    },
    "DisclosureRequest": _session_request("disclosure", {}, "disclose"),
    "SignatureRequest": _session_request("signature", {"message": {"type": "string"}}, "disclose", "message"),
    "IssuanceRequest": _session_request("issuance", {"credentials": {"type": "array", "items": _ref("CredentialRequest")}}, "credentials"),
    "CredentialRequest": _object(
        {
            "credential": {"type": "string", "description": "scheme.issuer.credential", "examples": ["irma-demo.RU.studentCard"]},
            "attributes": {"type": "object", "additionalProperties": {"type": "string"}},
            "validity": {"type": "integer", "description": "Unix seconds."},
            "keyCounter": {"type": "integer", "description": "Which key of the issuer; by default the newest."},
            "revocationKey": {"type": "string", "description": "By which the credential can be revoked."},
        },
        "credential",
        "attributes",
    ),
    "SessionRequest": {"anyOf": [_ref("DisclosureRequest"), _ref("SignatureRequest"), _ref("IssuanceRequest")]},
    "ExtendedRequest": _object(
        {
            "request": _ref("SessionRequest"),
            "validity": {"type": "integer", "description": "Seconds that a result JWT is valid."},
            "timeout": {"type": "integer", "description": "Seconds that the app has to begin."},
            "callbackUrl": {"type": "string", "description": "Where the result is posted."},
            "nextSession": _object({"url": {"type": "string", "description": "Where the next session of a chain is asked for."}}),
        },
        "request",
    ),
    "RevocationRequest": _object(
        {
            "@context": {"const": "https://irma.app/ld/request/revocation/v1"},
            "type": {"type": "string", "description": "The credential type."},
            "revocationKey": {"type": "string"},
            "issued": {"type": "integer", "description": "Nanoseconds; absent for all that the key names."},
        },
        "@context",
        "type",
        "revocationKey",
    ),
    "SessionPointer": _object(
        {"u": {"type": "string"}, "irmaqr": {"enum": [*_TYPES, "redirect"]}}, "u", "irmaqr", description="What the QR code holds."
    ),
    "SessionPackage": _object(
        {
            "sessionPtr": _ref("SessionPointer"),
            "token": {**_TOKEN, "description": "Names the session to the requestor. Keep it secret."},
            "frontendRequest": _object(
                {
                    "authorization": {"type": "string", "description": "The secret of the requestor's web page."},
                    "pairingHint": {"type": "boolean"},
                    "minProtocolVersion": {"type": "string"},
                    "maxProtocolVersion": {"type": "string"},
                },
                "authorization",
                "minProtocolVersion",
                "maxProtocolVersion",
            ),
        },
        "sessionPtr",
        "token",
        "frontendRequest",
    ),
    "Status": {"enum": _STATUSES},
    "FrontendStatus": _object({"status": _ref("Status"), "nextSession": _ref("SessionPointer")}, "status"),
    "DisclosedAttribute": _object(
        {
            "rawvalue": {"type": ["string", "null"]},
            "value": {"type": ["object", "null"], "additionalProperties": {"type": "string"}},
            "id": {"type": "string"},
            "status": {"enum": ["PRESENT", "EXTRA", "NULL"]},
            "issuancetime": {"type": "integer"},
            "notrevoked": {"type": "boolean"},
            "notrevokedbefore": {"type": "integer"},
        },
        "rawvalue",
        "value",
        "id",
        "status",
        "issuancetime",
    ),
    "SessionResult": _object(
        {
            "token": _TOKEN,
            "status": _ref("Status"),
            "type": {"enum": _TYPES},
            "proofStatus": {"enum": _PROOF_STATUSES},
            "disclosed": {
                "type": "array",
                "items": {"type": "array", "items": {"oneOf": [_ref("DisclosedAttribute"), {"type": "null"}]}},
            },
            "signature": {"type": "object", "description": "The signed message."},
            "error": _ref("Error"),
            "nextSession": {**_TOKEN, "description": "The requestor token of the next session of a chain."},
        },
        "token",
        "status",
        "type",
    ),
    "SessionOptions": _object(
        {
            "@context": {"const": "https://irma.app/ld/options/v1"},
            "pairingMethod": {"enum": ["none", "pin"]},
            "pairingCode": {"type": "string", "pattern": "^[0-9]{4}$"},
        },
        "@context",
        "pairingMethod",
    ),
    "OptionsRequest": _object(
        {
            "@context": {"const": "https://irma.app/ld/request/frontendoptions/v1"},
            "pairingMethod": {"enum": ["", "none", "pin"]},
        },
        "@context",
    ),
    "ClientSessionRequest": _object(
        {
            "@context": {"const": "https://irma.app/ld/request/client/v1"},
            "protocolVersion": {"type": "string"},
            "options": _ref("SessionOptions"),
            "request": {"type": "object", "description": "The session request; absent until pairing is completed."},
        },
        "@context",
        "protocolVersion",
        "options",
    ),
    "Disclosure": _object(
        {
            "proofs": {"type": "array", "items": {"type": "object"}},
            "indices": {"type": ["array", "null"], "items": {"type": ["array", "null"], "items": {"type": ["object", "null"]}}},
        },
        "proofs",
        "indices",
        description="Proofs of a disclosure; of a signature session, the signed message.",
    ),
    "Commitments": _object(
        {
            "combinedProofs": {"type": "array", "items": {"type": "object"}},
            "n_2": {"type": ["string", "integer"]},
            "indices": {"type": ["array", "null"], "items": {"type": ["array", "null"], "items": {"type": ["object", "null"]}}},
            "proofPJwts": {"type": ["object", "null"], "additionalProperties": {"type": "string"}},
        },
        "combinedProofs",
        "n_2",
        "indices",
    ),
    "ServerSessionResponse": _object(
        {
            "proofStatus": {"enum": _PROOF_STATUSES},
            "sigs": {"type": "array", "items": {"type": "object"}},
            "nextSession": _ref("SessionPointer"),
        },
        "proofStatus",
    ),
    "Live": _object({"status": {"const": "ok"}}, "status"),
    "Health": _object(
        {
            "status": {"enum": ["ok", "warning", "bad"]},
            "components": {
                "type": "object",
                "additionalProperties": _object({"status": {"enum": ["ok", "warning", "bad"]}}, "status"),
            },
        },
        "status",
        "components",
    ),
}


def _answer(description: str, content: Json | None = None) -> Json:
    return {"description": description, **({} if content is None else {"content": content})}


def _json(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


_TEXT: Final = {"text/plain": {"schema": {"type": "string"}}}
_EVENTS: Final = {"text/event-stream": {"schema": {"type": "string"}}}
_CBOR: Final = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_EMPTY: Final = _answer("Done.")


def _operation(
    tag: str,
    summary: str,
    answer: Json,
    *,
    body: Json | None = None,
    security: str | None = None,
    headers: Mapping[str, str] | None = None,
    status: str = "200",
    more: Json | None = None,
) -> Json:
    # The reference's clients read errors of revocation in CBOR too.
    forms = {**_CBOR, **_json(_ref("Error"))} if tag == "Revocation" else _json(_ref("Error"))
    error = _answer("Refused; the body says why.", forms)
    found: Json = {"tags": [tag], "summary": summary, "security": [] if security is None else [{security: []}]}
    if headers:
        found["parameters"] = [
            {"name": name, "in": "header", "required": True, "schema": {"type": "string", "pattern": pattern}}
            for name, pattern in headers.items()
        ]
    if body is not None:
        found["requestBody"] = {"required": True, "content": body}
    nowhere = _answer("There is nothing at this path.", {**_TEXT, **forms})
    found["responses"] = {status: answer, "404": nowhere, "4XX": error, "5XX": error, **(more or {})}
    return found


_VERSIONS: Final = {"X-IRMA-MinProtocolVersion": r"^[0-9]\.[0-9]$", "X-IRMA-MaxProtocolVersion": r"^[0-9]\.[0-9]$"}
_SESSION_BODY: Final = {
    "application/json": {"schema": {"anyOf": [_ref("SessionRequest"), _ref("ExtendedRequest")]}},
    "text/plain": {"schema": {"type": "string", "description": "The same as a JWT."}},
}
_REVOCATION_BODY: Final = {
    "application/json": {"schema": _ref("RevocationRequest")},
    "text/plain": {"schema": {"type": "string", "description": "The same as a JWT."}},
}
_HEALTH: Final = _json(_ref("Health"))

#: What every operation takes and answers, by its method and path.
OPERATIONS: Final[Mapping[tuple[str, str], Json]] = {
    ("POST", "/session"): _operation(
        "Requestor",
        "Start a session",
        _answer("The session.", _json(_ref("SessionPackage"))),
        body=_SESSION_BODY,
        security="requestor",
    ),
    ("DELETE", "/session/{token}"): _operation("Requestor", "Cancel a session", _EMPTY),
    ("GET", "/session/{token}/status"): _operation("Requestor", "Status of a session", _answer("The status.", _json(_ref("Status")))),
    ("GET", "/session/{token}/statusevents"): _operation("Requestor", "Status of a session, as it changes", _answer("Events.", _EVENTS)),
    ("GET", "/session/{token}/result"): _operation(
        "Requestor", "Result of a session", _answer("The result.", _json(_ref("SessionResult")))
    ),
    ("GET", "/session/{token}/result-jwt"): _operation("Requestor", "Result of a session, signed", _answer("A JWT.", _TEXT)),
    ("GET", "/session/{token}/getproof"): _operation(
        "Requestor", "Result of a session, as older clients read it", _answer("A JWT.", _TEXT)
    ),
    ("GET", "/publickey"): _operation("Server", "The key that results are signed with", _answer("PEM.", _TEXT)),
    ("POST", "/revocation"): _operation(
        "Requestor", "Revoke credentials", _answer("OK.", _TEXT), body=_REVOCATION_BODY, security="requestor"
    ),
    ("GET", "/health"): _operation("Server", "That the server answers", _answer("OK.", _TEXT)),
    ("GET", "/health/live"): _operation("Server", "That the process runs", _answer("It runs.", _json(_ref("Live")))),
    ("GET", "/health/ready"): _operation(
        "Server",
        "That the process can work, by component",
        _answer("It can work.", _HEALTH),
        more={"503": _answer("A component is bad.", _HEALTH)},
    ),
    ("GET", "/openapi.json"): _operation("Server", "This description", _answer("OpenAPI 3.1.", _json({"type": "object"}))),
    ("GET", "/docs"): _operation("Server", "This description, to read", _answer("A page.", {"text/html": {"schema": {"type": "string"}}})),
    ("GET", "/docs/style.css"): _operation(
        "Server", "The looks of that page", _answer("CSS.", {"text/css": {"schema": {"type": "string"}}})
    ),
    ("POST", "/irma/session/{token}"): _operation(
        "App", "Start a static session; its name stands in the place of the token", _answer("The QR.", _json(_ref("SessionPointer")))
    ),
    ("GET", "/irma/session/{token}"): _operation(
        "App",
        "Connect to a session",
        _answer("The session.", _json(_ref("ClientSessionRequest"))),
        headers=_VERSIONS,
        security="app",
    ),
    ("DELETE", "/irma/session/{token}"): _operation("App", "Cancel a session", _EMPTY),
    ("GET", "/irma/session/{token}/request"): _operation(
        "App", "The session request, once pairing is completed", _answer("The request.", _json({"type": "object"})), security="app"
    ),
    ("POST", "/irma/session/{token}/proofs"): _operation(
        "App",
        "Answer a disclosure or signature session",
        _answer("The verdict.", _json(_ref("ServerSessionResponse"))),
        body=_json(_ref("Disclosure")),
        security="app",
    ),
    ("POST", "/irma/session/{token}/commitments"): _operation(
        "App",
        "Answer an issuance session",
        _answer("The signatures.", _json(_ref("ServerSessionResponse"))),
        body=_json(_ref("Commitments")),
        security="app",
    ),
    ("GET", "/irma/session/{token}/status"): _operation("App", "Status of a session", _answer("The status.", _json(_ref("Status")))),
    ("GET", "/irma/session/{token}/statusevents"): _operation("App", "Status of a session, as it changes", _answer("Events.", _EVENTS)),
    ("GET", "/irma/session/{token}/frontend/status"): _operation(
        "Frontend", "Status of a session and its successor", _answer("The status.", _json(_ref("FrontendStatus"))), security="frontend"
    ),
    ("GET", "/irma/session/{token}/frontend/statusevents"): _operation(
        "Frontend", "Status of a session and its successor, as they change", _answer("Events.", _EVENTS), security="frontend"
    ),
    ("POST", "/irma/session/{token}/frontend/options"): _operation(
        "Frontend",
        "Choose whether the app is paired",
        _answer("The options in force.", _json(_ref("SessionOptions"))),
        body=_json(_ref("OptionsRequest")),
        security="frontend",
    ),
    ("POST", "/irma/session/{token}/frontend/pairingcompleted"): _operation(
        "Frontend", "The user typed the right code", _EMPTY, status="204", security="frontend"
    ),
    ("GET", "/irma/revocation/{credtype}/events/{counter}/{min}/{max}"): _operation(
        "Revocation", "Events of an accumulator", _answer("The events, in CBOR.", _CBOR)
    ),
    ("GET", "/irma/revocation/{credtype}/update/{count}"): _operation(
        "Revocation", "The newest events of every accumulator", _answer("Updates, in CBOR.", _CBOR)
    ),
    ("GET", "/irma/revocation/{credtype}/update/{count}/{counter}"): _operation(
        "Revocation", "The newest events of one accumulator", _answer("An update, in CBOR.", _CBOR)
    ),
    ("GET", "/irma/revocation/{credtype}/updateevents"): _operation(
        "Revocation", "Updates, as they come", _answer("Updates, in JSON.", _EVENTS)
    ),
    ("POST", "/irma/revocation/{credtype}/issuancerecord/{counter}"): _operation(
        "Revocation", "Keep the record of a credential issued elsewhere", _EMPTY, body=_CBOR
    ),
}

#: How each party shows that it may.
_SECURITY: Final[Json] = {
    "requestor": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "The bare API token of a requestor; none with a JWT.",
    },
    "app": {"type": "apiKey", "in": "header", "name": "Authorization", "description": "A secret that the app chooses when it connects."},
    "frontend": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "`frontendRequest.authorization` of the session.",
    },
}

_PATH_PARAMETERS: Final[Json] = {
    "token": _TOKEN,
    "count": {"type": "integer", "minimum": 0},
    "counter": {"type": "integer", "minimum": 0},
    "min": {"type": "integer", "minimum": 0},
    "max": {"type": "integer", "minimum": 0},
}


def document(app: Flask, prefix: str, version: str) -> Json:
    """Describe an application.

    Args:
        app: the gateway, with all its routes.
        prefix: the path under which they stand, without trailing slash.
        version: of the product.
    """
    served = api_docs.routes(app, prefix)
    paths: Json = {}
    for (method, path), operation in OPERATIONS.items():
        if (method, api_docs.shape(path)) in served:
            paths.setdefault(path, {})[method.lower()] = {**operation, "operationId": _name(method, path)}
    for path, item in paths.items():
        names = api_docs.parameters(path)
        if names:
            item["parameters"] = [
                {"name": name, "in": "path", "required": True, "schema": _PATH_PARAMETERS.get(name, {"type": "string"})} for name in names
            ]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "irmahub gateway",
            "version": version,
            "summary": "The API of irma server: sessions for requestors, apps and frontends.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": prefix or "/"}],
        "tags": [
            {"name": "Requestor", "description": "For backends that start sessions. Who knows the token of a session needs nothing else."},
            {"name": "App", "description": "For the app, with the token that the QR code holds."},
            {"name": "Frontend", "description": "For the requestor's web page."},
            {"name": "Revocation", "description": "For apps and servers that prove that a credential is not revoked."},
            {"name": "Server", "description": "About the server itself."},
        ],
        "paths": paths,
        "components": {"schemas": _SCHEMAS, "securitySchemes": _SECURITY},
    }


def _name(method: str, path: str) -> str:
    """`GET /session/{token}/status` is `getSessionTokenStatus`."""
    words = path.replace("{", "").replace("}", "").replace(".", "/").replace("-", "/").split("/")
    return method.lower() + "".join(word[:1].upper() + word[1:] for word in words)
