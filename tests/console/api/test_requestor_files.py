"""Configurations of irma server over the JSON API."""

import json
from typing import Any

import pytest

from tests.console.api.test_api import Call, make_application, make_call, make_noor
from tests.console.conftest import Installation

TOKEN = "a-token-of-some-length-0123456789"
FILE: dict[str, Any] = {
    "disclose_perms": ["*"],
    "sign_perms": [],
    "issue_perms": [],
    "requestors": {"Shop": {"auth_method": "token", "key": TOKEN, "sign_perms": ["*"]}},
}


@pytest.fixture
def call(installation: Installation) -> Call:
    """Calls the API."""
    return make_call(installation, make_application(installation).test_client(), make_noor(installation))


@pytest.mark.feature("D12.1")
@pytest.mark.feature("D12.3")
def test_a_configuration_is_compared_taken_over_and_written_out(call: Call) -> None:
    body = {"content": json.dumps(FILE)}
    status, told = call("POST", "/requestor-configuration/comparison", body)
    assert (status, told["is_same"], told["permissions_missing"]["disclose"]) == (200, False, ["*"])
    assert [(one["name"], one["standing"], one["key_missing"]) for one in told["requestors"]] == [("shop", "new", True)]
    assert TOKEN not in json.dumps(told)
    assert call("POST", "/requestor-configuration", {**body, "reason": "moving"})[0] == 200
    assert call("GET", "/requestors/shop")[1]["state"] == "active"
    assert call("GET", "/audit")[1][0]["reason"] == "moving"
    assert call("POST", "/requestor-configuration/comparison", body)[1]["is_same"]
    status, written = call("GET", "/requestor-configuration?format=yaml")
    assert status == 200
    assert TOKEN not in written["text"]
    assert call("POST", "/requestor-configuration/comparison", {"content": written["text"], "format": "yaml"})[1]["is_same"]


@pytest.mark.feature("D12.4")
def test_what_cannot_be_taken_over_is_refused_as_a_whole(call: Call) -> None:
    requestors = {"a": {"auth_method": "token", "key_file": "/etc/passwd"}, "B": {"auth_method": "token", "key": "x"}, "b": {}}
    status, refusal = call("POST", "/requestor-configuration", {"content": json.dumps({"requestors": requestors})})
    assert status == 422
    text = json.dumps(refusal)
    assert "requestors.a.key_file: files of the server are not read" in text
    assert "requestors.b: is given twice, as B and b" in text
    assert call("GET", "/requestors")[1] == []
    for body in ({"content": "{", "format": "json"}, {"content": "- a", "format": "yaml"}):
        assert call("POST", "/requestor-configuration", body)[0] == 422
    assert call("POST", "/requestor-configuration", {"content": "{}", "format": "ini"})[0] == 422
    assert call("GET", "/requestor-configuration?format=ini")[0] == 422
