"""What the files of a scheme can say, field by field: one table per kind of document.

A field has a key of its own, unique in its document, and one place in the file. The tables are in the order in which new
elements are written. Keys are what forms, diffs, merges and the JSON API call a field by; a text has one key per language
(`name.en`), an element of a group one prefix (`attributes.level.optional`).

Source: irmago `irma/descriptions.go`; what older programs read and version 1.3 passes over is kept as a field of its own.
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

#: What a field holds: a text, a truth, a number, a list of texts or keys, or parts of other kinds (`Kind.PARTS`).
Value = str | bool | int | tuple["Value", ...] | dict[str, "Value"] | None
Values = dict[str, Value]

#: An identifier that is the key of its object; an object with another one is named by its place, as `@2`.
IDENTIFIER: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


class Kind(Enum):
    """What a field holds.

    `TEXT`, `FLAG` and `NUMBER` hold one value; `TRANSLATED` a text per language; `TEXTS` a list of texts in child elements;
    `DEPENDENCIES` a conjunction of disjunctions of conjunctions of identifiers; `PARTS` any other JSON value, as a whole.
    """

    TEXT = "text"
    FLAG = "flag"
    NUMBER = "number"
    TRANSLATED = "translated"
    TEXTS = "texts"
    DEPENDENCIES = "dependencies"
    PARTS = "parts"


class Fixed(Enum):
    """When a field can no longer change: never, once its object was published, or always (it follows from the place of the file)."""

    NEVER = "never"
    ONCE_PUBLISHED = "once_published"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a document.

    Attributes:
        key: its name; also that of the attribute of the typed description, unless `attribute` says otherwise.
        source: where it stands: `Element`, `Outer/Inner`, `@xml-attribute`, or the name of a JSON member.
        kind: what it holds.
        fixed: when it can no longer change.
        required: an emptied text stays as an empty element; otherwise the element goes.
        lowest: the least number it holds.
        alias: another name that is read where `source` is absent.
        attribute: the attribute of the typed description; empty where it has none.
    """

    key: str
    source: str
    kind: Kind = Kind.TEXT
    fixed: Fixed = Fixed.NEVER
    required: bool = False
    lowest: int = -(1 << 63)
    alias: str = ""
    attribute: str | None = None

    @property
    def typed(self) -> str:
        """The attribute of the typed description, dotted where it is nested; empty where there is none."""
        return self.key if self.attribute is None else self.attribute


@dataclass(frozen=True, slots=True)
class Group:
    """Objects of one kind in a document, in an order that matters; each has a key, which is its identifier.

    Attributes:
        key: its name; the value of this key is the tuple of the objects' keys in order.
        source: `Outer/Inner` of the elements, or the name of the JSON member; empty for the document itself.
        fields: what each object says.
        identity: the key of the field that names an object.
    """

    key: str
    source: str
    fields: tuple["Field | Group", ...]
    identity: str = "id"


@dataclass(frozen=True, slots=True)
class DocumentKind:
    """A kind of document.

    Attributes:
        name: `scheme`, `issuer`, `credential-type`, `requestor-scheme` or `requestors`.
        root: the name of the root element; empty for JSON.
        version: the version that is written; 0 for JSON.
        fields: what it says.
    """

    name: str
    root: str
    version: int
    fields: tuple[Field | Group, ...]


_LANGUAGES = Field("languages", "Languages/Language", Kind.TEXTS)
_DEPRECATED_SINCE = Field("deprecated_since", "DeprecatedSince", Kind.NUMBER)
#: Read by older programs only.
_SHORT_NAME = Field("short_name", "ShortName", Kind.TRANSLATED, attribute="")

#: The description of an issuer scheme.
SCHEME: Final = DocumentKind(
    "scheme",
    "SchemeManager",
    7,
    (
        Field("version", "@version", Kind.NUMBER, Fixed.ALWAYS, attribute=""),
        Field("id", "Id", fixed=Fixed.ALWAYS, required=True, attribute="scheme_id"),
        Field("url", "Url", required=True),
        Field("demo", "Demo", Kind.FLAG, Fixed.ALWAYS),
        Field("name", "Name", Kind.TRANSLATED, required=True),
        Field("description", "Description", Kind.TRANSLATED, required=True),
        Field("minimum_app_version.android", "MinimumAppVersion/Android", Kind.NUMBER, lowest=0),
        Field("minimum_app_version.ios", "MinimumAppVersion/iOS", Kind.NUMBER, lowest=0),
        Field("keyshare_server", "KeyshareServer"),
        Field("keyshare_website", "KeyshareWebsite"),
        Field("keyshare_attribute", "KeyshareAttribute"),
        Field("timestamp_server", "TimestampServer"),
        Field("contact", "Contact", alias="contact"),
        _LANGUAGES,
        Field("scheme_type", "SchemeType", fixed=Fixed.ALWAYS, attribute=""),
    ),
)

#: The description of an issuer.
ISSUER: Final = DocumentKind(
    "issuer",
    "Issuer",
    4,
    (
        Field("version", "@version", Kind.NUMBER, Fixed.ALWAYS, attribute=""),
        _SHORT_NAME,
        Field("id", "ID", fixed=Fixed.ALWAYS, required=True, attribute="issuer_id"),
        Field("name", "Name", Kind.TRANSLATED, required=True),
        Field("scheme_id", "SchemeManager", fixed=Fixed.ALWAYS, required=True),
        Field("contact_address", "ContactAddress"),
        Field("contact_email", "ContactEMail"),
        Field("base_url", "baseURL", attribute=""),
        _DEPRECATED_SINCE,
        _LANGUAGES,
    ),
)

