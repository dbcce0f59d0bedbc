"""What of an answer must be as it was recorded.

Status, media type and other recorded headers, JSON but for the order of keys, and the sequence of events. What only the recorder
could make is checked instead: a credential must verify, a JWT be signed with our key and say the same. Texts in the recorder's
programming language are not compared; a field or number that they name must be named.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx
import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from gmpy2 import mpz

from gateway.errors import UnsupportedError
from idemix.cl.signature import CLSignature
from idemix.errors import IdemixError
from idemix.issuance.messages import IssueCommitmentMessage, IssueSignatureMessage
from idemix.json_text import parse_json
from idemix.request import IssuanceRequest
from idemix.request.attribute_list import attribute_list
from idemix.session.errors import UnexpectedRequestError
from idemix.session.issuing import Commitments
from irmahub.conformance.core import Departed, Mismatch, expect_equal, judge_refusal
from irmahub.conformance.server import Answer, Events, Server
from irmahub.conformance.transcripts.recording import Message
from irmahub.conformance.verification import comparable_disclosed

#: Texts of Go's libraries.
_FOREIGN_TEXTS: Final = re.compile(r"json: |invalid character |unexpected end of JSON|illegal base64|strconv\.|Error type: ")
#: What such a text names: a field, or the status that another server answered with.
_NAMED: Final = re.compile(r"Go struct field \w+\.(?:\w+\.)*(\w+) of type|unexpected response, status (\d+)")
#: Texts that list identifiers, in no order.
_LISTS: Final = re.compile(r"(Unknown identifiers|Required attributes are missing): (.*)")
#: The media type of an answer that the reference remembered.
_REMEMBERED: Final = "text/plain; charset=utf-8"
_OPEN: Final = "event: open"
#: The times of our JWTs are compared with the clock of the replay, not with that of this machine.
_TIMELESS: Final = {"verify_exp": False, "verify_iat": False}


def compare(recorded: Message, ours: Answer, server: Server) -> Departed | None:
    """Compare an answer with the recorded one.

    Returns:
        None where they agree, `Departed` where a documented rule refuses.

    Raises:
        Mismatch: they differ.
    """
    if recorded.error == "INTERNAL_ERROR":
        _require_documented(ours)
        return None
    if ours.status != recorded.status:
        if recorded.chunks == () and isinstance(ours.error, UnexpectedRequestError):
            # The recorder's server ended the session while it was asked for events, and opened a stream on which nothing came.
            return None
        if ours.status >= 400 and recorded.status < 400 and isinstance(ours.error, IdemixError):
            return judge_refusal(ours.error)
        raise Mismatch(f"answered {ours.status} {_told(ours.body)}, recorded is {recorded.status} {_told(recorded.json)}")
    _compare_headers(recorded, ours)
    if recorded.chunks is not None:
        return None
    if recorded.path.endswith(("/result-jwt", "/getproof")) and recorded.status == 200:
        _compare_jwts(ours.body, recorded.response_body, server)
    elif recorded.response_body.startswith("-----BEGIN PUBLIC KEY-----"):
        _public_key(ours.body)
    elif recorded.json is None:
        expect_equal("the body", ours.body, recorded.response_body)
    else:
        departed = _departure(ours)
        _compare_json(recorded.json, ours.body, "", compares_text=departed is None)
        if recorded.json and isinstance(recorded.json, dict) and "sigs" in recorded.json:
            _check_credentials(recorded, ours.body["sigs"], server)
        return departed if _is_two_answers(recorded) else None
    return None


def compare_events(recorded: Message, ours: Answer) -> None:
    """Compare a stream. It opens once; the recorder's said so to all listeners at each new one, and not to those that left before."""
    if not isinstance(ours.body, Events):
        return
    expected = [chunk for chunk in recorded.chunks or () if not chunk.startswith(_OPEN)]
    messages = ours.body.take(at_least=len(expected) + 1)
    expect_equal("the first message", messages[:1], [f"{_OPEN}\n\n"])
    expect_equal("the events", [_event(message) for message in messages[1:]], [_event(chunk) for chunk in expected])


