"""Who does something: every method of a service takes an `Actor`, authorises it and writes it in the audit."""

from dataclasses import dataclass
from enum import Enum


class ActorKind(Enum):
    """How the actor came in."""

    USER = "user"
    TOKEN = "token"  # noqa: S105 - the word of the audit, not a secret
    SYSTEM = "system"
    COMMAND = "command"


class Role(Enum):
    """The roles of row G2."""

    ADMIN = "admin"
    SCHEME_MANAGER = "scheme_manager"
    SIGNER = "signer"
    ISSUER_OWNER = "issuer_owner"
    REQUESTOR_ADMIN = "requestor_admin"
    AUDITOR = "auditor"


@dataclass(frozen=True, slots=True)
class Grant:
    """A role, within a scope.

    Attributes:
        role: what the actor is.
        scope: `*` for everything, else the identifier of a scheme (`scheme:irma-demo`), an issuer
            (`issuer:irma-demo.RU`) or an organisation (`organisation:7`).
    """

    role: Role
    scope: str = "*"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts.

    Attributes:
        kind: user, token, system or command.
        name: the user's name, the token's name, the part of the system, or the operating system's user.
        grants: roles within scopes; system and command actors hold the role admin.
        user_id: the row of the user, where there is one.
        actions: the only actions (`gateway.authorization.Action` values) it may take, for tokens; None for no such limit.
        address: the network address it came from, or None.
        request_id: the id of the request, as it stands in logs and audit.
    """

    kind: ActorKind
    name: str
    grants: tuple[Grant, ...] = ()
    user_id: int | None = None
    address: str | None = None
    request_id: str | None = None
    actions: frozenset[str] | None = None


def system_actor(part: str) -> Actor:
    """The product itself, e.g. `worker` or `demo`."""
    return Actor(ActorKind.SYSTEM, part, (Grant(Role.ADMIN),))


def command_actor(operator: str) -> Actor:
    """Somebody at the command line, who has the files and so may do everything; `operator` is the operating system's user."""
    return Actor(ActorKind.COMMAND, operator, (Grant(Role.ADMIN),))
