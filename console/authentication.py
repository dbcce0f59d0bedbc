"""Who is signed in: the cookie holds the random id of a log-in, the services get an `Actor`."""

from collections.abc import Callable, Mapping

from flask import Flask, current_app, flash, g, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_login import UserMixin, current_user

from console.accounts.models import LoggedIn
from console.extensions import login_manager
from console.services import Services
from gateway.actor import Actor


class SignedIn(UserMixin):
    """The person of this request, for Flask-Login. Its id is that of the log-in, never that of the user."""

    def __init__(self, logged_in: LoggedIn, cookie: str) -> None:
        self._cookie = cookie
        self.actor = logged_in.actor
        self.user_id = logged_in.user.id
        self.log_in_id = logged_in.log_in.id
        self.name = logged_in.user.name
        self.display_name = logged_in.user.display_name
        self.language = logged_in.user.language
        self.theme = logged_in.user.theme

    def get_id(self) -> str:
        return self._cookie

    @property
    def initials(self) -> str:
        """The first letters of the first and last word of the name."""
        words = self.display_name.split()
        return (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper()


def services() -> Services:
    """The services of this application."""
    found: Services = current_app.extensions["services"]
    return found


def actor() -> Actor:
    """The actor of this request; only asked where a log-in is demanded."""
    found: Actor = current_user.actor
    return found


def requires_no_auth() -> None:
    """The route is for everybody."""


def requires_log_in() -> ResponseReturnValue | None:
    """The route is for people who are signed in; others are sent to sign in and come back."""
    if current_user.is_authenticated or request.endpoint in _OPEN:
        return None
    if request.cookies.get(current_app.config["SESSION_COOKIE_NAME"]) and g.get("log_in_ended"):
        flash(gettext("You were signed out. Sign in to go on where you were."), "idle")
    wanted = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for("accounts.sign_in", next=wanted if wanted != "/" else None))


#: The page where one signs in is open itself.
_OPEN = frozenset({"accounts.sign_in"})


def safe_target(target: str | None) -> str:
    """A path of this site to go on to, from what the browser sent; the home page where it is none."""
    # Browsers drop control characters and take a backslash for a slash: what holds them could name another host.
    if not target or not target.isprintable() or not target.startswith("/") or target.startswith(("//", "/\\")):
        return url_for("home.index")
    return target


def install_authentication(app: Flask, checks: Mapping[str, Callable[[], ResponseReturnValue | None]]) -> None:
    """Bind Flask-Login, and let every request pass the check of its blueprint; a route without one demands a log-in.

    Args:
        app: the application.
        checks: blueprint name -> its check; Flask's own `static` is for everybody.
    """
    login_manager.init_app(app)
    login_manager.session_protection = None  # log-ins are rows with their own end, and can be revoked

    @login_manager.user_loader
    def load(cookie: str) -> SignedIn | None:
        logged_in = services().accounts.resume(cookie, address=request.remote_addr, request_id=g.request_id)
        if logged_in is None:
            g.log_in_ended = True
            return None
        return SignedIn(logged_in, cookie)

    @app.before_request
    def authenticate() -> ResponseReturnValue | None:
        if request.endpoint is None or request.endpoint == "static":
            return None
        return checks.get(request.blueprint or "", requires_log_in)()
