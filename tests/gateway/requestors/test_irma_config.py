"""Requestors of irma server's configurations: compared, taken over, written out."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.actor import Role
from gateway.authorization import PermissionDeniedError
from gateway.configuration_text import dump, parse
from gateway.database import Database
from gateway.inputs import InvalidInputError
from gateway.models import AuthMethod, RequestorState
from gateway.options import read_text
from gateway.permissions import Permissions
from gateway.requestors.irma_config import (
    REFERENCE,
    Comparison,
    Difference,
    FiledRequestors,
    RequestorFiles,
    Standing,
    difference_text,
    read_requestors,
)
from gateway.requestors.models import NewKey, NewRequestor
from gateway.services import SharedServices
from tests.support.clock import SettableClock
from tests.support.factories.actors import ADMIN, actor
from tests.support.factories.services import shared_services

TOKEN = "a-token-of-some-length-0123456789"
SECRET = "c2VjcmV0IG9mIDMyIGJ5dGVzIGZvciBhbiBITUFDISEh"
PEM = (
    rsa.generate_private_key(public_exponent=65537, key_size=2048)
    .public_key()
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    .decode()
)
FILE: dict[str, Any] = {
    "no_auth": False,
    "disclose_perms": ["irma-demo.*"],
    "sign_perms": [],
    "requestors": {
        "Shop": {"auth_method": "token", "key": TOKEN, "disclose_perms": ["pbdf.*", "pbdf.a.b.c"], "host_perms": ["*.example"]},
        "bank": {"auth_method": "hmac", "key": SECRET},
        "city": {"auth_method": "publickey", "key": PEM, "issue_perms": ["irma-demo.*"], "revoke_perms": ["irma-demo.a.b"]},
    },
}


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def services(database: Database, clock: SettableClock) -> SharedServices:
    return shared_services(database, clock=clock)


@pytest.fixture
def files(services: SharedServices, clock: SettableClock) -> RequestorFiles:
    return RequestorFiles(services.requestors, services.custody, clock=clock)


def filed(options: dict[str, Any], text_format: str = "json", *, read_key_files: bool = False) -> FiledRequestors:
    return read_requestors(read_text(dump(options, text_format).encode(), text_format), read_key_files=read_key_files)


def with_requestor(name: str, **changes: Any) -> dict[str, Any]:
    """The file with one of its requestors changed."""
    requestors = FILE["requestors"]
    return {**FILE, "requestors": {**requestors, name: {**requestors.get(name, {}), **changes}}}


def standings(comparison: Comparison) -> dict[str, Standing]:
    return {difference.name: difference.standing for difference in comparison.requestors}


def of(comparison: Comparison, name: str) -> Difference:
    return next(difference for difference in comparison.requestors if difference.name == name)


@pytest.mark.feature("D12.1")
@pytest.mark.parametrize("text_format", ["json", "toml", "yaml"])
def test_what_a_file_says_is_taken_over_once_and_written_out_again(
    services: SharedServices, files: RequestorFiles, text_format: str
) -> None:
    given = filed(FILE, text_format)
    assert standings(files.compare(ADMIN, given)) == dict.fromkeys(("shop", "bank", "city"), Standing.NEW)
    assert services.requestors.list(ADMIN) == ()
    files.take_over(ADMIN, given)
    assert files.compare(ADMIN, given).is_same
    assert services.requestors.global_permissions(ADMIN) == Permissions(disclose=("irma-demo.*",), issue=("*",))
    directory = services.requestors.snapshot()
    assert set(directory.requestors) == {"shop", "bank", "city"}
    found = directory.by_token(TOKEN)
    assert found is not None
    assert found[0].permissions == Permissions(disclose=("pbdf.*", "pbdf.a.b.c"), host=("*.example",))
    versions = {requestor.name: requestor.version for requestor in services.requestors.list(ADMIN)}
    files.take_over(ADMIN, given)
    assert {requestor.name: requestor.version for requestor in services.requestors.list(ADMIN)} == versions

    written = files.export(ADMIN, text_format)
    again = filed(parse(written.text.encode(), text_format), text_format)
    assert not again.problems
    assert files.compare(ADMIN, again).is_same
    files.take_over(ADMIN, again)
    assert files.export(ADMIN, text_format) == written


@pytest.mark.feature("D12.2")
def test_secrets_are_written_as_references(services: SharedServices, files: RequestorFiles) -> None:
    files.take_over(ADMIN, filed(FILE))
    written = files.export(ADMIN, "json")
    assert TOKEN not in written.text
    assert SECRET not in written.text
    assert sum("its key is not written" in warning for warning in written.warnings) == 2
    requestors = parse(written.text.encode(), "json")["requestors"]
    token = services.requestors.get(ADMIN, "shop").keys[0]
    assert requestors["shop"] == {
        "auth_method": "token",
        "key_file": REFERENCE + token.fingerprint,
        "disclose_perms": ["pbdf.*", "pbdf.a.b.c"],
        "sign_perms": [],
        "issue_perms": [],
        "revoke_perms": [],
        "host_perms": ["*.example"],
    }
    assert requestors["city"]["key"] == PEM


def test_a_reference_to_a_key_that_is_not_here_is_refused(files: RequestorFiles) -> None:
    given = filed({"requestors": {"shop": {"auth_method": "token", "key_file": f"{REFERENCE}0123456789abcdef"}}})
    comparison = files.compare(ADMIN, given)
    assert standings(comparison) == {"shop": Standing.REFUSED}
    with pytest.raises(InvalidInputError, match="only the fingerprint"):
        files.take_over(ADMIN, given)


@pytest.mark.feature("D12.3")
def test_every_kind_of_drift_is_told_without_a_secret(services: SharedServices, files: RequestorFiles) -> None:
    files.take_over(ADMIN, filed(FILE))
    requestors = services.requestors
    requestors.suspend(ADMIN, "bank", reason="test")
    requestors.set_permissions(ADMIN, "city", Permissions(issue=("irma-demo.*",), sign=("pbdf.*",)))
    requestors.create(ADMIN, NewRequestor("extra"))
    other = with_requestor("Shop", key=f"other-{TOKEN}")
    other["requestors"]["novel"] = {"auth_method": "token", "key": f"new-{TOKEN}"}
    comparison = files.compare(ADMIN, filed(other))
    assert standings(comparison) == {
        "bank": Standing.SAME,
        "city": Standing.CHANGED,
        "extra": Standing.ONLY_HERE,
        "novel": Standing.NEW,
        "shop": Standing.CHANGED,
    }
    texts = {difference.name: difference_text(difference) for difference in comparison.drift}
    old, new = of(comparison, "shop").keys_only_here[0], of(comparison, "shop").fingerprint
    assert texts == {
        "bank": "it is suspended in the installation",
        "city": "revoke irma-demo.a.b is only in the file; sign pbdf.* is only in the installation",
        "extra": "is only in the installation",
        "novel": "is only in the file",
        "shop": f"key {new[:16]} is only in the file; key {old[:16]} is only in the installation",
    }
    assert not comparison.is_same
    files.take_over(ADMIN, filed(other))
    after = files.compare(ADMIN, filed(other))
    # What is only here stays: a further key, a suspension, another requestor.
    assert {difference.name for difference in after.drift} == {"bank", "extra", "shop"}
    assert requestors.get(ADMIN, "bank").state is RequestorState.SUSPENDED


@pytest.mark.feature("D12.4")
def test_names_that_become_one_in_lower_case_are_reported(services: SharedServices, files: RequestorFiles) -> None:
    options = with_requestor("SHOP", auth_method="token", key="x")
    comparison = files.compare(ADMIN, filed(options))
    assert comparison.problems == ("requestors.shop: is given twice, as Shop and SHOP: upper and lower case do not count in a file",)
    with pytest.raises(InvalidInputError, match="given twice"):
        files.take_over(ADMIN, filed(options))
    assert services.requestors.list(ADMIN) == ()
    services.requestors.create(ADMIN, NewRequestor("Shop"))
    assert of(files.compare(ADMIN, filed(FILE)), "shop").notes == ("Shop is another requestor here: upper and lower case count in names",)


def test_a_key_that_was_revoked_or_has_expired_is_not_taken_back(
    services: SharedServices, files: RequestorFiles, clock: SettableClock
) -> None:
    requestors = services.requestors
    for name in ("shop", "bank"):
        requestors.create(ADMIN, NewRequestor(name))
    key = requestors.add_key(ADMIN, "shop", NewKey(AuthMethod.TOKEN, TOKEN)).key
    requestors.revoke_key(ADMIN, "shop", key.id)
    requestors.add_key(ADMIN, "bank", NewKey(AuthMethod.HMAC, SECRET, expires_at=clock() + timedelta(days=1)))
    clock.advance(days=2)
    comparison = files.compare(ADMIN, filed(FILE))
    assert of(comparison, "shop").problems == ("its key was revoked here, and is not taken back",)
    assert of(comparison, "bank").problems == ("its key was in force until it expired here, and is not taken back",)


def test_one_token_belongs_to_one_requestor(services: SharedServices, files: RequestorFiles) -> None:
    twice = with_requestor("twin", auth_method="token", key=TOKEN)
    comparison = files.compare(ADMIN, filed(twice))
    assert of(comparison, "shop").problems == ("its token is also that of twin",)
    assert of(comparison, "twin").problems == ("its token is also that of shop",)
    services.requestors.create(ADMIN, NewRequestor("older"))
    services.requestors.add_key(ADMIN, "older", NewKey(AuthMethod.TOKEN, TOKEN))
    assert of(files.compare(ADMIN, filed(FILE)), "shop").problems == ("its token is also that of older",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"auth_method": "magic"}, "must be one of token, hmac, publickey"),
        ({"key_file": "/etc/passwd"}, "either key or key_file"),
        ({"key": "", "key_file": "/etc/passwd"}, "files of the server are not read"),
        ({"key": 5}, "must be a text"),
        ({"colour": "red"}, "is not an option"),
        ({"key": "tokén"}, "printable ASCII"),
        ({"auth_method": "hmac", "key": "not base64!"}, "base64"),
        ({"auth_method": "publickey", "key": "x"}, "PEM"),
        ({"disclose_perms": ["a.*.b"]}, "one asterisk"),
        ({"issue_perms": ["a.b.c.d"]}, "there must be 3 parts"),
    ],
)
def test_what_cannot_be_taken_over_is_told_and_nothing_is_written(
    services: SharedServices, files: RequestorFiles, changes: dict[str, Any], message: str
) -> None:
    given = filed(with_requestor("Shop", **changes))
    with pytest.raises(InvalidInputError, match=message):
        files.take_over(ADMIN, given)
    assert services.requestors.list(ADMIN) == ()


def test_key_files_are_read_for_commands_only(files: RequestorFiles, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text(PEM)
    options = {"requestors": {"city": {"auth_method": "publickey", "key_file": str(tmp_path / "key.pem")}}}
    assert not filed(options, read_key_files=True).problems
    files.take_over(ADMIN, filed(options, read_key_files=True))
    assert (
        files.compare(ADMIN, filed({"requestors": {"city": {"auth_method": "publickey", "key": PEM}}})).requestors[0].standing
        is Standing.SAME
    )
    missing = {"requestors": {"city": {"auth_method": "publickey", "key_file": str(tmp_path / "none")}}}
    assert "cannot be read" in filed(missing, read_key_files=True).problems[0].message


def test_an_interrupted_takeover_is_finished_by_the_next(services: SharedServices, files: RequestorFiles) -> None:
    services.requestors.create(ADMIN, NewRequestor("shop"))
    services.requestors.add_key(ADMIN, "shop", NewKey(AuthMethod.TOKEN, TOKEN))
    files.take_over(ADMIN, filed(FILE))
    assert files.compare(ADMIN, filed(FILE)).is_same
    assert services.requestors.get(ADMIN, "shop").state is RequestorState.ACTIVE


def test_permissions_of_all_may_be_left_as_they_are(services: SharedServices, files: RequestorFiles) -> None:
    before = files.take_over(ADMIN, filed(FILE), global_permissions=False)
    assert before.permissions_missing == Permissions(disclose=("irma-demo.*",), issue=("*",))
    assert services.requestors.global_permissions(ADMIN) == Permissions()


def test_what_a_file_cannot_say_is_warned_of(services: SharedServices, files: RequestorFiles) -> None:
    files.take_over(ADMIN, filed(FILE))
    requestors = services.requestors
    requestors.add_key(ADMIN, "city", NewKey(AuthMethod.TOKEN))
    requestors.suspend(ADMIN, "bank", reason="test")
    requestors.create(ADMIN, NewRequestor("Empty"))
    requestors.activate(ADMIN, "Empty")
    requestors.create(ADMIN, NewRequestor("Upper"))
    requestors.add_key(ADMIN, "Upper", NewKey(AuthMethod.PUBLICKEY, PEM))
    requestors.activate(ADMIN, "Upper")
    written = files.export(ADMIN, "yaml")
    assert set(written.warnings) == {
        "bank is left out: it is suspended",
        "Empty is left out: it has no valid key",
        "Upper is upper to irma server, which reads names of files in lower case",
        "city has 2 valid keys; the newest is written",
        "city: its key is not written, but a reference to it; put the key in its place",
        "shop: its key is not written, but a reference to it; put the key in its place",
    }


def test_only_who_may_all_of_it_may_take_over(files: RequestorFiles) -> None:
    auditor, stranger = actor(Role.AUDITOR), actor(Role.SIGNER)
    assert files.compare(auditor, filed(FILE)).requestors
    assert files.export(auditor, "json").text
    with pytest.raises(PermissionDeniedError):
        files.take_over(auditor, filed(FILE))
    for call in (lambda: files.compare(stranger, filed(FILE)), lambda: files.export(stranger, "json")):
        with pytest.raises(PermissionDeniedError):
            call()
