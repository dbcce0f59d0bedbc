"""Session requests: what requestors may ask, read and checked as the reference does, and written back.

Rules that need no scheme are applied while reading; `validation.check_request` applies those that need one.
Source: irmago `irma/requests.go`, `irma/legacy.go`, `irma/server/api.go`.
"""

from .base import Action, NonRevocationRequest, SessionRequest
from .condiscon import AttributeRequest, Con, ConDisCon, DisCon, attribute_requests, condiscon_to_json, parse_condiscon
from .disclosure import DisclosureRequest
from .issuance import CredentialRequest, IssuanceRequest
from .reading import RequestRuleError
from .requestor import RequestorRequest, parse_session_request, request_from_claims, revocation_from_claims
from .revocation import RevocationRequest, parse_revocation_request
from .signature import SignatureRequest

__all__ = [
    "Action",
    "AttributeRequest",
    "Con",
    "ConDisCon",
    "CredentialRequest",
    "DisCon",
    "DisclosureRequest",
    "IssuanceRequest",
    "NonRevocationRequest",
    "RequestRuleError",
    "RequestorRequest",
    "RevocationRequest",
    "SessionRequest",
    "SignatureRequest",
    "attribute_requests",
    "condiscon_to_json",
    "parse_condiscon",
    "parse_revocation_request",
    "parse_session_request",
    "request_from_claims",
    "revocation_from_claims",
]
