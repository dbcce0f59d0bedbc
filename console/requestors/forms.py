"""The forms of requestors."""

from datetime import UTC, datetime

from flask_babel import gettext
from flask_babel import lazy_gettext as _l
from wtforms import DateField, RadioField, StringField, TextAreaField

from console.forms import Form
from gateway.inputs import InvalidInputError
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
            ("publickey", _l("Public key: its backend signs requests, and only its backend can")),
            ("token", _l("Token: made here, sent with every request")),
            ("hmac", _l("HMAC secret: made here, signs requests on both sides")),
        ],
        default="publickey",
    )
    material = TextAreaField(_l("Public key"), render_kw={"rows": 6, "spellcheck": "false"})
    not_before = DateField(_l("Not before"), format="%Y-%m-%d")
    expires_at = DateField(_l("Expires"), format="%Y-%m-%d")

    def value(self) -> NewKey:
        """What the service takes.

        Raises:
            InvalidInputError: no method, or a date that is none.
        """
        if self.method.data not in {method.value for method in AuthMethod}:
            raise InvalidInputError({"method": gettext("Choose a method.")})
        wrong = {
            field.name: gettext("Give a date, or leave it empty.")
            for field in (self.not_before, self.expires_at)
            if field.raw_data and field.raw_data[0] and field.data is None
        }
        if wrong:
            raise InvalidInputError(wrong)
        method = AuthMethod(self.method.data)
        return NewKey(
            method=method,
            material=(self.material.data or "").strip() if method is AuthMethod.PUBLICKEY else "",
            label=(self.label.data or "").strip(),
            not_before=_midnight(self.not_before.data),
            expires_at=_midnight(self.expires_at.data),
        )


def _midnight(day: object) -> datetime | None:
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
