"""Languages of the console: which one a request gets, and the catalogues that hold its texts.

The catalogues are read as `.po` when the first page asks for them, so that a fresh clone and the wheel need no build step.
English stands in the code and the templates; every other language has a complete catalogue (tests/console/test_catalogues.py).
"""

from io import BytesIO
from pathlib import Path
from typing import Final

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from flask import Flask, request
from flask_babel import Babel, Domain, get_locale
from flask_login import current_user

#: Language tag -> its own name, as the switch shows it.
LANGUAGES: Final = {"en": "English", "nl": "Nederlands"}
LANGUAGE_COOKIE: Final = "language"
TRANSLATIONS: Final = Path(__file__).parent / "translations"


def read_catalogue(path: Path) -> Translations:
    """Read a `.po` file into a catalogue; a fuzzy message counts as missing."""
    with path.open("rb") as po:
        catalogue = read_po(po)
    mo = BytesIO()
    write_mo(mo, catalogue)
    mo.seek(0)
    return Translations(mo)


class PoDomain(Domain):
    """A domain of texts whose catalogues are `.po` files."""

    def get_translations(self) -> NullTranslations:
        """The catalogue of the request's language; English needs none."""
        language = str(get_locale() or "en")
        if language not in self.cache:
            path = TRANSLATIONS / language / "LC_MESSAGES" / "messages.po"
            self.cache[language] = read_catalogue(path) if path.exists() else NullTranslations()
        return self.cache[language]


class PoBabel(Babel):
    """Flask-Babel over a `PoDomain`."""

    domain_instance = PoDomain(str(TRANSLATIONS))


def select_language() -> str:
    """The account's setting, else the cookie of the switch, else what the browser prefers, else English."""
    chosen = getattr(current_user, "language", None) or request.cookies.get(LANGUAGE_COOKIE)
    if chosen in LANGUAGES:
        return chosen
    return request.accept_languages.best_match(LANGUAGES, default="en")


def install_languages(app: Flask, *, time_zone: str) -> None:
    """Bind Flask-Babel with our catalogues; dates show in `time_zone` (a name of the IANA database)."""
    PoBabel(app, default_timezone=time_zone, locale_selector=select_language)
