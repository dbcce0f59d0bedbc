"""The choice of protocol version between app and server.

Source: irmago `irma/server/irmaserver/helpers.go` (chooseProtocolVersion).
"""

from typing import Final

from ..protocol_version import ProtocolVersion
from .errors import ProtocolVersionError

#: A stock `irma server` of v1.3.0 speaks this version only, and so do we.
SERVER_VERSION: Final = ProtocolVersion(2, 8)
#: The versions of the frontend protocol that the session package names; they are not negotiated.
FRONTEND_MIN_VERSION: Final = ProtocolVersion(1, 0)
FRONTEND_MAX_VERSION: Final = ProtocolVersion(1, 1)


def negotiate(client_min: ProtocolVersion, client_max: ProtocolVersion) -> ProtocolVersion:
    """Choose the version of a session: the highest that both sides speak.

    Raises:
        ProtocolVersionError: there is none.
    """
    if client_min > SERVER_VERSION or client_max < SERVER_VERSION or client_max < client_min:
        raise ProtocolVersionError
    return min(client_max, SERVER_VERSION)
