"""Schemes from directories and the keys to issue with: what is used, what is kept, what is refused."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.config import ConfigurationError
from gateway.permissions import NO_PRIVATE_KEY, NO_REVOCATION
from gateway.schemes import FixedSchemes, IssuerKeyRing, SchemeDirectories, read_key_folder
from idemix.errors import UnknownIdentifierError
from idemix.keys.private import PrivateKey
from idemix.scheme.configuration import Configuration
from idemix.scheme.identifiers import CredentialTypeId, IssuerId, SchemeManagerId
from tests.support.clock import SettableClock
from tests.support.gateways import irma_demo
from tests.support.shared import shared

RU = IssuerId("irma-demo.RU")


@pytest.fixture
def scheme_folder(tmp_path: Path) -> Path:
    """A folder with a copy of a scheme that verifies: two issuers with two keys, one with one."""
    folder = tmp_path / "schemes"
    folder.mkdir()
    shutil.copytree(shared("schemes", "mutant-base", "irma-demo"), folder / "irma-demo")
    return folder


def test_a_scheme_that_stops_verifying_stays_as_it_was(scheme_folder: Path, clock: SettableClock) -> None:
    schemes = SchemeDirectories(scheme_folder, None, None, clock)
    before = schemes.current.configuration
    assert SchemeManagerId("irma-demo") in before.schemes
    description = scheme_folder / "irma-demo" / "RU" / "description.xml"
    original = description.read_bytes()
    description.write_bytes(original + b" ")
    schemes.reload()
    assert schemes.current.configuration is not before
    assert set(schemes.current.configuration.credential_types) == set(before.credential_types)
    assert schemes.current.issuer_keys.signing_key(RU)
    description.write_bytes(original)
    schemes.reload()
    assert set(schemes.current.configuration.credential_types) == set(before.credential_types)


def test_a_scheme_that_never_verified_is_left_out(scheme_folder: Path, clock: SettableClock) -> None:
    (scheme_folder / "irma-demo" / "index.sig").write_bytes(b"none")
    schemes = SchemeDirectories(scheme_folder, None, None, clock)
    assert not schemes.current.configuration.schemes
    assert SchemeDirectories(scheme_folder / "absent", None, None, clock).current.configuration.schemes == {}


def test_a_scheme_that_is_removed_is_gone(scheme_folder: Path, clock: SettableClock) -> None:
    schemes = SchemeDirectories(scheme_folder, None, None, clock)
    shutil.rmtree(scheme_folder / "irma-demo")
    schemes.reload()
    assert not schemes.current.configuration.schemes


def test_the_newest_key_of_a_demo_scheme_signs(scheme_folder: Path, clock: SettableClock) -> None:
    keys = SchemeDirectories(scheme_folder, None, None, clock).current.issuer_keys
    public_key, private_key = keys.signing_key(RU)
    assert public_key.counter == private_key.counter == 2
    assert keys.signing_key(RU, 1)[0].counter == 1
    for issuer, counter in ((RU, 9), (IssuerId("irma-demo.nobody"), None)):
        with pytest.raises(UnknownIdentifierError, match="issuer private key not found"):
            keys.signing_key(issuer, counter)


class _Custody:
    """Keys in custody, of which some are activated."""

    def __init__(self, configuration: Configuration, active: Mapping[str, Mapping[int, str]]) -> None:
        self._configuration = configuration
        self._active = active
        self.retired: Mapping[str, Mapping[int, str]] = {}
        self.opened: list[tuple[str, int]] = []

    def active(self) -> Mapping[str, Mapping[int, str]]:
        return self._active

    def revoking(self, issuer_id: str) -> Mapping[int, str]:
        return self.retired.get(issuer_id, {})

    def private_key(self, issuer_id: str, counter: int, *, retired: bool = False) -> PrivateKey:
        assert retired or counter in self._active[issuer_id]
        self.opened.append((issuer_id, counter))
        return self._configuration.private_key(IssuerId(issuer_id), counter)


def test_only_activated_keys_of_custody_sign() -> None:
    configuration = _without_demo_keys()
    issuer = IssuerId("irma-demo.MijnOverheid")
    custody = _Custody(irma_demo(), {str(issuer): {1: irma_demo().public_key(issuer, 1).fingerprint()}})
    ring = IssuerKeyRing(configuration, {}, custody)
    assert ring.signing_key(issuer)[0].counter == 1
    assert ring.signing_key(issuer)[1].counter == 1
    assert custody.opened == [("irma-demo.MijnOverheid", 1)]
    with pytest.raises(UnknownIdentifierError):
        ring.signing_key(RU)


def test_retired_keys_revoke_and_do_not_sign() -> None:
    issuer = IssuerId("irma-demo.MijnOverheid")
    prints = {counter: key.fingerprint() for counter, key in irma_demo().public_keys(issuer).items()}
    custody = _Custody(irma_demo(), {str(issuer): {1: prints[1]}})
    custody.retired = {str(issuer): {**prints, 9: "", **({} if 0 not in prints else {0: "another key"})}}
    ring = IssuerKeyRing(_without_demo_keys(), {}, custody)
    expected = {counter for counter, key in irma_demo().public_keys(issuer).items() if key.supports_revocation and counter != 0}
    assert set(ring.revocation_keys(issuer)) == expected
    opened = len(custody.opened)
    assert set(ring.revocation_keys(issuer)) == expected
    assert len(custody.opened) == opened
    assert ring.signing_key(issuer)[0].counter == 1
    assert set(IssuerKeyRing(irma_demo(), {}).revocation_keys(issuer)) == {2}
    assert IssuerKeyRing(irma_demo(), {}).revocation_keys(RU) == {}


def test_a_key_whose_public_key_is_not_published_does_not_sign() -> None:
    custody = _Custody(irma_demo(), {str(RU): {99: "", 1: irma_demo().public_key(RU, 2).fingerprint()}})
    with pytest.raises(UnknownIdentifierError):
        IssuerKeyRing(_without_demo_keys(), {}, custody).signing_key(RU)
    assert custody.opened == []


def test_what_stands_against_a_permission() -> None:
    keys = FixedSchemes(irma_demo()).current.issuer_keys
    assert keys.problem(RU, revocation=False) is None
    assert keys.problem(RU, revocation=True) == NO_REVOCATION
    assert keys.problem(IssuerId("irma-demo.MijnOverheid"), revocation=True) is None
    assert keys.problem(CredentialTypeId("pbdf.pbdf.email").issuer, revocation=False) == NO_PRIVATE_KEY


def test_key_folder(tmp_path: Path) -> None:
    content = irma_demo().private_key_files(RU)
    counter, xml = max(content.items())
    (tmp_path / "irma-demo.RU.xml").write_bytes(xml)
    (tmp_path / "readme.txt").write_text("not a key")
    assert list(read_key_folder(tmp_path)[RU]) == [counter]
    (tmp_path / f"irma-demo.RU.{counter + 7}.xml").write_bytes(xml)
    (tmp_path / "irma-demo.MijnOverheid.xml").write_text("<nonsense/>")
    with pytest.raises(ConfigurationError) as caught:
        read_key_folder(tmp_path)
    assert [problem.message.partition(":")[0] for problem in caught.value.problems] == [
        "irma-demo.MijnOverheid.xml",
        f"irma-demo.RU.{counter + 7}.xml",
    ]
    with pytest.raises(ConfigurationError, match="the folder cannot be read"):
        read_key_folder(tmp_path / "absent")


def _without_demo_keys() -> Configuration:
    """irma-demo as a scheme that does not publish its private keys."""

    class Published(Configuration):
        def private_key_files(self, issuer: IssuerId) -> dict[int, bytes]:
            return {}

    made = Published.__new__(Published)
    made.__dict__.update(irma_demo().__dict__)
    return made
