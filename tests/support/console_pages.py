"""An installation with something on every page, and the addresses of all pages that can be looked at."""

from collections.abc import Mapping
from datetime import timedelta

from console.schemes.models import SchemeImport
from console.services import Services
from gateway.actor import system_actor
from gateway.models import AuthMethod
from gateway.permissions import Permissions
from gateway.requestors.models import NewKey, NewRequestor, RequestorDetails
from tests.support.shared import shared

SCHEME = "irma-demo"
ISSUER = "irma-demo.RU"


def fill(services: Services) -> None:
    """Import irma-demo, open a draft, register a requestor with keys and permissions."""
    actor = system_actor("tests")
    services.schemes.import_scheme(actor, SchemeImport(str(shared("schemes", SCHEME))))
    services.schemes.start_draft(actor, SCHEME, "New logo of the university", "new-logo")
    services.requestors.create(actor, NewRequestor("library", RequestorDetails(contact="desk@library.example")))
    now = services.clock()
    services.requestors.add_key(actor, "library", NewKey(AuthMethod.TOKEN, label="front desk", expires_at=now + timedelta(days=16)))
    services.requestors.add_key(actor, "library", NewKey(AuthMethod.HMAC, label="backend", expires_at=now + timedelta(days=300)))
    permissions = Permissions(disclose=("irma-demo.RU.studentCard.*", "irma-demo.MijnOverheid.*"), issue=("irma-demo.RU.studentCard",))
    services.requestors.set_permissions(actor, "library", permissions)
    services.requestors.set_global_permissions(actor, Permissions(disclose=("irma-demo.IRMATube.*",)))
    services.requestors.activate(actor, "library")


def addresses() -> Mapping[str, str]:
    """Name -> path of every page that a filled installation has and that is reached by GET."""
    return {
        "home": "/",
        "schemes": "/schemes/",
        "schemes-nothing-found": "/schemes/?q=zzz",
        "scheme-import": "/schemes/import",
        "scheme": f"/schemes/{SCHEME}",
        "scheme-check": f"/schemes/{SCHEME}/check",
        "draft-check": f"/schemes/{SCHEME}/check?draft=new-logo",
        "publications": f"/schemes/{SCHEME}/publications",
        "issuer": f"/schemes/{SCHEME}/issuers/RU",
        "credential-type": f"/schemes/{SCHEME}/issuers/RU/studentCard",
        "keys": "/keys/",
        "rotation": f"/keys/{ISSUER}",
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
