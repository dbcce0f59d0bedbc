"""Users, log-ins, roles and tokens."""

from datetime import timedelta

import pytest
from sqlalchemy import select, text

from console.accounts.models import NewApiToken, NewUser
from console.errors import LastAdministratorError, LogInError, LogInThrottledError
from console.services import Services
from gateway.actor import Actor, ActorKind, Grant, Role, command_actor
from gateway.authorization import Action, PermissionDeniedError, authorize
from gateway.inputs import ConflictError, InvalidInputError, NotFoundError
from gateway.models import ApiToken, Login
from tests.console.conftest import Installation

PASSWORD = "correct horse battery"
OPERATOR = command_actor("root")


@pytest.fixture
def noor(services: Services) -> Actor:
    """The first administrator, signed in."""
    services.accounts.create_first_administrator(OPERATOR, NewUser("Noor", "Noor Vermaat", PASSWORD))
    return services.accounts.log_in("noor", PASSWORD, address="192.0.2.1").actor


def make(services: Services, actor: Actor, name: str, *grants: Grant) -> int:
    """A user with roles."""
    return services.accounts.create_user(actor, NewUser(name, name.title(), PASSWORD, grants=grants)).id


def test_the_first_administrator_is_made_once_and_by_a_command(services: Services) -> None:
    user = Actor(ActorKind.USER, "mallory", (Grant(Role.ADMIN),))
    with pytest.raises(PermissionDeniedError):
        services.accounts.create_first_administrator(user, NewUser("mallory", "M", PASSWORD))
    assert not services.accounts.has_users()
    created = services.accounts.create_first_administrator(OPERATOR, NewUser("Noor", "Noor", PASSWORD, grants=(Grant(Role.AUDITOR),)))
    assert (created.name, created.grants) == ("noor", (Grant(Role.ADMIN),))
    assert services.accounts.has_users()
    with pytest.raises(ConflictError):
        services.accounts.create_first_administrator(OPERATOR, NewUser("other", "Other", PASSWORD))


def test_passwords_cookies_and_tokens_are_stored_hashed_only(services: Services, noor: Actor) -> None:
    cookie = services.accounts.log_in("noor", PASSWORD, address=None).cookie
    token = services.accounts.create_api_token(noor, NewApiToken("ci", ("scheme.view",))).secret
    with services.database.read() as session:
        assert session.scalars(select(Login)).all()
        assert len(session.scalars(select(ApiToken)).one().token_hash) == 32
        tables = session.scalars(text("SELECT name FROM sqlite_master WHERE type = 'table'")).all()
        everything = "".join(str(row) for table in tables for row in session.execute(text(f'SELECT * FROM "{table}"')))
    for secret in (PASSWORD, cookie, token):
        assert secret not in everything
    assert "$argon2id$" in everything


def test_a_log_in_lasts_until_its_end_its_revocation_or_the_closing_of_the_account(installation: Installation, noor: Actor) -> None:
    accounts = installation.services.accounts
    one, two, three = (accounts.log_in("noor", PASSWORD, address="192.0.2.1", user_agent="Firefox") for _ in range(3))
    assert len(accounts.list_log_ins(noor, one.user.id)) == 4
    accounts.log_out(one.cookie)
    accounts.revoke_log_in(noor, two.log_in.id)
    assert accounts.resume(one.cookie, address=None) is None
    assert accounts.resume(two.cookie, address=None) is None
    assert accounts.resume("", address=None) is None
    resumed = accounts.resume(three.cookie, address="192.0.2.9", request_id="r")
    assert resumed is not None
    assert (resumed.actor.address, resumed.actor.request_id, resumed.actor.grants) == ("192.0.2.9", "r", (Grant(Role.ADMIN),))
    installation.clock.move(timedelta(hours=12))
    assert accounts.resume(three.cookie, address=None) is None
    with pytest.raises(LogInError):
        accounts.log_in("noor", "wrong password", address="192.0.2.1")


def test_failed_attempts_slow_down_and_recover(installation: Installation, noor: Actor) -> None:
    accounts = installation.services.accounts
    for _ in range(5):
        with pytest.raises(LogInError):
            accounts.log_in("noor", "not the password", address="198.51.100.7")
    with pytest.raises(LogInThrottledError) as caught:
        accounts.log_in("noor", PASSWORD, address="198.51.100.7")
    assert 0 < caught.value.retry_after_seconds <= 3
    installation.clock.move(timedelta(seconds=caught.value.retry_after_seconds + 1))
    accounts.log_in("noor", PASSWORD, address="198.51.100.7")
    with pytest.raises(LogInError) as refused:
        accounts.log_in("noor", "not the password", address="198.51.100.7")
    assert not isinstance(refused.value, LogInThrottledError)


