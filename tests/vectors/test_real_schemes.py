"""The two real schemes: verdict, warnings, counts, and that nothing signed can be changed unnoticed."""

import hashlib
import json
import subprocess
import sys
from collections import Counter
from functools import cache, partial
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.scheme_files import read_tree
from idemix.errors import InvalidSignatureError
from idemix.scheme.configuration import Configuration
from idemix.scheme.descriptions import SchemeManager
from idemix.scheme.findings import SchemeStatus
from idemix.scheme.identifiers import AttributeTypeId, CredentialTypeId, IssuerId
from idemix.scheme.index import SchemeIndex
from idemix.scheme.keys import generate_scheme_key, print_public_key, read_public_key, sign, verify
from idemix.scheme.signing import sign_tree
from idemix.scheme.tree import SchemeTree
from idemix.scheme.verify import verify_scheme
from irmahub.cli import command_line
from tests.support.shared import ROOT, shared

#: 23 November 2026, noon: the day for which the warnings hold.
NOW = 1_795_435_200

WARNINGS = {
    "irma-demo": {"Issuer irma-demo.TNO has no nonexpired public keys", "Issuer irma-demo.demo-airline has no nonexpired public keys"},
    "pbdf": {"Issuer pbdf.gemeente has no nonexpired public keys", "Issuer pbdf.ivido has no nonexpired public keys"},
}

both = pytest.mark.parametrize("name", sorted(WARNINGS))


@cache
def scheme(name: str) -> SchemeTree:
    return read_tree(shared("schemes", name))


@cache
def configuration() -> Configuration:
    loaded, problems = Configuration.load([scheme(name) for name in WARNINGS], now=NOW)
    assert problems == ()
    return loaded


@pytest.mark.feature("A3.1")
@both
def test_command_gives_verdict_and_warnings_of_the_reference(name: str) -> None:
    result = CliRunner().invoke(command_line, ["scheme", "verify", str(shared("schemes", name)), "--at", "2026-11-23"])
    lines = result.output.splitlines()
    assert result.exit_code == 0
    assert lines[0] == "Verifying scheme"
    assert set(lines[1:-2]) == {f"Warning: {warning}" for warning in WARNINGS[name]}
    assert len(lines) == 1 + len(WARNINGS[name]) + 2
    assert lines[-2:] == ["", "Verification was successful."]


@pytest.mark.feature("A3.2")
@both
def test_lint_stands_apart_and_changes_nothing(name: str) -> None:
    command = ["scheme", "verify", str(shared("schemes", name)), "--at", str(NOW), "--json"]
    result = CliRunner().invoke(command_line, command)
    verdict = json.loads(result.output)
    assert result.exit_code == 0
    assert verdict["verdict"] == "pass"
    (found,) = verdict["schemes"]
    assert (found["scheme"], found["status"], found["errors"]) == (name, "Valid", [])
    assert {warning["message"] for warning in found["warnings"]} == WARNINGS[name]
    assert found["lint"]
    assert all(finding["rule"] and finding["message"] for finding in found["lint"] + found["warnings"])
    assert CliRunner().invoke(command_line, [*command, "--strict"]).exit_code == 1


@both
def test_warnings_depend_on_the_day(name: str) -> None:
    earlier = verify_scheme(scheme(name), now=1_735_689_600, lint=False)  # 1 January 2025
    assert {warning.message for warning in earlier.warnings} != WARNINGS[name]


@both
def test_index_made_again_differs_in_the_timestamp_alone(name: str) -> None:
    tree = scheme(name)
    again = SchemeIndex.of(tree, name, "issuer").print()
    assert again == tree["index"]
    key = generate_scheme_key()
    signed = sign_tree(tree, partial(sign, key), print_public_key(key.public_key()), now=NOW)
    lines = set(signed["index"].splitlines()) ^ set(tree["index"].splitlines())
    assert {line.split(b" ")[1] for line in lines} == {f"{name}/timestamp".encode()}
    assert {path for path in signed if signed[path] != tree.get(path)} == {"timestamp", "index", "index.sig", "pk.pem"}


@both
def test_copy_signed_with_a_fresh_key_verifies(name: str) -> None:
    key = generate_scheme_key()
    signed = sign_tree(scheme(name), partial(sign, key), print_public_key(key.public_key()), now=NOW)
    verdict = verify_scheme(signed, now=NOW, lint=False)
    assert verdict.is_valid
    assert {warning.message for warning in verdict.warnings} == WARNINGS[name]


def changed(content: bytes, position: int) -> bytes:
    """The content with a bit of one byte changed."""
    return content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :]


