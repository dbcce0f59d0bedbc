import json
import shutil
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.scheme_files import read_tree, write_tree
from idemix.scheme.keys import print_private_key, read_private_key
from idemix.scheme.signing import previous_timestamp
from idemix.scheme.tree import SchemeTree
from idemix.scheme.verify import verify_scheme
from irmahub.cli import command_line
from tests.support.schemes import NOW, issuer_key, library_draft, replaced, requestors_draft, scheme_key, signed


def run(*arguments: object, text: str | None = None) -> Result:
    return CliRunner().invoke(command_line, ["scheme", *map(str, arguments)], input=text)


@pytest.fixture
def scheme(tmp_path: Path) -> Path:
    write_tree(signed(library_draft()), tmp_path / "tiny")
    return tmp_path / "tiny"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "sk.pem"
    path.write_bytes(print_private_key(scheme_key()))
    return path


def write(tree: SchemeTree, path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
    write_tree(tree, path)


# verify -----------------------------------------------------------------------------------------------------------------


def test_verify_says_what_the_reference_says(scheme: Path) -> None:
    result = run("verify", scheme, "--at", NOW)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "Verifying scheme\n\nVerification was successful.\n", "")


def test_verify_takes_the_working_directory(scheme: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(scheme)
    assert run("verify").exit_code == 0


@pytest.mark.parametrize("moment", [str(NOW + 10**9), "2060-01-01", "2060-01-01T00:00:00Z", "2060-01-01T00:00:00+01:00"])
def test_verify_at_another_time(scheme: Path, moment: str) -> None:
    result = run("verify", scheme, "--at", moment)
    assert result.exit_code == 0
    assert "Warning: Issuer tiny.Library has no nonexpired public keys\n" in result.stdout
    strict = run("verify", scheme, "--at", moment, "--strict")
    assert strict.exit_code == 1
    assert "Verification was successful." not in strict.stdout
    assert "--strict" in strict.stderr


def test_verify_lists_all_errors_and_the_warnings(scheme: Path) -> None:
    tree = replaced(library_draft(), "Library/description.xml", "Demo Library", "Library")
    write(signed(tree).with_files({"notes.txt": b"x", "Library/logo.png": b"x"}), scheme)
    result = run("verify", scheme, "--at", NOW)
    assert result.exit_code == 1
    assert "Warning: Ignored file: tiny/notes.txt\n" in result.stdout
    assert [line.split(":")[1].strip() for line in result.stderr.splitlines() if line.startswith("Error")] == [
        "Library/logo.png",
        "Library/description.xml",
    ]
    assert result.stderr.endswith("Verification failed: 2 errors.\n")


def test_verify_as_data(scheme: Path) -> None:
    write(signed(library_draft()).with_files({"Library/logo.png": b"x", "notes.txt": b"x"}), scheme)
    result = run("verify", scheme, "--at", NOW, "--json")
    assert result.exit_code == 1
    data = json.loads(result.stdout)
    assert (data["verdict"], data["at"]) == ("fail", NOW)
    (found,) = data["schemes"]
    assert (found["scheme"], found["status"]) == ("tiny", "InvalidSignature")
    assert found["errors"] == [
        {"path": "Library/logo.png", "field": "", "rule": "hash", "message": "Library/logo.png: hash differs from the index"}
    ]
    assert found["warnings"] == [{"path": "notes.txt", "field": "", "rule": "ignored", "message": "Ignored file: tiny/notes.txt"}]
    assert found["lint"] == [{"path": "Library/logo.png", "field": "", "rule": "logo", "message": "is no PNG image"}]


def test_verify_a_folder(scheme: Path) -> None:
    write_tree(signed(requestors_draft()), scheme.parent / "tiny-requestors")
    result = run("verify", scheme.parent, "--at", NOW)
    assert result.stdout == "Verifying as configuration directory\n\nVerification was successful.\n"
    write(signed(library_draft()).with_files({"Library/PrivateKeys/0.xml": issuer_key(1).private.to_xml()}), scheme)
    failed = run("verify", scheme.parent, "--at", NOW)
    assert failed.exit_code == 1
    assert "Error: tiny: Library/PrivateKeys/0.xml: <Counter>" in failed.stderr
    # A scheme by itself is not asked for its private keys.
    assert run("verify", scheme, "--at", NOW).exit_code == 0


def test_verify_what_is_no_scheme(tmp_path: Path) -> None:
    assert run("verify", tmp_path).exit_code == 1
    assert run("verify", tmp_path / "none").exit_code == 2
    assert run("verify", tmp_path, "--at", "yesterday").exit_code == 2
    assert run("nosuch").exit_code == 2


def test_names_of_files_do_not_act_on_the_terminal(scheme: Path) -> None:
    (scheme / "\x1b[2J.txt").write_text("x")
    result = run("verify", scheme, "--at", NOW)
    assert "\x1b" not in result.output
    assert "Warning: Ignored file: tiny/\\x1b[2J.txt" in result.stdout


# sign -------------------------------------------------------------------------------------------------------------------


def test_sign(scheme: Path, key: Path) -> None:
    write(library_draft(), scheme)
    result = run("sign", key, scheme)
    assert (result.exit_code, result.output) == (0, "")
    tree = read_tree(scheme)
    assert verify_scheme(tree, now=NOW).is_valid
    first = previous_timestamp(tree)
    assert run("sign", key, scheme).exit_code == 0
    second = previous_timestamp(read_tree(scheme))
    assert first is not None
    assert second is not None
    assert second > first


def test_sign_defaults_to_the_working_directory(scheme: Path, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(key, scheme / "sk.pem")
    monkeypatch.chdir(scheme)
    assert run("sign").exit_code == 0
    assert run("sign", key).exit_code == 0


def test_sign_writes_nothing_when_the_outcome_is_faulty(scheme: Path, key: Path) -> None:
    faulty = replaced(library_draft(), "Library/description.xml", "Demo Library", "Library")
    write(faulty, scheme)
    result = run("sign", key, scheme)
    assert result.exit_code == 1
    assert "begins with 'Demo '" in result.stderr
    assert read_tree(scheme) == faulty
    assert run("sign", "-n", key, scheme).exit_code == 0
    assert not verify_scheme(read_tree(scheme), now=NOW).is_valid


def test_sign_refuses_windows_line_ends(scheme: Path, key: Path) -> None:
    before = library_draft().with_files({"Library/description.xml": b"<Issuer>\r\n</Issuer>"})
    write(before, scheme)
    result = run("sign", key, scheme)
    assert result.exit_code == 1
    assert "Library/description.xml: lines must end in LF, not CRLF" in result.stderr
    assert read_tree(scheme) == before


def test_sign_says_when_the_key_changes(scheme: Path, tmp_path: Path) -> None:
    assert run("keygen", "-s", tmp_path / "new.pem", "-p", tmp_path / "newpk.pem").exit_code == 0
    result = run("sign", tmp_path / "new.pem", scheme)
    assert result.exit_code == 0
    assert "pk.pem changes" in result.stderr
    assert (scheme / "pk.pem").read_bytes() == (tmp_path / "newpk.pem").read_bytes()


def test_sign_with_a_passphrase(scheme: Path, tmp_path: Path) -> None:
    path = tmp_path / "locked.pem"
    path.write_bytes(print_private_key(scheme_key(), b"pass"))
    assert run("sign", path, scheme, text="pass\n").exit_code == 0
    wrong = run("sign", path, scheme, text="wrong\n")
    assert wrong.exit_code == 1
    assert "passphrase" in wrong.stderr


def test_sign_without_a_key(scheme: Path, tmp_path: Path) -> None:
    assert run("sign", tmp_path / "none.pem", scheme).exit_code == 1
    (tmp_path / "junk.pem").write_text("junk")
    assert run("sign", tmp_path / "junk.pem", scheme).exit_code == 1


# keygen, keycopy --------------------------------------------------------------------------------------------------------


def test_keygen(tmp_path: Path) -> None:
    secret, public = tmp_path / "a.pem", tmp_path / "b.pem"
    result = run("keygen", "-s", secret, "-p", public)
    assert result.stdout == f"Private key written at {secret}\nPublic key written at {public}\n"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert stat.S_IMODE(public.stat().st_mode) == 0o644
    before = secret.read_bytes()
    again = run("keygen", "-s", secret, "-p", tmp_path / "c.pem")
    assert again.exit_code == 1
    assert f"File {secret} already exists, not overwriting" in again.stderr
    assert secret.read_bytes() == before
    assert not (tmp_path / "c.pem").exists()


def test_keygen_with_a_passphrase(tmp_path: Path) -> None:
    assert run("keygen", "-s", tmp_path / "a", "-p", tmp_path / "b", "--pass", text="word\nword\n").exit_code == 0
    assert read_private_key((tmp_path / "a").read_bytes(), b"word")


def test_keycopy(key: Path, tmp_path: Path) -> None:
    locked, plain = tmp_path / "locked", tmp_path / "plain"
    copied = run("keycopy", "-i", key, "-o", locked, text="word\nword\n")
    assert copied.exit_code == 0
    assert print_private_key(read_private_key(locked.read_bytes(), b"word")) == key.read_bytes()
    assert run("keycopy", "-i", locked, "-o", plain, "--no-pass", text="word\n").exit_code == 0
    assert plain.read_bytes() == key.read_bytes()
    assert run("keycopy", "-i", key, "-o", plain, "--no-pass").exit_code == 1
