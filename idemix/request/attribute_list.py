"""From a credential request to the integers that are signed. Server and app both compute them.

Source: irmago `irma/requests.go` (CredentialRequest.AttributeList).
"""

from gmpy2 import mpz

from ..credential.attributes import encode_attribute
from ..credential.metadata import METADATA_VERSION, MetadataAttribute
from ..scheme.descriptions import AttributeType, CredentialType
from .issuance import CredentialRequest
from .reading import RequestRuleError
from .validation import check_credential


def attribute_list(
    credential: CredentialRequest,
    credential_type: CredentialType,
    *,
    signed_at: int,
    version: int = METADATA_VERSION,
    revocation_attribute: mpz | None = None,
) -> tuple[mpz | None, ...]:
    """Return m_1 … m_k: the metadata attribute, then the attributes in the order of the type's description.

    Args:
        credential: the request, with its key counter.
        credential_type: the type it names.
        signed_at: Unix seconds.
        version: of the metadata attribute.
        revocation_attribute: the e of the credential's witness; None where it is issued without.

    Returns:
        The integers; None for each random blind attribute, 0 for absent optional ones and for the revocation attribute of a
        credential without witness.

    Raises:
        RequestRuleError: the request does not fit the type, or the type has no revocation attribute.
        MalformedAttributeError: the expiry lies before the signing, or a number does not fit into the metadata attribute.
    """
    check_credential(credential, credential_type)
    if revocation_attribute is not None and credential_type.revocation_index is None:
        rule = f"cannot specify revocationAttr: credtype {credential_type.id} does not support revocation"
        raise RequestRuleError("credential", rule)
    metadata = MetadataAttribute.create(
        str(credential_type.id),
        signed_at=signed_at,
        expires_at=credential.expires_at,
        key_counter=credential.key_counter,
        version=version,
    )
    e = mpz(0) if revocation_attribute is None else revocation_attribute
    return (metadata.encode(), *(_attribute(credential, kind, version, e) for kind in credential_type.attributes))


def _attribute(credential: CredentialRequest, kind: AttributeType, version: int, e: mpz) -> mpz | None:
    if kind.random_blind:
        return None
    if kind.revocation:
        return e
    return encode_attribute(credential.attributes.get(kind.attribute_id), version)
