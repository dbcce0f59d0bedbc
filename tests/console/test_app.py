"""Routes, authentication, CSRF and headers over the whole surface of the console."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from console.app import BLUEPRINTS, TEMPLATES, create_app
from console.authentication import requires_log_in, requires_no_auth
from console.schemes.models import NewScheme
from console.security_headers import CONTENT_SECURITY_POLICY
from console.services import Services
from gateway.actor import Grant, Role, system_actor
from gateway.models import Organisation
from gateway.requestors.models import NewRequestor, RequestorDetails
from tests.console.conftest import NOW
from tests.console.pages import PASSWORD, csrf_token, make_user, signed_in

ROUTES = Path(__file__).with_name("routes.txt")

#: Values for the parts of addresses; none of these exist.
PARTS = {
    "commit": "0" * 40,
    "scheme_id": "absent",
    "issuer": "RU",
    "credential_type": "card",
    "draft": "draft",
    "path": "logo.png",
    "issuer_id": "absent.RU",
    "counter": "1",
    "publication_id": "1",
    "name": "nobody",
    "key_id": "1",
    "log_in_id": "99",
    "digest": "0",
    "filename": "x",
}

#: What everybody who is signed in may post: it is about that person alone, or about nothing.
OWN = {"accounts.sign_in", "accounts.sign_out", "accounts.account"}


@pytest.fixture
def app(services: Services) -> Flask:
    """The console's application."""
    make_user(services, "admin", Grant(Role.ADMIN))
    make_user(services, "auditor", Grant(Role.AUDITOR))
    return create_app(services)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Somebody who is not signed in."""
    return app.test_client()


def pages(app: Flask, method: str) -> Iterator[tuple[str, str]]:
    """Endpoint and an address of every route of the pages that takes a method."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("api.") or method not in (rule.methods or ()):
            continue
        yield rule.endpoint, re.sub(r"<(?:\w+:)?(\w+)>", lambda part: PARTS[part[1]], rule.rule)


def test_no_route_vanished_or_came_unnoticed(app: Flask) -> None:
    routes = sorted(
        f"{' '.join(sorted((rule.methods or set()) - {'HEAD', 'OPTIONS'}))} {rule.rule} {rule.endpoint}"
        for rule in app.url_map.iter_rules()
        if not rule.endpoint.startswith("api.")
    )
    assert routes == ROUTES.read_text().splitlines(), "routes changed: write the new list to tests/console/routes.txt"


def test_every_blueprint_names_its_authentication(app: Flask) -> None:
    assert set(app.blueprints) == {blueprint.name for blueprint in BLUEPRINTS} | {"bootstrap"}


def test_every_page_demands_a_log_in(app: Flask, client: FlaskClient) -> None:
    open_blueprints = {blueprint.name for blueprint, check in BLUEPRINTS.items() if check is requires_no_auth} | {"bootstrap"}
    closed = {blueprint.name for blueprint, check in BLUEPRINTS.items() if check is requires_log_in}
    asked = 0
    for endpoint, path in pages(app, "GET"):
        blueprint = endpoint.partition(".")[0]
        if endpoint in ("static", "accounts.sign_in") or blueprint in open_blueprints:
            continue
        assert blueprint in closed
        answer = client.get(path)
        assert answer.status_code == 302, path
        assert answer.location.startswith("/sign-in"), path
        asked += 1
    assert asked > 20


def test_every_post_demands_a_log_in(app: Flask, client: FlaskClient) -> None:
    token = csrf_token(client)
    for endpoint, path in pages(app, "POST"):
        if endpoint != "accounts.sign_in" and not endpoint.startswith("preferences."):
            answer = client.post(path, data={"csrf_token": token})
            assert (answer.status_code, answer.location.partition("?")[0]) == (302, "/sign-in"), path


def test_every_post_demands_a_csrf_token(app: Flask) -> None:
    client = signed_in(app, "admin")
    for _, path in pages(app, "POST"):
        answer = client.post(path, data={"name": "admin", "password": PASSWORD})
        assert answer.status_code == 400, path
        assert "This form is too old" in answer.text, path


def test_reading_is_all_that_an_auditor_may_do(app: Flask) -> None:
    client = signed_in(app, "auditor")
    token = csrf_token(client, "/account")
    refused = {}
    for endpoint, path in pages(app, "POST"):
        if endpoint in OWN or endpoint.startswith("preferences."):
            continue
        data = {
            "csrf_token": token,
            "name": "x",
            "source": "/nowhere",
            "channel": "demo",
            "method": "token",
            "request": "{}",
            "reason": "x",
        }
        refused[endpoint] = client.post(path, data=data).status_code
    # Where the object is absent the service may say so first; nothing is ever done.
    assert {endpoint: status for endpoint, status in refused.items() if status not in (403, 404)} == {}
    assert refused["schemes.import_scheme"] == refused["requestors.new_requestor"] == 403


def test_every_form_of_every_page_carries_a_csrf_token() -> None:
    posting = 0
    for template in TEMPLATES.rglob("*.html"):
        for form in re.findall(r"<form.*?</form>", template.read_text(), re.DOTALL):
            if 'method="post"' in form:
                assert "csrf_token" in form or "hidden_tag" in form, template
                posting += 1
    assert posting > 5


@pytest.mark.parametrize("path", ["/sign-in", "/", "/static/js/theme.js", "/absent", "/api/v1/schemes"])
def test_every_answer_carries_the_security_headers(client: FlaskClient, path: str) -> None:
    with client.get(path) as answer:
        headers = answer.headers
    assert headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"


