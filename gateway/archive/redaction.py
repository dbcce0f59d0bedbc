"""The request of a session without its values."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from idemix.request.requestor import RequestorRequest

#: Stands where a value was.
MARKER: Final = "•"

_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){0,3}")


def redacted_request(wrapper: RequestorRequest) -> dict[str, Any]:
    """Describe a session request without values.

    Identifiers and the structure of the request stay. Values of attributes, wanted or to be issued, the message to be signed and
    revocation keys become `MARKER`; of addresses the origin stays, since path and query may name a person; labels are left out.

    Args:
        wrapper: the request as the requestor sent it, with its wrapper.
    """
    request: Mapping[str, Any] = wrapper.request.to_json()
    result: dict[str, Any] = {"type": wrapper.request.action.value}
    if request.get("disclose"):
        result["disclose"] = [[[_attribute(one) for one in inner] for inner in outer] for outer in request["disclose"]]
    if request.get("credentials"):
        result["credentials"] = [_credential(one) for one in request["credentials"]]
    if "message" in request:
        result["message"] = MARKER
    if request.get("revocation"):
        result["revocation"] = [_identifier(one) for one in request["revocation"]]
    if request.get("skipExpiryCheck"):
        result["skipExpiryCheck"] = [_identifier(one) for one in request["skipExpiryCheck"]]
    addresses = {"clientReturnUrl": request.get("clientReturnUrl"), "callbackUrl": wrapper.callback_url}
    addresses["nextSession"] = wrapper.next_session_url
    result |= {name: _origin(address) for name, address in addresses.items() if address}
    if request.get("host"):
        result["host"] = request["host"]
    return result


def _attribute(value: Any) -> Any:
    if isinstance(value, str):
        return _identifier(value)
    result: dict[str, Any] = {"type": _identifier(value["type"])}
    if value.get("value") is not None:
        result["value"] = MARKER
    if value.get("notNull"):
        result["notNull"] = True
    return result


def _credential(value: Mapping[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {"credential": _identifier(value["credential"])}
    result["attributes"] = {_identifier(name): MARKER for name in value.get("attributes") or ()}
    for name in ("validity", "keyCounter"):
        if isinstance(value.get(name), int):
            result[name] = value[name]
    if value.get("revocationKey"):
        result["revocationKey"] = MARKER
    return result


def _identifier(text: object) -> str:
    return text if isinstance(text, str) and len(text) <= 200 and _IDENTIFIER.fullmatch(text) else MARKER


def _origin(address: str) -> str:
    """Scheme, host and port of an address; user and password, path, query and fragment may hold anything."""
    try:
        parts = urlsplit(address)
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        return MARKER
    if not parts.scheme or not parts.hostname:
        return MARKER
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{port}/{MARKER}"
