"""Limits, constraints, replays and suspension through the requestor API, with sessions in memory and in Redis."""

import base64
import hmac
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import OKPAlgorithm
from werkzeug.test import TestResponse

from gateway.addresses import WITH_PRIVATE
from gateway.database import Database
from gateway.models import AuthMethod
from gateway.outbound import OutboundClient
from gateway.permissions import Permissions
from gateway.requestors.constraints import AllowedKeys, AllowedValues, Constraints
from gateway.requestors.limits import Hours, Limits
from gateway.requestors.models import NewKey, NewRequestor
from gateway.services import SharedServices
from gateway.stores.memory import MemoryStore
from gateway.stores.redis import RedisStore
from idemix.request import IssuanceRequest
from tests.support.clock import START, SettableClock
from tests.support.factories.actors import ADMIN
from tests.support.factories.services import shared_services
from tests.support.gateways import CARD, CARD_VALUES, DISCLOSURE, ISSUANCE, TestGateway, irma_demo, signing_key_pem
from tests.support.processes import wait_until
from tests.support.redis import RedisServer, running_redis
from tests.support.requestor_server import RequestorServer
from tests.support.sessions import FULL_NAME
from tests.support.web_server import Page, client_tls, running_web_server, server_tls

EVERYTHING = Permissions(disclose=("*",), sign=("*",), issue=("*",))
NOW = int(START.timestamp())


class Shop:
    """A gateway with a requestor of the database, `webshop`."""

    def __init__(self, gateway: TestGateway, services: SharedServices, token: str) -> None:
        self.gateway, self.services, self.token = gateway, services, token

    def ask(self, request: Any = DISCLOSURE, *, address: str = "192.0.2.1") -> TestResponse:
        environment = {"REMOTE_ADDR": address}
        return self.gateway.client.post("/session", json=request, headers={"Authorization": self.token}, environ_overrides=environment)

    def send(self, token: str, path: str = "/session") -> TestResponse:
        return self.gateway.client.post(path, data=token, content_type="text/plain")

    def limit(self, **limits: Any) -> None:
        self.services.requestors.set_limits(ADMIN, "webshop", Limits(**limits))
        self.services.changes.check()

    def constrain(self, **constraints: Any) -> None:
        self.services.requestors.set_constraints(ADMIN, "webshop", Constraints(**constraints))
        self.services.changes.check()

    def status(self, package: Any) -> str:
        found: str = self.gateway.get(package, "status").get_json()
        return found


@pytest.fixture(params=["memory", "redis"])
def shop(request: pytest.FixtureRequest, sqlite_database: Database, make_gateway: Callable[..., TestGateway], clock: SettableClock) -> Shop:
    if request.param == "memory":
        store: Any = MemoryStore(clock)
    else:
        server: RedisServer = request.getfixturevalue("redis_server")
        server.client().flushall()
        store = RedisStore(server.client(), clock)
    return make_shop(sqlite_database, make_gateway, clock, store)


def make_shop(database: Database, make_gateway: Callable[..., TestGateway], clock: SettableClock, store: Any, **more: Any) -> Shop:
    services = shared_services(database, clock=clock, configuration=irma_demo)
    services.requestors.create(ADMIN, NewRequestor("webshop"))
    created = services.requestors.add_key(ADMIN, "webshop", NewKey(AuthMethod.TOKEN))
    services.requestors.set_permissions(ADMIN, "webshop", EVERYTHING)
    services.requestors.activate(ADMIN, "webshop")
    parts = {"requestors": services.requestors, "changes": services.changes, "store": store, "archive": services.archive} | more
    gateway = make_gateway(parts, requestors={}, jwt_privkey=signing_key_pem())
    services.changes.check()
    assert created.secret is not None
    return Shop(gateway, services, created.secret)


def too_many(response: TestResponse) -> tuple[str, str]:
    """The limit and the header of a refusal for that."""
    body = response.get_json()
    assert (response.status_code, body["status"], body["error"]) == (429, 429, "TOO_MANY_REQUESTS")
    assert body["description"] == "Too many requests"
    return body["message"].partition(":")[0], response.headers["Retry-After"]


