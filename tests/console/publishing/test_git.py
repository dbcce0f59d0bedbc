"""The adapter over git, against repositories that want to do harm."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from console.errors import RefusedAddressError, RepositoryError
from console.publishing import git
from console.publishing.git import Remote, Repository, Signature
from gateway.addresses import AddressPolicy

AUTHOR = Signature("Noor", "noor@example.org", datetime(2026, 11, 23, tzinfo=UTC))
FILES = {"description.xml": b"<a/>\n", "RU/description.xml": b"<b/>\n", "RU/logo.png": b"\x89PNG", "RU.txt": b"sorts before RU/"}


def run(*arguments: str, cwd: Path) -> None:
    """Git as anybody may run it."""
    subprocess.run(["git", "-c", "protocol.file.allow=always", *arguments], cwd=cwd, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.create(tmp_path / "own.git")


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A work tree whose owner puts in what they like."""
    path = tmp_path / "hostile"
    path.mkdir()
    run("init", "--initial-branch=main", ".", cwd=path)
    run("config", "user.name", "Mallory", cwd=path)
    run("config", "user.email", "mallory@example.org", cwd=path)
    return path


def commit_all(path: Path) -> Remote:
    run("add", "--all", cwd=path)
    run("commit", "--message", "harm", cwd=path)
    return Remote.parse(str(path))


def test_what_is_written_is_read_again_and_git_finds_nothing_wrong(repository: Repository) -> None:
    tree = repository.write(FILES)
    commit = repository.commit(tree, [], "First\n\nwith a body", AUTHOR)
    assert repository.read(commit) == FILES
    assert repository.read_file(commit, "RU/logo.png") == b"\x89PNG"
    assert repository.read_file(commit, "absent") is None
    info = repository.info(commit)
    assert (info.author, info.at, info.message, info.tree) == ("Noor", AUTHOR.at, "First\n\nwith a body", tree)
    subprocess.run(["git", "fsck", "--strict", "--full"], cwd=repository.path, check=True, capture_output=True)


def test_the_same_commit_twice_is_one(repository: Repository) -> None:
    tree = repository.write(FILES)
    assert repository.commit(tree, [], "Same", AUTHOR) == repository.commit(repository.write(FILES, base=tree), [], "Same", AUTHOR)


def test_a_history_tells_what_each_commit_changed_against_its_first_parent(repository: Repository) -> None:
    first = repository.commit(repository.write(FILES), [], "First\x01with\nodd \x02 letters", AUTHOR)
    side = repository.commit(repository.write(FILES | {"side.xml": b"s"}), [first], "Aside", AUTHOR)
    changed = {"description.xml": b"<c/>\n", "RU/logo.png": FILES["RU/logo.png"], ":new\x03.xml": b""}
    second = repository.commit(repository.write(changed), [first], "Second", AUTHOR)
    merge = repository.commit(repository.write(changed | {"side.xml": b"s"}), [second, side], "Merge", AUTHOR)
    empty = repository.commit(repository.tree(merge), [merge], "Nothing", AUTHOR)
    history = repository.history(empty)
    assert [entry.commit.hash for entry in history] == [empty, merge, second, first]
    assert history[3].commit.message == "First\x01with\nodd \x02 letters"
    assert history[3].changes.keys() == FILES.keys()
    assert history[0].changes == {}
    assert history[1].changes.keys() == {"side.xml"}
    gone = {path for path, blob in history[2].changes.items() if blob is None}
    assert gone == {"RU.txt", "RU/description.xml"}
    assert history[2].changes.keys() - gone == {"description.xml", ":new\x03.xml"}
    assert repository.contents([history[2].changes["description.xml"] or ""]) == {history[2].changes["description.xml"]: b"<c/>\n"}
    assert repository.log(empty) == tuple(entry.commit for entry in history)


