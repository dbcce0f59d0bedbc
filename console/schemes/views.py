"""The list of schemes, importing one, and browsing what is in it."""

from pathlib import PurePosixPath
from typing import Final

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from console.authentication import actor, services
from console.errors import ConsoleError, RepositoryError, SchemeImportError
from console.messages import finished, sentence, translated
from console.schemes.forms import DraftForm, ImportForm, NewSchemeForm
from console.schemes.models import Channel, NewScheme, SchemeImport, SchemeSummary, SourceKind
from gateway.authorization import Action, authorize, issuer_scope, may, scheme_scope
from gateway.inputs import InvalidInputError

schemes = Blueprint("schemes", __name__, url_prefix="/schemes")

#: The texts that a new scheme needs in every language.
_TEXTS: Final = ("name", "description")

#: Suffix -> media type of the pictures that a scheme may hold; nothing else is served to a browser.
_PICTURES: Final = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}


@schemes.get("/")
def list_schemes() -> str:
    """Every scheme that the actor may see, filtered by name and channel."""
    words = request.args.get("q", "").strip().lower()
    channel = request.args.get("channel", "")
    everything = services().schemes.list(actor())
    shown = [scheme for scheme in everything if _matches(scheme, words) and channel in ("", scheme.channel.value)]
    return render_template("schemes/list.html", schemes=shown, total=len(everything), words=words, channel=channel, channels=Channel)


def _matches(scheme: SchemeSummary, words: str) -> bool:
    return words in scheme.id.lower() or any(words in name.lower() for name in scheme.name.values())


@schemes.route("/import", methods=["GET", "POST"])
def import_scheme() -> ResponseReturnValue:
    """Import from a directory or a git address; the signature is checked before anything is kept."""
    authorize(actor(), Action.SCHEME_IMPORT)
    form = ImportForm()
    findings: tuple[str, ...] = ()
    if form.validate_on_submit():
        new = SchemeImport(
            source=(form.source.data or "").strip(),
            kind=SourceKind(form.kind.data),
            archive=form.archive.data.read() if form.archive.data else b"",
            branch=(form.branch.data or "").strip(),
            channel=Channel(form.channel.data),
            public_key=(form.public_key.data or "").strip(),
            remote=(form.remote.data or "").strip(),
            public_url=(form.public_url.data or "").strip(),
        )
        try:
            scheme = services().schemes.import_scheme(actor(), new)
        except InvalidInputError as error:
            form.show(error)
        except SchemeImportError as error:
            form.refuse(finished(translated(error.args[0])))
            findings = tuple(map(translated, error.findings))
        except RepositoryError as error:
            form.source.errors = [sentence(error)]
        else:
            flash(gettext("%(scheme)s is imported: its signature holds.", scheme=scheme.id), "ok")
            return redirect(url_for("schemes.show_scheme", scheme_id=scheme.id))
    return render_template("schemes/import.html", form=form, findings=findings), 422 if form.is_submitted() else 200


@schemes.route("/new", methods=["GET", "POST"])
def new_scheme() -> ResponseReturnValue:
    """Begin a scheme: its key is made in custody, and its first draft opens."""
    authorize(actor(), Action.SCHEME_IMPORT)
    form = NewSchemeForm()
    languages = tuple(dict.fromkeys((form.languages.data or "").replace(",", " ").split())) or ("en", "nl")
    if form.validate_on_submit():
        texts = {name: {language: request.form.get(f"{name}.{language}", "").strip() for language in languages} for name in _TEXTS}
        new = NewScheme(
            id=(form.id.data or "").strip(),
            url=(form.url.data or "").strip(),
            name=texts["name"],
            description=texts["description"],
            channel=Channel(form.channel.data),
            languages=languages,
            remote=(form.remote.data or "").strip(),
            public_url=(form.public_url.data or "").strip(),
        )
        try:
            draft = services().schemes.create(actor(), new)
        except InvalidInputError as error:
            form.show(error, texts=_TEXTS)
        except ConsoleError as error:
            form.refuse(sentence(error))
        else:
            flash(gettext("%(scheme)s is created. Fill its first draft, check it, and publish it.", scheme=new.id), "ok")
            return redirect(url_for("drafts.show_draft", scheme_id=new.id, draft=draft.name))
    page = render_template("schemes/new.html", form=form, languages=languages, posted=request.form)
    return page, 422 if form.is_submitted() else 200


@schemes.get("/<scheme_id>")
def show_scheme(scheme_id: str) -> str:
    """A scheme: its state, issuers, drafts and publications."""
    view = services().schemes.browse(actor(), scheme_id, request.args.get("draft"))
    publications = services().publishing.list(actor(), scheme_id, limit=10)
    return render_template(
        "schemes/scheme.html",
        scheme=view,
        drafts=services().schemes.drafts(actor(), scheme_id),
        publications=publications,
        keys={key.issuer_id: key for key in reversed(_keys_by_counter(scheme_id))},
        form=DraftForm(),
        may_edit=may(actor(), Action.SCHEME_EDIT, scheme_scope(scheme_id)),
        may_publish=may(actor(), Action.SCHEME_PUBLISH, scheme_scope(scheme_id)),
    )


