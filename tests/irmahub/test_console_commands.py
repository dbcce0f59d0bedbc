"""The console's commands, and that every action has page, API call and command (row F6)."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from werkzeug.serving import make_server

from console.publishing.public import create_blueprint
from console.publishing.web_root import WebRoot
from gateway.deliveries.base import NewDelivery, Outcome
from gateway.models import DeliveryState
from idemix.clock import system_clock
from irmahub.applications import PUBLISHED
from irmahub.cli import command_line
from irmahub.commands import admin, jobs, keys, schemes
from irmahub.installation import opened
from irmahub.settings import Settings
from tests.console.conftest import QuietHandler
from tests.console.schemes.test_service import picture
from tests.support.shared import shared

CARD = "RU/Issues/studentCard/description.xml"

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
    "schemes.version": ("GET /schemes/<scheme_id>/versions", "schemes versions"),
    "schemes.versions": ("GET /schemes/<scheme_id>/versions", "schemes versions"),
    "schemes.drafts": ("GET /schemes/<scheme_id>/drafts", "schemes drafts"),
    "schemes.draft": ("GET /schemes/<scheme_id>/drafts/<draft>", "schemes drafts"),
    "schemes.start_draft": ("POST /schemes/<scheme_id>/drafts", "schemes start-draft"),
    "schemes.discard_draft": ("DELETE /schemes/<scheme_id>/drafts/<draft>", "schemes discard-draft"),
    "schemes.check": ("GET /schemes/<scheme_id>/check", "schemes check"),
    "drafts.document": ("GET /schemes/<scheme_id>/drafts/<draft>/documents/<path:path>", "schemes document"),
    "drafts.contents": ("GET /schemes/<scheme_id>/drafts/<draft>/documents", "schemes document"),
    "drafts.documents": ("GET /schemes/<scheme_id>/drafts/<draft>/documents", "schemes document"),
    "drafts.file": ("GET /schemes/<scheme_id>/files/<path:path>", "schemes export"),
    "drafts.edit": ("PATCH /schemes/<scheme_id>/drafts/<draft>/documents/<path:path>", "schemes edit"),
    "drafts.add_object": ("POST /schemes/<scheme_id>/drafts/<draft>/documents/<path:path>/objects", "schemes add"),
    "drafts.move_on_card": ("POST /schemes/<scheme_id>/drafts/<draft>/documents/<path:path>/moves", "schemes move"),
    "drafts.set_logo": ("PUT /schemes/<scheme_id>/drafts/<draft>/logo/<path:path>", "schemes set-logo"),
    "drafts.remove": ("DELETE /schemes/<scheme_id>/drafts/<draft>/documents/<path:path>", "schemes remove"),
    "drafts.changes": ("GET /schemes/<scheme_id>/drafts/<draft>/changes", "schemes changes"),
    "drafts.raw": ("GET /schemes/<scheme_id>/drafts/<draft>/changes/raw", "schemes changes"),
    "drafts.version_changes": ("GET /schemes/<scheme_id>/versions/<commit>/changes", "schemes changes"),
    "drafts.compare": ("GET /schemes/<scheme_id>/versions/<commit>/changes", "schemes changes"),
    "drafts.locate": ("GET /schemes/<scheme_id>/check", "schemes check"),
    "drafts.rebase": ("POST /schemes/<scheme_id>/drafts/<draft>/rebase", "schemes rebase-draft"),
    "drafts.restoration": ("GET /schemes/<scheme_id>/versions/<commit>/restoration", "schemes restore"),
    "drafts.restore": ("POST /schemes/<scheme_id>/versions/<commit>/restore", "schemes restore"),
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
    "requestor_files.compare": ("POST /requestor-configuration/comparison", "requestor drift"),
    "requestor_files.take_over": ("POST /requestor-configuration", "requestor import"),
    "requestor_files.export": ("GET /requestor-configuration", "requestor export"),
    "requestors.update": ("PUT /requestors/<name>", "requestor update"),
    "requestors.global_permissions": ("GET /global-permissions", "requestor global-permissions"),
    "requestors.set_global_permissions": ("PUT /global-permissions", "requestor global-permissions"),
    "requestors.set_limits": ("PUT /requestors/<name>/limits", "requestor limits"),
    "requestors.set_constraints": ("PUT /requestors/<name>/constraints", "requestor constraints"),
    "requestors.usage": ("GET /requestors/<name>/usage", "requestor usage"),
    "explainer.request": ("POST /requestors/<name>/explain", "requestor explain"),
    "explainer.session": ("GET /sessions/<int:record_id>/explanation", "requestor explain"),
    "revocation.status": ("GET /revocation", "revocation status"),
    "revocation.revoked": ("GET /revocation/<credential_type_id>/revoked", "revocation revoked"),
    "revocation.configure": ("PUT /revocation/<credential_type_id>", "revocation enable"),
    "revocation.unset": ("DELETE /revocation/<credential_type_id>", "revocation disable"),
    "revocation.revoke": ("POST /revocation/<credential_type_id>/revoke", "revocation revoke"),
    "audit.entries": ("GET /audit", "audit list"),
    "audit.verify": ("GET /audit/verification", "audit verify"),
    "deliveries.list": ("GET /deliveries", "deliveries list"),
    "deliveries.get": ("GET /deliveries/<int:delivery_id>", "deliveries show"),
    "deliveries.resend": ("POST /deliveries/<int:delivery_id>/resend", "deliveries resend"),
    "jobs.list": ("GET /jobs", "jobs list"),
    "jobs.get": ("GET /jobs/<int:job_id>", "jobs show"),
    "jobs.cancel": ("POST /jobs/<int:job_id>/cancel", "jobs cancel"),
}

#: What is not an action of its own: signing in and out, making the first administrator, and the parts that services call of each other.
APART = {
    "accounts": {"authenticate_token", "create_first_administrator", "has_users", "log_in", "log_out", "resume"},
    "schemes": {"branch", "channel", "draft_at", "public_address", "register_keys", "remote", "save", "serve", "version_commit"},
    # What stands beside a form; the API gives it with the document, the scheme and the check.
    "drafts": {"card", "document_at", "findings", "languages", "logo", "public_keys"},
    "publishing": {"flow"},
    "issuer_keys": {"flow"},
    # What the gateway does with its queue.
    "deliveries": {"add", "claim", "forget", "forget_tokens", "settle"},
    "requestor_files": set(),
    # The gateway's snapshot and counts; how many there are stands on the page of the list; a part of taking a file over.
    "requestors": {"add_usage", "check_permissions", "count", "keys_used", "refresh", "snapshot", "watch"},
    "explainer": set(),
}


def test_every_action_has_its_call_and_its_command() -> None:
    from flask import Flask

    import console.accounts.service
    import console.drafts.service
    import console.issuer_keys.service
    import console.publishing.service
    import console.schemes.service
    import gateway.deliveries.service
    import gateway.requestors.explain
    import gateway.requestors.irma_config
    import gateway.requestors.service
    from console.api.views import api

    kinds = {
        "accounts": console.accounts.service.Accounts,
        "schemes": console.schemes.service.Schemes,
        "drafts": console.drafts.service.Drafts,
        "publishing": console.publishing.service.Publishing,
        "issuer_keys": console.issuer_keys.service.IssuerKeys,
        "deliveries": gateway.deliveries.service.Deliveries,
        "requestor_files": gateway.requestors.irma_config.RequestorFiles,
        "requestors": gateway.requestors.service.Requestors,
        "explainer": gateway.requestors.explain.Explainer,
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


@pytest.fixture
def work(run) -> Callable[..., Result]:
    """The same, where a scheme is imported and has a draft called `work`."""
    run("schemes", "import", str(shared("schemes", "mutant-base", "irma-demo")))
    run("schemes", "start-draft", "irma-demo", "Work")
    return run


def test_a_document_is_read_and_changed(work, tmp_path: Path) -> None:
    place = ("irma-demo", "work", CARD)
    listed = work("schemes", "document", "irma-demo", "work").stdout
    assert "description.xml\n" in listed
    assert f"{CARD}  irma-demo.RU.studentCard" in listed
    assert {"contents", "documents"} == set(json.loads(work("schemes", "document", "irma-demo", "work", "--json").stdout))
    shown = work("schemes", "document", *place).stdout
    assert "= id: studentCard" in shown
    assert "  name.en: Demo Student Card" in shown
    changed = work("schemes", "edit", *place, "name.en=Demo Card = 2", "disallow_delete=true", 'languages=["en", "nl"]').stdout
    assert "name.en: Demo Card = 2" in changed
    values = json.loads(work("schemes", "document", *place, "--json").stdout)["values"]
    assert (values["name.en"], values["disallow_delete"], values["languages"]) == ("Demo Card = 2", True, ["en", "nl"])
    file = tmp_path / "changes.json"
    file.write_text(json.dumps({"name.nl": "Demo Kaart", "disallow_delete": None}))
    saved = json.loads(work("schemes", "edit", *place, "--from", str(file), "--unset", "languages", "--json").stdout)
    assert set(saved["saved"]) == {"name.nl", "disallow_delete", "languages"}
    assert work("schemes", "edit", *place, "name.nl=Demo Kaart").stdout == "Nothing changed.\n"
    file.write_text("[]")
    for arguments, status, message in (
        (("name.en=Demo X", "id=other"), 1, "id: cannot change"),
        (("nothing=x",), 1, "no field"),
        (("disallow_delete=perhaps",), 2, "takes JSON"),
        (("name.en",), 2, "KEY=VALUE"),
        (("--from", str(file)), 1, "no JSON object"),
    ):
        assert message in work("schemes", "edit", *place, *arguments, status=status).stderr
    assert "name.en: Demo Card = 2" in work("schemes", "document", *place).stdout
    assert "attributes.faculty.optional: true" in work("schemes", "add", *place, "faculty").stdout
    assert "attributes.faculty.display_index: 0" in work("schemes", "move", *place, "faculty", "--steps", "-9").stdout
    assert "no attribute" in work("schemes", "move", *place, "absent", "--steps", "1", status=1).stderr


def test_logos_and_removal(work, tmp_path: Path) -> None:
    file = tmp_path / "logo.png"
    file.write_bytes(picture())
    place = ("irma-demo", "work", "RU/description.xml")
    assert "is set" in work("schemes", "set-logo", *place, str(file)).stdout
    assert "taken away" in work("schemes", "set-logo", *place, "--remove").stdout
    assert "either" in work("schemes", "set-logo", *place, status=2).stderr
    file.write_bytes(b"no picture")
    assert "PNG" in work("schemes", "set-logo", *place, str(file), status=1).stderr
    assert "deprecated, but not removed" in work("schemes", "remove", *place, status=1).stderr
    file.write_text(json.dumps({"id": "city", "name": {"en": "Demo City", "nl": "Demo Stad"}}))
    work("schemes", "add-issuer", "irma-demo", "work", str(file))
    assert "taken out" in work("schemes", "remove", "irma-demo", "work", "city/description.xml").stdout


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Serves what the commands publish, as a running installation does."""
    from flask import Flask

    web_root = WebRoot(tmp_path / "data" / "schemes", tmp_path / "data" / "versions")
    application = Flask("web_root")
    application.register_blueprint(create_blueprint(web_root), url_prefix=PUBLISHED)
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=QuietHandler)
    monkeypatch.setenv("IRMAHUB_CONSOLE_URL", f"http://127.0.0.1:{server.server_port}/")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.feature("A12.1", "B8.1")
