"""Replays the recorded cases.

Each exchange goes through the whole application. Its clock is set to the moment of the recording, so that recorded JWTs are
replayed as they are.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

import jwt

from gateway.config import ConfigurationError, GatewayConfig, RequestorConfig
from gateway.errors import PermissionRefusedError
from gateway.permissions import NO_PERMISSIONS, PermissionJudge, Permissions, Permitted, Verdict
from gateway.scheme_files import read_tree
from gateway.schemes import FixedSchemes, SchemeSource, read_key_folder
from gateway.startup import decode_secret
from idemix.errors import IdemixError, MalformedRequestError
from idemix.request import Action, parse_revocation_request, parse_session_request
from idemix.scheme.configuration import Configuration
from irmahub.conformance.core import Case, Context, Departed, Mismatch, judge
from irmahub.conformance.server import Answer, Server
from irmahub.conformance.verification import test_configuration

#: Moment of the recordings that do not give one themselves.
RECORDED_AT: Final = datetime(2026, 11, 23, 20, tzinfo=UTC)

#: Texts in Go's own words, and texts that name a file of the recording machine; only their class is compared.
FOREIGN_TEXTS: Final = re.compile(
    r"json: |invalid character |unexpected end of JSON|illegal base64|crypto/rsa|failed to base64|failed to read key of .*: failed to stat|"
    r"invalid key: |x509: |Invalid JWT body: (?:json: |invalid character )|asn1: |strconv\."
)

_CLAIMS: Final = {
    Action.DISCLOSING: ("verification_request", "sprequest"),
    Action.SIGNING: ("signature_request", "absrequest"),
    Action.ISSUING: ("issue_request", "iprequest"),
}


# What all replays share


@cache
def _real_schemes(schemes: Path) -> SchemeSource:
    """irma-demo, whose private keys lie in it, and pbdf, which has none."""
    trees = [read_tree(schemes / name) for name in ("irma-demo", "pbdf")]
    configuration, problems = Configuration.load(trees, now=int(RECORDED_AT.timestamp()))
    if problems:
        raise Mismatch(f"the schemes do not verify: {problems[0]}")
    return FixedSchemes(configuration)


def _compare_text(what: str, ours: str, recorded: str) -> None:
    if ours != recorded and not FOREIGN_TEXTS.match(recorded):
        raise Mismatch(f"{what} is {ours!r}, recorded is {recorded!r}")


def _compare_refusal(ours: Answer, status: int, error: str | None, message: str) -> None:
    body = ours.body if isinstance(ours.body, dict) else {}
    if (ours.status, body.get("error")) != (status, error):
        raise Mismatch(f"answered {ours.status} {body.get('error')}: {body.get('message')}, recorded is {status} {error}: {message}")
    if getattr(ours.error, "departure", None) is None:
        _compare_text("the message", body.get("message", ""), message)


def _require_documented(ours: Answer) -> None:
    if not 400 <= ours.status < 500:
        raise Mismatch(f"answered {ours.status} where the reference crashed: a documented error was expected")


def _idemix_error(ours: Answer) -> IdemixError:
    if not isinstance(ours.error, IdemixError):
        raise Mismatch(f"refused with status {ours.status} without an error of the table: {ours.body}")
    return ours.error


# auth.json


def authentication_cases(document: Mapping[str, Any], context: Context) -> Iterator[Case]:
    """The exchanges of auth.json."""
    server: list[Server] = []

    def the_server() -> Server:
        if not server:
            config = GatewayConfig.from_options(document["configuration"], lower_case_names=True)
            server.append(Server(config, _real_schemes(context.schemes), RECORDED_AT))
        return server[0]

    for case in document["cases"]:
        yield Case("cases", case["name"], partial(_auth, case, the_server))


def _auth(case: Mapping[str, Any], the_server: Callable[[], Server]) -> Departed | None:
    server = the_server()
    server.now = _moment(case)
    headers = case["headers"]
    pairs = list(headers.items()) if isinstance(headers, Mapping) else [(name, value) for name, value in headers]
    ours = server.send(case["method"], case["path"], pairs, _auth_body(case))
    recorded = case["response"]
    accepted_by_us = ours.status == 200 or (isinstance(ours.body, dict) and ours.body.get("error") == "REVOCATION")
    accepted, crashed = case["verdict"] == "accepted", bool(case.get("handler_crashed"))
    if crashed:
        _require_documented(ours)
    if accepted_by_us:
        judge(case, accepted=accepted, crashed=crashed, error=None)
        _compare_accepted(ours, recorded)
        return None
    if accepted:
        return judge(case, accepted=True, error=_idemix_error(ours))
    if not crashed:
        body = recorded["body"]
        if isinstance(body, dict):
            _compare_refusal(ours, recorded["status"], body.get("error"), body.get("message", ""))
        elif (ours.status, ours.body) != (recorded["status"], body):
            raise Mismatch(f"answered {ours.status} {ours.body!r}, recorded is {recorded['status']} {body!r}")
        _compare_text("the content type", ours.content_type, recorded["headers"].get("Content-Type", ""))
    return None


def _moment(case: Mapping[str, Any]) -> datetime:
    """When a case was recorded, from the times in its token."""
    token = case.get("jwt")
    if token is None:
        return RECORDED_AT
    sent = _sent_claims(case["body_as_sent"])
    given = token.get("claims")
    for name, value in given.items() if isinstance(given, Mapping) else ():
        if isinstance(value, Mapping) and "now_plus" in value and "as" not in value and isinstance(sent.get(name), int):
            return datetime.fromtimestamp(sent[name] - value["now_plus"], UTC)
    for name, value in given.items() if isinstance(given, Mapping) else ():
        if isinstance(value, Mapping) and "now_plus" in value and name in sent:
            seconds = float(sent[name]) / (1000 if value.get("as") == "milliseconds" else 1)
            return datetime.fromtimestamp(int(seconds) - value["now_plus"] + (2 if "fraction" in value["as"] else 0), UTC)
    return datetime.fromtimestamp(sent["iat"], UTC) if isinstance(sent.get("iat"), int) and sent["iat"] > 0 else RECORDED_AT


def _sent_claims(body: str) -> Mapping[str, Any]:
    parts = body.strip().strip('"').replace("\n", "").split(".")
    try:
        claims = json.loads(jwt.utils.base64url_decode(parts[1]))
    except (IndexError, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _auth_body(case: Mapping[str, Any]) -> bytes:
    if "json_body" in case:
        return json.dumps(case["json_body"], ensure_ascii=False).encode()
    if "body_as_sent" in case:
        return str(case["body_as_sent"]).encode()
    return _described_body(case["body_description"])


def _described_body(description: str) -> bytes:
    request: dict[str, Any] = {
        "@context": "https://irma.app/ld/request/disclosure/v2",
        "disclose": [[["irma-demo.RU.studentCard.studentID"]]],
    }
    if match := re.fullmatch(r"valid disclosure request with clientReturnUrl of (\d+) characters", description):
        return json.dumps(request | {"clientReturnUrl": "https://example.com/".ljust(int(match[1]), "a")}).encode()
    if match := re.fullmatch(r"disclose with (\d+) nested arrays", description):
        depth = int(match[1])
        return json.dumps(request | {"disclose": 0}).replace('"disclose": 0', f'"disclose": {"[" * depth}{"]" * depth}').encode()
    raise Mismatch(f"the body is described in words that are not understood: {description}")


def _compare_accepted(ours: Answer, recorded: Mapping[str, Any]) -> None:
    if ours.status != recorded["status"]:
        raise Mismatch(f"answered {ours.status}, recorded is {recorded['status']}")
    _compare_text("the content type", ours.content_type, recorded["headers"].get("Content-Type", ""))
    if _without_random_parts(ours.body) != _without_random_parts(recorded["body"]):
        raise Mismatch(f"answered {ours.body}, recorded is {recorded['body']}")


def _without_random_parts(body: Any) -> Any:
    if not isinstance(body, Mapping) or "sessionPtr" not in body:
        return body
    pointer = {**body["sessionPtr"], "u": body["sessionPtr"]["u"].rpartition("/")[0]}
    frontend = {name: value for name, value in body["frontendRequest"].items() if name != "authorization"}
    return {**body, "sessionPtr": pointer, "token": "", "frontendRequest": frontend}


# permissions.json


def permission_cases(document: Mapping[str, Any], context: Context) -> Iterator[Case]:
    """The configurations and requests of permissions.json."""
    configurations = {entry["id"]: entry for entry in document["configurations"]}
    key = document.get("publickey_requestor_private_key", "")
    servers: dict[str, Server] = {}

    def server_of(name: str) -> Server:
        if name not in servers:
            servers.clear()
            config = GatewayConfig.from_options(configurations[name]["config"], command_defaults=False)
            servers[name] = Server(config, _real_schemes(context.schemes), RECORDED_AT)
        return servers[name]

    for entry in configurations.values():
        yield Case("configurations", entry["id"], partial(_start, entry, context.schemes))
    for case in document["cases"]:
        entry = configurations[case["config"]]
        yield Case("cases", case["id"], partial(_permission, case, entry["config"], server_of, context.schemes, key))


def _start(entry: Mapping[str, Any], schemes: Path) -> Departed | None:
    named = {**entry, "name": entry["id"]}
    startup = entry["startup"]
    accepted = startup["verdict"] == "accepted"
    try:
        Server(GatewayConfig.from_options(entry["config"], command_defaults=False), _real_schemes(schemes), RECORDED_AT)
    except ConfigurationError as error:
        if accepted:
            return judge(named, accepted=True, error=error)
        messages = {problem.message for problem in error.problems}
        for recorded in startup.get("errors") or [startup["error"]]:
            if recorded not in messages and not FOREIGN_TEXTS.match(recorded):
                raise Mismatch(f"did not report {recorded!r}, but {sorted(messages)}") from error
        return None
    return judge(named, accepted=accepted, crashed=startup["verdict"] == "crash", error=None)


def _permission(
    case: Mapping[str, Any], config: Mapping[str, Any], server_of: Callable[[str], Server], schemes: Path, key: str
) -> Departed | None:
    named = {**case, "name": case["id"]}
    departed = _judged(named, _verdict(case, config, schemes))
    if "http" in case:
        departed = _posted(named, config, server_of(case["config"]), key) or departed
    return departed


def _verdict(case: Mapping[str, Any], config: Mapping[str, Any], schemes: Path) -> Verdict | IdemixError:
    """Our verdict, or the error with which the request is refused before any permission is considered."""
    own = (config.get("requestors") or {}).get(case["requestor"], {})
    gateway = GatewayConfig(url=config.get("url", ""), port=config["port"])
    judge_of = PermissionJudge(_permissions(own), _permissions(config), gateway.default_host)
    try:
        if case["kind"] == "revocation":
            request = parse_revocation_request(case["request"])
            return judge_of.may_revoke(request, _real_schemes(schemes).current.issuer_keys)
        return judge_of.may_request(parse_session_request(case["request"]).request)
    except MalformedRequestError as error:
        return error


def _permissions(options: Mapping[str, Any]) -> Permissions:
    lists = {name: tuple(options.get(f"{name}_perms") or ()) for name in ("disclose", "sign", "issue", "revoke", "host")}
    return Permissions(**lists)


def _judged(case: Mapping[str, Any], verdict: Verdict | IdemixError) -> Departed | None:
    recorded = case["verdict"]
    if isinstance(verdict, Permitted):
        return judge(case, accepted=recorded == "allowed", crashed=recorded == "crash", error=None)
    if isinstance(verdict, IdemixError):
        if recorded != "invalid request":
            return judge(case, accepted=recorded == "allowed", crashed=recorded == "crash", error=verdict)
        _compare_text("the error", str(verdict), case["reason"])
        return None
    if recorded == "denied":
        _compare_text("the reason", verdict.reason, case["reason"])
        return None
    if recorded == "invalid request":
        raise Mismatch(f"denied ({verdict.reason}) what the reference calls an invalid request")
    refusal = PermissionRefusedError(verdict.reason, departure=verdict.departure)
    return judge(case, accepted=recorded == "allowed", crashed=recorded == "crash", error=refusal)


def _posted(case: Mapping[str, Any], config: Mapping[str, Any], server: Server, key: str) -> Departed | None:
    """Send the request through the whole API."""
    recorded = case["http"]
    headers, body = _signed(case, config, server.now, key)
    ours = server.send("POST", "/revocation" if case["kind"] == "revocation" else "/session", headers, body)
    if case["verdict"] == "crash":
        _require_documented(ours)
        return None
    if ours.status == 200:
        judge(case, accepted=recorded["status"] == 200, error=None)
        if ours.body["sessionPtr"]["irmaqr"] != recorded["session_type"]:
            raise Mismatch(f"started a session of type {ours.body['sessionPtr']['irmaqr']}")
        # The recorder took what stands after the second slash; it noted nothing for a server without URL.
        if "session_url_host" in recorded:
            _compare_text("the host of the session", ours.body["sessionPtr"]["u"].split("/")[2], recorded["session_url_host"])
        return None
    if recorded["status"] == 200:
        return judge(case, accepted=True, error=_idemix_error(ours))
    if "error" not in recorded:
        # The reference's answer holds two JSON texts: an error, and after it a session that it started all the same.
        recorded = json.JSONDecoder().raw_decode(recorded["message"])[0]
    _compare_refusal(ours, recorded["status"], recorded.get("error"), recorded.get("message", ""))
    return None


def _signed(case: Mapping[str, Any], config: Mapping[str, Any], now: datetime, key: str) -> tuple[list[tuple[str, str]], bytes]:
    """Headers and body of a request, authenticated as its requestor."""
    request = case["request"]
    if case["auth"] in ("none", "token"):
        token = [] if case["auth"] == "none" else [("Authorization", config["requestors"][case["requestor"]]["key"])]
        return [("Content-Type", "application/json"), *token], json.dumps(request).encode()
    if case["kind"] == "revocation":
        claims = {"sub": "revocation_request", "revrequest": request}
    else:
        inner = request.get("request", request)
        subject, claim = next(pair for action, pair in _CLAIMS.items() if _CONTEXT_WORDS[action] in inner["@context"])
        claims = {"sub": subject, claim: request if "request" in request else {"request": request}}
    claims |= {"iss": case["requestor"], "iat": int(now.timestamp())}
    if case["auth"] == "publickey":
        token_text = jwt.encode(claims, key, algorithm="RS256")
    else:
        token_text = jwt.encode(claims, decode_secret(config["requestors"][case["requestor"]]["key"]), algorithm="HS256")
    return [("Content-Type", "text/plain")], token_text.encode()


_CONTEXT_WORDS: Final = {Action.DISCLOSING: "/disclosure/", Action.SIGNING: "/signature/", Action.ISSUING: "/issuance/"}


# The lists of requests.json


def table_cases(entries: Iterable[Mapping[str, Any]]) -> Iterator[Case]:
    """The permission tables of requests.json."""
    for case in entries:
        yield Case("permissions", case["name"], partial(_table_permission, case))


def _table_permission(case: Mapping[str, Any]) -> Departed | None:
    own = case["requestors"].get(case["requestor"])
    host = GatewayConfig(url=case["server_url"]).default_host
    permissions = NO_PERMISSIONS if own is None else _permissions(own)
    verdict = PermissionJudge(permissions, _permissions(case["global_permissions"]), host).may_request(
        parse_session_request(case["request"]).request
    )
    return _judged({**case, "verdict": "allowed" if case["allowed"] else "denied"}, verdict)


def jwt_cases(group: Mapping[str, Any], context: Context) -> Iterator[Case]:
    """The JWTs of requests.json."""
    server: list[Server] = []

    def the_server() -> Server:
        if not server:
            now = datetime.fromtimestamp(group["evaluated_at"], UTC)
            keys = read_key_folder(context.schemes / "testdata" / "privatekeys")
            schemes = FixedSchemes(test_configuration(context.schemes, group["evaluated_at"]), keys)
            server.append(Server(_jwt_config(group), schemes, now))
        return server[0]

    for case in group["cases"]:
        yield Case("jwts", case["name"], partial(_jwt, case, the_server))


def _jwt_config(group: Mapping[str, Any]) -> GatewayConfig:
    everything = ("*",)
    permissions = Permissions(disclose=everything, sign=everything, issue=everything)
    requestors = {
        name: RequestorConfig(
            auth_method=content["auth_method"],
            key=content.get("key_base64") or content.get("public_key_pem") or content.get("token", ""),
            permissions=permissions,
        )
        for name, content in group["requestors"].items()
    }
    return GatewayConfig(url="https://irma.example.com/irma/", requestors=requestors, max_request_age=group["max_request_age"])


def _jwt(case: Mapping[str, Any], the_server: Callable[[], Server]) -> Departed | None:
    ours = the_server().send("POST", "/session", [("Content-Type", case.get("content_type", "text/plain"))], case["jwt"].encode())
    if ours.status == 200:
        judge(case, accepted=case["verdict"] == "accepted", error=None)
        if ours.body["sessionPtr"]["irmaqr"] != case["irmaqr"]:
            raise Mismatch(f"started a session of type {ours.body['sessionPtr']['irmaqr']}")
        return None
    if case["verdict"] == "accepted":
        return judge(case, accepted=True, error=_idemix_error(ours))
    if case["status"] == 500:
        _require_documented(ours)
    else:
        _compare_refusal(ours, case["status"], case["error"], case["message"])
    return None