def _keys_by_counter(scheme_id: str) -> list:
    """The keys of a scheme, of each issuer the highest counter first."""
    return sorted(services().issuer_keys.list(actor(), scheme_id=scheme_id), key=lambda key: -key.counter)


@schemes.post("/<scheme_id>/drafts")
def start_draft(scheme_id: str) -> ResponseReturnValue:
    """Begin a draft from the published version."""
    form = DraftForm()
    try:
        draft = services().schemes.start_draft(actor(), scheme_id, (form.title.data or "").strip())
    except InvalidInputError as error:
        flash(" ".join(error.errors.values()), "bad")
    except ConsoleError as error:
        flash(sentence(error), "bad")
    else:
        return redirect(url_for("drafts.show_draft", scheme_id=scheme_id, draft=draft.name))
    return redirect(url_for("schemes.show_scheme", scheme_id=scheme_id))


@schemes.post("/<scheme_id>/drafts/<draft>/discard")
def discard_draft(scheme_id: str, draft: str) -> ResponseReturnValue:
    """Throw a draft away; what is published stays. Its name is typed, since nothing brings it back."""
    authorize(actor(), Action.SCHEME_EDIT, scheme_scope(scheme_id))
    if request.form.get("typed", "").strip() != draft:
        flash(gettext("Nothing was discarded: type the name of the draft, %(name)s, to confirm.", name=draft), "bad")
        return redirect(url_for("drafts.show_draft", scheme_id=scheme_id, draft=draft))
    try:
        services().schemes.discard_draft(actor(), scheme_id, draft, request.form.get("reason", "").strip())
    except ConsoleError as error:
        flash(sentence(error), "bad")
    else:
        flash(gettext("Draft %(name)s is discarded.", name=draft), "ok")
    return redirect(url_for("schemes.show_scheme", scheme_id=scheme_id))


@schemes.get("/<scheme_id>/check")
def check(scheme_id: str) -> str:
    """The verdict that clients would give, our own lint apart, and whether it may be published."""
    name = request.args.get("draft")
    draft = services().schemes.draft(actor(), scheme_id, name) if name else None
    result = services().schemes.check(actor(), scheme_id, name)
    located = services().drafts.locate(actor(), scheme_id, name, result)
    return render_template(
        "schemes/check.html",
        scheme=services().schemes.get(actor(), scheme_id),
        draft=draft,
        result=result,
        located=located[: len(result.findings)],
        broken=located[len(result.findings) :],
        comparison=services().drafts.changes(actor(), scheme_id, name) if name else None,
        may_publish=may(actor(), Action.SCHEME_PUBLISH, scheme_scope(scheme_id)),
    )


@schemes.get("/<scheme_id>/issuers/<issuer>")
def show_issuer(scheme_id: str, issuer: str) -> str:
    """An issuer: texts, credential types, keys."""
    issuer_id = f"{scheme_id}.{issuer}"
    return render_template(
        "schemes/issuer.html",
        scheme=services().schemes.get(actor(), scheme_id),
        issuer=services().schemes.issuer(actor(), issuer_id, request.args.get("draft")),
        draft=request.args.get("draft"),
        keys=services().issuer_keys.list(actor(), issuer_id=issuer_id),
        **_edit(scheme_id, issuer),
    )


@schemes.get("/<scheme_id>/issuers/<issuer>/<credential_type>")
def show_credential_type(scheme_id: str, issuer: str, credential_type: str) -> str:
    """A credential type: its card, every text in every language, its attributes."""
    draft = request.args.get("draft")
    return render_template(
        "schemes/credential_type.html",
        scheme=services().schemes.get(actor(), scheme_id),
        issuer=services().schemes.issuer(actor(), f"{scheme_id}.{issuer}", draft),
        credential_type=services().schemes.credential_type(actor(), f"{scheme_id}.{issuer}.{credential_type}", draft),
        draft=draft,
        **_edit(scheme_id, issuer),
    )


def _edit(scheme_id: str, issuer: str) -> dict[str, object]:
    """The drafts in which something of an issuer can be changed, and whether the actor may."""
    scopes = [scheme_scope(scheme_id), issuer_scope(f"{scheme_id}.{issuer}")]
    return {"drafts": services().schemes.drafts(actor(), scheme_id), "may_edit": may(actor(), Action.SCHEME_EDIT, scopes)}


@schemes.get("/<scheme_id>/pictures/<path:path>")
def picture(scheme_id: str, path: str) -> Response:
    """A logo as it stands in the scheme."""
    media_type = _PICTURES.get(PurePosixPath(path).suffix.lower())
    if media_type is None:
        abort(404)
    version = request.args.get("version")
    if version:
        content = services().drafts.file(actor(), scheme_id, version, path)
    else:
        content = services().schemes.file(actor(), scheme_id, path, request.args.get("draft"))
    return Response(content, mimetype=media_type, headers={"Cache-Control": "private, max-age=600"})
