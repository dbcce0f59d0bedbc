"""Every route of pages and API for every role: what a role may not do is refused, there where its grant holds and elsewhere."""

import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Final

import pytest
from flask import Flask
from flask.testing import FlaskClient

from console.accounts.models import NewApiToken
from console.app import create_app
from console.schemes.models import SchemeImport
from gateway.actor import Grant, Role, system_actor
from gateway.authorization import ROLES, Action, may_anywhere
from gateway.requestors.models import NewRequestor
from tests.console.conftest import Installation, MovingClock, make_installation
from tests.console.pages import PASSWORD, csrf_token, make_user, signed_in
from tests.support.shared import shared

#: Endpoint -> what it does to an object of the scheme, or of the installation, that exists; None: it is about oneself, or for everybody.
ACTIONS: Final[dict[str, Action | None]] = {
    "accounts.account": None,
    "accounts.end_log_in": None,
    "accounts.sign_in": None,
    "accounts.sign_out": None,
    "api.activate_issuer_key": Action.ISSUER_KEY_ROTATE,
    "api.activate_requestor": Action.REQUESTOR_SUSPEND,
    "api.add_credential_type": Action.SCHEME_EDIT,
    "api.add_issuer": Action.SCHEME_EDIT,
    "api.add_object": Action.SCHEME_EDIT,
    "api.add_requestor_key": Action.REQUESTOR_KEYS,
    "api.cancel_generation": None,
    "api.cancel_publication": None,
    "api.check_scheme": Action.SCHEME_CHECK,
    "api.compare_requestors": Action.REQUESTOR_VIEW,
    "api.create_requestor": Action.REQUESTOR_EDIT,
    "api.create_scheme": Action.SCHEME_IMPORT,
    "api.create_token": None,
    "api.create_user": Action.USER_EDIT,
    "api.delete_requestor": Action.REQUESTOR_EDIT,
    "api.discard_draft": Action.SCHEME_EDIT,
    "api.edit_document": Action.SCHEME_EDIT,
    "api.explain_request": Action.REQUESTOR_VIEW,
    "api.export_scheme": Action.SCHEME_VIEW,
    "api.export_requestors": Action.REQUESTOR_VIEW,
    "api.generate_issuer_key": Action.ISSUER_KEY_GENERATE,
    "api.import_scheme": Action.SCHEME_IMPORT,
    "api.list_audit": Action.AUDIT_VIEW,
    "api.list_documents": Action.SCHEME_VIEW,
    "api.list_drafts": Action.SCHEME_VIEW,
    "api.list_issuer_keys": None,
    "api.list_log_ins": Action.USER_VIEW,
    "api.list_publications": None,
    "api.list_revocation": Action.REVOCATION_VIEW,
    "api.list_revoked": Action.REVOCATION_VIEW,
    "api.list_requestors": Action.REQUESTOR_VIEW,
    "api.list_schemes": None,
    "api.list_tokens": Action.USER_VIEW,
    "api.list_users": Action.USER_VIEW,
    "api.list_versions": Action.SCHEME_VIEW,
    "api.move_on_card": Action.SCHEME_EDIT,
    "api.nothing": None,
    "api.publish": Action.SCHEME_PUBLISH,
    "api.publish_issuer_key": Action.SCHEME_PUBLISH,
    "api.pull_scheme": Action.SCHEME_IMPORT,
    "api.look_for_issuer_key": Action.ISSUER_KEY_ROTATE,
    "api.rebase_draft": Action.SCHEME_EDIT,
    "api.remove_document": Action.SCHEME_EDIT,
    "api.remove_logo": Action.SCHEME_EDIT,
    "api.resend_delivery": Action.DELIVERY_RESEND,
    "api.restore_version": Action.SCHEME_EDIT,
    "api.retire_issuer_key": Action.ISSUER_KEY_ROTATE,
    "api.revoke_credentials": Action.CREDENTIAL_REVOKE,
    "api.revoke_log_in": None,
    "api.revoke_requestor_key": Action.REQUESTOR_KEYS,
    "api.revoke_token": None,
    "api.set_global_permissions": Action.REQUESTOR_PERMISSIONS,
    "api.set_grants": Action.USER_EDIT,
    "api.set_logo": Action.SCHEME_EDIT,
    "api.set_password": Action.USER_EDIT,
    "api.set_permissions": Action.REQUESTOR_PERMISSIONS,
    "api.set_preferences": Action.USER_EDIT,
    "api.set_revocation": Action.REVOCATION_EDIT,
    "api.set_state": Action.USER_EDIT,
    "api.show_account": None,
    "api.show_changes": Action.SCHEME_VIEW,
    "api.show_credential_type": Action.SCHEME_VIEW,
    "api.show_deliveries": Action.SESSION_VIEW,
    "api.show_delivery": Action.SESSION_VIEW,
    "api.show_document": Action.SCHEME_VIEW,
    "api.show_draft": Action.SCHEME_VIEW,
    "api.show_file": Action.SCHEME_VIEW,
    "api.show_global_permissions": Action.REQUESTOR_VIEW,
    "api.show_issuer": Action.SCHEME_VIEW,
    "api.show_issuer_key": Action.ISSUER_KEY_VIEW,
    "api.show_job": None,
    "api.show_jobs": None,
    "api.show_key_need": Action.ISSUER_KEY_VIEW,
    "api.show_publication": None,
    "api.show_raw_changes": Action.SCHEME_VIEW,
    "api.explain_session": Action.SESSION_VIEW,
    "api.set_requestor_constraints": Action.REQUESTOR_PERMISSIONS,
    "api.set_requestor_limits": Action.REQUESTOR_PERMISSIONS,
    "api.show_requestor_usage": Action.REQUESTOR_VIEW,
    "api.show_requestor": Action.REQUESTOR_VIEW,
    "api.show_restoration": Action.SCHEME_VIEW,
    "api.show_rotation": Action.ISSUER_KEY_VIEW,
    "api.show_revocation": Action.REVOCATION_VIEW,
    "api.show_scheme": Action.SCHEME_VIEW,
    "api.show_user": Action.USER_VIEW,
    "api.show_version_changes": Action.SCHEME_VIEW,
    "api.stop_job": None,
    "api.suspend_requestor": Action.REQUESTOR_SUSPEND,
    "api.take_over_requestors": Action.REQUESTOR_EDIT,
    "api.unset_revocation": Action.REVOCATION_EDIT,
    "api.update_requestor": Action.REQUESTOR_EDIT,
    "api.verify_audit": Action.AUDIT_VERIFY,
    "api_docs.openapi": None,
    "api_docs.page": None,
    "api_docs.style": None,
    "assets.style_sheet": None,
    "audit.list_entries": Action.AUDIT_VIEW,
    "bootstrap.static": None,
    "drafts.beside": Action.SCHEME_CHECK,
    "drafts.edit_document": Action.SCHEME_EDIT,
    "drafts.new_credential_type": Action.SCHEME_EDIT,
    "drafts.new_issuer": Action.SCHEME_EDIT,
    "drafts.rebase": Action.SCHEME_EDIT,
    "drafts.remove": Action.SCHEME_EDIT,
    "drafts.set_logo": Action.SCHEME_EDIT,
    "drafts.show_changes": Action.SCHEME_VIEW,
    "drafts.show_draft": Action.SCHEME_VIEW,
    "home.index": None,
    "issuer_keys.activate": Action.ISSUER_KEY_ROTATE,
    "issuer_keys.cancel": None,
    "issuer_keys.generate": Action.ISSUER_KEY_GENERATE,
    "issuer_keys.list_keys": None,
    "issuer_keys.look": Action.ISSUER_KEY_ROTATE,
    "issuer_keys.progress": Action.ISSUER_KEY_VIEW,
    "issuer_keys.publish": Action.SCHEME_PUBLISH,
    "issuer_keys.retire": Action.ISSUER_KEY_ROTATE,
    "issuer_keys.rotation": Action.ISSUER_KEY_VIEW,
    "health.live": None,
    "health.ready": None,
    "preferences.set_language": None,
    "preferences.set_theme": None,
    "publishing.cancel": None,
    "publishing.list_publications": Action.SCHEME_VIEW,
    "publishing.progress": None,
    "publishing.publish": Action.SCHEME_PUBLISH,
    "publishing.show_publication": None,
    "requestors.activate": Action.REQUESTOR_SUSPEND,
    "requestors.add_key": Action.REQUESTOR_KEYS,
    "requestors.edit_permissions": Action.REQUESTOR_PERMISSIONS,
    "requestors.explain_request": Action.REQUESTOR_VIEW,
    "requestors.list_requestors": Action.REQUESTOR_VIEW,
    "requestors.new_requestor": Action.REQUESTOR_EDIT,
    "requestors.revoke_key": Action.REQUESTOR_KEYS,
    "requestors.show_requestor": Action.REQUESTOR_VIEW,
    "requestors.suspend": Action.REQUESTOR_SUSPEND,
    "schemes.check": Action.SCHEME_CHECK,
    "schemes.discard_draft": Action.SCHEME_EDIT,
    "schemes.import_scheme": Action.SCHEME_IMPORT,
    "schemes.list_schemes": None,
    "schemes.new_scheme": Action.SCHEME_IMPORT,
    "schemes.picture": Action.SCHEME_VIEW,
    "schemes.show_credential_type": Action.SCHEME_VIEW,
    "schemes.show_issuer": Action.SCHEME_VIEW,
    "schemes.show_scheme": Action.SCHEME_VIEW,
    "schemes.start_draft": Action.SCHEME_EDIT,
    "static": None,
    "styleguide.components": None,
    "versions.export": Action.SCHEME_VIEW,
    "versions.list_versions": Action.SCHEME_VIEW,
    "versions.restore": Action.SCHEME_EDIT,
    "versions.show_version": Action.SCHEME_VIEW,
}

