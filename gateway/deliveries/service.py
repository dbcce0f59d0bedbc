"""Deliveries as rows: they survive a restart, are sent by one worker each, and can be looked at and sent again."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import Select, bindparam, delete, or_, select, update
from sqlalchemy.orm import Session

from idemix.clock import Clock, system_clock

from ..actor import Actor
from ..audit.service import Audit
from ..authorization import Action, authorize, organisation_scope, organisations_within
from ..database import Database
from ..inputs import ConflictError, Message, NotFoundError
from ..models import Delivery, DeliveryState, Requestor
from .base import ClaimedDelivery, NewDelivery, Outcome, full, take

#: How long a worker may take for an attempt, with its quick retries, before another one may send it.
LEASE: Final = timedelta(minutes=2)
#: Rows that are looked at for a claim, and removed in one transaction.
_BATCH: Final = 200

#: What is due `now` and goes to no origin that is `full`. It is asked every second, and building it costs more than asking.
_DUE: Final = (
    select(Delivery)
    .where(Delivery.state == DeliveryState.PENDING, Delivery.next_attempt_at <= bindparam("now"))
    .where(or_(Delivery.lease_until.is_(None), Delivery.lease_until < bindparam("now")))
    .where(Delivery.origin.not_in(bindparam("full", expanding=True)))
    .order_by(Delivery.next_attempt_at)
    .limit(_BATCH)
)
_ANY_DUE: Final = _DUE.with_only_columns(Delivery.id).limit(1)
_NONCE_BYTES: Final = 12


@dataclass(frozen=True, slots=True)
class DeliveryInfo:
    """A delivery as API and command show it. Fields as in `gateway.models.Delivery`."""

    id: int
    token_hash: str
    requestor_name: str
    origin: str
    state: DeliveryState
    attempts: int
    last_status: int | None
    last_error: str | None
    created_at: datetime
    next_attempt_at: datetime | None
    expires_at: datetime
    ended_at: datetime | None


class Deliveries:
    """The deliveries of one database.

    Args:
        database: where they are.
        audit: where a resend is noted.
        secret: gives a secret of the installation, under which requestor tokens are sealed.
        clock: tells what is due.
    """

    def __init__(self, database: Database, audit: Audit, secret: Callable[[], bytes], *, clock: Clock = system_clock) -> None:
        self._database = database
        self._audit = audit
        self._secret = secret
        self._clock = clock
        self._cipher: AESGCM | None = None

    # Sending: the interface of a queue

    def add(self, deliveries: Sequence[NewDelivery]) -> None:
        """Keep new ones; they are due at once."""
        now = self._clock()
        rows = [
            {
                "token_hash": new.token_hash,
                "sealed_token": self._seal(new),
                "requestor_name": new.requestor_name,
                "origin": new.origin,
                "state": DeliveryState.PENDING,
                "attempts": 0,
                "created_at": now,
                "next_attempt_at": now,
                "expires_at": new.expires_at,
            }
            for new in deliveries
        ]
        self._database.write(lambda session: session.add_all([Delivery(**row) for row in rows]))

    def claim(self, room: Mapping[str, int], default_room: int, limit: int) -> list[ClaimedDelivery]:
        """Take deliveries that are due, the oldest first; each is given to one worker only, until its lease is over."""
        now = self._clock()
        values = {"now": now, "full": full(room)}
        with self._database.read() as session:
            # Most often there is nothing, which a reading tells without keeping writers from their work.
            if session.scalar(_ANY_DUE, values) is None:
                return []

        def work(session: Session) -> list[tuple[Delivery, str]]:
            rows = session.scalars(_DUE.with_for_update(skip_locked=True), values).all()
            taken = []
            for position in take([row.origin for row in rows], room, default_room, limit):
                row, lease = rows[position], secrets.token_hex(16)
                row.lease_token, row.lease_until = lease, now + LEASE
                taken.append((row, lease))
            return taken

        return [
            ClaimedDelivery(row.id, self._open(row), row.requestor_name, row.origin, row.expires_at, row.attempts, lease)
            for row, lease in self._database.write(work)
        ]

    def settle(self, claimed: ClaimedDelivery, outcome: Outcome) -> None:
        """Note how an attempt ended; without effect where the claim was lost."""
        now = self._clock()
        values = {
            "state": outcome.state,
            "attempts": claimed.attempts + outcome.sent,
            "lease_token": None,
            "lease_until": None,
            "ended_at": None if outcome.state is DeliveryState.PENDING else now,
        }
        if outcome.sent:
            values |= {"last_status": outcome.status, "last_error": outcome.error[:300] or None}
        elif outcome.error:
            values["last_error"] = outcome.error[:300]
        if outcome.next_attempt_at is not None:
            values["next_attempt_at"] = outcome.next_attempt_at
        if outcome.state is DeliveryState.EXPIRED:
            values["sealed_token"] = None
        held = (Delivery.id == claimed.id, Delivery.lease_token == claimed.lease)
        self._database.write(lambda session: session.execute(update(Delivery).where(*held).values(**values)))

    def forget_tokens(self) -> None:
        """Remove the sealed tokens of sessions whose result expired: from then on they lead nowhere."""
        expired = (Delivery.sealed_token.is_not(None), Delivery.expires_at <= self._clock())
        with self._database.read() as session:
            if session.scalar(select(Delivery.id).where(*expired).limit(1)) is None:
                return
        self._database.write(lambda session: session.execute(update(Delivery).where(*expired).values(sealed_token=None)))

    # Looking, and sending again

    def list(
        self,
        actor: Actor,
        *,
        state: DeliveryState | None = None,
        requestor_name: str | None = None,
        before_id: int | None = None,
        limit: int = 50,
    ) -> tuple[DeliveryInfo, ...]:
        """List deliveries that the actor may see, the newest first.

        Args:
            actor: who looks.
            state, requestor_name: exact filters.
            before_id: for the next page, the last id of this one.
            limit: of the page, at most 1000.

        Raises:
            PermissionDeniedError: the actor may see none, wherever.
        """
        query = _visible(actor).order_by(Delivery.id.desc()).limit(min(limit, 1000))
        if state is not None:
            query = query.where(Delivery.state == state)
        if requestor_name is not None:
            query = query.where(Delivery.requestor_name == requestor_name)
        if before_id is not None:
            query = query.where(Delivery.id < before_id)
        with self._database.read() as session:
            return tuple(_info(row) for row in session.scalars(query))

    def get(self, actor: Actor, delivery_id: int) -> DeliveryInfo:
        """Look at one delivery.

        Raises:
            PermissionDeniedError: the actor may see none, wherever.
            NotFoundError: there is none, or none that the actor may see.
        """
        with self._database.read() as session:
            row = session.scalar(_visible(actor).where(Delivery.id == delivery_id))
            if row is None:
                raise NotFoundError("delivery", delivery_id)
            return _info(row)

    def resend(self, actor: Actor, delivery_id: int, reason: str = "") -> DeliveryInfo:
        """Have a result sent once more, now, by whichever worker comes first.

        Raises:
            NotFoundError: there is none that the actor may see.
            PermissionDeniedError: the actor may not send it.
            ConflictError: the session's result has expired.
        """
        now = self._clock()

        def work(session: Session) -> DeliveryInfo:
            row = session.scalar(_visible(actor).where(Delivery.id == delivery_id).with_for_update())
            if row is None:
                raise NotFoundError("delivery", delivery_id)
            organisation = session.scalar(select(Requestor.organisation_id).where(Requestor.name == row.requestor_name))
            authorize(actor, Action.DELIVERY_RESEND, organisation_scope(organisation))
            if row.sealed_token is None or row.expires_at <= now:
                raise ConflictError(Message("the result has expired, so that there is nothing to send"))
            before = {"state": row.state.value}
            row.state, row.next_attempt_at, row.ended_at = DeliveryState.PENDING, now, None
            after = {"state": row.state.value, "requestor": row.requestor_name}
            self._audit.record(
                session, actor, Action.DELIVERY_RESEND, f"delivery:{delivery_id}", before=before, after=after, reason=reason or None
            )
            return _info(row)

        return self._database.write(work)

    def forget(self, before: datetime) -> int:
        """Remove deliveries that ended and were begun before a moment; gives how many."""
        removed = 0
        while True:

            def work(session: Session) -> int:
                old = select(Delivery.id).where(Delivery.created_at < before, Delivery.state != DeliveryState.PENDING).limit(_BATCH)
                found = session.scalars(old).all()
                session.execute(delete(Delivery).where(Delivery.id.in_(found)))
                return len(found)

            count = self._database.write(work)
            removed += count
            if count < _BATCH:
                return removed

    # Tokens

    def _sealing(self) -> AESGCM:
        if self._cipher is None:
            self._cipher = AESGCM(HKDF(SHA256(), 32, None, b"irmahub deliveries: requestor tokens").derive(self._secret()))
        return self._cipher

    def _seal(self, new: NewDelivery) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._sealing().encrypt(nonce, new.token.encode(), new.token_hash.encode())

    def _open(self, row: Delivery) -> str | None:
        if row.sealed_token is None:
            return None
        nonce, sealed = row.sealed_token[:_NONCE_BYTES], row.sealed_token[_NONCE_BYTES:]
        try:
            return self._sealing().decrypt(nonce, sealed, row.token_hash.encode()).decode()
        except InvalidTag:
            # A row from a backup of another installation: its session is not here either.
            return None


def _visible(actor: Actor) -> Select[Delivery]:
    """Select what the actor may see: everything, or what goes to the requestors of its organisations."""
    organisations = organisations_within(actor, Action.SESSION_VIEW)
    if organisations is None:
        return select(Delivery)
    names = select(Requestor.name).where(Requestor.organisation_id.in_(organisations))
    return select(Delivery).where(Delivery.requestor_name.in_(names))


def _info(row: Delivery) -> DeliveryInfo:
    return DeliveryInfo(
        id=row.id,
        token_hash=row.token_hash,
        requestor_name=row.requestor_name,
        origin=row.origin,
        state=row.state,
        attempts=row.attempts,
        last_status=row.last_status,
        last_error=row.last_error,
        created_at=row.created_at,
        next_attempt_at=row.next_attempt_at if row.state is DeliveryState.PENDING else None,
        expires_at=row.expires_at,
        ended_at=row.ended_at,
    )
