"""Texts in several languages."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final


class TranslatedString(Mapping[str, str]):
    """Language code → text. Immutable; keeps the order in which it was written.

    In XML the languages are child elements (`<en>…</en><nl>…</nl>`), in JSON the keys of an object.

    Source: irmago `irma/descriptions.go` TranslatedString.
    """

    __slots__ = ("_texts",)

    def __init__(self, texts: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        self._texts: Final = dict(texts)

    def __getitem__(self, language: str) -> str:
        return self._texts[language]

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)

    def __hash__(self) -> int:
        return hash(frozenset(self._texts.items()))

    def __repr__(self) -> str:
        return f"TranslatedString({self._texts!r})"

    def missing(self, languages: Iterable[str]) -> list[str]:
        """Those of the languages in which there is no text, or an empty one."""
        return [language for language in languages if not self._texts.get(language)]

    def in_language(self, language: str) -> str:
        """The text to show to a reader of a language.

        The exact code, else its base language, else English, else the first in alphabetical order; empty texts are passed over.

        Source: irmago `common/clientmodels/resolve.go` BundleLanguage.
        """
        for candidate in (language, language.partition("-")[0], "en", "", *sorted(self._texts)):
            if text := self._texts.get(candidate):
                return text
        return ""
