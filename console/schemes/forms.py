"""The forms of schemes."""

from flask_babel import lazy_gettext as _l
from wtforms import RadioField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice

from console.forms import Form
from console.words import CHANNELS
from gateway.models import Channel


class ImportForm(Form):
    """Where a scheme comes from, and for whom it is."""

    source = StringField(_l("Directory or git address"), render_kw={"spellcheck": "false", "autocapitalize": "none"})
    branch = StringField(_l("Branch"), render_kw={"spellcheck": "false", "autocapitalize": "none"})
    channel = RadioField(_l("Channel"), choices=[SelectChoice(channel.value, CHANNELS[channel]) for channel in Channel], default="demo")
    public_key = TextAreaField(_l("Public key of the scheme"), render_kw={"rows": 4, "spellcheck": "false"})
    remote = StringField(_l("Push publications to"), render_kw={"spellcheck": "false", "autocapitalize": "none"})
    public_url = StringField(_l("Public address"), render_kw={"spellcheck": "false", "autocapitalize": "none"})


class DraftForm(Form):
    """What a new draft is for."""

    title = StringField(_l("What will change"))
