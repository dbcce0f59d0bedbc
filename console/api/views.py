"""The routes of `/api/v1`: each reads a typed object, calls the service that the pages call, and answers with what it gave.

Those of drafts and versions stand in `console.api.drafts`, those of revocation in `console.api.revocation`.
"""

from dataclasses import dataclass, field
from datetime import timedelta

from flask import Response, jsonify, request

from console.accounts.models import NewApiToken, NewUser
from console.api import drafts, requestor_files, revocation  # noqa: F401 - their routes belong to the same blueprint
from console.api.authentication import caller
from console.api.blueprint import answer, api, asked_draft, body, day, limit, made, moment, number
from console.authentication import services
from console.issuer_keys.models import NewKey as NewIssuerKey
from console.jobs import cancel_job, get_job, list_jobs
from console.json_values import to_json
from console.schemes.models import NewCredentialType, NewIssuer, NewScheme, SchemeImport
from gateway.actor import Grant
from gateway.inputs import InvalidInputError, Message, NotFoundError
from gateway.models import DeliveryState, RequestorState
from gateway.permissions import Permissions
from gateway.requestors.constraints import Constraints
from gateway.requestors.limits import Limits
from gateway.requestors.models import NewKey, NewRequestor, RequestorDetails


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, for the audit."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class NewDraft:
    """A draft to be begun."""

    title: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class NewPublication:
    """What to publish; without a draft the published content is signed again."""

    draft: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class UserState:
    """Whether an account is open."""

    active: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class UserGrants:
    """A user's roles."""

    grants: tuple[Grant, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Preferences:
    """A person's language and theme."""

    language: str = ""
    theme: str = ""


@dataclass(frozen=True, slots=True)
class NewPassword:
    """A password for somebody."""

    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PermissionLists:
    """The permissions of a requestor. `version` is the one that they were read from."""

    version: int
    disclose: tuple[str, ...] = ()
    sign: tuple[str, ...] = ()
    issue: tuple[str, ...] = ()
    revoke: tuple[str, ...] = ()
    host: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ChangedDetails:
    """What can be changed of a requestor."""

    version: int
    contact: str = ""
    organisation_id: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ChangedLimits:
    """The limits of a requestor. `version` is the one that they were read from."""

    version: int
    limits: Limits
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ChangedConstraints:
    """The constraints of a requestor. `version` is the one that they were read from."""

    version: int
    constraints: Constraints
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PastedRequest:
    """A session request, as JSON text or JWT, and where it would come from."""

    request: str
    address: str = ""


# --- schemes ---


@api.get("/schemes")
def list_schemes() -> Response:
    """The schemes."""
    return answer(services().schemes.list(caller()))


@api.post("/schemes")
def create_scheme() -> tuple[Response, int]:
    """Begin a scheme; its first draft is answered."""
    return made(services().schemes.create(caller(), body(NewScheme)))


@api.post("/schemes/import")
def import_scheme() -> tuple[Response, int]:
    """Import a scheme; a zip comes as base64 in `archive`."""
    return made(services().schemes.import_scheme(caller(), body(SchemeImport)))


@api.post("/schemes/<scheme_id>/pull")
def pull_scheme(scheme_id: str) -> Response:
    """Take over what somebody else pushed to the remote."""
    return answer(services().schemes.pull(caller(), scheme_id, body(Reason).reason))


@api.get("/schemes/<scheme_id>")
def show_scheme(scheme_id: str) -> Response:
    """A scheme with all it holds; `draft` names a draft."""
    return answer(services().schemes.browse(caller(), scheme_id, asked_draft()))


@api.get("/schemes/<scheme_id>/archive")
def export_scheme(scheme_id: str) -> Response:
    """A zip of the published version; `version` names the commit of an earlier one."""
    content = services().schemes.export(caller(), scheme_id, request.args.get("version") or None)
    return Response(content, mimetype="application/zip", headers={"Content-Disposition": f'attachment; filename="{scheme_id}.zip"'})


@api.get("/schemes/<scheme_id>/files/<path:path>")
def show_file(scheme_id: str, path: str) -> Response:
    """A file of a scheme, as bytes; `draft` names a draft, or `commit` one of its commits or a version."""
    if commit := request.args.get("commit"):
        content = services().drafts.file(caller(), scheme_id, commit, path)
    else:
        content = services().schemes.file(caller(), scheme_id, path, asked_draft())
    return Response(content, mimetype="application/octet-stream")


@api.get("/issuers/<issuer_id>")
def show_issuer(issuer_id: str) -> Response:
    """An issuer."""
    return answer(services().schemes.issuer(caller(), issuer_id, asked_draft()))


@api.get("/credential-types/<credential_type_id>")
def show_credential_type(credential_type_id: str) -> Response:
    """A credential type."""
    return answer(services().schemes.credential_type(caller(), credential_type_id, asked_draft()))


@api.get("/schemes/<scheme_id>/drafts")
def list_drafts(scheme_id: str) -> Response:
    """The drafts of a scheme."""
    return answer(services().schemes.drafts(caller(), scheme_id))


@api.post("/schemes/<scheme_id>/drafts")
def start_draft(scheme_id: str) -> tuple[Response, int]:
    """Begin a draft."""
    new = body(NewDraft)
    return made(services().schemes.start_draft(caller(), scheme_id, new.title, new.name))


@api.get("/schemes/<scheme_id>/drafts/<draft>")
def show_draft(scheme_id: str, draft: str) -> Response:
    """A draft."""
    return answer(services().schemes.draft(caller(), scheme_id, draft))


@api.delete("/schemes/<scheme_id>/drafts/<draft>")
def discard_draft(scheme_id: str, draft: str) -> tuple[str, int]:
    """Throw a draft away."""
    services().schemes.discard_draft(caller(), scheme_id, draft, request.args.get("reason", ""))
    return "", 204


@api.post("/schemes/<scheme_id>/drafts/<draft>/issuers")
def add_issuer(scheme_id: str, draft: str) -> tuple[Response, int]:
    """Add an issuer to a draft."""
    return made(services().schemes.add_issuer(caller(), scheme_id, draft, body(NewIssuer)))


@api.post("/schemes/<scheme_id>/drafts/<draft>/credential-types")
def add_credential_type(scheme_id: str, draft: str) -> tuple[Response, int]:
    """Add a credential type to a draft."""
    return made(services().schemes.add_credential_type(caller(), scheme_id, draft, body(NewCredentialType)))


# --- publications ---


@api.post("/schemes/<scheme_id>/publications")
def publish(scheme_id: str) -> tuple[Response, int]:
    """Start to publish."""
    new = body(NewPublication)
    return made(services().publishing.publish(caller(), scheme_id, new.draft, new.reason))


@api.get("/publications")
def list_publications() -> Response:
    """Publications, the newest first; `scheme` names one scheme."""
    return answer(services().publishing.list(caller(), request.args.get("scheme"), limit=limit()))


@api.get("/publications/<int:publication_id>")
def show_publication(publication_id: int) -> Response:
    """A publication with its steps."""
    return answer(services().publishing.get(caller(), publication_id))


@api.post("/publications/<int:publication_id>/cancel")
def cancel_publication(publication_id: int) -> Response:
    """Stop a publication."""
    return answer(services().publishing.cancel(caller(), publication_id, body(Reason).reason))


# --- issuer keys ---


@api.get("/issuer-keys")
def list_issuer_keys() -> Response:
    """The register; `issuer` and `scheme` narrow it."""
    return answer(services().issuer_keys.list(caller(), request.args.get("issuer"), request.args.get("scheme")))


@api.post("/issuer-keys")
def generate_issuer_key() -> tuple[Response, int]:
    """Start to generate a key."""
    return made(services().issuer_keys.generate(caller(), body(NewIssuerKey)))


@api.get("/issuer-keys/<issuer_id>/<int:counter>")
def show_issuer_key(issuer_id: str, counter: int) -> Response:
    """A key."""
    return answer(services().issuer_keys.get(caller(), issuer_id, counter))


@api.post("/issuer-keys/<issuer_id>/<int:counter>/cancel")
def cancel_generation(issuer_id: str, counter: int) -> tuple[str, int]:
    """Stop a generation."""
    services().issuer_keys.cancel_generation(caller(), issuer_id, counter)
    return "", 204


@api.post("/issuer-keys/<issuer_id>/<int:counter>/publish")
def publish_issuer_key(issuer_id: str, counter: int) -> tuple[Response, int]:
    """Publish the draft that holds a key; its publication is answered."""
    return made(services().issuer_keys.publish(caller(), issuer_id, counter, body(Reason).reason))


@api.post("/issuer-keys/<issuer_id>/<int:counter>/look")
def look_for_issuer_key(issuer_id: str, counter: int) -> Response:
    """Look for a key at the public address."""
    return answer(services().issuer_keys.look(caller(), issuer_id, counter))


@api.post("/issuer-keys/<issuer_id>/<int:counter>/activate")
def activate_issuer_key(issuer_id: str, counter: int) -> Response:
    """Issue with a key."""
    return answer(services().issuer_keys.activate(caller(), issuer_id, counter, body(Reason).reason))


@api.post("/issuer-keys/<issuer_id>/<int:counter>/retire")
def retire_issuer_key(issuer_id: str, counter: int) -> Response:
    """Never issue with a key again."""
    return answer(services().issuer_keys.retire(caller(), issuer_id, counter, body(Reason).reason))


@api.get("/issuers/<issuer_id>/key-need")
def show_key_need(issuer_id: str) -> Response:
    """What the next key of an issuer has to be."""
    return answer(services().issuer_keys.need(caller(), issuer_id, request.args.get("draft", "")))


@api.get("/issuers/<issuer_id>/rotation")
def show_rotation(issuer_id: str) -> Response:
    """How far the rotation of an issuer is."""
    return answer(services().issuer_keys.rotation(caller(), issuer_id))


# --- requestors ---


@api.get("/requestors")
def list_requestors() -> Response:
    """Requestors by name; `q`, `state` and `after` narrow the list."""
    word = request.args.get("state")
    state = next((found for found in RequestorState if found.value == word), None)
    if word and state is None:
        raise InvalidInputError({"state": Message("must be draft, active or suspended")})
    found = services().requestors.list(
        caller(), search=request.args.get("q", ""), state=state, after=request.args.get("after", ""), limit=limit()
    )
    return answer(found)


@api.post("/requestors")
def create_requestor() -> tuple[Response, int]:
    """Register a requestor."""
    return made(services().requestors.create(caller(), body(NewRequestor)))


@api.get("/requestors/<name>")
def show_requestor(name: str) -> Response:
    """A requestor."""
    return answer(services().requestors.get(caller(), name))


@api.put("/requestors/<name>")
def update_requestor(name: str) -> Response:
    """Change a requestor's details."""
    new = body(ChangedDetails)
    details = RequestorDetails(new.contact, new.organisation_id)
    return answer(services().requestors.update(caller(), name, details, version=new.version, reason=new.reason or None))


@api.delete("/requestors/<name>")
def delete_requestor(name: str) -> tuple[str, int]:
    """Remove a requestor; `reason` says why."""
    services().requestors.delete(caller(), name, reason=request.args.get("reason", ""))
    return "", 204


@api.post("/requestors/<name>/activate")
def activate_requestor(name: str) -> Response:
    """Let a requestor start sessions."""
    return answer(services().requestors.activate(caller(), name, reason=body(Reason).reason or None))


@api.post("/requestors/<name>/suspend")
def suspend_requestor(name: str) -> Response:
    """Refuse a requestor new sessions."""
    return answer(services().requestors.suspend(caller(), name, reason=body(Reason).reason))


@api.post("/requestors/<name>/keys")
def add_requestor_key(name: str) -> tuple[Response, int]:
    """Add a key; a secret made here is in this answer and in no other."""
    return made(services().requestors.add_key(caller(), name, body(NewKey)))


@api.delete("/requestors/<name>/keys/<int:key_id>")
def revoke_requestor_key(name: str, key_id: int) -> Response:
    """Revoke a key; `reason` says why."""
    return answer(services().requestors.revoke_key(caller(), name, key_id, reason=request.args.get("reason") or None))


@api.put("/requestors/<name>/permissions")
def set_permissions(name: str) -> Response:
    """Replace a requestor's permissions."""
    new = body(PermissionLists)
    permissions = Permissions(disclose=new.disclose, sign=new.sign, issue=new.issue, revoke=new.revoke, host=new.host)
    found = services().requestors.set_permissions(caller(), name, permissions, version=new.version, reason=new.reason or None)
    return answer(found)


@api.get("/global-permissions")
def show_global_permissions() -> Response:
    """The permissions that every requestor has."""
    return answer(services().requestors.global_permissions(caller()))


@api.put("/global-permissions")
def set_global_permissions() -> Response:
    """Replace the permissions that every requestor has."""
    return answer(services().requestors.set_global_permissions(caller(), body(Permissions)))


@api.put("/requestors/<name>/limits")
def set_requestor_limits(name: str) -> Response:
    """Replace a requestor's limits: rate, quota, running sessions, source addresses, hours, replays."""
    new = body(ChangedLimits)
    found = services().requestors.set_limits(caller(), name, new.limits, version=new.version, reason=new.reason or None)
    return answer(found)


@api.put("/requestors/<name>/constraints")
def set_requestor_constraints(name: str) -> Response:
    """Replace a requestor's constraints: values, addresses, validity, issuer keys."""
    new = body(ChangedConstraints)
    found = services().requestors.set_constraints(caller(), name, new.constraints, version=new.version, reason=new.reason or None)
    return answer(found)


@api.get("/requestors/<name>/usage")
def show_requestor_usage(name: str) -> Response:
    """How often a requestor asked for sessions, by day and type; `since` and `until` are days, by default the last thirty."""
    until = day("until") or services().clock().date()
    since = day("since") or until - timedelta(days=29)
    return answer(services().requestors.usage(caller(), name, since, until))


@api.post("/requestors/<name>/explain")
def explain_request(name: str) -> Response:
    """Whether a request would be allowed, by which rule, what it lacks, and the limits and constraints that apply."""
    pasted = body(PastedRequest)
    host = services().settings.gateway_host
    return answer(services().explainer.request(caller(), name, pasted.request, host, address=pasted.address or None))


@api.get("/sessions/<int:record_id>/explanation")
def explain_session(record_id: int) -> Response:
    """The same of a past session, by the rules of today."""
    return answer(services().explainer.session(caller(), record_id, services().settings.gateway_host))


# --- jobs and audit ---


@api.get("/jobs")
def show_jobs() -> Response:
    """Jobs, the newest first; `unfinished` leaves out those that ended."""
    return answer(list_jobs(services(), caller(), unfinished="unfinished" in request.args, limit=limit()))


@api.get("/jobs/<int:job_id>")
def show_job(job_id: int) -> Response:
    """A job with its steps and progress."""
    return answer(get_job(services(), caller(), job_id))


@api.post("/jobs/<int:job_id>/cancel")
def stop_job(job_id: int) -> Response:
    """Ask a job to stop."""
    return answer(cancel_job(services(), caller(), job_id, body(Reason).reason))


# --- deliveries ---


@api.get("/deliveries")
def show_deliveries() -> Response:
    """Results that requestors' servers are to get, the newest first; `state` and `requestor` filter, `before` begins the next page."""
    state = request.args.get("state")
    if state and state not in {member.value for member in DeliveryState}:
        raise InvalidInputError({"state": Message("must be pending, delivered, failed or expired")})
    return answer(
        services().deliveries.list(
            caller(),
            state=DeliveryState(state) if state else None,
            requestor_name=request.args.get("requestor") or None,
            before_id=number("before"),
            limit=limit(),
        )
    )


@api.get("/deliveries/<int:delivery_id>")
def show_delivery(delivery_id: int) -> Response:
    """A delivery."""
    return answer(services().deliveries.get(caller(), delivery_id))


@api.post("/deliveries/<int:delivery_id>/resend")
def resend_delivery(delivery_id: int) -> Response:
    """Have a result sent once more."""
    return answer(services().deliveries.resend(caller(), delivery_id, body(Reason).reason))


@api.get("/audit")
def list_audit() -> Response:
    """Entries of the audit, the newest first; `object`, `action`, `actor`, `since`, `until` and `before` narrow them."""
    found = services().audit.entries(
        caller(),
        object=request.args.get("object"),
        action=request.args.get("action"),
        actor_name=request.args.get("actor"),
        since=moment("since"),
        until=moment("until"),
        before_sequence=number("before"),
        limit=limit(),
    )
    return answer(found)


@api.get("/audit/verification")
def verify_audit() -> Response:
    """Whether the chain of the audit holds."""
    verdict = services().audit.verify(caller())
    return jsonify({**to_json(verdict), "holds": verdict.holds})


# --- accounts ---


@api.get("/users")
def list_users() -> Response:
    """The users."""
    return answer(services().accounts.list_users(caller()))


@api.post("/users")
def create_user() -> tuple[Response, int]:
    """Make a user."""
    return made(services().accounts.create_user(caller(), body(NewUser)))


@api.get("/users/<int:user_id>")
def show_user(user_id: int) -> Response:
    """A user."""
    return answer(services().accounts.get_user(caller(), user_id))


@api.get("/account")
def show_account() -> Response:
    """The user that the token acts for."""
    return answer(services().accounts.get_user(caller(), caller().user_id or 0))


@api.put("/users/<int:user_id>/grants")
def set_grants(user_id: int) -> Response:
    """Replace a user's roles."""
    new = body(UserGrants)
    return answer(services().accounts.set_grants(caller(), user_id, new.grants, new.reason))


@api.put("/users/<int:user_id>/state")
def set_state(user_id: int) -> Response:
    """Open or close an account."""
    new = body(UserState)
    return answer(services().accounts.set_active(caller(), user_id, new.active, new.reason))


@api.put("/users/<int:user_id>/password")
def set_password(user_id: int) -> tuple[str, int]:
    """Give a user another password; the user's log-ins end."""
    services().accounts.change_password(caller(), user_id, "", body(NewPassword).password)
    return "", 204


@api.put("/users/<int:user_id>/preferences")
def set_preferences(user_id: int) -> Response:
    """Keep a user's language and theme."""
    new = body(Preferences)
    return answer(services().accounts.set_preferences(caller(), user_id, language=new.language, theme=new.theme))


@api.get("/users/<int:user_id>/log-ins")
def list_log_ins(user_id: int) -> Response:
    """Where a user is signed in."""
    return answer(services().accounts.list_log_ins(caller(), user_id))


@api.delete("/log-ins/<int:log_in_id>")
def revoke_log_in(log_in_id: int) -> tuple[str, int]:
    """End a log-in."""
    services().accounts.revoke_log_in(caller(), log_in_id)
    return "", 204


@api.get("/tokens")
def list_tokens() -> Response:
    """The API tokens; `user` names one user by number."""
    return answer(services().accounts.list_api_tokens(caller(), number("user")))


@api.post("/users/<int:user_id>/tokens")
def create_token(user_id: int) -> tuple[Response, int]:
    """Make a token; only people do, so that a token that leaks brings forth no other."""
    return made(services().accounts.create_api_token(caller(), body(NewApiToken), user_id))


@api.delete("/tokens/<int:token_id>")
def revoke_token(token_id: int) -> tuple[str, int]:
    """End a token; `reason` says why."""
    services().accounts.revoke_api_token(caller(), token_id, request.args.get("reason", ""))
    return "", 204


@api.route("/<rest:rest>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
def nothing(rest: str) -> Response:
    """What is no route answers as JSON too."""
    raise NotFoundError("route", f"{request.method} {rest}")
