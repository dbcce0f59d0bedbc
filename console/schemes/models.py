"""The typed objects of schemes in the console: what is imported or authored, and what pages show."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from console.errors import Incompatibility
from gateway.models import Channel

#: How many approvals a publication needs (row B3).
REQUIRED_APPROVALS: Mapping[Channel, int] = {Channel.DEMO: 0, Channel.STAGING: 1, Channel.PRODUCTION: 2}


class SchemeState(Enum):
    """What a scheme is in the console."""

    NEVER_PUBLISHED = "never_published"
    PUBLISHING = "publishing"
    LIVE = "live"
    NOT_SERVED = "not_served"


class SourceKind(Enum):
    """What a scheme is imported from.

    A web address may be that of a git repository or that of a published scheme, and nothing in it tells which: so whoever imports may
    say it. Few will need to: what is not said is found by looking (`DETECT`). A zip is a zip; a path on the server is a repository
    where git made it one, else a folder; a web address that ends in `.git` is a repository, another is a published scheme where
    it serves an `index`, which every client fetches first and no repository answers with, else a repository.
    """

    DETECT = "detect"
    FOLDER = "folder"
    GIT = "git"
    ADDRESS = "address"
    ZIP = "zip"


@dataclass(frozen=True, slots=True)
class SchemeImport:
    """A scheme to be imported.

    Attributes:
        source: a directory, the path of a (bare) repository, an https address of one, or one where a scheme is published; empty for a zip.
        branch: the branch of the repository to follow; empty takes its own.
        channel: for whom it is; a scheme that calls itself demo can only be `DEMO`, and another never.
        public_key: the PEM that the signature must be under; empty trusts the `pk.pem` found (first use).
        remote: where publications are pushed; empty takes the source where it is a repository, else nothing is pushed.
        public_url: where the scheme can be fetched; empty takes the installation's own web root.
        kind: what the source is.
        archive: a zip of the scheme's folder, or of a folder that holds it; empty where there is a source.
    """

    source: str = ""
    branch: str = ""
    channel: Channel = Channel.DEMO
    public_key: str = ""
    remote: str = ""
    public_url: str = ""
    kind: SourceKind = SourceKind.DETECT
    archive: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class NewScheme:
    """A scheme to be authored. Texts map a language to a text.

    Attributes:
        id: `[A-Za-z0-9_-]+`.
        url: where clients will find it.
        name: per language; with `Demo ` in front for demo schemes is not demanded of the scheme itself.
        description: per language.
        channel: `DEMO` writes `<Demo>true</Demo>`.
        languages: the languages that every text needs.
        remote: a bare repository to push to, or empty.
        public_url: where the published scheme can be fetched; empty takes the installation's own web root.
        contact, timestamp_server: addresses, or empty.
    """

    id: str
    url: str
    name: Mapping[str, str]
    description: Mapping[str, str]
    channel: Channel = Channel.DEMO
    languages: tuple[str, ...] = ("en", "nl")
    remote: str = ""
    public_url: str = ""
    contact: str = ""
    timestamp_server: str = ""


@dataclass(frozen=True, slots=True)
class NewIssuer:
    """An issuer to be added to a draft.

    Attributes:
        id: `[A-Za-z0-9_-]+`, the name of its directory.
        name: per language; `Demo ` in front for demo schemes.
        logo: the bytes of a square PNG, or empty.
        contact_address, contact_email: texts, or empty.
    """

    id: str
    name: Mapping[str, str]
    logo: bytes = b""
    contact_address: str = ""
    contact_email: str = ""


@dataclass(frozen=True, slots=True)
class NewAttribute:
    """An attribute of a new credential type; its position in the list is its position in credentials for ever."""

    id: str
    name: Mapping[str, str]
    description: Mapping[str, str]
    optional: bool = False
    random_blind: bool = False
    display_hint: str = ""
    display_index: int | None = None


@dataclass(frozen=True, slots=True)
class NewCredentialType:
    """A credential type to be added to a draft.

    Attributes:
        issuer: the issuer's name inside the scheme.
        id: `[A-Za-z0-9_-]+`, the name of its directory.
        name: per language; `Demo ` in front for demo schemes.
        description: per language.
        attributes: at least one.
        logo: the bytes of a square PNG, or empty.
        issue_url: per language, or empty.
        singleton: a holder has at most one.
        foreground_color, background_gradient_start, background_gradient_end: `#RRGGBB`, or empty.
    """

    issuer: str
    id: str
    name: Mapping[str, str]
    description: Mapping[str, str]
    attributes: tuple[NewAttribute, ...]
    logo: bytes = b""
    issue_url: Mapping[str, str] = field(default_factory=dict)
    singleton: bool = False
    foreground_color: str = ""
    background_gradient_start: str = ""
    background_gradient_end: str = ""


@dataclass(frozen=True, slots=True)
class DraftInfo:
    """A draft: a branch `drafts/<name>` in the console's clone.

    Attributes:
        scheme_id: whose.
        name: `[a-z0-9-]+`, unique in the scheme.
        title: the first line of its newest commit.
        author: the name of who made the newest commit.
        changed_at: when.
        head: the hash of its newest commit.
        base: the hash of the published commit it starts from, or None for a scheme that was never published.
        tree: the hash of its tree; approvals are bound to it.
        is_stale: a newer version was published after `base`.
    """

    scheme_id: str
    name: str
    title: str
    author: str
    changed_at: datetime
    head: str
    base: str | None
    tree: str
    is_stale: bool


@dataclass(frozen=True, slots=True)
class VersionInfo:
    """A version of a scheme that was published: a signed commit of its published branch.

    Attributes:
        scheme_id: whose.
        commit, tree: the hashes of the commit and of its tree.
        author: the name of who made the commit.
        committed_at: when it was made.
        message: of the commit; its first line is what was done.
        timestamp: when it was signed, as the version itself says; None where that cannot be read.
        is_in_force: it is the newest.
        publication_id: the publication that made it; None where it was not published here.
    """

    scheme_id: str
    commit: str
    tree: str
    author: str
    committed_at: datetime
    message: str
    timestamp: datetime | None
    is_in_force: bool
    publication_id: int | None


@dataclass(frozen=True, slots=True)
class FindingView:
    """A line of a check: `level` is `error`, `warning` or `lint`; path, field, rule and message as the engine found them."""

    level: str
    path: str
    field: str
    rule: str
    message: str


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What the check of a draft (or of the published version) found.

    Attributes:
        status: the engine's verdict, e.g. `Valid`.
        findings: all errors, warnings and lint.
        incompatibilities: changes against the versions ever published that break clients.
        tree: the hash of the tree that was checked.
        may_publish: no error, no incompatibility, something changed, base not stale.
        refusals: why it may not be published, a sentence each; empty where it may.
    """

    status: str
    findings: tuple[FindingView, ...]
    incompatibilities: tuple[Incompatibility, ...]
    tree: str
    may_publish: bool
    refusals: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SchemeSummary:
    """A row of the list of schemes.

    Attributes:
        id: the scheme.
        name: per language.
        channel, state: see there.
        kind: `issuer` or `requestor`.
        commit: the hash of the published commit, or None.
        published_at: the time in the published version's `timestamp`, or None.
        live_since: since when the newest publication was seen live, or None.
        issuers, credential_types: how many the published version (or the first draft) has.
        errors, warnings: how many the verification of the published version finds.
        drafts: how many there are.
        public_url: where clients fetch it.
        remote: where it is pushed, without credentials; empty where nowhere.
        active_publication_id: the publication under way, or None.
    """

    id: str
    name: Mapping[str, str]
    channel: Channel
    state: SchemeState
    kind: str
    commit: str | None
    published_at: datetime | None
    live_since: datetime | None
    issuers: int
    credential_types: int
    errors: int
    warnings: int
    drafts: int
    public_url: str
    remote: str
    active_publication_id: int | None


