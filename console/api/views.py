"""The routes of `/api/v1`: each reads a typed object, calls the service that the pages call, and answers with what it gave."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar
from urllib.parse import urlsplit

from flask import Blueprint, Response, jsonify, request

from console.accounts.models import NewApiToken, NewUser
from console.api.authentication import caller
from console.api.errors import install_errors
from console.authentication import services
from console.extensions import csrf
from console.input_guard import LARGEST_NUMBER
from console.issuer_keys.models import NewKey as NewIssuerKey
from console.jobs import cancel_job, get_job, list_jobs
from console.json_values import from_json, to_json
from console.requestors.service import explain, read_request
from console.schemes.models import NewCredentialType, NewIssuer, NewScheme, SchemeImport
from gateway.actor import Grant
from gateway.inputs import InvalidInputError, Message, NotFoundError
from gateway.models import RequestorState
from gateway.permissions import Permissions
from gateway.requestors.models import NewKey, NewRequestor, RequestorDetails

T = TypeVar("T")

api = Blueprint("api", __name__, url_prefix="/api/v1")
# Tokens come in a header that no other site can make a browser send.
csrf.exempt(api)
install_errors(api)


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
class PastedRequest:
    """A session request, as JSON text or JWT."""

    request: str


# --- schemes ---


@api.get("/schemes")
def list_schemes() -> Response:
    """The schemes."""
    return _answer(services().schemes.list(caller()))


@api.post("/schemes")
def create_scheme() -> tuple[Response, int]:
    """Begin a scheme; its first draft is answered."""
    return _made(services().schemes.create(caller(), _body(NewScheme)))


@api.post("/schemes/import")
def import_scheme() -> tuple[Response, int]:
    """Import a scheme; a zip comes as base64 in `archive`."""
    return _made(services().schemes.import_scheme(caller(), _body(SchemeImport)))


@api.post("/schemes/<scheme_id>/pull")
def pull_scheme(scheme_id: str) -> Response:
    """Take over what somebody else pushed to the remote."""
    return _answer(services().schemes.pull(caller(), scheme_id, _body(Reason).reason))


@api.get("/schemes/<scheme_id>")
def show_scheme(scheme_id: str) -> Response:
    """A scheme with all it holds; `draft` names a draft."""
    return _answer(services().schemes.browse(caller(), scheme_id, _draft()))


@api.get("/schemes/<scheme_id>/versions")
def list_versions(scheme_id: str) -> Response:
    """The versions that were ever published, the newest first; `after` is the commit of the last one of the page before."""
    return _answer(services().schemes.versions(caller(), scheme_id, after=request.args.get("after", ""), limit=_limit()))


@api.get("/schemes/<scheme_id>/archive")
def export_scheme(scheme_id: str) -> Response:
    """A zip of the published version; `version` names the commit of an earlier one."""
    content = services().schemes.export(caller(), scheme_id, request.args.get("version") or None)
    return Response(content, mimetype="application/zip", headers={"Content-Disposition": f'attachment; filename="{scheme_id}.zip"'})


@api.get("/schemes/<scheme_id>/check")
def check_scheme(scheme_id: str) -> Response:
    """What a check finds; `draft` names a draft."""
    return _answer(services().schemes.check(caller(), scheme_id, _draft()))


@api.get("/schemes/<scheme_id>/files/<path:path>")
def show_file(scheme_id: str, path: str) -> Response:
    """A file of a scheme, as bytes."""
    content = services().schemes.file(caller(), scheme_id, path, _draft())
    return Response(content, mimetype="application/octet-stream")


@api.get("/issuers/<issuer_id>")
def show_issuer(issuer_id: str) -> Response:
    """An issuer."""
    return _answer(services().schemes.issuer(caller(), issuer_id, _draft()))


@api.get("/credential-types/<credential_type_id>")
def show_credential_type(credential_type_id: str) -> Response:
    """A credential type."""
    return _answer(services().schemes.credential_type(caller(), credential_type_id, _draft()))


@api.get("/schemes/<scheme_id>/drafts")
def list_drafts(scheme_id: str) -> Response:
    """The drafts of a scheme."""
    return _answer(services().schemes.drafts(caller(), scheme_id))


@api.post("/schemes/<scheme_id>/drafts")
def start_draft(scheme_id: str) -> tuple[Response, int]:
    """Begin a draft."""
    new = _body(NewDraft)
    return _made(services().schemes.start_draft(caller(), scheme_id, new.title, new.name))


@api.get("/schemes/<scheme_id>/drafts/<draft>")
def show_draft(scheme_id: str, draft: str) -> Response:
    """A draft."""
    return _answer(services().schemes.draft(caller(), scheme_id, draft))


@api.delete("/schemes/<scheme_id>/drafts/<draft>")
def discard_draft(scheme_id: str, draft: str) -> tuple[str, int]:
    """Throw a draft away."""
    services().schemes.discard_draft(caller(), scheme_id, draft, request.args.get("reason", ""))
    return "", 204


@api.post("/schemes/<scheme_id>/drafts/<draft>/rebase")
def rebase_draft(scheme_id: str, draft: str) -> tuple[Response, int]:
    """Put a draft onto the published version; conflicts are answered with status 409, and nothing is changed then."""
    rebased = services().drafts.rebase(caller(), scheme_id, draft)
    return _answer(rebased), 409 if rebased.conflicts else 200


@api.post("/schemes/<scheme_id>/drafts/<draft>/issuers")
def add_issuer(scheme_id: str, draft: str) -> tuple[Response, int]:
    """Add an issuer to a draft."""
    return _made(services().schemes.add_issuer(caller(), scheme_id, draft, _body(NewIssuer)))


@api.post("/schemes/<scheme_id>/drafts/<draft>/credential-types")
def add_credential_type(scheme_id: str, draft: str) -> tuple[Response, int]:
    """Add a credential type to a draft."""
    return _made(services().schemes.add_credential_type(caller(), scheme_id, draft, _body(NewCredentialType)))


# --- publications ---


@api.post("/schemes/<scheme_id>/publications")
def publish(scheme_id: str) -> tuple[Response, int]:
    """Start to publish."""
    new = _body(NewPublication)
    return _made(services().publishing.publish(caller(), scheme_id, new.draft, new.reason))


@api.get("/publications")
def list_publications() -> Response:
    """Publications, the newest first; `scheme` names one scheme."""
    return _answer(services().publishing.list(caller(), request.args.get("scheme"), limit=_limit()))


@api.get("/publications/<int:publication_id>")
def show_publication(publication_id: int) -> Response:
    """A publication with its steps."""
    return _answer(services().publishing.get(caller(), publication_id))


@api.post("/publications/<int:publication_id>/cancel")
def cancel_publication(publication_id: int) -> Response:
    """Stop a publication."""
    return _answer(services().publishing.cancel(caller(), publication_id, _body(Reason).reason))


# --- issuer keys ---


@api.get("/issuer-keys")
def list_issuer_keys() -> Response:
    """The register; `issuer` and `scheme` narrow it."""
    return _answer(services().issuer_keys.list(caller(), request.args.get("issuer"), request.args.get("scheme")))


@api.post("/issuer-keys")
def generate_issuer_key() -> tuple[Response, int]:
    """Start to generate a key."""
    return _made(services().issuer_keys.generate(caller(), _body(NewIssuerKey)))


@api.get("/issuer-keys/<issuer_id>/<int:counter>")
def show_issuer_key(issuer_id: str, counter: int) -> Response:
    """A key."""
    return _answer(services().issuer_keys.get(caller(), issuer_id, counter))


@api.post("/issuer-keys/<issuer_id>/<int:counter>/cancel")
def cancel_generation(issuer_id: str, counter: int) -> tuple[str, int]:
    """Stop a generation."""
    services().issuer_keys.cancel_generation(caller(), issuer_id, counter)
    return "", 204


@api.post("/issuer-keys/<issuer_id>/<int:counter>/publish")
def publish_issuer_key(issuer_id: str, counter: int) -> tuple[Response, int]:
    """Publish the draft that holds a key; its publication is answered."""
    return _made(services().issuer_keys.publish(caller(), issuer_id, counter, _body(Reason).reason))


@api.post("/issuer-keys/<issuer_id>/<int:counter>/look")
def look_for_issuer_key(issuer_id: str, counter: int) -> Response:
    """Look for a key at the public address."""
    return _answer(services().issuer_keys.look(caller(), issuer_id, counter))


@api.post("/issuer-keys/<issuer_id>/<int:counter>/activate")
def activate_issuer_key(issuer_id: str, counter: int) -> Response:
    """Issue with a key."""
    return _answer(services().issuer_keys.activate(caller(), issuer_id, counter, _body(Reason).reason))


@api.post("/issuer-keys/<issuer_id>/<int:counter>/retire")
def retire_issuer_key(issuer_id: str, counter: int) -> Response:
    """Never issue with a key again."""
    return _answer(services().issuer_keys.retire(caller(), issuer_id, counter, _body(Reason).reason))


@api.get("/issuers/<issuer_id>/key-need")
def show_key_need(issuer_id: str) -> Response:
    """What the next key of an issuer has to be."""
    return _answer(services().issuer_keys.need(caller(), issuer_id, request.args.get("draft", "")))


@api.get("/issuers/<issuer_id>/rotation")
def show_rotation(issuer_id: str) -> Response:
    """How far the rotation of an issuer is."""
    return _answer(services().issuer_keys.rotation(caller(), issuer_id))


# --- requestors ---


@api.get("/requestors")
def list_requestors() -> Response:
    """Requestors by name; `q`, `state` and `after` narrow the list."""
    word = request.args.get("state")
    state = next((found for found in RequestorState if found.value == word), None)
    if word and state is None:
        raise InvalidInputError({"state": Message("must be draft, active or suspended")})
    found = services().requestors.list(
        caller(), search=request.args.get("q", ""), state=state, after=request.args.get("after", ""), limit=_limit()
    )
    return _answer(found)


@api.post("/requestors")
def create_requestor() -> tuple[Response, int]:
    """Register a requestor."""
    return _made(services().requestors.create(caller(), _body(NewRequestor)))


@api.get("/requestors/<name>")
def show_requestor(name: str) -> Response:
    """A requestor."""
    return _answer(services().requestors.get(caller(), name))


@api.put("/requestors/<name>")
def update_requestor(name: str) -> Response:
    """Change a requestor's details."""
    new = _body(ChangedDetails)
    details = RequestorDetails(new.contact, new.organisation_id)
    return _answer(services().requestors.update(caller(), name, details, version=new.version, reason=new.reason or None))


