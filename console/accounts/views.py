"""Signing in and out, and one's own account."""

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext
from flask_login import current_user, login_user, logout_user

from console.accounts.forms import PasswordForm, SignInForm
from console.authentication import SignedIn, actor, safe_target, services
from console.errors import LogInError, LogInThrottledError
from console.preferences import THEME_COOKIE, THEMES, remember
from gateway.inputs import InvalidInputError

accounts = Blueprint("accounts", __name__)


@accounts.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> ResponseReturnValue:
    """Name and password; afterwards back to where the person was going."""
    target = safe_target(request.args.get("next"))
    if current_user.is_authenticated:
        return redirect(target)
    form = SignInForm()
    status = 200
    if form.validate_on_submit():
        try:
            logged_in = services().accounts.log_in(
                form.name.data or "", form.password.data or "", address=request.remote_addr, user_agent=request.user_agent.string
            )
        except LogInThrottledError as error:
            form.password.errors = [_wait(error.retry_after_seconds)]
            status = 429
        except LogInError:
            form.password.errors = [gettext("Name and password do not match.")]
            status = 401
        else:
            session.clear()
            login_user(SignedIn(logged_in, logged_in.cookie))
            answer = redirect(target)
            remember(answer, THEME_COOKIE, logged_in.user.theme)
            return answer
    return render_template("accounts/sign_in.html", form=form), status


def _wait(seconds: int) -> str:
    minutes = -(-seconds // 60)
    return ngettext("Too many tries. Wait a minute, then try again.", "Too many tries. Wait %(num)s minutes, then try again.", minutes)


@accounts.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """End this log-in."""
    services().accounts.log_out(current_user.get_id())
    logout_user()
    session.clear()
    flash(gettext("You are signed out."), "idle")
    return redirect(url_for("accounts.sign_in"))


@accounts.route("/account", methods=["GET", "POST"])
def account() -> ResponseReturnValue:
    """Profile, language, theme, password and where one is signed in; a post changes the password."""
    form = PasswordForm()
    if form.validate_on_submit():
        try:
            services().accounts.change_password(actor(), current_user.user_id, form.current.data or "", form.new.data or "")
        except InvalidInputError as error:
            form.show(error)
        else:
            flash(gettext("Your password is changed. Every log-in has ended; sign in with the new one."), "idle")
            return redirect(url_for("accounts.sign_in"))
    chosen = request.cookies.get(THEME_COOKIE)
    return render_template(
        "accounts/account.html",
        form=form,
        theme_chosen=chosen if chosen in THEMES else "system",
        user=services().accounts.get_user(actor(), current_user.user_id),
        log_ins=services().accounts.list_log_ins(actor(), current_user.user_id),
    ), 422 if form.is_submitted() else 200


@accounts.post("/account/log-ins/<int:log_in_id>/end")
def end_log_in(log_in_id: int) -> ResponseReturnValue:
    """Sign out elsewhere."""
    services().accounts.revoke_log_in(actor(), log_in_id)
    flash(gettext("That log-in is ended."), "ok")
    return redirect(url_for("accounts.account"))
