"""The tables of gateway and console, all in one metadata, so that one history of migrations makes them.

Rows stay inside the services: a service gives frozen dataclasses to its callers.
"""

from .account import ApiToken, Login, Organisation, RoleGrant, User, UserState
from .archive import SessionEvent, SessionRecord
from .audit import AuditEntry, AuditHead
from .base import Base, UtcDateTime, Word
from .change import Change
from .custody import Envelope, EnvelopeKind, IssuerKey, IssuerKeyState
from .delivery import Delivery, DeliveryState
from .job import Job, JobState, JobStep
from .requestor import (
    AuthMethod,
    GlobalPermission,
    JwtAlgorithm,
    PermissionKind,
    Requestor,
    RequestorKey,
    RequestorPermission,
    RequestorState,
    RequestorUsage,
)
from .revocation import RevocationAccumulator, RevocationEvent, RevocationRecord, RevocationRole, RevocationSync
from .scheme import Approval, Channel, Publication, PublicationState, Scheme, SchemeKind, Verdict

__all__ = [
    "ApiToken",
    "Approval",
    "AuditEntry",
    "AuditHead",
    "AuthMethod",
    "Base",
    "Change",
    "Channel",
    "Delivery",
    "DeliveryState",
    "Envelope",
    "EnvelopeKind",
    "GlobalPermission",
    "IssuerKey",
    "IssuerKeyState",
    "Job",
    "JobState",
    "JobStep",
    "JwtAlgorithm",
    "Login",
    "Organisation",
    "PermissionKind",
    "Publication",
    "PublicationState",
    "Requestor",
    "RequestorKey",
    "RequestorPermission",
    "RequestorState",
    "RequestorUsage",
    "RevocationAccumulator",
    "RevocationEvent",
    "RevocationRecord",
    "RevocationRole",
    "RevocationSync",
    "RoleGrant",
    "Scheme",
    "SchemeKind",
    "SessionEvent",
    "SessionRecord",
    "User",
    "UserState",
    "UtcDateTime",
    "Verdict",
    "Word",
]
