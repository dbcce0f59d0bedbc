"""Recorded exchanges, replayed against the whole gateway."""

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from irmahub.conformance.core import Context, Mismatch
from irmahub.conformance.runner import FileReport, run_file
from irmahub.conformance.transcripts.recording import Recording
from irmahub.conformance.transcripts.replay import cases
from tests.support.redis import RedisServer, running_redis
from tests.support.shared import shared

FOLDER = shared("vectors", "transcripts")
CONTEXT = Context(FOLDER, shared("schemes"))
NAMES = sorted(path.stem for path in FOLDER.glob("*.json") if path.stem != "index")


def document(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_bytes())
    return content


def mismatches(content: dict[str, Any], **options: Any) -> list[str]:
    """The cases of a recording in which we differ, after all of them were replayed."""
    found = []
    for case in cases(Recording.of(content), CONTEXT, options=options):
        try:
            case.run()
        except Mismatch:
            found.append(f"{case.group}/{case.name.rpartition('/')[2]}")
    return found


@pytest.mark.feature("I6.3", "I7.1")
@pytest.mark.parametrize("name", ["index", *NAMES])
def test_recording_is_replayed_whole(name: str) -> None:
    report = run_file(FOLDER / f"{name}.json", CONTEXT)
    content = document(name)
    assert report.failures == []
    assert not report.skipped
    assert report.passed >= len(content.get("exchanges", content.get("transcripts")))


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.mark.feature("I6.3")
@pytest.mark.parametrize("name", NAMES)
def test_recording_is_replayed_with_sessions_in_redis_and_on_two_listeners(redis: RedisServer, name: str) -> None:
    redis.client().flushall()
    store = {"store_type": "redis", "redis_addr": f"127.0.0.1:{redis.port}", "redis_allow_empty_password": True, "redis_no_tls": True}
    assert mismatches(document(name), **store, client_port=48682, port=48683) == []


def change(*path: str | int, to: Any) -> Callable[[dict[str, Any]], None]:
    def apply(content: dict[str, Any]) -> None:
        inner: Any = content
        for key in path[:-1]:
            inner = inner[key]
        assert inner[path[-1]] != to
        inner[path[-1]] = to

    return apply


def replace_in(*path: str | int, old: str, new: str) -> Callable[[dict[str, Any]], None]:
    def apply(content: dict[str, Any]) -> None:
        inner: Any = content
        for key in path[:-1]:
            inner = inner[key]
        assert old in inner[path[-1]]
        inner[path[-1]] = inner[path[-1]].replace(old, new, 1)

    return apply


@pytest.mark.parametrize(
    ("name", "alter", "found"),
    [
        pytest.param("disclosure-v2.8", change("exchanges", 1, "status", to=403), "exchanges/2", id="status"),
        pytest.param(
            "disclosure-v2.8", change("exchanges", 1, "response_headers", "Content-Type", to="text/plain"), "exchanges/2", id="media type"
        ),
        pytest.param("disclosure-v2.8", replace_in("exchanges", 4, "response_body", old="DONE", new="TIMEOUT"), "exchanges/5", id="text"),
        pytest.param(
            "disclosure-v2.8", replace_in("exchanges", 5, "response_body", old='"456"', new='"457"'), "exchanges/6", id="attribute"
        ),
        pytest.param(
            "disclosure-v2.8", replace_in("exchanges", 2, "response_body", old='"devMode":true,', new=""), "exchanges/3", id="key more"
        ),
        pytest.param("disclosure-v2.8", change("exchanges", 7, "path", to="/session/x/result"), "exchanges/8", id="malformed token"),
        pytest.param(
            "frontend-errors",
            replace_in("exchanges", 8, "response_body", old="Pairing method unknown", new="other"),
            "exchanges/9",
            id="message",
        ),
        pytest.param(
            "app-errors-state",
            replace_in("exchanges", 18, "response_body", old="Disclosure.proofs", new="Disclosure.moon"),
            "exchanges/19",
            id="field that is not named",
        ),
        pytest.param(
            "issuance-v2.8",
            replace_in("exchanges", 3, "response_body", old='"KeyshareP":null', new='"x":1'),
            "exchanges/4",
            id="credential",
        ),
        pytest.param("sse-status", change("exchanges", 2, "response_chunks", 1, "data", to='data: "PAIRING"\n\n'), "streams/3", id="event"),
        pytest.param("callback", change("callback", "path", to="/cb?x=1"), "calls/cb?x=1", id="callback's address"),
        pytest.param(
            "callback", change("callback", "request_body", to=document("callback")["exchanges"][6]["response_body"]), "calls/", id="claims"
        ),
        pytest.param("chained", change("server_to_requestor", 1, "path", to="/4"), "calls/4", id="next session's address"),
        pytest.param("version-2.7-refused", change("exchanges", 1, "status", to=200), "exchanges/2", id="refused without a rule"),
    ],
)
def test_a_change_is_noticed(name: str, alter: Callable[[dict[str, Any]], None], found: str) -> None:
    content = copy.deepcopy(document(name))
    alter(content)
    assert found in mismatches(content)


def test_a_credential_that_does_not_verify_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from idemix.issuance.messages import IssueSignatureMessage

    honest = IssueSignatureMessage.to_json

    def one_off(message: IssueSignatureMessage) -> dict[str, Any]:
        value = honest(message)
        value["signature"]["v"] = value["signature"]["A"]
        return value

    monkeypatch.setattr(IssueSignatureMessage, "to_json", one_off)
    assert mismatches(document("issuance-v2.8")) == ["exchanges/4"]


def test_a_recording_without_index_fails(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes((FOLDER / "timeout.json").read_bytes())
    report: FileReport = run_file(tmp_path / "x.json", Context(tmp_path, shared("schemes")))
    assert "there is no index.json" in report.failures[0][1]


def test_a_file_that_the_index_names_must_be_there(tmp_path: Path) -> None:
    (tmp_path / "index.json").write_bytes((FOLDER / "index.json").read_bytes())
    report = run_file(tmp_path / "index.json", Context(tmp_path, shared("schemes")))
    assert [name for name, _ in report.failures] == [f"transcripts/{name}.json" for name in report_order()]


def report_order() -> list[str]:
    return [entry["file"].removesuffix(".json") for entry in document("index")["transcripts"]]
