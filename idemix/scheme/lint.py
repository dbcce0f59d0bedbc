"""What we look for in a scheme beyond the reference: advice, which changes neither status nor verdict.

Each rule is a function that yields findings; its name, with dashes, is the name of the rule.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ..errors import IdemixError
from ..keys.private import PrivateKey
from ..keys.public import PublicKey
from .check import sanitized
from .descriptions import CredentialType, Issuer, RequestorScheme, SchemeManager
from .findings import Finding
from .identifiers import IssuerId
from .public_keys import KEY_FILE, PublicKeyFolder
from .translations import TranslatedString
from .verdict import SchemeContents

if TYPE_CHECKING:
    from .configuration import Configuration

#: The languages in which texts are looked for where a scheme declares none.
DEFAULT_LANGUAGES: Final = ("en", "nl")

KEY_EXPIRY_SECONDS: Final = 90 * 24 * 3600
MAX_LOGO_BYTES: Final = 100_000

_COLOUR: Final = re.compile(r"#[0-9A-Fa-f]{6}", re.ASCII)
_HOSTNAME: Final = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", re.ASCII)
_WARNED_SECONDS: Final = 31 * 24 * 3600


@dataclass(frozen=True, slots=True)
class _Subject:
    """What the rules look at."""

    contents: SchemeContents
    now: int
    configuration: "Configuration | None"
    previous: SchemeContents | None
    newest_keys: dict[IssuerId, PublicKey]

    def languages(self, *declared: tuple[str, ...]) -> tuple[str, ...]:
        """The first languages that are declared, from the inside to the outside."""
        return next((languages for languages in declared if languages), DEFAULT_LANGUAGES)

    def texts(self) -> Iterator[tuple[str, str, TranslatedString | None, tuple[str, ...]]]:
        """The texts of an issuer scheme: file, element, text, the languages asked for."""
        scheme = self.contents.scheme
        yield "description.xml", "<Name>", getattr(scheme, "name", None), self.languages(scheme.languages)
        yield "description.xml", "<Description>", getattr(scheme, "description", None), self.languages(scheme.languages)
        for issuer in self.contents.issuers.values():
            yield _issuer_path(issuer), "<Name>", issuer.name, self.languages(issuer.languages, scheme.languages)
        for kind in self.contents.credential_types.values():
            path, outer = _type_path(kind), self.contents.issuers.get(kind.issuer)
            languages = self.languages(kind.languages, outer.languages if outer else (), scheme.languages)
            yield path, "<Name>", kind.name, languages
            yield path, "<Description>", kind.description, languages
            for element, text in (
                ("<IssueURL>", kind.issue_url),
                ("<Category>", kind.category),
                ("<FAQIntro>", kind.faq_intro),
                ("<FAQPurpose>", kind.faq_purpose),
                ("<FAQContent>", kind.faq_content),
                ("<FAQHowto>", kind.faq_howto),
                ("<FAQSummary>", kind.faq_summary),
            ):
                yield path, element, text, languages
            for attribute in kind.attributes:
                if not attribute.revocation:
                    where = f"attribute {attribute.attribute_id}"
                    yield path, f"{where} <Name>", attribute.name, languages
                    yield path, f"{where} <Description>", attribute.description, languages


#: Path, field and message of a finding.
_Found = Iterator[tuple[str, str, str]]


def deprecated_with_live_key(subject: _Subject) -> _Found:
    """An issuer is deprecated, but its newest key has not expired."""
    for identifier, key in subject.newest_keys.items():
        issuer = subject.contents.issuers[identifier]
        if issuer.is_deprecated(subject.now) and key.expires_at > subject.now:
            yield _issuer_path(issuer), "<DeprecatedSince>", f"deprecated, yet key {key.counter} can be used until {_day(key.expires_at)}"


def key_counter(subject: _Subject) -> _Found:
    """A private key has another counter inside than its name says, or cannot be read."""
    for path, content in subject.contents.tree.items():
        folder, _, name = path.rpartition("/")
        match = KEY_FILE.fullmatch(name)
        if folder.rpartition("/")[2] != "PrivateKeys":
            continue
        if not match:
            yield path, "", "a folder of private keys holds files named <number>.xml only; a server refuses to start"
            continue
        try:
            counter = PrivateKey.from_xml(content, demo=True).counter
        except IdemixError as error:
            yield path, "", f"cannot be read; a server refuses to start: {error}"
            continue
        if counter != int(match[1]):
            yield path, "<Counter>", f"the counter inside is {counter}; a server refuses to start"


def key_expires_soon(subject: _Subject) -> _Found:
    """The newest key of an issuer expires within 90 days; the last 31 are warned of by the reference."""
    for identifier, key in subject.newest_keys.items():
        left = key.expires_at - subject.now
        if not subject.contents.issuers[identifier].is_deprecated(subject.now) and _WARNED_SECONDS <= left < KEY_EXPIRY_SECONDS:
            yield _key_path(identifier, key), "<ExpiryDate>", f"expires on {_day(key.expires_at)}: time to publish the next key"


def key_without_spare_bases(subject: _Subject) -> _Found:
    """The newest key of an issuer has just as many bases as its largest credential type needs."""
    for identifier, key in subject.newest_keys.items():
        kinds = [kind for kind in subject.contents.credential_types.values() if kind.issuer == identifier]
        largest = max((len(kind.attributes) for kind in kinds), default=0)
        if largest and len(key.R) == largest + 2:
            yield _key_path(identifier, key), "<Bases>", f"no base to spare: an attribute more than {largest} needs a new key first"


def attribute_changed(subject: _Subject) -> _Found:
    """Attributes were removed, renamed or reordered since the last publication: the meaning of issued credentials changes."""
    published = subject.previous.credential_types if subject.previous else {}
    for identifier, old in published.items():
        new = subject.contents.credential_types.get(identifier)
        if new is None:
            continue
        before = [attribute.attribute_id for attribute in old.attributes]
        after = [attribute.attribute_id for attribute in new.attributes]
        for position, name in enumerate(before):
            if position >= len(after) or after[position] != name:
                yield (
                    _type_path(new),
                    f"<Attribute> {position + 1}",
                    f"was published as {name}: append attributes, never move or remove them",
                )
                break


def empty_text(subject: _Subject) -> _Found:
    """A text is empty in a language that is declared, or in Dutch or English where none is."""
    for path, where, text, languages in subject.texts():
        for language in () if text is None else text.missing(languages):
            yield path, f"{where}<{sanitized(language)}>", "there is no text"


def logo(subject: _Subject) -> _Found:
    """A logo is no PNG, larger than 100 kB, or not square: every installation downloads every logo."""
    for path, content in subject.contents.tree.items():
        if not path.endswith(".png"):
            continue
        if not content.startswith(b"\x89PNG\r\n\x1a\n") or content[12:16] != b"IHDR" or len(content) < 24:
            yield path, "", "is no PNG image"
            continue
        if len(content) > MAX_LOGO_BYTES:
            yield path, "", f"has {len(content)} bytes; logos have at most {MAX_LOGO_BYTES}"
        width, height = int.from_bytes(content[16:20]), int.from_bytes(content[20:24])
        if width != height:
            yield path, "", f"is not square: {width} by {height} pixels"


def issue_url(subject: _Subject) -> _Found:
    """An address at which a credential is issued is not an https address, or is missing for the app's store."""
    for kind in subject.contents.credential_types.values():
        for language, text in (kind.issue_url or {}).items():
            if text and not _is_https(text):
                yield _type_path(kind), f"<IssueURL><{sanitized(language)}>", f"{sanitized(text)!r} is not an https address"
        if kind.is_in_credential_store and not kind.issue_url:
            yield _type_path(kind), "<IssueURL>", "apps need it for their store; without it their whole store fails"


