"""The rules on session requests that need the schemes.

Source: irmago `irma/irmaconfig.go` (checkIdentifiers), `irma/server/irmaserver/helpers.go` (validateRequest),
`irma/requests.go` (BaseRequest.Validate, AttributeConDisCon.Validate, CredentialRequest.Validate).
"""

from collections.abc import Iterator

from ..errors import UnknownIdentifierError, UnknownPublicKeyError
from ..scheme.configuration import Configuration
from ..scheme.descriptions import CredentialType
from ..scheme.identifiers import CredentialTypeId, Identifier, IssuerId
from .base import SessionRequest
from .condiscon import attribute_requests
from .issuance import CredentialRequest, IssuanceRequest
from .reading import RequestRuleError


class UnknownIdentifiersError(UnknownIdentifierError):
    """A request names schemes, issuers, keys, credential types or attributes that no loaded scheme knows.

    Attributes:
        identifiers: all of them, the wide ones first.
    """

    def __init__(self, identifiers: tuple[str, ...]) -> None:
        super().__init__(identifiers[0], f"Unknown identifiers: {', '.join(identifiers)}")
        self.identifiers = identifiers


def check_request(request: SessionRequest, configuration: Configuration, *, may_augment_url: bool) -> None:
    """Check a request against the schemes, in the reference's order.

    Args:
        request: the request.
        configuration: the loaded schemes.
        may_augment_url: whether the server appends requestor tokens to return URLs.

    Raises:
        UnknownIdentifiersError: it names something unknown.
        RequestRuleError: a required attribute is missing, non-revocation is asked of a type without it, the return URL cannot
            be augmented, or a conjunction asks for two credential types of which a holder may have several.
    """
    check_identifiers(request, configuration)
    _check_required(request, configuration)
    _check_revocation(request, configuration)
    if request.augment_return_url:
        if not may_augment_url:
            raise RequestRuleError("augmentReturnUrl", "augmenting client return url not enabled in server configuration")
        if not request.client_return_url:
            raise RequestRuleError("clientReturnUrl", "cannot augment empty client return url")
    _check_singletons(request, configuration)


def check_identifiers(request: SessionRequest, configuration: Configuration) -> None:
    """Require that every scheme, issuer, key, credential type and attribute of a request is known.

    Raises:
        UnknownIdentifiersError: it lists all that are not; schemes, issuers and types below an unknown one are among them.
    """
    unknown = dict.fromkeys(_unknown_schemes(request, configuration))
    unknown |= dict.fromkeys(_unknown_issuers(request, configuration))
    unknown |= dict.fromkeys(_unknown_keys(request, configuration))
    unknown |= dict.fromkeys(_unknown_types(request, configuration))
    unknown |= dict.fromkeys(_unknown_attributes(request, configuration))
    if unknown:
        raise UnknownIdentifiersError(tuple(unknown))


def _credentials(request: SessionRequest) -> tuple[CredentialRequest, ...]:
    return request.credentials if isinstance(request, IssuanceRequest) else ()


def _credential_types(request: SessionRequest) -> Iterator[CredentialTypeId]:
    for credential in _credentials(request):
        yield credential.credential_type
    for _, attribute in attribute_requests(request.disclose):
        yield attribute.credential_type


def _unknown_schemes(request: SessionRequest, configuration: Configuration) -> Iterator[str]:
    return (str(type_id.scheme) for type_id in _credential_types(request) if type_id.scheme not in configuration.schemes)


def _unknown_issuers(request: SessionRequest, configuration: Configuration) -> Iterator[str]:
    return (str(type_id.issuer) for type_id in _credential_types(request) if type_id.issuer not in configuration.issuers)


def _unknown_keys(request: SessionRequest, configuration: Configuration) -> Iterator[str]:
    for credential in _credentials(request):
        # A counter that the requestor sends is overwritten later, but must be known; none sent is none to look up.
        if credential.key_counter and not _has_key(configuration, credential.credential_type.issuer, credential.key_counter):
            yield str(credential.public_key_id)


