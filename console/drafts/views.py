"""The pages of a draft: its contents, the forms of its documents, what it changes, and conflicts."""

import json
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from flask import Blueprint, Response, abort, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from console.authentication import actor, services
from console.drafts.advice import advise
from console.drafts.forms import (
    LogoForm,
    NewCredentialTypeForm,
    NewIssuerForm,
    document_form,
    plan,
    posted_changes,
    shown_values,
)
from console.drafts.models import ContentEntry, DocumentView, Saved
from console.errors import ConsoleError
from console.formats import time_of_day
from console.messages import finished, input_sentence, sentence, translated
from console.schemes.models import NewAttribute, NewCredentialType, NewIssuer
from gateway.authorization import Action, authorize, issuer_scope, may, scheme_scope
from gateway.inputs import ConflictError, InvalidInputError
from idemix.errors import MalformedSchemeError
from idemix.scheme.documents import Value, value_of
from idemix.scheme.merge import Conflict, Side

drafts = Blueprint("drafts", __name__, url_prefix="/schemes/<scheme_id>/drafts/<draft>")

#: What the form of a new credential type calls the fields of its first attribute.
_FIRST_ATTRIBUTE: Final = {
    "attributes.0.id": "attribute",
    "attributes.0.name": "attribute_name",
    "attributes.0.description": "attribute_name",
}
_STEPS: Final = {"up": -1, "down": 1}


@drafts.get("/")
def show_draft(scheme_id: str, draft: str) -> str:
    """A draft: what it holds, what it changes, and the next step."""
    words = request.args.get("q", "").strip()
    contents = services().drafts.contents(actor(), scheme_id, draft)
    return render_template(
        "drafts/draft.html",
        scheme=services().schemes.get(actor(), scheme_id),
        draft=services().schemes.draft(actor(), scheme_id, draft),
        contents=[entry for entry in contents if _fits(entry, words.lower())],
        total=len(contents),
        words=words,
        comparison=services().drafts.changes(actor(), scheme_id, draft),
        documents=services().drafts.documents(actor(), scheme_id, draft),
        may_edit=may(actor(), Action.SCHEME_EDIT, scheme_scope(scheme_id)),
    )


@drafts.get("/changes")
def show_changes(scheme_id: str, draft: str) -> str:
    """What the draft changes, by entity and field, and line by line."""
    info = services().schemes.draft(actor(), scheme_id, draft)
    return render_template(
        "drafts/changes.html",
        scheme=services().schemes.get(actor(), scheme_id),
        draft=info,
        comparison=services().drafts.changes(actor(), scheme_id, draft),
        raw=services().drafts.raw(actor(), scheme_id, info.base, info.head) if "raw" in request.args else None,
        before_name=gettext("Published"),
        after_name=gettext("Draft"),
    )


@drafts.route("/documents/<path:path>", methods=["GET", "POST"])
def edit_document(scheme_id: str, draft: str, path: str) -> ResponseReturnValue:
    """The form of a document. It saves by itself where there is script, and by its button where there is none."""
    _authorize(scheme_id, path)
    try:
        if request.method == "GET":
            return _edit_page(services().drafts.document(actor(), scheme_id, draft, path))
        if "decided_on" in request.form:
            return _decided(scheme_id, draft, path)
        return _saved(scheme_id, draft, path)
    except MalformedSchemeError as error:
        return render_template(
            "drafts/unreadable.html",
            scheme=services().schemes.get(actor(), scheme_id),
            draft=services().schemes.draft(actor(), scheme_id, draft),
            path=path,
            error=str(error),
        )


@drafts.get("/beside/<path:path>")
def beside(scheme_id: str, draft: str, path: str) -> str:
    """What stands beside a form: the card, and what the check says of this document. Asked for after each save."""
    return render_template("drafts/beside.html", **_beside(services().drafts.document(actor(), scheme_id, draft, path)))


