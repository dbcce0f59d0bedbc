"""What the forms of all packages share. A form only carries values; the service checks them, and its errors come back to the fields."""

from collections.abc import Collection, Mapping
from typing import Any

from flask_wtf import FlaskForm

from console.messages import finished, translated
from gateway.inputs import InvalidInputError


class Form(FlaskForm):
    """A form with its CSRF field; Flask-WTF translates what WTForms itself says of choices and dates."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: Errors of texts that are asked for in every language, by `name.en`; their controls are no fields of the form.
        self.text_errors: dict[str, str] = {}

    def show(self, error: InvalidInputError, names: Mapping[str, str] | None = None, texts: Collection[str] = ()) -> None:
        """Put the service's errors beside the fields they are about; what no field fits goes above the form.

        Args:
            error: what the service refused.
            names: what the service calls fields that have another name here.
            texts: the names of texts in every language.
        """
        for place, message in error.errors.items():
            text = finished(translated(message))
            name = next((own + place[len(other) :] for other, own in (names or {}).items() if place.startswith(other)), place)
            field = name.partition(".")[0]
            if field in texts:
                self.text_errors.setdefault(name, text)
            elif field in self:
                self[field].errors = [*self[field].errors, text]
            else:
                self.form_errors.append(text)

    def refuse(self, message: str) -> None:
        """Put a refusal that is about the whole above the form."""
        self.form_errors.append(message)
