"""`irmahub gateway`: real processes, started from configurations of irma server."""

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from gateway.configuration_text import dump
from gateway.options import KINDS
from irmahub.cli import command_line
from tests.support.certificates import server_certificate
from tests.support.gateways import CARD, DISCLOSURE, signing_key_pem
from tests.support.processes import free_port, wait_until
from tests.support.redis import running_redis
from tests.support.shared import shared

TOKEN = "a-token-of-a-requestor-0123456789"
#: The keys of specification `requestor-api.md`, section 7.
SECTION_7 = """
schemes_path schemes_assets_path schemes_update privkeys url port listen_addr client_port client_listen_addr api_prefix
tls_cert tls_cert_file tls_privkey tls_privkey_file client_tls_cert client_tls_cert_file client_tls_privkey client_tls_privkey_file
no_tls no_auth requestors disclose_perms sign_perms issue_perms revoke_perms skip_private_keys_check static_sessions static_path
static_prefix max_session_lifetime session_result_lifetime jwt_issuer jwt_privkey jwt_privkey_file max_request_age
allow_unsigned_callbacks augment_client_return_url sse store_type redis_addr redis_sentinel_addrs redis_sentinel_master_name
redis_username redis_pw redis_sentinel_username redis_sentinel_pw redis_db redis_allow_empty_password
redis_accept_inconsistency_risk redis_acl_use_key_prefixes redis_tls_cert redis_tls_cert_file redis_tls_client_cert_file
redis_tls_client_key_file redis_no_tls revocation_db_type revocation_db_str revocation_settings sdjwtvc_issuer_certificates_dir
sdjwtvc_issuer_private_keys_dir verbose quiet log_json production email no_email
""".split()  # noqa: SIM905 - sixty names read better so


@pytest.fixture
def schemes(tmp_path: Path) -> Path:
    """A folder with the scheme irma-demo."""
    shutil.copytree(shared("schemes", "mutant-base", "irma-demo"), tmp_path / "schemes" / "irma-demo")
    return tmp_path / "schemes"


@contextmanager
def running(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None, url: str, verify: Any = True) -> Iterator[Path]:
    """A gateway that answers at an address; gives its log."""
    log = folder / "log"
    command = [sys.executable, "-m", "irmahub", "gateway", *arguments]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("IRMASERVER_", "IRMAHUB_"))}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env=clean | {"IRMASERVER_SCHEMES_UPDATE": "0"} | dict(environment or {}),
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
        )

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return httpx.get(f"{url}health", verify=verify).status_code == 200
        except httpx.TransportError:
            return False

    try:
        wait_until(answers, "the gateway to answer", seconds=60)
        yield log
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, log.read_text()


def trusting(certificate: str) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=certificate)