def test_an_address_that_tries_many_names_is_closed_for_a_while(services: Services, monkeypatch: pytest.MonkeyPatch, noor: Actor) -> None:
    monkeypatch.setattr("console.accounts.service._FAILURES_PER_ADDRESS", 3)
    for number in range(3):
        with pytest.raises(LogInError):
            services.accounts.log_in(f"user{number}", PASSWORD, address="198.51.100.8")
    with pytest.raises(LogInThrottledError):
        services.accounts.log_in("noor", PASSWORD, address="198.51.100.8")
    services.accounts.log_in("noor", PASSWORD, address="198.51.100.9")


def test_what_was_typed_as_a_name_is_not_kept(services: Services, noor: Actor) -> None:
    with pytest.raises(LogInError):
        services.accounts.log_in("my secret password", "x", address=None)
    entries = services.audit.entries(noor, action="login.failed")
    assert [entry.object for entry in entries] == ["user:unknown"]
    assert "secret" not in str(entries)


def test_the_last_administrator_stays(services: Services, noor: Actor) -> None:
    assert noor.user_id is not None
    with pytest.raises(LastAdministratorError):
        services.accounts.set_grants(noor, noor.user_id, [Grant(Role.AUDITOR)])
    with pytest.raises(LastAdministratorError):
        services.accounts.set_grants(noor, noor.user_id, [Grant(Role.ADMIN, "scheme:irma-demo")])
    with pytest.raises(LastAdministratorError):
        services.accounts.set_active(noor, noor.user_id, False)
    lieke = make(services, noor, "lieke", Grant(Role.ADMIN))
    assert services.accounts.set_grants(noor, noor.user_id, [Grant(Role.AUDITOR)]).grants == (Grant(Role.AUDITOR),)
    with pytest.raises(LastAdministratorError):
        services.accounts.set_active(OPERATOR, lieke, False)


def test_closing_an_account_ends_its_log_ins_and_tokens(services: Services, noor: Actor) -> None:
    bram = make(services, noor, "bram", Grant(Role.AUDITOR))
    signed_in = services.accounts.log_in("bram", PASSWORD, address=None)
    token = services.accounts.create_api_token(signed_in.actor, NewApiToken("reader", ("scheme.view",))).secret
    services.accounts.set_active(noor, bram, False, "left")
    assert services.accounts.resume(signed_in.cookie, address=None) is None
    with pytest.raises(LogInError):
        services.accounts.authenticate_token(token, address=None)
    with pytest.raises(LogInError):
        services.accounts.log_in("bram", PASSWORD, address=None)


def test_changing_a_password_takes_the_present_one(services: Services, noor: Actor) -> None:
    assert noor.user_id is not None
    with pytest.raises(InvalidInputError) as caught:
        services.accounts.change_password(noor, noor.user_id, "wrong", "short")
    assert set(caught.value.errors) == {"current", "password"}
    services.accounts.change_password(noor, noor.user_id, PASSWORD, "another long password")
    with pytest.raises(LogInError):
        services.accounts.log_in("noor", PASSWORD, address=None)
    services.accounts.log_in("noor", "another long password", address=None)


def test_a_token_acts_for_its_user_within_its_actions(installation: Installation, noor: Actor) -> None:
    accounts = installation.services.accounts
    bram = make(installation.services, noor, "bram", Grant(Role.SCHEME_MANAGER, "scheme:irma-demo"))
    person = accounts.log_in("bram", PASSWORD, address=None).actor
    with pytest.raises(InvalidInputError) as caught:
        accounts.create_api_token(person, NewApiToken("too much", ("user.edit",)))
    assert set(caught.value.errors) == {"actions"}
    for wrong in (
        NewApiToken("", ("scheme.view",)),
        NewApiToken("x", ()),
        NewApiToken("x", ("no.action",)),
        NewApiToken("x", ("scheme.view",), 366),
    ):
        with pytest.raises(InvalidInputError):
            accounts.create_api_token(person, wrong)
    created = accounts.create_api_token(person, NewApiToken("ci", ("scheme.view", "scheme.publish"), 30))
    actor = accounts.authenticate_token(created.secret, address="192.0.2.3", request_id="r")
    assert (actor.kind, actor.name, actor.user_id) == (ActorKind.TOKEN, "bram/ci", bram)
    authorize(actor, Action.SCHEME_PUBLISH, "scheme:irma-demo")
    for action, scope in ((Action.SCHEME_PUBLISH, "scheme:other"), (Action.SCHEME_EDIT, "scheme:irma-demo")):
        with pytest.raises(PermissionDeniedError):
            authorize(actor, action, scope)
    with pytest.raises(PermissionDeniedError):
        accounts.create_api_token(actor, NewApiToken("another", ("scheme.view",)))
    assert accounts.list_api_tokens(person, bram)[0].last_used_at is not None
    installation.clock.move(timedelta(days=30))
    with pytest.raises(LogInError):
        accounts.authenticate_token(created.secret, address=None)


