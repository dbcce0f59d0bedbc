"""The console's commands, and that every action has page, API call and command (row F6)."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from irmahub.cli import command_line
from irmahub.commands import admin, jobs, keys, schemes
from tests.support.shared import shared

#: Action of the services -> its call in the API and its command.
PARITY = {
    "schemes.list": ("GET /schemes", "schemes list"),
    "schemes.get": ("GET /schemes/<scheme_id>", "schemes show"),
    "schemes.browse": ("GET /schemes/<scheme_id>", "schemes show"),
    "schemes.issuer": ("GET /issuers/<issuer_id>", "schemes show"),
    "schemes.credential_type": ("GET /credential-types/<credential_type_id>", "schemes show"),
    "schemes.file": ("GET /schemes/<scheme_id>/files/<path:path>", "schemes show"),
    "schemes.import_scheme": ("POST /schemes/import", "schemes import"),
    "schemes.pull": ("POST /schemes/<scheme_id>/pull", "schemes pull"),
    "schemes.create": ("POST /schemes", "schemes create"),
    "schemes.add_issuer": ("POST /schemes/<scheme_id>/drafts/<draft>/issuers", "schemes add-issuer"),
    "schemes.add_credential_type": ("POST /schemes/<scheme_id>/drafts/<draft>/credential-types", "schemes add-credential-type"),
    "schemes.export": ("GET /schemes/<scheme_id>/archive", "schemes export"),
    "schemes.versions": ("GET /schemes/<scheme_id>/versions", "schemes versions"),
    "schemes.drafts": ("GET /schemes/<scheme_id>/drafts", "schemes drafts"),
    "schemes.draft": ("GET /schemes/<scheme_id>/drafts/<draft>", "schemes drafts"),
    "schemes.start_draft": ("POST /schemes/<scheme_id>/drafts", "schemes start-draft"),
    "schemes.discard_draft": ("DELETE /schemes/<scheme_id>/drafts/<draft>", "schemes discard-draft"),
    "schemes.rebase_draft": ("POST /schemes/<scheme_id>/drafts/<draft>/rebase", "schemes rebase-draft"),
    "schemes.check": ("GET /schemes/<scheme_id>/check", "schemes check"),
    "publishing.publish": ("POST /schemes/<scheme_id>/publications", "schemes publish"),
    "publishing.list": ("GET /publications", "schemes publications"),
    "publishing.get": ("GET /publications/<int:publication_id>", "schemes publications"),
    "publishing.cancel": ("POST /publications/<int:publication_id>/cancel", "schemes cancel-publication"),
    "issuer_keys.list": ("GET /issuer-keys", "keys list"),
    "issuer_keys.get": ("GET /issuer-keys/<issuer_id>/<int:counter>", "keys list"),
    "issuer_keys.need": ("GET /issuers/<issuer_id>/key-need", "keys rotation"),
    "issuer_keys.generate": ("POST /issuer-keys", "keys generate"),
    "issuer_keys.cancel_generation": ("POST /issuer-keys/<issuer_id>/<int:counter>/cancel", "keys cancel"),
    "issuer_keys.publish": ("POST /issuer-keys/<issuer_id>/<int:counter>/publish", "keys publish"),
    "issuer_keys.look": ("POST /issuer-keys/<issuer_id>/<int:counter>/look", "keys look"),
    "issuer_keys.activate": ("POST /issuer-keys/<issuer_id>/<int:counter>/activate", "keys activate"),
    "issuer_keys.retire": ("POST /issuer-keys/<issuer_id>/<int:counter>/retire", "keys retire"),
    "issuer_keys.rotation": ("GET /issuers/<issuer_id>/rotation", "keys rotation"),
    "accounts.create_user": ("POST /users", "admin add-user"),
    "accounts.list_users": ("GET /users", "admin users"),
    "accounts.get_user": ("GET /users/<int:user_id>", "admin users"),
    "accounts.find_user": ("GET /users", "admin users"),
    "accounts.set_grants": ("PUT /users/<int:user_id>/grants", "admin set-roles"),
    "accounts.set_active": ("PUT /users/<int:user_id>/state", "admin close"),
    "accounts.change_password": ("PUT /users/<int:user_id>/password", "admin password"),
    "accounts.set_preferences": ("PUT /users/<int:user_id>/preferences", "admin preferences"),
    "accounts.list_log_ins": ("GET /users/<int:user_id>/log-ins", "admin log-ins"),
    "accounts.revoke_log_in": ("DELETE /log-ins/<int:log_in_id>", "admin end-log-in"),
    "accounts.create_api_token": ("POST /users/<int:user_id>/tokens", "admin add-token"),
    "accounts.list_api_tokens": ("GET /tokens", "admin tokens"),
    "accounts.revoke_api_token": ("DELETE /tokens/<int:token_id>", "admin revoke-token"),
    "requestors.list": ("GET /requestors", "requestor list"),
    "requestors.get": ("GET /requestors/<name>", "requestor show"),
    "requestors.create": ("POST /requestors", "requestor add"),
    "requestors.activate": ("POST /requestors/<name>/activate", "requestor activate"),
    "requestors.suspend": ("POST /requestors/<name>/suspend", "requestor suspend"),
    "requestors.delete": ("DELETE /requestors/<name>", "requestor delete"),
    "requestors.add_key": ("POST /requestors/<name>/keys", "requestor key add"),
    "requestors.revoke_key": ("DELETE /requestors/<name>/keys/<int:key_id>", "requestor key revoke"),
    "requestors.set_permissions": ("PUT /requestors/<name>/permissions", "requestor permit"),
    "audit.entries": ("GET /audit", "audit list"),
    "audit.verify": ("GET /audit/verification", "audit verify"),
    "jobs.list": ("GET /jobs", "jobs list"),
    "jobs.get": ("GET /jobs/<int:job_id>", "jobs show"),
    "jobs.cancel": ("POST /jobs/<int:job_id>/cancel", "jobs cancel"),
}

#: What is not an action of its own: signing in and out, making the first administrator, and the parts that services call of each other.
APART = {
    "accounts": {"authenticate_token", "create_first_administrator", "has_users", "log_in", "log_out", "resume"},
    "schemes": {"branch", "public_address", "register_keys", "remote", "save", "serve"},
    "publishing": {"flow"},
    "issuer_keys": {"flow"},
}


def test_every_action_has_its_call_and_its_command() -> None:
    from flask import Flask

    import console.accounts.service
    import console.issuer_keys.service
    import console.publishing.service
    import console.schemes.service
    from console.api.views import api

    kinds = {
        "accounts": console.accounts.service.Accounts,
        "schemes": console.schemes.service.Schemes,
        "publishing": console.publishing.service.Publishing,
        "issuer_keys": console.issuer_keys.service.IssuerKeys,
    }
    actions = {
        f"{name}.{method}"
        for name, kind in kinds.items()
        for method in vars(kind)
        if not method.startswith("_") and method not in APART[name]
    }
    assert actions <= set(PARITY), "an action without API call and command"

    application = Flask("parity")
    application.register_blueprint(api)
    routes = {f"{method} {rule.rule.removeprefix('/api/v1')}" for rule in application.url_map.iter_rules() for method in rule.methods or ()}
    runner = CliRunner()
    for route, command in PARITY.values():
        assert route in routes
        assert runner.invoke(command_line, [*command.split(), "--help"]).exit_code == 0, command


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs a command on a fresh installation, and demands its exit status."""
    monkeypatch.setenv("IRMAHUB_DATA_DIRECTORY", str(tmp_path / "data"))
    runner = CliRunner()

    def run_command(*arguments: str, status: int = 0, **options: object) -> Result:
        result = runner.invoke(command_line, arguments, **options)  # type: ignore[arg-type]
        assert result.exit_code == status, result.output
        return result

    run_command("db", "upgrade")
    return run_command


