"""Scheme keys and signing: with the key that clients know, or not at all."""

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.actor import Actor, Role
from gateway.authorization import PermissionDeniedError
from gateway.custody.errors import UnknownKeyError, WrongSchemeKeyError
from gateway.custody.signer import KeystoreSigner, PublishedVersion, Signature
from gateway.database import Database
from gateway.inputs import InvalidInputError
from gateway.services import SharedServices
from idemix.errors import IdemixError
from idemix.scheme import keys as scheme_keys
from idemix.scheme.tree import SchemeTree
from tests.support.clock import START
from tests.support.factories.actors import ADMIN, actor
from tests.support.factories.services import shared_services

DEMO = "test-demo"
DESCRIPTION = b"""<SchemeManager version="7">
  <Id>test-demo</Id>
  <Url>https://example.org/test-demo</Url>
  <Name><en>Test</en><nl>Test</nl></Name>
  <Description><en>Test</en><nl>Test</nl></Description>
  <Demo>true</Demo>
  <Contact>https://example.org</Contact>
</SchemeManager>
"""
NOW = int(START.timestamp())


@pytest.fixture
def services(sqlite_database: Database) -> SharedServices:
    return shared_services(sqlite_database)


@pytest.fixture
def tree() -> SchemeTree:
    return SchemeTree({"description.xml": DESCRIPTION}, name=DEMO)


def signer(services: SharedServices, who: Actor = ADMIN, *, published: PublishedVersion | None = None) -> KeystoreSigner:
    keys = services.custody.scheme_keys
    return KeystoreSigner(keys, who, DEMO, published=published, clock=lambda: START)


def refused(call: Callable[[], object]) -> dict[str, str]:
    with pytest.raises(InvalidInputError) as caught:
        call()
    return dict(caught.value.errors)


def verify(signature: Signature) -> None:
    files = signature.tree
    scheme_keys.verify(scheme_keys.read_public_key(files["pk.pem"]), files["index"], files["index.sig"])


def test_first_publication_is_signed(database: Database, tree: SchemeTree) -> None:
    services = shared_services(database)
    key = services.custody.scheme_keys.generate(ADMIN, DEMO)
    signature = signer(services, actor(Role.SCHEME_MANAGER, f"scheme:{DEMO}")).sign(tree)
    verify(signature)
    assert signature.tree["timestamp"] == b"%d\n" % NOW
    assert signature.tree["pk.pem"] == key.public_key
    assert signature.key_fingerprint == key.fingerprint
    assert signature.tree["description.xml"] == DESCRIPTION
    entry = services.audit.entries(ADMIN)[0]
    assert (entry.action, entry.object, entry.changes["key"]) == ("scheme.sign", f"scheme:{DEMO}", [None, key.fingerprint])


@pytest.mark.parametrize(("published", "expected"), [(NOW - 3600, NOW), (NOW - 1, NOW), (NOW, NOW + 1), (NOW + 50, NOW + 51)])
def test_timestamp_always_rises(services: SharedServices, tree: SchemeTree, published: int, expected: int) -> None:
    key = services.custody.scheme_keys.generate(ADMIN, DEMO)
    signature = signer(services, published=PublishedVersion(key.public_key, published)).sign(tree)
    assert signature.tree["timestamp"] == b"%d\n" % expected


def test_another_key_than_the_published_one_never_signs(services: SharedServices, tree: SchemeTree) -> None:
    key = services.custody.scheme_keys.generate(ADMIN, DEMO)
    other = scheme_keys.print_public_key(scheme_keys.generate_scheme_key().public_key())
    with pytest.raises(WrongSchemeKeyError, match=r"is not the published one .* clients would refuse"):
        signer(services, published=PublishedVersion(other, NOW - 10)).sign(tree.with_files({"pk.pem": key.public_key}))
    assert [entry.action for entry in services.audit.entries(ADMIN)] == ["scheme_key.generate"]


def test_pem_written_otherwise_is_the_same_key(services: SharedServices, tree: SchemeTree) -> None:
    key = services.custody.scheme_keys.generate(ADMIN, DEMO)
    published = PublishedVersion(key.public_key.replace(b"\n", b"\r\n"), NOW - 10)
    verify(signer(services, published=published).sign(tree))


def test_without_a_key_nothing_is_signed(services: SharedServices, tree: SchemeTree) -> None:
    with pytest.raises(UnknownKeyError, match=f"no key of scheme {DEMO}"):
        signer(services).sign(tree)