@drafts.post("/logo/<path:path>")
def set_logo(scheme_id: str, draft: str, path: str) -> ResponseReturnValue:
    """Put a logo beside a document, or take it away."""
    _authorize(scheme_id, path)
    form = LogoForm()
    upload = form.logo.data
    content = upload.read() if upload else None
    if content or "remove" in request.form:
        try:
            services().drafts.set_logo(actor(), scheme_id, draft, path, content if "remove" not in request.form else None)
        except InvalidInputError as error:
            flash(gettext("The logo %(rule)s", rule=finished(translated(error.errors["logo"]))), "bad")
        except ConsoleError as error:
            flash(sentence(error), "bad")
        else:
            flash(gettext("The logo is saved in the draft."), "ok")
    else:
        flash(gettext("Choose a PNG picture first."), "bad")
    return redirect(url_for("drafts.edit_document", scheme_id=scheme_id, draft=draft, path=path, _anchor="logo"))


@drafts.route("/issuers/new", methods=["GET", "POST"])
def new_issuer(scheme_id: str, draft: str) -> ResponseReturnValue:
    """Add an issuer; its form opens."""
    authorize(actor(), Action.SCHEME_EDIT, scheme_scope(scheme_id))
    languages = services().drafts.languages(actor(), scheme_id, draft)
    form = NewIssuerForm()
    if form.validate_on_submit():
        new = NewIssuer(form.id.data or "", _texts("name", languages), _uploaded(form))
        try:
            services().schemes.add_issuer(actor(), scheme_id, draft, new)
        except InvalidInputError as error:
            form.show(error, texts=("name",))
        else:
            return redirect(url_for("drafts.edit_document", scheme_id=scheme_id, draft=draft, path=f"{new.id}/description.xml"))
    return _new_page("drafts/new_issuer.html", scheme_id, draft, form, languages=languages)


@drafts.route("/issuers/<issuer>/new", methods=["GET", "POST"])
def new_credential_type(scheme_id: str, draft: str, issuer: str) -> ResponseReturnValue:
    """Add a credential type; its form opens."""
    authorize(actor(), Action.SCHEME_EDIT, [scheme_scope(scheme_id), issuer_scope(f"{scheme_id}.{issuer}")])
    languages = services().drafts.languages(actor(), scheme_id, draft)
    form = NewCredentialTypeForm()
    if form.validate_on_submit():
        attribute = NewAttribute(form.attribute.data or "", _texts("attribute_name", languages), _texts("attribute_name", languages))
        new = NewCredentialType(
            issuer, form.id.data or "", _texts("name", languages), _texts("description", languages), (attribute,), _uploaded(form)
        )
        try:
            services().schemes.add_credential_type(actor(), scheme_id, draft, new)
        except InvalidInputError as error:
            form.show(error, _FIRST_ATTRIBUTE, ("name", "description", "attribute_name"))
        else:
            path = f"{issuer}/Issues/{new.id}/description.xml"
            return redirect(url_for("drafts.edit_document", scheme_id=scheme_id, draft=draft, path=path))
    return _new_page("drafts/new_credential_type.html", scheme_id, draft, form, languages=languages, issuer=issuer)


@drafts.post("/remove/<path:path>")
def remove(scheme_id: str, draft: str, path: str) -> ResponseReturnValue:
    """Take what was never published out of the draft again."""
    try:
        services().drafts.remove(actor(), scheme_id, draft, path)
    except (ConsoleError, ConflictError) as error:
        flash(sentence(error), "bad")
    else:
        flash(gettext("It is removed from the draft."), "ok")
    return redirect(url_for("drafts.show_draft", scheme_id=scheme_id, draft=draft))


@drafts.route("/rebase", methods=["POST"])
def rebase(scheme_id: str, draft: str) -> ResponseReturnValue:
    """Put the draft on the version that was published meanwhile; where both changed one field, ask."""
    head, _, published = request.form.get("decided_on", "").partition(" ")
    try:
        result = services().drafts.rebase(actor(), scheme_id, draft, _decisions(), decided_on=(head, published))
    except (ConsoleError, ConflictError) as error:
        flash(sentence(error), "bad")
        return redirect(url_for("drafts.show_draft", scheme_id=scheme_id, draft=draft))
    except InvalidInputError as error:  # a text that the field cannot hold: the conflicts are asked again
        flash(input_sentence(error), "bad")
        result = services().drafts.rebase(actor(), scheme_id, draft)
    if not result.conflicts:
        flash(gettext("Draft %(name)s starts from the published version now.", name=draft), "ok")
        return redirect(url_for("drafts.show_draft", scheme_id=scheme_id, draft=draft))
    address = url_for("drafts.rebase", scheme_id=scheme_id, draft=draft)
    return _conflict_page(result.draft, result.conflicts, address, f"{result.draft.head} {result.published}", rebase=True)