PARTS: Final = {
    "scheme_id": "irma-demo",
    "issuer": "RU",
    "issuer_id": "irma-demo.RU",
    "credential_type": "studentCard",
    "credential_type_id": "irma-demo.RU.studentCard",
    "path": "RU/description.xml",
    "commit": "0" * 40,
    "name": "webshop",
    "counter": "1",
    "draft": "work",
    "key_id": "1",
    "user_id": "1",
}

#: A body that every route of the API finds whole, by endpoint.
BODIES: Final[dict[str, object]] = {
    "api.add_credential_type": {"id": "c", "issuer": "RU", "name": {"en": "C"}, "description": {"en": "C"}, "attributes": []},
    "api.add_issuer": {"id": "I", "name": {"en": "I"}, "contact_email": "a@b.example"},
    "api.add_object": {"group": "attributes", "key": "a"},
    "api.add_requestor_key": {"method": "token"},
    "api.compare_requestors": {"content": "{}"},
    "api.create_requestor": {"name": "other", "details": {}},
    "api.create_scheme": {"id": "new", "url": "https://x.example", "name": {"en": "N"}, "description": {"en": "N"}},
    "api.create_user": {"name": "x", "display_name": "X", "password": PASSWORD},
    "api.edit_document": {"changes": {"name.en": "Demo X"}},
    "api.explain_request": {"request": "{}"},
    "api.generate_issuer_key": {"issuer_id": "irma-demo.RU"},
    "api.import_scheme": {"source": "/absent"},
    "api.move_on_card": {"key": "level", "steps": 1},
    "api.restore_version": {"title": "Back"},
    "api.set_global_permissions": {},
    "api.revoke_credentials": {"revocation_key": "k"},
    "api.set_grants": {"grants": [{"role": "admin", "scope": "*"}]},
    "api.set_logo": {"logo": ""},
    "api.set_password": {"password": PASSWORD},
    "api.set_permissions": {"version": 99},
    "api.set_requestor_constraints": {"version": 99, "constraints": {}},
    "api.set_requestor_limits": {"version": 99, "limits": {}},
    "api.set_state": {"active": True},
    "api.start_draft": {"title": "New"},
    "api.suspend_requestor": {"reason": "x"},
    "api.take_over_requestors": {"content": "{}"},
    "api.update_requestor": {"version": 99},
}

