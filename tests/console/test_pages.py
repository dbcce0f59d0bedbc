"""What pages say to bad input: the field and the rule, and nothing has changed."""

import shutil
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from console.app import create_app
from console.services import Services
from gateway.actor import Grant, Role, system_actor
from gateway.requestors.models import NewRequestor
from tests.console.pages import csrf_token, make_user, signed_in


@pytest.fixture
def app(services: Services) -> Flask:
    """The console's application, with an administrator."""
    make_user(services, "admin", Grant(Role.ADMIN))
    return create_app(services)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """The administrator, signed in."""
    return signed_in(app, "admin")


def post(client: FlaskClient, path: str, **fields: str) -> tuple[int, str]:
    """Send a form; give status and page."""
    answer = client.post(path, data={"csrf_token": csrf_token(client, "/account"), **fields})
    return answer.status_code, answer.text


@pytest.fixture
def writable_scheme(small_scheme: Path, tmp_path: Path) -> Path:
    """A copy of the small scheme that a test may spoil."""
    copy = tmp_path / "copies" / "irma-demo"
    shutil.copytree(small_scheme, copy)
    for path in (copy, *copy.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return copy


def import_scheme(client: FlaskClient, source: object, **fields: str) -> tuple[int, str]:
    """Import from a directory."""
    return post(client, "/schemes/import", source=str(source), channel="demo", **fields)


def test_an_import_without_source_is_refused_at_its_field(client: FlaskClient, services: Services) -> None:
    status, page = import_scheme(client, "")
    assert status == 422
    assert 'aria-invalid="true"' in page
    assert 'href="#source"' in page
    assert services.schemes.list(system_actor("tests")) == ()


def test_an_import_from_nowhere_is_refused_at_its_field(client: FlaskClient) -> None:
    status, page = import_scheme(client, "/does/not/exist")
    assert status == 422
    assert 'id="source-error"' in page


def test_an_import_with_a_changed_byte_tells_the_file_and_keeps_nothing(
    client: FlaskClient, services: Services, writable_scheme: Path
) -> None:
    changed = writable_scheme / "RU" / "description.xml"
    changed.write_bytes(changed.read_bytes().replace(b"Demo", b"Dem0", 1))
    status, page = import_scheme(client, writable_scheme)
    assert status == 422
    assert "RU/description.xml" in page
    assert services.schemes.list(system_actor("tests")) == ()


def test_an_import_with_an_unknown_channel_or_a_key_that_is_none_is_refused_at_the_field(client: FlaskClient, small_scheme: Path) -> None:
    status, page = post(client, "/schemes/import", source=str(small_scheme), channel="other")
    assert (status, "Not a valid choice." in page) == (422, True)
    status, page = import_scheme(client, small_scheme, public_key="no key")
    assert (status, "Must be a PEM public key (ECDSA)." in page) == (422, True)


def test_a_second_import_of_a_scheme_is_refused(client: FlaskClient, small_scheme: Path) -> None:
    assert import_scheme(client, small_scheme)[0] == 302
    status, page = import_scheme(client, small_scheme)
    assert status == 422
    assert "Scheme irma-demo is here already." in page


def test_a_logo_is_served_and_other_files_are_not(client: FlaskClient, small_scheme: Path) -> None:
    import_scheme(client, small_scheme)
    logo = client.get("/schemes/irma-demo/pictures/RU/logo.png")
    assert (logo.status_code, logo.mimetype) == (200, "image/png")
    for path in ("description.xml", "RU/PrivateKeys/0.xml", "../../kek", "RU/absent.png"):
        assert client.get(f"/schemes/irma-demo/pictures/{path}").status_code == 404


def test_a_key_with_bases_that_are_no_number_or_too_few_is_refused_at_the_field(client: FlaskClient, small_scheme: Path) -> None:
    import_scheme(client, small_scheme)
    status, page = post(client, "/keys/irma-demo.RU/generate", bases="many")
    assert (status, "Give a whole number, or leave it empty." in page) == (422, True)
    status, page = post(client, "/keys/irma-demo.RU/generate", bases="1")
    assert (status, 'id="bases-error"' in page) == (422, True)


def test_a_step_of_the_rotation_that_is_closed_says_why(client: FlaskClient, small_scheme: Path) -> None:
    import_scheme(client, small_scheme)
    answer = client.post("/keys/irma-demo.RU/9/activate", data={"csrf_token": csrf_token(client, "/account")})
    assert answer.status_code == 404


def test_a_requestor_without_name_or_with_a_taken_one_is_refused_at_the_field(client: FlaskClient, services: Services) -> None:
    status, page = post(client, "/requestors/new", name="")
    assert (status, "Must be given." in page) == (422, True)
    services.requestors.create(system_actor("tests"), NewRequestor("desk"))
    status, page = post(client, "/requestors/new", name="desk")
    assert (status, "Is the name of another requestor." in page) == (422, True)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"method": "publickey", "material": ""}, "Must be given: the PEM or JWK of a public key."),
        ({"method": "publickey", "material": "-----BEGIN"}, "Must be the PEM or JWK of an RSA key"),
        ({"method": "other"}, "Not a valid choice."),
        ({"method": "token", "expires_at": "yesterday"}, "Not a valid date value."),
        ({"method": "token", "expires_at": "2020-01-01"}, "Must lie in the future."),
    ],
)
def test_a_key_that_cannot_be_is_refused_at_the_field(client: FlaskClient, services: Services, fields: dict[str, str], words: str) -> None:
    services.requestors.create(system_actor("tests"), NewRequestor("desk"))
    status, page = post(client, "/requestors/desk/keys/add", **fields)
    assert (status, words in page) == (422, True)
    assert services.requestors.get(system_actor("tests"), "desk").keys == ()


