"""Who may do what: one table of actions and roles, and one function that asks it.

An object is named by its scope: `*` (the whole installation), `scheme:ID`, `issuer:ID`, `organisation:ID`. A grant for `*`
covers all, a grant for a scheme covers its issuers, every other grant covers the object of its own name. An action on an object
that belongs to several scopes may be taken where one of them is covered.
"""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Final

from .actor import Actor, Role


class Action(Enum):
    """Everything that can be done, named `object.verb` as it stands in the audit and in the scopes of API tokens."""

    SCHEME_VIEW = "scheme.view"
    SCHEME_IMPORT = "scheme.import"
    SCHEME_EDIT = "scheme.edit"
    SCHEME_CHECK = "scheme.check"
    SCHEME_SETTINGS = "scheme.settings"
    SCHEME_DELETE = "scheme.delete"
    SCHEME_PUBLISH = "scheme.publish"
    SCHEME_APPROVE = "scheme.approve"
    SCHEME_SIGN = "scheme.sign"
    SCHEME_KEY_IMPORT = "scheme_key.import"
    SCHEME_KEY_EXPORT = "scheme_key.export"
    SCHEME_KEY_GENERATE = "scheme_key.generate"
    ISSUER_KEY_VIEW = "issuer_key.view"
    ISSUER_KEY_GENERATE = "issuer_key.generate"
    ISSUER_KEY_IMPORT = "issuer_key.import"
    ISSUER_KEY_EXPORT = "issuer_key.export"
    ISSUER_KEY_ROTATE = "issuer_key.rotate"
    ISSUER_KEY_DELETE = "issuer_key.delete"
    ISSUER_KEY_USE = "issuer_key.use"
    CREDENTIAL_REVOKE = "credential.revoke"
    REVOCATION_VIEW = "revocation.view"
    REVOCATION_EDIT = "revocation.edit"
    REQUESTOR_VIEW = "requestor.view"
    REQUESTOR_EDIT = "requestor.edit"
    REQUESTOR_SUSPEND = "requestor.suspend"
    REQUESTOR_KEYS = "requestor.keys"
    REQUESTOR_PERMISSIONS = "requestor.permissions"
    SESSION_VIEW = "session.view"
    SESSION_CANCEL = "session.cancel"
    DELIVERY_RESEND = "delivery.resend"
    JOB_VIEW = "job.view"
    JOB_START = "job.start"
    JOB_CANCEL = "job.cancel"
    USER_VIEW = "user.view"
    USER_EDIT = "user.edit"
    ORGANISATION_EDIT = "organisation.edit"
    AUDIT_VIEW = "audit.view"
    AUDIT_VERIFY = "audit.verify"
    CUSTODY_VIEW = "custody.view"
    CUSTODY_MANAGE = "custody.manage"
    SYSTEM_VIEW = "system.view"


_EVERYBODY: Final = frozenset(Role)
_SCHEMES: Final = frozenset({Role.SCHEME_MANAGER})
_KEYS: Final = frozenset({Role.SCHEME_MANAGER, Role.ISSUER_OWNER})
_REQUESTORS: Final = frozenset({Role.REQUESTOR_ADMIN})
_READS_REQUESTORS: Final = frozenset({Role.REQUESTOR_ADMIN, Role.AUDITOR})
_NOBODY_ELSE: Final[frozenset[Role]] = frozenset()

#: Action -> the roles that may take it, beside admin, which may take all.
ROLES: Final[Mapping[Action, frozenset[Role]]] = {
    Action.SCHEME_VIEW: _EVERYBODY,
    Action.SCHEME_IMPORT: _SCHEMES,
    Action.SCHEME_EDIT: _KEYS,
    Action.SCHEME_CHECK: _KEYS | {Role.SIGNER, Role.AUDITOR},
    Action.SCHEME_SETTINGS: _SCHEMES,
    Action.SCHEME_DELETE: _SCHEMES,
    Action.SCHEME_PUBLISH: _SCHEMES,
    Action.SCHEME_APPROVE: frozenset({Role.SIGNER}),
    Action.SCHEME_SIGN: _SCHEMES | {Role.SIGNER},
    Action.SCHEME_KEY_IMPORT: _SCHEMES,
    Action.SCHEME_KEY_EXPORT: _SCHEMES,
    Action.SCHEME_KEY_GENERATE: _SCHEMES,
    Action.ISSUER_KEY_VIEW: _EVERYBODY,
    Action.ISSUER_KEY_GENERATE: _KEYS,
    Action.ISSUER_KEY_IMPORT: _KEYS,
    Action.ISSUER_KEY_EXPORT: _KEYS,
    Action.ISSUER_KEY_ROTATE: _KEYS,
    Action.ISSUER_KEY_DELETE: _KEYS,
    Action.ISSUER_KEY_USE: _NOBODY_ELSE,
    Action.CREDENTIAL_REVOKE: _KEYS,
    Action.REVOCATION_VIEW: _KEYS | {Role.AUDITOR},
    Action.REVOCATION_EDIT: _KEYS,
    Action.REQUESTOR_VIEW: _READS_REQUESTORS,
    Action.REQUESTOR_EDIT: _REQUESTORS,
    Action.REQUESTOR_SUSPEND: _REQUESTORS,
    Action.REQUESTOR_KEYS: _REQUESTORS,
    Action.REQUESTOR_PERMISSIONS: _REQUESTORS,
    Action.SESSION_VIEW: _READS_REQUESTORS,
    Action.SESSION_CANCEL: _REQUESTORS,
    Action.DELIVERY_RESEND: _REQUESTORS,
    Action.JOB_VIEW: _EVERYBODY,
    Action.JOB_START: _KEYS | {Role.SIGNER},
    Action.JOB_CANCEL: _KEYS | {Role.SIGNER},
    Action.USER_VIEW: frozenset({Role.AUDITOR}),
    Action.USER_EDIT: _NOBODY_ELSE,
    Action.ORGANISATION_EDIT: _NOBODY_ELSE,
    Action.AUDIT_VIEW: frozenset({Role.AUDITOR}),
    Action.AUDIT_VERIFY: frozenset({Role.AUDITOR}),
    Action.CUSTODY_VIEW: frozenset({Role.AUDITOR}),
    Action.CUSTODY_MANAGE: _NOBODY_ELSE,
    Action.SYSTEM_VIEW: frozenset({Role.AUDITOR}),
}

