"""The JSON API over real services: authentication, errors that name fields, and parity with pages and commands."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import IntegerConverter

from console.accounts.models import NewApiToken, NewUser
from console.api import openapi
from console.api.authentication import requires_bearer_token
from console.api.views import api
from console.app import BLUEPRINTS, create_app
from gateway.actor import Actor, Grant, Role, command_actor
from gateway.authorization import Action
from tests.console.conftest import Installation, MovingClock, make_installation
from tests.support.openapi import watch

PASSWORD = "correct horse battery"
Call = Callable[..., Any]


def make_application(installation: Installation) -> Flask:
    application = create_app(installation.services, clock=installation.clock)
    application.testing = True
    # Every answer of these tests is one that the API's document describes.
    watch(application, openapi.document(application, "test"), fails=True)
    return application


def make_noor(installation: Installation) -> Actor:
    """The first administrator."""
    accounts = installation.services.accounts
    accounts.create_first_administrator(command_actor("root"), NewUser("noor", "Noor", PASSWORD))
    return accounts.log_in("noor", PASSWORD, address=None).actor


def make_call(installation: Installation, client: FlaskClient, noor: Actor) -> Call:
    """Calls the API with a token for everything; gives status and JSON."""
    everything = NewApiToken("all", tuple(action.value for action in Action))
    token = installation.services.accounts.create_api_token(noor, everything).secret

    def run(method: str, path: str, body: object = None, token: str = token) -> tuple[int, Any]:
        answer = client.open(f"/api/v1{path}", method=method, json=body, headers={"Authorization": f"Bearer {token}"})
        return answer.status_code, answer.get_json(silent=True)

    return run


@pytest.fixture
def application(installation: Installation) -> Flask:
    return make_application(installation)


@pytest.fixture
def client(application: Flask) -> FlaskClient:
    return application.test_client()


@pytest.fixture
def noor(installation: Installation) -> Actor:
    return make_noor(installation)


@pytest.fixture
def call(installation: Installation, client: FlaskClient, noor: Actor) -> Call:
    return make_call(installation, client, noor)


@pytest.fixture(scope="module")
def refused_call(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite_file: Path) -> Iterator[Call]:
    """As `call`, on one installation for all tests whose calls change nothing."""
    for installation in make_installation(tmp_path_factory.mktemp("api"), migrated_sqlite_file, MovingClock()):
        yield make_call(installation, make_application(installation).test_client(), make_noor(installation))


def test_every_route_demands_a_token_and_a_log_in_counts_for_nothing(application: Flask, client: FlaskClient, noor: Actor) -> None:
    assert BLUEPRINTS[api] is requires_bearer_token
    client.post("/sign-in", data={"name": "noor", "password": PASSWORD})
    seen = 0
    for rule in application.url_map.iter_rules():
        if not rule.endpoint.startswith("api."):
            continue
        values = {name: 1 if isinstance(rule._converters[name], IntegerConverter) else "x" for name in rule.arguments}
        path = rule.build(values, append_unknown=False)
        assert path is not None
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            answer = client.open(path[1], method=method, json={})
            assert answer.status_code == 401, (method, path[1])
            assert answer.get_json()["error"] == "unauthenticated"
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
            seen += 1
    assert seen > 50


@pytest.mark.parametrize("header", ["", "Basic bm9vcjp4", "Bearer", "Bearer ", "Bearer irmahub_wrong", "irmahub_wrong", "Bearer \u00e9"])
def test_other_headers_are_refused(client: FlaskClient, header: str) -> None:
    assert client.get("/api/v1/schemes", headers={"Authorization": header}).status_code == 401


def test_a_scheme_goes_the_whole_way(call: Call, installation: Installation, small_scheme: Path) -> None:
    remote = installation.scheme_repository(small_scheme)
    status, scheme = call("POST", "/schemes/import", {"source": str(remote)})
    assert (status, scheme["id"], scheme["state"]) == (201, "irma-demo", "live")
    assert [found["id"] for found in call("GET", "/schemes")[1]] == ["irma-demo"]
    assert len(call("GET", "/schemes/irma-demo")[1]["issuers"]) == 3
    status, draft = call("POST", "/schemes/irma-demo/drafts", {"title": "New issuer"})
    assert (status, draft["name"]) == (201, "new-issuer")
    name = {"en": "Demo City", "nl": "Demo Stad"}
    status, draft = call("POST", "/schemes/irma-demo/drafts/new-issuer/issuers", {"id": "city", "name": name})
    assert status == 201
    status, result = call("GET", "/schemes/irma-demo/check?draft=new-issuer")
    assert (status, result["status"], result["may_publish"]) == (200, "Valid", True)
    status, publication = call("POST", "/schemes/irma-demo/publications", {"draft": "new-issuer", "reason": "a test"})
    assert (status, publication["state"]) == (201, "publishing")
    installation.run_jobs()
    status, publication = call("GET", f"/publications/{publication['id']}")
    assert (publication["state"], publication["draft"]) == ("live", "new-issuer")
    assert [step["state"] for step in publication["steps"]] == ["done"] * 8
    job = call("GET", f"/jobs/{publication['job_id']}")[1]
    assert (job["kind"], job["state"]) == ("publish", "done")
    assert call("POST", f"/jobs/{publication['job_id']}/cancel", {})[0] == 409


def test_a_key_is_rotated(call: Call, installation: Installation, small_scheme: Path) -> None:
    call("POST", "/schemes/import", {"source": str(small_scheme)})
    assert call("GET", "/issuers/irma-demo.RU/key-need")[1]["counter"] == 3
    status, key = call("POST", "/issuer-keys", {"issuer_id": "irma-demo.RU"})
    assert (status, key["state"], key["progress"]) == (201, "generating", 0.0)
    installation.run_jobs()
    status, error = call("POST", "/issuer-keys/irma-demo.RU/3/activate", {})
    assert (status, error["error"]) == (409, "rotation_closed")
    assert call("POST", "/issuer-keys/irma-demo.RU/3/publish", {})[0] == 201
    installation.run_jobs()
    assert call("POST", "/issuer-keys/irma-demo.RU/3/look", {})[1]["state"] == "seen_live"
    assert call("POST", "/issuer-keys/irma-demo.RU/3/activate", {"reason": "now"})[1]["state"] == "active"
    assert call("POST", "/issuer-keys/irma-demo.RU/2/retire")[1]["state"] == "retired"
    assert call("GET", "/issuers/irma-demo.RU/rotation")[1]["next_action"] == "generate"


def test_a_requestor_is_registered_and_its_requests_are_explained(call: Call, small_scheme: Path) -> None:
    call("POST", "/schemes/import", {"source": str(small_scheme)})
    assert call("POST", "/requestors", {"name": "shop"})[0] == 201
    status, created = call("POST", "/requestors/shop/keys", {"method": "token", "label": "till"})
    assert status == 201
    assert len(created["secret"]) >= 43
    version = call("GET", "/requestors/shop")[1]["version"]
    wanted = {"version": version, "disclose": ["irma-demo.RU.*"]}
    assert call("PUT", "/requestors/shop/permissions", wanted)[1]["permissions"]["disclose"] == ["irma-demo.RU.*"]
    assert call("POST", "/requestors/shop/activate")[1]["state"] == "active"
    context = "https://irma.app/ld/request/disclosure/v2"
    for attribute, allowed in (("irma-demo.RU.studentCard.level", "true"), ("irma-demo.MijnOverheid.root.BSN", "false")):
        request = f'{{"@context": "{context}", "disclose": [[["{attribute}"]]]}}'
        explained = call("POST", "/requestors/shop/explain", {"request": request})[1]
        assert str(explained["allowed"]).lower() == allowed
        assert bool(explained["reason"]) is (allowed == "false")
    for host, allowed in (("gateway.example", True), ("elsewhere.example", False)):
        request = f'{{"@context": "{context}", "host": "{host}", "disclose": [[["irma-demo.RU.studentCard.level"]]]}}'
        assert call("POST", "/requestors/shop/explain", {"request": request})[1]["allowed"] is allowed
    assert call("DELETE", f"/requestors/shop/keys/{created['key']['id']}")[1]["keys"][0]["revoked_at"] is not None
    status, error = call("POST", "/requestors/shop/suspend", {})
    assert (status, set(error["fields"])) == (422, {"reason"})


@pytest.mark.feature("D6.1")
@pytest.mark.feature("D14")
def test_limits_and_constraints_are_typed_values_that_explanations_show(call: Call, small_scheme: Path) -> None:
    call("POST", "/schemes/import", {"source": str(small_scheme)})
    made = call("POST", "/requestors", {"name": "shop"})[1]
    limits = made["limits"] | {"rate_per_minute": 60, "addresses": ["192.0.2.0/24"], "hours": [{"days": ["monday"], "begin": "08:00"}]}
    status, changed = call("PUT", "/requestors/shop/limits", {"version": made["version"], "limits": limits, "reason": "asked"})
    assert (status, changed["limits"]["hours"]) == (200, [{"days": ["monday"], "begin": "08:00", "end": "24:00"}])
    constraints = made["constraints"] | {"callback_urls": ["https://shop.example/*"], "longest_validity_days": 30}
    status, changed = call("PUT", "/requestors/shop/constraints", {"version": changed["version"], "constraints": constraints})
    assert (status, changed["constraints"]) == (200, constraints)
    # What was read can be written back as it is.
    for name in ("limits", "constraints"):
        same = {"version": changed["version"], name: changed[name]}
        assert call("PUT", f"/requestors/shop/{name}", same)[1][name] == changed[name]
    assert call("PUT", "/requestors/shop/limits", {"version": 1, "limits": {}})[0] == 409
    status, error = call("PUT", "/requestors/shop/limits", {"version": changed["version"], "limits": {"addresses": ["x"], "burst": 0}})
    assert (status, set(error["fields"])) == (422, {"addresses.0", "burst"})
    assert call("PUT", "/requestors/shop/limits", {"version": 1, "limits": {"hours": [{}]}})[1]["fields"] == {
        "limits.hours.0.days": "must be given"
    }
    request = {
        "callbackUrl": "https://evil.example/",
        "request": {"@context": "https://irma.app/ld/request/disclosure/v2", "disclose": [[["irma-demo.RU.studentCard.level"]]]},
    }
    version = call("POST", "/requestors/shop/activate")[1]["version"]
    call("PUT", "/requestors/shop/limits", {"version": version, "limits": {"addresses": ["192.0.2.0/24"]}})
    found = call("POST", "/requestors/shop/explain", {"request": json.dumps(request), "address": "198.51.100.1"})[1]
    assert (found["allowed"], found["decided_by"]) == (False, "limits.addresses source address")
    assert [(grant["setting"], grant["pattern"]) for grant in found["missing"]] == [
        ("limits.addresses", "198.51.100.1"),
        ("disclose_perms", "irma-demo.RU.studentCard.level"),
        ("constraints.callback_urls", "https://evil.example/"),
    ]
    assert (found["limits"]["addresses"], found["constraints"]) == (["192.0.2.0/24"], constraints)
    assert call("GET", "/requestors/shop/usage?since=2026-01-01&until=2026-01-31") == (200, [])
    assert set(call("GET", "/requestors/shop/usage?since=yesterday")[1]["fields"]) == {"since"}
    assert call("GET", "/sessions/1/explanation")[0] == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "fields"),
    [
        ("POST", "/schemes/import", {}, {"source"}),
        ("POST", "/schemes/import", {"source": 5, "surprise": 1, "channel": "moon"}, {"source", "surprise", "channel"}),
        ("POST", "/schemes", {"id": "x", "url": "y", "name": "z", "description": {"en": 1}}, {"name", "description"}),
        ("POST", "/schemes", [], {""}),
        ("POST", "/users", {"name": "x", "display_name": "x", "password": "p", "grants": [{"role": "king"}]}, {"grants.0.role"}),
        ("POST", "/users", {"name": "x", "display_name": "x", "password": "short"}, {"password"}),
        ("PUT", "/users/1/state", {"active": 1}, {"active"}),
        ("GET", "/audit?since=yesterday", None, {"since"}),
        ("GET", "/audit?limit=0", None, {"limit"}),
        ("GET", "/jobs?limit=x", None, {"limit"}),
        ("GET", "/requestors?state=odd", None, {"state"}),
        ("POST", "/requestors", {"name": "x", "details": {"organisation_id": "1"}}, {"details.organisation_id"}),
    ],
)
def test_input_that_does_not_fit_names_its_fields(refused_call: Call, method: str, path: str, body: object, fields: set[str]) -> None:
    status, error = refused_call(method, path, body)
    assert (status, error["error"]) == (422, "invalid_input")
    assert set(error["fields"]) == fields


@pytest.mark.parametrize(
    ("method", "path", "status", "name"),
    [
        ("GET", "/schemes/nothing", 404, "not_found"),
        ("GET", "/nothing", 404, "not_found"),
        ("PATCH", "/schemes", 404, "not_found"),
        ("GET", "/publications/99", 404, "not_found"),
        ("GET", "/jobs/99", 404, "not_found"),
        ("GET", "/users/99", 404, "not_found"),
        ("GET", "/issuer-keys/irma-demo.RU/1", 404, "not_found"),
        ("DELETE", "/tokens/99", 404, "not_found"),
        ("DELETE", "/schemes/irma-demo/drafts/d/documents/a%0Ab", 404, "not_found"),
    ],
)
def test_what_is_not_there(refused_call: Call, method: str, path: str, status: int, name: str) -> None:
    answer = refused_call(method, path)
    assert (answer[0], answer[1]["error"]) == (status, name)


def test_a_body_that_is_no_json_is_refused(client: FlaskClient, installation: Installation, noor: Actor) -> None:
    token = installation.services.accounts.create_api_token(noor, NewApiToken("x", ("scheme.import",))).secret
    answer = client.post("/api/v1/schemes/import", data=b"\xff{", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.get_json()["error"]) == (422, "invalid_input")


def test_a_token_does_no_more_than_it_was_made_for(call: Call, installation: Installation, noor: Actor, small_scheme: Path) -> None:
    token = installation.services.accounts.create_api_token(noor, NewApiToken("reader", ("scheme.view",))).secret
    call("POST", "/schemes/import", {"source": str(small_scheme)})
    assert call("GET", "/schemes/irma-demo", token=token)[0] == 200
    status, error = call("POST", "/schemes/irma-demo/publications", {}, token=token)
    assert (status, error["error"]) == (403, "permission_denied")
    assert call("POST", "/users/1/tokens", {"name": "more", "actions": ["user.edit"]}, token=token)[0] == 403


def test_accounts_are_looked_after(call: Call, installation: Installation, noor: Actor) -> None:
    grants = [{"role": "auditor", "scope": "*"}]
    status, user = call("POST", "/users", {"name": "bram", "display_name": "Bram", "password": PASSWORD, "grants": grants})
    assert (status, user["grants"]) == (201, grants)
    assert "password" not in user
    assert (
        call("PUT", f"/users/{user['id']}/grants", {"grants": [{"role": "signer", "scope": "scheme:x"}]})[1]["grants"][0]["role"]
        == "signer"
    )
    assert call("PUT", f"/users/{user['id']}/preferences", {"language": "nl", "theme": "dark"})[1]["theme"] == "dark"
    assert call("PUT", f"/users/{user['id']}/password", {"password": "another long password"})[0] == 204
    installation.services.accounts.log_in("bram", "another long password", address=None)
    log_ins = call("GET", f"/users/{user['id']}/log-ins")[1]
    assert call("DELETE", f"/log-ins/{log_ins[0]['id']}")[0] == 204
    assert call("PUT", f"/users/{user['id']}/state", {"active": False, "reason": "left"})[1]["is_active"] is False
    status, error = call("PUT", f"/users/{noor.user_id}/grants", {"grants": []})
    assert (status, error["error"]) == (409, "last_administrator")
    assert error["hint"]
    assert call("GET", "/account")[1]["name"] == "noor"
    assert [token["name"] for token in call("GET", f"/tokens?user={noor.user_id}")[1]] == ["all"]
    assert call("GET", "/audit/verification")[1]["holds"] is True
    assert call("GET", "/audit?action=user.create")[1][0]["object"] == "user:bram"


def test_logos_travel_as_base64(call: Call) -> None:
    text = {"en": "Demo X", "nl": "Demo X"}
    assert call("POST", "/schemes", {"id": "x-demo", "url": "https://x.example/", "name": text, "description": text})[0] == 201
    logo = base64.b64encode(b"no picture").decode()
    status, error = call("POST", "/schemes/x-demo/drafts/first-version/issuers", {"id": "x", "name": text, "logo": logo})
    assert (status, set(error["fields"])) == (422, {"logo"})
    status, error = call("POST", "/schemes/x-demo/drafts/first-version/issuers", {"id": "x", "name": text, "logo": "§"})
    assert (status, set(error["fields"])) == (422, {"logo"})


def test_no_answer_shows_a_secret_field() -> None:
    from console.accounts.models import ApiTokenInfo, LogInInfo, UserInfo
    from gateway.requestors.models import KeyInfo

    for kind in (UserInfo, LogInInfo, ApiTokenInfo, KeyInfo):
        assert is_dataclass(kind)
        assert not {"password", "password_hash", "token_hash", "secret", "cookie"} & {field.name for field in fields(kind)}


def test_grants_reach_through_the_token(installation: Installation, client: FlaskClient, noor: Actor, small_scheme: Path) -> None:
    accounts = installation.services.accounts
    accounts.create_user(noor, NewUser("lieke", "Lieke", PASSWORD, grants=(Grant(Role.SCHEME_MANAGER, "scheme:other"),)))
    lieke = accounts.log_in("lieke", PASSWORD, address=None).actor
    token = accounts.create_api_token(lieke, NewApiToken("x", ("scheme.view", "scheme.edit"))).secret
    header = {"Authorization": f"Bearer {token}"}
    assert client.get("/api/v1/schemes", headers=header).get_json() == []
    assert client.post("/api/v1/schemes/other/drafts", json={"title": "x"}, headers=header).status_code == 404
    assert client.post("/api/v1/schemes/third/drafts", json={"title": "x"}, headers=header).status_code == 403
