"""Redis as operators run it: with TLS, with access lists, behind sentinels; by an address and by the options of irma server."""

import ipaddress
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from gateway.changes import Changes, Topic, announce
from gateway.config import GatewayConfig
from gateway.database import Database
from gateway.stores.base import StatusChange, StoreError
from gateway.stores.factory import open_store, redis_from_url
from gateway.stores.redis import RedisStore
from idemix.session.status import Status
from tests.support.clock import SettableClock
from tests.support.processes import free_port, wait_until
from tests.support.stores import add, tell

PASSWORD = "secret+with/signs"
QUOTED = "secret%2Bwith%2Fsigns"


@contextmanager
def running(directory: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run redis-server with options, in a directory of its own."""
    directory.mkdir(exist_ok=True)
    command = ["redis-server", *options, "--bind", "127.0.0.1", "--dir", str(directory)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=directory)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def wait_for(client: redis.Redis) -> None:
    def answers() -> bool:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False

    wait_until(answers, "Redis to start")


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for the loopback that is its own authority, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - timedelta(days=1), now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate_file.write_bytes(made.public_bytes(Encoding.PEM))
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificate_file, key_file


def keeps_a_session(store: RedisStore) -> None:
    """A session is stored, found, changed, and the change told."""
    heard: list[StatusChange | None] = []
    made = add(store)
    store.subscribe(made.client_token, heard.append)
    assert store.get_by_requestor_token(made.requestor_token) == made
    change = StatusChange(made.client_token, Status.DONE)
    tell(store, made, change)
    wait_until(lambda: heard == [change], "the change to be told")
    assert store.overdue(datetime.max.replace(tzinfo=UTC), 10) == []
    store.close()


def test_tls(tmp_path: Path, certificate: tuple[Path, Path], clock: SettableClock) -> None:
    certificate_file, key_file = certificate
    port = free_port()
    options = ["--port", "0", "--tls-port", str(port), "--tls-cert-file", str(certificate_file), "--tls-key-file", str(key_file)]
    options += ["--tls-ca-cert-file", str(certificate_file)]
    files = f"ssl_ca_certs={certificate_file}&ssl_certfile={certificate_file}&ssl_keyfile={key_file}"
    with running(tmp_path / "redis", *options):
        client = redis_from_url(f"rediss://127.0.0.1:{port}/0?{files}")
        wait_for(client)
        keeps_a_session(RedisStore(client, clock))
        client.flushall()
        named = {"redis_tls_cert_file": str(certificate_file), "redis_tls_client_cert_file": str(certificate_file)}
        named["redis_tls_client_key_file"] = str(key_file)
        config = GatewayConfig(store_type="redis", redis_addr=f"127.0.0.1:{port}", **named)
        store = open_store(config, clock)
        assert isinstance(store, RedisStore)
        keeps_a_session(store)
        # A server whose certificate nobody vouches for is not spoken to.
        with pytest.raises(StoreError):
            add(RedisStore(redis_from_url(f"rediss://127.0.0.1:{port}/0"), clock))


@pytest.mark.feature("E7.3")
def test_an_access_list_that_asks_a_prefix(tmp_path: Path, clock: SettableClock, sqlite_database_url: str) -> None:
    port = free_port()
    access = ["on", f">{PASSWORD}", "~hub:*", "&hub:*", "+@all"]
    with running(tmp_path / "redis", "--port", str(port)):
        administrator = redis.Redis(port=port)
        wait_for(administrator)
        administrator.execute_command("ACL", "SETUSER", "hub", *access)
        client = redis_from_url(f"redis://hub:{QUOTED}@127.0.0.1:{port}/0")
        with pytest.raises(StoreError):
            add(RedisStore(client, clock))
        woken: list[float] = []
        database = Database(sqlite_database_url)
        changes = Changes(database, redis=client, redis_prefix="hub:", interval_seconds=60)
        changes.on(Topic.SCHEMES, lambda: woken.append(time.monotonic()))
        changes.start()
        wait_until(lambda: bool(administrator.pubsub_channels("hub:*")), "the watcher to listen")
        database.write(lambda session: announce(session, Topic.SCHEMES))
        wait_until(lambda: bool(woken), "the change to wake the watcher")
        changes.stop()
        database.close()
        keeps_a_session(RedisStore(client, clock, "hub:"))
        options = {"redis_username": "hub", "redis_pw": PASSWORD, "redis_acl_use_key_prefixes": True, "redis_no_tls": True}
        store = open_store(GatewayConfig(store_type="redis", redis_addr=f"127.0.0.1:{port}", **options), clock)
        administrator.flushall()
        assert isinstance(store, RedisStore)
        keeps_a_session(store)
        assert all(key.startswith(b"hub:") for key in administrator.scan_iter())


@pytest.mark.feature("E7.3")
def test_sentinels_lead_to_the_replica_when_the_server_dies(tmp_path: Path, clock: SettableClock) -> None:
    first, second, watcher = free_port(), free_port(), free_port()
    (tmp_path / "sentinel").mkdir()
    configuration = tmp_path / "sentinel" / "sentinel.conf"
    lines = [f"port {watcher}", f"sentinel monitor hub 127.0.0.1 {first} 1", f"requirepass {PASSWORD}"]
    lines += ["sentinel down-after-milliseconds hub 500", "sentinel failover-timeout hub 5000"]
    configuration.write_text("\n".join(lines) + "\n")
    with (
        running(tmp_path / "first", "--port", str(first)) as server,
        running(tmp_path / "second", "--port", str(second), "--replicaof", "127.0.0.1", str(first)),
        running(tmp_path / "sentinel", str(configuration), "--sentinel"),
    ):
        replica, sentinel = redis.Redis(port=second), redis.Redis(port=watcher, password=PASSWORD)
        wait_for(sentinel)
        wait_until(lambda: replica.info("replication")["master_link_status"] == "up", "the replica to follow")
        wait_until(lambda: sentinel.sentinel_masters()["hub"]["num-slaves"] == 1, "the sentinel to know the replica")
        store = RedisStore(redis_from_url(f"redis+sentinel://127.0.0.1:{watcher}/hub/0?sentinel_password={QUOTED}"), clock)
        heard: list[StatusChange | None] = []
        made = add(store)
        store.subscribe(made.client_token, heard.append)
        wait_until(lambda: replica.dbsize() == 3, "the session to reach the replica")
        server.kill()
        server.wait()
        wait_until(lambda: replica.info("replication")["role"] == "master", "the replica to take over")

        def finds_the_session() -> bool:
            try:
                return store.get_by_requestor_token(made.requestor_token) == made
            except StoreError:
                return False

        wait_until(finds_the_session, "the store to find the session there")
        wait_until(lambda: None in heard, "the listener to find it")
        tell(store, made, StatusChange(made.client_token, Status.DONE))
        wait_until(lambda: heard[-1] == StatusChange(made.client_token, Status.DONE), "the change to be told")
        store.close()


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("redis+sentinel://host:1", "must be redis"),
        ("redis+sentinel://host/hub", "must be redis"),
        ("redis+sentinel://host:1,other/hub", "must be redis"),
        ("redis+sentinel://host:1/hub/zero", "must be redis"),
        ("redis+sentinel://host:1/hub?prefix=x", "unknown parameter prefix"),
    ],
)
def test_addresses_that_cannot_be_read(url: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        redis_from_url(url)