@pytest.mark.feature("D4.2")
def test_a_token_is_shown_once_and_on_no_page_after(client: FlaskClient, services: Services) -> None:
    services.requestors.create(system_actor("tests"), NewRequestor("desk"))
    status, page = post(client, "/requestors/desk/keys/add", method="token", label="front")
    assert status == 200
    token = page.partition('id="secret-value">')[2].partition("</output>")[0]
    assert len(token) >= 43
    for path in ("/requestors/desk", "/requestors/", "/audit/", "/"):
        assert token not in client.get(path).text


def test_permissions_that_somebody_changed_meanwhile_are_not_overwritten(
    client: FlaskClient, services: Services, small_scheme: Path
) -> None:
    import_scheme(client, small_scheme)
    services.requestors.create(system_actor("tests"), NewRequestor("desk"))
    version = services.requestors.get(system_actor("tests"), "desk").version
    assert post(client, "/requestors/desk/permissions", disclose="irma-demo.*", version=str(version))[0] == 302
    status, page = post(client, "/requestors/desk/permissions", disclose="irma-demo.RU.*", version=str(version))
    assert status == 422
    assert "Somebody changed this requestor meanwhile." in page
    assert services.requestors.get(system_actor("tests"), "desk").permissions.disclose == ("irma-demo.*",)


def test_a_pattern_that_breaks_the_form_is_refused_at_its_kind(client: FlaskClient, services: Services) -> None:
    services.requestors.create(system_actor("tests"), NewRequestor("desk"))
    status, page = post(client, "/requestors/desk/permissions", disclose="a.*.b")
    assert status == 422
    assert 'id="disclose-error"' in page


def test_a_suspension_needs_a_reason(client: FlaskClient, services: Services) -> None:
    services.requestors.create(system_actor("tests"), NewRequestor("desk"))
    services.requestors.activate(system_actor("tests"), "desk")
    post(client, "/requestors/desk/suspend", reason="")
    assert services.requestors.get(system_actor("tests"), "desk").state.value == "active"
    assert 'class="ih-note ih-bad"' in client.get("/requestors/desk").text


def test_a_pasted_text_that_is_no_request_is_refused_at_the_field(client: FlaskClient, services: Services) -> None:
    services.requestors.create(system_actor("tests"), NewRequestor("desk"))
    status, page = post(client, "/requestors/desk/explain", request="hello")
    assert (status, "neither JSON nor a JWT" in page) == (422, True)


def test_a_password_that_is_too_short_or_not_the_present_one_is_refused_at_the_field(client: FlaskClient) -> None:
    status, page = post(client, "/account", current="wrong", new="short")
    assert status == 422
    assert 'id="current-error"' in page or 'id="new-error"' in page


def test_texts_of_services_are_dutch_on_dutch_pages(client: FlaskClient) -> None:
    client.post("/preferences/language", data={"csrf_token": csrf_token(client, "/account"), "language": "nl", "next": "/"})
    status, page = post(client, "/requestors/new", name="")
    assert (status, "Moet worden ingevuld." in page) == (422, True)