def test_a_revoked_token_is_of_no_use(services: Services, noor: Actor) -> None:
    created = services.accounts.create_api_token(noor, NewApiToken("ci", ("scheme.view",)))
    services.accounts.revoke_api_token(noor, created.token.id, "leaked")
    for secret in (created.secret, "", "irmahub_wrong"):
        with pytest.raises(LogInError):
            services.accounts.authenticate_token(secret, address=None)


def test_nobody_sees_or_ends_what_is_somebody_elses(services: Services, noor: Actor) -> None:
    make(services, noor, "bram", Grant(Role.REQUESTOR_ADMIN))
    bram = services.accounts.log_in("bram", PASSWORD, address=None).actor
    token = services.accounts.create_api_token(noor, NewApiToken("ci", ("scheme.view",))).token
    log_in = services.accounts.list_log_ins(noor, noor.user_id or 0)[0]
    with pytest.raises(NotFoundError):
        services.accounts.revoke_api_token(bram, token.id)
    with pytest.raises(NotFoundError):
        services.accounts.revoke_log_in(bram, log_in.id)
    for forbidden in (
        lambda: services.accounts.list_users(bram),
        lambda: services.accounts.get_user(bram, noor.user_id or 0),
        lambda: services.accounts.list_log_ins(bram, noor.user_id or 0),
        lambda: services.accounts.list_api_tokens(bram),
        lambda: services.accounts.set_grants(bram, bram.user_id or 0, [Grant(Role.ADMIN)]),
        lambda: services.accounts.change_password(bram, noor.user_id or 0, PASSWORD, "another long password"),
    ):
        with pytest.raises(PermissionDeniedError):
            forbidden()


@pytest.mark.parametrize(
    ("new", "field"),
    [
        (NewUser("", "X", PASSWORD), "name"),
        (NewUser("a b", "X", PASSWORD), "name"),
        (NewUser("x" * 65, "X", PASSWORD), "name"),
        (NewUser("noor", "X", PASSWORD), "name"),
        (NewUser("x", "", PASSWORD), "display_name"),
        (NewUser("x", "X", "short"), "password"),
        (NewUser("x", "X", PASSWORD, email="no address"), "email"),
        (NewUser("x", "X", PASSWORD, language="de"), "language"),
        (NewUser("x", "X", PASSWORD, grants=(Grant(Role.AUDITOR, "everything"),)), "grants"),
    ],
)
def test_input_that_does_not_fit_names_its_field(services: Services, noor: Actor, new: NewUser, field: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        services.accounts.create_user(noor, new)
    assert set(caught.value.errors) == {field}


def test_a_token_does_not_end_or_change_what_belongs_to_its_person(services: Services, noor: Actor) -> None:
    accounts = services.accounts
    log_in = accounts.log_in("noor", PASSWORD, address=None)
    other = accounts.create_api_token(noor, NewApiToken("other", ("scheme.view",)))
    token = accounts.authenticate_token(accounts.create_api_token(noor, NewApiToken("reads", ("scheme.view",))).secret, address=None)
    with pytest.raises(NotFoundError):
        accounts.revoke_log_in(token, log_in.log_in.id)
    with pytest.raises(NotFoundError):
        accounts.revoke_api_token(token, other.token.id)
    for refused in (
        lambda: accounts.list_log_ins(token, log_in.user.id),
        lambda: accounts.list_api_tokens(token, log_in.user.id),
        lambda: accounts.set_preferences(token, log_in.user.id, language="nl", theme=""),
    ):
        with pytest.raises(PermissionDeniedError):
            refused()
    assert accounts.get_user(token, log_in.user.id).name == "noor"
