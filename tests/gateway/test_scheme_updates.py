"""Keeping scheme directories up to date: what is taken over, what is refused, and what is left when something fails."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gateway import scheme_updates
from gateway.addresses import PUBLIC_ONLY, WITH_PRIVATE, AddressPolicy
from gateway.app import create_app
from gateway.config import GatewayConfig
from gateway.default_schemes import DEFAULT_SCHEMES, DefaultScheme
from gateway.outbound import OutboundClient
from gateway.scheme_files import read_tree, write_tree
from gateway.scheme_updates import SchemeFreshness, SchemeUpdates
from gateway.schemes import SchemeDirectories
from idemix.scheme.authoring import add_credential_type
from idemix.scheme.identifiers import CredentialTypeId, SchemeManagerId
from idemix.scheme.keys import SchemePrivateKey, generate_scheme_key, print_public_key, read_private_key, read_public_key, sign
from idemix.scheme.signing import sign_tree
from idemix.scheme.tree import SchemeTree
from tests.support.clock import SettableClock
from tests.support.processes import wait_until
from tests.support.schemes import NOW, PNG, credential_type, library_draft, scheme_key, text
from tests.support.shared import shared
from tests.support.web_server import Page, WebServer, running_web_server

TINY = SchemeManagerId("tiny")
HOUR = timedelta(hours=1)


def version(url: str, number: int, *, key: Any = None, edit: Callable[[SchemeTree], SchemeTree] = lambda tree: tree) -> SchemeTree:
    """The signed scheme `tiny` as it is published at an address; later numbers are signed later, and have other texts."""
    draft = library_draft(url=url, name=text(f"Tiny {number}"))
    return signed(edit(draft), NOW + number, key or scheme_key())


def signed(tree: SchemeTree, now: int, key: SchemePrivateKey) -> SchemeTree:
    return sign_tree(tree, partial(sign, key), print_public_key(key.public_key()), now=now)


class Publisher:
    """A web server with a scheme.

    Attributes:
        server: the web server.
        url: where the scheme stands.
    """

    def __init__(self, server: WebServer) -> None:
        self.server = server
        self.url = f"{server.url}tiny"

    def publish(self, tree: SchemeTree) -> None:
        """Serve a version, and nothing else."""
        self.server.pages = {f"/tiny/{path}": Page(content) for path, content in tree.items() if path != "pk.pem"}
        self.server.pages["/tiny/pk.pem"] = Page(tree["pk.pem"])


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with running_web_server() as server:
        yield Publisher(server)


@pytest.fixture
def folder(tmp_path: Path, publisher: Publisher) -> Path:
    """A folder with version 1 of the scheme."""
    write_tree(version(publisher.url, 1), tmp_path / "schemes" / "tiny")
    return tmp_path / "schemes"


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock(datetime.fromtimestamp(NOW + 1000, UTC))


@pytest.fixture
def make(folder: Path, clock: SettableClock) -> Iterator[Callable[..., SchemeUpdates]]:
    """Makes updates of the folder; `schemes` is what they update."""
    made: list[SchemeUpdates] = []

    def new(policy: AddressPolicy = WITH_PRIVATE, path: Path = folder, **options: Any) -> SchemeUpdates:
        schemes = SchemeDirectories(path, None, None, clock)
        given: dict[str, Any] = {"interval": HOUR, "https_only": False, "defaults": {}, **options}
        updates = SchemeUpdates(path, schemes, OutboundClient(policy), clock, **given)
        schemes.updater = updates.look_for
        updates.schemes = schemes  # type: ignore[attr-defined]
        made.append(updates)
        return updates

    yield new
    for one in made:
        one.stop()


Make = Callable[..., Any]


def name_of(folder: Path) -> str:
    """The name that tells the version on disk; the directory must be whole."""
    tree = read_tree(folder / "tiny")
    return next(part for part in tree["description.xml"].decode().split("<") if part.startswith("en>Tiny")).removeprefix("en>")


def name_in_use(updates: Any) -> str:
    """The name of the scheme that sessions use."""
    return str(updates.schemes.current.configuration.schemes[TINY].name["en"])


def only(updates: SchemeUpdates) -> SchemeFreshness:
    (freshness,) = updates.freshness()
    return freshness


def test_a_new_version_takes_the_place(make: Make, folder: Path, publisher: Publisher) -> None:
    publisher.publish(version(publisher.url, 2))
    updates = make()
    assert updates.update_due()
    assert name_of(folder) == "Tiny 2"
    assert updates.schemes.current.configuration.schemes[TINY].name["en"] == "Tiny 2"
    freshness = only(updates)
    assert (freshness.error, freshness.stale_since) == ("", None)
    assert freshness.signed_at == datetime.fromtimestamp(NOW + 2, UTC)
    assert [entry.name for entry in folder.iterdir() if entry.is_dir()] == ["tiny"]


def test_only_what_changed_is_fetched(make: Make, publisher: Publisher) -> None:
    publisher.publish(version(publisher.url, 2))
    assert make().update_due()
    fetched = publisher.server.paths()
    assert fetched[:3] == ["/tiny/index", "/tiny/index.sig", "/tiny/timestamp"]
    assert "/tiny/description.xml" in fetched
    assert not any("Library" in path and "PrivateKeys" not in path for path in fetched)


def test_an_interval_passes_between_two_looks(make: Make, publisher: Publisher, clock: SettableClock) -> None:
    publisher.publish(version(publisher.url, 1))
    updates = make()
    for _ in range(3):
        assert not updates.update_due()
    assert len(publisher.server.visits) == 3
    clock.advance(hours=1)
    assert not updates.update_due()
    assert len(publisher.server.visits) == 6
    # Another process, and the same after a restart, know of the look.
    assert not make().update_due()
    assert len(publisher.server.visits) == 6


REFUSED: dict[str, tuple[Callable[[str], SchemeTree], str]] = {
    "an older version": (lambda url: version(url, 0), "older"),
    "another key": (lambda url: version(url, 2, key=generate_scheme_key()), "not signed by"),
    "a broken signature": (lambda url: version(url, 2).with_files({"index.sig": version(url, 3)["index.sig"]}), "not signed by"),
    "a file that is another": (
        lambda url: version(url, 2).with_files({"Library/description.xml": b"<x/>", "description.xml": b"<x/>"}),
        "another content",
    ),
    "a file that is missing": (lambda url: version(url, 2).with_files({}, remove=["description.xml"]), "404"),
    "a scheme that is not valid": (
        lambda url: version(url, 2, edit=lambda tree: tree.with_files({"Library/description.xml": b"<Issuer/>"})),
        "not valid",
    ),
    "an issuer that is gone": (
        lambda url: version(url, 2, edit=lambda tree: tree.with_files({}, remove=[path for path in tree if path.startswith("Library/")])),
        "not valid",
    ),
}


@pytest.mark.parametrize(("published", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_version_that_must_not_follow_leaves_the_old_one(
    make: Make, folder: Path, publisher: Publisher, clock: SettableClock, published: Callable[[str], SchemeTree], reason: str
) -> None:
    before = dict(read_tree(folder / "tiny"))
    publisher.publish(published(publisher.url))
    updates = make()
    assert not updates.update_due()
    assert dict(read_tree(folder / "tiny")) == before
    assert updates.schemes.current.configuration.schemes[TINY].name["en"] == "Tiny 1"
    freshness = only(updates)
    assert reason in freshness.error
    assert freshness.stale_since == freshness.signed_at == datetime.fromtimestamp(NOW + 1, UTC)
    # The next good version is taken all the same.
    publisher.publish(version(publisher.url, 5))
    clock.advance(hours=1)
    assert updates.update_due()
    assert only(updates).error == ""


def test_a_damaged_file_is_repaired(make: Make, folder: Path, publisher: Publisher) -> None:
    publisher.publish(version(publisher.url, 1))
    file = folder / "tiny" / "Library" / "description.xml"
    whole = file.read_bytes()
    file.write_bytes(b"damaged")
    updates = make()
    assert not updates.schemes.current.configuration.issuers
    assert updates.update_due()
    assert file.read_bytes() == whole
    assert updates.schemes.current.configuration.issuers


def test_the_key_that_signs_stays(make: Make, folder: Path, publisher: Publisher) -> None:
    other = print_public_key(generate_scheme_key().public_key())
    publisher.publish(version(publisher.url, 2).with_files({"pk.pem": other}))
    assert make().update_due()
    assert (folder / "tiny" / "pk.pem").read_bytes() != other
    assert "/tiny/pk.pem" not in publisher.server.paths()


@pytest.mark.feature("F11.1")
@pytest.mark.feature("F11.2")
def test_a_gateway_starts_without_network_and_says_how_stale_it_is(folder: Path, tmp_path: Path) -> None:
    bundled, own = tmp_path / "bundled", tmp_path / "own"
    # Nobody listens at port 1.
    write_tree(version("http://127.0.0.1:1/tiny", 3), bundled / "tiny")
    options = {"schemes_path": str(own), "schemes_assets_path": str(bundled), "url": "http://localhost/"}
    app = create_app(GatewayConfig.from_options(options))
    try:
        gateway = app.extensions["gateway"]
        assert gateway.schemes.current.configuration.schemes[TINY].name["en"] == "Tiny 3"
        request = {"@context": "https://irma.app/ld/request/disclosure/v2", "disclose": [[["tiny.Library.card.number"]]]}
        assert app.test_client().post("/session", json=request).status_code == 200
        wait_until(lambda: gateway.scheme_updates.freshness()[0].error != "", "the first look")
        freshness = only(gateway.scheme_updates)
        assert "cannot be reached" in freshness.error
        assert freshness.stale_since == datetime.fromtimestamp(NOW + 3, UTC)
    finally:
        gateway.close()


def test_bundled_schemes_are_taken_where_ours_are_older(make: Make, folder: Path, tmp_path: Path, publisher: Publisher) -> None:
    bundled = tmp_path / "bundled"
    write_tree(version(publisher.url, 0), bundled / "tiny")
    make(assets_path=bundled).prepare()
    assert name_of(folder) == "Tiny 1"
    write_tree(version(publisher.url, 3), bundled / "tiny")
    make(assets_path=bundled).prepare()
    assert name_of(folder) == "Tiny 3"
    (bundled / "tiny" / "index.sig").write_bytes(b"broken")
    (bundled / "tiny" / "timestamp").write_bytes(b"9999999999\n")
    make(assets_path=bundled).prepare()
    assert name_of(folder) == "Tiny 3"


def test_an_unknown_identifier_has_its_scheme_fetched_once_a_minute(
    folder: Path, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheme_updates, "FIRST_SECONDS", 3600)
    clock = SettableClock(datetime.fromtimestamp(NOW + 1000, UTC))
    app = create_app(GatewayConfig.from_options({"schemes_path": str(folder), "url": "http://localhost/"}), clock=clock)
    client = app.test_client()
    request = {"@context": "https://irma.app/ld/request/disclosure/v2", "disclose": [[["tiny.Library.pass.number"]]]}
    try:
        publisher.publish(version(publisher.url, 1))
        for _ in range(3):
            refused = client.post("/session", json=request)
            assert refused.status_code == 400
            assert "tiny.Library.pass" in refused.text
        assert publisher.server.paths().count("/tiny/index") == 1
        new = credential_type("tiny", "Library", "pass", "number")
        publisher.publish(version(publisher.url, 2, edit=lambda tree: scheme_with(tree, new)))
        assert client.post("/session", json=request).status_code == 400
        clock.advance(minutes=1)
        assert client.post("/session", json=request).status_code == 200
        # Of a scheme that is not here nothing is fetched.
        request["disclose"] = [[["other.Library.pass.number"]]]
        assert client.post("/session", json=request).status_code == 400
        assert publisher.server.paths().count("/tiny/index") == 2
    finally:
        app.extensions["gateway"].close()


def scheme_with(tree: SchemeTree, added: Any) -> SchemeTree:
    return add_credential_type(tree, added, PNG)


def test_what_the_console_publishes_is_not_fetched(make: Make, folder: Path, tmp_path: Path, publisher: Publisher) -> None:
    (folder / "tiny").rename(tmp_path / "version-1")
    (folder / "tiny").symlink_to(tmp_path / "version-1")
    publisher.publish(version(publisher.url, 2))
    updates = make()
    assert not updates.update_due()
    assert not updates.look_for("tiny.Library.pass")
    assert not publisher.server.visits
    assert only(updates).is_own
    assert only(updates).stale_since is None


def test_updates_may_be_off(make: Make, publisher: Publisher) -> None:
    publisher.publish(version(publisher.url, 2))
    updates = make(interval=timedelta(0))
    updates.prepare()
    assert not updates.update_due()
    assert not updates.look_for("tiny.Library.pass")
    assert not publisher.server.visits


@pytest.mark.parametrize(("policy", "https_only"), [(PUBLIC_ONLY, False), (WITH_PRIVATE, True)])
def test_private_addresses_and_http_are_refused(make: Make, publisher: Publisher, policy: AddressPolicy, https_only: bool) -> None:
    publisher.publish(version(publisher.url, 2))
    updates = make(policy, https_only=https_only)
    assert not updates.update_due()
    assert ("https" if https_only else "range that must not be called") in only(updates).error
    assert not publisher.server.visits


def test_an_empty_folder_gets_the_default_schemes(make: Make, tmp_path: Path, publisher: Publisher, clock: SettableClock) -> None:
    published = version(publisher.url, 2)
    defaults = {"tiny": DefaultScheme(publisher.url, print_public_key(scheme_key().public_key()))}
    updates = make(path=tmp_path / "new", defaults=defaults)
    updates.prepare()  # there is nothing to be had yet
    assert not updates.schemes.current.configuration.schemes
    publisher.publish(published)
    assert not updates.update_due()
    clock.advance(minutes=1)
    assert updates.update_due()
    assert CredentialTypeId("tiny.Library.card") in updates.schemes.current.configuration.credential_types
    other = {"tiny": DefaultScheme(publisher.url, print_public_key(generate_scheme_key().public_key()))}
    distrusting = make(path=tmp_path / "other", defaults=other)
    distrusting.prepare()
    assert not distrusting.schemes.current.configuration.schemes


def test_the_default_schemes_are_pinned_to_their_keys() -> None:
    for name, default in DEFAULT_SCHEMES.items():
        assert default.url == f"https://schemes.yivi.app/{name}/"
        assert read_public_key(default.public_key) == read_public_key(shared("schemes", name, "pk.pem").read_bytes())


def test_a_real_scheme_is_updated(make: Make, tmp_path: Path, publisher: Publisher, clock: SettableClock) -> None:
    source = shared("schemes", "irma-demo")
    if not (source / "sk.pem").exists():
        pytest.skip("the key of the demo scheme is not here")
    tree = read_tree(source)
    old = tree["description.xml"].replace(b"https://schemes.yivi.app/irma-demo", f"{publisher.server.url}irma-demo".encode())
    assert old != tree["description.xml"]
    key = read_private_key(tree["sk.pem"])
    path = tmp_path / "real"
    first = signed(tree.with_files({"description.xml": old}), NOW, key)
    write_tree(first, path / "irma-demo")
    second = signed(first.with_files({"RU/description.xml": first["RU/description.xml"] + b"\n"}), NOW + 10, key)
    publisher.server.pages = {f"/irma-demo/{file}": Page(content) for file, content in second.items()}
    updates = make(path=path)
    assert updates.update_due(), only(updates).error
    assert dict(read_tree(path / "irma-demo")) == dict(second)


def test_one_of_several_processes_looks_and_all_follow(make: Make, folder: Path, publisher: Publisher) -> None:
    publisher.publish(version(publisher.url, 2))
    workers = [make() for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        wait_until(lambda worker=worker: name_in_use(worker) == "Tiny 2", "the new version", seconds=3)
    assert publisher.server.paths().count("/tiny/index") == 1


_WORKER = """
import sys
from functools import partial
from datetime import UTC, datetime, timedelta
from pathlib import Path
from gateway.addresses import WITH_PRIVATE
from gateway.outbound import OutboundClient
from gateway.scheme_updates import SchemeUpdates
from gateway.schemes import SchemeDirectories