def forbidden(response: TestResponse) -> str:
    body = response.get_json()
    assert (response.status_code, body["error"]) == (403, "UNAUTHORIZED")
    message: str = body["message"]
    return message


@pytest.mark.feature("D13.1")
@pytest.mark.feature("D13.2")
def test_rate_quota_and_running_sessions(shop: Shop, clock: SettableClock) -> None:
    shop.limit(rate_per_minute=6, burst=2)
    assert [shop.ask().status_code for _ in range(2)] == [200, 200]
    assert too_many(shop.ask()) == ("rate_per_minute", "10")
    clock.advance(seconds=10)
    assert shop.ask().status_code == 200
    shop.limit(sessions_per_day=1)
    assert shop.ask().status_code == 200
    limit, retry_after = too_many(shop.ask())
    assert (limit, 0 < int(retry_after) <= 12 * 3600) == ("sessions_per_day", True)
    shop.limit(concurrent_sessions=5)
    package = shop.ask().get_json()
    assert too_many(shop.ask()) == ("concurrent_sessions", "5")
    shop.gateway.client.delete(f"/session/{package['token']}")
    assert shop.ask().status_code == 200
    # A request that is refused uses nothing up. (The bucket of the old rate is not full before.)
    clock.advance(seconds=60)
    shop.limit(rate_per_minute=1, burst=1, concurrent_sessions=9, sessions_per_day=2)
    assert shop.ask({"@context": "nonsense"}).status_code == 400
    assert shop.ask(DISCLOSURE | {"disclose": [[["irma-demo.RU.nothing.there"]]]}).status_code == 400
    assert shop.ask().status_code == 200
    assert too_many(shop.ask())[0] == "rate_per_minute"


@pytest.mark.feature("D13.1")
def test_source_addresses_and_hours(shop: Shop, clock: SettableClock) -> None:
    shop.limit(addresses=("192.0.2.0/28", "2001:db8::/64"))
    assert [shop.ask(address=address).status_code for address in ("192.0.2.15", "2001:db8::9", "::ffff:192.0.2.1")] == [200] * 3
    for address in ("192.0.2.16", "2001:db9::9"):
        assert forbidden(shop.ask(address=address)) == "the requestor may not ask from this source address"
    day = f"{clock():%A}".lower()
    shop.limit(hours=(Hours((day,), "14:00", "15:00"),), time_zone="Europe/Amsterdam")
    assert forbidden(shop.ask()) == "the requestor may not ask at this time of the week (time zone Europe/Amsterdam)"
    clock.advance(seconds=3600)
    assert shop.ask().status_code == 200
    clock.advance(seconds=3600)
    assert shop.ask().status_code == 403


def test_another_requestor_has_limits_of_its_own(shop: Shop) -> None:
    shop.services.requestors.create(ADMIN, NewRequestor("other"))
    other = shop.services.requestors.add_key(ADMIN, "other", NewKey(AuthMethod.TOKEN)).secret
    shop.services.requestors.set_permissions(ADMIN, "other", EVERYTHING)
    shop.services.requestors.activate(ADMIN, "other")
    shop.limit(rate_per_minute=1, concurrent_sessions=1, sessions_per_day=1)
    assert [shop.ask().status_code for _ in range(2)] == [200, 429]
    assert other is not None
    assert [shop.gateway.post(DISCLOSURE, other).status_code for _ in range(3)] == [200] * 3


@pytest.mark.feature("D13.1")
def test_usage_reaches_the_database_in_batches(shop: Shop, clock: SettableClock) -> None:
    assert shop.ask().status_code == 200
    assert shop.ask(ISSUANCE).status_code == 200
    shop.limit(concurrent_sessions=2)
    assert shop.ask().status_code == 429
    shop.limit(addresses=("198.51.100.1",))
    assert shop.ask().status_code == 403
    today = clock().date()
    assert shop.services.requestors.usage(ADMIN, "webshop", today, today) == ()
    shop.gateway.gateway.close()
    counts = {one.action: (one.started, one.refused, one.limited) for one in shop.services.requestors.usage(ADMIN, "webshop", today, today)}
    assert counts == {"disclosing": (1, 1, 1), "issuing": (1, 0, 0)}