#: An object without a scope of its own.
EVERYTHING: Final = "*"


class PermissionDeniedError(Exception):
    """The actor may not do this.

    Attributes:
        actor: who.
        action: what.
        object: the scopes of what it was asked for.
        reason: why not, in a sentence that names the roles that may.
    """

    def __init__(self, actor: Actor, action: Action, object_scopes: Sequence[str], reason: str) -> None:
        super().__init__(f"{actor.name} may not {action.value} on {' or '.join(object_scopes)}: {reason}")
        self.actor = actor
        self.action = action
        self.object = tuple(object_scopes)
        self.reason = reason


def authorize(actor: Actor, action: Action, object: str | Sequence[str] = EVERYTHING) -> None:
    """Demand that the actor may take an action.

    Args:
        actor: who.
        action: what.
        object: the scope of the object, or all scopes it belongs to.

    Raises:
        PermissionDeniedError: no role of the actor allows it there, or its token is not made for it.
    """
    scopes = (object,) if isinstance(object, str) else tuple(object)
    if actor.actions is not None and action.value not in actor.actions:
        raise PermissionDeniedError(actor, action, scopes, "the token was not made for this action")
    roles = ROLES[action] | {Role.ADMIN}
    if any(grant.role in roles and covers(grant.scope, scope) for grant in actor.grants for scope in scopes):
        return
    allowed = " or ".join(sorted(role.value for role in roles))
    raise PermissionDeniedError(actor, action, scopes, f"it takes the role {allowed} there")


def may(actor: Actor, action: Action, object: str | Sequence[str] = EVERYTHING) -> bool:
    """Tell whether `authorize` would pass, for pages that show only what can be done."""
    try:
        authorize(actor, action, object)
    except PermissionDeniedError:
        return False
    return True


def may_anywhere(actor: Actor, action: Action) -> bool:
    """Tell whether the actor may take an action in any scope, for navigation."""
    if actor.actions is not None and action.value not in actor.actions:
        return False
    roles = ROLES[action] | {Role.ADMIN}
    return any(grant.role in roles for grant in actor.grants)


def covers(granted: str, scope: str) -> bool:
    """Tell whether a grant's scope covers an object's."""
    if granted in (EVERYTHING, scope):
        return True
    kind, _, identifier = granted.partition(":")
    return kind == "scheme" and scope.startswith(f"issuer:{identifier}.")


def scheme_scope(scheme_id: object) -> str:
    """The scope of a scheme."""
    return f"scheme:{scheme_id}"


def issuer_scope(issuer_id: object) -> str:
    """The scope of an issuer."""
    return f"issuer:{issuer_id}"


def organisation_scope(organisation_id: int | None) -> str:
    """The scope of what an organisation owns; what nobody owns belongs to the whole installation."""
    return EVERYTHING if organisation_id is None else f"organisation:{organisation_id}"


def organisations_within(actor: Actor, action: Action) -> tuple[int, ...] | None:
    """The organisations on whose objects the actor may take an action; None where it may on all, owned or not.

    Raises:
        PermissionDeniedError: the actor may take it nowhere.
    """
    if may(actor, action):
        return None
    scopes = [grant.scope for grant in actor.grants if may(actor, action, grant.scope)]
    organisations = tuple(int(scope.removeprefix("organisation:")) for scope in scopes if scope.startswith("organisation:"))
    if not organisations:
        authorize(actor, action)
    return organisations