def test_contents_that_are_too_large_or_absent_are_left_out(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = repository.write(FILES)
    blobs = repository.blobs(tree)
    monkeypatch.setattr(git, "MAX_FILE_BYTES", 6)
    assert repository.contents([*blobs.values(), "0" * 40, tree]) == {
        blobs[path]: FILES[path] for path in ("description.xml", "RU/description.xml", "RU/logo.png")
    }


def test_a_history_beyond_the_limit_is_not_read(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = repository.commit(repository.write(FILES), [], "x" * 100_000, AUTHOR)
    assert len(repository.history(commit)) == 1
    monkeypatch.setattr(git, "MAX_LOG_BYTES", 50_000)
    with pytest.raises(RepositoryError, match="more than 50000 bytes"):
        repository.history(commit)


def test_contents_that_are_too_much_together_are_refused(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = repository.blobs(repository.write(FILES))
    monkeypatch.setattr(git, "MAX_TREE_BYTES", 20)
    with pytest.raises(RepositoryError, match="more than 20 bytes"):
        repository.contents(blobs.values())
    assert repository.contents(blobs.values(), largest=4) == {blobs["RU/logo.png"]: FILES["RU/logo.png"]}


def test_a_history_of_no_commit_is_refused(repository: Repository) -> None:
    with pytest.raises(RepositoryError):
        repository.history("0" * 40)


def test_a_reference_moves_only_from_where_it_was_seen(repository: Repository) -> None:
    one = repository.commit(repository.write(FILES), [], "One", AUTHOR)
    two = repository.commit(repository.write(FILES), [one], "Two", AUTHOR)
    assert repository.update("refs/heads/main", one, old=None)
    assert not repository.update("refs/heads/main", two, old=None)
    assert not repository.update("refs/heads/main", one, old=two)
    assert repository.update("refs/heads/main", two, old=one)
    assert repository.head("refs/heads/main") == two


def test_a_push_over_somebody_elses_is_refused(repository: Repository, tmp_path: Path) -> None:
    there = Repository.create(tmp_path / "there.git")
    remote = Remote.parse(str(there.path))
    one = repository.commit(repository.write(FILES), [], "One", AUTHOR)
    other = there.commit(there.write({"a.xml": b"other"}), [], "Other", AUTHOR)
    there.update("refs/heads/main", other, old=None)
    with pytest.raises(RepositoryError):
        repository.push(remote, one, "main", expected=None)
    assert there.head("refs/heads/main") == other


def test_no_hook_of_either_side_runs(repository: Repository, tmp_path: Path) -> None:
    there = Repository.create(tmp_path / "there.git")
    marker = tmp_path / "ran"
    for folder in (repository.path / "hooks", there.path / "hooks"):
        folder.mkdir()
        for name in ("pre-receive", "update", "post-receive", "post-update", "pre-push", "reference-transaction", "proc-receive"):
            hook = folder / name
            hook.write_text(f"#!/bin/sh\ntouch {marker}\n")
            hook.chmod(0o755)
    with (there.path / "config").open("a") as config:
        config.write(f"[core]\n\talternateRefsCommand = touch {marker}\n\tfsmonitor = touch {marker}\n")
        config.write(f"[uploadpack]\n\tpackObjectsHook = touch {marker}\n")
    one = repository.commit(repository.write(FILES), [], "One", AUTHOR)
    remote = Remote.parse(str(there.path))
    repository.push(remote, one, "main", expected=None)
    assert Repository.create(tmp_path / "third.git").fetch(remote, "main") == one
    assert not marker.exists()


def test_links_in_a_tree_are_refused(repository: Repository, hostile: Path) -> None:
    (hostile / "description.xml").symlink_to("/etc/passwd")
    repository.fetch(commit_all(hostile), "main")
    with pytest.raises(RepositoryError, match=r"description\.xml"):
        repository.read("refs/remotes/origin/main")


def test_submodules_are_neither_followed_nor_accepted(repository: Repository, hostile: Path, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    run("init", "--initial-branch=main", ".", cwd=inner)
    run("config", "user.name", "Mallory", cwd=inner)
    run("config", "user.email", "mallory@example.org", cwd=inner)
    (inner / "file").write_text("x")
    run("add", "--all", cwd=inner)
    run("commit", "--message", "inner", cwd=inner)
    run("submodule", "add", str(inner), "module", cwd=hostile)
    repository.fetch(commit_all(hostile), "main")
    with pytest.raises(RepositoryError, match="module"):
        repository.read("refs/remotes/origin/main")


def test_objects_that_fail_fsck_are_not_fetched(repository: Repository, tmp_path: Path) -> None:
    evil = Repository.create(tmp_path / "evil.git")
    tree = evil.write({".git/config": b"[core]\n\tfsmonitor = true\n"})
    evil.update("refs/heads/main", evil.commit(tree, [], "harm", AUTHOR), old=None)
    with pytest.raises(RepositoryError, match="hasDotgit"):
        repository.fetch(Remote.parse(str(evil.path)), "main")


def test_a_pack_beyond_the_limit_is_not_fetched(repository: Repository, hostile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (hostile / "large.png").write_bytes(bytes(range(256)) * 2000 + hostile.as_posix().encode())
    run("config", "core.compression", "0", cwd=hostile)
    remote = commit_all(hostile)
    monkeypatch.setattr(git, "MAX_PACK_BYTES", 64 * 1024)
    with pytest.raises(RepositoryError):
        repository.fetch(remote, "main")
    assert repository.head("refs/remotes/origin/main") is None


@pytest.mark.parametrize(("limit", "value"), [("MAX_FILES", 3), ("MAX_FILE_BYTES", 10), ("MAX_TREE_BYTES", 20)])
def test_a_tree_beyond_a_limit_is_not_read(repository: Repository, monkeypatch: pytest.MonkeyPatch, limit: str, value: int) -> None:
    tree = repository.write(FILES)
    monkeypatch.setattr(git, limit, value)
    with pytest.raises(RepositoryError):
        repository.read(tree)


@pytest.mark.parametrize(
    "address",
    [
        "ext::sh -c touch% /tmp/harm",
        "http://example.org/scheme.git",
        "git://example.org/scheme.git",
        "ssh://example.org/scheme.git",
        "git@example.org:scheme.git",
        "https://user:secret@example.org/scheme.git",
        "-uharm",
        "--upload-pack=harm",
        "relative/path",
        "/no/such/directory",
        "file://host/path",
        "",
    ],
)
def test_other_addresses_are_refused_and_credentials_are_not_repeated(address: str) -> None:
    with pytest.raises(RefusedAddressError) as caught:
        Remote.parse(address, resolver=lambda host, port: ["203.0.113.1"])
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "found",
    ["127.0.0.1", "10.1.2.3", "192.168.1.1", "169.254.169.254", "::1", "fe80::1", "fd00::1", "::ffff:127.0.0.1", "0.0.0.0", "224.0.0.1"],
)
def test_hosts_in_private_ranges_are_refused_unless_allowed(found: str) -> None:
    with pytest.raises(RefusedAddressError, match="range that must not be called"):
        Remote.parse("https://internal.example/scheme.git", resolver=lambda host, port: ["8.8.8.8", found])
    assert Remote.parse("https://internal.example/scheme.git", AddressPolicy.parse([found]), resolver=lambda host, port: [found]).options


def test_a_public_host_is_pinned_to_the_address_that_was_judged() -> None:
    remote = Remote.parse("https://example.org/scheme.git", resolver=lambda host, port: ["8.8.8.8", "2001:4860:4860::8888"])
    assert remote.options == ("http.curloptResolve=example.org:443:8.8.8.8,[2001:4860:4860::8888]",)


@pytest.mark.parametrize("name", ["", "-x", "a..b", "a b", "a/", "x.lock", "refs//x", "a/.b"])
def test_odd_names_of_branches_are_refused(repository: Repository, name: str) -> None:
    with pytest.raises(RepositoryError):
        repository.head(name)


@pytest.mark.parametrize(
    "address",
    [
        "FILE:///etc",
        " file:///etc",
        "fi\tle:///etc",
        "file://host/etc",
        "https://[::1",
        "https://public.example:99999/",
        "https://public.exa\tmple/",
        "https://public.example\\@127.0.0.1/",
        "https://public.example./x.git",
        "https://ⓛocalhost/x.git",
        "https://127%2e0.0.1/x.git",
        f"/{'x' * 300}",
        "/\x00",
    ],
)
def test_an_address_that_programs_could_read_in_two_ways_is_refused(address: str) -> None:
    with pytest.raises(RefusedAddressError):
        Remote.parse(address, resolver=lambda _host, _port: ["8.8.8.8"])