def test_changes_are_told_rebased_and_restored(served, work) -> None:
    place = ("irma-demo", "work", CARD)
    first = json.loads(work("schemes", "versions", "irma-demo", "--json").stdout)[0]["commit"]
    work("schemes", "start-draft", "irma-demo", "Other")
    work("schemes", "edit", "irma-demo", "other", CARD, "name.en=Demo Published")
    work("schemes", "edit", *place, "name.en=Demo Mine", "name.nl=Demo Mijn")
    told = work("schemes", "changes", "irma-demo", "--draft", "work").stdout
    assert "changed: irma-demo.RU.studentCard\n  name.en\n    - Demo Student Card\n    + Demo Mine\n" in told
    raw = work("schemes", "changes", "irma-demo", "--draft", "work", "--raw").stdout
    assert f"--- a/{CARD}\n+++ b/{CARD}\n@@" in raw
    assert json.loads(work("schemes", "changes", "irma-demo", "--draft", "work", "--raw", "--json").stdout)[0]["path"] == CARD
    work("schemes", "publish", "irma-demo", "--draft", "other", "--wait")
    conflict = work("schemes", "rebase-draft", "irma-demo", "work", status=1).stderr
    assert f"conflict: {CARD}#name.en\n  before: Demo Student Card\n  mine: Demo Mine\n  theirs: Demo Published" in conflict
    twice = ("--mine", f"{CARD}#name.en", "--theirs", f"{CARD}#name.en")
    assert "twice" in work("schemes", "rebase-draft", "irma-demo", "work", *twice, status=2).stderr
    work("schemes", "rebase-draft", "irma-demo", "work", "--mine", f"{CARD}#name.en")
    work("schemes", "publish", "irma-demo", "--draft", "work", "--wait")
    newest = work("schemes", "changes", "irma-demo").stdout
    assert "- Demo Published" in newest
    assert "Demo Student Card" not in newest
    whole = json.loads(work("schemes", "changes", "irma-demo", "--from", first[:10], "--json").stdout)
    assert whole["before"] == first
    assert {field["key"] for change in whole["changes"] for field in change["fields"]} == {"name.en", "name.nl"}
    assert "either" in work("schemes", "changes", "irma-demo", "--draft", "work", "--to", first, status=2).stderr
    assert "no version" in work("schemes", "changes", "irma-demo", "--to", "0000000", status=1).stderr
    planned = work("schemes", "restore", "irma-demo", first[:12], "Back", "--dry-run").stdout
    assert "+ Demo Student Card" in planned
    assert "back" not in work("schemes", "drafts", "irma-demo").stdout
    assert "Draft back is open." in work("schemes", "restore", "irma-demo", first[:12], "Back").stdout
    assert "name.en: Demo Student Card" in work("schemes", "document", "irma-demo", "back", CARD).stdout


