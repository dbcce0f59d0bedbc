"""Checks what an issuer scheme says: its issuers, credential types and keys.

Source: irmago `irma/schemes.go` SchemeManager.validate, parseContents; `irma/irmaconfig.go` validateIssuer … ValidateKeys.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from ..errors import MalformedError, MalformedKeyError, MalformedSchemeError
from .check import NAME, NAME_RULE, SchemeCheck, sanitized
from .dependencies import MAX_DEPENDENCY_DEPTH, ChainTooLongError, is_obtainable
from .descriptions import (
    CREDENTIAL_TYPE_VERSION,
    ISSUER_VERSION,
    SCHEME_VERSION,
    CredentialType,
    Issuer,
    SchemeManager,
    parse_credential_type,
    parse_issuer,
)
from .findings import SchemeStatus
from .identifiers import CredentialTypeId, IssuerId
from .public_keys import PublicKeyFolder
from .translations import TranslatedString

#: Keys that expire within this time draw a warning.
EXPIRY_WARNING_SECONDS: Final = 31 * 24 * 3600

_PARSING: Final = SchemeStatus.PARSING_ERROR
_SIGNATURE: Final = SchemeStatus.INVALID_SIGNATURE
_CONTENT: Final = SchemeStatus.CONTENT_PARSING_ERROR
#: An error in the keys leaves a scheme in use: only this check refuses it.
_IN_USE: Final = SchemeStatus.VALID


class IssuerSchemeCheck:
    """Steps 10 to 13 of the check of an issuer scheme, and its keys.

    Attributes:
        issuers, types: what was read, by id.
    """

    def __init__(self, check: SchemeCheck) -> None:
        self._check = check
        self.issuers: Final[dict[IssuerId, Issuer]] = {}
        self.types: Final[dict[CredentialTypeId, CredentialType]] = {}

    def run(self, scheme: SchemeManager, *, check_keys: bool) -> None:
        if scheme.version < SCHEME_VERSION:
            self._check.refuse("description.xml", "version", f"must be at least {SCHEME_VERSION}", _PARSING, field="attribute version")
        if scheme.has_keyshare:
            if not self._check.tree.exists("kss-0.pem"):
                self._check.refuse("kss-0.pem", "keyshare-key", "a scheme with a keyshare server has its key", _PARSING)
            elif not self._check.is_listed("kss-0.pem"):
                self._check.refuse("kss-0.pem", "keyshare-key", "is not listed in the index", _PARSING, departure="unsigned-content")
        self._check.check_translations(
            "description.xml", f"Scheme {scheme.scheme_id}", (("Name", scheme.name), ("Description", scheme.description)), scheme.languages
        )
        for path, digest in self._check.entries():
            self._check.check_hash(path, digest, _SIGNATURE)
        for directory in self._check.tree.subdirectories(""):
            self._check_issuer(scheme, directory)
        self._check_dependencies()
        if check_keys:
            for identifier, issuer in self.issuers.items():
                self._check_keys(identifier, issuer)

    def _signed_content(self, path: str) -> bytes | None:
        """A description that the index lists; None, after an error, where it does not or where it cannot be read."""
        if not self._check.is_listed(path):
            self._check.refuse(path, "not-in-index", "is not listed in the index", _CONTENT)
            return None
        return self._check.tree.get(path)

    def _check_issuer(self, scheme: SchemeManager, directory: str) -> None:
        path = f"{directory}/description.xml"
        if not self._check.tree.exists(path):
            return
        content = self._signed_content(path)
        if content is None:
            return
        try:
            issuer = parse_issuer(content, path)
        except MalformedSchemeError as error:
            self._check.error("issuer", error, _CONTENT)
            return
        languages = issuer.languages or scheme.languages
        if issuer.version < ISSUER_VERSION:
            self._check.refuse(path, "version", f"must be at least {ISSUER_VERSION}", _CONTENT, field="attribute version")
        self._check.check_translations(path, f"Issuer {issuer.id}", (("Name", issuer.name),), languages)
        if not self._check.tree.entries(f"{issuer.issuer_id}/PublicKeys"):
            self._check.warn(path, "no-public-keys", f"Issuer {issuer.id} has no public keys")
        if issuer.issuer_id != directory:
            self._check.refuse(path, "identifier", f"must be the name of the directory, {directory!r}", _CONTENT, field="<ID>")
        elif not NAME.fullmatch(directory):
            self._check.refuse(path, "identifier", NAME_RULE, _CONTENT, field="<ID>", departure="identifier-characters")
        if issuer.scheme_id != scheme.scheme_id:
            self._check.refuse(path, "identifier", f"must be {scheme.scheme_id!r}", _CONTENT, field="<SchemeManager>")
        if scheme.demo:
            self._check_demo_prefix(path, issuer.name, languages)
        if not self._check.tree.exists(f"{directory}/logo.png"):
            self._check.warn(path, "no-logo", f"Issuer {issuer.id} has no logo.png")
        self.issuers[issuer.id] = issuer
        self._check_credential_types(scheme, issuer, directory, languages)

    def _check_demo_prefix(self, path: str, name: TranslatedString, languages: Sequence[str]) -> None:
        for language in languages:
            if not name.get(language, "").startswith("Demo "):
                self._check.refuse(
                    path, "demo-prefix", "a name in a demo scheme begins with 'Demo '", _CONTENT, field=f"<Name><{sanitized(language)}>"
                )

    def _check_credential_types(self, scheme: SchemeManager, issuer: Issuer, directory: str, languages: Sequence[str]) -> None:
        found = False
        for name in self._check.tree.subdirectories(f"{directory}/Issues"):
            path = f"{directory}/Issues/{name}/description.xml"
            if not self._check.tree.exists(path):
                continue
            content = self._signed_content(path)
            if content is None:
                continue
            try:
                credential_type = parse_credential_type(content, path)
            except MalformedSchemeError as error:
                self._check.error("credential-type", error, _CONTENT)
                continue
            before = len(self._check.errors)
            self._check_credential_type(scheme, issuer, credential_type, path, name, credential_type.languages or languages)
            found = found or len(self._check.errors) == before
            self.types[credential_type.id] = credential_type
        if not found:
            self._check.warn(f"{directory}/description.xml", "no-credential-types", f"Issuer {issuer.id} has no credential types")

    def _check_credential_type(
        self, scheme: SchemeManager, issuer: Issuer, credential_type: CredentialType, path: str, directory: str, languages: Sequence[str]
    ) -> None:
        subject = f"Credential type {credential_type.id}"
        self._check.check_translations(path, subject, _translated_members(credential_type), languages)
        if credential_type.version < CREDENTIAL_TYPE_VERSION:
            self._check.refuse(path, "version", f"must be at least {CREDENTIAL_TYPE_VERSION}", _CONTENT, field="attribute version")
        if credential_type.credential_id != directory:
            self._check.refuse(path, "identifier", f"must be the name of the directory, {directory!r}", _CONTENT, field="<CredentialID>")
        elif not NAME.fullmatch(directory):
            self._check.refuse(path, "identifier", NAME_RULE, _CONTENT, field="<CredentialID>", departure="identifier-characters")
        if credential_type.issuer_id != issuer.issuer_id:
            self._check.refuse(path, "identifier", f"must be {issuer.issuer_id!r}", _CONTENT, field="<IssuerID>")
        if credential_type.scheme_id != scheme.scheme_id:
            self._check.refuse(path, "identifier", f"must be {scheme.scheme_id!r}", _CONTENT, field="<SchemeManager>")
        if scheme.demo:
            self._check_demo_prefix(path, credential_type.name, languages)
        for server in credential_type.revocation_servers:
            if not server:
                rule = "must not be empty"
            elif not scheme.demo and not server.startswith("https://"):
                rule = "must begin with https://"
            elif server.endswith("/"):
                rule = "must not end in a slash"
            else:
                continue
            self._check.refuse(path, "revocation-server", rule, _CONTENT, field="<RevocationServer>")
        if not self._check.tree.exists(path.removesuffix("description.xml") + "logo.png"):
            self._check.warn(path, "no-logo", f"{subject} has no logo.png")
        self._check_attributes(credential_type, path, languages)

    def _check_attributes(self, credential_type: CredentialType, path: str, languages: Sequence[str]) -> None:
        attributes = credential_type.attributes
        if not attributes:
            self._check.refuse(path, "attributes", "a credential type has attributes", _CONTENT, field="<Attributes>")
            return
        places: set[int] = set()
        ids: set[str] = set()
        for position, attribute in enumerate(attributes):
            where = f"<Attribute> {position + 1}"
            if not attribute.revocation:
                self._check.check_translations(
                    path,
                    f"Attribute {attribute.attribute_id} of credential type {credential_type.id}",
                    (("Name", attribute.name), ("Description", attribute.description)),
                    languages,
                )
            place = position if attribute.display_index is None else attribute.display_index
            if place >= len(attributes):
                self._check.warn(
                    path,
                    "display-index",
                    f"Credential type {credential_type.id} has invalid attribute displayIndex at attribute {position}",
                    field=where,
                )
            places.add(place)
            if attribute.revocation:
                if attribute.random_blind:
                    self._check.refuse(path, "revocation-attribute", "is not random-blind as well", _CONTENT, field=where)
                if attribute.attribute_id:
                    self._check.refuse(path, "revocation-attribute", "a revocation attribute has no id", _CONTENT, field=where)
            elif not NAME.fullmatch(attribute.attribute_id):
                self._check.refuse(path, "identifier", NAME_RULE, _CONTENT, field=where, departure="identifier-characters")
            elif attribute.attribute_id in ids:
                self._check.refuse(
                    path, "duplicate-attribute", "the id was used before", _CONTENT, field=where, departure="duplicate-attribute"
                )
            ids.add(attribute.attribute_id)
        if len(places) != len(attributes):
            self._check.warn(
                path,
                "display-index",
                f"Credential type {credential_type.id} has invalid attribute ordering, check the displayIndex tags",
                field="<Attributes>",
            )
        revocation = sum(attribute.revocation for attribute in attributes)
        if revocation and not credential_type.supports_revocation:
            self._check.refuse(
                path, "revocation-attribute", "a revocation attribute needs a revocation server", _CONTENT, field="<RevocationServers>"
            )
        if not revocation and credential_type.supports_revocation:
            self._check.refuse(
                path, "revocation-attribute", "a revocation server needs a revocation attribute", _CONTENT, field="<Attributes>"
            )
        if revocation > 1:
            self._check.refuse(
                path,
                "revocation-attribute",
                "there is at most one revocation attribute",
                _CONTENT,
                field="<Attributes>",
                departure="duplicate-attribute",
            )

    def _check_dependencies(self) -> None:
        """Step 13: every credential type can be obtained without having itself first.

        Source: irmago `irma/schemes.go` validateDependencies.
        """
        for identifier, credential_type in self.types.items():
            if not credential_type.dependencies:
                continue
            path = _path_of(credential_type)
            unknown = False
            for dependency in dict.fromkeys(item for discon in credential_type.dependencies for con in discon for item in con):
                if dependency not in self.types:
                    foreign = self._check.configuration is not None and dependency in self._check.configuration.credential_types
                    rule = "is of another scheme" if foreign else "is unknown"
                    self._check.refuse(path, "dependency", f"{sanitized(str(dependency))} {rule}", _CONTENT, field="<Dependencies>")
                    unknown = True
            if unknown:
                continue
            try:
                obtainable = is_obtainable(identifier, self.types, identifier, 0, {})
            except ChainTooLongError:
                self._check.refuse(
                    path, "dependency", f"a chain of dependencies is shorter than {MAX_DEPENDENCY_DEPTH}", _CONTENT, field="<Dependencies>"
                )
                continue
            if not obtainable:
                self._check.refuse(
                    path, "dependency", "every way to obtain the credential needs the credential itself", _CONTENT, field="<Dependencies>"
                )

    def _check_keys(self, identifier: IssuerId, issuer: Issuer) -> None:
        """The public keys of an issuer.

        Source: irmago `irma/irmaconfig.go` ValidateKeys.
        """
        folder = PublicKeyFolder(self._check.tree, self._check.index, issuer.issuer_id)
        try:
            newest = folder.newest()
            if newest is None:
                return
            for counter in folder.counters():
                try:
                    folder.key(counter)
                except MalformedError as error:
                    self._check.error("public-key", error, _IN_USE)
            if newest not in folder.counters():
                self._check.refuse(
                    folder.file(newest),
                    "public-key",
                    "the newest key cannot be loaded: it, or a key before it in the order of their names, is not listed in the index",
                    _IN_USE,
                )
                return
            latest = folder.key(newest)
        except MalformedSchemeError as error:
            if not any(finding.error is error or finding.message == str(error) for finding in self._check.errors):
                self._check.error("public-key", error, _IN_USE)
            return
        except MalformedKeyError:
            return
        path = folder.file(newest)
        if not issuer.is_deprecated(self._check.now):
            if latest.expires_at < self._check.now:
                self._check.warn(path, "key-expiry", f"Issuer {identifier} has no nonexpired public keys", field="<ExpiryDate>")
            elif self._check.now < latest.expires_at < self._check.now + EXPIRY_WARNING_SECONDS:
                moment = datetime.fromtimestamp(latest.expires_at, UTC).strftime("%Y-%m-%d %H:%M:%S +0000 UTC")
                message = f"Latest public key of issuer {identifier} expires soon (at {moment})"
                self._check.warn(path, "key-expiry", message, field="<ExpiryDate>")
        for credential_type in self.types.values():
            if credential_type.issuer_id != issuer.issuer_id:
                continue
            needed = len(credential_type.attributes) + 2
            if needed > len(latest.R):
                self._check.refuse(
                    path,
                    "key-bases",
                    f"the newest key has {len(latest.R)} bases, {credential_type.id} needs {needed}",
                    _IN_USE,
                    field="<Bases>",
                )
            if credential_type.supports_revocation and not latest.supports_revocation:
                self._check.refuse(
                    path, "key-revocation", f"the newest key has no part for revocation, {credential_type.id} needs it", _IN_USE
                )


def _path_of(credential_type: CredentialType) -> str:
    return f"{credential_type.issuer_id}/Issues/{credential_type.credential_id}/description.xml"


def _translated_members(credential_type: CredentialType) -> tuple[tuple[str, TranslatedString | None], ...]:
    """The texts of a credential type in the order in which the reference goes through them."""
    return (
        ("Name", credential_type.name),
        ("Description", credential_type.description),
        ("IssueURL", credential_type.issue_url),
        ("Category", credential_type.category),
        ("FAQIntro", credential_type.faq_intro),
        ("FAQPurpose", credential_type.faq_purpose),
        ("FAQContent", credential_type.faq_content),
        ("FAQHowto", credential_type.faq_howto),
        ("FAQSummary", credential_type.faq_summary),
    )
