"""Metrics: what sessions, refusals and calls leave in them, and what never stands in one."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.metrics import NOBODY, OTHERS, RequestorLabels, exposition, reason_of
from gateway.stores.base import UnknownSessionError
from tests.gateway.test_health import ring_of_ru
from tests.support.gateways import CARD_VALUES, DISCLOSURE, ISSUANCE, SIGNATURE, TOKEN, TestGateway, signing_key_pem
from tests.support.requestor_server import RequestorServer
from tests.support.shared import ROOT

BOARD = ROOT / "docs" / "grafana" / "irmahub.json"

#: Two processes count the same things; a third one that ends is forgotten, and its counts stay. Prints what one of them tells.
SEVERAL = """
import multiprocessing, sys
def work(number):
    from gateway.metrics import ARCHIVE_LOST, ARCHIVE_WAITING, SESSIONS_STARTED
    SESSIONS_STARTED.labels("issuing", "shop").inc(number)
    ARCHIVE_LOST.inc(number)
    ARCHIVE_WAITING.set(number)
    if number == 2:
        from gateway.metrics import exposition
        sys.stdout.buffer.write(exposition(()))
if __name__ == "__main__":
    from prometheus_client.multiprocess import mark_process_dead
    context = multiprocessing.get_context("spawn")
    for number in (4, 1, 2):
        process = context.Process(target=work, args=(number,))
        process.start()
        process.join()
        if number == 4:
            mark_process_dead(process.pid)
