"""Small schemes made on the spot, signed with a key of their own."""

import hashlib
import json
from functools import cache, partial
from typing import Any

from idemix.keys.generate import KeyPair, generate_key_pair
from idemix.scheme.authoring import add_credential_type, add_issuer, new_scheme
from idemix.scheme.descriptions import AttributeType, CredentialType, Issuer, SchemeManager
from idemix.scheme.identifiers import CredentialTypeId
from idemix.scheme.keys import SchemePrivateKey, generate_scheme_key, print_public_key, sign
from idemix.scheme.signing import sign_tree
from idemix.scheme.translations import TranslatedString
from idemix.scheme.tree import SchemeTree

#: 23 November 2026, noon.
NOW = 1_795_435_200

#: One black pixel.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c6360606000000004000127348f2a0000000049454e44ae426082"
)


@cache
def scheme_key() -> SchemePrivateKey:
    """The key that signs these schemes."""
    return generate_scheme_key()


@cache
def issuer_key(counter: int = 0, bases: int = 8, expires_at: int = NOW + 10**8) -> KeyPair:
    """A small issuer key."""
    return generate_key_pair(1024, counter=counter, expires_at=expires_at, bases=bases)


def text(english: str, dutch: str | None = None) -> TranslatedString:
    """A text in both languages."""
    return TranslatedString({"en": english, "nl": english if dutch is None else dutch})


def credential_type(scheme_id: str, issuer_id: str, credential_id: str, *names: str, **values: Any) -> CredentialType:
    """A credential type with attributes of these names."""
    identifier = CredentialTypeId(f"{scheme_id}.{issuer_id}.{credential_id}")
    attributes = tuple(
        AttributeType(credential_type=identifier, attribute_id=name, index=index, name=text(name), description=text(f"The {name}"))
        for index, name in enumerate(names)
    )
    given = {"name": text("Demo Card", "Demo Kaart"), "description": text("A card", "Een kaart"), "attributes": attributes}
    return CredentialType(scheme_id=scheme_id, issuer_id=issuer_id, credential_id=credential_id, **{**given, **values})


def library_draft(**values: Any) -> SchemeTree:
    """An unsigned demo scheme `tiny` with an issuer `Library`, its key 0, and a credential type `card`."""
    given = {"url": "https://example.com/tiny", "name": text("Tiny"), "description": text("A tiny scheme"), "demo": True}
    scheme = SchemeManager(scheme_id="tiny", **{**given, "languages": ("en", "nl"), **values})
    issuer = Issuer(scheme_id="tiny", issuer_id="Library", name=text("Demo Library", "Demo Bibliotheek"))
    tree = add_issuer(new_scheme(scheme), issuer, PNG)
    tree = add_credential_type(tree, credential_type("tiny", "Library", "card", "number", "name"), PNG)
    pair = issuer_key()
    return tree.with_files({"Library/PublicKeys/0.xml": pair.public.to_xml(), "Library/PrivateKeys/0.xml": pair.private.to_xml()})


def requestors_draft(requestors: Any = None, **values: Any) -> SchemeTree:
    """An unsigned requestor scheme `tiny-requestors`; each argument is JSON."""
    description = {"id": "tiny-requestors", "schemetype": "requestor", "url": "https://example.com/tiny-requestors", **values}
    logo = hashlib.sha256(PNG).hexdigest()
    shop = {
        "id": "tiny-requestors.shop",
        "scheme": "tiny-requestors",
        "name": {"en": "Shop", "nl": "Winkel"},
        "hostnames": ["shop.example.com"],
        "logo": logo,
    }
    files = {"description.json": description, "requestors.json": [shop] if requestors is None else requestors}
    return SchemeTree(
        {**{path: json.dumps(value).encode() for path, value in files.items()}, f"assets/{logo}.png": PNG}, name="tiny-requestors"
    )


def signed(tree: SchemeTree, *, now: int = NOW) -> SchemeTree:
    """The tree, signed."""
    key = scheme_key()
    return sign_tree(tree, partial(sign, key), print_public_key(key.public_key()), now=now)


def replaced(tree: SchemeTree, path: str, old: str, new: str) -> SchemeTree:
    """The tree with a text in a file replaced; the text must be there."""
    assert old.encode() in tree[path], f"{path} does not hold {old!r}"
    return tree.with_files({path: tree[path].replace(old.encode(), new.encode())})