@api.delete("/requestors/<name>")
def delete_requestor(name: str) -> tuple[str, int]:
    """Remove a requestor; `reason` says why."""
    services().requestors.delete(caller(), name, reason=request.args.get("reason", ""))
    return "", 204


@api.post("/requestors/<name>/activate")
def activate_requestor(name: str) -> Response:
    """Let a requestor start sessions."""
    return _answer(services().requestors.activate(caller(), name, reason=_body(Reason).reason or None))


@api.post("/requestors/<name>/suspend")
def suspend_requestor(name: str) -> Response:
    """Refuse a requestor new sessions."""
    return _answer(services().requestors.suspend(caller(), name, reason=_body(Reason).reason))


@api.post("/requestors/<name>/keys")
def add_requestor_key(name: str) -> tuple[Response, int]:
    """Add a key; a secret made here is in this answer and in no other."""
    return _made(services().requestors.add_key(caller(), name, _body(NewKey)))


@api.delete("/requestors/<name>/keys/<int:key_id>")
def revoke_requestor_key(name: str, key_id: int) -> Response:
    """Revoke a key; `reason` says why."""
    return _answer(services().requestors.revoke_key(caller(), name, key_id, reason=request.args.get("reason") or None))


@api.put("/requestors/<name>/permissions")
def set_permissions(name: str) -> Response:
    """Replace a requestor's permissions."""
    new = _body(PermissionLists)
    permissions = Permissions(disclose=new.disclose, sign=new.sign, issue=new.issue, revoke=new.revoke, host=new.host)
    found = services().requestors.set_permissions(caller(), name, permissions, version=new.version, reason=new.reason or None)
    return _answer(found)


