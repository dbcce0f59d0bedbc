"""The routes of revocation: the roles of this installation, what is revoked, and revoking."""

from dataclasses import dataclass

from flask import Response, request

from console.api.authentication import caller
from console.api.blueprint import answer, api, body, limit, number
from console.authentication import services
from gateway.inputs import InvalidInputError, Message
from gateway.revocation.settings import TypeSettings
from idemix.scheme.identifiers import CredentialTypeId


@dataclass(frozen=True, slots=True)
class Role:
    """What the installation is to be for a credential type; as in `gateway.revocation.settings.TypeSettings`."""

    authority: bool = False
    server: bool = False
    revocation_server_url: str = ""
    tolerance: int = 0
    sse: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Revoked:
    """What to revoke: what was issued under this key; `issued` is a moment of issue in Unix nanoseconds, 0 for any."""

    revocation_key: str
    issued: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Count:
    """How many credentials were revoked."""

    revoked: int


@api.get("/revocation")
def list_revocation() -> Response:
    """The roles of the installation and the state of the chains."""
    return answer(services().revocation.status(caller()))


@api.get("/revocation/<credential_type_id>")
def show_revocation(credential_type_id: str) -> Response:
    """The same of one credential type."""
    return answer(services().revocation.status(caller(), CredentialTypeId(credential_type_id))[0])


@api.put("/revocation/<credential_type_id>")
def set_revocation(credential_type_id: str) -> Response:
    """Give the installation a role for a credential type."""
    role = body(Role)
    url = role.revocation_server_url.rstrip("/")
    settings = TypeSettings(role.authority, role.server, url, role.tolerance, role.sse)
    return answer(services().revocation.configure(caller(), CredentialTypeId(credential_type_id), settings, reason=role.reason or None))


@api.delete("/revocation/<credential_type_id>")
def unset_revocation(credential_type_id: str) -> tuple[str, int]:
    """Take the role away; chain and records stay."""
    services().revocation.unset(caller(), CredentialTypeId(credential_type_id), reason=request.args.get("reason") or None)
    return "", 204


@api.get("/revocation/<credential_type_id>/revoked")
def list_revoked(credential_type_id: str) -> Response:
    """What was revoked and has not expired, the newest issued first; `before` goes on behind a record."""
    found = services().revocation.revoked(
        caller(), CredentialTypeId(credential_type_id), key_counter=number("key"), before=number("before"), limit=limit()
    )
    return answer(found)


@api.post("/revocation/<credential_type_id>/revoke")
def revoke_credentials(credential_type_id: str) -> Response:
    """Revoke what was issued under a revocation key."""
    wanted = body(Revoked)
    if not wanted.revocation_key:
        raise InvalidInputError({"revocation_key": Message("name the key under which it was issued")})
    count = services().revocation.revoke(
        caller(), CredentialTypeId(credential_type_id), wanted.revocation_key, issued_ns=wanted.issued, reason=wanted.reason or None
    )
    return answer(Count(count))
