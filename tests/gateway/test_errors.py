"""The table of remote errors is complete."""

import inspect

import pytest

from gateway import errors
from gateway.errors import INTERNAL_ERROR, GatewayError, remote_error
from gateway.stores.base import StoreConflictError, UnknownSessionError
from idemix.errors import IdemixError, MalformedRequestError, SessionError, UnknownPublicKeyError
from idemix.session import errors as session_errors


def _session_errors() -> list[type[SessionError]]:
    return [
        kind
        for _, kind in inspect.getmembers(session_errors, inspect.isclass)
        if issubclass(kind, SessionError) and kind is not SessionError
    ]


@pytest.mark.parametrize("kind", _session_errors(), ids=lambda kind: kind.__name__)
def test_every_refusal_of_the_engine_has_an_entry(kind: type[SessionError]) -> None:
    if kind is session_errors.SessionFailedError:
        refusal: SessionError = session_errors.SessionFailedError(session_errors.InvalidProofsError("why"), None)  # type: ignore[arg-type]
    elif kind is session_errors.PairingRequiredError:
        refusal = session_errors.PairingRequiredError()
    else:
        refusal = kind("why") if kind is not session_errors.WrongEndpointError else kind()
    entry, _ = remote_error(refusal)
    assert entry is not INTERNAL_ERROR
    assert entry.error == refusal.code


def test_a_failure_of_the_store_is_worth_another_try() -> None:
    entry, message = remote_error(StoreConflictError("the session is changed too often"))
    assert (entry.status, entry.error, message) == (503, "INTERNAL_ERROR", "the session is changed too often")


def test_what_has_no_entry_leaves_without_details() -> None:
    for error in (RuntimeError("secret"), IdemixError("secret")):
        entry, message = remote_error(error)
        assert entry is INTERNAL_ERROR
        assert message == ""


def test_entries_of_other_packages() -> None:
    assert remote_error(UnknownSessionError("x")) == (errors.SESSION_UNKNOWN, "")
    assert remote_error(MalformedRequestError("disclose", "is empty")) == (errors.INVALID_REQUEST, "disclose: is empty")
    assert remote_error(UnknownPublicKeyError("a.b-1"))[0] is errors.INVALID_REQUEST


def test_every_gateway_error_names_its_entry() -> None:
    own = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, GatewayError) and kind is not GatewayError]
    assert own
    assert all(kind.remote is not INTERNAL_ERROR for kind in own)