_ATTRIBUTE = (
    Field("id", "@id", fixed=Fixed.ONCE_PUBLISHED, attribute="attribute_id"),
    Field("optional", "@optional", Kind.FLAG, attribute="is_optional"),
    Field("random_blind", "@randomblind", Kind.FLAG, Fixed.ONCE_PUBLISHED),
    Field("revocation", "@revocation", Kind.FLAG, Fixed.ONCE_PUBLISHED),
    Field("display_index", "@displayIndex", Kind.NUMBER, lowest=0),
    Field("display_hint", "@displayHint"),
    Field("name", "Name", Kind.TRANSLATED, required=True),
    Field("description", "Description", Kind.TRANSLATED, required=True),
)

#: The description of a credential type.
CREDENTIAL_TYPE: Final = DocumentKind(
    "credential-type",
    "IssueSpecification",
    4,
    (
        Field("version", "@version", Kind.NUMBER, Fixed.ALWAYS, attribute=""),
        Field("name", "Name", Kind.TRANSLATED, required=True),
        _SHORT_NAME,
        Field("scheme_id", "SchemeManager", fixed=Fixed.ALWAYS, required=True),
        Field("issuer_id", "IssuerID", fixed=Fixed.ALWAYS, required=True),
        Field("id", "CredentialID", fixed=Fixed.ALWAYS, required=True, attribute="credential_id"),
        # Stands in one published file; nobody reads it.
        Field("unread_id", "Id", attribute=""),
        _DEPRECATED_SINCE,
        Field("description", "Description", Kind.TRANSLATED, required=True),
        Field("singleton", "ShouldBeSingleton", Kind.FLAG, attribute="is_singleton"),
        Field("disallow_delete", "DisallowDelete", Kind.FLAG),
        Field("issue_url", "IssueURL", Kind.TRANSLATED),
        Field("universal_link", "IsULIssueURL", Kind.FLAG, attribute="is_universal_link"),
        Field("foreground_color", "ForegroundColor"),
        Field("background_gradient_start", "BackgroundGradientStart"),
        Field("background_gradient_end", "BackgroundGradientEnd"),
        Field("in_credential_store", "IsInCredentialStore", Kind.FLAG, attribute="is_in_credential_store"),
        Field("category", "Category", Kind.TRANSLATED),
        Field("faq_intro", "FAQIntro", Kind.TRANSLATED),
        Field("faq_purpose", "FAQPurpose", Kind.TRANSLATED),
        Field("faq_content", "FAQContent", Kind.TRANSLATED),
        Field("faq_howto", "FAQHowto", Kind.TRANSLATED),
        Field("faq_summary", "FAQSummary", Kind.TRANSLATED),
        _LANGUAGES,
        Field("dependencies", "Dependencies", Kind.DEPENDENCIES),
        Field("revocation_servers", "RevocationServers/RevocationServer", Kind.TEXTS),
        Field("revocation_update_count", "RevocationUpdateCount", Kind.NUMBER, lowest=0),
        Field("revocation_update_speed", "RevocationUpdateSpeed", Kind.NUMBER, lowest=0),
        Group("attributes", "Attributes/Attribute", _ATTRIBUTE),
    ),
)

#: The description of a requestor scheme.
REQUESTOR_SCHEME: Final = DocumentKind(
    "requestor-scheme",
    "",
    0,
    (
        Field("id", "id", fixed=Fixed.ALWAYS, required=True, attribute="scheme_id"),
        Field("scheme_type", "schemetype", fixed=Fixed.ALWAYS, attribute=""),
        Field("url", "url", required=True),
        Field("demo", "demo", Kind.FLAG, Fixed.ALWAYS),
        Field("languages", "languages", Kind.TEXTS),
    ),
)

_WIZARD = (
    Field("id", "id", fixed=Fixed.ONCE_PUBLISHED, required=True, attribute="wizard_id"),
    Field("title", "title", Kind.TRANSLATED, required=True),
    Field("logo", "logo"),
    Field("color", "color"),
    Field("text_color", "textColor"),
    Field("issues", "issues"),
    Field("allow_other_requestors", "allowOtherRequestors", Kind.FLAG),
    Field("languages", "languages", Kind.TEXTS),
    Field("info", "info", Kind.TRANSLATED),
    Field("faq", "faq", Kind.PARTS),
    Field("intro", "intro", Kind.TRANSLATED),
    Field("success_header", "successHeader", Kind.TRANSLATED),
    Field("success_text", "successText", Kind.TRANSLATED),
    Field("expand_dependencies", "expandDependencies", Kind.FLAG),
    Field("contents", "contents", Kind.PARTS),
)

_REQUESTOR = (
    Field("id", "id", fixed=Fixed.ONCE_PUBLISHED, required=True, attribute="requestor_id"),
    Field("scheme_id", "scheme", fixed=Fixed.ALWAYS, required=True),
    Field("name", "name", Kind.TRANSLATED, required=True),
    Field("industry", "industry", Kind.TRANSLATED),
    Field("hostnames", "hostnames", Kind.TEXTS),
    Field("logo", "logo"),
    Field("valid_until", "valid_until", Kind.NUMBER),
    Field("unverified", "unverified", Kind.FLAG),
    Field("languages", "languages", Kind.TEXTS),
    Group("wizards", "wizards", _WIZARD),
)

#: A list of requestors.
REQUESTORS: Final = DocumentKind("requestors", "", 0, (Group("requestors", "", _REQUESTOR),))
