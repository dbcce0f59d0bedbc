"""The typed objects of issuer keys."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from console.publishing.models import StepView


class KeyState(Enum):
    """The life of a key: the states of `gateway.models.IssuerKeyState`, and those before it stands in custody."""

    GENERATING = "generating"
    FAILED = "failed"
    GENERATED = "generated"
    PUBLISHED = "published"
    SEEN_LIVE = "seen_live"
    ACTIVE = "active"
    RETIRED = "retired"


class KeyCustody(Enum):
    """Where the private key is."""

    KEYSTORE = "keystore"
    ELSEWHERE = "elsewhere"
    DESTROYED = "destroyed"


@dataclass(frozen=True, slots=True)
class IssuerKeyInfo:
    """A row of the register.

    Attributes:
        id: the row's id in text, `irma-demo.RU-3`.
        issuer_id, counter: whose, which.
        issuer_name: per language.
        bits, bases: size of the modulus; number of bases.
        created_at: when it was made or first seen; None where unknown.
        expires_at: None while it is being generated.
        state, custody: see there.
        fingerprint: of the public key; empty while generating.
        published_at: when its public key was first published; None before.
        seen_live_at: since when it was seen at the public address; None before.
        may_activate_at: when its waiting period ends; None before it was seen.
        activated_at, retired_at: when.
        job_id: the job that generates it, while it does.
        progress: 0.0 to 1.0 of that job.
    """

    id: str
    issuer_id: str
    counter: int
    issuer_name: dict[str, str]
    bits: int
    bases: int
    created_at: datetime | None
    expires_at: datetime | None
    state: KeyState
    custody: KeyCustody
    fingerprint: str
    published_at: datetime | None
    seen_live_at: datetime | None
    may_activate_at: datetime | None
    activated_at: datetime | None
    retired_at: datetime | None
    job_id: int | None
    progress: float | None


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key to be generated. Zeros take what the scheme needs.

    Attributes:
        issuer_id: for whom.
        bases: number of bases; 0 takes the most attributes of the issuer's credential types + 2 and some to spare.
        lifetime_days: 1 to 3650; 0 takes the installation's setting.
        draft: where the public key goes; empty makes a draft for it, or takes the first draft of a scheme never published.
    """

    issuer_id: str
    bases: int = 0
    lifetime_days: int = 0
    draft: str = ""


@dataclass(frozen=True, slots=True)
class KeyNeed:
    """What a new key of an issuer has to be: shown before generating."""

    issuer_id: str
    counter: int
    bits: int
    bases_needed: int
    bases: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class RotationView:
    """The rotation of an issuer to its newest key: stages generate, publish, seen_live, activate, retire.

    Attributes:
        issuer_id: whose.
        old: the key that issues now, or None.
        new: the key that takes over, or None before one was generated.
        stages: in order, with state and the evidence or the reason why it is closed in `note`.
        draft: the draft that holds the public key, or None.
        publication_id: the publication that carries it, or None.
        next_action: `generate`, `publish`, `look`, `activate`, `retire` or empty.
        closed_reason: why the next action is not open yet; empty where it is.
    """

    issuer_id: str
    old: IssuerKeyInfo | None
    new: IssuerKeyInfo | None
    stages: tuple[StepView, ...]
    draft: str | None
    publication_id: int | None
    next_action: str
    closed_reason: str
