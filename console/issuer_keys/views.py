"""The register of issuer keys and their rotation."""

from collections.abc import Callable
from typing import Final

from flask import Blueprint, current_app, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, to_user_timezone

from console.authentication import actor, services
from console.errors import ConsoleError
from console.issuer_keys.forms import NewKeyForm
from console.issuer_keys.models import IssuerKeyInfo, KeyState, NewKey, RotationView
from console.issuer_keys.timeline import LATE, build_timeline, is_urgent
from console.messages import sentence
from console.publishing.models import StepState
from gateway.authorization import Action, issuer_scope, may
from gateway.inputs import InvalidInputError

issuer_keys = Blueprint("issuer_keys", __name__, url_prefix="/keys")

#: How many keys a page of the register shows.
PAGE: Final = 25

#: The filters of the register, as the address holds them.
FILTERS: Final = ("all", "issuing", "expiring", "moving", "verify_only")

#: On their way from being generated to issuing.
MOVING: Final = frozenset({KeyState.GENERATING, KeyState.GENERATED, KeyState.PUBLISHED, KeyState.SEEN_LIVE})

#: The more urgent, the lower.
_URGENCY: Final = {
    KeyState.FAILED: 1,
    KeyState.GENERATING: 2,
    KeyState.GENERATED: 3,
    KeyState.PUBLISHED: 4,
    KeyState.SEEN_LIVE: 4,
    KeyState.ACTIVE: 5,
    KeyState.RETIRED: 6,
}


@issuer_keys.get("/")
def list_keys() -> str:
    """Every key of every issuer, the most urgent first; a timeline above, the table below."""
    now = current_app.extensions["clock"]()
    everything = services().issuer_keys.list(actor())
    urgent = [key for key in everything if is_urgent(key, everything, now)]
    sets = {
        "all": list(everything),
        "issuing": [key for key in everything if key.state is KeyState.ACTIVE],
        "expiring": [key for key in everything if key.state is KeyState.ACTIVE and key.expires_at and key.expires_at - now <= LATE],
        "moving": [key for key in everything if key.state in MOVING],
        "verify_only": [key for key in everything if key.state is KeyState.RETIRED],
    }
    chosen = request.args.get("state", "all")
    words = request.args.get("q", "").strip().lower()
    shown = [key for key in sets.get(chosen, sets["all"]) if _matches(key, words)]
    shown.sort(key=lambda key: (0 if key in urgent else _URGENCY[key.state], key.issuer_id, -key.counter))
    page = max(request.args.get("page", 1, type=int), 1)
    return render_template(
        "issuer_keys/list.html",
        keys=shown[PAGE * (page - 1) : PAGE * page],
        found=len(shown),
        page=page,
        first=PAGE * (page - 1) + 1,
        counts={name: len(keys) for name, keys in sets.items()},
        chosen=chosen if chosen in sets else "all",
        words=words,
        urgent=urgent,
        timeline=build_timeline(everything, to_user_timezone(now), most_rows=12),
    )


def _matches(key: IssuerKeyInfo, words: str) -> bool:
    return words in key.issuer_id.lower() or any(words in name.lower() for name in key.issuer_name.values())


@issuer_keys.get("/<issuer_id>")
def rotation(issuer_id: str) -> str:
    """From the key that issues to the one that takes over: each stage opens when the one above has proof."""
    return render_template("issuer_keys/rotation.html", **_rotation_values(issuer_id, NewKeyForm()))


def _rotation_values(issuer_id: str, form: NewKeyForm) -> dict[str, object]:
    view = services().issuer_keys.rotation(actor(), issuer_id)
    scheme_id, _, name = issuer_id.partition(".")
    return {
        "rotation": view,
        "issuer_id": issuer_id,
        "issuer_name": name,
        "keys": services().issuer_keys.list(actor(), issuer_id=issuer_id),
        "scheme": services().schemes.get(actor(), scheme_id),
        "issuer": services().schemes.issuer(actor(), issuer_id),
        "need": services().issuer_keys.need(actor(), issuer_id) if view.next_action == "generate" else None,
        "form": form,
        "may_generate": may(actor(), Action.ISSUER_KEY_GENERATE, issuer_scope(issuer_id)),
        "may_rotate": may(actor(), Action.ISSUER_KEY_ROTATE, issuer_scope(issuer_id)),
        "moves": _moves(view),
        "retire": view.old if view.next_action == "retire" else None,
    }