@both
def test_a_byte_changed_in_any_indexed_file_is_found(name: str) -> None:
    """All files are changed at once, and each is named by an error of its own."""
    tree = scheme(name)
    paths = [path.removeprefix(f"{name}/") for path in SchemeIndex.parse(tree["index"])]
    verdict = verify_scheme(tree.with_files({path: changed(tree[path], len(tree[path]) // 2) for path in paths}), now=NOW, lint=False)
    assert {error.path for error in verdict.errors if error.rule == "hash"} == set(paths)
    assert not verdict.is_valid
    assert verdict.status is SchemeStatus.PARSING_ERROR


@both
def test_a_single_changed_byte_is_enough(name: str) -> None:
    tree = scheme(name)
    paths = [path.removeprefix(f"{name}/") for path in SchemeIndex.parse(tree["index"])]
    for path in (paths[0], paths[len(paths) // 2], paths[-1]):
        verdict = verify_scheme(tree.with_files({path: changed(tree[path], len(tree[path]) // 2)}), now=NOW, lint=False, check_keys=False)
        assert verdict.errors[0].path == path


@both
def test_a_byte_changed_in_index_or_signature_is_found(name: str) -> None:
    tree = scheme(name)
    key, index, signature = read_public_key(tree["pk.pem"]), tree["index"], tree["index.sig"]
    verify(key, index, signature)
    for position in range(0, len(index), 37):
        with pytest.raises(InvalidSignatureError):
            verify(key, changed(index, position), signature)
    for position in range(len(signature)):
        with pytest.raises(InvalidSignatureError):
            verify(key, index, changed(signature, position))
    for path in ("index", "index.sig"):
        verdict = verify_scheme(tree.with_files({path: changed(tree[path], 30)}), now=NOW, lint=False, check_keys=False)
        assert verdict.status is SchemeStatus.PARSING_ERROR
        assert verdict.errors[0].rule == "index-signature"


def test_counts() -> None:
    loaded = configuration()

    def per_scheme(items: object) -> Counter[str]:
        return Counter(str(item.scheme) for item in items)  # type: ignore[attr-defined]

    assert per_scheme(loaded.issuers) == {"irma-demo": 62, "pbdf": 16}
    assert per_scheme(loaded.credential_types) == {"irma-demo": 150, "pbdf": 51}
    attributes = [(kind.id.scheme.text, attribute) for kind in loaded.credential_types.values() for attribute in kind.attributes]
    assert Counter(name for name, _ in attributes) == {"irma-demo": 955, "pbdf": 351}
    assert Counter(name for name, attribute in attributes if attribute.revocation) == {"irma-demo": 7, "pbdf": 1}
    assert Counter(name for name, attribute in attributes if attribute.is_optional) == {"irma-demo": 191, "pbdf": 50}
    assert Counter(name for name, attribute in attributes if attribute.display_index is not None) == {"irma-demo": 259, "pbdf": 66}
    assert Counter((name, attribute.display_hint) for name, attribute in attributes if attribute.display_hint) == {
        ("irma-demo", "yesno"): 25,
        ("irma-demo", "portraitPhoto"): 12,
        ("irma-demo", "sensitive"): 1,
        ("pbdf", "yesno"): 58,
        ("pbdf", "portraitPhoto"): 6,
        ("pbdf", "sensitive"): 1,
    }
    assert sum(attribute.random_blind for _, attribute in attributes) == 3
    assert len(SchemeIndex.parse(scheme("irma-demo")["index"])) == 515
    assert len(SchemeIndex.parse(scheme("pbdf")["index"])) == 203


def test_counts_of_markup() -> None:
    kinds = configuration().credential_types.values()

    def count(predicate: object) -> Counter[str]:
        return Counter(kind.id.scheme.text for kind in kinds if predicate(kind))  # type: ignore[operator]

    assert count(lambda kind: kind.is_singleton) == {"irma-demo": 66, "pbdf": 24}
    assert count(lambda kind: kind.issue_url is not None) == {"irma-demo": 144, "pbdf": 38}
    assert count(lambda kind: kind.is_universal_link) == {"irma-demo": 7, "pbdf": 3}
    assert count(lambda kind: kind.foreground_color) == {"irma-demo": 16, "pbdf": 34}
    assert count(lambda kind: kind.is_in_credential_store) == {"pbdf": 8}
    assert count(lambda kind: kind.category is not None) == {"irma-demo": 14, "pbdf": 20}
    assert count(lambda kind: kind.faq_intro is not None) == {"irma-demo": 10, "pbdf": 18}
    assert count(lambda kind: kind.faq_howto is not None) == {"irma-demo": 9, "pbdf": 18}
    assert count(lambda kind: kind.disallow_delete) == {"pbdf": 2}
    assert count(lambda kind: kind.supports_revocation) == {"irma-demo": 7, "pbdf": 1}
    assert count(lambda kind: kind.deprecated_since is not None) == {"pbdf": 14}
    assert Counter(issuer.id.scheme.text for issuer in configuration().issuers.values() if issuer.deprecated_since) == {"pbdf": 9}
    urls = [text for kind in kinds for text in (kind.issue_url or {}).values() if text and not text.startswith("https://")]
    assert len(urls) == 8


def test_counts_of_keys() -> None:
    loaded = configuration()
    keys = {issuer: loaded.public_keys(issuer) for issuer in loaded.issuers}
    everything = [(issuer.scheme.text, key) for issuer, own in keys.items() for key in own.values()]
    assert Counter(name for name, _ in everything) == {"irma-demo": 89, "pbdf": 64}
    assert Counter((name, key.N.bit_length()) for name, key in everything) == {
        ("irma-demo", 1024): 28,
        ("irma-demo", 2048): 61,
        ("pbdf", 1024): 1,
        ("pbdf", 2048): 62,
        ("pbdf", 4096): 1,
    }
    assert Counter(name for name, key in everything if key.supports_revocation) == {"irma-demo": 44, "pbdf": 45}
    assert Counter(len(key.R) for name, key in everything if name == "pbdf") == {
        6: 1,
        10: 1,
        11: 1,
        12: 33,
        16: 4,
        17: 1,
        18: 1,
        20: 20,
        50: 2,
    }
    assert sum(len(loaded.private_key_files(issuer)) for issuer in loaded.issuers) == 89
    assert loaded.latest_public_key(IssuerId("pbdf.pbdf")).counter == 10
    assert loaded.check_private_keys() == ()


def test_settings_of_pbdf() -> None:
    pbdf = next(manager for identifier, manager in configuration().schemes.items() if str(identifier) == "pbdf")
    assert isinstance(pbdf, SchemeManager)
    assert not pbdf.demo
    assert pbdf.keyshare_server == "https://keyshare.yivi.app/"
    assert pbdf.keyshare_website == "https://my.yivi.app/"
    assert pbdf.keyshare_attribute == "pbdf.sidn-pbdf.irma.pseudonym"
    assert pbdf.timestamp_server == "https://atumd.yivi.app/"
    assert pbdf.contact == "https://yivi.app/"
    assert (pbdf.minimum_app_version.android, pbdf.minimum_app_version.ios) == (4_194_468, 4_194_468)
    assert configuration().attribute_type(AttributeTypeId(pbdf.keyshare_attribute)).attribute_id == "pseudonym"


def test_credential_types_are_found_by_their_hash() -> None:
    loaded = configuration()
    identifier = CredentialTypeId("irma-demo.RU.studentCard")
    digest = hashlib.sha256(b"irma-demo.RU.studentCard").digest()[:16]
    assert loaded.credential_type_by_hash(digest) is loaded.credential_types[identifier]
    assert loaded.credential_type_by_hash(bytes(16)) is None


@pytest.mark.parametrize(
    ("folder", "status"),
    [
        ("irma_configuration/irma-demo", SchemeStatus.VALID),
        ("irma_configuration/test", SchemeStatus.VALID),
        ("irma_configuration/test2", SchemeStatus.VALID),
        ("irma_configuration/test-requestors", SchemeStatus.VALID),
        ("irma_configuration_updated/irma-demo", SchemeStatus.VALID),
        ("irma_configuration_updated/test-requestors", SchemeStatus.VALID),
        ("irma_configuration_invalid/irma-demo", SchemeStatus.INVALID_SIGNATURE),
    ],
)
def test_schemes_of_the_reference(folder: str, status: SchemeStatus) -> None:
    verdict = verify_scheme(read_tree(shared("schemes", "testdata", folder)), now=NOW, lint=False)
    assert verdict.status is status
    assert verdict.is_valid == (status is SchemeStatus.VALID)
    if not verdict.is_valid:
        assert [error.path for error in verdict.errors] == ["RU/Issues/studentCard/description.xml"]


@both
def test_check_loads_neither_web_nor_database(name: str, tmp_path: Path) -> None:
    program = (
        "import sys; from irmahub.cli import command_line; "
        f"command_line.main(['scheme', 'verify', {str(shared('schemes', name))!r}], standalone_mode=False); "
        "print(sorted({'flask', 'sqlalchemy', 'git', 'werkzeug'} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}
    )
    assert run.stdout.splitlines()[-1] == "[]"
