"""Language and theme: cookies that the server reads, so that the first paint is right and a script is not needed."""

from typing import Final

from flask import Blueprint, Response, current_app, redirect, request
from flask_login import current_user

from console.authentication import actor, safe_target, services
from console.i18n import LANGUAGE_COOKIE, LANGUAGES

THEME_COOKIE: Final = "theme"
THEMES: Final = ("light", "dark")
YEAR_SECONDS: Final = 365 * 24 * 3600

preferences = Blueprint("preferences", __name__, url_prefix="/preferences")


@preferences.post("/theme")
def set_theme() -> Response:
    """Remember light or dark, follow the system again, or turn to the other one."""
    answer = redirect(safe_target(request.form.get("next")))
    theme = request.form.get("theme")
    if theme == "other":
        theme = "light" if request.cookies.get(THEME_COOKIE) == "dark" else "dark"
    theme = theme if theme in THEMES else ""
    if current_user.is_authenticated:
        services().accounts.set_preferences(actor(), current_user.user_id, language=current_user.language, theme=theme)
    remember(answer, THEME_COOKIE, theme)
    return answer


@preferences.post("/language")
def set_language() -> Response:
    """Remember a language in the browser, and in the account of whoever is signed in."""
    answer = redirect(safe_target(request.form.get("next")))
    language = request.form.get("language", "")
    if language in LANGUAGES:
        if current_user.is_authenticated:
            services().accounts.set_preferences(actor(), current_user.user_id, language=language, theme=current_user.theme)
        remember(answer, LANGUAGE_COOKIE, language)
    return answer


def remember(answer: Response, name: str, value: str) -> None:
    """Keep a choice in the browser for a year; an empty one is forgotten."""
    secure = current_app.config["SESSION_COOKIE_SECURE"]
    if value:
        answer.set_cookie(name, value, max_age=YEAR_SECONDS, secure=secure, httponly=True, samesite="Lax")
    else:
        answer.delete_cookie(name, secure=secure, httponly=True, samesite="Lax")
