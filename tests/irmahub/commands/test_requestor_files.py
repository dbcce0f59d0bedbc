"""`irmahub requestor import`, `export` and `drift`, and drift told by a gateway that starts."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from git import Actor, Repo

from gateway.configuration_text import dump
from irmahub.cli import command_line
from tests.irmahub.commands.test_gateway import running
from tests.support.processes import free_port
from tests.support.shared import shared

TOKEN = "a-token-of-some-length-0123456789"
FILE: dict[str, Any] = {
    "no_auth": False,
    "disclose_perms": [],
    "sign_perms": [],
    "issue_perms": [],
    "requestors": {"Shop": {"auth_method": "token", "key": TOKEN, "disclose_perms": ["irma-demo.*"]}},
}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs a command on a fresh installation with the scheme irma-demo, and demands its exit status."""
    monkeypatch.setenv("IRMAHUB_DATA_DIRECTORY", str(tmp_path / "data"))
    runner = CliRunner()

    def run_command(*arguments: str, status: int = 0) -> Result:
        result = runner.invoke(command_line, arguments)
        assert result.exit_code == status, result.output
        return result

    run_command("db", "upgrade")
    run_command("custody", "init")
    shutil.copytree(shared("schemes", "mutant-base", "irma-demo"), tmp_path / "data" / "schemes" / "irma-demo")
    return run_command


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "irmaserver.toml"
    path.write_text(dump(FILE, "toml"))
    return path


@pytest.mark.feature("D12.1")
@pytest.mark.feature("D12.2")
def test_a_file_is_reported_and_then_taken_over(run, file: Path, tmp_path: Path) -> None:
    reported = run("requestor", "import", str(file)).stdout
    assert reported.splitlines() == [
        "new  shop  is only in the file",
        "1 new, 0 changed, 0 the same. Nothing was written; --apply writes it.",
    ]
    assert run("requestor", "list").stdout == ""
    run("requestor", "drift", str(file), status=1)
    assert "All was taken over." in run("requestor", "import", str(file), "--apply", "--reason", "moving").stdout
    assert "0 new, 0 changed, 1 the same" in run("requestor", "import", str(file), "--apply").stdout
    assert run("requestor", "drift", str(file)).stdout == "The file and the installation say the same.\n"
    entries = json.loads(run("audit", "list", "--json").stdout)
    assert {entry["reason"] for entry in entries if entry["object"] == "requestor:shop"} == {"moving"}
    for text_format in ("json", "toml", "yaml"):
        written = tmp_path / f"written.{text_format}"
        warned = run("requestor", "export", "--format", text_format, "--output", str(written)).stderr
        assert "shop: its key is not written" in warned
        assert TOKEN not in written.read_text()
        run("requestor", "drift", str(written))
    assert json.loads(run("requestor", "export").stdout)["requestors"]["shop"]["auth_method"] == "token"


@pytest.mark.feature("D12.4")
def test_what_cannot_be_taken_over_is_told(run, tmp_path: Path) -> None:
    file = tmp_path / "irmaserver.yaml"
    requestors = {
        "Shop": {"auth_method": "token", "key": "x"},
        "SHOP": {},
        "bank": {"auth_method": "token", "key": "y", "disclose_perms": ["no.*"]},
    }
    file.write_text(dump({"requestors": requestors}, "yaml"))
    told = json.loads(run("requestor", "import", str(file), "--apply", "--json", status=1).stdout)
    assert told["applied"] is False
    assert told["problems"] == ["requestors.shop: is given twice, as Shop and SHOP: upper and lower case do not count in a file"]
    assert [one["problems"] for one in told["requestors"] if one["name"] == "bank"] == [
        ["Requestor bank disclosing permission 'no.*': unknown scheme"]
    ]
    assert run("requestor", "list").stdout == ""
    assert "No such file" in run("requestor", "drift", str(tmp_path / "none.json"), status=1).stderr


@pytest.mark.feature("D12.3")
def test_drift_against_a_revision_in_git(run, file: Path, tmp_path: Path) -> None:
    run("requestor", "import", str(file), "--apply")
    with Repo.init(tmp_path / "repository", initial_branch="main") as repository:
        place = tmp_path / "repository" / "servers" / "irmaserver.toml"
        place.parent.mkdir()
        shutil.copy(file, place)
        repository.index.add(["servers/irmaserver.toml"])
        person = Actor("t", "t@example.org")
        repository.index.commit("First", author=person, committer=person)
    place.write_text(dump(FILE | {"requestors": {}}, "toml"))
    assert run("requestor", "drift", str(place), "--revision", "main").stdout == "The file and the installation say the same.\n"
    assert run("requestor", "drift", str(place), status=1).stdout == "only here  shop  is only in the installation\n"
    place.unlink()
    run("requestor", "drift", str(place), "--revision", "HEAD")
    assert "no git repository that has it at v9" in run("requestor", "drift", str(place), "--revision", "v9", status=1).stderr


@pytest.mark.feature("D12.3")
def test_a_gateway_beside_a_database_tells_drift_when_it_starts(run, file: Path, tmp_path: Path) -> None:
    run("requestor", "import", str(file), "--apply")
    run("requestor", "add", "extra", "--activate")
    token = run("requestor", "key", "add", "extra", "--method", "token").stdout.strip()
    run("requestor", "permit", "extra", "--disclose", "irma-demo.*")
    port = free_port()
    arguments = ["--config", str(file), "--database", "--listen-addr", "127.0.0.1", "--port", str(port), "--log-json"]
    environment = {"IRMAHUB_DATA_DIRECTORY": str(tmp_path / "data")}
    with running(tmp_path, *arguments, environment=environment, url=f"http://127.0.0.1:{port}/") as log:
        import httpx

        request = {"@context": "https://irma.app/ld/request/disclosure/v2", "disclose": [[["irma-demo.RU.studentCard.level"]]]}
        for key in (TOKEN, token):
            assert httpx.post(f"http://127.0.0.1:{port}/session", json=request, headers={"Authorization": key}).status_code == 200
        entries = [json.loads(line) for line in log.read_text().splitlines()]
    drift = {entry["requestor"]: entry["difference"] for entry in entries if entry["event"] == "requestors.drift"}
    assert drift == {"extra": "is only in the installation"}