# --- inside ---


def _authorize(scheme_id: str, path: str) -> None:
    """Demand the right to change a document before anything of it is shown, or of a form is read."""
    scopes = [scheme_scope(scheme_id)]
    if "/" in path:
        scopes.append(issuer_scope(f"{scheme_id}.{path.partition('/')[0]}"))
    authorize(actor(), Action.SCHEME_EDIT, scopes)


def _fits(entry: ContentEntry, words: str) -> bool:
    """Whether an issuer, or a credential type of it, holds these words."""
    texts = [entry.id.lower(), *(name.lower() for name in entry.name.values())]
    return any(words in text for text in texts) or any(_fits(inner, words) for inner in entry.inside)


def _saved(scheme_id: str, draft: str, path: str) -> ResponseReturnValue:
    """Save what was posted; then do what the button says."""
    seen = request.form.get("seen", "")
    view = services().drafts.document_at(actor(), scheme_id, draft, path, seen)
    form, found = document_form(view)
    by_itself = request.accept_mimetypes.best == "application/json"
    form.validate()
    if form.csrf_token.errors:  # every other value is read, and judged, as what the field of the file can hold
        return (jsonify({"error": gettext("The page is too old. Load it again.")}), 400) if by_itself else _edit_page(view)
    changes, errors = posted_changes(form, found)
    try:
        saved = services().drafts.edit(actor(), scheme_id, draft, path, changes, seen=seen, partly=True)
        messages = {key: finished(translated(message)) for key, message in {**errors, **saved.errors}.items()}
        if not saved.conflicts and not messages and (action := request.form.get("action", "")):
            saved = _act(action, scheme_id, draft, path, saved)
    except InvalidInputError as error:
        flash(input_sentence(error), "bad")
        return redirect(request.url)
    if by_itself:
        return _saved_json(saved, messages)
    if saved.conflicts:
        return _conflict_page(saved.document.draft, saved.conflicts, request.path, saved.document.draft.head, seen=seen, changes=changes)
    if messages:
        return _edit_page(saved.document, messages, posted=request.form), 422
    anchor = request.form.get("action", "").partition(":")[2].partition(":")[0] or None
    return redirect(url_for("drafts.edit_document", scheme_id=scheme_id, draft=draft, path=path, _anchor=anchor))


def _act(action: str, scheme_id: str, draft: str, path: str, saved: Saved) -> Saved:
    """Add, remove or move an object: `add:attributes`, `remove:attributes.level`, `up:attributes.level`."""
    verb, _, name = action.partition(":")
    head = saved.document.draft.head
    group, _, key = name.rpartition(".")
    if verb == "add":
        return services().drafts.add_object(actor(), scheme_id, draft, path, name, request.form.get(f"new:{name}", "").strip(), seen=head)
    if verb == "remove":
        present = saved.document.values.get(group)
        order: Value = tuple(other for other in present if other != key) if isinstance(present, tuple) else ()
        inside = {field: None for field in saved.document.values if field.startswith(f"{name}.")}
        return services().drafts.edit(actor(), scheme_id, draft, path, {group: order, **inside}, seen=head)
    if verb in _STEPS and group == "attributes":
        return services().drafts.move_on_card(actor(), scheme_id, draft, path, key, _STEPS[verb], seen=head)
    return saved


def _decided(scheme_id: str, draft: str, path: str) -> ResponseReturnValue:
    """Save again with what was decided on conflicts; a decision on another state than the present one is asked for again."""
    seen = request.form.get("seen", "")
    changes = _sent_changes()
    decisions = {key: decision for (_, key), decision in _decisions().items()}
    decided_on = request.form["decided_on"]
    edit = partial(services().drafts.edit, actor(), scheme_id, draft, path, changes, seen=seen, partly=True)
    try:
        saved = edit(decisions=decisions, decided_on=decided_on)
    except InvalidInputError as error:  # a text that the field cannot hold: the conflicts are asked again
        flash(input_sentence(error), "bad")
        saved = edit()
    if saved.conflicts:
        return _conflict_page(saved.document.draft, saved.conflicts, request.path, saved.document.draft.head, seen=seen, changes=changes)
    flash(gettext("Both changes are in the draft now, as you decided."), "ok")
    return redirect(url_for("drafts.edit_document", scheme_id=scheme_id, draft=draft, path=path))


