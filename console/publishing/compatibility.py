"""What may not change in a published scheme: every change that breaks installed clients (spec of scheme updates, section 5).

No client compares the meaning of an old and a new version, so all of this is the publisher's duty.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from console.errors import Incompatibility
from idemix.errors import MalformedError
from idemix.keys.public import PublicKey
from idemix.scheme.descriptions import AttributeType, CredentialType, parse_credential_type
from idemix.scheme.descriptions import scheme_type as read_scheme_type
from idemix.scheme.keys import read_public_key

_ISSUER: Final = re.compile(r"([^/]+)/description\.xml\Z")
_CREDENTIAL_TYPE: Final = re.compile(r"([^/]+)/Issues/([^/]+)/description\.xml\Z")
_KEY: Final = re.compile(r"([^/]+)/PublicKeys/([0-9]+)\.xml\Z")
_KEYSHARE_KEY: Final = re.compile(r"kss-[0-9]+\.pem\Z")

_DEPRECATE: Final = "Keep it and set DeprecatedSince: wallets then no longer offer it, and its credentials stay verifiable."
_NEW_TYPE: Final = "Leave it as it was, make a new credential type, and deprecate this one."


def compare(scheme_id: str, published: Mapping[str, bytes], proposed: Mapping[str, bytes]) -> tuple[Incompatibility, ...]:
    """List every change that clients with the published version cannot follow.

    Args:
        scheme_id: the published scheme.
        published: its files by path.
        proposed: the files of the version that is to follow. What cannot be read is passed over here: the verification reports it.

    Returns:
        The incompatibilities in the order of the rules; empty where the version may follow.
    """
    return tuple(
        finding
        for rule in (_scheme, _issuers, _credential_types, _public_keys, _keyshare_keys, _scheme_key)
        for finding in rule(scheme_id, published, proposed)
    )


def _scheme(scheme_id: str, published: Mapping[str, bytes], proposed: Mapping[str, bytes]) -> Iterator[Incompatibility]:
    for path in ("description.xml", "description.json"):
        if path not in published:
            continue
        if path not in proposed:
            yield Incompatibility(
                path, scheme_id, "scheme-description-removed", "The scheme’s description is gone.", "Put it back as it was published."
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
                f"The id became “{identifier}”: clients refuse every update of a scheme whose id changed.",
                f"Write the id “{scheme_id}” again, or publish a new scheme under the other id.",
            )
        if kind != kind_before:
            yield Incompatibility(
                path, scheme_id, "scheme-type-changed", f"The type became “{kind}”.", f"Write the type “{kind_before}” again."
            )
        return


def _issuers(scheme_id: str, published: Mapping[str, bytes], proposed: Mapping[str, bytes]) -> Iterator[Incompatibility]:
    for path in _matching(_ISSUER, published):
        if path in proposed:
            continue
        issuer = path.partition("/")[0]
        yield Incompatibility(
            path,
            f"{scheme_id}.{issuer}",
            "issuer-removed",
            "The issuer’s description is gone: installed clients keep the old file, miss it in the index, and refuse every later update.",
            _DEPRECATE,
        )


def _credential_types(scheme_id: str, published: Mapping[str, bytes], proposed: Mapping[str, bytes]) -> Iterator[Incompatibility]:
    for path in _matching(_CREDENTIAL_TYPE, published):
        found = _CREDENTIAL_TYPE.match(path)
        assert found is not None  # noqa: S101 - `_matching` gives such paths
        subject = f"{scheme_id}.{found[1]}.{found[2]}"
        if path not in proposed:
            yield Incompatibility(
                path,
                subject,
                "credential-type-removed",
                "The credential type’s description is gone: installed clients keep the old file, miss it in the index, "
                "and refuse every later update.",
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
                "ShouldBeSingleton became true: disclosures of holders who have two become invalid.",
                "Leave it false, or make a new credential type that is a singleton from the start.",
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
                f"Attribute “{name}” became “{new_names[position]}”: requests for the old name fail."
                if renamed
                else f"Attribute “{name}” is gone: every attribute after it changes its meaning in credentials that were issued.",
                f"Keep “{name}” at position {position + 1}; make it optional, and add a new attribute at the end.",
            )
        elif new_names.index(name) != position:
            yield Incompatibility(
                path,
                where,
                "attribute-moved",
                f"Attribute “{name}” moved from position {position + 1} to {new_names.index(name) + 1}: "
                "credentials that were issued change their meaning.",
                "Put it back where it was, and order what wallets show by displayIndex.",
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
                f"The new attribute “{name}” is required: issuers that do not send it yet can no longer issue.",
                "Add it as optional, let every issuer send it, and think of making it required then.",
            )


def _flags(path: str, subject: str, before: AttributeType, after: AttributeType) -> Iterator[Incompatibility]:
    if before.random_blind != after.random_blind:
        yield Incompatibility(path, subject, "random-blind-changed", "randomblind changed for an attribute that is published.", _NEW_TYPE)
    if before.revocation != after.revocation:
        yield Incompatibility(path, subject, "revocation-changed", "revocation changed for an attribute that is published.", _NEW_TYPE)
    if before.is_optional and not after.is_optional:
        yield Incompatibility(
            path,
            subject,
            "attribute-became-required",
            "The attribute became required: issuers that do not send it can no longer issue.",
            "Leave it optional.",
        )


def _public_keys(scheme_id: str, published: Mapping[str, bytes], proposed: Mapping[str, bytes]) -> Iterator[Incompatibility]:
    highest: dict[str, int] = {}
    for path in _matching(_KEY, published):
        found = _KEY.match(path)
        assert found is not None  # noqa: S101 - `_matching` gives such paths
        issuer, counter = found[1], int(found[2])
        highest[issuer] = max(counter, highest.get(issuer, -1))
        subject = f"{scheme_id}.{issuer}-{counter}"
        if path not in proposed:
            yield Incompatibility(
                path,
                subject,
                "key-removed",
                f"Public key {counter} is gone: clients can no longer load it or any later one, and its credentials cannot be verified.",
                "Keep the file for ever; an expired key does no harm.",
            )
        elif published[path] != proposed[path]:
            yield from _key_change(path, subject, published[path], proposed[path])
    for path in _matching(_KEY, proposed):
        found = _KEY.match(path)
        assert found is not None  # noqa: S101 - `_matching` gives such paths
        issuer, counter = found[1], int(found[2])
        if path in published or issuer not in highest:
            continue
        subject = f"{scheme_id}.{issuer}-{counter}"
        if counter <= highest[issuer]:
            yield Incompatibility(
                path,
                subject,
                "key-counter-reused",
                f"Counter {counter} is not above {highest[issuer]}, the highest that was published.",
                f"The next free counter is {highest[issuer] + 1}.",
            )
        elif counter != highest[issuer] + 1 and f"{issuer}/PublicKeys/{counter - 1}.xml" not in proposed:
            yield Incompatibility(
                path,
                subject,
                "key-counter-gap",
                f"Counter {counter} leaves a gap after {highest[issuer]}.",
                f"The next free counter is {highest[issuer] + 1}.",
            )


def _key_change(path: str, subject: str, published: bytes, proposed: bytes) -> Iterator[Incompatibility]:
    alternative = "Put the key back as it was, and publish the other one under the next counter. Only its expiry may change."
    try:
        before, after = PublicKey.from_xml(published), PublicKey.from_xml(proposed)
    except MalformedError as error:
        message = f"The key changed and cannot be compared with the one that is published: {error}."
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
        yield Incompatibility(
            path,
            subject,
            "key-altered",
            f"{', '.join(changed)} changed in a key that is published: credentials under it can no longer be verified.",
            alternative,
        )


def _keyshare_keys(scheme_id: str, published: Mapping[str, bytes], proposed: Mapping[str, bytes]) -> Iterator[Incompatibility]:
    for path in _matching(_KEYSHARE_KEY, published):
        if published[path] != proposed.get(path):
            yield Incompatibility(
                path,
                scheme_id,
                "keyshare-key-altered",
                "A published keyshare key changed or is gone: tokens signed by it can no longer be verified.",
                "Keep it, and add the new key under the next number.",
            )


def _scheme_key(scheme_id: str, published: Mapping[str, bytes], proposed: Mapping[str, bytes]) -> Iterator[Incompatibility]:
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
            "The scheme key is another one: clients keep the key they installed with and refuse every update under another.",
            "Put the published pk.pem back, and sign with its private key.",
        )


def _matching(pattern: re.Pattern[str], files: Mapping[str, bytes]) -> list[str]:
    return sorted(path for path in files if pattern.match(path))


def _name(attribute: AttributeType) -> str:
    return "(revocation)" if attribute.revocation and not attribute.attribute_id else attribute.attribute_id
