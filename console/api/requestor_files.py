"""The routes of `/api/v1` that read and write configurations of irma server: comparing, taking over, writing out."""

from dataclasses import dataclass, field

from flask import Response, jsonify, request

from console.api.authentication import caller
from console.api.blueprint import api, body
from console.authentication import services
from console.json_values import to_json
from gateway.configuration_text import FORMATS
from gateway.inputs import InvalidInputError, Message
from gateway.options import read_text
from gateway.requestors.irma_config import Comparison, FiledRequestors, RequestorFiles, read_requestors


@dataclass(frozen=True, slots=True)
class ConfigurationText:
    """The text of a configuration file. It may hold keys of requestors, in clear."""

    content: str = field(repr=False)
    format: str = "json"


@dataclass(frozen=True, slots=True)
class TakeOver:
    """A configuration whose requestors shall be registered here."""

    content: str = field(repr=False)
    format: str = "json"
    global_permissions: bool = True
    reason: str = ""


@api.get("/requestor-configuration")
def export_requestors() -> Response:
    """The requestors as a configuration of irma server; `format` is json, toml or yaml."""
    return jsonify(to_json(_files().export(caller(), _format(request.args.get("format") or "json"))))


@api.post("/requestor-configuration/comparison")
def compare_requestors() -> Response:
    """How a configuration and the requestors here differ."""
    asked = body(ConfigurationText)
    return _told(_files().compare(caller(), _read(asked.content, asked.format)))


@api.post("/requestor-configuration")
def take_over_requestors() -> Response:
    """Take over the requestors of a configuration; what differed before is answered."""
    asked = body(TakeOver)
    filed = _read(asked.content, asked.format)
    before = _files().take_over(caller(), filed, global_permissions=asked.global_permissions, reason=asked.reason or None)
    return _told(before)


def _files() -> RequestorFiles:
    return RequestorFiles(services().requestors, services().custody, clock=services().clock)


def _told(comparison: Comparison) -> Response:
    return jsonify(to_json(comparison) | {"is_same": comparison.is_same})


def _read(content: str, text_format: str) -> FiledRequestors:
    return read_requestors(read_text(content.encode(), _format(text_format)), read_key_files=False)


def _format(text: str) -> str:
    if text not in FORMATS.values():
        raise InvalidInputError({"format": Message("must be json, toml or yaml")})
    return text
