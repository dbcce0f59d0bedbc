"""Sessions in a store, and changes to them, without an engine."""

from dataclasses import replace
from datetime import timedelta

from gateway.stores.base import SessionStore, StatusChange
from idemix.request import parse_session_request
from idemix.session.session import Session
from tests.support.clock import START
from tests.support.gateways import DISCLOSURE

HOUR = timedelta(hours=1)


def session(number: int = 1) -> Session:
    return Session(
        requestor_token=f"requestor{number:011d}",  # type: ignore[arg-type]
        client_token=f"client{number:014d}",  # type: ignore[arg-type]
        frontend_auth="f" * 20,  # type: ignore[arg-type]
        request=parse_session_request(DISCLOSURE),
        last_active=START,
    )


def add(store: SessionStore, number: int = 1) -> Session:
    made = session(number)
    store.add(made, deadline=START + HOUR, expires_at=START + 2 * HOUR)
    return made


def changed(before: Session, **changes: object) -> Session:
    return replace(before, revision=before.revision + 1, **changes)  # type: ignore[arg-type]


def tell(store: SessionStore, before: Session, change: StatusChange) -> Session:
    """Change a session's status; gives the changed session."""
    after = changed(before, status=change.status)
    store.update(after, before.revision, deadline=None, expires_at=START + HOUR, change=change)
    return after
