"""Answers of our own wallet that once verified are valid for ever. The file is only ever added to."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from idemix.json_text import parse_json
from idemix.messages import Disclosure, SignedMessage
from idemix.request import SignatureRequest, parse_session_request
from idemix.verification import ProofStatus, disclosed_to_json, verify_disclosure, verify_signed_message
from tests.support.sessions import recorded_configuration

ANSWERS = json.loads(Path(__file__).with_name("answers.json").read_text())


@pytest.mark.parametrize("frozen", ANSWERS, ids=lambda frozen: frozen["name"])
def test_answer_is_still_valid(frozen: dict[str, Any]) -> None:
    configuration, now = recorded_configuration(), datetime.fromisoformat(frozen["at"])
    request = parse_session_request(frozen["request"]).request
    answer = parse_json(json.dumps(frozen["answer"]), "answer")
    if isinstance(request, SignatureRequest):
        verified = verify_signed_message(SignedMessage.from_json(answer), request, configuration, now=now)
    else:
        verified = verify_disclosure(Disclosure.from_json(answer), request, configuration, now=now)
    assert verified.status is ProofStatus.VALID
    assert disclosed_to_json(verified.disclosed) == frozen["disclosed"]
