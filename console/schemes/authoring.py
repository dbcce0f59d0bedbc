"""From typed objects to the files of a scheme: descriptions in XML, logos as they were given once they were checked."""

import io
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from PIL import Image, UnidentifiedImageError

from console.schemes.models import NewAttribute, NewCredentialType, NewIssuer, NewScheme
from gateway.inputs import Errors, Message
from gateway.models import Channel
from idemix.scheme.descriptions import scheme_id_rule
from idemix.scheme.documents import Values, new_document

#: Every installation downloads every logo (row A8).
MAX_LOGO_BYTES: Final = 100_000
MIN_LOGO_PIXELS: Final = 32
MAX_LOGO_PIXELS: Final = 1024
DISPLAY_HINTS: Final = ("", "yesno", "portraitPhoto", "sensitive")

_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9_-]{1,100}\Z")
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}\Z")
_FORBIDDEN: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_COLOR: Final = re.compile(r"#[0-9A-Fa-f]{6}\Z")


def scheme_files(new: NewScheme) -> dict[str, bytes]:
    """The description of a new scheme.

    Raises:
        InvalidInputError: a field breaks a rule.
    """
    errors = Errors()
    _check_identifier(errors, "id", new.id)
    rule = scheme_id_rule(new.id)
    errors.check(rule is None, "id", rule or "")
    errors.check(bool(new.languages), "languages", Message("must name at least one language"))
    for language in new.languages:
        errors.check(_LANGUAGE.match(language) is not None, "languages", Message("must be codes such as en and nl"))
    _check_texts(errors, "name", new.name, new.languages)
    _check_texts(errors, "description", new.description, new.languages)
    demo = new.channel is Channel.DEMO
    _check_address(errors, "url", new.url, plain_http=demo, required=True)
    _check_address(errors, "contact", new.contact, plain_http=demo)
    _check_address(errors, "timestamp_server", new.timestamp_server, plain_http=demo)
    _check_address(errors, "public_url", new.public_url, plain_http=demo)
    errors.raise_if_any()
    values: Values = {"id": new.id, "url": new.url.rstrip("/"), "demo": demo, "languages": new.languages}
    values |= _translated("name", new.name) | _translated("description", new.description)
    values |= _given({"timestamp_server": new.timestamp_server, "contact": new.contact})
    return _written("description.xml", values)


def issuer_files(scheme_id: str, new: NewIssuer, *, languages: tuple[str, ...], demo: bool) -> dict[str, bytes]:
    """The description and logo of a new issuer.

    Raises:
        InvalidInputError: a field breaks a rule.
    """
    errors = Errors()
    _check_identifier(errors, "id", new.id)
    errors.check(new.id.lower() != "assets", "id", Message("is the name of the folder for pictures"))
    _check_name(errors, new.name, languages, demo)
    errors.check(len(new.contact_address) <= 500, "contact_address", Message("must have at most 500 characters"))
    errors.check(len(new.contact_email) <= 254, "contact_email", Message("must have at most 254 characters"))
    _check_plain(errors, "contact_address", new.contact_address)
    _check_plain(errors, "contact_email", new.contact_email)
    _check_logo(errors, new.logo)
    errors.raise_if_any()
    values: Values = {"id": new.id, "scheme_id": scheme_id, **_translated("name", new.name)}
    values |= _given({"contact_address": new.contact_address, "contact_email": new.contact_email})
    return _written(f"{new.id}/description.xml", values, new.logo)


def credential_type_files(scheme_id: str, new: NewCredentialType, *, languages: tuple[str, ...], demo: bool) -> dict[str, bytes]:
    """The description and logo of a new credential type.

    Raises:
        InvalidInputError: a field breaks a rule; those of attributes are named `attributes.<position>.<field>`, from 0.
    """
    errors = Errors()
    _check_identifier(errors, "issuer", new.issuer)
    _check_identifier(errors, "id", new.id)
    _check_name(errors, new.name, languages, demo)
    _check_texts(errors, "description", new.description, languages)
    if new.issue_url:
        for language in languages:
            _check_address(errors, "issue_url", new.issue_url.get(language, ""), plain_http=demo, required=True)
    for field, color in (
        ("foreground_color", new.foreground_color),
        ("background_gradient_start", new.background_gradient_start),
        ("background_gradient_end", new.background_gradient_end),
    ):
        errors.check(not color or _COLOR.match(color) is not None, field, Message("must be # and six hexadecimal digits"))
    _check_logo(errors, new.logo)
    errors.check(bool(new.attributes), "attributes", Message("must hold at least one attribute"))
    seen: set[str] = set()
    for position, attribute in enumerate(new.attributes):
        where = f"attributes.{position}"
        _check_identifier(errors, f"{where}.id", attribute.id)
        errors.check(attribute.id not in seen, f"{where}.id", Message("is the id of another attribute"))
        seen.add(attribute.id)
        _check_texts(errors, f"{where}.name", attribute.name, languages)
        _check_texts(errors, f"{where}.description", attribute.description, languages)
        errors.check(attribute.display_hint in DISPLAY_HINTS, f"{where}.display_hint", Message("must be yesno, portraitPhoto or sensitive"))
    indices = [attribute.display_index for attribute in new.attributes]
    if any(index is not None for index in indices):
        errors.check(
            sorted(index if index is not None else -1 for index in indices) == list(range(len(indices))),
            "attributes",
            Message("must have either no display order, or every number from 0 once"),
        )
    errors.raise_if_any()
    values: Values = {"id": new.id, "issuer_id": new.issuer, "scheme_id": scheme_id, "singleton": new.singleton}
    values |= _translated("name", new.name) | _translated("description", new.description) | _translated("issue_url", new.issue_url)
    colors = ("foreground_color", "background_gradient_start", "background_gradient_end")
    values |= _given({name: getattr(new, name) for name in colors})
    values["attributes"] = tuple(attribute.id for attribute in new.attributes)
    for attribute in new.attributes:
        values |= {f"attributes.{attribute.id}.{key}": value for key, value in _attribute(attribute).items()}
    return _written(f"{new.issuer}/Issues/{new.id}/description.xml", values, new.logo)


