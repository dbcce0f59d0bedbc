"""The choice of protocol version between app and server.

Source: irmago `irma/server/irmaserver/helpers.go` (chooseProtocolVersion).
"""

import re
from typing import Final

from ..errors import MalformedError
from ..json_text import parse_json
from ..protocol_version import ProtocolVersion
from .errors import MalformedInputError, ProtocolVersionError

#: A stock `irma server` of v1.3.0 speaks this version only, and so do we.
SERVER_VERSION: Final = ProtocolVersion(2, 8)
#: The versions of the frontend protocol that the session package names; they are not negotiated.
FRONTEND_MIN_VERSION: Final = ProtocolVersion(1, 0)
FRONTEND_MAX_VERSION: Final = ProtocolVersion(1, 1)

#: A JSON number with a fraction, as which a version may be written without quotes.
_BARE: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")


def read_version_header(name: str, value: str | None) -> ProtocolVersion:
    """Read one of the app's two version headers: JSON, that is a version in quotes or bare.

    Raises:
        MalformedInputError: it is absent or something else.
    """
    text = (value or "").strip(" \t\r\n")
    try:
        if not _BARE.fullmatch(text):
            text = parse_json(text, name)
        if not isinstance(text, str) or text.count(".") != 1:
            raise MalformedInputError("Invalid protocol version number: not of form x.y")
        return ProtocolVersion.parse(text)
    except MalformedError as error:
        raise MalformedInputError(str(error)) from error
    except ValueError as error:
        raise MalformedInputError(f"{name}: {error}") from error


def negotiate(client_min: ProtocolVersion, client_max: ProtocolVersion) -> ProtocolVersion:
    """Choose the version of a session: the highest that both sides speak.

    Raises:
        ProtocolVersionError: there is none.
    """
    if client_min > SERVER_VERSION or client_max < SERVER_VERSION or client_max < client_min:
        raise ProtocolVersionError
    return min(client_max, SERVER_VERSION)
