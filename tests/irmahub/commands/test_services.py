"""The commands db, custody, requestor and audit, as a person runs them."""

import base64
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.custody.kek import KeyRing
from gateway.models import IssuerKeyState
from idemix.scheme import keys as scheme_keys
from irmahub.cli import command_line
from tests.support.factories.issuer_keys import issuer_key_1024
from tests.support.factories.services import kek


class Installation:
    """A data directory that commands work on."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def run(self, *arguments: object, input: str | None = None) -> Result:
        """Run a command; it must not crash."""
        result = CliRunner().invoke(command_line, [*map(str, arguments), "--data", str(self.directory)], input=input)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def succeed(self, *arguments: object, input: str | None = None) -> str:
        """Run a command that must succeed; what it printed."""
        result = self.run(*arguments, input=input)
        assert result.exit_code == 0, result.output
        return result.stdout

    def fail(self, *arguments: object) -> str:
        """Run a command that must be refused; why."""
        result = self.run(*arguments)
        assert result.exit_code == 1, result.output
        return result.output

    def data(self, *arguments: object) -> Any:
        """What a command prints as JSON."""
        return json.loads(self.succeed(*arguments, "--json"))


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    for name in ("DATABASE_URL", "KEK", "KEK_FILE", "REDIS_URL", "PRODUCTION"):
        monkeypatch.delenv(f"IRMAHUB_{name}", raising=False)
    return Installation(tmp_path / "data")


@pytest.fixture
def installation(empty: Installation) -> Installation:
    empty.succeed("db", "upgrade")
    empty.succeed("custody", "init")
    return empty


def test_each_missing_thing_is_told_with_its_command(empty: Installation) -> None:
    assert "at migration none" in empty.fail("db", "status")
    assert not empty.directory.exists()
    empty.directory.mkdir()
    assert "run `irmahub db upgrade`" in empty.fail("requestor", "list")
    assert "it was at none" in empty.succeed("db", "upgrade")
    assert "it was at" not in empty.succeed("db", "upgrade")
    empty.succeed("db", "status")
    assert "make one with `irmahub custody init`" in empty.fail("requestor", "list")
    empty.succeed("custody", "init")
    assert empty.data("requestor", "list") == []
    assert stat.S_IMODE((empty.directory / "irmahub.db").stat().st_mode) == 0o600


def test_custody_is_made_once(installation: Installation) -> None:
    before = installation.data("custody", "status")
    installation.succeed("custody", "init")
    assert installation.data("custody", "status") == before
    assert before["envelopes"] == {"pepper": 1, "jwt_key": 1}


def test_key_encryption_key_is_changed(installation: Installation) -> None:
    file = installation.directory / "kek"
    former = file.read_text().splitlines()[-1]
    file.write_text(f"{kek('new')}\n{former}\n")
    assert "2 envelopes lie under a former key" in installation.succeed("custody", "status")
    assert "2 envelopes were brought" in installation.succeed("custody", "rewrap")
    file.write_text(kek("new"))
    assert installation.data("custody", "status")["to_rewrap"] == 0
    file.write_text(former)
    assert f"missing key-encryption keys: {KeyRing.from_text(kek('new'), 'x').current.id} (2 envelopes)" in installation.fail(
        "custody", "status"
    )


def test_issuer_key_comes_and_goes(installation: Installation, tmp_path: Path) -> None:
    pair = issuer_key_1024(2)
    private, public, out = tmp_path / "private.xml", tmp_path / "public.xml", tmp_path / "out.xml"
    private.write_bytes(pair.private.to_xml())
    public.write_bytes(pair.public.to_xml())
    installation.succeed("custody", "import-issuer-key", "irma-demo.RU", private, public, "--state", "active")
    (key,) = installation.data("custody", "keys")
    assert (key["issuer_id"], key["counter"], key["state"], key["in_custody"]) == ("irma-demo.RU", 2, IssuerKeyState.ACTIVE.value, True)
    assert "a number is never used again" in installation.fail("custody", "import-issuer-key", "irma-demo.RU", private, public)
    assert installation.run("custody", "export-issuer-key", "irma-demo.RU", 2, out).exit_code == 2
    installation.succeed("custody", "export-issuer-key", "irma-demo.RU", 2, out, "--reason", "backup")
    assert out.read_bytes() == pair.private.to_xml()
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert "File exists" in installation.fail("custody", "export-issuer-key", "irma-demo.RU", 2, out, "--reason", "backup")
    absent = tmp_path / "absent.xml"
    assert "no private key irma-demo.RU-9" in installation.fail("custody", "export-issuer-key", "irma-demo.RU", 9, absent, "--reason", "x")
    assert not absent.exists()
    assert [entry["action"] for entry in installation.data("audit", "list", "--object", "issuer_key:irma-demo.RU-2")] == [
        "issuer_key.export",
        "issuer_key.import",
    ]


def test_scheme_key_comes_and_goes_with_a_passphrase(installation: Installation, tmp_path: Path) -> None:
    key = scheme_keys.generate_scheme_key()
    sk, out = tmp_path / "sk.pem", tmp_path / "out.pem"
    sk.write_bytes(scheme_keys.print_private_key(key, b"horse"))
    installation.succeed("custody", "import-scheme-key", "irma-demo", sk, "--passphrase", input="horse\n")
    installation.succeed("custody", "export-scheme-key", "irma-demo", out, "--passphrase", "--reason", "backup", input="staple\nstaple\n")
    assert scheme_keys.read_private_key(out.read_bytes(), b"staple").private_numbers() == key.private_numbers()


def test_requestor_from_registration_to_removal(installation: Installation, tmp_path: Path) -> None:
    installation.succeed("requestor", "add", "shop", "--contact", "a@example.org", "--activate")
    token = installation.succeed("requestor", "key", "add", "shop", "--method", "token", "--label", "first").strip()
    assert len(base64.urlsafe_b64decode(token + "=")) == 32
    secret = installation.succeed("requestor", "key", "add", "shop", "--method", "hmac", "--expires", "2100-01-01").strip()
    assert len(base64.b64decode(secret)) == 32
    (tmp_path / "weak").write_text("weak\n")
    warned = installation.run("requestor", "key", "add", "shop", "--method", "token", "--file", tmp_path / "weak")
    assert "Warning: the token is so short" in warned.output
    installation.succeed("requestor", "permit", "shop", "--disclose", "*", "--host", "*.example.org")
    shop = installation.data("requestor", "show", "shop")
    assert (shop["state"], shop["contact"], len(shop["keys"])) == ("active", "a@example.org", 3)
    assert (shop["permissions"]["disclose"], shop["permissions"]["host"]) == (["*"], ["*.example.org"])
    assert [shop["keys"][2]["weak"], shop["keys"][1]["expires_at"]] == [True, "2100-01-01T00:00:00+00:00"]
    assert token not in json.dumps(shop)
    installation.succeed("requestor", "permit", "shop", "--disclose", "*", "--remove")
    installation.succeed("requestor", "key", "revoke", "shop", 1)
    text = installation.succeed("requestor", "show", "shop")
    assert "first  revoked" in text
    assert "disclose" not in text
    installation.succeed("requestor", "suspend", "shop", "--reason", "abuse")
    assert [one["state"] for one in installation.data("requestor", "list", "--state", "suspended")] == ["suspended"]
    installation.succeed("requestor", "activate", "shop")
    assert "suspend it first" in installation.fail("requestor", "delete", "shop", "--reason", "gone")
    installation.succeed("requestor", "suspend", "shop", "--reason", "gone")
    installation.succeed("requestor", "delete", "shop", "--reason", "gone")
    assert installation.data("requestor", "list") == []
    assert installation.data("audit", "verify")["holds"] is True


def test_wrong_requestors_are_refused_in_a_line(installation: Installation) -> None:
    assert installation.fail("requestor", "show", "nobody") == "Error: there is no requestor nobody\n"
    installation.succeed("requestor", "add", "shop")
    assert installation.fail("requestor", "add", "shop") == "Error: name: is the name of another requestor\n"
    assert "disclose: “a.b” must" in installation.fail("requestor", "permit", "shop", "--disclose", "a.b").replace("”:", "” must")
    assert "unknown scheme" in installation.fail("requestor", "permit", "shop", "--disclose", "pbdf.*")
    assert installation.run("requestor", "permit", "shop").exit_code == 2


def test_audit_that_was_touched_fails(installation: Installation) -> None:
    import sqlite3

    installation.succeed("requestor", "add", "shop")
    assert "requestor:shop" in installation.succeed("audit", "list")
    assert "the chain holds" in installation.succeed("audit", "verify")
    connection = sqlite3.connect(installation.directory / "irmahub.db")
    connection.execute("UPDATE audit_entries SET actor_name = 'nobody' WHERE sequence = 2")
    connection.commit()
    connection.close()
    output = installation.fail("audit", "verify")
    assert "entry 2: its hash is not the hash of its fields" in output
    assert "the chain does not hold" in output