def test_a_finding_of_a_check_names_the_field_that_mends_it(work) -> None:
    work("schemes", "edit", "irma-demo", "work", CARD, "name.en=No demonstration")
    checked = ("schemes", "check", "irma-demo", "--draft", "work")
    assert f"{CARD}#name.en: " in work(*checked, status=1).stdout
    found = json.loads(work(*checked, "--json", status=1).stdout)["findings"]
    assert (CARD, "name.en") in {(finding["document"], finding["key"]) for finding in found if finding["level"] == "error"}


def test_deliveries_are_listed_and_sent_again(run, tmp_path: Path) -> None:
    run("custody", "init")
    assert run("deliveries", "list").stdout == ""
    assert "no delivery 7" in run("deliveries", "resend", "7", status=1).stderr
    settings = Settings.from_environment()
    now = system_clock()
    with opened(settings.data_directory) as services:
        services.deliveries.add([NewDelivery("requestortoken000001", "shop", "https://shop.example", now + timedelta(minutes=5))])
        (claimed,) = services.deliveries.claim({}, 1, 1)
        services.deliveries.settle(claimed, Outcome(DeliveryState.FAILED, 404, "answered with status 404"))
    listed = run("deliveries", "list", "--state", "failed").stdout
    assert "shop  https://shop.example  failed (404)  attempts 1  answered with status 404" in listed
    assert run("deliveries", "list", "--requestor", "bank", "--json").stdout == "[]\n"
    assert "pending" in run("deliveries", "resend", str(claimed.id), "--reason", "mended").stdout
    assert json.loads(run("deliveries", "show", str(claimed.id)).stdout)["state"] == "pending"