@api.get("/global-permissions")
def show_global_permissions() -> Response:
    """The permissions that every requestor has."""
    return _answer(services().requestors.global_permissions(caller()))


@api.put("/global-permissions")
def set_global_permissions() -> Response:
    """Replace the permissions that every requestor has."""
    return _answer(services().requestors.set_global_permissions(caller(), _body(Permissions)))


@api.post("/requestors/<name>/explain")
def explain_request(name: str) -> Response:
    """Whether a request would be allowed, by which rule, and what it lacks."""
    requestor = services().requestors.get(caller(), name)
    pasted = read_request(_body(PastedRequest).request)
    everyone = services().requestors.global_permissions(caller())
    return _answer(explain(pasted, requestor.permissions, everyone, urlsplit(services().settings.gateway_url).netloc))


# --- jobs and audit ---


@api.get("/jobs")
def show_jobs() -> Response:
    """Jobs, the newest first; `unfinished` leaves out those that ended."""
    return _answer(list_jobs(services(), caller(), unfinished="unfinished" in request.args, limit=_limit()))


@api.get("/jobs/<int:job_id>")
def show_job(job_id: int) -> Response:
    """A job with its steps and progress."""
    return _answer(get_job(services(), caller(), job_id))


@api.post("/jobs/<int:job_id>/cancel")
def stop_job(job_id: int) -> Response:
    """Ask a job to stop."""
    return _answer(cancel_job(services(), caller(), job_id, _body(Reason).reason))


