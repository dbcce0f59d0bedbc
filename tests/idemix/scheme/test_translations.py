from idemix.scheme.translations import TranslatedString


def test_missing_texts() -> None:
    text = TranslatedString({"en": "a", "nl": ""})
    assert text.missing(["en", "nl", "de"]) == ["nl", "de"]
    assert text == {"en": "a", "nl": ""}
    assert len({text, TranslatedString({"nl": "", "en": "a"})}) == 1


def test_choice_of_a_language() -> None:
    text = TranslatedString({"nl": "kaart", "en": "card", "pt-BR": "cartão", "de": ""})
    assert text.in_language("nl-BE") == "kaart"
    assert text.in_language("pt-BR") == "cartão"
    assert text.in_language("de") == "card"
    assert TranslatedString({"nl": "kaart", "fr": "carte"}).in_language("de") == "carte"
    assert TranslatedString({"": "raw", "nl": "kaart"}).in_language("de") == "raw"
    assert TranslatedString().in_language("de") == ""