def _sent_changes() -> dict[str, Any]:
    """The changes that a page of conflicts carries along; a page of ours sends no other than an object."""
    try:
        changes = json.loads(request.form.get("changes", "{}"))
    except (ValueError, RecursionError):
        abort(400)
    if not isinstance(changes, dict):
        abort(400)
    return {key: value_of(value) for key, value in changes.items()}


def _decisions() -> dict[tuple[str, str], Any]:
    """What a page of conflicts decided: a side, or a text of its own."""
    found: dict[tuple[str, str], Any] = {}
    for number, place in enumerate(request.form.getlist("place")):
        path, _, key = place.partition("#")
        choice = request.form.get(f"choice-{number}")
        if choice in ("mine", "theirs"):
            found[path, key] = Side(choice)
        elif choice == "other":
            found[path, key] = request.form.get(f"other-{number}", "").replace("\r\n", "\n")
    return found


def _conflict_page(info: Any, conflicts: tuple[Conflict, ...], address: str, decided_on: str, **more: Any) -> ResponseReturnValue:
    page = render_template(
        "drafts/conflicts.html",
        scheme=services().schemes.get(actor(), info.scheme_id),
        draft=info,
        conflicts=conflicts,
        address=address,
        decided_on=decided_on,
        seen=more.get("seen", ""),
        changes=json.dumps(more.get("changes", {})),
        rebase=more.get("rebase", False),
    )
    return page, 409


def _edit_page(view: DocumentView, errors: Mapping[str, str] | None = None, posted: Mapping[str, str] | None = None) -> str:
    """The page of a form; what could not be saved stays in its control, with the rule beside it."""
    form, found = document_form(view)
    if request.method == "POST":
        form.process(None, data={"seen": view.draft.head, **{item.key: item.shown for item in found if item.lock is None}})
        for key in errors or {}:
            form[key].data = (posted or {}).get(key, "")
            if hasattr(form[key], "raw_data"):
                form[key].raw_data = [form[key].data]
    return render_template(
        "drafts/edit.html",
        scheme=services().schemes.get(actor(), view.draft.scheme_id),
        form=form,
        plan=found,
        logo_form=LogoForm(),
        errors=errors or {},
        advice=advise(view),
        keys=services().drafts.public_keys(actor(), view),
        logo=services().drafts.logo(actor(), view),
        changed=len(services().drafts.changes(actor(), view.draft.scheme_id, view.draft.name).changes),
        **_beside(view, checked=False),
    )


def _beside(view: DocumentView, *, checked: bool = True) -> dict[str, Any]:
    findings = services().drafts.findings(actor(), view) if checked else None
    return {"document": view, "draft": view.draft, "card": services().drafts.card(actor(), view), "findings": findings}


def _saved_json(saved: Saved, errors: Mapping[str, str]) -> Response:
    """What a page that saved by itself shows anew: the commit it has seen now, what others changed, and what is to be said."""
    found = plan(saved.document)
    shown = shown_values(found)
    advice = {key: {"tone": item.tone, "message": translated(item.message)} for key, item in advise(saved.document).items()}
    return jsonify(
        {
            "seen": saved.document.draft.head,
            "saved": gettext("Saved %(time)s", time=time_of_day(saved.document.draft.changed_at)),
            "values": {key: shown[key] for key in saved.by_others if key in shown},
            "reload": any(key not in shown for key in saved.by_others),
            "errors": dict(errors),
            "advice": {key: advice[key] for key in advice},
            "conflicts": len(saved.conflicts),
        }
    )


def _new_page(template: str, scheme_id: str, draft: str, form: Any, **more: Any) -> ResponseReturnValue:
    page = render_template(
        template,
        scheme=services().schemes.get(actor(), scheme_id),
        draft=services().schemes.draft(actor(), scheme_id, draft),
        form=form,
        posted=request.form,
        **more,
    )
    return page, 422 if form.is_submitted() else 200


def _texts(name: str, languages: tuple[str, ...]) -> dict[str, str]:
    return {language: request.form.get(f"{name}.{language}", "").strip() for language in languages}


def _uploaded(form: Any) -> bytes:
    return form.logo.data.read() if form.logo.data else b""