path = Path(sys.argv[1])
clock = lambda: datetime.fromtimestamp(int(sys.argv[2]), UTC)
updates = SchemeUpdates(path, SchemeDirectories(path, None, None, clock), OutboundClient(WITH_PRIVATE), clock,
                        interval=timedelta(hours=1), https_only=False, defaults={})
print(updates.update_due())
"""


def test_a_process_killed_in_mid_update_leaves_a_whole_scheme(make: Make, folder: Path, publisher: Publisher) -> None:
    publisher.publish(version(publisher.url, 2))
    pages, reached, going = publisher.server.pages, threading.Event(), threading.Event()

    def halt() -> None:
        reached.set()
        going.wait(20)

    pages["/tiny/description.xml"] = Page(pages["/tiny/description.xml"].body, before=halt)
    worker = subprocess.Popen([sys.executable, "-c", _WORKER, str(folder), str(NOW + 1000)], stdout=subprocess.PIPE)
    try:
        assert reached.wait(20)
        # Another one neither waits nor looks while it is at work.
        assert not make().update_due()
        worker.send_signal(signal.SIGKILL)
    finally:
        worker.kill()
        worker.communicate()
        going.set()
    assert name_of(folder) == "Tiny 1"
    shutil.copytree(folder / "tiny", folder / ".tempscheme0123")  # as if it had been killed while it wrote
    updates = make()
    updates.prepare()
    assert updates.schemes.current.configuration.schemes[TINY].name["en"] == "Tiny 1"
    assert updates.update_due()
    assert name_of(folder) == "Tiny 2"
    assert sorted(entry.name for entry in folder.iterdir()) == [".updates.json", ".updates.lock", "tiny"]


def test_a_folder_that_cannot_be_written_is_used_as_it_is(make: Make, folder: Path, publisher: Publisher) -> None:
    if os.geteuid() == 0:
        # Root may write everywhere; a file where the lock should be made stands in for it.
        (folder / ".updates.lock").mkdir()
    else:
        folder.chmod(0o555)
    publisher.publish(version(publisher.url, 2))
    updates = make()
    try:
        updates.prepare()
        assert not updates.update_due()
        assert updates.schemes.current.configuration.schemes[TINY].name["en"] == "Tiny 1"
    finally:
        folder.chmod(0o755)


def test_what_others_wrote_into_the_notes_does_no_harm(make: Make, folder: Path, publisher: Publisher) -> None:
    publisher.publish(version(publisher.url, 1))
    for content in ("{", "[]", '{"tiny": 1}', '{"tiny": {"checked_at": "x", "succeeded_at": null, "error": ""}}'):
        (folder / ".updates.json").write_text(content)
        updates = make()
        assert only(updates).checked_at is None
        updates.update_due()
        assert only(updates).checked_at is not None
    assert json.loads((folder / ".updates.json").read_text())["tiny"]["error"] == ""
    assert hashlib.sha256(version(publisher.url, 1)["index"]).digest() == hashlib.sha256((folder / "tiny" / "index").read_bytes()).digest()
