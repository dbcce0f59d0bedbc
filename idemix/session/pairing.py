"""Pairing: the frontend makes sure that the app that connected is the one in front of it.

The frontend asks for a code, the app shows it, the frontend compares and confirms.
Source: irmago `irma/server/irmaserver/helpers.go` (updateFrontendOptions), `irma/requests.go` (FrontendOptionsRequest).
"""

from dataclasses import dataclass, field
from typing import Final

from ..errors import MalformedRequestError
from ..json_text import parse_json
from ..request.reading import Fields
from .errors import MalformedInputError, UnexpectedRequestError
from .randomness import Randomness
from .status import PairingMethod

_OPTIONS_CONTEXT: Final = "https://irma.app/ld/options/v1"
_OPTIONS_REQUEST_CONTEXT: Final = "https://irma.app/ld/request/frontendoptions/v1"
_FIELDS: Final = frozenset({"@context", "pairingMethod"})


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """What frontend and app agree on.

    Attributes:
        pairing_method: how the app is paired.
        pairing_code: the code to compare; "" where there is no pairing.
    """

    pairing_method: PairingMethod = PairingMethod.NONE
    pairing_code: str = field(default="", repr=False)

    def to_json(self) -> dict[str, object]:
        """Write the options as frontend and app get them."""
        result: dict[str, object] = {"@context": _OPTIONS_CONTEXT, "pairingMethod": self.pairing_method.value}
        if self.pairing_code:
            result["pairingCode"] = self.pairing_code
        return result


def read_options_request(body: bytes) -> str:
    """Read which pairing method the frontend asks for; "" for none in particular.

    Raises:
        MalformedRequestError: it cannot be read.
        MalformedInputError: it is no options request.
    """
    fields = Fields.read(parse_json(body, "body", MalformedRequestError), "", _FIELDS)
    context, method = fields.text("@context"), fields.text("pairingMethod")
    if context != _OPTIONS_REQUEST_CONTEXT:
        raise MalformedInputError("Not a frontend options request")
    return method


def options_for(method: str, randomness: Randomness) -> SessionOptions:
    """The options for a pairing method; every time `pin` is asked for it has another code.

    Raises:
        UnexpectedRequestError: the method is unknown.
    """
    if method == PairingMethod.NONE.value:
        return SessionOptions()
    if method == PairingMethod.PIN.value:
        return SessionOptions(PairingMethod.PIN, randomness.pairing_code())
    raise UnexpectedRequestError("Pairing method unknown")
