"""Where each field of a document stands in its form: section, label, help and the reason of a lock."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from flask_babel import lazy_gettext as _l

from idemix.scheme.documents import CREDENTIAL_TYPE, ISSUER, REQUESTOR_SCHEME, REQUESTORS, SCHEME, DocumentKind


class Control(Enum):
    """How a field is written in a form."""

    LINE = "line"
    TEXT = "text"
    NUMBER = "number"
    CHECK = "check"
    DATE = "date"
    LIST = "list"
    DEPENDENCIES = "dependencies"
    HINT = "hint"
    PARTS = "parts"


@dataclass(frozen=True, slots=True)
class FieldText:
    """A field in a form.

    Attributes:
        key: the field; inside a group without the group's prefix.
        label, help: for people.
        control: how it is written.
        asked: whether an empty text is a gap that the form points at.
        example: what one could write.
    """

    key: str
    label: str
    help: str = ""
    control: Control = Control.LINE
    asked: bool = False
    example: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """Fields under one heading.

    Attributes:
        name: its anchor.
        title: its heading.
        fields: in order.
        folded: whether it is one step away, since few need it.
        note: what holds for all of them.
    """

    name: str
    title: str
    fields: tuple[FieldText, ...]
    folded: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Layout:
    """The form of a kind of document.

    Attributes:
        sections: in order.
        groups: of each group the fields of its objects, the inner before the outer.
    """

    sections: tuple[Section, ...]
    groups: Mapping[str, tuple[FieldText, ...]] = field(default_factory=dict)

    def find(self, key: str) -> FieldText | None:
        """The text of a field by its whole key, of a translated one with or without its language; None for a group or an object."""
        for group, fields in self.groups.items():
            _, found, after = f".{key}".rpartition(f".{group}.")
            if found:
                inner = after.partition(".")[2]
                return next((text for text in fields if inner == text.key or inner.startswith(f"{text.key}.")), None)
        for section in self.sections:
            for text in section.fields:
                if key == text.key or key.startswith(f"{text.key}."):
                    return text
        return None


_OLDER = _l("Read by older apps only. Version 1.3 of the reference passes over it.")
_VERSION = FieldText("version", _l("Version of the format"), _l("The version that every app reads."), Control.NUMBER)
_DEPRECATED = FieldText(
    "deprecated_since",
    _l("Deprecated since"),
    _l("From this day wallets no longer offer it. Cards that were issued stay valid."),
    Control.DATE,
)
_LANGUAGES = FieldText(
    "languages",
    _l("Languages"),
    _l("Codes of the languages that every text needs, one per line. Without them, those of the level above hold."),
    Control.LIST,
    example="en",
)

_SCHEME_LANGUAGES = FieldText(
    "languages",
    _l("Languages"),
    _l("Codes of the languages that every text needs, one per line. Without them, en and nl."),
    Control.LIST,
    example="en",
)

_SCHEME_LAYOUT = Layout(
    (
        Section(
            "texts",
            _l("What people read"),
            (
                FieldText("name", _l("Name"), _l("What the scheme is called in lists."), asked=True),
                FieldText("description", _l("Description"), _l("What it is for, in a sentence."), Control.TEXT, asked=True),
                _SCHEME_LANGUAGES,
            ),
        ),
        Section(
            "addresses",
            _l("Addresses"),
            (
                FieldText(
                    "url", _l("Address of the scheme"), _l("Where wallets fetch it. Keep the old place alive after a move."), asked=True
                ),
                FieldText("contact", _l("Contact"), _l("A page about the people behind the scheme.")),
                FieldText("timestamp_server", _l("Time stamp server"), _l("Signatures of messages get their time stamps there.")),
            ),
        ),
        Section(
            "keyshare",
            _l("Keyshare server"),
            (
                FieldText(
                    "keyshare_server",
                    _l("Keyshare server"),
                    _l("It holds a share of each holder’s secret key. The scheme then needs its key, kss-0.pem."),
                ),
                FieldText("keyshare_website", _l("Website for holders"), _l("Where holders see what they did and block their wallet.")),
                FieldText(
                    "keyshare_attribute",
                    _l("Attribute to sign in with"),
                    _l("The attribute that holders sign in with at that website."),
                    example="pbdf.sidn-pbdf.irma.pseudonym",
                ),
            ),
            folded=True,
        ),
        Section(
            "apps",
            _l("Oldest apps"),
            (
                FieldText(
                    "minimum_app_version.android", _l("Android"), _l("The lowest build number that may read the scheme."), Control.NUMBER
                ),
                FieldText("minimum_app_version.ios", _l("iOS"), _l("The lowest build number that may read the scheme."), Control.NUMBER),
            ),
            folded=True,
        ),
        Section(
            "fixed",
            _l("What never changes"),
            (
                FieldText("id", _l("Identifier"), _l("Every identifier in the scheme begins with it.")),
                FieldText("demo", _l("Demo scheme"), _l("A demo scheme publishes its private keys, and protects nothing."), Control.CHECK),
                FieldText("scheme_type", _l("Kind of scheme"), _l("Issuers and credential types, or known requestors.")),
                _VERSION,
            ),
            folded=True,
        ),
    )
)

_ISSUER_LAYOUT = Layout(
    (
        Section(
            "texts",
            _l("What holders read"),
            (FieldText("name", _l("Name"), _l("Shown under the title of every card."), asked=True),),
        ),
        Section(
            "contact",
            _l("Contact"),
            (
                FieldText("contact_address", _l("Postal address"), _l("For people who want to write to the issuer."), Control.TEXT),
                FieldText("contact_email", _l("Mail address"), _l("For people who want to write to the issuer.")),
            ),
        ),
        Section("state", _l("State"), (_DEPRECATED, _LANGUAGES)),
        Section(
            "older",
            _l("Kept for older apps"),
            (FieldText("short_name", _l("Short name"), _OLDER), FieldText("base_url", _l("Base address"), _OLDER)),
            folded=True,
        ),
        Section(
            "fixed",
            _l("What never changes"),
            (
                FieldText("id", _l("Identifier"), _l("The name of the folder, and a part of every identifier below.")),
                FieldText("scheme_id", _l("Scheme"), _l("The scheme it belongs to.")),
                _VERSION,
            ),
            folded=True,
        ),
    )
)

_ATTRIBUTE_LAYOUT = (
    FieldText("name", _l("Name"), _l("The label on the card."), asked=True),
    FieldText("description", _l("Description"), _l("Shown when somebody asks what it is."), asked=True),
    FieldText(
        "optional",
        _l("Optional"),
        _l("Issuers may leave it out. What you add to a published card must be optional at first."),
        Control.CHECK,
    ),
    FieldText("display_hint", _l("Shown as"), _l("How wallets draw the value."), Control.HINT),
    FieldText("display_index", _l("Place on the card"), _l("Counted from 0. Without it, the order of the list holds."), Control.NUMBER),
    FieldText(
        "random_blind",
        _l("Random and blind"),
        _l("Wallet and issuer make the value together, so that the issuer does not know it."),
        Control.CHECK,
    ),
    FieldText("revocation", _l("For revocation"), _l("Hidden; it takes part in proofs that the card was not revoked."), Control.CHECK),
    FieldText("id", _l("Identifier"), _l("Requestors ask for it by this identifier.")),
)

_CREDENTIAL_TYPE_LAYOUT = Layout(
    (
        Section(
            "texts",
            _l("What holders read"),
            (
                FieldText("name", _l("Name"), _l("Title of the card in the wallet."), asked=True),
                FieldText("description", _l("Description"), _l("What the card says about its holder."), Control.TEXT, asked=True),
                FieldText("issue_url", _l("Page where people get it"), _l("The wallet opens this page from “Get this card”.")),
                FieldText(
                    "universal_link", _l("The page opens an app"), _l("It is a universal link, which another app may open."), Control.CHECK
                ),
            ),
        ),
        Section(
            "look",
            _l("Look of the card"),
            (
                FieldText("foreground_color", _l("Colour of the text"), _l("As # and six hexadecimal digits."), example="#15222E"),
                FieldText("background_gradient_start", _l("Background, from"), _l("As # and six hexadecimal digits."), example="#FFFFFF"),
                FieldText("background_gradient_end", _l("Background, to"), _l("As # and six hexadecimal digits."), example="#FFFFFF"),
            ),
            folded=True,
        ),
        Section(
            "behaviour",
            _l("Behaviour"),
            (
                FieldText("singleton", _l("A wallet keeps only one"), _l("A new card replaces the old one."), Control.CHECK),
                FieldText("disallow_delete", _l("Cannot be deleted"), _l("Wallets do not let holders delete the card."), Control.CHECK),
                FieldText(
                    "dependencies",
                    _l("Cards needed first"),
                    _l("Every line must hold. In a line, | separates alternatives, and + joins cards that are needed together."),
                    Control.DEPENDENCIES,
                    example="irma-demo.MijnOverheid.root | irma-demo.RU.studentCard",
                ),
                _DEPRECATED,
                _LANGUAGES,
            ),
        ),
        Section(
            "store",
            _l("In the wallet’s store"),
            (
                FieldText(
                    "in_credential_store", _l("Offered in the store"), _l("It then needs a page where people get it."), Control.CHECK
                ),
                FieldText("category", _l("Category"), _l("The heading under which the store shows it.")),
                FieldText("faq_summary", _l("In one sentence"), _l("Wizards show it as a step."), Control.TEXT),
                FieldText("faq_intro", _l("Introduction"), _l("What the card is."), Control.TEXT),
                FieldText("faq_purpose", _l("Purpose"), _l("What one does with it."), Control.TEXT),
                FieldText("faq_content", _l("Content"), _l("What stands on it."), Control.TEXT),
                FieldText("faq_howto", _l("How to get it"), _l("What one needs, and where to go."), Control.TEXT),
            ),
            folded=True,
        ),
        Section(
            "revocation",
            _l("Revocation"),
            (
                FieldText(
                    "revocation_servers",
                    _l("Revocation servers"),
                    _l("One address per line, https, without a slash at the end. They need an attribute for revocation."),
                    Control.LIST,
                ),
                FieldText(
                    "revocation_update_count",
                    _l("Events sent along"),
                    _l("Revocation events in each session request. Without it, 16."),
                    Control.NUMBER,
                ),
                FieldText(
                    "revocation_update_speed",
                    _l("Hours between updates"),
                    _l("After which a wallet has very likely updated. Without it, 168."),
                    Control.NUMBER,
                ),
            ),
            folded=True,
        ),
        Section(
            "older",
            _l("Kept for older apps"),
            (FieldText("short_name", _l("Short name"), _OLDER), FieldText("unread_id", _l("Second identifier"), _l("No app reads it."))),
            folded=True,
        ),
        Section(
            "fixed",
            _l("What never changes"),
            (
                FieldText(
                    "id",
                    _l("Identifier"),
                    _l("The name of the folder. A published identifier never changes: make a new credential type and deprecate this one."),
                ),
                FieldText("issuer_id", _l("Issuer"), _l("The issuer it belongs to.")),
                FieldText("scheme_id", _l("Scheme"), _l("The scheme it belongs to.")),
                _VERSION,
            ),
            folded=True,
        ),
    ),
    {"attributes": _ATTRIBUTE_LAYOUT},
)

_REQUESTOR_SCHEME_LAYOUT = Layout(
    (
        Section(
            "addresses",
            _l("Addresses and languages"),
            (FieldText("url", _l("Address of the scheme"), _l("Where wallets fetch it."), asked=True), _SCHEME_LANGUAGES),
        ),
        Section(
            "fixed",
            _l("What never changes"),
            (
                FieldText("id", _l("Identifier"), _l("Every identifier in the scheme begins with it.")),
                FieldText("demo", _l("Demo scheme"), _l("Requestors of a demo scheme have no hostnames."), Control.CHECK),
                FieldText("scheme_type", _l("Kind of scheme"), _l("Issuers and credential types, or known requestors.")),
            ),
        ),
    )
)

_WIZARD_LAYOUT = (
    FieldText("title", _l("Title"), _l("What the wizard is called."), asked=True),
    FieldText("info", _l("Information"), _l("What it leads to."), Control.TEXT),
    FieldText("intro", _l("Introduction"), _l("Shown before the first step."), Control.TEXT),
    FieldText("success_header", _l("Heading at the end"), _l("Together with the text at the end, or without both.")),
    FieldText("success_text", _l("Text at the end"), _l("Shown after the last step."), Control.TEXT),
    FieldText("issues", _l("Leads to the card"), _l("The credential type that holders have at the end.")),
    FieldText("allow_other_requestors", _l("Open to other requestors"), _l("Others may start it, too."), Control.CHECK),
    FieldText("expand_dependencies", _l("Adds needed cards"), _l("Cards that a card needs become steps of their own."), Control.CHECK),
    FieldText("contents", _l("Steps"), _l("As JSON: a list of lists of lists of steps."), Control.PARTS),
    FieldText("faq", _l("Questions"), _l("As JSON: a list of question and answer."), Control.PARTS),
    FieldText("color", _l("Background"), _l("As # and six hexadecimal digits, capitals."), example="#15222E"),
    FieldText("text_color", _l("Colour of the text"), _l("As # and six hexadecimal digits, capitals."), example="#FFFFFF"),
    FieldText("logo", _l("Logo"), _l("The SHA-256 of a picture in assets, in hex.")),
    _LANGUAGES,
    FieldText("id", _l("Identifier"), _l("Begins with that of the requestor.")),
)

_REQUESTOR_LAYOUT = (
    FieldText("name", _l("Name"), _l("Shown to holders when it asks."), asked=True),
    FieldText("industry", _l("Industry"), _l("What it does.")),
    FieldText("hostnames", _l("Hostnames"), _l("One per line; sessions from these hosts show its name."), Control.LIST),
    FieldText("logo", _l("Logo"), _l("The SHA-256 of a picture in assets, in hex.")),
    FieldText("valid_until", _l("Verified until"), _l("Afterwards wallets show it as not verified."), Control.DATE),
    FieldText("unverified", _l("Not verified"), _l("Wallets show it as not verified."), Control.CHECK),
    _LANGUAGES,
    FieldText("id", _l("Identifier"), _l("Begins with that of the scheme.")),
    FieldText("scheme_id", _l("Scheme"), _l("The scheme it belongs to.")),
)

#: The form of each kind of document, by its name.
LAYOUTS: Final[Mapping[str, Layout]] = {
    SCHEME.name: _SCHEME_LAYOUT,
    ISSUER.name: _ISSUER_LAYOUT,
    CREDENTIAL_TYPE.name: _CREDENTIAL_TYPE_LAYOUT,
    REQUESTOR_SCHEME.name: _REQUESTOR_SCHEME_LAYOUT,
    REQUESTORS.name: Layout((), {"wizards": _WIZARD_LAYOUT, "requestors": _REQUESTOR_LAYOUT}),
}

#: What wallets know to draw, and what stands in published schemes beside it.
HINTS: Final[Mapping[str, str]] = {
    "": _l("Text"),
    "yesno": _l("Yes or no"),
    "portraitPhoto": _l("Photo"),
    "sensitive": _l("Text, marked as sensitive"),
}


def layout(kind: DocumentKind) -> Layout:
    """The form of a kind of document."""
    return LAYOUTS[kind.name]
