"""What the forms of all packages share. A form only carries values; the service checks them, and its errors come back to the fields."""

from flask_wtf import FlaskForm

from console.messages import finished, translated
from gateway.inputs import InvalidInputError


class Form(FlaskForm):
    """A form with its CSRF field; Flask-WTF translates what WTForms itself says of choices and dates."""

    def show(self, error: InvalidInputError) -> None:
        """Put the service's errors beside the fields they are about; what no field fits goes above the form."""
        for name, message in error.errors.items():
            text = finished(translated(message))
            field = name.partition(".")[0]
            if field in self:
                self[field].errors = [*self[field].errors, text]
            else:
                self.form_errors.append(text)

    def refuse(self, message: str) -> None:
        """Put a refusal that is about the whole above the form."""
        self.form_errors.append(message)