def test_groups_do_not_clash() -> None:
    assert {group.name for group in (admin.command, jobs.command, keys.command, schemes.command)} == {"admin", "jobs", "keys", "schemes"}


@pytest.mark.feature("D6.1")
def test_limits_constraints_and_explanations_of_a_requestor(run, tmp_path: Path) -> None:
    run("custody", "init")
    run("requestor", "add", "shop", "--activate")
    assert json.loads(run("requestor", "limits", "shop").output)["rate_per_minute"] is None
    limits = {"rate_per_minute": 60, "hours": [{"days": ["monday"]}], "time_zone": "Europe/Amsterdam"}
    changed = json.loads(run("requestor", "limits", "shop", "--file", "-", "--reason", "asked", input=json.dumps(limits)).output)
    assert (changed["rate_per_minute"], changed["hours"]) == (60, [{"days": ["monday"], "begin": "00:00", "end": "24:00"}])
    # What is printed can be read again.
    assert json.loads(run("requestor", "limits", "shop", "--file", "-", input=json.dumps(changed)).output) == changed
    constraints = {"callback_urls": [], "asked_values": [{"attribute": "irma-demo.RU.studentCard.level", "values": ["42"]}]}
    run("requestor", "constraints", "shop", "--file", "-", input=json.dumps(constraints))
    shown = run("requestor", "show", "shop").output
    assert "  limits  rate_per_minute  60" in shown
    assert "  constraints  callback_urls  []" in shown
    assert "addresses.0" in run("requestor", "limits", "shop", "--file", "-", input='{"addresses": ["x"]}', status=1).output
    assert "surprise" in run("requestor", "limits", "shop", "--file", "-", input='{"surprise": 1}', status=1).output
    run("requestor", "limits", "shop", "--file", "-", input="{", status=2)
    run("requestor", "limits", "shop", "--file", "-", input="{}")
    request = {"@context": "https://irma.app/ld/request/disclosure/v2", "disclose": [[["irma-demo.RU.studentCard.level"]]]}
    told = run("requestor", "explain", "shop", "--file", "-", input=json.dumps(request)).output
    assert "shop  disclosing  refused" in told
    assert "  missing  disclose_perms  irma-demo.RU.studentCard.level" in told
    assert "  missing  constraints.asked_values  irma-demo.RU.studentCard.level  none" in told
    found = json.loads(run("requestor", "explain", "shop", "--file", "-", "--json", input=json.dumps(request)).output)
    assert (found["allowed"], found["missing"][0]["kind"]) == (False, "disclose")
    run("requestor", "explain", "--session", "1", status=1)
    run("requestor", "explain", "shop", status=2)
    run("requestor", "update", "shop", "--contact", "a@example.org")
    assert json.loads(run("requestor", "show", "shop", "--json").output)["contact"] == "a@example.org"
    assert json.loads(run("requestor", "global-permissions").output)["disclose"] == []
    assert json.loads(run("requestor", "usage", "shop", "--json").output) == []
    run("requestor", "key", "add", "shop", "--method", "publickey", "--jwks-url", "https://shop.example/jwks")
    assert "publickey  JWKS" in run("requestor", "show", "shop").output
