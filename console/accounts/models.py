"""The typed objects of accounts: what forms, API and commands validate into, and what the service gives back."""

from dataclasses import dataclass
from datetime import datetime

from gateway.actor import Actor, Grant

LANGUAGES = ("en", "nl")
THEMES = ("light", "dark")


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user to be made.

    Attributes:
        name: what the person types to sign in; 1 to 64 of `A-Za-z0-9._@-`, kept in lower case.
        display_name: how the person is called on pages; 1 to 100 characters.
        password: 12 to 200 characters.
        email: where mail goes, or empty.
        grants: roles within scopes.
        language: `en`, `nl`, or empty: that of the browser.
    """

    name: str
    display_name: str
    password: str
    email: str = ""
    grants: tuple[Grant, ...] = ()
    language: str = ""


@dataclass(frozen=True, slots=True)
class UserInfo:
    """A user, without the password's hash. An empty language follows the browser, an empty theme the system."""

    id: int
    name: str
    display_name: str
    email: str
    grants: tuple[Grant, ...]
    language: str
    theme: str
    is_active: bool
    created_at: datetime
    last_log_in_at: datetime | None


@dataclass(frozen=True, slots=True)
class LogInInfo:
    """A log-in (a row): where somebody is signed in."""

    id: int
    user_id: int
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    address: str | None
    user_agent: str


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A person who is signed in: the user, the log-in and the actor for the services.

    Attributes:
        cookie: the random id for the cookie; only `Accounts.log_in` fills it, and only its hash is stored.
    """

    user: UserInfo
    log_in: LogInInfo
    actor: Actor
    cookie: str = ""


@dataclass(frozen=True, slots=True)
class NewApiToken:
    """An API token to be made; it acts for its maker.

    Attributes:
        name: what it is for; 1 to 100 characters, unique among the maker's valid tokens.
        actions: the actions it may take (values of `gateway.authorization.Action`), at least one; never more than its maker's roles allow.
        lifetime_days: 1 to 365.
    """

    name: str
    actions: tuple[str, ...]
    lifetime_days: int = 90


@dataclass(frozen=True, slots=True)
class ApiTokenInfo:
    """An API token, without the secret."""

    id: int
    name: str
    user_id: int
    user_name: str
    actions: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class CreatedApiToken:
    """A token just made. `secret` is shown once and stored nowhere."""

    token: ApiTokenInfo
    secret: str