"""


def samples(text: bytes) -> dict[tuple[str, tuple[str, ...]], float]:
    """Value by name and by the values of the labels in the order of their names."""
    return {
        (sample.name, tuple(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def told(gateway: TestGateway) -> dict[tuple[str, tuple[str, ...]], float]:
    return samples(exposition(gateway.gateway.states))


@pytest.mark.feature("F2.1")
def test_sessions_are_counted_by_type_result_and_requestor(gateway: TestGateway) -> None:
    before = told(gateway)
    phone = gateway.phone()
    for request in (ISSUANCE, DISCLOSURE, SIGNATURE):
        phone.answer(gateway.start(request)["sessionPtr"])
    gateway.client.delete(f"/session/{gateway.start(DISCLOSURE)['token']}")
    late = gateway.start(DISCLOSURE)
    gateway.clock.advance(minutes=16)
    gateway.get(late, "status")
    after = told(gateway)

    def more(name: str, *labels: str) -> float:
        return after.get((name, labels), 0) - before.get((name, labels), 0)

    # The labels in the order of their names: requestor, result, type.
    assert more("irmahub_sessions_started_total", "shop", "disclosing") == 3
    assert more("irmahub_sessions_ended_total", "shop", "valid", "issuing") == 1
    assert more("irmahub_sessions_ended_total", "shop", "valid", "disclosing") == 1
    assert more("irmahub_sessions_ended_total", "shop", "valid", "signing") == 1
    assert more("irmahub_sessions_ended_total", "shop", "cancelled", "disclosing") == 1
    assert more("irmahub_sessions_ended_total", "shop", "timeout", "disclosing") == 1
    assert more("irmahub_proof_seconds_count", "issuing") == 1
    assert more("irmahub_request_seconds_count", "gateway", "client_api.receive_proofs", "200") == 2


@pytest.mark.feature("F2.1")
def test_refusals_are_counted_by_reason(make_gateway: Callable[..., TestGateway]) -> None:
    requestors = {"shop": {"auth_method": "token", "key": TOKEN}}
    gateway = make_gateway(requestors=requestors)
    before = told(gateway)
    assert gateway.post(DISCLOSURE).status_code == 403
    assert gateway.post(DISCLOSURE, "wrong").status_code == 403
    gateway.client.get("/session/aaaaaaaaaaaaaaaaaaaa/status")
    after = told(gateway)
    for labels in (("UNAUTHORIZED", "permission_refused"), ("UNAUTHORIZED", "token_refused"), ("SESSION_UNKNOWN", "unknown_session")):
        name = "irmahub_refusals_total"
        assert after[name, labels] - before.get((name, labels), 0) == 1
    assert after["irmahub_permissions_missing_total", ("disclose", "shop")] >= 1


@pytest.mark.feature("F2.1")
def test_age_of_schemes_and_days_of_keys_are_read_when_asked(make_gateway: Callable[..., TestGateway]) -> None:
    gateway = make_gateway({"schemes": ring_of_ru()})
    first = told(gateway)
    gateway.clock.advance(days=1)
    second = told(gateway)
    assert second["irmahub_scheme_age_seconds", ("irma-demo",)] - first["irmahub_scheme_age_seconds", ("irma-demo",)] == 86400
    (key,) = [labels for name, labels in first if name == "irmahub_issuer_key_days_left"]
    left = "irmahub_issuer_key_days_left"
    assert first[left, key] - second[left, key] == pytest.approx(1)


def test_calls_are_counted_by_outcome(make_gateway: Callable[..., TestGateway], requestor_server: RequestorServer) -> None:
    before = samples(exposition(()))
    for status in (204, 500):
        gateway = make_gateway(jwt_privkey=signing_key_pem())
        requestor_server.status = status
        package = gateway.start({"request": DISCLOSURE, "callbackUrl": requestor_server.url})
        gateway.client.delete(f"/session/{package['token']}")
        gateway.gateway.close()
    after = samples(exposition(()))
    for outcome in ("answered", "refused"):
        key = ("irmahub_callback_seconds_count", ("callback", outcome))
        assert after[key] - before.get(key, 0) == 1
    for outcome in ("delivered", "retried"):
        key = ("irmahub_deliveries_total", (outcome,))
        assert after[key] - before.get(key, 0) == 1


def test_requestors_beyond_the_first_are_counted_together() -> None:
    labels = RequestorLabels(most=2)
    assert [labels.of(name) for name in ("a", "b", "c", "a", "c", "")] == ["a", "b", OTHERS, "a", OTHERS, NOBODY]


def test_reasons_are_named_after_the_refusals() -> None:
    assert reason_of(UnknownSessionError("x")) == "unknown_session"


def test_no_value_and_no_token_stands_in_a_metric(gateway: TestGateway) -> None:
    phone = gateway.phone()
    package = gateway.start(ISSUANCE)
    phone.answer(package["sessionPtr"])
    gateway.post(DISCLOSURE, "canary")
    gateway.client.get("/session/canarycanarycanary00/status")
    text = exposition(gateway.gateway.states).decode()
    for secret in (*(value for value in CARD_VALUES.values() if len(value) > 4), TOKEN, package["token"], phone.authorization, "canary"):
        assert secret not in text


@pytest.mark.feature("F2.1")
def test_processes_add_up(tmp_path: Path) -> None:
    program = tmp_path / "several.py"
    program.write_text(SEVERAL)
    folder = tmp_path / "metrics"
    folder.mkdir()
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(folder), "PYTHONPATH": str(ROOT)}
    output = subprocess.run([sys.executable, str(program)], env=environment, capture_output=True, check=True).stdout
    found = samples(output)
    assert found["irmahub_sessions_started_total", ("shop", "issuing")] == 7
    assert found["irmahub_archive_lost_total", ()] == 7


@pytest.mark.feature("F2.2")
def test_every_metric_of_the_board_exists(gateway: TestGateway) -> None:
    board = json.loads(BOARD.read_text())
    expressions = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    expressions += [variable["query"] for variable in board["templating"]["list"] if variable["type"] == "query"]
    assert len(expressions) > 10
    asked = {name for expression in expressions for name in re.findall(r"\birmahub_\w+|\bprocess_\w+", expression)}
    families = {family.name: family.type for family in text_string_to_metric_families(exposition(gateway.gateway.states).decode())}
    suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}
    known = {name + suffix for name, kind in families.items() for suffix in suffixes.get(kind, ("",))}
    assert asked - known == set()
    # And every metric of ours has its place on the board.
    assert {name for name in families if name.startswith("irmahub_")} <= {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in asked}