def test_tree_that_cannot_be_signed_is_refused(services: SharedServices) -> None:
    services.custody.scheme_keys.generate(ADMIN, DEMO)
    with pytest.raises(IdemixError, match=r"description\.xml"):
        signer(services).sign(SchemeTree({"a.xml": b"<x/>"}, name=DEMO))


@pytest.mark.parametrize("passphrase", [None, b"correct horse"], ids=["plain", "with passphrase"])
def test_key_files_come_in_and_go_out(services: SharedServices, tree: SchemeTree, passphrase: bytes | None) -> None:
    key = scheme_keys.generate_scheme_key()
    register = services.custody.scheme_keys
    info = register.import_file(ADMIN, DEMO, scheme_keys.print_private_key(key, passphrase), passphrase=passphrase, reason="move")
    assert info.public_key == scheme_keys.print_public_key(key.public_key())
    verify(signer(services, published=PublishedVersion(info.public_key, 1)).sign(tree))
    exported = register.export(ADMIN, DEMO, passphrase=passphrase, reason="backup")
    assert scheme_keys.is_encrypted(exported) == (passphrase is not None)
    assert scheme_keys.read_private_key(exported, passphrase).private_numbers() == key.private_numbers()
    entry = services.audit.entries(ADMIN)[0]
    assert (entry.action, entry.reason, entry.changes["exported"]) == ("scheme_key.export", "backup", [None, info.fingerprint])


def test_scheme_has_one_key(services: SharedServices) -> None:
    register = services.custody.scheme_keys
    info = register.generate(ADMIN, DEMO)
    same = register.export(ADMIN, DEMO, reason="test")
    other = scheme_keys.print_private_key(scheme_keys.generate_scheme_key())
    assert register.import_file(ADMIN, DEMO, same) == info
    for call in (lambda: register.generate(ADMIN, DEMO), lambda: register.import_file(ADMIN, DEMO, other)):
        assert refused(call) == {"scheme": "has a key already; clients would refuse the scheme under another one"}
    assert register.get(DEMO) == info


def test_unreadable_files_are_refused(services: SharedServices) -> None:
    register = services.custody.scheme_keys
    key = scheme_keys.generate_scheme_key()
    encrypted = scheme_keys.print_private_key(key, b"right")
    pkcs8 = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    cases: dict[str, tuple[bytes, bytes | None]] = {
        "nonsense": (b"nonsense", None),
        "public key": (scheme_keys.print_public_key(key.public_key()), None),
        "PKCS#8": (pkcs8, None),
        "no passphrase": (encrypted, None),
        "wrong passphrase": (encrypted, b"wrong"),
    }
    for content, passphrase in cases.values():
        errors = refused(lambda content=content, passphrase=passphrase: register.import_file(ADMIN, DEMO, content, passphrase=passphrase))  # type: ignore[misc]
        assert errors["private_key"].startswith("cannot be read")
    with pytest.raises(UnknownKeyError):
        register.get(DEMO)


def test_scheme_is_an_identifier(services: SharedServices) -> None:
    for scheme in ("", "a.b"):
        assert list(refused(lambda scheme=scheme: services.custody.scheme_keys.generate(ADMIN, scheme))) == ["scheme"]  # type: ignore[misc]


def test_rights(services: SharedServices, tree: SchemeTree) -> None:
    register = services.custody.scheme_keys
    register.generate(ADMIN, DEMO)
    sk = register.export(ADMIN, DEMO, reason="test")
    for who in (actor(Role.AUDITOR), actor(Role.ISSUER_OWNER), actor(Role.SCHEME_MANAGER, "scheme:other"), actor(Role.REQUESTOR_ADMIN)):
        for call in (
            lambda who=who: register.generate(who, DEMO),
            lambda who=who: register.import_file(who, DEMO, sk),
            lambda who=who: register.export(who, DEMO, reason="test"),
            lambda who=who: signer(services, who).sign(tree),
        ):
            with pytest.raises(PermissionDeniedError):
                call()
    # A signer signs, and takes no key out.
    verify(signer(services, actor(Role.SIGNER, f"scheme:{DEMO}")).sign(tree))
    with pytest.raises(PermissionDeniedError):
        register.export(actor(Role.SIGNER), DEMO, reason="test")
