"""Error pages: what happened and the way on, without details or values. Details go to the log, under the id of the request."""

from flask import Flask, render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_login import current_user
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, InternalServerError

from console.errors import ConsoleError
from console.messages import input_sentence, name_of_action, sentence
from gateway.authorization import PermissionDeniedError
from gateway.custody.errors import CustodyError
from gateway.inputs import ConflictError, InvalidInputError, NotFoundError


def error_page(status: int, title: str, text: str) -> ResponseReturnValue:
    """A page for one error, in the frame that fits who asks."""
    layout = "layouts/console.html" if current_user and current_user.is_authenticated else "layouts/signed_out.html"
    return render_template("errors/error.html", layout=layout, title=title, text=text), status


def install_error_pages(app: Flask) -> None:
    """Answer every error with a page; the error of an unknown kind is logged with its traceback by Flask."""

    @app.errorhandler(PermissionDeniedError)
    def permission_denied(error: PermissionDeniedError) -> ResponseReturnValue:
        return error_page(
            403,
            gettext("This is not yours to do"),
            gettext("You may not %(action)s here. An administrator can give you the role for it.", action=name_of_action(error.action)),
        )

    @app.errorhandler(NotFoundError)
    @app.errorhandler(404)
    def not_found(_error: Exception) -> ResponseReturnValue:
        return error_page(
            404, gettext("There is nothing here"), gettext("The address may be mistyped, or what it named is gone. Start again from home.")
        )

    @app.errorhandler(InvalidInputError)
    def bad_input(error: InvalidInputError) -> ResponseReturnValue:
        return error_page(422, gettext("This request cannot be answered"), input_sentence(error))

    @app.errorhandler(ConsoleError)
    @app.errorhandler(ConflictError)
    @app.errorhandler(CustodyError)
    def refused(error: Exception) -> ResponseReturnValue:
        return error_page(409, gettext("This request cannot be answered"), sentence(error))

    @app.errorhandler(CSRFError)
    def csrf_failed(_error: CSRFError) -> ResponseReturnValue:
        return error_page(
            400, gettext("This form is too old"), gettext("Nothing was changed. Go back, load the page again, and send it once more.")
        )

    @app.errorhandler(InternalServerError)
    def failed(_error: InternalServerError) -> ResponseReturnValue:
        return error_page(
            500,
            gettext("Something went wrong on our side"),
            gettext("It was written to the log. Try again; if it stays, tell an administrator when it happened."),
        )

    @app.errorhandler(HTTPException)
    def other(error: HTTPException) -> ResponseReturnValue:
        status = error.code or 500
        if status < 400:
            return error
        return error_page(
            status, gettext("This request cannot be answered"), gettext("Nothing was changed. Go back and try it from the page.")
        )
