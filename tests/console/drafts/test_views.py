"""What the pages of drafts do with what no page of ours sends."""

import pytest

from console.app import create_app
from console.schemes.models import SchemeImport
from gateway.actor import Actor, Grant, Role
from tests.console.conftest import Installation
from tests.console.pages import csrf_token, make_user, signed_in
from tests.support.shared import shared

CARD = "/schemes/irma-demo/drafts/work/documents/RU/Issues/studentCard/description.xml"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"decided_on": "x", "changes": "{"}, 400),
        ({"decided_on": "x", "changes": "[" * 100_000}, 400),
        ({"decided_on": "x", "changes": "[]"}, 400),
        ({"decided_on": "x", "changes": '{"name.en": 7}'}, 302),
        ({"decided_on": "x", "changes": '{"name.en": {"deep": [null]}}'}, 302),
        ({"seen": "no commit", "name.en": "x"}, 404),
        ({"seen": "0" * 40, "name.en": "x"}, 404),
        ({"action": "add:nothing"}, 404),
        ({"action": "up:attributes.absent"}, 404),
        ({"action": "remove:name.en"}, 302),
        ({"action": "add:attributes", "new:attributes": "a b"}, 302),
    ],
)
def test_hostile_forms_are_refused_and_change_nothing(
    installation: Installation, administrator: Actor, sent: dict[str, str], status: int
) -> None:
    services = installation.services
    services.schemes.import_scheme(administrator, SchemeImport(str(shared("schemes", "mutant-base", "irma-demo"))))
    services.schemes.start_draft(administrator, "irma-demo", "Work", "work")
    make_user(services, "admin", Grant(Role.ADMIN))
    client = signed_in(create_app(services, clock=installation.clock), "admin")
    before = services.schemes.draft(administrator, "irma-demo", "work").head
    answer = client.post(CARD, data={"csrf_token": csrf_token(client, "/account"), **sent})
    assert answer.status_code == status
    assert services.schemes.draft(administrator, "irma-demo", "work").head == before
