"""What is checked before the gateway starts: the requestors of the configuration, their keys, and every permission.

All faults are reported together, in the reference's words where it has words for them.

Source: irmago `irma/server/requestorserver/conf.go` (`initialize`, `validatePermissions`), `internal/common/common.go`
(`ReadKey`).
"""

import base64
import binascii
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from idemix.scheme.configuration import Configuration

from .config import AUTH_METHODS, ConfigurationError, GatewayConfig, Problem, RequestorConfig
from .models import AuthMethod
from .permissions import BadPatternError, IssuerKeyCheck, Permissions, compile_host_pattern, validate_permissions
from .requestors.directory import DirectoryKey, DirectoryRequestor, RequestorDirectory, hash_token

NO_REQUESTORS: Final = "No requestors configured; either configure one or more requestors or disable requestor authentication"
OPEN_ISSUING: Final = (
    "If issuing is enabled in production mode without authentication, client_port must be given, so that the requestor API is not public"
)
_PEM: Final = re.compile(r"-----BEGIN ([^-\r\n]*)-----\r?\n(.*?)-----END \1-----", re.DOTALL)
_BASE64: Final = re.compile(r"(?:[A-Za-z0-9+/]*|[A-Za-z0-9_-]*)(={0,2})")


def configured_directory(config: GatewayConfig, *, pepper: bytes) -> RequestorDirectory:
    """Turn the requestors of the configuration into a directory.

    Args:
        config: the configuration; key files are read.
        pepper: the key of the token hashes.

    Raises:
        ConfigurationError: with every requestor whose key cannot be read.
    """
    problems: list[Problem] = []
    requestors: list[DirectoryRequestor] = []
    for name, requestor in config.requestors.items():
        try:
            key = _read_key(name, requestor, pepper)
        except ConfigurationError as error:
            problems += error.problems
        else:
            requestors.append(DirectoryRequestor(name, requestor.permissions, (key,)))
    problems += _name_problems(requestors)
    if problems:
        raise ConfigurationError(problems)
    return RequestorDirectory.of(requestors, pepper=pepper, global_permissions=config.permissions)


def check_permissions(config: GatewayConfig, configuration: Configuration, private_keys: IssuerKeyCheck) -> None:
    """Check every permission of the configuration against the schemes and the private keys.

    Raises:
        ConfigurationError: with every fault.
    """
    keys = None if config.skip_private_keys_check else private_keys
    problems = [Problem("permissions", text) for text in validate_permissions("Global", config.permissions, configuration, keys)]
    for name, requestor in config.requestors.items():
        where = f"requestors.{name}.permissions"
        problems += [Problem(where, text) for text in validate_permissions(f"Requestor {name}", requestor.permissions, configuration, keys)]
        problems += _host_problems(f"requestors.{name}.host_perms", requestor.permissions)
    if _issues_openly(config, configuration, private_keys):
        problems.append(Problem("no_auth", OPEN_ISSUING))
    if problems:
        raise ConfigurationError(problems)


def _issues_openly(config: GatewayConfig, configuration: Configuration, private_keys: IssuerKeyCheck) -> bool:
    """Whether anybody could issue credentials of a scheme that is not for demonstration."""
    if not (config.production and config.no_auth and config.permissions.issue and not config.client_port):
        return False
    return any(
        not configuration.schemes[issuer.scheme].demo and private_keys.problem(issuer, revocation=False) is None
        for issuer in configuration.issuers
    )


def _host_problems(option: str, permissions: Permissions) -> Iterator[Problem]:
    for pattern in permissions.host:
        try:
            compile_host_pattern(pattern)
        except BadPatternError as error:
            yield Problem(option, f"the pattern {pattern!r} never matches: {error}", departure="host-pattern")


def _name_problems(requestors: list[DirectoryRequestor]) -> Iterator[Problem]:
    holders: defaultdict[bytes, list[str]] = defaultdict(list)
    for requestor in requestors:
        if not requestor.name:
            yield Problem("requestors", "a requestor has no name", departure="requestor-name")
        for key in requestor.keys:
            if key.token_hash is not None:
                holders[key.token_hash].append(requestor.name)
    for names in holders.values():
        if len(names) > 1:
            yield Problem("requestors", f"the same token belongs to {' and '.join(names)}", departure="shared-token")


def _read_key(name: str, requestor: RequestorConfig, pepper: bytes) -> DirectoryKey:
    where = f"requestors.{name}"
    if requestor.auth_method not in AUTH_METHODS:
        supported = ", ".join(AUTH_METHODS)
        message = f"Requestor {name} has unsupported authentication type {requestor.auth_method} (supported methods: {supported})"
        raise ConfigurationError([Problem(f"{where}.auth_method", message)])
    if bool(requestor.key) == bool(requestor.key_file):
        message = f"failed to read key of requestor {name}: provide either key or path to key"
        raise ConfigurationError([Problem(f"{where}.key", message)])
    text = requestor.key
    if requestor.key_file:
        try:
            text = Path(requestor.key_file).read_text()
        except (OSError, UnicodeDecodeError) as error:
            message = f"failed to read key of requestor {name}: {error}"
            raise ConfigurationError([Problem(f"{where}.key_file", message)]) from error
    method = AuthMethod(requestor.auth_method)
    if method is AuthMethod.TOKEN:
        return DirectoryKey(0, method, token_hash=hash_token(text, pepper))
    try:
        if method is AuthMethod.HMAC:
            return DirectoryKey(0, method, secret=decode_secret(text))
        return DirectoryKey(0, method, public_key=read_public_key(text))
    except ValueError as error:
        option = f"{where}.key_file" if requestor.key_file else f"{where}.key"
        raise ConfigurationError([Problem(option, f"the key of requestor {name} cannot be used: {error}")]) from error


def decode_secret(text: str) -> bytes:
    """Decode an HMAC secret: base64 in the standard or the URL alphabet, padded or not; line ends are skipped.

    Raises:
        ValueError: it is not base64, or empty.
    """
    joined = text.replace("\r", "").replace("\n", "")
    match = _BASE64.fullmatch(joined)
    digits = joined.rstrip("=")
    if match is None or (match[1] and len(joined) % 4) or len(digits) % 4 == 1:
        raise ValueError("it is not base64")
    try:
        return base64.b64decode(digits.translate(str.maketrans("-_", "+/")) + "=" * (-len(digits) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError("it is not base64") from error


def read_public_key(pem: str) -> RSAPublicKey:
    """Read the first PEM block as an RSA public key (SubjectPublicKeyInfo), or as a certificate of one.

    Raises:
        ValueError: it is neither.
    """
    block = _PEM.search(pem)
    if block is None:
        raise ValueError("it is not PEM")
    der = decode_secret("".join(block[2].split()))
    try:
        key = load_der_public_key(der)
        if key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != der:
            raise ValueError("it is not a SubjectPublicKeyInfo")
    except ValueError:
        key = x509.load_der_x509_certificate(der).public_key()
    if not isinstance(key, RSAPublicKey):
        raise ValueError("it is not an RSA key")
    return key