def demo_prefix(subject: _Subject) -> _Found:
    """A name in a demo scheme does not begin with `Demo `, where the reference does not look as no languages are declared."""
    scheme = subject.contents.scheme
    if not scheme.demo or isinstance(scheme, RequestorScheme) or scheme.languages:
        return
    names = [(_issuer_path(issuer), issuer.name) for issuer in subject.contents.issuers.values()]
    names += [(_type_path(kind), kind.name) for kind in subject.contents.credential_types.values()]
    for path, name in names:
        for language, text in name.items():
            if text and not text.startswith("Demo "):
                yield path, f"<Name><{sanitized(language)}>", "a name in a demo scheme begins with 'Demo '"


def directory_name(subject: _Subject) -> _Found:
    """The directory is not named as the scheme; older apps require it."""
    if subject.contents.tree.name != subject.contents.scheme.scheme_id:
        yield "", "", f"the directory is named {sanitized(subject.contents.tree.name)!r}, the scheme {subject.contents.scheme.scheme_id!r}"


def private_key_in_production(subject: _Subject) -> _Found:
    """Private keys lie in a scheme that is not for demonstration: they must never be published."""
    if subject.contents.scheme.demo:
        return
    for path in subject.contents.tree:
        if path == "sk.pem" or "PrivateKeys" in path.split("/")[:-1]:
            yield path, "", "a private key lies in a production scheme; it must never be published"


