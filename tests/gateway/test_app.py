"""The application as a whole: its routes, start-up, changes of requestors while it runs, and what it never tells."""

import base64
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from flask import Blueprint, Response, request

from gateway.app import create_app
from gateway.background import Background
from gateway.config import ConfigurationError, GatewayConfig
from gateway.database import Database
from gateway.key_use import KeyUse
from gateway.models import AuthMethod
from gateway.permissions import Permissions
from gateway.requestors.models import NewKey, NewRequestor
from gateway.schemes import FixedSchemes
from gateway.sessions import SessionArchive
from idemix.clock import system_clock
from idemix.request import parse_session_request
from idemix.session.errors import NextSessionError
from tests.support.clock import START, SettableClock
from tests.support.factories.actors import ADMIN
from tests.support.factories.services import shared_services
from tests.support.gateways import CARD_VALUES, DISCLOSURE, ISSUANCE, SIGNATURE, TOKEN, TestGateway, irma_demo, signing_key_pem
from tests.support.processes import wait_until
from tests.support.requestor_server import RequestorServer

#: Every route, so that none vanishes or appears unnoticed.
ROUTES = {
    ("POST", "/session"),
    ("POST", "/session/"),
    ("DELETE", "/session/<token>"),
    ("DELETE", "/session/<token>/"),
    ("GET", "/session/<token>/status"),
    ("GET", "/session/<token>/statusevents"),
    ("GET", "/session/<token>/result"),
    ("GET", "/session/<token>/result-jwt"),
    ("GET", "/session/<token>/getproof"),
    ("GET", "/publickey"),
    ("POST", "/revocation"),
    ("GET", "/health"),
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
    ("GET", "/openapi.json"),
    ("GET", "/docs"),
    ("GET", "/docs/style.css"),
    ("GET", "/irma/session/<token>"),
    ("GET", "/irma/session/<token>/"),
    ("DELETE", "/irma/session/<token>"),
    ("DELETE", "/irma/session/<token>/"),
    ("POST", "/irma/session/<name>"),
    ("GET", "/irma/session/<token>/request"),
    ("POST", "/irma/session/<token>/proofs"),
    ("POST", "/irma/session/<token>/commitments"),
    ("GET", "/irma/session/<token>/status"),
    ("GET", "/irma/session/<token>/statusevents"),
    ("GET", "/irma/session/<token>/frontend/status"),
    ("GET", "/irma/session/<token>/frontend/statusevents"),
    ("POST", "/irma/session/<token>/frontend/options"),
    ("POST", "/irma/session/<token>/frontend/pairingcompleted"),
    ("GET", "/irma/revocation/<name>/update/<int:count>"),
    ("GET", "/irma/revocation/<name>/update/<int:count>/<int:key_counter>"),
    ("GET", "/irma/revocation/<name>/events/<int:key_counter>/<int:start>/<int:stop>"),
    ("GET", "/irma/revocation/<name>/updateevents"),
    ("POST", "/irma/revocation/<name>/issuancerecord/<int:key_counter>"),
}


def test_routes(gateway: TestGateway) -> None:
    found = {
        (method, rule.rule)
        for rule in gateway.app.url_map.iter_rules()
        for method in rule.methods or ()
        if method not in ("HEAD", "OPTIONS")
    }
    assert found == ROUTES


