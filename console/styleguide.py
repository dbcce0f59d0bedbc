"""The page of all components in every state: a model for pages to come, and a page of the test suite."""

from flask import Blueprint, render_template

styleguide = Blueprint("styleguide", __name__)


@styleguide.get("/components")
def components() -> str:
    """Every component that the pages are made of."""
    return render_template("styleguide/components.html")
