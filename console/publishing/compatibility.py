"""What may not change in a published scheme: every change that breaks installed clients (spec of scheme updates, section 5).

No client compares the meaning of an old and a new version, so all of this is the publisher's duty. It is judged against every version
that was ever published, since clients and credentials of all of them are about: an identifier, a position in a credential or the counter
of a key that was given away once keeps its meaning for ever. What the published version itself broke in an earlier one is past help, and
blocks nothing.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Final

from console.errors import Incompatibility
from console.publishing.history import EverPublished
from gateway.inputs import Message
from idemix.errors import MalformedError
from idemix.keys.public import PublicKey
from idemix.scheme.descriptions import AttributeType, CredentialType, parse_credential_type
from idemix.scheme.descriptions import scheme_type as read_scheme_type
from idemix.scheme.keys import read_public_key

Files = Mapping[str, bytes]

_ISSUER: Final = re.compile(r"([^/]+)/description\.xml\Z")
_CREDENTIAL_TYPE: Final = re.compile(r"([^/]+)/Issues/([^/]+)/description\.xml\Z")
_KEY: Final = re.compile(r"([^/]+)/PublicKeys/([0-9]+)\.xml\Z")
_KEYSHARE_KEY: Final = re.compile(r"kss-[0-9]+\.pem\Z")

_DEPRECATE: Final = Message("Keep it and deprecate it: wallets then no longer offer it, and its credentials stay verifiable.")
_NEW_TYPE: Final = Message("Leave it as it was, make a new credential type, and deprecate this one.")
_OLD_MEANING: Final = Message("Take an id that was never published, or give this one the attributes back that it had.")


def compare(scheme_id: str, published: Files, proposed: Files, ever: EverPublished | None = None) -> tuple[Incompatibility, ...]:
    """List every change that clients with a published version cannot follow.

    Args:
        scheme_id: the published scheme.
        published: the files of the newest version by path.
        proposed: the files of the version that is to follow. What cannot be read is passed over here: the verification reports it.
        ever: all versions that were published; None judges by the newest alone.

    Returns:
        The incompatibilities with the newest version in the order of the rules, then those with earlier ones, in which `since` says
        with which; empty where the version may follow.
    """
    found = _findings(scheme_id, published, proposed)
    found += _counters(scheme_id, published, proposed, () if ever is None else ever.paths)
    if ever is not None:
        found += _earlier(scheme_id, published, proposed, ever, {(finding.path, finding.subject, finding.rule) for finding in found})
    return tuple(found)


def _findings(scheme_id: str, published: Files, proposed: Files) -> list[Incompatibility]:
    """The findings of every rule that looks at one file at a time."""
    rules = (_scheme, _issuers, _credential_types, _public_keys, _keyshare_keys, _scheme_key)
    return [finding for rule in rules for finding in rule(scheme_id, published, proposed)]


def _earlier(
    scheme_id: str, published: Files, proposed: Files, ever: EverPublished, told: set[tuple[str, str, str]]
) -> Iterator[Incompatibility]:
    """Compare each file that changed with all that it ever was.

    A finding that the published version has as well is left out. A file that the published version removed is judged by what it was last.
    """
    changed = [path for path in sorted(proposed) if _is_judged(path) and published.get(path) != proposed[path]]
    for path, contents in ever.contents(changed).items():
        known = published.get(path)
        for earlier in contents:
            before = {path: earlier.content}
            now = before if known is None else {path: known}
            broken = {(finding.subject, finding.rule) for finding in _findings(scheme_id, before, now)}
            for finding in _findings(scheme_id, before, {path: proposed[path]}):
                if (finding.subject, finding.rule) in broken or (path, finding.subject, finding.rule) in told:
                    continue
                told.add((path, finding.subject, finding.rule))
                yield replace(
                    finding if path in published else _reused(finding, ever.paths),
                    since=earlier.since.commit.hash,
                    since_at=earlier.since.commit.at,
                )
            known = now[path]


def _reused(finding: Incompatibility, paths: Collection[str]) -> Incompatibility:
    """A finding in a file that was removed and is there again: the way out is another name, not the old content alone."""
    if _CREDENTIAL_TYPE.match(finding.path):
        return replace(finding, alternative=_OLD_MEANING)
    if key := _KEY.match(finding.path):
        message = Message("Counter %(counter)s was used before, for another key.", counter=int(key[2]))
        highest = highest_counters(paths)[key[1]]
        return replace(finding, rule="key-counter-reused", message=message, alternative=_next_counter(highest))
    return finding


def _is_judged(path: str) -> bool:
    named = ("description.xml", "description.json", "pk.pem")
    return path in named or any(pattern.match(path) for pattern in (_ISSUER, _CREDENTIAL_TYPE, _KEY, _KEYSHARE_KEY))


def _scheme(scheme_id: str, published: Files, proposed: Files) -> Iterator[Incompatibility]:
    for path in ("description.xml", "description.json"):
        if path not in published:
            continue
        if path not in proposed:
            yield Incompatibility(
                path,
                scheme_id,
                "scheme-description-removed",
                Message("The scheme’s description is gone."),
                Message("Put it back as it was published."),
            )
            return
        try:
            identifier, kind = read_scheme_type(proposed[path], path)
            _, kind_before = read_scheme_type(published[path], path)
        except MalformedError:
            return
        if identifier != scheme_id:
            yield Incompatibility(
                path,
                scheme_id,
                "scheme-id-changed",
                Message("The id became “%(id)s”: clients refuse every update of a scheme whose id changed.", id=identifier),
                Message("Write the id “%(id)s” again, or publish a new scheme under the other id.", id=scheme_id),
            )
        if kind != kind_before:
            yield Incompatibility(
                path,
                scheme_id,
                "scheme-type-changed",
                Message("The type became “%(type)s”: clients read the scheme as the type that they installed.", type=kind),
                Message("Write the type “%(type)s” again, and publish a new scheme of the other type.", type=kind_before),
            )
        return


def _issuers(scheme_id: str, published: Files, proposed: Files) -> Iterator[Incompatibility]:
    for path in _matching(_ISSUER, published):
        if path in proposed:
            continue
        yield Incompatibility(
            path,
            f"{scheme_id}.{path.partition('/')[0]}",
            "issuer-removed",
            Message(
                "The issuer’s description is gone: installed clients keep the old file, miss it in the index, "
                "and refuse every later update."
            ),
            _DEPRECATE,
        )


def _credential_types(scheme_id: str, published: Files, proposed: Files) -> Iterator[Incompatibility]:
    for path in _matching(_CREDENTIAL_TYPE, published):
        issuer, _, name, _ = path.split("/")
        subject = f"{scheme_id}.{issuer}.{name}"
        if path not in proposed:
            yield Incompatibility(
                path,
                subject,
                "credential-type-removed",
                Message(
                    "The credential type’s description is gone: installed clients keep the old file, miss it in the index, "
                    "and refuse every later update."
                ),
                _DEPRECATE,
            )
            continue
        if published[path] == proposed[path]:
            continue
        try:
            before, after = parse_credential_type(published[path], path), parse_credential_type(proposed[path], path)
        except MalformedError:
            continue
        yield from _attributes(path, subject, before, after)
        if after.is_singleton and not before.is_singleton:
            yield Incompatibility(
                path,
                subject,
                "became-singleton",
                Message("“A wallet keeps only one” was switched on: disclosures of holders who have two become invalid."),
                Message("Leave it off, or make a new credential type of which wallets keep only one from the start."),
            )


def _attributes(path: str, subject: str, before: CredentialType, after: CredentialType) -> Iterator[Incompatibility]:
    old, new = before.attributes, after.attributes
    old_names, new_names = [_name(attribute) for attribute in old], [_name(attribute) for attribute in new]
    for position, name in enumerate(old_names):
        where = f"{subject}.{name}"
        if name not in new_names:
            renamed = position < len(new_names) and new_names[position] not in old_names
            yield Incompatibility(
                path,
                where,
                "attribute-renamed" if renamed else "attribute-removed",
                Message("Attribute “%(name)s” became “%(new)s”: requests for the old name fail.", name=name, new=new_names[position])
                if renamed
                else Message(
                    "Attribute “%(name)s” is gone: the attributes of credentials that were issued change their meaning.", name=name
                ),
                Message(
                    "Keep “%(name)s” at position %(position)s; make it optional, and add a new attribute at the end.",
                    name=name,
                    position=position + 1,
                ),
            )
        elif new_names.index(name) != position:
            yield Incompatibility(
                path,
                where,
                "attribute-moved",
                Message(
                    "Attribute “%(name)s” moved from position %(before)s to %(after)s: credentials that were issued change their meaning.",
                    name=name,
                    before=position + 1,
                    after=new_names.index(name) + 1,
                ),
                Message("Put it back where it was, and change the order on the card only."),
            )
    now = dict(zip(new_names, new, strict=True))
    for name, attribute in zip(old_names, old, strict=True):
        if name in now:
            yield from _flags(path, f"{subject}.{name}", attribute, now[name])
    for position, (name, attribute) in enumerate(zip(new_names, new, strict=True)):
        appended = name not in old_names and position >= len(old)
        if appended and not (attribute.is_optional or attribute.random_blind or attribute.revocation):
            yield Incompatibility(
                path,
                f"{subject}.{name}",
                "required-attribute-added",
                Message("The new attribute “%(name)s” is required: issuers that do not send it yet can no longer issue.", name=name),
                Message("Add it as optional, let every issuer send it, and think of making it required then."),
            )


def _flags(path: str, subject: str, before: AttributeType, after: AttributeType) -> Iterator[Incompatibility]:
    if before.random_blind != after.random_blind:
        message = Message("“Random and blind” changed for an attribute that is published.")
        yield Incompatibility(path, subject, "random-blind-changed", message, _NEW_TYPE)
    if before.revocation != after.revocation:
        message = Message("“For revocation” changed for an attribute that is published.")
        yield Incompatibility(path, subject, "revocation-changed", message, _NEW_TYPE)
    if before.is_optional and not after.is_optional:
        yield Incompatibility(
            path,
            subject,
            "attribute-became-required",
            Message("The attribute became required: issuers that do not send it can no longer issue."),
            Message("Leave it optional."),
        )


def _public_keys(scheme_id: str, published: Files, proposed: Files) -> Iterator[Incompatibility]:
    for path in _matching(_KEY, published):
        issuer, _, name = path.split("/")
        counter = int(name.removesuffix(".xml"))
        subject = f"{scheme_id}.{issuer}-{counter}"
        if path not in proposed:
            yield Incompatibility(
                path,
                subject,
                "key-removed",
                Message(
                    "Public key %(counter)s is gone: clients can no longer load it or any later one, "
                    "and its credentials cannot be verified.",
                    counter=counter,
                ),
                Message("Keep the file for ever; an expired key does no harm."),
            )
        elif published[path] != proposed[path]:
            yield from _key_change(path, subject, published[path], proposed[path])


def _counters(scheme_id: str, published: Files, proposed: Files, ever: Collection[str]) -> Iterator[Incompatibility]:
    """Judge the counters of new keys by all that were ever used; a file that was published before is judged by its contents."""
    highest = highest_counters([*published, *ever])
    for path in _matching(_KEY, proposed):
        issuer, _, name = path.split("/")
        counter = int(name.removesuffix(".xml"))
        if path in published or path in ever or issuer not in highest:
            continue
        subject, alternative = f"{scheme_id}.{issuer}-{counter}", _next_counter(highest[issuer])
        if counter <= highest[issuer]:
            message = Message(
                "Counter %(counter)s is not above %(highest)s, the highest that was published.", counter=counter, highest=highest[issuer]
            )
            yield Incompatibility(path, subject, "key-counter-reused", message, alternative)
        elif counter != highest[issuer] + 1 and f"{issuer}/PublicKeys/{counter - 1}.xml" not in proposed:
            message = Message("Counter %(counter)s leaves a gap after %(highest)s.", counter=counter, highest=highest[issuer])
            yield Incompatibility(path, subject, "key-counter-gap", message, alternative)


def highest_counters(paths: Collection[str]) -> dict[str, int]:
    """The highest counter of each issuer that has a key, by its name inside the scheme."""
    highest: dict[str, int] = {}
    for path in _matching(_KEY, paths):
        issuer, _, name = path.split("/")
        highest[issuer] = max(int(name.removesuffix(".xml")), highest.get(issuer, -1))
    return highest


def _next_counter(highest: int) -> Message:
    return Message("The next free counter is %(counter)s.", counter=highest + 1)


def _key_change(path: str, subject: str, published: bytes, proposed: bytes) -> Iterator[Incompatibility]:
    alternative = Message("Put the key back as it was, and publish the other one under the next counter. Only its expiry may change.")
    try:
        before, after = PublicKey.from_xml(published), PublicKey.from_xml(proposed)
    except MalformedError as error:
        message = Message("The key changed and cannot be compared with the one that is published: %(reason)s.", reason=error)
        yield Incompatibility(path, subject, "key-altered", message, alternative)
        return
    parts = {
        "Counter": (before.counter, after.counter),
        "n": (before.N, after.N),
        "Z": (before.Z, after.Z),
        "S": (before.S, after.S),
        "Bases": (before.R, after.R),
    }
    # A key may gain what revocation needs; it may not lose or change it.
    parts |= {
        name: (old, new)
        for name, old, new in (("G", before.G, after.G), ("H", before.H, after.H), ("ECDSA", before.ecdsa, after.ecdsa))
        if old is not None
    }
    changed = [name for name, (old, new) in parts.items() if old != new]
    if changed:
        message = Message(
            "%(parts)s changed in a key that is published: credentials under it can no longer be verified.", parts=", ".join(changed)
        )
        yield Incompatibility(path, subject, "key-altered", message, alternative)


def _keyshare_keys(scheme_id: str, published: Files, proposed: Files) -> Iterator[Incompatibility]:
    alternative = Message("Keep it, and add the new key under the next number.")
    for path in _matching(_KEYSHARE_KEY, published):
        if path not in proposed:
            message = Message("A published keyshare key is gone: tokens signed by it can no longer be verified.")
            yield Incompatibility(path, scheme_id, "keyshare-key-removed", message, alternative)
        elif published[path] != proposed[path]:
            message = Message("A published keyshare key changed: tokens signed by it can no longer be verified.")
            yield Incompatibility(path, scheme_id, "keyshare-key-altered", message, alternative)


def _scheme_key(scheme_id: str, published: Files, proposed: Files) -> Iterator[Incompatibility]:
    if "pk.pem" not in published or "pk.pem" not in proposed or published["pk.pem"] == proposed["pk.pem"]:
        return
    try:
        same = read_public_key(published["pk.pem"]).public_numbers() == read_public_key(proposed["pk.pem"]).public_numbers()
    except MalformedError:
        same = False
    if not same:
        yield Incompatibility(
            "pk.pem",
            scheme_id,
            "scheme-key-changed",
            Message("The scheme key is another one: clients keep the key they installed with and refuse every update under another."),
            Message("Put the published pk.pem back, and sign with its private key."),
        )


def _matching(pattern: re.Pattern[str], files: Collection[str]) -> list[str]:
    return sorted(path for path in files if pattern.match(path))


def _name(attribute: AttributeType) -> str:
    return "(revocation)" if attribute.revocation and not attribute.attribute_id else attribute.attribute_id