def _event(text: str) -> Any:
    return parse_json(text.removeprefix("data: ").encode(), "event")


def compare_call(position: int, recorded: Message, ours: Sequence[httpx.Request], server: Server) -> None:
    """Compare a call to a requestor."""
    if position >= len(ours):
        raise Mismatch(f"only {len(ours)} calls were made")
    request = ours[position]
    expect_equal("the method", request.method, recorded.method)
    expect_equal("the path", request.url.raw_path.decode(), recorded.path)
    for name, value in recorded.headers.items():
        expect_equal(f"the header {name}", request.headers.get(name), value)
    body = request.content.decode()
    if recorded.headers.get("Content-Type", "").startswith("text/plain"):
        _compare_jwts(body, recorded.request_body, server)
    else:
        _compare_json(parse_json(recorded.request_body.encode(), "body"), parse_json(request.content, "body"), "")


def _is_two_answers(recorded: Message) -> bool:
    """Whether the reference wrote an error and went on nevertheless."""
    return recorded.response_body.count('{"status"') == 1 and '}{"sessionPtr"' in recorded.response_body


def _departure(ours: Answer) -> Departed | None:
    rule = getattr(ours.error, "departure", None)
    return judge_refusal(ours.error) if rule and isinstance(ours.error, IdemixError) else None


def _told(body: Any) -> str:
    """The name and message of an error."""
    return f"{body.get('error')}: {body.get('message')}" if isinstance(body, Mapping) else ""


def _require_documented(ours: Answer) -> None:
    """Where the recorder crashed, ours tells of a fault of the sender, and which."""
    if not 400 <= ours.status < 500 or not ours.body.get("message"):
        raise Mismatch(f"answered {ours.status} {_told(ours.body)} where the reference crashed: a documented error was expected")


def _compare_headers(recorded: Message, ours: Answer) -> None:
    for name, value in recorded.response_headers.items():
        if name == "Content-Type" and value == _REMEMBERED and recorded.json is not None:
            # The reference sends an answer that it remembered as text. Ours is the first answer once more.
            value = "application/json; charset=UTF-8"
        expect_equal(f"the header {name}", ours.headers.get(name.lower()), value)
    if not recorded.content_type:
        expect_equal("the header Content-Type", ours.content_type, "")


def _compare_json(recorded: Any, ours: Any, where: str, *, compares_text: bool = True) -> None:
    if isinstance(recorded, Mapping) and isinstance(ours, Mapping):
        expect_equal(f"the keys of {where or 'the body'}", sorted(ours), sorted(recorded))
        for key, value in recorded.items():
            path = f"{where}.{key}" if where else key
            if key == "message" and "error" in recorded:
                if compares_text:
                    _compare_text(value, ours[key])
            elif key == "disclosed":
                expect_equal(path, comparable_disclosed(ours[key]), comparable_disclosed(value))
            elif key == "validity":
                # The recorder's server read its clock for it some milliseconds later than we do, perhaps in the next second.
                if not abs(ours[key] - value) <= 1:
                    expect_equal(path, ours[key], value)
            elif key == "sigs":
                expect_equal(f"the shape of {path}", _shape(ours[key]), _shape(value))
            else:
                _compare_json(value, ours[key], path, compares_text=compares_text)
    elif isinstance(recorded, list) and isinstance(ours, list):
        expect_equal(f"the length of {where}", len(ours), len(recorded))
        for position, (theirs, own) in enumerate(zip(recorded, ours, strict=True)):
            _compare_json(theirs, own, f"{where}[{position}]", compares_text=compares_text)
    else:
        expect_equal(where or "the body", ours, recorded)