ELSEWHERE: Final = {Role.REQUESTOR_ADMIN: "organisation:99"}
NUMBER: Final = count(1)
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite_file: Path) -> Iterator[Installation]:
    """An installation with a scheme, a draft and a requestor; of each role somebody for everything and somebody for something else."""
    for made in make_installation(tmp_path_factory.mktemp("roles"), migrated_sqlite_file, MovingClock()):
        system = system_actor("tests")
        make_user(made.services, "somebody")
        source = made.scheme_repository(shared("schemes", "mutant-base", "irma-demo"))
        made.services.schemes.import_scheme(system, SchemeImport(str(source)))
        made.services.schemes.start_draft(system, "irma-demo", "Work", "work")
        made.services.requestors.create(system, NewRequestor("webshop"))
        for role in Role:
            make_user(made.services, role.value, Grant(role))
            make_user(made.services, f"{role.value}.elsewhere", Grant(role, ELSEWHERE.get(role, "scheme:other")))
        yield made


@pytest.fixture(scope="module")
def app(installation: Installation) -> Flask:
    return create_app(installation.services, clock=installation.clock)


def token_of(installation: Installation, name: str) -> str:
    """A token of somebody for all that the roles allow anywhere."""
    accounts = installation.services.accounts
    person = accounts.log_in(name, PASSWORD, address=None).actor
    actions = tuple(action.value for action in Action if may_anywhere(person, action))
    return accounts.create_api_token(person, NewApiToken(f"token {next(NUMBER)}", actions)).secret


