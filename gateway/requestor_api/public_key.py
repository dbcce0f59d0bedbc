"""GET /publickey: the key that verifies signed results."""

from flask import Response

from ..errors import UnsupportedError
from ..runtime import current_gateway


def public_key() -> Response:
    """The public key as PEM."""
    signer = current_gateway().signer
    if signer is None:
        raise UnsupportedError
    return Response(signer.public_key_pem(), content_type="text/plain; charset=utf-8")
