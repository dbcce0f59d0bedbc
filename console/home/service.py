"""What needs the reader, and how things stand: read from the services, worded by the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from console.issuer_keys.models import IssuerKeyInfo, KeyState
from console.issuer_keys.timeline import is_urgent
from console.publishing.models import PublicationInfo
from console.schemes.models import DraftInfo, SchemeSummary
from console.services import Services
from gateway.actor import Actor
from gateway.archive.service import HourCount, RefusalCount
from gateway.authorization import Action, may, may_anywhere
from gateway.models import PublicationState
from gateway.requestors.models import KeyInfo

#: How far back sessions are shown.
DAY: Final = timedelta(hours=24)

#: A key of a requestor that ends within this time needs a successor.
REQUESTOR_KEY_ENDS: Final = timedelta(days=30)


class Need(Enum):
    """Why something needs the reader, the most urgent first: blocks others, breaks by a date, failed, waits."""

    KEY_CAN_TAKE_OVER = "key_can_take_over"
    KEY_WITHOUT_SUCCESSOR = "key_without_successor"
    PUBLICATION_FAILED = "publication_failed"
    SCHEME_NOT_VALID = "scheme_not_valid"
    KEY_NOT_PUBLISHED = "key_not_published"
    REFUSED_REQUESTS = "refused_requests"
    REQUESTOR_KEY_ENDS = "requestor_key_ends"
    DRAFT_WAITS = "draft_waits"


@dataclass(frozen=True, slots=True)
class Task:
    """One thing that needs the reader. What is set beside `need` depends on it."""

    need: Need
    scheme: SchemeSummary | None = None
    key: IssuerKeyInfo | None = None
    publication: PublicationInfo | None = None
    draft: DraftInfo | None = None
    refusal: RefusalCount | None = None
    requestor: str = ""
    requestor_key: KeyInfo | None = None


@dataclass(frozen=True, slots=True)
class Overview:
    """All that the home page shows. `hours` and `refusals` are None where the reader may not see sessions."""

    tasks: tuple[Task, ...]
    schemes: tuple[SchemeSummary, ...]
    publications: dict[str, PublicationInfo]
    keys: tuple[IssuerKeyInfo, ...]
    hours: tuple[HourCount, ...] | None
    refusals: tuple[RefusalCount, ...] | None


def overview_of(services: Services, actor: Actor, now: datetime) -> Overview:
    """Collect what the reader may see and has to do."""
    schemes = services.schemes.list(actor)
    keys = services.issuer_keys.list(actor)
    newest: dict[str, PublicationInfo] = {}
    for publication in services.publishing.list(actor):
        newest.setdefault(publication.scheme_id, publication)
    hours = services.archive.hours(actor, now) if may_anywhere(actor, Action.SESSION_VIEW) else None
    refusals = services.archive.refusals(actor, now - DAY) if hours is not None else None
    tasks = [
        *_of_keys(keys, now),
        *_of_schemes(services, actor, schemes, newest, _drafts_of(services, actor, keys)),
        *(Task(Need.REFUSED_REQUESTS, refusal=refusal) for refusal in refusals or ()),
        *_of_requestors(services, actor, now),
    ]
    order = list(Need)
    tasks.sort(key=lambda task: order.index(task.need))
    return Overview(tuple(tasks), schemes, newest, keys, hours, refusals)


def _of_keys(keys: Sequence[IssuerKeyInfo], now: datetime) -> list[Task]:
    tasks = []
    for key in keys:
        if is_urgent(key, keys, now):
            tasks.append(Task(Need.KEY_WITHOUT_SUCCESSOR, key=key))
        elif key.state is KeyState.GENERATED:
            tasks.append(Task(Need.KEY_NOT_PUBLISHED, key=key))
        elif key.state is KeyState.SEEN_LIVE and key.may_activate_at is not None and key.may_activate_at <= now:
            tasks.append(Task(Need.KEY_CAN_TAKE_OVER, key=key))
    return tasks


def _drafts_of(services: Services, actor: Actor, keys: Sequence[IssuerKeyInfo]) -> frozenset[str | None]:
    """The drafts that carry a generated key: they are told of as keys."""
    return frozenset(services.issuer_keys.rotation(actor, key.issuer_id).draft for key in keys if key.state is KeyState.GENERATED)


def _of_schemes(
    services: Services,
    actor: Actor,
    schemes: Sequence[SchemeSummary],
    newest: dict[str, PublicationInfo],
    told: frozenset[str | None],
) -> list[Task]:
    tasks = []
    for scheme in schemes:
        publication = newest.get(scheme.id)
        if publication is not None and publication.state is PublicationState.FAILED:
            tasks.append(Task(Need.PUBLICATION_FAILED, scheme=scheme, publication=publication))
        if scheme.errors and scheme.commit is not None:
            tasks.append(Task(Need.SCHEME_NOT_VALID, scheme=scheme))
        if scheme.drafts and may(actor, Action.SCHEME_PUBLISH, f"scheme:{scheme.id}"):
            carried = publication.draft if publication is not None and publication.state is PublicationState.PUBLISHING else None
            drafts = services.schemes.drafts(actor, scheme.id)
            tasks += [
                Task(Need.DRAFT_WAITS, scheme=scheme, draft=draft) for draft in drafts if draft.name != carried and draft.name not in told
            ]
    return tasks


def _of_requestors(services: Services, actor: Actor, now: datetime) -> list[Task]:
    if not may_anywhere(actor, Action.REQUESTOR_KEYS):
        return []
    return [
        Task(Need.REQUESTOR_KEY_ENDS, requestor=requestor.name, requestor_key=key)
        for requestor in services.requestors.list(actor, limit=1000)
        for key in requestor.keys
        if key.revoked_at is None and key.expires_at is not None and now < key.expires_at <= now + REQUESTOR_KEY_ENDS
    ]
