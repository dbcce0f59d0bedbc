"""Writes new description files, and adds issuers and credential types to a scheme.

What is written has the form of the published schemes: tabs, no XML declaration, lines ending in LF, the versions 7, 4 and 4.
What is read back equals what was given.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from ..errors import MalformedSchemeError
from .descriptions import (
    CREDENTIAL_TYPE_VERSION,
    ISSUER_VERSION,
    SCHEME_VERSION,
    AttributeType,
    CredentialType,
    Dependencies,
    Issuer,
    SchemeManager,
    parse_issuer,
    parse_scheme_manager,
    scheme_id_rule,
)
from .translations import TranslatedString
from .tree import SchemeTree

#: The languages in which texts are asked for where a scheme does not say.
DEFAULT_LANGUAGES: Final = ("en", "nl")

_ID: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*", re.ASCII)
_ILLEGAL: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def print_scheme_manager(scheme: SchemeManager) -> bytes:
    """The `description.xml` of an issuer scheme; its timestamp stands in another file.

    Raises:
        MalformedSchemeError: a text holds a character that XML cannot hold, or a language code is none.
    """
    writer = _Writer("description.xml", "SchemeManager", SCHEME_VERSION)
    writer.element("Id", scheme.scheme_id)
    writer.element("Url", scheme.url)
    if scheme.demo:
        writer.element("Demo", "true")
    writer.translated("Name", scheme.name)
    writer.translated("Description", scheme.description)
    if scheme.minimum_app_version.android or scheme.minimum_app_version.ios:
        with_versions = (("Android", scheme.minimum_app_version.android), ("iOS", scheme.minimum_app_version.ios))
        writer.group("MinimumAppVersion", ((name, str(number)) for name, number in with_versions))
    writer.optional("KeyshareServer", scheme.keyshare_server)
    writer.optional("KeyshareWebsite", scheme.keyshare_website)
    writer.optional("KeyshareAttribute", scheme.keyshare_attribute)
    writer.optional("TimestampServer", scheme.timestamp_server)
    writer.optional("Contact", scheme.contact)
    writer.group("Languages", (("Language", language) for language in scheme.languages))
    return writer.close()


def print_issuer(issuer: Issuer) -> bytes:
    """The `description.xml` of an issuer.

    Raises:
        MalformedSchemeError: a text holds a character that XML cannot hold, or a language code is none.
    """
    writer = _Writer(f"{issuer.issuer_id}/description.xml", "Issuer", ISSUER_VERSION)
    writer.element("ID", issuer.issuer_id)
    writer.translated("Name", issuer.name)
    writer.element("SchemeManager", issuer.scheme_id)
    writer.optional("ContactAddress", issuer.contact_address)
    writer.optional("ContactEMail", issuer.contact_email)
    writer.number("DeprecatedSince", issuer.deprecated_since)
    writer.group("Languages", (("Language", language) for language in issuer.languages))
    return writer.close()


def print_credential_type(credential_type: CredentialType) -> bytes:
    """The `description.xml` of a credential type.

    Raises:
        MalformedSchemeError: a text holds a character that XML cannot hold, or a language code is none.
    """
    path = f"{credential_type.issuer_id}/Issues/{credential_type.credential_id}/description.xml"
    writer = _Writer(path, "IssueSpecification", CREDENTIAL_TYPE_VERSION)
    writer.translated("Name", credential_type.name)
    writer.element("SchemeManager", credential_type.scheme_id)
    writer.element("IssuerID", credential_type.issuer_id)
    writer.element("CredentialID", credential_type.credential_id)
    writer.number("DeprecatedSince", credential_type.deprecated_since)
    writer.translated("Description", credential_type.description)
    writer.flag("ShouldBeSingleton", credential_type.is_singleton)
    writer.flag("DisallowDelete", credential_type.disallow_delete)
    writer.translated("IssueURL", credential_type.issue_url)
    writer.flag("IsULIssueURL", credential_type.is_universal_link)
    writer.optional("ForegroundColor", credential_type.foreground_color)
    writer.optional("BackgroundGradientStart", credential_type.background_gradient_start)
    writer.optional("BackgroundGradientEnd", credential_type.background_gradient_end)
    writer.flag("IsInCredentialStore", credential_type.is_in_credential_store)
    writer.translated("Category", credential_type.category)
    writer.translated("FAQIntro", credential_type.faq_intro)
    writer.translated("FAQPurpose", credential_type.faq_purpose)
    writer.translated("FAQContent", credential_type.faq_content)
    writer.translated("FAQHowto", credential_type.faq_howto)
    writer.translated("FAQSummary", credential_type.faq_summary)
    writer.group("Languages", (("Language", language) for language in credential_type.languages))
    writer.dependencies(credential_type.dependencies)
    writer.group("RevocationServers", (("RevocationServer", server) for server in credential_type.revocation_servers))
    writer.number("RevocationUpdateCount", credential_type.revocation_update_count or None)
    writer.number("RevocationUpdateSpeed", credential_type.revocation_update_speed or None)
    writer.open("Attributes")
    for attribute in credential_type.attributes:
        writer.attribute(attribute)
    writer.end("Attributes")
    return writer.close()


def new_scheme(scheme: SchemeManager) -> SchemeTree:
    """A scheme with its description alone, to which issuers are added; it is not signed.

    Raises:
        MalformedSchemeError: the id is not one, or there is no name in a language that is asked for.
    """
    path = "description.xml"
    _check_id(path, "<Id>", scheme.scheme_id)
    if rule := scheme_id_rule(scheme.scheme_id):
        raise MalformedSchemeError(path, rule, field="<Id>")
    _check_texts(path, "<Name>", scheme.name, scheme.languages or DEFAULT_LANGUAGES)
    return SchemeTree({path: print_scheme_manager(scheme)}, name=scheme.scheme_id)


def add_issuer(tree: SchemeTree, issuer: Issuer, logo: bytes | None = None) -> SchemeTree:
    """Add an issuer to a scheme.

    Args:
        tree: the scheme; it is not signed any more afterwards.
        issuer: its `scheme_id` is that of the scheme.
        logo: a PNG.

    Raises:
        MalformedSchemeError: the id is not one or is taken, also in other case; a name is missing, or in a demo scheme does not begin
            with `Demo `; the logo is no PNG.
    """
    scheme = parse_scheme_manager(tree["description.xml"])
    path = f"{issuer.issuer_id}/description.xml"
    _check_scheme(path, issuer.scheme_id, scheme)
    _check_id(path, "<ID>", issuer.issuer_id)
    _check_free(path, "<ID>", issuer.issuer_id, tree.subdirectories(""))
    _check_name(path, issuer.name, scheme, issuer.languages or scheme.languages or DEFAULT_LANGUAGES)
    return tree.with_files({path: print_issuer(issuer), **_logo(path, logo)})


def add_credential_type(tree: SchemeTree, credential_type: CredentialType, logo: bytes | None = None) -> SchemeTree:
    """Add a credential type to an issuer of a scheme.

    Args:
        tree: the scheme; it is not signed any more afterwards.
        credential_type: its `scheme_id` and `issuer_id` are those of the scheme and of an issuer in it.
        logo: a PNG.

    Raises:
        MalformedSchemeError: an id is not one or is taken, also in other case; there is no such issuer; there are no attributes; a
            name is missing, or in a demo scheme does not begin with `Demo `; the logo is no PNG.
    """
    scheme = parse_scheme_manager(tree["description.xml"])
    issuer_id, credential_id = credential_type.issuer_id, credential_type.credential_id
    path = f"{issuer_id}/Issues/{credential_id}/description.xml"
    _check_scheme(path, credential_type.scheme_id, scheme)
    if f"{issuer_id}/description.xml" not in tree:
        raise MalformedSchemeError(path, f"the scheme has no issuer {issuer_id}", field="<IssuerID>")
    issuer = parse_issuer(tree[f"{issuer_id}/description.xml"], f"{issuer_id}/description.xml")
    _check_id(path, "<CredentialID>", credential_id)
    _check_free(path, "<CredentialID>", credential_id, tree.subdirectories(f"{issuer_id}/Issues"))
    languages = credential_type.languages or issuer.languages or scheme.languages or DEFAULT_LANGUAGES
    _check_name(path, credential_type.name, scheme, languages)
    _check_attributes(path, credential_type, languages)
    return tree.with_files({path: print_credential_type(credential_type), **_logo(path, logo)})


def _check_id(path: str, where: str, identifier: str) -> None:
    if not _ID.fullmatch(identifier):
        raise MalformedSchemeError(path, "must be letters, digits, dashes and underscores", field=where)


def _check_free(path: str, where: str, identifier: str, taken: Iterable[str]) -> None:
    """Two directories that differ in case only cannot lie beside one another everywhere."""
    if identifier.casefold() in {other.casefold() for other in taken}:
        raise MalformedSchemeError(path, f"{identifier} is taken", field=where)


def _check_scheme(path: str, scheme_id: str, scheme: SchemeManager) -> None:
    if scheme_id != scheme.scheme_id:
        raise MalformedSchemeError(path, f"must be {scheme.scheme_id}", field="<SchemeManager>")


def _check_texts(path: str, where: str, text: TranslatedString, languages: Iterable[str]) -> None:
    if missing := text.missing(languages):
        raise MalformedSchemeError(path, f"a text is required in {', '.join(missing)}", field=where)


def _check_name(path: str, name: TranslatedString, scheme: SchemeManager, languages: Iterable[str]) -> None:
    _check_texts(path, "<Name>", name, languages)
    if scheme.demo and not all(text.startswith("Demo ") for text in name.values()):
        raise MalformedSchemeError(path, "a name in a demo scheme begins with 'Demo '", field="<Name>")


def _check_attributes(path: str, credential_type: CredentialType, languages: Iterable[str]) -> None:
    if not credential_type.attributes:
        raise MalformedSchemeError(path, "a credential type has attributes", field="<Attributes>")
    seen: set[str] = set()
    for position, attribute in enumerate(credential_type.attributes):
        where = f"<Attribute> {position + 1}"
        if attribute.index != position or attribute.credential_type != credential_type.id:
            raise MalformedSchemeError(path, "must carry its position and its credential type", field=where)
        if attribute.revocation:
            continue
        _check_id(path, where, attribute.attribute_id)
        if attribute.attribute_id.casefold() in seen:
            raise MalformedSchemeError(path, f"{attribute.attribute_id} is taken", field=where)
        seen.add(attribute.attribute_id.casefold())
        _check_texts(path, where, attribute.name, languages)


def _logo(path: str, logo: bytes | None) -> dict[str, bytes]:
    if logo is None:
        return {}
    place = path.removesuffix("description.xml") + "logo.png"
    if not logo.startswith(b"\x89PNG\r\n\x1a\n"):
        raise MalformedSchemeError(place, "must be a PNG image")
    return {place: logo}


@dataclass(slots=True)
class _Writer:
    """Writes one description."""

    path: str
    root: str
    version: int
    _lines: list[str] = field(default_factory=list)
    _depth: int = 1

    def element(self, name: str, text: str) -> None:
        """An element with a text."""
        self._line(f"<{name}>{self._escaped(text, name)}</{name}>")

    def optional(self, name: str, text: str) -> None:
        """An element with a text, if there is one."""
        if text:
            self.element(name, text)

    def flag(self, name: str, value: bool) -> None:
        """An element for what is false where absent."""
        if value:
            self.element(name, "true")

    def number(self, name: str, value: int | None) -> None:
        """An element with a number, if there is one."""
        if value is not None:
            self.element(name, str(value))

    def translated(self, name: str, text: TranslatedString | None) -> None:
        """An element with a text in each language; None is left out."""
        if text is None:
            return
        self.open(name)
        for language, words in text.items():
            if not _LANGUAGE.fullmatch(language):
                raise MalformedSchemeError(self.path, f"{language!r} is not a language code", field=f"<{name}>")
            self.element(language, words)
        self.end(name)

    def group(self, name: str, children: Iterable[tuple[str, str]]) -> None:
        """An element around others, if there are any."""
        children = tuple(children)
        if children:
            self.open(name)
            for child, text in children:
                self.element(child, text)
            self.end(name)

    def dependencies(self, dependencies: Dependencies) -> None:
        """The dependencies, if there are any."""
        if not dependencies:
            return
        self.open("Dependencies")
        for discon in dependencies:
            self.open("Or")
            for con in discon:
                self.open("And")
                for identifier in con:
                    self.element("CredentialType", str(identifier))
                self.end("And")
            self.end("Or")
        self.end("Dependencies")

    def attribute(self, attribute: AttributeType) -> None:
        """An attribute of a credential type."""
        markup = "".join(f' {name}="{self._quoted(value, name)}"' for name, value in _markup(attribute))
        if attribute.revocation and not attribute.name and not attribute.description:
            self._line(f"<Attribute{markup}/>")
            return
        self._line(f"<Attribute{markup}>")
        self._depth += 1
        self.translated("Name", attribute.name)
        self.translated("Description", attribute.description)
        self.end("Attribute")

    def open(self, name: str) -> None:
        """Begin an element around others."""
        self._line(f"<{name}>")
        self._depth += 1

    def end(self, name: str) -> None:
        """End an element around others."""
        self._depth -= 1
        self._line(f"</{name}>")

    def close(self) -> bytes:
        """The file."""
        return "\n".join((f'<{self.root} version="{self.version}">', *self._lines, f"</{self.root}>", "")).encode()

    def _line(self, text: str) -> None:
        self._lines.append("\t" * self._depth + text)

    def _escaped(self, text: str, name: str) -> str:
        if _ILLEGAL.search(text):
            raise MalformedSchemeError(self.path, "holds a character that XML cannot hold", field=f"<{name}>")
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")

    def _quoted(self, text: str, name: str) -> str:
        return self._escaped(text, name).replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;")


def _markup(attribute: AttributeType) -> Iterator[tuple[str, str]]:
    """The XML attributes of an attribute of a credential type."""
    if attribute.attribute_id:
        yield "id", attribute.attribute_id
    if attribute.optional:
        yield "optional", attribute.optional
    if attribute.random_blind:
        yield "randomblind", "true"
    if attribute.revocation:
        yield "revocation", "true"
    if attribute.display_index is not None:
        yield "displayIndex", str(attribute.display_index)
    if attribute.display_hint:
        yield "displayHint", attribute.display_hint