def test_without_redis_nothing_is_started(
    sqlite_database: Database, make_gateway: Callable[..., TestGateway], clock: SettableClock
) -> None:
    with running_redis() as server:
        shop = make_shop(sqlite_database, make_gateway, clock, RedisStore(server.client(), clock))
        shop.limit(rate_per_minute=100)
        assert shop.ask().status_code == 200
        server.stop()
        response = shop.ask()
        assert (response.status_code in (500, 503), response.get_json()["error"]) == (True, "INTERNAL_ERROR")
        server.start()
        wait_until(lambda: shop.ask().status_code == 200, "sessions to be started again")


@pytest.mark.feature("D14")
def test_constraints_are_asked_after_permissions(shop: Shop) -> None:
    level = f"{CARD}.level"
    shop.constrain(
        asked_values=(AllowedValues(level, ("42",)),),
        issued_values=(AllowedValues(level, ("42",)),),
        callback_urls=("https://shop.example/*",),
        next_session_urls=(),
        client_return_urls=("https://shop.example/done",),
        may_skip_expiry=False,
        longest_validity_days=30,
    )
    good = DISCLOSURE | {"disclose": [[[{"type": level, "value": "42"}]]]}
    month = int((START + timedelta(days=30)).timestamp())
    issuing = {"@context": ISSUANCE["@context"], "credentials": [{"credential": CARD, "attributes": CARD_VALUES, "validity": month}]}
    for request in (
        good | {"clientReturnUrl": "https://shop.example/done"},
        {"callbackUrl": "https://shop.example/x", "request": good},
        issuing,
    ):
        assert shop.ask(request).status_code == 200, request
    beginnings = {
        f"disclose[0][0][0]: {level} may be asked only": DISCLOSURE,
        "callbackUrl: the address": {"callbackUrl": "https://evil.example/", "request": good},
        "nextSession.url: the address": {"nextSession": {"url": "https://shop.example/"}, "request": good},
        "clientReturnUrl: the address": good | {"clientReturnUrl": "https://shop.example/done?"},
        "skipExpiryCheck: the requestor": good | {"skipExpiryCheck": [CARD]},
        "credentials[0].validity: the requestor": ISSUANCE,
        f"credentials[0].attributes: {level} may be issued only": {
            "@context": ISSUANCE["@context"],
            "credentials": [{"credential": CARD, "attributes": CARD_VALUES | {"level": "canary-43"}, "validity": month}],
        },
    }
    for beginning, request in beginnings.items():
        message = forbidden(shop.ask(request))
        assert message.startswith(beginning)
        assert "canary" not in message
    shop.services.requestors.set_permissions(ADMIN, "webshop", Permissions())
    shop.services.changes.check()
    assert "message" not in shop.ask(DISCLOSURE).get_json()  # the reference's answer, which has no text here
    shop.services.archive.flush()
    kept = [record.error for record in shop.services.archive.records(ADMIN) if record.status == "REFUSED"]
    assert len(kept) == 8
    assert f"constraints.asked_values {level}"[:64] in kept


@pytest.mark.feature("E4")
def test_the_next_session_of_a_chain_is_checked_as_its_requestor(shop: Shop, requestor_server: RequestorServer) -> None:
    """GHSA-pv8v-c99h-c5q4: a requestor must not get by a chain what it may not ask by itself."""
    shop.services.requestors.set_permissions(ADMIN, "webshop", Permissions(issue=(CARD,), disclose=(f"{CARD}.level",)))
    shop.constrain(callback_urls=())
    phone = shop.gateway.phone()
    phone.answer(shop.ask(ISSUANCE).get_json()["sessionPtr"])
    chain = {"nextSession": {"url": requestor_server.url}, "request": DISCLOSURE}

    def following(request: Any) -> Any:
        requestor_server.answer = json.dumps(request).encode()
        package = shop.ask(chain).get_json()
        answer = phone.answer(package["sessionPtr"])
        return shop.gateway.result(package), answer

    root = {"credential": "irma-demo.MijnOverheid.root", "attributes": {"BSN": "1"}}
    for refused in (
        DISCLOSURE | {"disclose": [[[f"{CARD}.university"]]]},
        {"@context": ISSUANCE["@context"], "credentials": [root]},
        {"@context": "https://irma.app/ld/request/signature/v2", "message": "m", "disclose": [[[f"{CARD}.level"]]]},
        DISCLOSURE | {"host": "evil.example"},
        # Neither what a constraint refuses.
        {"callbackUrl": "https://evil.example/", "request": DISCLOSURE},
    ):
        result, _ = following(refused)
        assert "nextSession" not in result, refused
        assert result["status"] == "CONNECTED"
    result, _ = following(DISCLOSURE)
    assert (result["status"], bool(result["nextSession"])) == ("DONE", True)


