"""Recorded session requests: how they are read, written back, converted to the old form and started (requests.json)."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

from idemix.errors import IdemixError, UnknownIdentifierError
from idemix.keys.private import PrivateKey
from idemix.keys.public import PublicKey
from idemix.request import RequestorRequest, parse_session_request
from idemix.request.legacy import NotConvertibleError, to_old_json
from idemix.request.validation import UnknownIdentifiersError
from idemix.scheme.configuration import Configuration
from idemix.scheme.identifiers import IssuerId
from idemix.session.engine import EngineSettings, SessionEngine
from idemix.session.randomness import SystemRandomness
from idemix.session.session import Session
from irmahub.conformance.core import Case, Context, Departed, Mismatch, judge
from irmahub.conformance.verification import test_configuration

#: When the requests were started; the recording itself does not say. Keys and expiries allow any moment of that year.
_STARTED_AT = datetime(2026, 11, 23, tzinfo=UTC)
#: What the recording has in place of values that are fresh in every session.
_FRESH = "(fresh)"
_IN_SIX_MONTHS = "(now + 6 months)"


def matches(document: Mapping[str, Any]) -> bool:
    """The list `session_requests`; JWTs and permissions of the same file belong to another module."""
    return isinstance(document.get("session_requests"), list)


def cases(document: Mapping[str, Any], context: Context) -> Iterator[Case]:
    """Every request."""
    for case in document["session_requests"]:
        yield Case("session_requests", case["name"], partial(_run, case, context.schemes))


class KeyFiles:
    """The private keys of the recorder: those in the schemes, and a folder of `scheme.issuer.xml` and `scheme.issuer.N.xml`."""

    def __init__(self, configuration: Configuration, folder: Path) -> None:
        self._configuration = configuration
        self._files: dict[IssuerId, list[bytes]] = {}
        for path in sorted(folder.glob("*.xml")):
            self._files.setdefault(IssuerId(".".join(path.name.split(".")[:2])), []).append(path.read_bytes())

    def signing_key(self, issuer: IssuerId, counter: int | None = None) -> tuple[PublicKey, PrivateKey]:
        """The key pair of a counter, or the one of the highest."""
        contents = [*self._files.get(issuer, ()), *self._configuration.private_key_files(issuer).values()]
        keys = {key.counter: key for key in (PrivateKey.from_xml(content, demo=True) for content in contents)}
        chosen = max(keys, default=None) if counter is None else counter
        if chosen not in keys:
            raise UnknownIdentifierError(str(issuer), f"no private key of {issuer}")
        return self._configuration.public_key(issuer, chosen), keys[chosen]


@cache
def _engine(schemes: Path) -> SessionEngine:
    configuration = test_configuration(schemes, int(_STARTED_AT.timestamp()))
    keys = KeyFiles(configuration, schemes / "testdata" / "privatekeys")
    settings = EngineSettings(url="http://localhost:48682/irma/")
    return SessionEngine(configuration, keys, settings, lambda: _STARTED_AT, SystemRandomness(), lambda error: {"error": error.code})


def _run(case: Mapping[str, Any], schemes: Path) -> Departed | None:
    verdict = case["verdict"]
    try:
        request = parse_session_request(case["json"])
    except IdemixError as error:
        if verdict == "parse_error":
            _compare_text(error, case["error"])
            return None
        return judge(case, accepted=verdict == "accepted", crashed=verdict == "panic", error=error)
    if verdict in ("parse_error", "panic"):
        raise Mismatch("read what the reference does not")
    unordered = "unstable_order" in case
    _compare("requestor_request", request.to_json(), case["requestor_request"], unordered=unordered)
    _compare("session_request", request.request.to_json(), case["session_request"], unordered=unordered)
    _compare("legacy", _old_form(request), case["legacy"])
    if request.request.is_legacy != case["was_legacy"] or request.request.action.value != case["action"]:
        raise Mismatch("read as another kind of request")
    try:
        session, package = _engine(schemes).start(request)
    except IdemixError as error:
        if verdict == "start_error":
            _compare_text(error, case["error"])
            return None
        return judge(case, accepted=True, error=error)
    if verdict == "start_error":
        raise Mismatch("started what the reference refuses")
    frontend = package.to_json()["frontendRequest"]
    _compare(
        "started",
        {
            "irmaqr": package.pointer.action.value,
            "pairingHint": package.pairing_hint,
            **{name: frontend[name] for name in ("minProtocolVersion", "maxProtocolVersion")},
        },
        case["started"],
    )
    recorded = case["session_request_after_start"]
    _compare("session_request_after_start", _masked(session, recorded), recorded, unordered=unordered)
    return None


def _old_form(request: RequestorRequest) -> dict[str, Any]:
    try:
        return {"request": to_old_json(request.request)}
    except NotConvertibleError as error:
        return {"error": str(error)}


def _masked(session: Session, recorded: Mapping[str, Any]) -> dict[str, Any]:
    """The request of a started session, with the fresh values put as the recording puts them, where it does."""
    written = session.request.request.to_json()
    if recorded.get("nonce") == _FRESH and session.request.request.nonce is not None:
        written["nonce"] = _FRESH
    months_later = int(datetime(2027, 5, 23, tzinfo=UTC).timestamp())
    for credential, credential_recorded in zip(written.get("credentials", ()), recorded.get("credentials", ()), strict=True):
        if credential_recorded.get("validity") == _IN_SIX_MONTHS and credential["validity"] == months_later:
            credential["validity"] = _IN_SIX_MONTHS
    return written


def _compare(what: str, ours: Any, recorded: Any, *, unordered: bool = False) -> None:
    """Compare two JSON values.

    Args:
        what: for the mismatch.
        ours, recorded: the values.
        unordered: whether the order of alternatives varies between runs of the recorder.
    """
    if _comparable(ours, unordered) != _comparable(recorded, unordered):
        raise Mismatch(f"{what}: {json.dumps(ours)}, recorded {json.dumps(recorded)}")


def _comparable(value: Any, unordered: bool) -> Any:
    """JSON with null in place of empty lists and objects, which readers of requests do not tell apart."""
    if isinstance(value, Mapping):
        return {name: _comparable(item, unordered) for name, item in value.items()} or None
    if isinstance(value, list):
        items = [_comparable(item, unordered) for item in value]
        return (sorted(items, key=json.dumps) if unordered else items) or None
    return value


#: Texts of the recorder's language library, which others cannot be expected to use, and one with a misspelling.
_LIBRARY_TEXT = re.compile(r"json: |strconv|invalid character|unexpected end of JSON|runtime error|Unexpected negative|cannot requet")
_KEY = re.compile(r"-\d+$")


def _listed(text: str) -> list[str]:
    """The start of a text and the identifiers that it lists, of which the recorder keeps no order."""
    start, colon, identifiers = text.partition(": ")
    return [start, *identifiers.split(", ")] if colon else [text]


def _compare_text(error: IdemixError, recorded: str) -> None:
    """Compare the reason with the recorded one, where the reference has words of its own for it."""
    if _LIBRARY_TEXT.match(recorded):
        return
    ours = str(error)
    if isinstance(error, UnknownIdentifiersError) and any(_KEY.search(identifier) for identifier in error.identifiers):
        # The recorder writes no comma after a key and then cuts off two characters.
        if not recorded.startswith("Unknown identifiers: "):
            raise Mismatch(f"refused with {ours!r}, recorded {recorded!r}")
        return
    if sorted(_listed(ours)) != sorted(_listed(recorded)):
        raise Mismatch(f"refused with {ours!r}, recorded {recorded!r}")