@pytest.mark.feature("J3")
@pytest.mark.parametrize("ending", ["json", "toml", "yaml"])
def test_a_configuration_with_every_key_starts_the_gateway(ending: str, tmp_path: Path, schemes: Path) -> None:
    main, apps = server_certificate("main.test"), server_certificate("apps.test")
    files = {"main.crt": main.certificate, "main.key": main.key, "jwt.pem": signing_key_pem(), "site/index.html": "<h1>Door</h1>"}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    keys = tmp_path / "keys"
    keys.mkdir()
    shutil.copy(next((schemes / "irma-demo" / "MijnOverheid" / "PrivateKeys").glob("*.xml")), keys / "irma-demo.MijnOverheid.xml")
    port, client_port = free_port(), free_port()
    with running_redis() as redis:
        options: dict[str, Any] = {
            "schemes_path": str(tmp_path / "used"),
            "schemes_assets_path": str(schemes),
            "schemes_update": 0,
            "privkeys": str(keys),
            "url": "https://localhost:port/api",
            "port": port,
            "listen_addr": "127.0.0.1",
            "client_port": client_port,
            "client_listen_addr": "127.0.0.1",
            "api_prefix": "/api",
            "tls_cert": "",
            "tls_cert_file": str(tmp_path / "main.crt"),
            "tls_privkey": "",
            "tls_privkey_file": str(tmp_path / "main.key"),
            "client_tls_cert": apps.certificate,
            "client_tls_cert_file": "",
            "client_tls_privkey": apps.key,
            "client_tls_privkey_file": "",
            "no_tls": False,
            "no_auth": False,
            "requestors": {
                "WebShop": {
                    "auth_method": "token",
                    "key": TOKEN,
                    "disclose_perms": ["irma-demo.*"],
                    "sign_perms": [],
                    "issue_perms": [f"{CARD}"],
                    "revoke_perms": [],
                    "host_perms": [f"localhost:{client_port}"],
                }
            },
            "disclose_perms": [],
            "sign_perms": ["*"],
            "issue_perms": [],
            "revoke_perms": [],
            "skip_private_keys_check": False,
            "static_sessions": {"Door": {"callbackUrl": "https://door.example/cb", "request": DISCLOSURE}},
            "static_path": str(tmp_path / "site"),
            "static_prefix": "/site",
            "max_session_lifetime": 10,
            "session_result_lifetime": 3,
            "jwt_issuer": "gateway-of-the-test",
            "jwt_privkey": "",
            "jwt_privkey_file": str(tmp_path / "jwt.pem"),
            "max_request_age": 60,
            "allow_unsigned_callbacks": False,
            "augment_client_return_url": True,
            "sse": True,
            "store_type": "redis",
            "redis_addr": f"127.0.0.1:{redis.port}",
            "redis_sentinel_addrs": [],
            "redis_sentinel_master_name": "",
            "redis_username": "",
            "redis_pw": "",
            "redis_sentinel_username": "",
            "redis_sentinel_pw": "",
            "redis_db": 3,
            "redis_allow_empty_password": True,
            "redis_accept_inconsistency_risk": False,
            "redis_acl_use_key_prefixes": False,
            "redis_tls_cert": "",
            "redis_tls_cert_file": "",
            "redis_tls_client_cert_file": "",
            "redis_tls_client_key_file": "",
            "redis_no_tls": True,
            "revocation_db_type": "",
            "revocation_db_str": "",
            "revocation_settings": {"irma-demo.MijnOverheid.root": {"tolerance": 600, "sse": False}},
            "sdjwtvc_issuer_certificates_dir": "",
            "sdjwtvc_issuer_private_keys_dir": "",
            "verbose": 1,
            "quiet": False,
            "log_json": True,
            "production": True,
            "email": "admin@example.org",
            "no_email": True,
        }
        assert list(options) == SECTION_7
        file = tmp_path / f"irmaserver.{ending}"
        file.write_text(dump(options, ending))
        base, app_base = f"https://localhost:{port}/api/", f"https://localhost:{client_port}/api/"
        tls, app_tls = no_names(main.certificate), no_names(apps.certificate)
        with running(tmp_path, "--config", str(file), url=base, verify=tls) as log, httpx.Client(verify=tls) as backend:
            package = backend.post(f"{base}session", json=DISCLOSURE, headers={"Authorization": TOKEN}).json()
            pointer = package["sessionPtr"]["u"]
            assert pointer.startswith(f"{app_base}irma/session/")
            with httpx.Client(verify=app_tls) as app:
                versions = {"X-IRMA-MinProtocolVersion": "2.8", "X-IRMA-MaxProtocolVersion": "2.8", "Authorization": "x"}
                assert "disclose" in app.get(pointer, headers=versions).text
                assert app.get(f"{app_base}site/").text == "<h1>Door</h1>"
                assert app.post(f"{app_base}irma/session/door").status_code == 200
                # Each listener has its own endpoints only.
                assert app.post(f"{app_base}session", json=DISCLOSURE, headers={"Authorization": TOKEN}).status_code == 404
                assert app.get(f"{app_base}health").status_code == 404
            assert backend.get(f"{base}site/").status_code == 404
            assert backend.get(f"{base}irma/session/{pointer.rpartition('/')[2]}").status_code == 404
            result = backend.get(f"{base}session/{package['token']}/result-jwt").text
            claims = httpx.Response(200, content=_decoded(result.split(".")[1])).json()
            assert claims["iss"] == "gateway-of-the-test"
            assert redis.client().dbsize() == 0  # database 3 holds the sessions
            text = log.read_text()
        entries = [json.loads(line) for line in text.splitlines()]
        notes = {entry["option"] for entry in entries if entry["event"] == "config.note"}
        assert {"email", "no_email"} <= notes
        for secret in (main.key, apps.key, signing_key_pem()):
            assert not any(line in text for line in secret.splitlines()[1:-1])
        assert TOKEN not in text


def test_the_test_has_every_key() -> None:
    assert set(SECTION_7) <= set(KINDS)
    ours = {"host_perms", "timestamp_keys", "callback_url_slash", "clock_skew", "trusted_proxies", "outbound_allow"}
    assert set(KINDS) - set(SECTION_7) == ours