def test_the_first_administrator_and_a_token(run) -> None:
    made = run("admin", "create", "noor")
    assert len(made.stdout.strip()) >= 20
    assert made.stdout.strip() not in made.stderr
    assert "already" in run("admin", "create", "other", status=1).stderr
    run("admin", "add-user", "bram", "--grant", "scheme_manager@scheme:irma-demo", "--password-file", "-", input="correct horse battery\n")
    assert "no role" in run("admin", "add-user", "x", "--grant", "king", status=2).stderr
    assert "password" in run("admin", "add-user", "x", "--password-file", "-", status=1, input="short\n").stderr
    users = json.loads(run("admin", "users", "--json").stdout)
    assert [(user["name"], user["grants"][0]["scope"]) for user in users] == [("bram", "scheme:irma-demo"), ("noor", "*")]
    assert run("admin", "add-token", "bram", "ci", "--action", "scheme.view").stdout.startswith("irmahub_")
    assert "ci" in run("admin", "tokens", "--user", "bram").stdout
    run("admin", "revoke-token", "1", "--reason", "leaked")
    assert "last administrator" in run("admin", "close", "noor", status=1).stderr
    run("admin", "close", "bram")


def test_a_scheme_is_imported_checked_and_its_key_generated(run) -> None:
    source = str(shared("schemes", "mutant-base", "irma-demo"))
    assert "3 issuers" in run("schemes", "import", source).stdout
    assert "here already" in run("schemes", "import", source, status=1).stderr
    assert json.loads(run("schemes", "list", "--json").stdout)[0]["id"] == "irma-demo"
    assert "may be published" in run("schemes", "check", "irma-demo").stdout
    run("schemes", "start-draft", "irma-demo", "Nothing yet")
    assert "Nothing was changed" in run("schemes", "check", "irma-demo", "--draft", "nothing-yet", status=1).stdout
    assert "changes nothing" in run("schemes", "publish", "irma-demo", "--draft", "nothing-yet", status=1).stderr
    run("schemes", "discard-draft", "irma-demo", "nothing-yet")
    assert "Next: generate" in run("keys", "rotation", "irma-demo.RU").stdout
    assert "no issuer key" in run("keys", "activate", "irma-demo.RU", "9", status=1).stderr
    assert run("jobs", "list").stdout == ""
    assert "no job" in run("jobs", "show", "1", status=1).stderr


def test_groups_do_not_clash() -> None:
    assert {group.name for group in (admin.command, jobs.command, keys.command, schemes.command)} == {"admin", "jobs", "keys", "schemes"}
