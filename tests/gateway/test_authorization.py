"""The table of actions and roles, scopes, and tokens."""

import pytest

from gateway.actor import Actor, ActorKind, Grant, Role, command_actor, system_actor
from gateway.authorization import (
    ROLES,
    Action,
    PermissionDeniedError,
    authorize,
    covers,
    issuer_scope,
    may,
    may_anywhere,
    organisation_scope,
)
from tests.support.factories.actors import ADMIN, NOBODY, actor

#: What an auditor may: look, check, verify.
READING = {"view", "check", "verify"}


def test_every_action_has_its_roles() -> None:
    assert set(ROLES) == set(Action)


@pytest.mark.parametrize("action", list(Action), ids=lambda action: action.value)
def test_table_decides(action: Action) -> None:
    for role in Role:
        assert may(actor(role), action) == (role in ROLES[action] or role is Role.ADMIN), role
    assert not may(NOBODY, action)


def test_auditor_only_reads() -> None:
    allowed = {action for action in Action if may(actor(Role.AUDITOR), action)}
    assert allowed
    assert all(action.value.rpartition(".")[2] in READING for action in allowed)


@pytest.mark.parametrize(
    ("granted", "scope", "expected"),
    [
        ("*", "*", True),
        ("*", "scheme:irma-demo", True),
        ("scheme:irma-demo", "scheme:irma-demo", True),
        ("scheme:irma-demo", "issuer:irma-demo.RU", True),
        ("scheme:irma-demo", "scheme:irma-demo2", False),
        ("scheme:irma-demo", "issuer:irma-demo2.RU", False),
        ("scheme:irma", "issuer:irma-demo.RU", False),
        ("scheme:irma-demo", "*", False),
        ("issuer:irma-demo.RU", "issuer:irma-demo.RU", True),
        ("issuer:irma-demo.RU", "issuer:irma-demo.RUX", False),
        ("issuer:irma-demo.RU", "scheme:irma-demo", False),
        ("organisation:7", "organisation:7", True),
        ("organisation:7", "organisation:77", False),
        ("organisation:7", "*", False),
    ],
)
def test_scopes(granted: str, scope: str, expected: bool) -> None:
    assert covers(granted, scope) is expected


def test_refusal_says_who_what_and_which_role() -> None:
    with pytest.raises(PermissionDeniedError, match=r"bob may not scheme.publish on scheme:pbdf: it takes the role admin or"):
        authorize(actor(Role.SCHEME_MANAGER, "scheme:irma-demo"), Action.SCHEME_PUBLISH, "scheme:pbdf")


def test_one_of_several_scopes_is_enough() -> None:
    owner = actor(Role.ISSUER_OWNER, "issuer:irma-demo.RU")
    authorize(owner, Action.ISSUER_KEY_ROTATE, ("issuer:irma-demo.MijnOverheid", issuer_scope("irma-demo.RU")))
    assert not may(owner, Action.ISSUER_KEY_ROTATE, ("issuer:irma-demo.MijnOverheid", "scheme:irma-demo"))


def test_token_takes_its_own_actions_only() -> None:
    token = Actor(ActorKind.TOKEN, "ci", (Grant(Role.ADMIN),), user_id=1, actions=frozenset({"scheme.check"}))
    authorize(token, Action.SCHEME_CHECK)
    with pytest.raises(PermissionDeniedError, match="the token was not made for this action"):
        authorize(token, Action.SCHEME_PUBLISH)
    assert not may_anywhere(token, Action.SCHEME_PUBLISH)


def test_token_has_no_more_than_its_user() -> None:
    token = Actor(ActorKind.TOKEN, "ci", (Grant(Role.AUDITOR),), user_id=1, actions=frozenset({"scheme.publish"}))
    assert not may(token, Action.SCHEME_PUBLISH)


def test_system_and_commands_may_everything() -> None:
    for action in Action:
        for able in (ADMIN, system_actor("worker"), command_actor("root")):
            assert may(able, action, "issuer:irma-demo.RU")


def test_anywhere() -> None:
    manager = actor(Role.SCHEME_MANAGER, "scheme:irma-demo")
    assert may_anywhere(manager, Action.SCHEME_PUBLISH)
    assert not may(manager, Action.SCHEME_PUBLISH)
    assert not may_anywhere(manager, Action.REQUESTOR_EDIT)


def test_what_nobody_owns_belongs_to_the_installation() -> None:
    assert organisation_scope(None) == "*"
    assert organisation_scope(7) == "organisation:7"
