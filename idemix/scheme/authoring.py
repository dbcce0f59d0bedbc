"""Writes new description files, and adds issuers and credential types to a scheme.

What is written has the form of the published schemes: tabs, no XML declaration, lines ending in LF, the versions 7, 4 and 4.
What is read back equals what was given.
"""

import re
from collections.abc import Iterable
from typing import Final

from ..errors import MalformedSchemeError
from .descriptions import CredentialType, Issuer, SchemeManager, parse_issuer, parse_scheme_manager, scheme_id_rule
from .documents import CREDENTIAL_TYPE, ISSUER, SCHEME, new_document, typed_values
from .translations import TranslatedString
from .tree import SchemeTree

#: The languages in which texts are asked for where a scheme does not say.
DEFAULT_LANGUAGES: Final = ("en", "nl")

_ID: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


def print_scheme_manager(scheme: SchemeManager) -> bytes:
    """The `description.xml` of an issuer scheme; its timestamp stands in another file.

    Raises:
        MalformedSchemeError: a text holds a character that XML cannot hold, or a language code is none.
    """
    return new_document("description.xml", typed_values(SCHEME, scheme)).content


def print_issuer(issuer: Issuer) -> bytes:
    """The `description.xml` of an issuer.

    Raises:
        MalformedSchemeError: a text holds a character that XML cannot hold, or a language code is none.
    """
    return new_document(f"{issuer.issuer_id}/description.xml", typed_values(ISSUER, issuer)).content


def print_credential_type(credential_type: CredentialType) -> bytes:
    """The `description.xml` of a credential type.

    Raises:
        MalformedSchemeError: a text holds a character that XML cannot hold, or a language code is none.
    """
    path = f"{credential_type.issuer_id}/Issues/{credential_type.credential_id}/description.xml"
    return new_document(path, typed_values(CREDENTIAL_TYPE, credential_type)).content


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