class Signer:
    """Signs requests as the webshop with a new HMAC secret."""

    def __init__(self, shop: Shop) -> None:
        created = shop.services.requestors.add_key(ADMIN, "webshop", NewKey(AuthMethod.HMAC))
        shop.services.changes.check()
        self._secret = base64.b64decode(created.secret or "")

    def __call__(self, **claims: Any) -> str:
        whole = {"iss": "webshop", "iat": NOW, "sub": "verification_request", "sprequest": {"request": DISCLOSURE}} | claims
        return jwt.encode(whole, self._secret, algorithm="HS256")


@pytest.mark.feature("E3")
def test_a_request_is_accepted_once_in_the_window(shop: Shop, clock: SettableClock) -> None:
    sign = Signer(shop)
    assert [shop.send(sign(jti="1")).status_code for _ in range(2)] == [200, 200]  # as irma server
    shop.limit(replay_window_seconds=600)
    assert shop.send(sign(jti="1")).status_code == 200
    refusal = forbidden(shop.send(sign(jti="1")))
    assert "jti" in refusal
    # Another token of the same name is the same request; without a name the whole body counts.
    assert shop.send(sign(jti="1", sprequest={"request": DISCLOSURE, "validity": 5})).status_code == 403
    assert shop.send(sign(jti="2")).status_code == 200
    assert shop.send(sign()).status_code == 200
    assert shop.send(sign()).status_code == 403
    assert shop.send(sign(sprequest={"request": DISCLOSURE, "validity": 5})).status_code == 200
    assert [shop.ask(DISCLOSURE | {"clientReturnUrl": "https://x.example/"}).status_code for _ in range(2)] == [200, 403]
    # What was refused for another reason may come again.
    refused = sign(jti="3", sprequest={"request": DISCLOSURE | {"disclose": [[["irma-demo.RU.nothing.there"]]]}})
    assert [shop.send(refused).status_code for _ in range(2)] == [400, 400]
    shop.services.requestors.set_permissions(ADMIN, "webshop", Permissions())
    shop.services.changes.check()
    assert shop.send(sign(jti="4")).status_code == 403
    shop.services.requestors.set_permissions(ADMIN, "webshop", EVERYTHING)
    shop.services.changes.check()
    assert shop.send(sign(jti="4")).status_code == 200


@pytest.mark.feature("E2.1")
@pytest.mark.feature("E2.2")
def test_keys_of_other_algorithms_and_their_names(shop: Shop) -> None:
    keys: dict[str, Any] = {"ES256": ec.generate_private_key(ec.SECP256R1()), "EdDSA": ed25519.Ed25519PrivateKey.generate()}
    claims = {"iss": "webshop", "iat": NOW, "sub": "verification_request", "sprequest": {"request": DISCLOSURE}}
    pems = {name: key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo) for name, key in keys.items()}
    for name, pem in pems.items():
        shop.services.requestors.add_key(ADMIN, "webshop", NewKey(AuthMethod.PUBLICKEY, pem.decode(), kid=f"key-{name}"))
    shop.services.changes.check()
    for name, key in keys.items():
        for headers in (None, {"kid": "webshop"}, {"kid": f"key-{name}"}):
            assert shop.send(jwt.encode(claims, key, algorithm=name, headers=headers)).status_code == 200, (name, headers)
        other = "EdDSA" if name == "ES256" else "ES256"
        assert shop.send(jwt.encode(claims, key, algorithm=name, headers={"kid": f"key-{other}"})).status_code == 400
        # The public key as an HMAC secret.
        head, body, _ = jwt.encode(claims, "x" * 32, algorithm="HS256", headers={"kid": f"key-{name}"}).split(".")
        forged = base64.urlsafe_b64encode(hmac.digest(pems[name], f"{head}.{body}".encode(), "sha256")).rstrip(b"=").decode()
        assert shop.send(f"{head}.{body}.{forged}").status_code == 400
        none = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
        assert shop.send(f"{none}.{body}.").status_code == 400


