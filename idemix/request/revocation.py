"""Revocation requests: a requestor revokes what it issued under a key.

Source: irmago `irma/requests.go` (RevocationRequest).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from ..scheme.identifiers import CredentialTypeId
from .reading import Fields, RequestRuleError, parse_json

_FIELDS: Final = frozenset({"@context", "type", "revocationKey", "issued"})


@dataclass(frozen=True, slots=True)
class RevocationRequest:
    """Asks to revoke credentials.

    Attributes:
        credential_type: the type of the credentials.
        revocation_key: the key given when they were issued.
        issued_ns: the moment of issuance in Unix nanoseconds; 0 stands for all with this key.
    """

    LD_CONTEXT: ClassVar[str] = "https://irma.app/ld/request/revocation/v1"

    credential_type: CredentialTypeId
    revocation_key: str = ""
    issued_ns: int = 0

    @classmethod
    def from_json(cls, value: object, where: str = "") -> Self:
        """Read a request from decoded JSON. Whether the type exists is checked where it is revoked.

        Raises:
            MalformedRequestError: it is malformed.
        """
        fields = Fields.read(value, where, _FIELDS)
        request = cls(CredentialTypeId(fields.text("type")), fields.text("revocationKey"), fields.integer("issued"))
        if fields.text("@context") != cls.LD_CONTEXT:
            raise RequestRuleError(fields.path("@context"), "not a revocation request")
        return request

    def to_json(self) -> dict[str, object]:
        result: dict[str, object] = {"@context": self.LD_CONTEXT, "type": str(self.credential_type)}
        if self.revocation_key:
            result["revocationKey"] = self.revocation_key
        if self.issued_ns:
            result["issued"] = self.issued_ns
        return result


def parse_revocation_request(body: bytes | str | Mapping[str, object]) -> RevocationRequest:
    """Read a revocation request.

    Raises:
        MalformedRequestError: it is none.
    """
    return RevocationRequest.from_json(parse_json(body) if isinstance(body, bytes | str) else dict(body))
