"""What the description files of a scheme say: typed, frozen values, read from XML or JSON.

A value holds what the file says and nothing inherited: languages not declared are an empty tuple, for instance.
Identifiers are kept as the elements give them (`scheme_id`, `issuer_id`, …); `id` joins them. That they agree with the
directories is checked by `idemix.scheme.verify`.

Source: irmago `irma/descriptions.go`; the parse rules are those of Go `encoding/xml` and `encoding/json`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from ..errors import MalformedSchemeError
from .identifiers import (
    AttributeTypeId,
    CredentialTypeId,
    IssuerId,
    IssueWizardId,
    RequestorId,
    RequestorSchemeId,
    SchemeManagerId,
)
from .json_reader import JSONObject, JSONPairs, as_object, parse_json
from .memory import remembered
from .translations import TranslatedString
from .xml_reader import Element, parse_xml

#: What we write, and the least the reference reads.
SCHEME_VERSION: Final = 7
ISSUER_VERSION: Final = 4
CREDENTIAL_TYPE_VERSION: Final = 4

#: Revocation events sent with a session request, and hours after which the app renews its witness, where a type does not say.
DEFAULT_REVOCATION_UPDATE_COUNT: Final = 16
DEFAULT_REVOCATION_UPDATE_SPEED: Final = 168

_NO_TEXT: Final = TranslatedString()


@dataclass(frozen=True, slots=True)
class AppVersion:
    """The oldest app that a scheme supports, as build numbers; 0 where not said."""

    android: int = 0
    ios: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemeManager:
    """An issuer scheme (`description.xml` at the root).

    Attributes:
        scheme_id: the element `Id`.
        url: where the published scheme lies.
        keyshare_server: non-empty where the holders' keys are shared with a keyshare server.
        languages: the languages in which all texts below must be; empty where not declared.
        version: the XML attribute `version`, 0 where absent.
        timestamp: the time of the last signing in Unix seconds; None until the file `timestamp` was read.
    """

    scheme_id: str
    url: str = ""
    name: TranslatedString = _NO_TEXT
    description: TranslatedString = _NO_TEXT
    demo: bool = False
    minimum_app_version: AppVersion = AppVersion()
    keyshare_server: str = ""
    keyshare_website: str = ""
    keyshare_attribute: str = ""
    timestamp_server: str = ""
    contact: str = ""
    languages: tuple[str, ...] = ()
    version: int = SCHEME_VERSION
    timestamp: int | None = None

    @property
    def id(self) -> SchemeManagerId:
        return SchemeManagerId(self.scheme_id)

    @property
    def has_keyshare(self) -> bool:
        """Whether holders' secret keys are shared with a keyshare server."""
        return bool(self.keyshare_server)


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """An issuer (`ISSUER/description.xml`).

    Attributes:
        scheme_id: the element `SchemeManager`.
        issuer_id: the element `ID`, the last part of the identifier.
        deprecated_since: Unix seconds, None where not deprecated.
    """

    scheme_id: str
    issuer_id: str
    name: TranslatedString = _NO_TEXT
    contact_address: str = ""
    contact_email: str = ""
    deprecated_since: int | None = None
    languages: tuple[str, ...] = ()
    version: int = ISSUER_VERSION

    @property
    def id(self) -> IssuerId:
        return IssuerId(f"{self.scheme_id}.{self.issuer_id}")

    def is_deprecated(self, now: int) -> bool:
        """Whether the issuer is deprecated at a time in Unix seconds."""
        return self.deprecated_since is not None and self.deprecated_since <= now


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeType:
    """An attribute of a credential type.

    Attributes:
        credential_type: the type it belongs to.
        attribute_id: the last part of its identifier; empty for the revocation attribute.
        index: its position in the description; in a credential it is integer `index` + 2.
        optional: the XML attribute as written; only the exact text `true` makes it optional.
        random_blind: its value is a random number that issuer and holder make together.
        revocation: it is the hidden revocation attribute.
        display_index: where apps show it, None where they show it at its position.
        display_hint: `""`, `yesno`, `portraitPhoto`, or a word that apps do not know and pass over.
    """

    credential_type: CredentialTypeId
    attribute_id: str
    index: int
    name: TranslatedString = _NO_TEXT
    description: TranslatedString = _NO_TEXT
    optional: str = ""
    random_blind: bool = False
    revocation: bool = False
    display_index: int | None = None
    display_hint: str = ""

    @property
    def id(self) -> AttributeTypeId:
        return AttributeTypeId(f"{self.credential_type}.{self.attribute_id}")

    @property
    def is_optional(self) -> bool:
        return self.optional == "true"


