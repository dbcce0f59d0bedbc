"""The typed objects of drafts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from console.schemes.models import CredentialTypeView, DraftInfo, FindingView, PublicKeyView
from idemix.scheme.diff import EntityChange
from idemix.scheme.documents import DocumentKind, Value
from idemix.scheme.merge import Conflict
from idemix.scheme.restore import Kept


class Lock(Enum):
    """Why a field cannot change."""

    PLACE = "place"
    PUBLISHED = "published"


@dataclass(frozen=True, slots=True)
class DocumentView:
    """A document of a draft as a form shows it.

    Attributes:
        draft: the draft.
        path: the file.
        kind: what kind of document it is.
        entity: the identifier of what it describes.
        values: what it says, by key.
        published: what the published version says, by key; None where it has no such file.
        languages: in which texts are asked for: the declared ones, else English and Dutch, and all others that the document uses.
        demo: whether the scheme is a demo scheme.
        has_logo: whether a logo stands beside it.
    """

    draft: DraftInfo
    path: str
    kind: DocumentKind
    entity: str
    values: Mapping[str, Value]
    published: Mapping[str, Value] | None
    languages: tuple[str, ...]
    demo: bool
    has_logo: bool

    @property
    def logo_path(self) -> str:
        """Where its logo stands."""
        return self.path.removesuffix("description.xml") + "logo.png"


@dataclass(frozen=True, slots=True)
class Saved:
    """What came of a save.

    Attributes:
        document: as it is now.
        conflicts: fields that somebody else changed meanwhile to something else; they are as the other made them.
        errors: what was not saved, since the file could not hold it: key to rule.
        by_others: keys that others changed since the author looked.
        saved: keys that this save changed in the draft.
    """

    document: DocumentView
    conflicts: tuple[Conflict, ...] = ()
    errors: Mapping[str, str] = field(default_factory=dict)
    by_others: tuple[str, ...] = ()
    saved: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs between two versions, or between a draft and the published version it starts from.

    Attributes:
        before, after: the commits; `before` is None for a scheme that was never published.
        changes: every entity that differs, with its fields.
        files: how many files differ.
    """

    before: str | None
    after: str
    changes: tuple[EntityChange, ...]
    files: int


@dataclass(frozen=True, slots=True)
class Rebased:
    """What came of a rebase.

    Attributes:
        draft: as it is now; unchanged where there are conflicts.
        conflicts: what has to be decided first.
        published: the commit that it was to be put on.
    """

    draft: DraftInfo
    conflicts: tuple[Conflict, ...]
    published: str


@dataclass(frozen=True, slots=True)
class Restoration:
    """What restoring an earlier version would give.

    Attributes:
        commit: the version to restore.
        changes: what would differ from the published version.
        kept: what stays although the version is without it.
    """

    commit: str
    changes: tuple[EntityChange, ...]
    kept: tuple[Kept, ...]


@dataclass(frozen=True, slots=True)
class ContentEntry:
    """An issuer or a credential type in the contents of a draft.

    Attributes:
        id: its identifier.
        name: per language; empty where the document cannot be read.
        path: its document.
        change: `added`, `changed`, or empty.
        is_deprecated: whether it is.
        inside: of an issuer its credential types.
    """

    id: str
    name: Mapping[str, str]
    path: str
    change: str
    is_deprecated: bool
    inside: "tuple[ContentEntry, ...]" = ()


@dataclass(frozen=True, slots=True)
class Located:
    """A finding of a check with the form that mends it.

    Attributes:
        finding: what was found.
        path: the document whose form it is; empty where there is none.
        key: the field in that form; empty where it is the whole.
    """

    finding: FindingView
    path: str
    key: str


@dataclass(frozen=True, slots=True)
class Card:
    """A credential type as wallets show it, with what belongs to its issuer.

    Attributes:
        type: the credential type.
        issuer_name: per language.
        keys: the public keys of the issuer, the highest counter first.
    """

    type: CredentialTypeView
    issuer_name: Mapping[str, str]
    keys: tuple[PublicKeyView, ...]


@dataclass(frozen=True, slots=True)
class LogoFacts:
    """A logo: pixels wide and high, 0 where they cannot be read, and its size in bytes."""

    width: int
    height: int
    size: int