def routes(app: Flask) -> Iterator[tuple[str, str, str]]:
    """Endpoint, method and address of every route."""
    for rule in app.url_map.iter_rules():
        for method in METHODS:
            if method in (rule.methods or ()):
                yield rule.endpoint, method, re.sub(r"<(?:\w+:)?(\w+)>", lambda part: PARTS.get(part[1], "1"), rule.rule)


def refusals(app: Flask, installation: Installation, name: str, denied: set[Action]) -> dict[str, int]:
    """What the routes whose actions are `denied` answer to somebody, where that is neither 403 nor 404."""
    client: FlaskClient = signed_in(app, name)
    token, form = token_of(installation, name), csrf_token(client, "/account")
    wrong = {}
    for endpoint, method, path in routes(app):
        if ACTIONS[endpoint if endpoint != "api.start_draft" else "api.rebase_draft"] not in denied:
            continue
        if path.startswith("/api/"):
            body = BODIES.get(endpoint, {}) if method in ("POST", "PUT", "PATCH") else None
            query = {"reason": "x"} if method == "DELETE" else None
            answer = client.open(path, method=method, json=body, query_string=query, headers={"Authorization": f"Bearer {token}"})
        else:
            data = {"csrf_token": form, "reason": "x", "title": "x", "name": "other", "source": "/absent", "channel": "demo"}
            answer = client.open(path, method=method, data=data | {"method": "token"} if method == "POST" else None)
        if answer.status_code not in (403, 404):
            wrong[f"{method} {path}"] = answer.status_code
        answer.close()
    return wrong


def test_every_route_names_its_action(app: Flask) -> None:
    named = set(ACTIONS) | {"api.start_draft"}
    assert {endpoint for endpoint, _, _ in routes(app)} == named


@pytest.mark.feature("G2.2")
@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMIN])
def test_a_role_is_refused_what_it_may_not_do(app: Flask, installation: Installation, role: Role) -> None:
    denied = {action for action, roles in ROLES.items() if role not in roles}
    assert refusals(app, installation, role.value, denied) == {}


@pytest.mark.parametrize("role", Role)
def test_a_role_is_refused_everything_outside_its_scope(app: Flask, installation: Installation, role: Role) -> None:
    lists = {
        "GET /requestors/",
        "GET /api/v1/requestors",
        "GET /api/v1/global-permissions",
        "GET /api/v1/deliveries",
    }  # they show no more than the scope holds
    wrong = refusals(app, installation, f"{role.value}.elsewhere", set(Action))
    assert {path: status for path, status in wrong.items() if path not in lists} == {}


@pytest.mark.parametrize("role", Role)
def test_lists_show_nothing_outside_a_scope(app: Flask, installation: Installation, role: Role) -> None:
    client = signed_in(app, f"{role.value}.elsewhere")
    token = token_of(installation, f"{role.value}.elsewhere")
    for path in ("schemes", "issuer-keys", "publications", "jobs", "requestors", "deliveries"):
        answer = client.get(f"/api/v1/{path}", headers={"Authorization": f"Bearer {token}"})
        assert answer.get_json() == [] or answer.status_code == 403, path
    for path in ("/", "/schemes/", "/keys/"):
        text = client.get(path).text
        assert "irma-demo" not in text, path
        assert "webshop" not in text, path