@pytest.mark.feature("D4.6")
def test_keys_that_the_requestor_publishes(
    sqlite_database: Database, make_gateway: Callable[..., TestGateway], clock: SettableClock, tmp_path: Path
) -> None:
    """By PEM, by JWK, and by the address of a set, which is fetched when a JWT names a key in it."""
    pem_key, jwk_key, published = (ed25519.Ed25519PrivateKey.generate() for _ in range(3))
    jwk = json.loads(OKPAlgorithm.to_jwk(jwk_key.public_key())) | {"kid": "as-jwk"}
    outbound = OutboundClient(WITH_PRIVATE, ssl_context=client_tls("localhost"))
    with running_web_server(server_tls("localhost", tmp_path)) as server:
        server.pages["/jwks"] = Page(
            json.dumps({"keys": [json.loads(OKPAlgorithm.to_jwk(published.public_key())) | {"kid": "in-set"}]}).encode()
        )
        shop = make_shop(sqlite_database, make_gateway, clock, MemoryStore(clock), outbound=outbound)
        pem = pem_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        for new in (
            NewKey(AuthMethod.PUBLICKEY, pem, kid="as-pem"),
            NewKey(AuthMethod.PUBLICKEY, json.dumps(jwk)),
            NewKey(AuthMethod.PUBLICKEY, jwks_url=f"https://localhost:{server.port}/jwks"),
        ):
            shop.services.requestors.add_key(ADMIN, "webshop", new)
        shop.services.changes.check()
        claims = {"iss": "webshop", "iat": NOW, "sub": "verification_request", "sprequest": {"request": DISCLOSURE}}
        for key, kid in ((pem_key, "as-pem"), (jwk_key, "as-jwk"), (published, "in-set")):
            assert shop.send(jwt.encode(claims, key, algorithm="EdDSA", headers={"kid": kid})).status_code == 200, kid
        for key, kid in ((pem_key, "as-jwk"), (jwk_key, "in-set"), (published, "no-such")):
            assert shop.send(jwt.encode(claims, key, algorithm="EdDSA", headers={"kid": kid})).status_code == 400, kid
        assert server.paths() == ["/jwks"]
        shop.services.requestors.revoke_key(ADMIN, "webshop", shop.services.requestors.get(ADMIN, "webshop").keys[-1].id)
        shop.services.changes.check()
        assert shop.send(jwt.encode(claims, published, algorithm="EdDSA", headers={"kid": "in-set"})).status_code == 400
    outbound.close()


@pytest.mark.feature("E2.3")
def test_the_clock_skew_is_a_setting(make_gateway: Callable[..., TestGateway]) -> None:
    requestors = {"shop": {"auth_method": "hmac", "key": "c2VjcmV0IG9mIHRoaXJ0eS10d28gYnl0ZXMuLi4uLi4=", "disclose_perms": ["*"]}}
    claims = {"iss": "shop", "iat": NOW + 30, "sub": "verification_request", "sprequest": {"request": DISCLOSURE}}
    token = jwt.encode(claims, b"secret of thirty-two bytes......", algorithm="HS256")
    for skew, status in ((0, 400), (29, 400), (30, 200)):
        gateway = make_gateway(requestors=requestors, clock_skew=skew)
        assert gateway.client.post("/session", data=token, content_type="text/plain").status_code == status


