"""The forms of accounts."""

from flask_babel import lazy_gettext as _l
from wtforms import PasswordField, StringField

from console.forms import Form


class SignInForm(Form):
    """Name and password."""

    name = StringField(_l("Name"), render_kw={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"})
    password = PasswordField(_l("Password"), render_kw={"autocomplete": "current-password"})


class PasswordForm(Form):
    """A new password, with the present one as proof."""

    current = PasswordField(_l("Present password"), render_kw={"autocomplete": "current-password"})
    new = PasswordField(_l("New password"), render_kw={"autocomplete": "new-password"})
