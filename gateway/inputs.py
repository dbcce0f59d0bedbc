"""Input that a person or program gave and that breaks a rule: which fields, and what each should be.

One frozen dataclass per object is what forms, the JSON API and commands validate into; the service checks it and raises
`InvalidInputError`, whose fields the caller shows beside its own.
"""

from collections.abc import Callable, Mapping
from typing import Protocol, Self


class Message(str):
    """A sentence for people: an English text, with the template and values that another language is made from.

    Attributes:
        template: the text with `%(name)s` in place of values, the key of the translation.
        values: what fills the places.
    """

    __slots__ = ("template", "values")
    template: str
    values: Mapping[str, object]

    def __new__(cls, template: str, **values: object) -> Self:
        message = super().__new__(cls, template % values if values else template)
        message.template = template
        message.values = values
        return message

    def translated(self, gettext: Callable[[str], str]) -> str:
        """The sentence in the language of `gettext`, with the sentences among its values."""
        template = gettext(self.template)
        values = {name: value.translated(gettext) if isinstance(value, Message) else value for name, value in self.values.items()}
        return template % values if values else template


class InvalidInputError(Exception):
    """One or more fields break a rule; nothing was changed.

    Attributes:
        errors: field name to what it should be. The empty name is for the whole.
    """

    def __init__(self, errors: Mapping[str, str]) -> None:
        if not errors:
            raise ValueError("an error without a field says nothing")
        super().__init__("; ".join(f"{field}: {message}" if field else message for field, message in errors.items()))
        self.errors = dict(errors)


class NotFoundError(Exception):
    """There is no such object, or none that the actor may know of.

    Attributes:
        kind: what was looked for (`requestor`, `job`, `envelope` …).
        name: its name or number.
    """

    def __init__(self, kind: str, name: object) -> None:
        super().__init__(f"there is no {kind} {name}")
        self.kind = kind
        self.name = str(name)


class ConflictError(Exception):
    """The object changed since it was read; the change was not made."""


class Errors:
    """Collects the errors of one input, so that all are told at once."""

    def __init__(self) -> None:
        self._errors: dict[str, str] = {}

    def add(self, field: str, message: str) -> None:
        """Note an error; the first of a field stays."""
        self._errors.setdefault(field, message)

    def check(self, holds: bool, field: str, message: str) -> None:
        """Note an error unless the rule holds."""
        if not holds:
            self.add(field, message)

    def raise_if_any(self) -> None:
        """Raise `InvalidInputError` if there are errors."""
        if self._errors:
            raise InvalidInputError(self._errors)


class Checked(Protocol):
    """An input that can look at itself."""

    def check(self, errors: Errors) -> None:
        """Note what breaks a rule."""
        ...


def demand_valid(value: Checked) -> None:
    """Demand that an input breaks no rule.

    Raises:
        InvalidInputError: it breaks some; all are told.
    """
    errors = Errors()
    value.check(errors)
    errors.raise_if_any()


def demand_reason(reason: str | None) -> None:
    """Demand a reason, for what cannot be undone or lets a secret out.

    Raises:
        InvalidInputError: there is none.
    """
    if not (reason or "").strip():
        raise InvalidInputError({"reason": Message("must be given")})