def hidden_file(subject: _Subject) -> _Found:
    """A hidden file is signed, and so downloaded by all installations."""
    for full in subject.contents.index:
        path = full.partition("/")[2]
        if any(part.startswith(".") for part in path.split("/")):
            yield path, "", "a hidden file is listed in the index, and downloaded by every installation"


def scheme_url(subject: _Subject) -> _Found:
    """The address of the scheme is not an https address: installations cannot update."""
    url, path = subject.contents.scheme.url, "description.xml" if isinstance(subject.contents.scheme, SchemeManager) else "description.json"
    if not _is_https(url):
        yield path, "<Url>" if path.endswith("xml") else "url", "must be an https address, or installations cannot update"


def names_differing_in_case(subject: _Subject) -> _Found:
    """Two issuers or credential types differ in letter case only: not every disk can hold both."""
    seen: dict[str, str] = {}
    for identifier in (*map(str, subject.contents.issuers), *map(str, subject.contents.credential_types)):
        other = seen.setdefault(identifier.casefold(), identifier)
        if other != identifier:
            yield identifier.partition(".")[2].replace(".", "/Issues/"), "", f"differs from {other} in letter case only"


def attribute_markup(subject: _Subject) -> _Found:
    """An attribute says what readers do not understand as it seems meant."""
    for kind in subject.contents.credential_types.values():
        for position, attribute in enumerate(kind.attributes):
            where = f"<Attribute> {position + 1}"
            if attribute.optional not in ("", "true", "false"):
                yield _type_path(kind), where, f"optional={sanitized(attribute.optional)!r} means not optional; only 'true' does"
            if attribute.random_blind and attribute.is_optional:
                yield _type_path(kind), where, "a random-blind attribute always has a value: it is not optional"
            if attribute.display_index is not None and attribute.display_index < 0:
                yield _type_path(kind), where, "displayIndex is negative"


def credential_type_markup(subject: _Subject) -> _Found:
    """A credential type has a colour that is none, or an empty alternative, or asks for too many revocation events."""
    for kind in subject.contents.credential_types.values():
        colours = (
            ("<ForegroundColor>", kind.foreground_color),
            ("<BackgroundGradientStart>", kind.background_gradient_start),
            ("<BackgroundGradientEnd>", kind.background_gradient_end),
        )
        for where, colour in colours:
            if colour and not _COLOUR.fullmatch(colour):
                yield _type_path(kind), where, "must be # and six hex digits"
        if any(not con for discon in kind.dependencies for con in discon):
            yield _type_path(kind), "<Dependencies>", "an alternative without credential types is always there: the others have no effect"
        if kind.revocation_update_count > 1_000:
            yield _type_path(kind), "<RevocationUpdateCount>", "every session request carries this many revocation events"