@pytest.mark.feature("D15.1")
@pytest.mark.feature("D15.2")
@pytest.mark.feature("D15.3")
def test_a_suspension_cancels_what_runs(shop: Shop, requestor_server: RequestorServer) -> None:
    shop.services.requestors.create(ADMIN, NewRequestor("other"))
    other = shop.services.requestors.add_key(ADMIN, "other", NewKey(AuthMethod.TOKEN)).secret
    shop.services.requestors.set_permissions(ADMIN, "other", EVERYTHING)
    shop.services.requestors.activate(ADMIN, "other")
    shop.services.changes.check()
    waiting = shop.ask({"callbackUrl": f"{requestor_server.url}done", "request": DISCLOSURE}).get_json()
    finished = shop.ask(ISSUANCE).get_json()
    shop.gateway.phone().answer(finished["sessionPtr"])
    assert other is not None
    foreign = shop.gateway.post(DISCLOSURE, other).get_json()
    with structlog.testing.capture_logs() as logs:
        shop.services.requestors.suspend(ADMIN, "webshop", reason="the key leaked")
        shop.services.changes.check()
    assert [shop.status(package) for package in (waiting, finished, foreign)] == ["CANCELLED", "DONE", "INITIALIZED"]
    assert shop.ask().status_code == 403
    told = [entry for entry in logs if entry["event"] == "suspension.sessions_cancelled"]
    assert [(entry["requestor"], entry["sessions"], entry["reason"]) for entry in told] == [("webshop", 1, "the key leaked")]
    entry = next(entry for entry in shop.services.audit.entries(ADMIN) if entry.action == "requestor.suspend" and entry.reason)
    assert (entry.object, entry.reason) == ("requestor:webshop", "the key leaked")
    shop.gateway.gateway.close()
    assert [call.path for call in requestor_server.calls] == ["/done/"]
    shop.services.archive.flush()
    assert {record.status for record in shop.services.archive.records(ADMIN, requestor_name="webshop")} == {"CANCELLED", "DONE"}


def test_a_request_under_way_at_a_suspension_starts_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = shop.gateway.gateway.sessions
    judged = type(sessions).judge_request

    def suspend_then_judge(self: Any, *arguments: Any, **more: Any) -> Any:
        verdict = judged(self, *arguments, **more)
        shop.services.requestors.suspend(ADMIN, "webshop", reason="test")
        shop.services.changes.check()
        return verdict

    monkeypatch.setattr(type(sessions), "judge_request", suspend_then_judge)
    assert forbidden(shop.ask()) == "the requestor is not active any more"
    assert shop.gateway.gateway.store.running("webshop") == []


def test_a_suspension_while_redis_is_away_is_made_up_for(
    sqlite_database: Database, make_gateway: Callable[..., TestGateway], clock: SettableClock
) -> None:
    with running_redis() as server:
        store = RedisStore(server.client(), clock)
        shop = make_shop(sqlite_database, make_gateway, clock, store)
        package = shop.ask().get_json()
        server.freeze()
        shop.services.requestors.suspend(ADMIN, "webshop", reason="test")
        shop.services.changes.check()
        assert shop.ask().status_code == 403
        server.thaw()
        shop.services.changes._seen = {}
        shop.services.changes.check()
        assert shop.status(package) == "CANCELLED"


@pytest.mark.feature("E13")
def test_a_requestor_may_be_bound_to_an_issuer_key(shop: Shop) -> None:
    request = {"@context": ISSUANCE["@context"], "credentials": [FULL_NAME]}
    # Keys 1 and 2 of this issuer can sign; 0 has expired.
    for counters, chosen in (((1,), 1), ((2,), 2), ((1, 2), 2), ((1, 9), 1)):
        shop.constrain(issuer_keys=(AllowedKeys("irma-demo.MijnOverheid", counters),))
        package = shop.ask(request).get_json()
        session = shop.gateway.gateway.store.get_by_requestor_token(package["token"])
        assert isinstance(session.request.request, IssuanceRequest)
        assert [credential.key_counter for credential in session.request.request.credentials] == [chosen]
        assert shop.gateway.phone().answer(package["sessionPtr"])
        assert shop.status(package) == "DONE"
    for counters, words in (((9,), "issuer private key not found"), ((0,), "expired public key")):
        shop.constrain(issuer_keys=(AllowedKeys("irma-demo.MijnOverheid", counters),))
        response = shop.ask(request)
        assert (response.status_code, response.get_json()["error"]) == (400, "INVALID_REQUEST")
        assert words in response.get_json()["message"]
    assert shop.ask(ISSUANCE).status_code == 200