def test_the_policy_is_the_agreed_one() -> None:
    assert CONTENT_SECURITY_POLICY == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def test_pages_are_not_kept_by_caches_and_the_style_sheet_is(client: FlaskClient) -> None:
    page = client.get("/sign-in")
    assert page.headers["Cache-Control"] == "no-store"
    address = re.search(r'href="(/style/[0-9a-f]{16}\.css)"', page.text)
    assert address
    sheet = client.get(address[1])
    assert "immutable" in sheet.headers["Cache-Control"]
    assert "--ih-canvas" in sheet.text
    assert client.get("/style/0123456789abcdef.css").status_code == 404


def test_the_cookie_of_a_log_in_is_closed_to_scripts(app: Flask) -> None:
    client = app.test_client()
    answer = client.post("/sign-in", data={"csrf_token": csrf_token(client), "name": "admin", "password": PASSWORD})
    cookie = next(value for value in answer.headers.getlist("Set-Cookie") if value.startswith("irmahub="))
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_a_failed_sign_in_says_so_at_the_field_and_changes_nothing(app: Flask, client: FlaskClient) -> None:
    answer = client.post("/sign-in", data={"csrf_token": csrf_token(client), "name": "admin", "password": "wrong"})
    assert answer.status_code == 401
    assert "Name and password do not match." in answer.text
    assert client.get("/").status_code == 302


@pytest.mark.parametrize(
    "target", ["//evil.example/", "https://evil.example/", "/\\evil.example", "evil", "/\t/evil.example", "/\n/[", "/\u202e/x"]
)
def test_signing_in_goes_on_only_within_the_site(app: Flask, client: FlaskClient, target: str) -> None:
    answer = client.post(
        "/sign-in", query_string={"next": target}, data={"csrf_token": csrf_token(client), "name": "admin", "password": PASSWORD}
    )
    assert answer.location == "/"


def test_signing_in_goes_on_to_the_page_that_was_asked(app: Flask, client: FlaskClient) -> None:
    assert client.get("/keys/?state=issuing").location == "/sign-in?next=/keys/?state%3Dissuing"
    answer = client.post(
        "/sign-in",
        query_string={"next": "/keys/?state=issuing"},
        data={"csrf_token": csrf_token(client), "name": "admin", "password": PASSWORD},
    )
    assert answer.location == "/keys/?state=issuing"


def test_a_log_in_that_was_revoked_is_over_at_once(app: Flask) -> None:
    here, there = signed_in(app, "admin"), signed_in(app, "admin")
    number = re.search(r'action="/account/log-ins/(\d+)/end"', here.get("/account").text)
    assert number
    here.post(f"/account/log-ins/{number[1]}/end", data={"csrf_token": csrf_token(here, "/account")})
    assert there.get("/").status_code == 302
    assert here.get("/").status_code == 200


def test_signing_out_ends_the_log_in(app: Flask) -> None:
    client = signed_in(app, "admin")
    client.post("/sign-out", data={"csrf_token": csrf_token(client, "/account")})
    assert client.get("/").status_code == 302


def test_what_services_refuse_is_told_where_a_page_expects_no_refusal(app: Flask, services: Services) -> None:
    services.schemes.create(
        system_actor("tests"), NewScheme("new", "https://new.example/new", {"en": "Demo N", "nl": "Demo N"}, {"en": "N", "nl": "N"})
    )
    client = signed_in(app, "admin")
    data = {"csrf_token": csrf_token(client, "/account"), "reason": "x", "typed": "first-version"}
    answer = client.post("/schemes/new/drafts/first-version/discard", data=data)
    assert answer.status_code == 409
    assert "this draft is all there is of it" in answer.text
    assert [draft.name for draft in services.schemes.drafts(system_actor("tests"), "new")] == ["first-version"]


def test_an_administrator_of_requestors_of_one_organisation_opens_their_pages(app: Flask, services: Services) -> None:
    services.database.write(lambda session: session.add(Organisation(id=7, name="Zeedam", created_at=NOW)))
    services.requestors.create(system_actor("tests"), NewRequestor("library", RequestorDetails(organisation_id=7)))
    make_user(services, "saar", Grant(Role.REQUESTOR_ADMIN, "organisation:7"))
    client = signed_in(app, "saar")
    assert client.get("/requestors/library").status_code == 200
    asked = {"csrf_token": csrf_token(client, "/account"), "request": "{}"}
    assert client.post("/requestors/library/explain", data=asked).status_code == 422


def test_an_unknown_error_is_told_without_details(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    client = signed_in(app, "admin")

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the secret mimosa leaked")

    monkeypatch.setattr("console.home.views.overview_of", fail)
    answer = client.get("/")
    assert answer.status_code == 500
    assert "Something went wrong on our side" in answer.text
    assert "mimosa" not in answer.text
    assert "RuntimeError" not in answer.text


def test_the_language_of_a_page_is_the_chosen_one(app: Flask, client: FlaskClient) -> None:
    assert '<html lang="en"' in client.get("/sign-in").text
    assert '<html lang="nl"' in client.get("/sign-in", headers={"Accept-Language": "nl"}).text
    client.post("/preferences/language", data={"csrf_token": csrf_token(client), "language": "nl", "next": "/sign-in"})
    assert "Aanmelden" in client.get("/sign-in").text
    assert 'lang="en">' in client.get("/sign-in").text


def test_the_theme_is_rendered_by_the_server_once_chosen(app: Flask, client: FlaskClient) -> None:
    assert "data-theme-chosen" not in client.get("/sign-in").text
    client.post("/preferences/theme", data={"csrf_token": csrf_token(client), "theme": "dark", "next": "/sign-in"})
    assert 'data-bs-theme="dark" data-theme-chosen' in client.get("/sign-in").text
    client.post("/preferences/theme", data={"csrf_token": csrf_token(client), "theme": "system", "next": "/sign-in"})
    assert "data-theme-chosen" not in client.get("/sign-in").text