@dataclass(frozen=True, slots=True)
class AttributeView:
    """An attribute type as pages show it; `position` is that in credentials, `display_index` that on cards."""

    id: str
    position: int
    display_index: int
    name: Mapping[str, str]
    description: Mapping[str, str]
    optional: bool
    random_blind: bool
    revocation: bool
    display_hint: str


@dataclass(frozen=True, slots=True)
class CredentialTypeView:
    """A credential type as pages show it."""

    id: str
    issuer_id: str
    name: Mapping[str, str]
    description: Mapping[str, str]
    attributes: tuple[AttributeView, ...]
    has_logo: bool
    logo_path: str
    issue_url: Mapping[str, str]
    singleton: bool
    deprecated_since: datetime | None
    revocation_servers: tuple[str, ...]
    foreground_color: str
    background_gradient_start: str
    background_gradient_end: str
    bases_needed: int
    path: str


@dataclass(frozen=True, slots=True)
class PublicKeyView:
    """A public key of an issuer as it stands in the scheme."""

    issuer_id: str
    counter: int
    bits: int
    bases: int
    expires_at: datetime
    fingerprint: str
    supports_revocation: bool


@dataclass(frozen=True, slots=True)
class IssuerView:
    """An issuer with its credential types and public keys (highest counter first)."""

    id: str
    scheme_id: str
    name: Mapping[str, str]
    has_logo: bool
    logo_path: str
    contact_address: str
    contact_email: str
    deprecated_since: datetime | None
    credential_types: tuple[CredentialTypeView, ...]
    public_keys: tuple[PublicKeyView, ...]
    path: str


@dataclass(frozen=True, slots=True)
class SchemeView:
    """A scheme at one commit, as pages browse it.

    Attributes:
        summary: its row of the list.
        ref: what was read: `published` or the name of a draft.
        commit: the hash of the commit read.
        description: per language.
        url: the address in its description.
        languages: declared languages.
        keyshare_server, timestamp_server, contact: addresses, or empty.
        public_key_fingerprint: SHA-256 of the scheme's `pk.pem` in hex, or empty before the first signature.
        issuers: in the order of their ids.
        findings: errors, warnings and lint of this commit.
        files: how many files there are.
    """

    summary: SchemeSummary
    ref: str
    commit: str
    description: Mapping[str, str]
    url: str
    languages: tuple[str, ...]
    keyshare_server: str
    timestamp_server: str
    contact: str
    public_key_fingerprint: str
    issuers: tuple[IssuerView, ...]
    findings: tuple[FindingView, ...]
    files: int