def _shape(value: Any) -> Any:
    """A JSON value with each text and number replaced by its kind."""
    if isinstance(value, Mapping):
        return {key: _shape(inner) for key, inner in value.items()}
    return [_shape(inner) for inner in value] if isinstance(value, list) else type(value).__name__


def _compare_text(recorded: str, ours: str) -> None:
    if _FOREIGN_TEXTS.match(recorded):
        named = [name for match in _NAMED.finditer(recorded) for name in match.groups() if name]
        if not ours or not all(name in ours for name in named):
            raise Mismatch(f"the message is {ours!r}, which does not name what {recorded!r} names")
        return
    expect_equal("the message", _without_order(ours), _without_order(recorded))


def _without_order(text: str) -> Any:
    match = _LISTS.fullmatch(text)
    return text if match is None else (match[1], sorted(match[2].split(", ")))


def _public_key(pem: str) -> RSAPublicKey:
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Mismatch(f"the public key cannot be read: {error}") from error
    if not isinstance(key, RSAPublicKey):
        raise Mismatch("the public key is no RSA key")
    return key


def _compare_jwts(ours: str, recorded: str, server: Server) -> None:
    """Compare the claims of two JWTs, ours signed with the key that we publish. Of their times, the difference must be the same."""
    signer = server.gateway.signer
    if signer is None:
        raise UnsupportedError("the gateway has no key for JWTs")
    try:
        claims = jwt.decode(ours, _public_key(signer.public_key_pem().decode()), algorithms=["RS256"], options=_TIMELESS)
    except jwt.InvalidTokenError as error:
        raise Mismatch(f"the JWT does not verify: {error}") from error
    theirs = jwt.decode(recorded, options={"verify_signature": False})
    expect_equal("the header of the JWT", jwt.get_unverified_header(ours), jwt.get_unverified_header(recorded))
    if abs(server.now.timestamp() - claims["iat"]) > 2:
        raise Mismatch(f"the JWT was issued at {claims['iat']}, the clock stands at {server.now}")
    for times in (claims, theirs):
        if "exp" in times:
            times["exp"] -= times["iat"]
        del times["iat"]
    # Of the recorder's configuration it is not known whether it names an issuer.
    claims.pop("iss", None)
    theirs.pop("iss", None)
    _compare_json(theirs, claims, "")


def _check_credentials(recorded: Message, sigs: list[Any], server: Server) -> None:
    """Check the credentials that we issued, as far as that goes without the app's secrets: A^e · S^v · U · ∏ R_i^{m_i} = Z.

    The issuer's proof is checked as the app does.
    """
    session = server.gateway.store.get_by_client_token(recorded.path.split("/")[3])
    request, configuration = session.request.request, server.gateway.schemes.current.configuration
    if not isinstance(request, IssuanceRequest):
        raise Mismatch("credentials in a session that issues none")
    message = IssueCommitmentMessage.from_json(parse_json(recorded.request_body.encode(), "body"))
    commitments = Commitments.of(message, request, configuration, now=server.now)
    expect_equal("the number of credentials", len(sigs), len(request.credentials))
    for sig, credential, wanted, proof in zip(sigs, request.credentials, commitments.wanted, commitments.proofs, strict=True):
        issued = IssueSignatureMessage.from_json(sig)
        attributes = attribute_list(credential, wanted.type, signed_at=int(server.now.timestamp()))
        shares = issued.m_issuer
        values = [mpz(0), *(value if value is not None else shares[index] for index, value in enumerate(attributes, start=1))]
        signature = CLSignature(issued.signature.A, issued.signature.e, issued.signature.v, keyshare_p=proof.U)
        try:
            issued.proof.verify(wanted.public_key, issued.signature, context=request.proof_context(), nonce=message.nonce2)
            signature.verify(wanted.public_key, values)
        except IdemixError as error:
            raise Mismatch(f"a credential that was issued does not verify: {error}") from error
