"""Requestors: the list, registering one, its keys and permissions, and what it might ask."""

from typing import Final

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from console.authentication import actor, services
from console.messages import input_sentence
from console.requestors.forms import ExplainForm, KeyForm, PermissionsForm, RequestorForm
from console.requestors.service import permission_rows
from gateway.authorization import Action, authorize, may
from gateway.inputs import ConflictError, InvalidInputError
from gateway.models import RequestorState
from gateway.requestors.explain import Explanation
from gateway.requestors.models import NewRequestor, RequestorDetails, RequestorInfo

requestors = Blueprint("requestors", __name__, url_prefix="/requestors")

PAGE: Final = 50


@requestors.get("/")
def list_requestors() -> str:
    """Those that the actor may see, by name, filtered by name and state."""
    words = request.args.get("q", "").strip()
    state = request.args.get("state", "")
    after = request.args.get("after", "")
    chosen = next((one for one in RequestorState if one.value == state), None)
    found = services().requestors.list(actor(), search=words, state=chosen, after=after, limit=PAGE + 1)
    return render_template(
        "requestors/list.html",
        requestors=found[:PAGE],
        next_after=found[PAGE - 1].name if len(found) > PAGE else None,
        total=services().requestors.count(actor()),
        words=words,
        state=state,
        states=RequestorState,
        after=after,
    )


@requestors.route("/new", methods=["GET", "POST"])
def new_requestor() -> ResponseReturnValue:
    """Register a requestor, as a draft."""
    authorize(actor(), Action.REQUESTOR_EDIT)
    form = RequestorForm()
    if form.validate_on_submit():
        new = NewRequestor((form.name.data or "").strip(), RequestorDetails(contact=(form.contact.data or "").strip()))
        try:
            requestor = services().requestors.create(actor(), new)
        except InvalidInputError as error:
            form.show(error)
        else:
            flash(gettext("%(name)s is registered. Add a key next.", name=requestor.name), "ok")
            return redirect(url_for("requestors.show_requestor", name=requestor.name))
    return render_template("requestors/new.html", form=form), 422 if form.is_submitted() else 200


@requestors.get("/<name>")
def show_requestor(name: str) -> str:
    """Its keys, its permissions, and a place to ask what would be allowed."""
    return _requestor_page(services().requestors.get(actor(), name), ExplainForm(), None)


@requestors.post("/<name>/explain")
def explain_request(name: str) -> ResponseReturnValue:
    """The verdict on a pasted request. Nothing is started and nothing is kept."""
    requestor = services().requestors.get(actor(), name)
    form = ExplainForm()
    explained: Explanation | None = None
    status = 200
    try:
        explained = services().explainer.request(actor(), name, form.request.data or "", services().settings.gateway_host)
    except InvalidInputError as error:
        form.show(error)
        status = 422
    return _requestor_page(requestor, form, explained), status


def _requestor_page(requestor: RequestorInfo, form: ExplainForm, explained: Explanation | None) -> str:
    return render_template(
        "requestors/requestor.html",
        requestor=requestor,
        rows=permission_rows(requestor.permissions, services().requestors.global_permissions(actor())),
        form=form,
        explained=explained,
        may_edit=may(actor(), Action.REQUESTOR_SUSPEND, requestor.scope),
        may_suspend=may(actor(), Action.REQUESTOR_SUSPEND, requestor.scope),
        may_keys=may(actor(), Action.REQUESTOR_KEYS, requestor.scope),
        may_permissions=may(actor(), Action.REQUESTOR_PERMISSIONS, requestor.scope),
    )


@requestors.post("/<name>/activate")
def activate(name: str) -> ResponseReturnValue:
    """Let it start sessions."""
    services().requestors.activate(actor(), name)
    flash(gettext("%(name)s may start sessions within a second.", name=name), "ok")
    return redirect(url_for("requestors.show_requestor", name=name))


@requestors.post("/<name>/suspend")
def suspend(name: str) -> ResponseReturnValue:
    """Refuse it new sessions."""
    try:
        services().requestors.suspend(actor(), name, reason=request.form.get("reason", "").strip())
    except InvalidInputError as error:
        flash(input_sentence(error), "bad")
    else:
        flash(gettext("%(name)s is suspended.", name=name), "ok")
    return redirect(url_for("requestors.show_requestor", name=name))


@requestors.route("/<name>/keys/add", methods=["GET", "POST"])
def add_key(name: str) -> ResponseReturnValue:
    """Add a key. A secret made here is shown on the answer to this post, and on no other page."""
    requestor = services().requestors.get(actor(), name)
    authorize(actor(), Action.REQUESTOR_KEYS, requestor.scope)
    form = KeyForm()
    if form.validate_on_submit():
        try:
            created = services().requestors.add_key(actor(), name, form.value())
        except InvalidInputError as error:
            form.show(error)
        else:
            if created.secret is not None:
                return render_template("requestors/secret.html", requestor=requestor, created=created)
            flash(gettext("The key is added and works within a second."), "ok")
            return redirect(url_for("requestors.show_requestor", name=name))
    return render_template("requestors/add_key.html", requestor=requestor, form=form), 422 if form.is_submitted() else 200


@requestors.post("/<name>/keys/<int:key_id>/revoke")
def revoke_key(name: str, key_id: int) -> ResponseReturnValue:
    """Make a key invalid for good."""
    services().requestors.revoke_key(actor(), name, key_id, reason=request.form.get("reason", "").strip() or None)
    flash(gettext("The key is revoked."), "ok")
    return redirect(url_for("requestors.show_requestor", name=name))


@requestors.route("/<name>/permissions", methods=["GET", "POST"])
def edit_permissions(name: str) -> ResponseReturnValue:
    """Replace its permissions; a change that somebody else made meanwhile is not overwritten."""
    requestor = services().requestors.get(actor(), name)
    authorize(actor(), Action.REQUESTOR_PERMISSIONS, requestor.scope)
    version = request.form.get("version", requestor.version, type=int)
    if request.method == "GET":
        form, status = PermissionsForm.of(requestor.permissions), 200
    else:
        form, status = PermissionsForm(), 422
        try:
            services().requestors.set_permissions(actor(), name, form.value(), version=version)
        except InvalidInputError as error:
            form.show(error)
        except ConflictError:
            form.refuse(gettext("Somebody changed this requestor meanwhile. Open the page again to see how it stands now."))
        else:
            flash(gettext("The permissions are saved."), "ok")
            return redirect(url_for("requestors.show_requestor", name=name))
    return render_template("requestors/permissions.html", requestor=requestor, form=form, version=version), status
