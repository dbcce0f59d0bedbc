"""The errors of the JSON API: one shape, `{"error", "message", "fields"?, "reasons"?, "hint"?}`; the only place where they become HTTP."""

from flask import Blueprint, Response, jsonify
from werkzeug.exceptions import HTTPException

from console.errors import (
    ApprovalsMissingError,
    ConsoleError,
    DraftConflictError,
    KeyRotationError,
    LastAdministratorError,
    NothingToPublishError,
    NotLiveError,
    PublicationRejectedError,
    RefusedAddressError,
    RepositoryError,
    SchemeImportError,
    StaleBaseError,
)
from gateway.authorization import PermissionDeniedError
from gateway.custody.errors import CustodyError
from gateway.errors import NotRevocationAuthorityError, UnknownRevocationKeyError
from gateway.inputs import ConflictError, InvalidInputError, NotFoundError
from idemix.errors import MalformedSchemeError

#: Error -> status and name, the more special first.
_TABLE: tuple[tuple[type[Exception], int, str], ...] = (
    (InvalidInputError, 422, "invalid_input"),
    (MalformedSchemeError, 422, "malformed"),
    (PermissionDeniedError, 403, "permission_denied"),
    (NotFoundError, 404, "not_found"),
    (ConflictError, 409, "conflict"),
    (DraftConflictError, 409, "draft_conflict"),
    (StaleBaseError, 409, "stale_base"),
    (NothingToPublishError, 409, "nothing_to_publish"),
    (ApprovalsMissingError, 409, "approvals_missing"),
    (PublicationRejectedError, 409, "publication_rejected"),
    (KeyRotationError, 409, "rotation_closed"),
    (LastAdministratorError, 409, "last_administrator"),
    (NotLiveError, 409, "not_live"),
    (RefusedAddressError, 422, "refused_address"),
    (SchemeImportError, 422, "import_refused"),
    (RepositoryError, 502, "repository"),
    (ConsoleError, 409, "refused"),
    (CustodyError, 409, "custody"),
    (UnknownRevocationKeyError, 404, "unknown_revocation_key"),
    (NotRevocationAuthorityError, 409, "not_revocation_authority"),
)


def error_answer(status: int, name: str, message: str, **more: object) -> tuple[Response, int]:
    """An error as JSON."""
    return jsonify({"error": name, "message": message, **more}), status


def install_errors(blueprint: Blueprint) -> None:
    """Answer every error of the blueprint's routes as JSON; one of an unknown kind says no more than that."""

    def answer(error: Exception) -> tuple[Response, int]:
        status, name = next((status, name) for kind, status, name in _TABLE if isinstance(error, kind))
        more: dict[str, object] = {}
        if isinstance(error, InvalidInputError):
            more["fields"] = error.errors
        if isinstance(error, PublicationRejectedError):
            more["reasons"] = list(error.reasons)
        if isinstance(error, SchemeImportError):
            more["reasons"] = list(error.findings)
        if isinstance(error, ConsoleError) and error.diagnostics():
            more["hint"] = error.diagnostics()
        return error_answer(status, name, str(error), **more)

    for kind, _, _ in _TABLE:
        blueprint.register_error_handler(kind, answer)

    @blueprint.errorhandler(HTTPException)
    def refused(error: HTTPException) -> tuple[Response, int]:
        return error_answer(error.code or 500, error.name.lower().replace(" ", "_"), error.description or error.name)
