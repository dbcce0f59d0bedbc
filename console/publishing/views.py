"""Publishing a draft, and seeing its steps as they happen."""

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from console.authentication import actor, services
from console.errors import ConsoleError
from console.messages import sentence
from gateway.authorization import Action, may, scheme_scope
from gateway.inputs import ConflictError
from gateway.models import PublicationState

publishing = Blueprint("publishing", __name__)


@publishing.post("/schemes/<scheme_id>/publications")
def publish(scheme_id: str) -> ResponseReturnValue:
    """Start to publish a draft, or the published content under a new signature; the worker carries it out."""
    draft = request.form.get("draft", "")
    try:
        publication = services().publishing.publish(actor(), scheme_id, draft or None)
    except (ConsoleError, ConflictError) as error:
        flash(sentence(error), "bad")
        return redirect(url_for("schemes.check", scheme_id=scheme_id, draft=draft or None))
    return redirect(url_for("publishing.show_publication", publication_id=publication.id))


@publishing.get("/schemes/<scheme_id>/publications")
def list_publications(scheme_id: str) -> str:
    """What was published of a scheme, the newest first."""
    return render_template(
        "publishing/list.html",
        scheme=services().schemes.get(actor(), scheme_id),
        publications=services().publishing.list(actor(), scheme_id),
    )


@publishing.get("/publications/<int:publication_id>")
def show_publication(publication_id: int) -> str:
    """A publication with its six steps; the page resumes where the publication is."""
    publication = services().publishing.get(actor(), publication_id)
    return render_template(
        "publishing/publication.html",
        publication=publication,
        scheme=services().schemes.get(actor(), publication.scheme_id),
        may_cancel=may(actor(), Action.SCHEME_PUBLISH, scheme_scope(publication.scheme_id)),
    )


@publishing.get("/publications/<int:publication_id>/progress")
def progress(publication_id: int) -> ResponseReturnValue:
    """The moving part of that page. The header `Live: done` says that it moves no more."""
    publication = services().publishing.get(actor(), publication_id)
    answer = make_response(render_template("publishing/progress.html", publication=publication))
    if publication.state is not PublicationState.PUBLISHING:
        answer.headers["Live"] = "done"
    return answer


@publishing.post("/publications/<int:publication_id>/cancel")
def cancel(publication_id: int) -> ResponseReturnValue:
    """Stop before the old version is replaced."""
    try:
        services().publishing.cancel(actor(), publication_id)
    except ConsoleError as error:
        flash(sentence(error), "bad")
    else:
        flash(gettext("The publication stops; the version before stays live."), "idle")
    return redirect(url_for("publishing.show_publication", publication_id=publication_id))
