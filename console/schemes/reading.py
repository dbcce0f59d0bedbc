"""What pages show of a scheme's tree. A description that cannot be read is left out here: the check names it."""

import re
from datetime import UTC, datetime
from typing import Final

from console.schemes.models import AttributeView, CredentialTypeView, IssuerView, PublicKeyView
from idemix.errors import MalformedError
from idemix.keys.public import PublicKey
from idemix.scheme.descriptions import (
    CredentialType,
    Issuer,
    RequestorScheme,
    SchemeManager,
    parse_credential_type,
    parse_issuer,
    parse_requestor_scheme,
    parse_scheme_manager,
)
from idemix.scheme.tree import SchemeTree

_ISSUER: Final = re.compile(r"([^/]+)/description\.xml\Z")
_CREDENTIAL_TYPE: Final = re.compile(r"([^/]+)/Issues/([^/]+)/description\.xml\Z")
_KEY: Final = re.compile(r"([^/]+)/PublicKeys/([0-9]+)\.xml\Z")


def read_description(tree: SchemeTree) -> SchemeManager | RequestorScheme | None:
    """The scheme's own description, of either kind; None where it cannot be read."""
    try:
        if "description.xml" in tree:
            return parse_scheme_manager(tree["description.xml"])
        if "description.json" in tree:
            return parse_requestor_scheme(tree["description.json"])
    except MalformedError:
        pass
    return None


def issuer_names(tree: SchemeTree) -> list[str]:
    """The names of the issuers inside the scheme, sorted."""
    return sorted(found[1] for path in tree if (found := _ISSUER.match(path)))


def count_credential_types(tree: SchemeTree) -> int:
    """How many credential types there are."""
    return sum(1 for path in tree if _CREDENTIAL_TYPE.match(path))


def read_issuers(tree: SchemeTree) -> tuple[IssuerView, ...]:
    """All issuers, in the order of their ids."""
    return tuple(view for name in issuer_names(tree) if (view := read_issuer(tree, name)) is not None)


def issuer_name(tree: SchemeTree, name: str) -> dict[str, str]:
    """What an issuer is called, per language; empty where it cannot be read."""
    issuer = _issuer_description(tree, name)
    return {} if issuer is None else dict(issuer.name)


def _issuer_description(tree: SchemeTree, name: str) -> Issuer | None:
    path = f"{name}/description.xml"
    try:
        return parse_issuer(tree[path], path) if path in tree else None
    except MalformedError:
        return None


def read_issuer(tree: SchemeTree, name: str) -> IssuerView | None:
    """An issuer with its credential types and public keys, or None."""
    issuer = _issuer_description(tree, name)
    return None if issuer is None else _issuer(tree, name, issuer)


def read_credential_type(tree: SchemeTree, issuer: str, name: str) -> CredentialTypeView | None:
    """A credential type, or None."""
    path = f"{issuer}/Issues/{name}/description.xml"
    try:
        found = parse_credential_type(tree[path], path) if path in tree else None
    except MalformedError:
        found = None
    return None if found is None else _credential_type(tree, path, f"{tree.name}.{issuer}", name, found)


def read_public_keys(tree: SchemeTree, issuer: str) -> tuple[PublicKeyView, ...]:
    """An issuer's public keys, the highest counter first."""
    keys = []
    for path in tree:
        found = _KEY.match(path)
        if found is None or found[1] != issuer:
            continue
        try:
            key = PublicKey.from_xml(tree[path])
        except MalformedError:
            continue
        keys.append(
            PublicKeyView(
                f"{tree.name}.{issuer}",
                int(found[2]),
                key.N.bit_length(),
                len(key.R),
                moment(key.expires_at),
                key.fingerprint(),
                key.supports_revocation,
            )
        )
    return tuple(sorted(keys, key=lambda key: -key.counter))


def bases_needed(tree: SchemeTree, issuer: str) -> int:
    """How many bases a key needs for the issuer's largest credential type: the secret key, the metadata, and the attributes."""
    view = read_issuer(tree, issuer)
    return max((found.bases_needed for found in view.credential_types), default=0) if view else 0


def moment(unix_seconds: int) -> datetime:
    """The moment of Unix seconds; what lies beyond the calendar is its last second."""
    try:
        return datetime.fromtimestamp(unix_seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return datetime.max.replace(tzinfo=UTC, microsecond=0)


def _issuer(tree: SchemeTree, name: str, issuer: Issuer) -> IssuerView:
    issuer_id = f"{tree.name}.{name}"
    types = []
    for path in sorted(tree):
        found = _CREDENTIAL_TYPE.match(path)
        if found is not None and found[1] == name:
            view = read_credential_type(tree, name, found[2])
            if view is not None:
                types.append(view)
    return IssuerView(
        issuer_id,
        tree.name,
        issuer.name,
        f"{name}/logo.png" in tree,
        f"{name}/logo.png",
        issuer.contact_address,
        issuer.contact_email,
        None if issuer.deprecated_since is None else moment(issuer.deprecated_since),
        tuple(types),
        read_public_keys(tree, name),
        f"{name}/description.xml",
    )


def _credential_type(tree: SchemeTree, path: str, issuer_id: str, name: str, found: CredentialType) -> CredentialTypeView:
    logo = path.removesuffix("description.xml") + "logo.png"
    return CredentialTypeView(
        f"{issuer_id}.{name}",
        issuer_id,
        found.name,
        found.description,
        tuple(
            AttributeView(
                attribute.attribute_id,
                attribute.index,
                attribute.index if attribute.display_index is None else attribute.display_index,
                attribute.name,
                attribute.description,
                attribute.is_optional,
                attribute.random_blind,
                attribute.revocation,
                attribute.display_hint,
            )
            for attribute in found.attributes
        ),
        logo in tree,
        logo,
        found.issue_url or {},
        found.is_singleton,
        None if found.deprecated_since is None else moment(found.deprecated_since),
        found.revocation_servers,
        found.foreground_color,
        found.background_gradient_start,
        found.background_gradient_end,
        len(found.attributes) + 2,
        path,
    )
