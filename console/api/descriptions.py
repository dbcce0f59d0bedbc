"""What each route of the JSON API takes and answers, by its endpoint: the types that its view reads and that its service gives.

`console.api.openapi` makes the OpenAPI document of it. `object` is an object that a view puts together.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from console.accounts.models import ApiTokenInfo, CreatedApiToken, LogInInfo, NewApiToken, NewUser, UserInfo
from console.api.drafts import Changes, Decisions, Logo, Move, NewObject, Restore
from console.api.requestor_files import ConfigurationText, TakeOver
from console.api.revocation import Count, Revoked, Role
from console.api.views import (
    ChangedConstraints,
    ChangedDetails,
    ChangedLimits,
    NewDraft,
    NewPassword,
    NewPublication,
    PastedRequest,
    PermissionLists,
    Preferences,
    Reason,
    UserGrants,
    UserState,
)
from console.drafts.models import Comparison, Restoration
from console.issuer_keys.models import IssuerKeyInfo, KeyNeed, RotationView
from console.issuer_keys.models import NewKey as NewIssuerKey
from console.publishing.models import PublicationInfo
from console.schemes.models import (
    CredentialTypeView,
    DraftInfo,
    IssuerView,
    NewCredentialType,
    NewIssuer,
    NewScheme,
    SchemeImport,
    SchemeSummary,
    SchemeView,
    VersionInfo,
)
from gateway.audit.service import Entry
from gateway.deliveries.service import DeliveryInfo
from gateway.jobs.service import JobInfo
from gateway.permissions import Permissions
from gateway.requestors.explain import Explanation
from gateway.requestors.irma_config import Export
from gateway.requestors.models import CreatedKey, DayUsage, NewKey, NewRequestor, RequestorInfo
from gateway.revocation.service import TypeStatus
from gateway.revocation.tables import RevokedCredential


@dataclass(frozen=True, slots=True)
class Route:
    """A route.

    Attributes:
        answer: the type of what it answers; None for nothing.
        body: the type of the object that it reads; None where it reads none.
        query: what its query may hold: `text`, `number`, `limit` (from 1 to 500) `day` or
            `moment` (ISO 8601), by name.
        status: of the answer.
        media: the media type of bytes that it answers; "" for JSON.
    """

    answer: Any = None
    body: type | None = None
    query: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    status: int = 200
    media: str = ""


ROUTES: Final[Mapping[str, Route]] = {
    "list_schemes": Route(tuple[SchemeSummary, ...]),
    "create_scheme": Route(DraftInfo, body=NewScheme, status=201),
    "import_scheme": Route(SchemeSummary, body=SchemeImport, status=201),
    "pull_scheme": Route(SchemeSummary, body=Reason),
    "show_scheme": Route(SchemeView, query={"draft": "text"}),
    "export_scheme": Route(bytes, query={"version": "text"}, media="application/zip"),
    "show_file": Route(bytes, query={"commit": "text", "draft": "text"}, media="application/octet-stream"),
    "show_issuer": Route(IssuerView, query={"draft": "text"}),
    "show_credential_type": Route(CredentialTypeView, query={"draft": "text"}),
    "list_drafts": Route(tuple[DraftInfo, ...]),
    "start_draft": Route(DraftInfo, body=NewDraft, status=201),
    "show_draft": Route(DraftInfo),
    "discard_draft": Route(query={"reason": "text"}, status=204),
    "add_issuer": Route(DraftInfo, body=NewIssuer, status=201),
    "add_credential_type": Route(DraftInfo, body=NewCredentialType, status=201),
    "publish": Route(PublicationInfo, body=NewPublication, status=201),
    "list_publications": Route(tuple[PublicationInfo, ...], query={"limit": "limit", "scheme": "text"}),
    "show_publication": Route(PublicationInfo),
    "cancel_publication": Route(PublicationInfo, body=Reason),
    "list_issuer_keys": Route(tuple[IssuerKeyInfo, ...], query={"issuer": "text", "scheme": "text"}),
    "generate_issuer_key": Route(IssuerKeyInfo, body=NewIssuerKey, status=201),
    "show_issuer_key": Route(IssuerKeyInfo),
    "cancel_generation": Route(status=204),
    "publish_issuer_key": Route(PublicationInfo, body=Reason, status=201),
    "look_for_issuer_key": Route(IssuerKeyInfo),
    "activate_issuer_key": Route(IssuerKeyInfo, body=Reason),
    "retire_issuer_key": Route(IssuerKeyInfo, body=Reason),
    "show_key_need": Route(KeyNeed, query={"draft": "text"}),
    "show_rotation": Route(RotationView),
    "list_requestors": Route(tuple[RequestorInfo, ...], query={"after": "text", "limit": "limit", "q": "text", "state": "text"}),
    "create_requestor": Route(RequestorInfo, body=NewRequestor, status=201),
    "show_requestor": Route(RequestorInfo),
    "update_requestor": Route(RequestorInfo, body=ChangedDetails),
    "delete_requestor": Route(query={"reason": "text"}, status=204),
    "activate_requestor": Route(RequestorInfo, body=Reason),
    "suspend_requestor": Route(RequestorInfo, body=Reason),
    "add_requestor_key": Route(CreatedKey, body=NewKey, status=201),
    "revoke_requestor_key": Route(RequestorInfo, query={"reason": "text"}),
    "set_permissions": Route(RequestorInfo, body=PermissionLists),
    "show_global_permissions": Route(Permissions),
    "set_global_permissions": Route(Permissions, body=Permissions),
    "set_requestor_limits": Route(RequestorInfo, body=ChangedLimits),
    "set_requestor_constraints": Route(RequestorInfo, body=ChangedConstraints),
    "show_requestor_usage": Route(tuple[DayUsage, ...], query={"since": "day", "until": "day"}),
    "explain_request": Route(Explanation, body=PastedRequest),
    "explain_session": Route(Explanation),
    "export_requestors": Route(Export, query={"format": "text"}),
    "compare_requestors": Route(object, body=ConfigurationText),
    "take_over_requestors": Route(object, body=TakeOver),
    "show_jobs": Route(tuple[JobInfo, ...], query={"limit": "limit"}),
    "show_job": Route(JobInfo),
    "stop_job": Route(JobInfo, body=Reason),
    "show_deliveries": Route(tuple[DeliveryInfo, ...], query={"before": "number", "limit": "limit", "requestor": "text", "state": "text"}),
    "show_delivery": Route(DeliveryInfo),
    "resend_delivery": Route(DeliveryInfo, body=Reason),
    "list_audit": Route(
        tuple[Entry, ...],
        query={
            "action": "text",
            "actor": "text",
            "before": "number",
            "limit": "limit",
            "object": "text",
            "since": "moment",
            "until": "moment",
        },
    ),
    "verify_audit": Route(object),
    "list_users": Route(tuple[UserInfo, ...]),
    "create_user": Route(UserInfo, body=NewUser, status=201),
    "show_user": Route(UserInfo),
    "show_account": Route(UserInfo),
    "set_grants": Route(UserInfo, body=UserGrants),
    "set_state": Route(UserInfo, body=UserState),
    "set_password": Route(body=NewPassword, status=204),
    "set_preferences": Route(UserInfo, body=Preferences),
    "list_log_ins": Route(tuple[LogInInfo, ...]),
    "revoke_log_in": Route(status=204),
    "list_tokens": Route(tuple[ApiTokenInfo, ...], query={"user": "number"}),
    "create_token": Route(CreatedApiToken, body=NewApiToken, status=201),
    "revoke_token": Route(query={"reason": "text"}, status=204),
    "list_documents": Route(object),
    "show_document": Route(object),
    "edit_document": Route(object, body=Changes),
    "remove_document": Route(DraftInfo),
    "add_object": Route(object, body=NewObject, status=201),
    "move_on_card": Route(object, body=Move),
    "set_logo": Route(DraftInfo, body=Logo),
    "remove_logo": Route(DraftInfo),
    "check_scheme": Route(object, query={"draft": "text"}),
    "show_changes": Route(Comparison),
    "show_raw_changes": Route(object),
    "list_versions": Route(tuple[VersionInfo, ...], query={"after": "text", "limit": "limit"}),
    "show_version_changes": Route(Comparison, query={"before": "text"}),
    "rebase_draft": Route(object, body=Decisions),
    "show_restoration": Route(Restoration),
    "restore_version": Route(DraftInfo, body=Restore, status=201),
    "list_revocation": Route(tuple[TypeStatus, ...]),
    "show_revocation": Route(TypeStatus),
    "set_revocation": Route(TypeStatus, body=Role),
    "unset_revocation": Route(query={"reason": "text"}, status=204),
    "list_revoked": Route(tuple[RevokedCredential, ...], query={"before": "number", "key": "number", "limit": "limit"}),
    "revoke_credentials": Route(Count, body=Revoked),
}