def _moves(view: RotationView) -> bool:
    return any(stage.state is StepState.RUNNING for stage in view.stages)


@issuer_keys.get("/<issuer_id>/progress")
def progress(issuer_id: str) -> ResponseReturnValue:
    """The moving part of that page. The header `Live: done` says that it moves no more."""
    values = _rotation_values(issuer_id, NewKeyForm())
    answer = make_response(render_template("issuer_keys/stages.html", **values))
    if not values["moves"]:
        answer.headers["Live"] = "done"
    return answer


@issuer_keys.post("/<issuer_id>/generate")
def generate(issuer_id: str) -> ResponseReturnValue:
    """Generate the next key in the background; its public key then stands in a draft."""
    form = NewKeyForm()
    try:
        services().issuer_keys.generate(
            actor(),
            NewKey(issuer_id, bases=_number(form.bases.data, "bases"), lifetime_days=_number(form.lifetime_days.data, "lifetime_days")),
        )
    except InvalidInputError as error:
        form.show(error)
        return render_template("issuer_keys/rotation.html", **_rotation_values(issuer_id, form)), 422
    except ConsoleError as error:
        flash(sentence(error), "bad")
    return redirect(url_for("issuer_keys.rotation", issuer_id=issuer_id))


def _number(text: str | None, field: str) -> int:
    """A whole number, or 0 where nothing is given."""
    text = (text or "").strip()
    if text and not text.isdecimal():
        raise InvalidInputError({field: gettext("Give a whole number, or leave it empty.")})
    return int(text or 0)


@issuer_keys.post("/<issuer_id>/<int:counter>/cancel")
def cancel(issuer_id: str, counter: int) -> ResponseReturnValue:
    """Stop generating."""
    return _act(issuer_id, lambda: services().issuer_keys.cancel_generation(actor(), issuer_id, counter), gettext("Generating stops."))


@issuer_keys.post("/<issuer_id>/<int:counter>/publish")
def publish(issuer_id: str, counter: int) -> ResponseReturnValue:
    """Publish the public key; the publication's own page shows its steps."""
    try:
        publication = services().issuer_keys.publish(actor(), issuer_id, counter)
    except ConsoleError as error:
        flash(sentence(error), "bad")
        return redirect(url_for("issuer_keys.rotation", issuer_id=issuer_id))
    return redirect(url_for("publishing.show_publication", publication_id=publication.id))


@issuer_keys.post("/<issuer_id>/<int:counter>/look")
def look(issuer_id: str, counter: int) -> ResponseReturnValue:
    """Fetch the public key from the public address now."""
    return _act(
        issuer_id,
        lambda: services().issuer_keys.look(actor(), issuer_id, counter),
        gettext("The public address serves key %(counter)s.", counter=counter),
    )


@issuer_keys.post("/<issuer_id>/<int:counter>/activate")
def activate(issuer_id: str, counter: int) -> ResponseReturnValue:
    """Issue with this key from now on."""
    return _act(
        issuer_id,
        lambda: services().issuer_keys.activate(actor(), issuer_id, counter),
        gettext("Key %(counter)s issues from now on.", counter=counter),
    )


@issuer_keys.post("/<issuer_id>/<int:counter>/retire")
def retire(issuer_id: str, counter: int) -> ResponseReturnValue:
    """Never issue with an older key again; its credentials stay verifiable."""
    return _act(
        issuer_id,
        lambda: services().issuer_keys.retire(actor(), issuer_id, counter, request.form.get("reason", "").strip()),
        gettext("Key %(counter)s is retired; its credentials stay verifiable.", counter=counter),
    )


def _act(issuer_id: str, action: Callable[[], object], done: str) -> ResponseReturnValue:
    try:
        action()
    except ConsoleError as error:
        flash(sentence(error), "bad")
    else:
        flash(done, "ok")
    return redirect(url_for("issuer_keys.rotation", issuer_id=issuer_id))
