"""The forms of requestors."""

from datetime import UTC, date, datetime

from flask_babel import lazy_gettext as _l
from wtforms import DateField, RadioField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import Optional

from console.forms import Form
from gateway.models import AuthMethod
from gateway.permissions import Permissions
from gateway.requestors.models import NewKey

_LINES = {"rows": 4, "spellcheck": "false"}


class RequestorForm(Form):
    """A requestor to be registered."""

    name = StringField(_l("Name"), render_kw={"spellcheck": "false", "autocapitalize": "none", "autocomplete": "off"})
    contact = StringField(_l("Contact"))


class KeyForm(Form):
    """A key to be added."""

    label = StringField(_l("Label"), render_kw={"autocomplete": "off"})
    method = RadioField(
        _l("Method"),
        choices=[
            SelectChoice("publickey", _l("Public key: its backend signs requests, and only its backend can")),
            SelectChoice("token", _l("Token: made here, sent with every request")),
            SelectChoice("hmac", _l("HMAC secret: made here, signs requests on both sides")),
        ],
        default="publickey",
    )
    material = TextAreaField(_l("Public key"), render_kw={"rows": 6, "spellcheck": "false"})
    not_before = DateField(_l("Not before"), format="%Y-%m-%d", validators=[Optional()])
    expires_at = DateField(_l("Expires"), format="%Y-%m-%d", validators=[Optional()])

    def value(self) -> NewKey:
        """What the service takes, of a form that was validated."""
        method = AuthMethod(self.method.data)
        return NewKey(
            method=method,
            material=(self.material.data or "").strip() if method is AuthMethod.PUBLICKEY else "",
            label=(self.label.data or "").strip(),
            not_before=_midnight(self.not_before.data),
            expires_at=_midnight(self.expires_at.data),
        )


def _midnight(day: date | None) -> datetime | None:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) if day else None


class PermissionsForm(Form):
    """All permissions of a requestor, a pattern a line."""

    disclose = TextAreaField(_l("Disclose"), render_kw=_LINES)
    sign = TextAreaField(_l("Sign"), render_kw=_LINES)
    issue = TextAreaField(_l("Issue"), render_kw=_LINES)
    revoke = TextAreaField(_l("Revoke"), render_kw=_LINES)
    host = TextAreaField(_l("Hosts"), render_kw=_LINES)

    @classmethod
    def of(cls, permissions: Permissions) -> "PermissionsForm":
        """The form filled with what is granted now."""
        kinds = ("disclose", "sign", "issue", "revoke", "host")
        return cls(formdata=None, data={kind: "\n".join(getattr(permissions, kind)) for kind in kinds})

    def value(self) -> Permissions:
        """What the service takes: the lines that are not empty, each once."""
        return Permissions(
            **{kind: tuple(dict.fromkeys((self[kind].data or "").split())) for kind in ("disclose", "sign", "issue", "revoke", "host")}
        )


class ExplainForm(Form):
    """A request to be judged."""

    request = TextAreaField(_l("Request"), render_kw={"rows": 9, "spellcheck": "false"})
