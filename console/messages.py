"""The sentences of services in the reader's language.

Services speak English and know nothing of the reader. Their sentences travel as `gateway.inputs.Message`, whose template is
the key of the catalogue; what they raise is told here by its type. A text of the reference (the finding of a check, a
refusal's code) stays as it is.
"""

from collections.abc import Mapping
from typing import Final

from flask import Flask
from flask_babel import gettext, lazy_gettext

from console.errors import ConsoleError
from gateway.authorization import Action
from gateway.inputs import InvalidInputError, Message


def translated(message: str) -> str:
    """A sentence of a service in the reader's language."""
    return message.translated(gettext) if isinstance(message, Message) else message


def input_sentence(error: InvalidInputError) -> str:
    """What is wrong with an input that has no form of its own on the page."""
    return " ".join(finished(translated(message)) for message in error.errors.values())


def finished(text: str) -> str:
    """A text as a sentence: with a capital, and a full stop where it has no end of its own."""
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "?", ":")) else f"{text}."


def sentence(error: Exception) -> str:
    """What went wrong and what to do, for the notice on the page."""
    text = translated(error.args[0]) if error.args else str(error)
    more = translated(error.diagnostics()) if isinstance(error, ConsoleError) and not getattr(error, "reasons", ()) else ""
    return " ".join(finished(part) for part in (text, more) if part)


_ACTIONS: Final[Mapping[Action, str]] = {
    Action.SCHEME_VIEW: lazy_gettext("see this scheme"),
    Action.SCHEME_IMPORT: lazy_gettext("import schemes"),
    Action.SCHEME_EDIT: lazy_gettext("change this scheme"),
    Action.SCHEME_CHECK: lazy_gettext("check this scheme"),
    Action.SCHEME_PUBLISH: lazy_gettext("publish this scheme"),
    Action.ISSUER_KEY_VIEW: lazy_gettext("see the keys of this issuer"),
    Action.ISSUER_KEY_GENERATE: lazy_gettext("generate keys for this issuer"),
    Action.ISSUER_KEY_ROTATE: lazy_gettext("rotate the keys of this issuer"),
    Action.REQUESTOR_VIEW: lazy_gettext("see requestors"),
    Action.REQUESTOR_EDIT: lazy_gettext("change requestors"),
    Action.REQUESTOR_SUSPEND: lazy_gettext("suspend requestors"),
    Action.REQUESTOR_KEYS: lazy_gettext("manage the keys of requestors"),
    Action.REQUESTOR_PERMISSIONS: lazy_gettext("change the permissions of requestors"),
    Action.SESSION_VIEW: lazy_gettext("see sessions"),
    Action.AUDIT_VIEW: lazy_gettext("read the audit"),
}


def name_of_action(action: Action) -> str:
    """What an action is called in `You may not …`."""
    return str(_ACTIONS.get(action, action.value))


def install_messages(app: Flask) -> None:
    """Give the templates the filter `translated`."""
    app.jinja_env.filters["translated"] = translated
