"""The console's application: pages over the services. Pages hold no rule; each builds a form, calls a service and answers."""

import hmac
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Final

from flask import Blueprint, Flask, request
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_bootstrap import Bootstrap5

from console import assets, error_pages, formats, i18n, input_guard, messages, words
from console.accounts.views import accounts
from console.api.authentication import requires_bearer_token
from console.api.views import api
from console.audit.views import audit
from console.authentication import install_authentication, requires_log_in, requires_no_auth
from console.drafts.version_views import versions
from console.drafts.views import drafts
from console.drafts.words import install_draft_words
from console.extensions import csrf
from console.health import health_api
from console.home.views import home
from console.issuer_keys.views import issuer_keys
from console.preferences import THEME_COOKIE, THEMES, preferences
from console.publishing.views import publishing
from console.requestors.views import requestors
from console.schemes.views import schemes
from console.security_headers import set_security_headers
from console.services import Services
from console.styleguide import styleguide
from gateway.health import DEFAULT_LIMITS, Health, installation_checks
from gateway.observation import observe
from idemix.clock import Clock, system_clock

#: Where the templates are: inside the package in a wheel, at the top of the tree in a checkout.
_PACKAGE: Final = Path(__file__).parent
TEMPLATES: Final = next(path for path in (_PACKAGE / "templates", _PACKAGE.parent / "templates") if path.is_dir())

Authentication = Callable[[], ResponseReturnValue | None]

#: Every blueprint with the authentication of its routes.
BLUEPRINTS: Final[Mapping[Blueprint, Authentication]] = {
    accounts: requires_log_in,
    api: requires_bearer_token,
    assets.blueprint: requires_no_auth,
    audit: requires_log_in,
    drafts: requires_log_in,
    health_api: requires_no_auth,
    home: requires_log_in,
    issuer_keys: requires_log_in,
    preferences: requires_no_auth,
    publishing: requires_log_in,
    requestors: requires_log_in,
    schemes: requires_log_in,
    styleguide: requires_log_in,
    versions: requires_log_in,
}


def create_app(
    services: Services,
    *,
    clock: Clock = system_clock,
    health: Health | None = None,
    time_zone: str = "Europe/Amsterdam",
) -> Flask:
    """Make the console.

    Args:
        services: what the pages call.
        clock: tells the time to which distances such as `in 9 days` are counted.
        health: whether the process can work, by default whether its services can.
        time_zone: an IANA name; the zone that moments are shown in.
    """
    app = Flask("console", static_folder=str(_PACKAGE / "static"), template_folder=str(TEMPLATES))
    secure = services.settings.production
    app.config.update(
        SECRET_KEY=hmac.digest(services.custody.pepper(), b"session cookies of the console", "sha256"),
        SESSION_COOKIE_NAME="__Host-irmahub" if secure else "irmahub",
        SESSION_COOKIE_SECURE=secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SEND_FILE_MAX_AGE_DEFAULT=3600,
        MAX_FORM_MEMORY_SIZE=1024 * 1024,
        WTF_CSRF_TIME_LIMIT=None,  # a form lives as long as its session
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.extensions["services"] = services
    app.extensions["clock"] = clock
    app.extensions["health"] = health or Health(installation_checks(services, services.settings.data_directory, DEFAULT_LIMITS))

    observe(app, "console")
    input_guard.install_body_limits(app)
    Bootstrap5(app)
    csrf.init_app(app)
    i18n.install_languages(app, time_zone=time_zone)
    formats.install_formats(app, clock)
    messages.install_messages(app)
    words.install_words(app, clock)
    install_draft_words(app)
    set_security_headers(app)
    input_guard.install_input_guard(app)
    error_pages.install_error_pages(app)
    install_authentication(app, {blueprint.name: check for blueprint, check in BLUEPRINTS.items()} | {"bootstrap": requires_no_auth})
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)

    installation = "production" if services.settings.production else "demo"
    product_version = version("irmahub")

    @app.context_processor
    def page_values() -> dict[str, object]:
        theme = request.cookies.get(THEME_COOKIE)
        return {
            "get_locale": get_locale,
            "installation": installation,
            "languages": i18n.LANGUAGES,
            "style_sheet_digest": assets.style_sheet()[1],
            "theme": theme if theme in THEMES else None,
            "time_zone": time_zone,
            "version": product_version,
        }

    return app
