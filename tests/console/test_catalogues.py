"""Every text of the console has its translation, and no translation is left over."""

import pytest
from babel.messages.catalog import Catalog

from tests.support.catalogue import extracted, read_catalogue

KEYS = {message if isinstance(message, str) else message[0] for message in extracted()}


@pytest.fixture(params=["nl"])
def catalogue(request: pytest.FixtureRequest) -> Catalog:
    """The catalogue of each language but English, which stands in the code."""
    return read_catalogue(request.param)


@pytest.mark.feature("H5")
def test_no_text_is_missing_fuzzy_or_unused(catalogue: Catalog) -> None:
    translated = {}
    for message in catalogue:
        if message.id:
            assert not message.fuzzy, message.id
            texts = message.string if message.pluralizable else (message.string,)
            translated[message.id if isinstance(message.id, str) else message.id[0]] = all(texts)
    assert sorted(KEYS - {key for key, complete in translated.items() if complete}) == [], "texts without translation"
    assert sorted(set(translated) - KEYS) == [], "translations of no text"


def test_translations_keep_the_places_of_values(catalogue: Catalog) -> None:
    def places(text: str) -> set[str]:
        return {part.partition(")")[0] for part in text.split("%(")[1:]}

    for message in catalogue:
        if message.id and not message.pluralizable:
            assert places(message.string) == places(message.id), message.id
        elif message.id:
            for text in message.string:
                assert places(text) <= places(message.id[1]), message.id


def test_the_catalogue_speaks_to_the_reader_informally(catalogue: Catalog) -> None:
    formal = [
        message.id
        for message in catalogue
        if message.id
        for word in str(message.string).split()
        if word.strip(".,;:“”()'") in ("u", "uw", "Uw", "U")
    ]
    assert formal == []
