"""What a form says beside its fields: gaps, rules and what wallets could not follow. None of it keeps a draft from being saved."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from console.drafts.layout import layout
from console.drafts.models import DocumentView
from gateway.inputs import Message
from idemix.scheme.documents import REVOCATION_KEY, Value

_COLOR: Final = re.compile(r"#[0-9A-Fa-f]{6}")
_COLORS: Final = ("foreground_color", "background_gradient_start", "background_gradient_end", "color", "text_color")
_ADDRESSES: Final = ("url", "contact", "timestamp_server", "keyshare_server", "keyshare_website", "issue_url")


@dataclass(frozen=True, slots=True)
class Advice:
    """A sentence beside a field: `bad` keeps the draft from being published, `warn` does not."""

    tone: str
    message: Message


def advise(view: DocumentView) -> dict[str, Advice]:
    """What is to be said of a document's fields, by key; the first of a field counts."""
    found: dict[str, Advice] = {}
    for rule in (_breaks, _names, _gaps, _addresses, _colors, _order, _revocation):
        for key, advice in rule(view):
            found.setdefault(key, advice)
    return found


def _breaks(view: DocumentView) -> Iterator[tuple[str, Advice]]:
    """What installed wallets and issuers could not follow."""
    if view.published is None or view.kind.name != "credential-type":
        return
    before = _keys(view.published)
    for key in _keys(view.values):
        name = f"attributes.{key}.optional"
        optional = bool(view.values.get(name))
        if key in before:
            if view.published.get(name) and not optional:
                yield name, Advice("bad", Message("It was optional: issuers that do not send it could no longer issue. Leave it optional."))
        elif not (optional or view.values.get(f"attributes.{key}.random_blind") or view.values.get(f"attributes.{key}.revocation")):
            yield name, Advice("bad", Message("It is new: issuers that do not send it yet could no longer issue. Make it optional first."))
    if view.values.get("singleton") and not view.published.get("singleton"):
        yield "singleton", Advice("bad", Message("Holders who have two could no longer use either. Leave it as it was."))


def _names(view: DocumentView) -> Iterator[tuple[str, Advice]]:
    """Names of a demo scheme begin with `Demo `, and no others."""
    if view.kind.name not in ("issuer", "credential-type"):
        return
    for language in view.languages:
        text = view.values.get(f"name.{language}")
        if not isinstance(text, str) or not text:
            continue
        if view.demo and not text.startswith("Demo "):
            yield f"name.{language}", Advice("bad", Message("In a demo scheme the name begins with “Demo ”."))
        elif not view.demo and text.startswith("Demo "):
            yield f"name.{language}", Advice("warn", Message("The name begins with “Demo ”, but the scheme is no demo scheme."))


def _gaps(view: DocumentView) -> Iterator[tuple[str, Advice]]:
    """Texts that people miss."""
    form = layout(view.kind)
    for section in form.sections:
        for text in section.fields:
            if text.asked or any(view.values.get(f"{text.key}.{language}") for language in view.languages):
                yield from _gap(view, text.key)
    for key in _keys(view.values):
        if key != REVOCATION_KEY and not view.values.get(f"attributes.{key}.revocation"):
            yield from _gap(view, f"attributes.{key}.name")
            yield from _gap(view, f"attributes.{key}.description")


def _gap(view: DocumentView, key: str) -> Iterator[tuple[str, Advice]]:
    if key == "url":
        if not view.values.get(key):
            yield key, Advice("bad", Message("Without an address wallets cannot update."))
        return
    for language in view.languages:
        if not view.values.get(f"{key}.{language}"):
            yield f"{key}.{language}", Advice("warn", Message("This text is missing in this language."))


def _addresses(view: DocumentView) -> Iterator[tuple[str, Advice]]:
    for key, value in view.values.items():
        if key.partition(".")[0] not in _ADDRESSES or not isinstance(value, str) or not value:
            continue
        if not _is_address(value, ("https",)):
            yield key, Advice("warn", Message("This is no https address."))
    for server in _texts(view.values.get("revocation_servers")):
        if not _is_address(server, ("https", "http") if view.demo else ("https",)) or server.endswith("/"):
            yield "revocation_servers", Advice("bad", Message("Each must be an https address without a slash at the end."))


def _colors(view: DocumentView) -> Iterator[tuple[str, Advice]]:
    for key, value in view.values.items():
        if key.rpartition(".")[2] in _COLORS and isinstance(value, str) and value and not _COLOR.fullmatch(value):
            yield key, Advice("warn", Message("A colour is # and six hexadecimal digits."))


def _order(view: DocumentView) -> Iterator[tuple[str, Advice]]:
    keys = _keys(view.values)
    indices = [view.values.get(f"attributes.{key}.display_index") for key in keys]
    places = [position if index is None else index for position, index in enumerate(indices)]
    if any(index is not None for index in indices) and sorted(map(str, places)) != sorted(map(str, range(len(keys)))):
        yield "attributes", Advice("warn", Message("Two attributes have one place on the card: move one of them."))


def _revocation(view: DocumentView) -> Iterator[tuple[str, Advice]]:
    has_attribute = any(view.values.get(f"attributes.{key}.revocation") for key in _keys(view.values))
    has_server = bool(view.values.get("revocation_servers"))
    if has_server and not has_attribute:
        yield "revocation_servers", Advice("bad", Message("A revocation server needs an attribute for revocation."))
    elif has_attribute and not has_server:
        yield "revocation_servers", Advice("bad", Message("An attribute for revocation needs a revocation server."))


def _is_address(text: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in schemes and bool(parts.hostname) and " " not in text


def _keys(values: Mapping[str, Value]) -> tuple[str, ...]:
    return tuple(map(str, _texts(values.get("attributes"))))


def _texts(value: Value) -> tuple[str, ...]:
    return tuple(str(text) for text in value) if isinstance(value, tuple) else ()