def logo_rule(content: bytes) -> Message | None:
    """The rule that a logo breaks, or None. Its size is read before its pixels, so that no small file unfolds into a large picture."""
    if len(content) > MAX_LOGO_BYTES:
        return Message("must have at most %(limit)s bytes", limit=MAX_LOGO_BYTES)
    try:
        with Image.open(io.BytesIO(content), formats=("PNG",)) as picture:
            width, height = picture.size
            if width != height:
                return Message("must be square, it is %(width)s by %(height)s", width=width, height=height)
            if not MIN_LOGO_PIXELS <= width <= MAX_LOGO_PIXELS:
                return Message("must be %(least)s to %(most)s pixels wide", least=MIN_LOGO_PIXELS, most=MAX_LOGO_PIXELS)
            if getattr(picture, "n_frames", 1) != 1:
                return Message("must be a still picture")
            picture.load()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return Message("must be a PNG picture")
    return None


def picture_size(content: bytes) -> tuple[int, int]:
    """How wide and high a PNG says it is; 0 and 0 for what is none. No pixel is read."""
    if content[:8] != b"\x89PNG\r\n\x1a\n" or content[12:16] != b"IHDR" or len(content) < 24:
        return 0, 0
    return int.from_bytes(content[16:20]), int.from_bytes(content[20:24])


def _written(path: str, values: Values, logo: bytes = b"") -> dict[str, bytes]:
    """A document that says these values, and its logo beside it."""
    files = {path: new_document(path, values).content}
    return files | {path.removesuffix("description.xml") + "logo.png": logo} if logo else files


def _translated(key: str, texts: Mapping[str, str]) -> Values:
    return {f"{key}.{language}": text.strip() for language, text in texts.items()}


def _given(values: Values) -> Values:
    return {key: value for key, value in values.items() if value not in ("", None, False)}


def _attribute(attribute: NewAttribute) -> Values:
    flags: Values = {"optional": attribute.optional, "random_blind": attribute.random_blind, "display_hint": attribute.display_hint}
    order: Values = {} if attribute.display_index is None else {"display_index": attribute.display_index}
    return _given(flags) | order | _translated("name", attribute.name) | _translated("description", attribute.description)


def _check_identifier(errors: Errors, field: str, value: str) -> None:
    errors.check(_IDENTIFIER.match(value) is not None, field, Message("must have 1 to 100 letters, digits, - or _"))


def _check_name(errors: Errors, name: Mapping[str, str], languages: tuple[str, ...], demo: bool) -> None:
    _check_texts(errors, "name", name, languages)
    for language in languages:
        begins = name.get(language, "").startswith("Demo ")
        errors.check(begins or not demo, f"name.{language}", Message("must begin with “Demo ” in a demo scheme"))
        errors.check(not begins or demo, f"name.{language}", Message("must not begin with “Demo ” outside a demo scheme"))


def _check_texts(errors: Errors, field: str, texts: Mapping[str, str], languages: tuple[str, ...]) -> None:
    for language in languages:
        text = texts.get(language, "").strip()
        errors.check(bool(text), f"{field}.{language}", Message("must not be empty"))
        errors.check(len(text) <= 2000, f"{field}.{language}", Message("must have at most 2000 characters"))
        _check_plain(errors, f"{field}.{language}", text)
    for language in texts:
        errors.check(language in languages, f"{field}.{language}", Message("is a language that the scheme does not declare"))


def _check_plain(errors: Errors, field: str, text: str) -> None:
    """XML has no place for control characters, and line ends must be LF."""
    errors.check(_FORBIDDEN.search(text) is None, field, Message("must hold no control characters"))


def _check_address(errors: Errors, field: str, value: str, *, plain_http: bool, required: bool = False) -> None:
    if not value and not required:
        return
    try:
        parts = urlsplit(value)
        fits = parts.scheme in (("https", "http") if plain_http else ("https",)) and bool(parts.hostname) and " " not in value
    except ValueError:
        fits = False
    rule = Message("must be an http or https address") if plain_http else Message("must be an https address")
    errors.check(fits and len(value) <= 500, field, rule)
    _check_plain(errors, field, value)


def _check_logo(errors: Errors, content: bytes) -> None:
    rule = logo_rule(content) if content else None
    if rule is not None:
        errors.add("logo", rule)
