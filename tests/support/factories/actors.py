"""Actors."""

from gateway.actor import Actor, ActorKind, Grant, Role

ADMIN = Actor(ActorKind.USER, "alice", (Grant(Role.ADMIN),), user_id=1, address="192.0.2.7", request_id="req-1")


def actor(role: Role, scope: str = "*", *, name: str = "bob") -> Actor:
    """A user with one role."""
    return Actor(ActorKind.USER, name, (Grant(role, scope),), user_id=2)


NOBODY = Actor(ActorKind.USER, "nobody", (), user_id=3)
