"""How long each page of the console takes, with both real schemes under care: the time from the request to the last byte."""

import itertools
import re
import statistics
import time
from pathlib import Path

import httpx
import pytest

from console.schemes.models import SchemeImport
from gateway.actor import system_actor
from gateway.models import Channel
from tests.support.console_pages import CARD, SCHEME, addresses, fill
from tests.support.console_server import ADMINISTRATOR, running_console
from tests.support.measurements import record
from tests.support.shared import shared

ROUNDS = 20
LIMIT_MS = 300


@pytest.mark.long
def test_pages(tmp_path: Path) -> None:
    with running_console(tmp_path / "console", modulus_bits=1024) as console, httpx.Client(base_url=console.url, trust_env=False) as client:
        services, actor = console.services, system_actor("tests")
        fill(services)
        services.schemes.import_scheme(actor, SchemeImport(str(shared("schemes", "pbdf")), channel=Channel.PRODUCTION))
        token = re.search(r'name="csrf_token" [^>]*value="([^"]+)"', client.get("/sign-in").text)
        assert token is not None
        client.post("/sign-in", data={"csrf_token": token[1], "name": ADMINISTRATOR.name, "password": ADMINISTRATOR.password})
        pages = dict(addresses())
        pages |= {
            "production-scheme": "/schemes/pbdf",
            "production-check": "/schemes/pbdf/check",
            "draft-beside": f"/schemes/{SCHEME}/drafts/new-logo/beside/{CARD}/description.xml",
        }
        rows = []
        numbers = itertools.count()
        for name, path in pages.items():
            client.get(path)
            times = []
            for _ in range(ROUNDS):
                if "draft" in name:  # what is kept of a draft helps nobody who has just saved
                    text = f"Shows that you study here, {next(numbers)}"
                    services.drafts.edit(actor, SCHEME, "new-logo", f"{CARD}/description.xml", {"description.en": text})
                start = time.perf_counter()
                answer = client.get(path)
                times.append(1000 * (time.perf_counter() - start))
                assert answer.status_code == (404 if name == "not-found" else 200), path
            rows.append({"page": name, "p50_ms": round(statistics.median(times)), "p95_ms": round(statistics.quantiles(times, n=20)[18])})
    record("pages", {"rounds": ROUNDS, "limit_ms": LIMIT_MS, "rows": rows})
