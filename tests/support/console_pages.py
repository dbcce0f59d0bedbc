"""An installation with something on every page, and the addresses of all pages that can be looked at."""

import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from console.issuer_keys.models import KeyState
from console.issuer_keys.models import NewKey as NewIssuerKey
from console.schemes.models import NewAttribute, NewCredentialType, SchemeImport
from console.services import Services
from gateway.actor import system_actor
from gateway.models import AuthMethod, PublicationState, SessionRecord
from gateway.permissions import Permissions
from gateway.requestors.models import NewKey, NewRequestor, RequestorDetails
from tests.support.shared import shared

SCHEME = "irma-demo"
ISSUER = "irma-demo.RU"
CARD = "RU/Issues/studentCard"


def fill(services: Services) -> None:
    """Import irma-demo, publish it, open a draft, generate a key, register a requestor, have a day of sessions. A worker must run."""
    actor = system_actor("tests")
    services.schemes.import_scheme(actor, SchemeImport(str(shared("schemes", SCHEME))))
    services.schemes.start_draft(actor, SCHEME, "New logo of the university", "new-logo")
    _fill_draft(services)
    services.requestors.create(actor, NewRequestor("library", RequestorDetails(contact="desk@library.example")))
    now = services.clock()
    services.requestors.add_key(actor, "library", NewKey(AuthMethod.TOKEN, label="front desk", expires_at=now + timedelta(days=16)))
    services.requestors.add_key(actor, "library", NewKey(AuthMethod.HMAC, label="backend", expires_at=now + timedelta(days=300)))
    permissions = Permissions(disclose=("irma-demo.RU.studentCard.*", "irma-demo.MijnOverheid.*"), issue=("irma-demo.RU.studentCard",))
    services.requestors.set_permissions(actor, "library", permissions)
    services.requestors.set_global_permissions(actor, Permissions(disclose=("irma-demo.IRMATube.*",)))
    services.requestors.activate(actor, "library")
    publication = services.publishing.publish(actor, SCHEME)
    services.issuer_keys.generate(actor, NewIssuerKey("irma-demo.TNO"))
    _add_sessions(services)
    _wait_until(lambda: services.publishing.get(actor, publication.id).state is PublicationState.LIVE, "the publication")
    _wait_until(lambda: services.issuer_keys.get(actor, "irma-demo.TNO", 1).state is KeyState.GENERATED, "the key")


def _fill_draft(services: Services) -> None:
    """A draft that adds, changes, deprecates and breaks something."""
    actor = system_actor("tests")
    texts = {"en": "Demo Parking permit", "nl": "Demo Parkeervergunning"}
    plate = NewAttribute("plate", {"en": "Plate", "nl": "Kenteken"}, {"en": "Plate of the car", "nl": "Kenteken van de auto"})
    new = NewCredentialType("RU", "parkingPermit", texts, texts, (plate,))
    services.schemes.add_credential_type(actor, SCHEME, "new-logo", new)
    changes = {"description.en": "Shows that you study here, or did", "name.nl": "", "attributes.level.optional": True}
    services.drafts.edit(actor, SCHEME, "new-logo", f"{CARD}/description.xml", changes)
    services.drafts.set_logo(actor, SCHEME, "new-logo", f"{CARD}/description.xml", services.schemes.file(actor, SCHEME, "RU/logo.png"))
    services.drafts.edit(actor, SCHEME, "new-logo", "TNO/description.xml", {"deprecated_since": 1_790_000_000})


def _add_sessions(services: Services) -> None:
    """A day of sessions, more of them by day, and some refused requests."""
    now = services.clock()
    endings = (("DONE", "VALID", None),) * 8 + (("CANCELLED", None, None),) * 2 + (("DONE", "INVALID", None),)

    def work(session: Session) -> None:
        for number in range(400):
            status, proof_status, error = endings[number % len(endings)]
            started_at = now - timedelta(minutes=(number * 37 * (1 + number % 3)) % 1380)
            session.add(_record(number, started_at, status, proof_status, error))
        for number in range(400, 441):
            session.add(
                _record(number, now - timedelta(minutes=number % 60), "REFUSED", None, "disclose irma-demo.RU.studentCard.studentID")
            )

    services.database.write(work)


def _record(number: int, started_at: datetime, status: str, proof_status: str | None, error: str | None) -> SessionRecord:
    return SessionRecord(
        token_hash=f"{number:064}",
        token_prefix="abcd",
        requestor_name="library",
        action="disclosing",
        request={},
        status=status,
        proof_status=proof_status,
        error=error,
        revision=0,
        started_at=started_at,
    )


def _wait_until(holds: Callable[[], bool], what: str) -> None:
    """Wait for the worker, for two minutes at most."""
    for _ in range(1200):
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError(f"{what} was not done in two minutes")


def addresses() -> Mapping[str, str]:
    """Name -> path of every page that a filled installation has and that is reached by GET."""
    draft = f"/schemes/{SCHEME}/drafts/new-logo"
    return {
        "home": "/",
        "schemes": "/schemes/",
        "schemes-nothing-found": "/schemes/?q=zzz",
        "scheme-import": "/schemes/import",
        "scheme": f"/schemes/{SCHEME}",
        "scheme-check": f"/schemes/{SCHEME}/check",
        "draft-check": f"/schemes/{SCHEME}/check?draft=new-logo",
        "scheme-new": "/schemes/new",
        "draft": f"{draft}/",
        "draft-changes": f"{draft}/changes?raw",
        "draft-scheme": f"{draft}/documents/description.xml",
        "draft-issuer": f"{draft}/documents/RU/description.xml",
        "draft-credential-type": f"{draft}/documents/{CARD}/description.xml",
        "draft-new-issuer": f"{draft}/issuers/new",
        "draft-new-credential-type": f"{draft}/issuers/RU/new",
        "versions": f"/schemes/{SCHEME}/versions/",
        "publications": f"/schemes/{SCHEME}/publications",
        "publication": "/publications/1",
        "issuer": f"/schemes/{SCHEME}/issuers/RU",
        "credential-type": f"/schemes/{SCHEME}/issuers/RU/studentCard",
        "keys": "/keys/",
        "rotation": f"/keys/{ISSUER}",
        "rotation-generated": "/keys/irma-demo.TNO",
        "requestors": "/requestors/",
        "requestor-new": "/requestors/new",
        "requestor": "/requestors/library",
        "requestor-key": "/requestors/library/keys/add",
        "requestor-permissions": "/requestors/library/permissions",
        "audit": "/audit/",
        "account": "/account",
        "components": "/components",
        "not-found": "/schemes/absent",
    }