def _has_key(configuration: Configuration, issuer: IssuerId, counter: int) -> bool:
    try:
        configuration.public_key(issuer, counter)
    except UnknownPublicKeyError:
        return False
    return True


def _unknown_types(request: SessionRequest, configuration: Configuration) -> Iterator[str]:
    return (str(type_id) for type_id in _credential_types(request) if type_id not in configuration.credential_types)


def _unknown_attributes(request: SessionRequest, configuration: Configuration) -> Iterator[str]:
    for credential in _credentials(request):
        credential_type = configuration.credential_types.get(credential.credential_type)
        if credential_type is not None:
            known = {attribute.attribute_id for attribute in credential_type.attributes}
            yield from (f"{credential_type.id}.{name}" for name in credential.attributes if name not in known)
    for _, attribute in attribute_requests(request.disclose):
        credential_type = configuration.credential_types.get(attribute.credential_type)
        if credential_type is not None and not _has_attribute(credential_type, attribute.type):
            yield str(attribute.type)


def _has_attribute(credential_type: CredentialType, identifier: Identifier) -> bool:
    return isinstance(identifier, CredentialTypeId) or credential_type.attribute(identifier.name) is not None


def missing_attributes(credential: CredentialRequest, credential_type: CredentialType) -> list[str]:
    """The identifiers of the attributes that a credential request must give and does not."""
    return [
        str(attribute.id)
        for attribute in credential_type.attributes
        if attribute.attribute_id not in credential.attributes
        and not (attribute.revocation or attribute.random_blind or attribute.is_optional)
    ]


def _check_required(request: SessionRequest, configuration: Configuration) -> None:
    missing: list[str] = []
    for credential in _credentials(request):
        missing += missing_attributes(credential, configuration.credential_types[credential.credential_type])
    if missing:
        raise RequestRuleError("credentials", f"Required attributes are missing: {', '.join(dict.fromkeys(missing))}")


def _check_revocation(request: SessionRequest, configuration: Configuration) -> None:
    for type_id in request.revocation:
        credential_type = configuration.credential_types.get(type_id)
        where = f"revocation.{type_id}"
        if credential_type is None:
            raise RequestRuleError(where, f"cannot request nonrevocation proof for {type_id}: unknown credential type")
        if not credential_type.supports_revocation:
            raise RequestRuleError(where, f"cannot request nonrevocation proof for {type_id}: revocation not enabled in scheme")


def _check_singletons(request: SessionRequest, configuration: Configuration) -> None:
    for i, discon in enumerate(request.disclose):
        for j, con in enumerate(discon):
            types = {attribute.credential_type for attribute in con}
            if sum(not configuration.credential_types[type_id].is_singleton for type_id in types) > 1:
                raise RequestRuleError(f"disclose[{i}][{j}]", "Multiple non-singletons within one inner conjunction are not allowed")


def check_credential(credential: CredentialRequest, credential_type: CredentialType, where: str = "credential") -> None:
    """Check a credential request against its type, as server and app both do.

    Raises:
        RequestRuleError: an attribute is unknown, missing, or one that requestors cannot set, or the list of random blind
            attributes is not the type's.
    """
    known = {attribute.attribute_id for attribute in credential_type.attributes}
    for name in credential.attributes:
        if name not in known:
            raise RequestRuleError(f"{where}.attributes.{name}", f"{credential_type.id} has no attribute {name}")
    for attribute in credential_type.attributes:
        if attribute.attribute_id not in credential.attributes:
            continue
        path = f"{where}.attributes.{attribute.attribute_id}"
        if attribute.revocation:
            raise RequestRuleError(path, "revocation attribute cannot be set in credential request")
        if attribute.random_blind:
            raise RequestRuleError(path, "randomblind attribute cannot be set in credential request")
    missing = missing_attributes(credential, credential_type)
    if missing:
        raise RequestRuleError(f"{where}.attributes", f"Required attributes are missing: {', '.join(missing)}")
    if credential.random_blind_ids != credential_type.random_blind_names:
        raise RequestRuleError(f"{where}.randomblindIDs", "mismatch in randomblind attributes between server/client")
