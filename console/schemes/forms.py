"""The forms of schemes."""

from flask_babel import lazy_gettext as _l
from wtforms import FileField, RadioField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice

from console.forms import Form
from console.schemes.models import SourceKind
from console.words import CHANNELS, SOURCES
from gateway.models import Channel


class ImportForm(Form):
    """Where a scheme comes from, and for whom it is."""

    kind = RadioField(
        _l("Where it comes from"), choices=[SelectChoice(kind.value, SOURCES[kind]) for kind in SourceKind], default=SourceKind.DETECT.value
    )
    source = StringField(_l("Directory or address"), render_kw={"spellcheck": "false", "autocapitalize": "none"})
    archive = FileField(_l("Zip"), render_kw={"accept": ".zip,application/zip"})
    branch = StringField(_l("Branch"), render_kw={"spellcheck": "false", "autocapitalize": "none"})
    channel = RadioField(_l("Channel"), choices=[SelectChoice(channel.value, CHANNELS[channel]) for channel in Channel], default="demo")
    public_key = TextAreaField(_l("Public key of the scheme"), render_kw={"rows": 4, "spellcheck": "false"})
    remote = StringField(_l("Push publications to"), render_kw={"spellcheck": "false", "autocapitalize": "none"})
    public_url = StringField(_l("Public address"), render_kw={"spellcheck": "false", "autocapitalize": "none"})


class DraftForm(Form):
    """What a new draft is for."""

    title = StringField(_l("What will change"))


class NewSchemeForm(Form):
    """A scheme that begins here; its texts are asked for in each language."""

    id = StringField(_l("Identifier"), render_kw={"spellcheck": "false", "autocapitalize": "none"})
    channel = RadioField(_l("Channel"), choices=[SelectChoice(channel.value, CHANNELS[channel]) for channel in Channel], default="demo")
    languages = StringField(_l("Languages"), render_kw={"spellcheck": "false", "autocapitalize": "none"}, default="en, nl")
    url = StringField(_l("Address of the scheme"), render_kw={"spellcheck": "false", "autocapitalize": "none", "placeholder": "https://"})
    remote = StringField(_l("Push publications to"), render_kw={"spellcheck": "false", "autocapitalize": "none"})
    public_url = StringField(_l("Public address"), render_kw={"spellcheck": "false", "autocapitalize": "none"})
