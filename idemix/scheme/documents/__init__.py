"""The files of a scheme as documents: typed fields that are read, changed and written back without touching anything else."""

from .document import Document, Place, document_kind, find_place, new_document, typed_values
from .fields import CREDENTIAL_TYPE, ISSUER, REQUESTOR_SCHEME, REQUESTORS, SCHEME, DocumentKind, Field, Fixed, Group, Kind, Value, Values
from .json_fields import value_of
from .xml_fields import REVOCATION_KEY

__all__ = [
    "CREDENTIAL_TYPE",
    "ISSUER",
    "REQUESTORS",
    "REQUESTOR_SCHEME",
    "REVOCATION_KEY",
    "SCHEME",
    "Document",
    "DocumentKind",
    "Field",
    "Fixed",
    "Group",
    "Kind",
    "Place",
    "Value",
    "Values",
    "document_kind",
    "find_place",
    "new_document",
    "typed_values",
    "value_of",
]
