"""What is checked before the gateway starts: the requestors of the configuration, their keys, and every permission.

All faults are reported together, in the reference's words where it has words for them.

Source: irmago `irma/server/requestorserver/conf.go` (`initialize`, `validatePermissions`), `internal/common/common.go`
(`ReadKey`).
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import structlog

from idemix.clock import Clock
from idemix.errors import MalformedRequestError
from idemix.request import IssuanceRequest, parse_session_request
from idemix.scheme.configuration import Configuration
from idemix.scheme.identifiers import CredentialTypeId

from .config import AUTH_METHODS, ConfigurationError, GatewayConfig, Problem, RequestorConfig
from .models import AuthMethod
from .permissions import BadPatternError, IssuerKeyCheck, Permissions, compile_host_pattern, validate_permissions
from .requestors.directory import DirectoryKey, DirectoryRequestor, RequestorDirectory, hash_token
from .requestors.key_material import decode_secret, read_public_key
from .result_jwt import ResultSigner, read_signer
from .revocation.settings import NO_SETTINGS, read_settings
from .schemes import LoadedSchemes

log = structlog.get_logger(__name__)

NO_REQUESTORS: Final = "No requestors configured; either configure one or more requestors or disable requestor authentication"
OPEN_ISSUING: Final = (
    "If issuing is enabled in production mode without authentication, client_port must be given, so that the requestor API is not public"
)


def checked_directory(
    config: GatewayConfig,
    schemes: LoadedSchemes,
    clock: Clock,
    *,
    pepper: bytes,
    has_database: bool,
    has_revocation_tables: bool = False,
) -> tuple[RequestorDirectory, ResultSigner | None]:
    """Check everything that the configuration names, and read its requestors and its key for results.

    Args:
        config: the configuration.
        schemes: what permissions are checked against.
        clock: for the signer.
        pepper: the key of the token hashes.
        has_database: whether requestors may come from elsewhere.
        has_revocation_tables: whether there are tables of revocation, in which roles may stand too.

    Raises:
        ConfigurationError: with every fault.
    """
    problems: list[Problem] = []
    if not (config.no_auth or config.requestors or has_database):
        problems.append(Problem("requestors", NO_REQUESTORS))
    directory = RequestorDirectory.of((), pepper=pepper)
    signer: ResultSigner | None = None
    try:
        directory = configured_directory(config, pepper=pepper)
    except ConfigurationError as error:
        problems += error.problems
    try:
        signer = read_signer(config, clock)
    except ConfigurationError as error:
        problems += error.problems
    problems += _permission_problems(config, schemes)
    problems += _revocation_problems(config, schemes, has_tables=has_revocation_tables)
    problems += _static_session_problems(config, has_signer=bool(config.jwt_privkey or config.jwt_privkey_file))
    if problems:
        raise ConfigurationError(problems)
    return directory, signer


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


def _permission_problems(config: GatewayConfig, schemes: LoadedSchemes) -> Iterator[Problem]:
    """Every fault in the permissions, against the schemes and the private keys."""
    configuration, private_keys = schemes.configuration, schemes.issuer_keys
    keys = None if config.skip_private_keys_check else private_keys
    for text in validate_permissions("Global", config.permissions, configuration, keys):
        yield Problem("permissions", text)
    for name, requestor in config.requestors.items():
        for text in validate_permissions(f"Requestor {name}", requestor.permissions, configuration, keys):
            yield Problem(f"requestors.{name}.permissions", text)
        _warn_of_host_patterns(name, requestor.permissions)
    if _issues_openly(config, configuration, private_keys):
        yield Problem("no_auth", OPEN_ISSUING)


def _revocation_problems(config: GatewayConfig, schemes: LoadedSchemes, *, has_tables: bool) -> Iterator[Problem]:
    """Every fault in the settings of revocation, alone and against the schemes and the private keys."""
    configuration, keys = schemes.configuration, schemes.issuer_keys
    if config.revocation_db_type not in ("", "memory", "sqlite", "postgres"):
        rule = f"unsupported database {config.revocation_db_type}: it is postgres, sqlite or memory"
        yield Problem("revocation_db_type", rule)
    if config.revocation_db_str and config.revocation_db_type == "memory":
        yield Problem("revocation_db_str", "must not be given with revocation_db_type memory")
    settings, problems = read_settings(config.revocation_settings, configuration, has_database=has_tables or bool(config.revocation_db_str))
    yield from problems
    for type_id, role in settings.items():
        if role.authority and not keys.revocation_keys(type_id.issuer):
            rule = f"no private key of {type_id.issuer} supports revocation"
            yield Problem(f"revocation_settings.{type_id}.authority", rule)
    if has_tables:
        # Roles are given there too, and change while the gateway runs.
        return
    unserved = sorted(
        str(type_id)
        for type_id, kind in configuration.credential_types.items()
        if kind.supports_revocation
        and not settings.get(type_id, NO_SETTINGS).can_issue
        and keys.problem(type_id.issuer, revocation=True) is None
    )
    text = "Revocation-supporting private key installed for {}, but no revocation server is configured: issuance sessions will always fail"
    demo = [name for name in unserved if configuration.schemes[CredentialTypeId(name).issuer.scheme].demo]
    if demo:
        log.warning("revocation.no_server", reason=text.format(", ".join(demo)))
    for name in unserved:
        if name not in demo:
            yield Problem(f"revocation_settings.{name}", text.format(name))


def _static_session_problems(config: GatewayConfig, *, has_signer: bool) -> Iterator[Problem]:
    """Static sessions must be readable, issue nothing, and have somewhere to send a result that can be signed."""
    for name, content in config.static_sessions.items():
        where = f"static_sessions.{name}"
        try:
            request = parse_session_request(content)
        except MalformedRequestError as error:
            yield Problem(where, str(error))
            continue
        if isinstance(request.request, IssuanceRequest):
            yield Problem(where, "must be a disclosure or signature session")
        if not request.callback_url and not request.next_session_url:
            yield Problem(where, "needs callbackUrl or nextSession.url")
        if not (has_signer or config.allow_unsigned_callbacks):
            yield Problem(where, "needs a key that signs results, or allow_unsigned_callbacks")


def _issues_openly(config: GatewayConfig, configuration: Configuration, private_keys: IssuerKeyCheck) -> bool:
    """Whether anybody could issue credentials of a scheme that is not for demonstration."""
    if not (config.production and config.no_auth and config.permissions.issue and not config.client_port):
        return False
    return any(
        not configuration.schemes[issuer.scheme].demo and private_keys.problem(issuer, revocation=False) is None
        for issuer in configuration.issuers
    )


def _warn_of_host_patterns(requestor: str, permissions: Permissions) -> None:
    """Tell of patterns that can never match; the reference takes them without a word."""
    for pattern in permissions.host:
        try:
            compile_host_pattern(pattern)
        except BadPatternError as error:
            log.warning("permissions.host_pattern_never_matches", requestor=requestor, pattern=pattern, reason=str(error))


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