@api.get("/audit")
def list_audit() -> Response:
    """Entries of the audit, the newest first; `object`, `action`, `actor`, `since`, `until` and `before` narrow them."""
    found = services().audit.entries(
        caller(),
        object=request.args.get("object"),
        action=request.args.get("action"),
        actor_name=request.args.get("actor"),
        since=_moment("since"),
        until=_moment("until"),
        before_sequence=_number("before"),
        limit=_limit(),
    )
    return _answer(found)


@api.get("/audit/verification")
def verify_audit() -> Response:
    """Whether the chain of the audit holds."""
    verdict = services().audit.verify(caller())
    return jsonify({**to_json(verdict), "holds": verdict.holds})


# --- accounts ---


@api.get("/users")
def list_users() -> Response:
    """The users."""
    return _answer(services().accounts.list_users(caller()))


@api.post("/users")
def create_user() -> tuple[Response, int]:
    """Make a user."""
    return _made(services().accounts.create_user(caller(), _body(NewUser)))


@api.get("/users/<int:user_id>")
def show_user(user_id: int) -> Response:
    """A user."""
    return _answer(services().accounts.get_user(caller(), user_id))


@api.get("/account")
def show_account() -> Response:
    """The user that the token acts for."""
    return _answer(services().accounts.get_user(caller(), caller().user_id or 0))


@api.put("/users/<int:user_id>/grants")
def set_grants(user_id: int) -> Response:
    """Replace a user's roles."""
    new = _body(UserGrants)
    return _answer(services().accounts.set_grants(caller(), user_id, new.grants, new.reason))


@api.put("/users/<int:user_id>/state")
def set_state(user_id: int) -> Response:
    """Open or close an account."""
    new = _body(UserState)
    return _answer(services().accounts.set_active(caller(), user_id, new.active, new.reason))


@api.put("/users/<int:user_id>/password")
def set_password(user_id: int) -> tuple[str, int]:
    """Give a user another password; the user's log-ins end."""
    services().accounts.change_password(caller(), user_id, "", _body(NewPassword).password)
    return "", 204


@api.put("/users/<int:user_id>/preferences")
def set_preferences(user_id: int) -> Response:
    """Keep a user's language and theme."""
    new = _body(Preferences)
    return _answer(services().accounts.set_preferences(caller(), user_id, language=new.language, theme=new.theme))


@api.get("/users/<int:user_id>/log-ins")
def list_log_ins(user_id: int) -> Response:
    """Where a user is signed in."""
    return _answer(services().accounts.list_log_ins(caller(), user_id))


@api.delete("/log-ins/<int:log_in_id>")
def revoke_log_in(log_in_id: int) -> tuple[str, int]:
    """End a log-in."""
    services().accounts.revoke_log_in(caller(), log_in_id)
    return "", 204


@api.get("/tokens")
def list_tokens() -> Response:
    """The API tokens; `user` names one user by number."""
    return _answer(services().accounts.list_api_tokens(caller(), _number("user")))


@api.post("/users/<int:user_id>/tokens")
def create_token(user_id: int) -> tuple[Response, int]:
    """Make a token; only people do, so that a token that leaks brings forth no other."""
    return _made(services().accounts.create_api_token(caller(), _body(NewApiToken), user_id))


@api.delete("/tokens/<int:token_id>")
def revoke_token(token_id: int) -> tuple[str, int]:
    """End a token; `reason` says why."""
    services().accounts.revoke_api_token(caller(), token_id, request.args.get("reason", ""))
    return "", 204


@api.route("/<path:rest>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
def nothing(rest: str) -> Response:
    """What is no route answers as JSON too."""
    raise NotFoundError("route", f"{request.method} {rest}")


def _body(kind: type[T]) -> T:
    """The request's JSON object as a typed one; an absent body is an empty object."""
    if not request.get_data(cache=True):
        return from_json(kind, {})
    data = request.get_json(force=True, silent=True)
    if data is None:
        raise InvalidInputError({"": Message("the body must be a JSON object")})
    return from_json(kind, data)


def _answer(value: object) -> Response:
    return jsonify(to_json(value))


def _made(value: object) -> tuple[Response, int]:
    return _answer(value), 201


def _draft() -> str | None:
    return request.args.get("draft") or None


def _limit() -> int:
    found = _number("limit")
    if found is not None and not 1 <= found <= 500:
        raise InvalidInputError({"limit": Message("must be from 1 to 500")})
    return found or 50


def _number(name: str) -> int | None:
    text = request.args.get(name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 16 and int(text) <= LARGEST_NUMBER):
        raise InvalidInputError({name: Message("must be a whole number")})
    return int(text)


def _moment(name: str) -> datetime | None:
    text = request.args.get(name)
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidInputError({name: Message("must be a moment as ISO 8601, with its zone")})
    return moment
