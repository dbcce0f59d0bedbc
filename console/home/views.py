"""The home page: what needs the reader, and how things stand."""

from flask import Blueprint, current_app, render_template
from flask_babel import to_user_timezone

from console.authentication import actor, services
from console.home.chart import build_chart
from console.home.service import overview_of
from console.issuer_keys.timeline import build_timeline

home = Blueprint("home", __name__)


@home.get("/")
def index() -> str:
    """Needs first, then published schemes, keys, sessions and refusals."""
    now = current_app.extensions["clock"]()
    overview = overview_of(services(), actor(), now)
    return render_template(
        "home/index.html",
        overview=overview,
        now=now,
        timeline=build_timeline(overview.keys, to_user_timezone(now), most_rows=8),
        chart=build_chart(overview.hours, to_user_timezone(now)) if overview.hours is not None else None,
    )
