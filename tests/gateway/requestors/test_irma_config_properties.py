"""Taking over, writing out and taking over again changes nothing."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.configuration_text import dump
from gateway.database import Database
from gateway.models import RequestorState
from gateway.options import read_text
from gateway.permissions import Permissions
from gateway.requestors.irma_config import FiledRequestors, RequestorFiles, read_requestors
from gateway.services import SharedServices
from tests.gateway.requestors.test_irma_config import PEM
from tests.support.factories.actors import ADMIN
from tests.support.factories.services import shared_services

NAMES = st.text(st.characters(whitelist_categories=("Ll", "Lo", "Nd"), whitelist_characters="-_. :#'\""), min_size=1, max_size=12).filter(
    lambda name: name == name.strip() and name not in (".", "..", "new") and name == name.lower()
)
PARTS = st.sampled_from(["a", "yes", "on", "1e5", "0123", "x-y"])
WIDE = st.just("*") | st.builds("{}.*".format, PARTS) | st.builds("{}.{}.*".format, PARTS, PARTS)
LONG = WIDE | st.builds("{}.{}.{}.{}".format, PARTS, PARTS, PARTS, PARTS)
SHORT = WIDE | st.builds("{}.{}.{}".format, PARTS, PARTS, PARTS)
TOKENS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40)
KEYS = (
    st.builds(lambda token: {"auth_method": "token", "key": token}, TOKENS)
    | st.builds(lambda secret: {"auth_method": "hmac", "key": base64.b64encode(secret).decode()}, st.binary(min_size=1, max_size=40))
    | st.just({"auth_method": "publickey", "key": PEM})
)


def lists(**kinds: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional={f"{name}_perms": st.lists(patterns, max_size=3) for name, patterns in kinds.items()})


SHARED = lists(disclose=LONG, sign=LONG, issue=SHORT, revoke=SHORT)
OWN = lists(disclose=LONG, sign=LONG, issue=SHORT, revoke=SHORT, host=st.sampled_from(["a.example", "*.example:8080", "[ab]?"]))
REQUESTORS = st.dictionaries(NAMES, st.builds(lambda key, own: key | own, KEYS, OWN), max_size=4).filter(
    lambda requestors: (
        len({one["key"] for one in requestors.values() if one["auth_method"] == "token"})
        == sum(one["auth_method"] == "token" for one in requestors.values())
    )
)


@pytest.fixture
def services(tmp_path: Path, migrated_sqlite_file: Path) -> Iterator[SharedServices]:
    file = tmp_path / "irmahub.db"
    file.write_bytes(migrated_sqlite_file.read_bytes())
    database = Database(f"sqlite:///{file}")
    yield shared_services(database)
    database.close()


@pytest.mark.feature("D12.1")
@pytest.mark.parametrize("text_format", ["json", "toml", "yaml"])
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(shared=SHARED, requestors=REQUESTORS)
def test_what_is_written_out_says_what_was_taken_over(
    services: SharedServices, text_format: str, shared: dict[str, Any], requestors: dict[str, Any]
) -> None:
    for requestor in services.requestors.list(ADMIN, limit=1000):
        if requestor.state is RequestorState.ACTIVE:
            services.requestors.suspend(ADMIN, requestor.name, reason="next example")
        services.requestors.delete(ADMIN, requestor.name, reason="next example")
    services.requestors.set_global_permissions(ADMIN, Permissions())
    files = RequestorFiles(services.requestors, services.custody, clock=services.audit._clock)
    first = _filed(dump({"no_auth": False, **shared, "requestors": requestors}, text_format), text_format)
    assert first.problems == ()
    files.take_over(ADMIN, first)
    written = files.export(ADMIN, text_format).text
    second = _filed(written, text_format)
    assert second.problems == ()
    for filed in (first, second):
        assert files.compare(ADMIN, filed).is_same
    files.take_over(ADMIN, second)
    assert files.export(ADMIN, text_format).text == written


def _filed(text: str, text_format: str) -> FiledRequestors:
    return read_requestors(read_text(text.encode(), text_format), read_key_files=False)