def no_names(certificate: str) -> ssl.SSLContext:
    """A client that demands this certificate, under whatever name."""
    context = trusting(certificate)
    context.check_hostname = False
    return context


def _decoded(part: str) -> bytes:
    import base64

    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@pytest.mark.feature("J3")
def test_a_flag_goes_before_a_variable_and_that_before_the_file_that_is_found(tmp_path: Path, schemes: Path) -> None:
    ports = [free_port() for _ in range(3)]
    options = {"schemes_path": str(schemes), "listen_addr": "127.0.0.1", "port": ports[0], "no_tls": True, "jwt_issuer": "file"}
    (tmp_path / "irmaserver.toml").write_text(dump(options, "toml"))
    environment = {"IRMASERVER_PORT": str(ports[1]), "IRMASERVER_JWT_ISSUER": "variable"}
    url = f"http://127.0.0.1:{ports[2]}/"
    with running(tmp_path, "-p", str(ports[2]), "--no-auth", "--production=false", environment=environment, url=url):
        assert httpx.post(f"{url}session", json=DISCLOSURE).status_code == 200


def test_several_workers_share_what_redis_holds(tmp_path: Path, schemes: Path) -> None:
    port = free_port()
    url = f"https://localhost:{port}/"
    made = server_certificate()
    requestors = {"shop": {"auth_method": "token", "key": TOKEN}}
    with running_redis() as redis:
        arguments = ["-s", str(schemes), "-l", "127.0.0.1", "-p", str(port), "--workers", "2", "--requestors", json.dumps(requestors)]
        arguments += ["--no-auth=false", "--store-type", "redis", "--redis-addr", f"127.0.0.1:{redis.port}", "--redis-no-tls"]
        arguments += ["--redis-allow-empty-password", "--tls-cert", made.certificate, "--tls-privkey", made.key]
        verify = trusting(made.certificate)
        with running(tmp_path, *arguments, url=url, verify=verify):
            for _ in range(6):
                package = httpx.post(f"{url}session", json=DISCLOSURE, headers={"Authorization": TOKEN}, verify=verify).json()
                assert httpx.get(f"{url}session/{package['token']}/status", verify=verify).json() == "INITIALIZED"


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_versions_of_tls_are_refused(tmp_path: Path, schemes: Path) -> None:
    port = free_port()
    made = server_certificate()
    arguments = ["--schemes-path", str(schemes), "-l", "127.0.0.1", "-p", str(port), "--url", "http://localhost:port"]
    arguments += ["--tls-cert", made.certificate, "--tls-privkey", made.key]
    with running(tmp_path, *arguments, url=f"https://localhost:{port}/", verify=trusting(made.certificate)):
        package = httpx.post(f"https://localhost:{port}/session", json=DISCLOSURE, verify=trusting(made.certificate)).json()
        assert package["sessionPtr"]["u"].startswith(f"https://localhost:{port}/irma/session/")
        seen = []
        for version in (ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = trusting(made.certificate)
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = version
            with socket.create_connection(("127.0.0.1", port)) as connection:
                try:
                    with context.wrap_socket(connection, server_hostname="localhost") as wrapped:
                        seen.append(wrapped.version())
                except ssl.SSLError:
                    seen.append(None)
        assert seen == [None, "TLSv1.2", "TLSv1.3"]


def test_a_client_that_does_not_get_on_is_hung_up_on(tmp_path: Path, schemes: Path) -> None:
    port = free_port()
    with running(tmp_path, "-s", str(schemes), "-l", "127.0.0.1", "-p", str(port), url=f"http://127.0.0.1:{port}/"):
        for begun in (b"", b"GET /health HT", b"POST /session HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"):
            with socket.create_connection(("127.0.0.1", port), 20) as connection:
                connection.sendall(begun)
                started = time.monotonic()
                answer = b""
                while part := connection.recv(4096):
                    answer += part
                assert 1.5 < time.monotonic() - started < 10
                assert answer[:12] == (b"HTTP/1.1 408" if b"abc" in begun else b"")
        # A connection that is kept alive is given the same time for each of its requests.
        with socket.create_connection(("127.0.0.1", port), 20) as connection:
            for _ in range(3):
                connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
                answer = connection.recv(4096)
                while not answer.endswith(b"OK"):
                    part = connection.recv(4096)
                    assert part, answer
                    answer += part
                assert answer.startswith(b"HTTP/1.1 200")
                time.sleep(1)


@pytest.fixture
def check(tmp_path: Path, schemes: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs `irmahub gateway check` on options of a file."""
    for name in os.environ:
        if name.startswith(("IRMASERVER_", "IRMAHUB_")):
            monkeypatch.delenv(name)

    def run(options: dict[str, Any], *arguments: str) -> tuple[int, dict[str, Any]]:
        file = tmp_path / "irmaserver.yaml"
        file.write_text(dump({"schemes_path": str(schemes)} | options, "yaml"))
        result = CliRunner().invoke(command_line, ["gateway", "check", "--config", str(file), "--json", *arguments])
        return result.exit_code, json.loads(result.stdout)

    return run


@pytest.mark.feature("J3")
def test_every_fault_is_told_at_once_with_its_name(check, tmp_path: Path) -> None:
    status, found = check(
        {
            "prot": 1,
            "port": 0,
            "sse": "yes",
            "no_auth": True,
            "client_listen_addr": "127.0.0.1",
            "tls_cert": "no pem",
            "tls_privkey": "no pem",
            "client_tls_cert_file": str(tmp_path / "none"),
            "jwt_privkey": "no pem",
            "privkeys": str(tmp_path / "none"),
            "static_path": str(tmp_path / "none"),
            "api_prefix": "api",
            "store_type": "redis",
            "requestors": {
                "a": {"auth_method": "magic", "key": "x"},
                "b": {"auth_method": "publickey", "key": "no pem", "disclose_perms": ["no-such.*"]},
                "c": {"auth_method": "token", "colour": "red"},
            },
            "static_sessions": {"door": {"request": {}}},
            "revocation_settings": {"irma-demo.none.none": {}, "irma-demo.MijnOverheid.root": {"tolerance": 5, "sse": "x", "y": 1}},
            "revocation_db_type": "mysql",
            "sdjwtvc_issuer_certificates_dir": "/srv",
            "trusted_proxies": ["nowhere"],
        },
        "--max-request-age=-1",
    )
    assert status == 1
    assert {problem["option"] for problem in found["problems"]} == {
        "prot",
        "port",
        "sse",
        "no_auth",
        "client_listen_addr",
        "tls_cert",
        "client_tls_cert",
        "client_tls_cert_file",
        "client_tls_privkey",
        "jwt_privkey",
        "privkeys",
        "static_path",
        "api_prefix",
        "redis_addr",
        "redis_pw",
        "requestors.a.auth_method",
        "requestors.b.key",
        "requestors.b.permissions",
        "requestors.c.key",
        "requestors.c.colour",
        "static_sessions.door",
        "revocation_settings.irma-demo.none.none",
        "revocation_settings.irma-demo.MijnOverheid.root.tolerance",
        "revocation_settings.irma-demo.MijnOverheid.root.sse",
        "revocation_settings.irma-demo.MijnOverheid.root.y",
        "revocation_db_type",
        "sdjwtvc_issuer_certificates_dir",
        "trusted_proxies",
        "max_request_age",
    }


def test_what_would_run_is_told(check) -> None:
    status, found = check({"email": "x@example.org", "production": True, "url": "https://irma.example", "api_prefix": "/api"}, "--no-auth")
    assert status == 0
    assert found["problems"] == []
    assert {note["option"] for note in found["notes"]} == {"email", "no_auth", "url"}
    assert found["origins"]["no_auth"] == "--no-auth"
    assert found["would_run"]["listeners"] == [{"address": "0.0.0.0:8088", "tls": False, "serves": "requestors and apps"}]
    assert found["would_run"]["schemes"] == ["irma-demo"]


def test_several_workers_need_redis(check) -> None:
    status, found = check({}, "--workers", "2")
    assert status == 1
    assert [problem["option"] for problem in found["problems"]] == ["store_type"]


def test_a_broken_configuration_starts_nothing(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        command_line, ["gateway", "--port", "0", "--sse=perhaps", "--schemes-path", str(tmp_path), "--schemes-update=0"]
    )
    assert result.exit_code == 1
    assert "port: Port must be between 1 and 65535 (was 0)" in result.stderr
    assert "sse: must be true or false (--sse)" in result.stderr
    assert CliRunner().invoke(command_line, ["gateway", "--sse", "check"]).exit_code == 2
    assert CliRunner().invoke(command_line, ["gateway", "chekc"]).exit_code == 2
