"""`irmahub migrate-from-irma-server`: what it tells, what it writes, and that it can be run again."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from gateway.configuration_text import dump
from irmahub.cli import command_line
from tests.irmahub.commands.test_gateway import running
from tests.support.gateways import CARD, CARD_VALUES, signing_key_pem
from tests.support.processes import free_port
from tests.support.shared import shared

TOKEN = "a-token-of-some-length-0123456789"
REQUESTORS = {"Shop": {"auth_method": "token", "key": TOKEN, "issue_perms": [CARD]}}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs the command on a fresh installation with the scheme irma-demo, whose issuer RU has no private key in it."""
    for name in [name for name in os.environ if name.startswith("IRMASERVER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("IRMAHUB_DATA_DIRECTORY", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()

    def run_command(*arguments: str, status: int = 0, command: str = "migrate-from-irma-server") -> Result:
        result = runner.invoke(command_line, [*command.split(), *arguments])
        assert result.exit_code == status, result.output
        return result

    run_command(command="db upgrade")
    run_command(command="custody init")
    shutil.copytree(shared("schemes", "mutant-base", "irma-demo"), tmp_path / "data" / "schemes" / "irma-demo")
    return run_command


@pytest.fixture
def server(tmp_path: Path) -> dict[str, Any]:
    """The configuration of an irma server with a key folder."""
    keys = tmp_path / "keys"
    keys.mkdir()
    for file in sorted((shared("schemes", "mutant-base", "irma-demo") / "RU" / "PrivateKeys").glob("*.xml")):
        shutil.copy(file, keys / f"irma-demo.RU.{file.stem}.xml")
    (keys / "README.txt").write_text("no key")
    return {
        "privkeys": str(keys),
        "requestors": REQUESTORS,
        "no_auth": False,
        "jwt_privkey": signing_key_pem(),
        "revocation_db_type": "postgres",
        "revocation_db_str": "host=db password=hidden",
        "redis_pw": "hidden",
        "static_sessions": {"door": {"callbackUrl": "https://a.example", "request": {"@context": "x"}}},
    }


def write(folder: Path, options: dict[str, Any]) -> str:
    file = folder / "irmaserver.yaml"
    file.write_text(dump(options, "yaml"))
    return str(file)


@pytest.mark.feature("J3")
def test_all_is_told_then_taken_over_and_found_done(run, server: dict[str, Any], tmp_path: Path) -> None:
    file = write(tmp_path, server)
    told = run("--config", file).stdout
    assert "Nothing was written; --apply writes it." in told
    assert "new  shop  is only in the file" in told
    assert "new  key irma-demo.RU-" in told
    assert "stays in the configuration, for irmahub gateway --database: jwt_privkey, no_auth, redis_pw, revocation_db_str" in told
    assert "note  revocation records are not taken over" in told
    assert run(command="requestor list").stdout == ""
    done = run("--config", file, "--apply", "--reason", "moving").stdout
    assert "All was taken over." in done
    again = run("--config", file, "--apply").stdout
    assert "same  key irma-demo.RU-" in again
    assert "same  shop  is the same" in again
    for text in (told, done, again):
        for secret in (TOKEN, "hidden", *signing_key_pem().splitlines()[1:-1]):
            assert secret not in text
    entries = json.loads(run("--json", command="audit list").stdout)
    assert {"moving"} == {entry["reason"] for entry in entries if entry["object"].startswith(("requestor:", "issuer_key:"))}

    # The gateway issues with the key in custody; the folder and the requestors may go.
    shutil.rmtree(tmp_path / "keys")
    for issuer in (tmp_path / "data" / "schemes" / "irma-demo").glob("*/PrivateKeys"):
        shutil.rmtree(issuer)
    port = free_port()
    arguments = ["--database", "-l", "127.0.0.1", "-p", str(port), "--no-auth=false", "--config", write(tmp_path, {})]
    with running(tmp_path, *arguments, environment={"IRMAHUB_DATA_DIRECTORY": str(tmp_path / "data")}, url=f"http://127.0.0.1:{port}/"):
        request = {"@context": "https://irma.app/ld/request/issuance/v2", "credentials": [{"credential": CARD, "attributes": CARD_VALUES}]}
        answer = httpx.post(f"http://127.0.0.1:{port}/session", json=request, headers={"Authorization": TOKEN})
        assert answer.status_code == 200, answer.text


def test_what_cannot_be_taken_over_is_told_and_nothing_is_written(run, server: dict[str, Any], tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    source = next(keys.glob("irma-demo.RU.*.xml"))
    counter = source.name.split(".")[2]
    shutil.copy(source, keys / f"irma-demo.RU.{int(counter) + 7}.xml")
    shutil.copy(source, keys / "other.RU.xml")
    shutil.copy(source, keys / "irma-demo.MijnOverheid.xml")
    (keys / "irma-demo.Nobody.xml").write_text("<x/>")
    told = json.loads(run("-c", write(tmp_path, server | {"prot": 1}), "--apply", "--json", status=1).stdout)
    assert told["applied"] is False
    assert [problem["option"] for problem in told["problems"]] == ["prot"]
    reasons = {key["file"]: key["reason"] for key in told["keys"] if key["standing"] == "refused"}
    assert reasons.pop("irma-demo.Nobody.xml").startswith("it is no private key")
    assert reasons == {
        f"irma-demo.RU.{int(counter) + 7}.xml": f"the counter inside is {counter}",
        "other.RU.xml": "its scheme is not in this installation; import the scheme first",
        "irma-demo.MijnOverheid.xml": "the scheme has no such public key; import or update the scheme first",
    }
    assert run(command="requestor list").stdout == ""
    assert run(command="keys list").stdout == ""


def test_the_configuration_is_found_as_irma_server_finds_it(run, server: dict[str, Any], tmp_path: Path) -> None:
    write(tmp_path, server | {"privkeys": str(tmp_path / "none")})
    assert "there is no folder" in run(status=1).stdout
    told = json.loads(run("--privkeys", str(tmp_path / "keys"), "--json").stdout)
    assert told["configuration_file"] == "irmaserver.yaml"
    assert {key["standing"] for key in told["keys"]} == {"new"}
