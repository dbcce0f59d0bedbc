"""Hostile input over the whole surface: whatever the address, the query or the body holds, the answer is a refusal and never a failure."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from console.accounts.models import NewApiToken
from console.app import create_app
from console.schemes.models import SchemeImport
from gateway.actor import Actor, Grant, Role, system_actor
from gateway.authorization import Action
from gateway.requestors.models import NewRequestor
from tests.console.conftest import Installation, MovingClock, make_installation
from tests.console.pages import PASSWORD, csrf_token, make_user, signed_in
from tests.support.shared import shared

SCHEME = "irma-demo"
#: Texts that somebody might put anywhere: traversal, NUL, right-to-left override, quotes, options of commands, a very long one.
TEXTS = ("../../etc/passwd", "a\x00b", "\u202e' OR 1=1 --", "--upload-pack=touch x", "x" * 5000)
NUMBERS = ("0", "99999999999999999999999999", "2147483648")


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite_file: Path) -> Iterator[Installation]:
    """One installation with a scheme and a requestor, which nothing here may change."""
    for made in make_installation(tmp_path_factory.mktemp("hostile"), migrated_sqlite_file, MovingClock()):
        actor = system_actor("tests")
        source = made.scheme_repository(shared("schemes", "mutant-base", "irma-demo"))
        made.services.schemes.import_scheme(actor, SchemeImport(str(source)))
        made.services.schemes.start_draft(actor, SCHEME, "Work", "work")
        made.services.requestors.create(actor, NewRequestor("webshop"))
        make_user(made.services, "admin", Grant(Role.ADMIN))
        yield made


@pytest.fixture(scope="module")
def app(installation: Installation) -> Flask:
    return create_app(installation.services, clock=installation.clock)


@pytest.fixture(scope="module")
def admin(app: Flask) -> FlaskClient:
    return signed_in(app, "admin")


@pytest.fixture(scope="module")
def bearer(installation: Installation) -> dict[str, str]:
    """The headers of a token that may do everything."""
    accounts = installation.services.accounts
    person: Actor = accounts.log_in("admin", PASSWORD, address=None).actor
    token = accounts.create_api_token(person, NewApiToken("all", tuple(action.value for action in Action)))
    return {"Authorization": f"Bearer {token.secret}"}


def addresses(app: Flask, method: str) -> Iterator[str]:
    """Every route with one of its parts hostile and the others such as exist."""
    parts = {"scheme_id": SCHEME, "issuer": "RU", "issuer_id": f"{SCHEME}.RU", "name": "webshop", "draft": "work", "counter": "1"}
    parts |= {"path": "RU%2fdescription.xml", "commit": "0" * 40}
    for rule in app.url_map.iter_rules():
        if method not in (rule.methods or ()) or rule.endpoint in ("accounts.sign_out", "api.nothing"):
            continue
        for hostile in rule.arguments:
            number = f"<int:{hostile}>" in rule.rule
            for value in NUMBERS if number else TEXTS:
                values = {argument: parts.get(argument, "1") for argument in rule.arguments} | {hostile: quoted(value)}
                yield re.sub(r"<(?:\w+:)?(\w+)>", lambda found, values=values: values[found[1]], rule.rule)


def quoted(value: str) -> str:
    return "".join(f"%{byte:02x}" for byte in value.encode())


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_no_part_of_an_address_makes_an_answer_fail(app: Flask, admin: FlaskClient, bearer: dict[str, str], method: str) -> None:
    token = csrf_token(admin, "/account")
    failed = []
    asked = 0
    for path in addresses(app, method):
        if path.startswith("/api/"):
            answer = admin.open(path, method=method, headers=bearer)
        else:
            answer = admin.open(path, method=method, data={"csrf_token": token, "reason": "x"} if method == "POST" else None)
        asked += 1
        if answer.status_code >= 500:
            failed.append((path[:80], answer.status_code))
        answer.close()
    assert asked > 5
    assert failed == []


def test_no_query_makes_an_answer_fail(app: Flask, admin: FlaskClient, bearer: dict[str, str]) -> None:
    names = ("q", "state", "after", "page", "draft", "scheme", "issuer", "limit", "before", "since", "until", "object", "action", "actor")
    names += ("next", "user", "unfinished", "commit", "version", "raw")
    pages = ("/", "/audit/", "/keys/", f"/keys/{SCHEME}.RU", "/requestors/", f"/schemes/{SCHEME}", f"/schemes/{SCHEME}/check", "/sign-in")
    pages += (f"/schemes/{SCHEME}/issuers/RU", f"/schemes/{SCHEME}/pictures/RU/logo.png", f"/schemes/{SCHEME}/drafts/work/changes")
    api = ("schemes", f"schemes/{SCHEME}", f"issuers/{SCHEME}.RU", f"issuers/{SCHEME}.RU/key-need", "publications", "issuer-keys")
    api += ("requestors", "jobs", "audit", "tokens", f"schemes/{SCHEME}/versions", f"schemes/{SCHEME}/files/RU/description.xml")
    api += (f"schemes/{SCHEME}/check", f"schemes/{SCHEME}/drafts/work/changes", f"schemes/{SCHEME}/versions/{'0' * 40}/changes")
    failed = []
    for path in (*pages, *(f"/api/v1/{name}" for name in api)):
        for value in (*TEXTS[1:3], NUMBERS[1]):
            for name in names:
                answer = admin.get(path, query_string={name: value}, headers=bearer)
                if answer.status_code >= 500:
                    failed.append((path, name, value, answer.status_code))
                answer.close()
    assert failed == []


WORK = f"/schemes/{SCHEME}/drafts/work"
BODIES: dict[str, tuple[str, dict[str, object]]] = {
    "/users": ("POST", {"name": "x", "display_name": "X", "password": PASSWORD, "email": "a@b.c"}),
    "/users/1/password": ("PUT", {"password": PASSWORD}),
    "/users/1/tokens": ("POST", {"name": "x", "actions": ["scheme.view"]}),
    "/users/1/state": ("PUT", {"active": True, "reason": "x"}),
    "/requestors": ("POST", {"name": "x", "details": {"contact": "x"}}),
    "/requestors/webshop/suspend": ("POST", {"reason": "x"}),
    "/requestors/webshop/keys": ("POST", {"method": "token", "label": "x", "material": "x"}),
    "/requestors/webshop/explain": ("POST", {"request": "x"}),
    "/requestors/webshop/limits": (
        "PUT",
        {"version": 1, "limits": {"addresses": ["x"], "time_zone": "x", "hours": [{"days": ["x"], "begin": "x", "end": "x"}]}},
    ),
    "/requestors/webshop/constraints": (
        "PUT",
        {
            "version": 1,
            "constraints": {"callback_urls": ["x"], "asked_values": [{"attribute": "x", "values": ["x"]}], "longest_validity_days": 1},
        },
    ),
    "/requestors/webshop/permissions": ("PUT", {"version": 1, "disclose": ["x"], "host": ["x"]}),
    f"/schemes/{SCHEME}/drafts": ("POST", {"title": "x", "name": "x"}),
    f"/schemes/{SCHEME}/publications": ("POST", {"draft": "x", "reason": "x"}),
    f"{WORK}/documents/RU/description.xml": (
        "PATCH",
        {
            "changes": {"name.en": "x", "url": "x", "x": "x"},
            "seen": "x",
            "decisions": {"name.en": "x"},
            "decided_on": "x",
        },
    ),
    f"{WORK}/documents/RU/Issues/studentCard/description.xml": (
        "PATCH",
        {"changes": {"attributes": ["x"], "languages": ["x"], "dependencies": [[["x"]]], "name.x": None, "singleton": "x"}},
    ),
    f"{WORK}/documents/RU/Issues/studentCard/description.xml/objects": ("POST", {"group": "attributes", "key": "a.b", "seen": "x"}),
    f"{WORK}/documents/RU/Issues/studentCard/description.xml/moves": ("POST", {"key": "x", "steps": 1, "seen": "x"}),
    f"{WORK}/logo/RU/description.xml": ("PUT", {"logo": "x"}),
    f"{WORK}/rebase": ("POST", {"decisions": ["x"], "head": "x", "published": "x"}),
    f"/schemes/{SCHEME}/versions/{'0' * 40}/restore": ("POST", {"title": "x", "deprecate": ["x"]}),
    "/schemes/import": ("POST", {"source": "x", "branch": "x", "public_key": "x", "public_url": "x", "remote": "x"}),
}


def variants(body: dict[str, object]) -> Iterator[dict[str, object]]:
    """A body with one of its texts hostile."""
    for name, value in body.items():
        for text in (*TEXTS, "\ud800", "\u202e"):
            if isinstance(value, dict):
                yield {**body, name: dict.fromkeys(value, text)}
                yield {**body, name: {text: text}}
                yield {**body, name: {key: [{text: [text]}, 10**30, 1.5, None] for key in value}}
            elif isinstance(value, list):
                yield {**body, name: [text]}
            elif isinstance(value, str):
                yield {**body, name: text}
        if type(value) is int:
            yield {**body, name: 10**30}


@pytest.mark.parametrize("path", BODIES)
def test_no_text_of_a_body_makes_the_api_fail(admin: FlaskClient, bearer: dict[str, str], path: str) -> None:
    method, body = BODIES[path]
    failed = []
    for variant in variants(body):
        answer = admin.open(f"/api/v1{path}", method=method, data=json.dumps(variant), content_type="application/json", headers=bearer)
        if answer.status_code >= 500 and answer.get_json()["error"] != "repository":
            failed.append((variant, answer.status_code))
    assert failed == []


@pytest.mark.parametrize(
    "body",
    ['{"changes": {"name.en": NaN}}', '{"changes": {"name.en": ' + "[" * 40 + "]" * 40 + "}}", "[" * 100_000, '{"x":' * 100_000],
    ids=["no number", "deep value", "deep list", "deep object"],
)
def test_no_depth_and_no_number_of_a_body_makes_the_api_fail(admin: FlaskClient, bearer: dict[str, str], body: str) -> None:
    path = f"/api/v1{WORK}/documents/RU/description.xml"
    answer = admin.patch(path, data=body, content_type="application/json", headers=bearer)
    assert (answer.status_code, answer.get_json()["error"]) == (422, "invalid_input")


@pytest.mark.parametrize(
    "address",
    ["https://[::1", "https://x:99999/", "/nowhere/" + "x" * 300, "https://exa\tmple.org/", "file://[", "/\x00", "https://\ud800.example/"],
)
def test_an_address_that_is_none_is_refused_at_its_field(admin: FlaskClient, bearer: dict[str, str], address: str) -> None:
    for field in ("source", "public_url", "remote"):
        source = {"source": "https://example.invalid/x.git"} | {field: address}
        answer = admin.post("/api/v1/schemes/import", data=json.dumps(source), content_type="application/json", headers=bearer)
        assert answer.status_code == 422, (field, answer.get_json(silent=True))
