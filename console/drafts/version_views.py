"""The pages of published versions: their list, what each changed, restoring one as a draft, and the export."""

from flask import Blueprint, Response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from werkzeug.utils import redirect

from console.authentication import actor, services
from console.formats import day_and_time
from console.messages import finished, translated
from console.schemes.forms import DraftForm
from console.schemes.models import VersionInfo
from gateway.authorization import Action, authorize, may, scheme_scope
from gateway.inputs import InvalidInputError

versions = Blueprint("versions", __name__, url_prefix="/schemes/<scheme_id>/versions")

_PAGE = 50


@versions.get("/")
def list_versions(scheme_id: str) -> str:
    """Every version that was published, the newest first."""
    found = services().schemes.versions(actor(), scheme_id, after=request.args.get("after", ""), limit=_PAGE + 1)
    return render_template(
        "versions/list.html",
        scheme=services().schemes.get(actor(), scheme_id),
        versions=found[:_PAGE],
        more=found[_PAGE - 1].commit if len(found) > _PAGE else None,
        may_edit=may(actor(), Action.SCHEME_EDIT, scheme_scope(scheme_id)),
    )


@versions.get("/<commit>")
def show_version(scheme_id: str, commit: str) -> str:
    """What a version changed against the one before, or against another that is named."""
    version, predecessor = services().schemes.version(actor(), scheme_id, commit)
    named = request.args.get("before")
    before = services().schemes.version(actor(), scheme_id, named)[0] if named else predecessor
    base = None if before is None else before.commit
    return render_template(
        "versions/version.html",
        scheme=services().schemes.get(actor(), scheme_id),
        chosen=version,
        before=before,
        comparison=services().drafts.compare(actor(), scheme_id, base, version.commit),
        raw=services().drafts.raw(actor(), scheme_id, base, version.commit) if "raw" in request.args else None,
        before_name=_name(before),
        after_name=_name(version),
        may_edit=may(actor(), Action.SCHEME_EDIT, scheme_scope(scheme_id)),
    )


@versions.route("/<commit>/restore", methods=["GET", "POST"])
def restore(scheme_id: str, commit: str) -> ResponseReturnValue:
    """Begin a draft with the texts, logos and settings of a version; what stays is listed first."""
    authorize(actor(), Action.SCHEME_EDIT, scheme_scope(scheme_id))
    version, _ = services().schemes.version(actor(), scheme_id, commit)
    form = DraftForm(title=gettext("Restore the version of %(day)s", day=_name(version)))
    if form.validate_on_submit():
        try:
            draft = services().drafts.restore(
                actor(), scheme_id, version.commit, (form.title.data or "").strip(), request.form.getlist("deprecate")
            )
        except InvalidInputError as error:
            for name, message in error.errors.items():
                if name in form:
                    form[name].errors = [*form[name].errors, finished(translated(message))]
                else:
                    form.refuse(finished(translated(message)))
        else:
            return redirect(url_for("drafts.show_changes", scheme_id=scheme_id, draft=draft.name))
    page = render_template(
        "versions/restore.html",
        scheme=services().schemes.get(actor(), scheme_id),
        chosen=version,
        restoration=services().drafts.restoration(actor(), scheme_id, version.commit),
        form=form,
    )
    return page, 422 if form.is_submitted() else 200


@versions.get("/<commit>/export")
def export(scheme_id: str, commit: str) -> Response:
    """A version as a zip."""
    content = services().schemes.export(actor(), scheme_id, commit)
    name = f"{scheme_id}-{commit[:12]}.zip"
    return Response(content, mimetype="application/zip", headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _name(version: VersionInfo | None) -> str:
    """What a version is called: when it was signed."""
    if version is None:
        return gettext("Nothing")
    return day_and_time(version.timestamp or version.committed_at)
