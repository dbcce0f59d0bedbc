"""What the forms of all packages share. A form only carries values; the service checks them, and its errors come back to the fields."""

from flask_wtf import FlaskForm

from console.messages import finished, translated
from gateway.inputs import InvalidInputError


class Form(FlaskForm):
    """A form with its CSRF field."""

    class Meta(FlaskForm.Meta):
        # Messages of our own are translated by Flask-Babel; those of WTForms are not used: the services judge.
        locales = ("en",)

    def show(self, error: InvalidInputError, fields: dict[str, str] | None = None) -> None:
        """Put the service's errors beside the fields they are about; what no field fits goes above the form.

        Args:
            error: what the service refused.
            fields: names of the service's fields -> names of this form's, where they differ.
        """
        for name, message in error.errors.items():
            own = (fields or {}).get(name, name).partition(".")[0]
            text = finished(translated(message))
            if own in self:
                self[own].errors = [*self[own].errors, text]
            else:
                self.form_errors.append(text)

    def refuse(self, message: str) -> None:
        """Put a refusal that is about the whole above the form."""
        self.form_errors.append(message)
