"""The forms of issuer keys."""

from flask_babel import lazy_gettext as _l
from wtforms import StringField

from console.forms import Form


class NewKeyForm(Form):
    """A key to be generated; empty fields take what the scheme needs."""

    bases = StringField(_l("Bases"), render_kw={"inputmode": "numeric"})
    lifetime_days = StringField(_l("Lifetime in days"), render_kw={"inputmode": "numeric"})