def deprecated_since_1970(subject: _Subject) -> _Found:
    """An empty `DeprecatedSince` means 1970, not that there is none."""
    for issuer in subject.contents.issuers.values():
        if issuer.deprecated_since == 0:
            yield _issuer_path(issuer), "<DeprecatedSince>", "an empty date or 0 means deprecated since 1970; leave the element out"
    for kind in subject.contents.credential_types.values():
        if kind.deprecated_since == 0:
            yield _type_path(kind), "<DeprecatedSince>", "an empty date or 0 means deprecated since 1970; leave the element out"


def requestor(subject: _Subject) -> _Found:
    """A requestor has no name, or a hostname that no browser would send."""
    scheme = subject.contents.scheme
    if not isinstance(scheme, RequestorScheme):
        return
    for entry in scheme.requestors:
        where = sanitized(entry.requestor_id)
        if entry.name.missing(subject.languages(entry.languages, scheme.languages)):
            yield "", f"{where}.name", "there is no name in each language"
        for hostname in entry.hostnames:
            if not _HOSTNAME.fullmatch(hostname):
                yield "", f"{where}.hostnames", f"{sanitized(hostname)!r} never matches: plain lower-case host names do, without port"


def wizard(subject: _Subject) -> _Found:
    """A wizard is empty, or names credential types that could not be looked up."""
    scheme = subject.contents.scheme
    if not isinstance(scheme, RequestorScheme):
        return
    known = {} if subject.configuration is None else subject.configuration.credential_types
    for entry in scheme.requestors:
        for item in entry.wizards.values():
            where = sanitized(item.wizard_id)
            if not item.contents:
                yield "", f"{where}.contents", "the wizard has no steps"
            named = {step.credential for discon in item.contents for con in discon for step in con if step.credential is not None}
            for credential in sorted(named | ({item.issues} if item.issues else set())):
                if credential not in known:
                    yield "", where, f"{sanitized(str(credential))} is not loaded: that it exists, and its dependencies, were not checked"


_RULES: Final[tuple[Callable[[_Subject], _Found], ...]] = (
    deprecated_with_live_key,
    key_counter,
    key_expires_soon,
    key_without_spare_bases,
    attribute_changed,
    empty_text,
    logo,
    issue_url,
    demo_prefix,
    directory_name,
    private_key_in_production,
    hidden_file,
    scheme_url,
    names_differing_in_case,
    attribute_markup,
    credential_type_markup,
    deprecated_since_1970,
    requestor,
    wizard,
)


def lint_scheme(
    contents: SchemeContents,
    *,
    now: int,
    configuration: "Configuration | None" = None,
    previous: SchemeContents | None = None,
) -> tuple[Finding, ...]:
    """Look a scheme over.

    Args:
        contents: what it says.
        now: Unix seconds.
        configuration: the other schemes that are loaded, for what refers to them.
        previous: what was last published, to compare with.
    """
    subject = _Subject(contents, now, configuration, previous, _newest_keys(contents))
    return tuple(
        Finding(path, where, rule.__name__.replace("_", "-"), message) for rule in _RULES for path, where, message in rule(subject)
    )


def _newest_keys(contents: SchemeContents) -> dict[IssuerId, PublicKey]:
    """The newest public key of each issuer, where it can be read."""
    keys = {}
    for identifier, issuer in contents.issuers.items():
        folder = PublicKeyFolder(contents.tree, contents.index, issuer.issuer_id)
        try:
            if folder.counters():
                keys[identifier] = folder.key(folder.counters()[-1])
        except IdemixError:
            # An error of the check itself, which tells of it.
            continue
    return keys


def _is_https(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme == "https" and bool(parts.hostname)
    except ValueError:
        return False


def _day(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).date().isoformat()
    except (OverflowError, ValueError):
        return f"second {seconds}"


def _issuer_path(issuer: Issuer) -> str:
    return f"{issuer.issuer_id}/description.xml"


def _type_path(kind: CredentialType) -> str:
    return f"{kind.issuer_id}/Issues/{kind.credential_id}/description.xml"


def _key_path(issuer: IssuerId, key: PublicKey) -> str:
    return f"{issuer.name}/PublicKeys/{key.counter}.xml"