def test_every_requestor_endpoint_without_token_in_its_path_is_authenticated_or_public(gateway: TestGateway) -> None:
    public = {"/publickey", "/health", "/health/live", "/health/ready", "/openapi.json", "/docs", "/docs/style.css"}
    for method, path in ROUTES:
        if "<" in path or path in public:
            continue
        response = gateway.client.open(path, method=method, data=b"{}", headers={"Content-Type": "application/json"})
        assert (response.status_code, response.get_json()["message"]) == (400, "request could not be authenticated")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"requestors": {}}, "No requestors configured"),
        ({"jwt_privkey": "garbage"}, "jwt_privkey: the key cannot be read"),
        ({"jwt_privkey_file": "/nowhere.pem"}, "jwt_privkey_file: the key cannot be read"),
        ({"requestors": {"a": {"auth_method": "publickey", "key": "x"}}}, "the key of requestor a cannot be used: it is not PEM"),
        ({"requestors": {"a": {"auth_method": "fax", "key": "x"}}}, "unsupported authentication type fax"),
        ({"static_sessions": {"x": {"request": {}}}}, "static_sessions.x"),
        ({"static_sessions": {"x": {"request": ISSUANCE, "callbackUrl": "https://x"}}}, "must be a disclosure or signature session"),
        ({"static_sessions": {"x": {"request": DISCLOSURE}}}, "needs callbackUrl or nextSession.url"),
        ({"sign_perms": ["nowhere.*"]}, "Global signing permission 'nowhere.*': unknown scheme"),
    ],
)
def test_start_up_names_what_is_wrong(make_gateway: Callable[..., TestGateway], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make_gateway(**options)
    assert message in str(caught.value)


def test_all_faults_at_start_are_told_together(make_gateway: Callable[..., TestGateway]) -> None:
    faults = {
        "requestors": {"a": {"auth_method": "token"}, "b": {"auth_method": "hmac", "key": "!", "disclose_perms": ["x"]}},
        "jwt_privkey": "garbage",
    }
    with pytest.raises(ConfigurationError) as caught:
        make_gateway(**faults)
    assert [problem.option for problem in caught.value.problems] == [
        "requestors.a.key",
        "requestors.b.key",
        "jwt_privkey",
        "requestors.b.permissions",
        "requestors.b.permissions",
    ]


def test_open_issuing_in_production_is_refused_only_for_real_schemes(make_gateway: Callable[..., TestGateway]) -> None:
    # The private keys of irma-demo are public, so that nothing is lost.
    make_gateway(production=True, no_auth=True, requestors={}, issue_perms=["*"])


@pytest.fixture
def managed(sqlite_database: Database) -> Iterator[tuple[TestGateway, Any, str]]:
    """A gateway whose requestors are in a database, with the services and the token of one of them."""
    services = shared_services(sqlite_database, clock=system_clock)
    services.requestors.create(ADMIN, NewRequestor("webshop"))
    services.requestors.activate(ADMIN, "webshop")
    token = services.requestors.add_key(ADMIN, "webshop", NewKey(AuthMethod.TOKEN)).secret
    services.requestors.set_permissions(ADMIN, "webshop", Permissions(disclose=("irma-demo.RU.*",)))
    config = GatewayConfig(url="https://gateway.example/irma/")
    app = create_app(
        config,
        schemes=FixedSchemes(irma_demo()),
        requestors=services.requestors,
        changes=services.changes,
        archive=services.archive,
        background=False,
    )
    services.changes.start()
    yield TestGateway(app, SettableClock(), app.test_client()), services, token
    services.changes.stop()
    app.extensions["gateway"].close()


def test_a_change_of_a_requestor_takes_effect_without_a_restart(managed: tuple[TestGateway, Any, str]) -> None:
    gateway, services, token = managed
    answers: list[int] = []

    def answers_with(status: int) -> Callable[[], bool]:
        def ask() -> bool:
            answers.append(gateway.post(DISCLOSURE, token).status_code)
            return answers[-1] == status

        return ask

    assert answers_with(200)()
    services.requestors.set_permissions(ADMIN, "webshop", Permissions(disclose=("pbdf.*",)))
    wait_until(answers_with(403), "the permission to be gone")
    services.requestors.set_permissions(ADMIN, "webshop", Permissions(disclose=("*",)))
    wait_until(answers_with(200), "the permission to be back")
    services.requestors.suspend(ADMIN, "webshop", reason="test")
    wait_until(answers_with(403), "the requestor to be suspended")
    assert set(answers) == {200, 403}


@pytest.mark.feature("D3.1")
@pytest.mark.feature("D3.2")
def test_two_keys_at_once_and_their_last_use(managed: tuple[TestGateway, Any, str]) -> None:
    gateway, services, old = managed
    created = services.requestors.add_key(ADMIN, "webshop", NewKey(AuthMethod.TOKEN))
    wait_until(lambda: gateway.post(DISCLOSURE, created.secret).status_code == 200, "the new key to be known")
    assert gateway.post(DISCLOSURE, old).status_code == 200
    first, second = services.requestors.get(ADMIN, "webshop").keys
    services.requestors.revoke_key(ADMIN, "webshop", first.id)
    wait_until(lambda: gateway.post(DISCLOSURE, old).status_code == 403, "the old key to be revoked")
    assert gateway.post(DISCLOSURE, created.secret).status_code == 200
    assert gateway.gateway.key_use is not None
    gateway.gateway.key_use.write()
    times = {key.id: key.last_used_at for key in services.requestors.get(ADMIN, "webshop").keys}
    assert times[first.id] is not None
    assert times[second.id] is not None


def test_a_suspended_requestor_gets_no_next_session(managed: tuple[TestGateway, Any, str], requestor_server: RequestorServer) -> None:
    gateway, services, _ = managed
    sessions = gateway.gateway.sessions
    package = sessions.start(parse_session_request({"nextSession": {"url": requestor_server.url}, "request": DISCLOSURE}), "webshop")
    services.requestors.suspend(ADMIN, "webshop", reason="test")
    services.changes.check()
    session = gateway.gateway.store.get_by_requestor_token(package.token)
    with pytest.raises(NextSessionError, match="the requestor is not active"):
        sessions._require_permitted_next(session, parse_session_request(DISCLOSURE))


def test_uses_that_cannot_be_written_are_kept(clock: SettableClock) -> None:
    written: list[dict[int, Any]] = []
    fails = [True]

    def write(used: Any) -> None:
        if fails.pop() if fails else False:
            raise OSError("away")
        written.append(dict(used))

    use = KeyUse(clock, write)
    use.note(0)
    use.note(7)
    use.write_if_due()
    clock.advance(seconds=10)
    with pytest.raises(OSError, match="away"):
        use.write_if_due()
    use.write()
    use.write()
    assert written == [{7: START}]


def test_a_failing_function_does_not_stop_the_others() -> None:
    called: list[str] = []

    def fails() -> None:
        called.append("fails")
        raise RuntimeError("broken")

    background = Background(fails, lambda: called.append("works"))
    background.start()
    wait_until(lambda: called.count("works") >= 2, "the second call")
    background.stop()
    background.stop()
    assert called.count("fails") >= 2


class _Recorder(SessionArchive):
    def __init__(self) -> None:
        self.seen: list[str] = []

    def request_refused(self, requestor_name: str, request: Any, decision: Any) -> None:
        self.seen.append(f"refused {decision.subject}")

    def session_started(self, session: Any) -> None:
        self.seen.append(f"started {session.status.value}")

    def session_changed(self, session: Any) -> None:
        self.seen.append(session.status.value)


def test_the_archive_hears_of_every_status(make_gateway: Callable[..., TestGateway]) -> None:
    archive = _Recorder()
    gateway = make_gateway({"archive": archive})
    gateway.phone().answer(gateway.start(ISSUANCE)["sessionPtr"])
    assert archive.seen == ["started INITIALIZED", "CONNECTED", "DONE"]


def test_logs_tell_no_value_and_no_token(make_gateway: Callable[..., TestGateway], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with structlog.testing.capture_logs() as logs:
        gateway = make_gateway(jwt_privkey=signing_key_pem())
        phone = gateway.phone()
        packages = [gateway.start(request) for request in (ISSUANCE, DISCLOSURE, SIGNATURE)]
        for package in packages:
            phone.answer(package["sessionPtr"])
            gateway.result(package)
        gateway.post({**ISSUANCE, "credentials": [{**ISSUANCE["credentials"][0], "attributes": {"nope": "canary-value"}}]})  # type: ignore[index, dict-item]
        gateway.post(DISCLOSURE, "canary-token")
        phone.post(packages[0]["sessionPtr"], "commitments", b"canary-body")
        gateway.gateway.close()
    told = json.dumps(logs, default=str) + caplog.text
    secrets = [*CARD_VALUES.values(), TOKEN, "canary", "I agree", phone.authorization]
    secrets += [package["token"] for package in packages] + [package["frontendRequest"]["authorization"] for package in packages]
    for secret in secrets:
        if len(secret) < 5:
            continue
        forms = (
            secret,
            secret.encode().hex(),
            base64.b64encode(secret.encode()).decode().rstrip("="),
            str(int.from_bytes(secret.encode(), "big")),
        )
        assert not [form for form in forms if form in told], secret


def test_an_unexpected_error_leaves_without_details(make_gateway: Callable[..., TestGateway], monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = make_gateway()

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("canary")

    monkeypatch.setattr(type(gateway.gateway.sessions), "judge_request", broken)
    with structlog.testing.capture_logs() as logs:
        response = gateway.post(DISCLOSURE)
    assert (response.status_code, response.get_json()) == (
        500,
        {"status": 500, "error": "INTERNAL_ERROR", "description": "Internal server error"},
    )
    assert [entry["error"] for entry in logs if entry["event"] == "request.failed"] == ["RuntimeError"]
    assert "canary" not in json.dumps(logs, default=str).replace('raise RuntimeError(\\"canary\\")', "")


@pytest.mark.parametrize("has_own_hooks", [False, True])
def test_hooks_of_a_blueprint_are_called_too(gateway: TestGateway, has_own_hooks: bool) -> None:
    app = type(gateway.app)(__name__)
    blueprint = Blueprint("one", __name__)
    blueprint.add_url_rule("/one", view_func=lambda: "seen")
    blueprint.before_request(lambda: "refused" if request.args else None)
    blueprint.after_request(lambda response: Response(response.get_data() + b", in short"))
    app.register_blueprint(blueprint)
    if has_own_hooks:
        app.before_request(lambda: None)
        app.after_request(lambda response: response)
    client = app.test_client()
    assert [client.get(path).data for path in ("/one", "/one?more")] == [b"seen, in short", b"refused, in short"]
