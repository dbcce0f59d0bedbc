"""Recorded authentication, permissions and start-up verdicts of the reference's server, against a gateway of ours.

The gateway is loaded only when there is a file for it, so that the vectors of the engine run without it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from irmahub.conformance.core import Case, Context


def matches(document: Mapping[str, Any]) -> bool:
    """Exchanges about authentication, permissions of configurations, and the two lists of this kind in requests.json."""
    return is_authentication(document) or "configurations" in document or isinstance(document.get("jwts"), Mapping)


def cases(document: Mapping[str, Any], context: Context) -> Iterator[Case]:
    """Every case."""
    from irmahub.conformance.gateway import replay

    if is_authentication(document):
        yield from replay.authentication_cases(document, context)
    if "configurations" in document:
        yield from replay.permission_cases(document, context)
    if isinstance(document.get("jwts"), Mapping):
        yield from replay.jwt_cases(document["jwts"], context)
        yield from replay.table_cases(document.get("permissions", ()))


def is_authentication(document: Mapping[str, Any]) -> bool:
    """HTTP exchanges with the configuration of the server that answered them."""
    return "configuration" in document and any("response" in case and "method" in case for case in document.get("cases", ()))
