"""The texts of the console as they stand in code and templates, and the catalogue of a language.

`python -m tests.support.catalogue nl` brings `messages.po` up to date: new texts get an empty translation, unused ones go.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from tests.support.shared import ROOT

#: What is looked through, with the way each kind of file is read.
SOURCES: Final = (
    ("console", [("**.py", "python")]),
    ("gateway", [("**.py", "python")]),
    ("templates", [("**.html", "jinja2")]),
)
KEYWORDS: Final = {"_": None, "_l": None, "gettext": None, "lazy_gettext": None, "ngettext": (1, 2), "Message": None}
OPTIONS: Final = {"**.html": {"trimmed": "true", "silent": "false"}}


def catalogue_path(language: str) -> Path:
    """Where the catalogue of a language stands."""
    return ROOT / "console" / "translations" / language / "LC_MESSAGES" / "messages.po"


def extracted() -> Iterator[str | tuple[str, str]]:
    """Every text in code and templates; a text with a plural as a pair."""
    for folder, methods in SOURCES:
        for _, _, message, _, _ in extract_from_dir(ROOT / folder, methods, OPTIONS, KEYWORDS):
            yield message


def read_catalogue(language: str) -> Catalog:
    """The catalogue of a language as it stands."""
    with catalogue_path(language).open("rb") as file:
        return read_po(file, locale=language)


def main(language: str) -> None:
    """Bring a catalogue up to date."""
    path = catalogue_path(language)
    present = read_catalogue(language) if path.exists() else Catalog(locale=language)
    catalogue = Catalog(locale=language, project="irmahub", copyright_holder="the irmahub project", fuzzy=False)
    for message in sorted(set(extracted()), key=str):
        known = present.get(message if isinstance(message, str) else message[0])
        catalogue.add(message, known.string if known is not None else None)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(file, catalogue, omit_header=False, width=160, include_lineno=False, no_location=True)
    missing = [message.id for message in catalogue if message.id and not all(message.string if message.pluralizable else [message.string])]
    print(f"{len(catalogue)} texts, {len(missing)} without translation")


if __name__ == "__main__":
    main(*sys.argv[1:])