#: A conjunction of disjunctions of conjunctions of credential types: all outer, one middle, all inner.
Dependencies = tuple[tuple[tuple[CredentialTypeId, ...], ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialType:
    """A credential type (`ISSUER/Issues/CREDENTIAL/description.xml`).

    Attributes:
        scheme_id, issuer_id, credential_id: the elements `SchemeManager`, `IssuerID`, `CredentialID`.
        is_singleton: a holder has at most one.
        disallow_delete: apps do not let the holder delete it.
        attributes: in the order that fixes their place in credentials.
        revocation_servers: addresses of revocation servers; non-empty means that credentials can be revoked.
        revocation_update_count, revocation_update_speed: as written, 0 where not said.
        issue_url: where the holder gets the credential, None where absent.
        deprecated_since: Unix seconds, None where not deprecated.
        dependencies: credential types that a holder must have first.
        is_in_credential_store: whether apps offer it in their store.
    """

    scheme_id: str
    issuer_id: str
    credential_id: str
    name: TranslatedString = _NO_TEXT
    description: TranslatedString = _NO_TEXT
    is_singleton: bool = False
    disallow_delete: bool = False
    attributes: tuple[AttributeType, ...] = ()
    revocation_servers: tuple[str, ...] = ()
    revocation_update_count: int = 0
    revocation_update_speed: int = 0
    issue_url: TranslatedString | None = None
    is_universal_link: bool = False
    deprecated_since: int | None = None
    dependencies: Dependencies = ()
    foreground_color: str = ""
    background_gradient_start: str = ""
    background_gradient_end: str = ""
    is_in_credential_store: bool = False
    category: TranslatedString | None = None
    faq_intro: TranslatedString | None = None
    faq_purpose: TranslatedString | None = None
    faq_content: TranslatedString | None = None
    faq_howto: TranslatedString | None = None
    faq_summary: TranslatedString | None = None
    languages: tuple[str, ...] = ()
    version: int = CREDENTIAL_TYPE_VERSION

    @property
    def id(self) -> CredentialTypeId:
        return CredentialTypeId(f"{self.scheme_id}.{self.issuer_id}.{self.credential_id}")

    @property
    def issuer(self) -> IssuerId:
        return IssuerId(f"{self.scheme_id}.{self.issuer_id}")

    @property
    def hash(self) -> bytes:
        """The 16 bytes that stand for the type in the metadata attribute."""
        return credential_type_hash(self.id)

    @property
    def supports_revocation(self) -> bool:
        return bool(self.revocation_servers)

    @property
    def revocation_index(self) -> int | None:
        """The position of the revocation attribute, None where there is none."""
        return next((attribute.index for attribute in self.attributes if attribute.revocation), None)

    @property
    def random_blind_indices(self) -> tuple[int, ...]:
        """The places of random-blind attributes in a credential's list of integers (metadata is place 0)."""
        return tuple(attribute.index + 1 for attribute in self.attributes if attribute.random_blind)

    @property
    def random_blind_names(self) -> tuple[str, ...]:
        """The names that app and server exchange as `randomblindIDs`.

        They are those of the attributes that *follow* a random-blind one: the reference takes a place in the list of integers
        for a position in the description, on both sides, and compares for equality.

        Source: irmago `irma/descriptions.go` RandomBlindAttributeNames.
        """
        indices = self.random_blind_indices
        return tuple(attribute.attribute_id for attribute in self.attributes if attribute.index in indices)

    def attribute(self, attribute_id: str) -> AttributeType | None:
        """The attribute of a name, None where there is none."""
        return next((attribute for attribute in self.attributes if attribute.attribute_id == attribute_id), None)


def credential_type_hash(credential_type: CredentialTypeId) -> bytes:
    """The first 16 bytes of SHA-256 over the identifier's text.

    Source: irmago `irma/irmaconfig.go` addReverseHash.
    """
    return hashlib.sha256(str(credential_type).encode()).digest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class WizardItem:
    """A step of an issue wizard: obtain a credential, do a session, visit a website.

    Attributes:
        type: `credential`, `session` or `website`.
        credential: required for `credential`; such items come first.
    """

    type: str
    credential: CredentialTypeId | None = None
    header: TranslatedString | None = None
    text: TranslatedString | None = None
    label: TranslatedString | None = None
    session_url: str | None = None
    url: TranslatedString | None = None
    in_app: bool | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A frequently asked question of a wizard."""

    question: TranslatedString
    answer: TranslatedString


#: All outer, one middle, all inner, as for dependencies.
WizardContents = tuple[tuple[tuple[WizardItem, ...], ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueWizard:
    """A wizard that leads a holder through obtaining credentials.

    Attributes:
        wizard_id: the whole identifier, as in the file.
        logo: SHA-256 of the logo in hex; the file is `assets/<logo>.png`.
        issues: the credential type that the wizard leads to.
        expand_dependencies: whether dependencies of the credential types are added as steps; None means yes.
    """

    wizard_id: str
    title: TranslatedString = _NO_TEXT
    logo: str | None = None
    color: str | None = None
    text_color: str | None = None
    issues: CredentialTypeId | None = None
    allow_other_requestors: bool = False
    languages: tuple[str, ...] = ()
    info: TranslatedString | None = None
    faq: tuple[Question, ...] = ()
    intro: TranslatedString | None = None
    success_header: TranslatedString | None = None
    success_text: TranslatedString | None = None
    expand_dependencies: bool | None = None
    contents: WizardContents = ()

    @property
    def id(self) -> IssueWizardId:
        return IssueWizardId(self.wizard_id)

    @property
    def expands_dependencies(self) -> bool:
        return self.expand_dependencies is not False


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestorInfo:
    """A known requestor of a requestor scheme.

    Attributes:
        requestor_id: the whole identifier, as in the file.
        scheme_id: the field `scheme`.
        hostnames: the hosts that belong to it.
        logo: SHA-256 of the logo in hex; the file is `assets/<logo>.png`.
        valid_until: Unix seconds, None for ever.
        unverified: shown as not verified.
        wizards: by the key under which each stands, which must be its id.
    """

    requestor_id: str
    scheme_id: str
    name: TranslatedString = _NO_TEXT
    industry: TranslatedString | None = None
    hostnames: tuple[str, ...] = ()
    logo: str | None = None
    valid_until: int | None = None
    unverified: bool = False
    languages: tuple[str, ...] = ()
    wizards: Mapping[str, IssueWizard] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def id(self) -> RequestorId:
        return RequestorId(self.requestor_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestorScheme:
    """A signed list of requestors (`description.json` and the other JSON files).

    Attributes:
        timestamp: the time of the last signing in Unix seconds; None until the file `timestamp` was read.
        requestors: of all requestor files, in the order of their paths.
    """

    scheme_id: str
    url: str = ""
    demo: bool = False
    languages: tuple[str, ...] = ()
    timestamp: int | None = None
    requestors: tuple[RequestorInfo, ...] = ()

    @property
    def id(self) -> RequestorSchemeId:
        return RequestorSchemeId(self.scheme_id)


def parse_scheme_manager(content: bytes, path: str = "description.xml") -> SchemeManager:
    """Read the description of an issuer scheme.

    Raises:
        MalformedSchemeError: not well-formed, another root element, or a value of the wrong kind.
    """
    root = parse_xml(content, path)
    _require_root(root, "SchemeManager")
    # The reference reads this one, too, and then overwrites it with the file of that name.
    root.optional_integer("Timestamp")
    versions = tuple(root.all("MinimumAppVersion"))
    return SchemeManager(
        scheme_id=root.string("Id"),
        url=root.string("Url"),
        name=root.translated("Name") or _NO_TEXT,
        description=root.translated("Description") or _NO_TEXT,
        demo=root.boolean("Demo"),
        minimum_app_version=AppVersion(
            android=_last(version.optional_integer("Android") for version in versions),
            ios=_last(version.optional_integer("iOS") for version in versions),
        ),
        keyshare_server=root.string("KeyshareServer"),
        keyshare_website=root.string("KeyshareWebsite"),
        keyshare_attribute=root.string("KeyshareAttribute"),
        timestamp_server=root.string("TimestampServer"),
        # The documented name; the reference looks for the lower-case one only.
        contact=root.string("Contact") or root.string("contact"),
        languages=root.strings("Languages", "Language"),
        version=root.integer_attribute("version") or 0,
    )


@remembered
def parse_issuer(content: bytes, path: str) -> Issuer:
    """Read the description of an issuer.

    Raises:
        MalformedSchemeError: not well-formed, another root element, or a value of the wrong kind.
    """
    root = parse_xml(content, path)
    _require_root(root, "Issuer", departure="issuer-root")
    return Issuer(
        scheme_id=root.string("SchemeManager"),
        issuer_id=root.string("ID"),
        name=root.translated("Name") or _NO_TEXT,
        contact_address=root.string("ContactAddress"),
        contact_email=root.string("ContactEMail"),
        deprecated_since=root.optional_integer("DeprecatedSince"),
        languages=root.strings("Languages", "Language"),
        version=root.integer_attribute("version") or 0,
    )


@remembered
def parse_credential_type(content: bytes, path: str) -> CredentialType:
    """Read the description of a credential type.

    Raises:
        MalformedSchemeError: not well-formed, another root element, or a value of the wrong kind.
    """
    root = parse_xml(content, path)
    _require_root(root, "IssueSpecification")
    scheme_id, issuer_id, credential_id = root.string("SchemeManager"), root.string("IssuerID"), root.string("CredentialID")
    type_id = CredentialTypeId(f"{scheme_id}.{issuer_id}.{credential_id}")
    return CredentialType(
        scheme_id=scheme_id,
        issuer_id=issuer_id,
        credential_id=credential_id,
        name=root.translated("Name") or _NO_TEXT,
        description=root.translated("Description") or _NO_TEXT,
        is_singleton=root.boolean("ShouldBeSingleton"),
        disallow_delete=root.boolean("DisallowDelete"),
        attributes=tuple(_attribute(element, type_id, index) for index, element in enumerate(root.all("Attributes", "Attribute"))),
        revocation_servers=root.strings("RevocationServers", "RevocationServer"),
        revocation_update_count=root.unsigned("RevocationUpdateCount"),
        revocation_update_speed=root.unsigned("RevocationUpdateSpeed"),
        issue_url=root.translated("IssueURL"),
        is_universal_link=root.boolean("IsULIssueURL"),
        deprecated_since=root.optional_integer("DeprecatedSince"),
        dependencies=tuple(
            tuple(tuple(CredentialTypeId(text) for text in con.strings("CredentialType")) for con in discon.all("And"))
            for discon in root.all("Dependencies", "Or")
        ),
        foreground_color=root.string("ForegroundColor"),
        background_gradient_start=root.string("BackgroundGradientStart"),
        background_gradient_end=root.string("BackgroundGradientEnd"),
        is_in_credential_store=root.boolean("IsInCredentialStore"),
        category=root.translated("Category"),
        faq_intro=root.translated("FAQIntro"),
        faq_purpose=root.translated("FAQPurpose"),
        faq_content=root.translated("FAQContent"),
        faq_howto=root.translated("FAQHowto"),
        faq_summary=root.translated("FAQSummary"),
        languages=root.strings("Languages", "Language"),
        version=root.integer_attribute("version") or 0,
    )


def parse_requestor_scheme(content: bytes, path: str = "description.json") -> RequestorScheme:
    """Read the description of a requestor scheme; its requestors stand in other files.

    Raises:
        MalformedSchemeError: not JSON, or a value of the wrong kind.
    """
    root = as_object(parse_json(content, path), path, "")
    return RequestorScheme(
        scheme_id=root.string("id"),
        url=root.string("url"),
        demo=root.boolean("demo"),
        languages=root.strings("languages"),
    )


def parse_requestors(content: bytes, path: str) -> tuple[RequestorInfo, ...]:
    """Read a requestor file.

    Raises:
        MalformedSchemeError: not JSON, not a list of objects, or a value of the wrong kind.
    """
    document = parse_json(content, path)
    if document is None:
        return ()
    if isinstance(document, JSONPairs) or not isinstance(document, list):
        raise MalformedSchemeError(path, "must be a list of requestors")
    return tuple(_requestor(as_object(item, path, f"[{number}]")) for number, item in enumerate(document))


def scheme_type(content: bytes, path: str) -> tuple[str, str]:
    """Read the id of a scheme and its type, `issuer` or `requestor`, from either kind of description.

    Raises:
        MalformedSchemeError: unreadable, another type, or an id that no scheme may have.

    Source: irmago `internal/common/common.go` SchemeInfo, ValidateSchemeID.
    """
    if path.endswith(".xml"):
        root = parse_xml(content, path)
        identifier, kind, field_name = root.string("Id"), root.string("SchemeType"), "<SchemeType>"
    else:
        fields = as_object(parse_json(content, path), path, "")
        identifier, kind, field_name = fields.string("id"), fields.string("schemetype"), "schemetype"
    kind = kind or "issuer"
    if kind not in ("issuer", "requestor"):
        raise MalformedSchemeError(path, f"unknown scheme type {kind!r}", field=field_name)
    if rule := scheme_id_rule(identifier):
        raise MalformedSchemeError(path, rule, field="<Id>" if path.endswith(".xml") else "id")
    return identifier, kind


def scheme_id_rule(identifier: str) -> str | None:
    """The rule that an id of a scheme breaks, None where it breaks none."""
    if "." in identifier:
        return "the id of a scheme holds no dot"
    if identifier.startswith(("tempscheme", "oldscheme")):
        return "the id of a scheme does not begin with tempscheme or oldscheme"
    return None


def _require_root(root: Element, name: str, departure: str | None = None) -> None:
    if root.name != name:
        raise MalformedSchemeError(root.path, f"the root element must be <{name}>, not <{root.name}>", departure=departure)


def _last(values: Any) -> int:
    return next((value for value in reversed(tuple(values)) if value is not None), 0)


def _attribute(element: Element, credential_type: CredentialTypeId, index: int) -> AttributeType:
    return AttributeType(
        credential_type=credential_type,
        attribute_id=element.attributes.get("id", ""),
        index=index,
        name=element.translated("Name") or _NO_TEXT,
        description=element.translated("Description") or _NO_TEXT,
        optional=element.attributes.get("optional", ""),
        random_blind=element.boolean_attribute("randomblind"),
        revocation=element.boolean_attribute("revocation"),
        display_index=element.integer_attribute("displayIndex"),
        display_hint=element.attributes.get("displayHint", ""),
    )


def _requestor(fields: JSONObject) -> RequestorInfo:
    wizards = fields.get("wizards")
    # Computed by readers; read only for its kind.
    fields.optional_string("logoPath")
    return RequestorInfo(
        requestor_id=fields.string("id"),
        scheme_id=fields.string("scheme"),
        name=fields.translated("name") or _NO_TEXT,
        industry=fields.translated("industry"),
        hostnames=fields.strings("hostnames"),
        logo=fields.optional_string("logo"),
        valid_until=fields.optional_seconds("valid_until"),
        unverified=fields.boolean("unverified"),
        languages=fields.strings("languages"),
        wizards=MappingProxyType(
            {}
            if wizards is None
            else {
                key: _wizard(as_object(value, fields.path, fields.field(f"wizards.{key}")))
                for key, value in as_object(wizards, fields.path, fields.field("wizards")).items()
            }
        ),
    )


def _wizard(fields: JSONObject) -> IssueWizard:
    fields.optional_string("logoPath")
    return IssueWizard(
        wizard_id=fields.string("id"),
        title=fields.translated("title") or _NO_TEXT,
        logo=fields.optional_string("logo"),
        color=fields.optional_string("color"),
        text_color=fields.optional_string("textColor"),
        issues=_credential(fields, "issues"),
        allow_other_requestors=fields.boolean("allowOtherRequestors"),
        languages=fields.strings("languages"),
        info=fields.translated("info"),
        faq=fields.objects("faq", lambda item: Question(item.translated("question") or _NO_TEXT, item.translated("answer") or _NO_TEXT)),
        intro=fields.translated("intro"),
        success_header=fields.translated("successHeader"),
        success_text=fields.translated("successText"),
        expand_dependencies=fields.optional_boolean("expandDependencies"),
        contents=_wizard_contents(fields),
    )


def _wizard_contents(fields: JSONObject) -> WizardContents:
    contents: list[tuple[tuple[WizardItem, ...], ...]] = []
    for i, discon in enumerate(fields.list("contents")):
        if discon is not None and (isinstance(discon, JSONPairs) or not isinstance(discon, list)):
            fields.fail(f"contents[{i}]", "must be a list")
        choices: list[tuple[WizardItem, ...]] = []
        for j, con in enumerate(discon or []):
            if con is not None and (isinstance(con, JSONPairs) or not isinstance(con, list)):
                fields.fail(f"contents[{i}][{j}]", "must be a list")
            choices.append(
                tuple(
                    _wizard_item(as_object(JSONPairs() if item is None else item, fields.path, fields.field(f"contents[{i}][{j}][{k}]")))
                    for k, item in enumerate(con or [])
                )
            )
        contents.append(tuple(choices))
    return tuple(contents)


def _wizard_item(fields: JSONObject) -> WizardItem:
    return WizardItem(
        type=fields.string("type"),
        credential=_credential(fields, "credential"),
        header=fields.translated("header"),
        text=fields.translated("text"),
        label=fields.translated("label"),
        session_url=fields.optional_string("sessionUrl"),
        url=fields.translated("url"),
        in_app=fields.optional_boolean("inapp"),
    )


def _credential(fields: JSONObject, name: str) -> CredentialTypeId | None:
    text = fields.optional_string(name)
    return None if text is None else CredentialTypeId(text)
