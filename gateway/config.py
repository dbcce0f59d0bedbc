"""The gateway's configuration: the options of `irma server`, by their names, with their defaults.

`GatewayConfig.from_options` takes what a configuration file, the environment or the command line gave, and reports every
fault and contradiction at once. The faults that need the schemes or the files it names are found by `gateway.startup`.

Source: irmago `irma/server/conf.go`, `irma/server/requestorserver/conf.go`, `yivi/cli/irmacli/server.go`.
"""

import re
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from idemix.errors import MalformedError, MalformedKeyError
from idemix.timestamp import NO_KEYS, TimestampKeys

from .addresses import PUBLIC_ONLY, WITH_PRIVATE, AddressPolicy
from .permissions import NO_PERMISSIONS, Permissions
from .proxies import parse_networks

DEFAULT_PORT: Final = 8088
MAX_PORT: Final = 65535
#: Limit of a request body, in bytes (irmago `irma/server/server.go`, `ReadTimeout` and its neighbours).
MAX_BODY_BYTES: Final = 10 * 1024 * 1024
#: How long a client may take to send a request, in seconds (the same, `ReadTimeout`).
READ_SECONDS: Final = 2.0
AUTH_METHODS: Final = ("token", "hmac", "publickey")
_STATIC_SESSION_NAME: Final = re.compile(r"[a-zA-Z0-9_]+")


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a configuration.

    Attributes:
        option: which option, with dots for those inside another (`requestors.shop.key`).
        message: what is wrong, as a sentence; where the reference has a text for it, that text.
        departure: our rule, where the reference would start.
    """

    option: str
    message: str
    departure: str | None = None


class ConfigurationError(MalformedError):
    """A configuration with which the gateway does not start. `problems` holds all faults."""

    def __init__(self, problems: list[Problem]) -> None:
        departures = {problem.departure for problem in problems}
        super().__init__(
            "",
            "\n".join(f"{problem.option}: {problem.message}" if problem.option else problem.message for problem in problems),
            departure=next(iter(departures)) if len(departures) == 1 else None,
        )
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class RequestorConfig:
    """A requestor of the configuration: how it authenticates and what it may ask."""

    auth_method: str = ""
    key: str = field(default="", repr=False)
    key_file: str = ""
    permissions: Permissions = NO_PERMISSIONS


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """What the gateway is told to do. Times are in the unit that the option has in irma server.

    Attributes:
        schemes_path: folder with scheme directories; the default schemes are fetched into an empty one, unless `schemes_update` is 0.
        schemes_assets_path: folder of schemes that are taken over where those of `schemes_path` are older or missing.
        schemes_update: minutes between updates of schemes; 0 is off.
        privkeys: folder with issuer private keys, `scheme.issuer.xml` and `scheme.issuer.N.xml`.
        url: the address at which apps reach this server; see `server_url`.
        max_session_lifetime: minutes that an untouched session lives.
        session_result_lifetime: minutes that a result stays readable after the end.
        max_request_age: seconds that a request JWT stays valid after its `iat`.
        clock_skew: seconds that the clock of a requestor may differ, for `iat`, `exp` and `nbf`; 0 as the reference has it.
        permissions: those that every requestor has.
        requestors: by name.
        static_sessions: by name, the extended session request to start.
        revocation_db_type, revocation_db_str: of the database of revocation in irma server.
        revocation_settings: by credential type, what this server does for its revocation; see `gateway.revocation.settings`.
        timestamp_keys: the keys of time-stamp servers whose stamps on signatures count.
        trusted_proxies: networks of the reverse proxies whose word on the client is taken.
        callback_url_slash: append `/` to callback URLs, as the reference's HTTP client does.
        outbound_allow: which hosts the gateway may call that are not public; see `outbound_policy`.
    """

    schemes_path: Path | None = None
    schemes_assets_path: Path | None = None
    schemes_update: int = 60
    privkeys: Path | None = None
    url: str = ""
    listen_addr: str = ""
    port: int = DEFAULT_PORT
    client_listen_addr: str = ""
    client_port: int = 0
    api_prefix: str = "/"
    tls_cert: str = ""
    tls_cert_file: str = ""
    tls_privkey: str = field(default="", repr=False)
    tls_privkey_file: str = ""
    client_tls_cert: str = ""
    client_tls_cert_file: str = ""
    client_tls_privkey: str = field(default="", repr=False)
    client_tls_privkey_file: str = ""
    no_tls: bool = False
    no_auth: bool = False
    requestors: Mapping[str, RequestorConfig] = field(default_factory=dict)
    permissions: Permissions = NO_PERMISSIONS
    skip_private_keys_check: bool = False
    static_sessions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    static_path: Path | None = None
    static_prefix: str = "/"
    max_session_lifetime: int = 15
    session_result_lifetime: int = 5
    jwt_issuer: str = "irmaserver"
    jwt_privkey: str = field(default="", repr=False)
    jwt_privkey_file: str = ""
    max_request_age: int = 300
    allow_unsigned_callbacks: bool = False
    augment_client_return_url: bool = False
    sse: bool = False
    store_type: str = "memory"
    redis_addr: str = ""
    redis_sentinel_addrs: str = ""
    redis_sentinel_master_name: str = ""
    redis_username: str = ""
    redis_pw: str = field(default="", repr=False)
    redis_sentinel_username: str = ""
    redis_sentinel_pw: str = field(default="", repr=False)
    redis_db: int = 0
    redis_allow_empty_password: bool = False
    redis_accept_inconsistency_risk: bool = False
    redis_acl_use_key_prefixes: bool = False
    redis_tls_cert: str = ""
    redis_tls_cert_file: str = ""
    redis_tls_client_cert_file: str = ""
    redis_tls_client_key_file: str = ""
    redis_no_tls: bool = False
    revocation_db_type: str = ""
    revocation_db_str: str = field(default="", repr=False)
    revocation_settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sdjwtvc_issuer_certificates_dir: str = ""
    sdjwtvc_issuer_private_keys_dir: str = ""
    verbose: int = 0
    quiet: bool = False
    log_json: bool = False
    production: bool = False
    email: str = ""
    no_email: bool = False
    timestamp_keys: TimestampKeys = NO_KEYS
    callback_url_slash: bool = True
    trusted_proxies: tuple[str, ...] = ()
    clock_skew: int = 0
    outbound_allow: AddressPolicy | None = None

    @classmethod
    def from_options(cls, options: Mapping[str, Any], *, command_defaults: bool = True, lower_case_names: bool = False) -> "GatewayConfig":
        """Read options by their names.

        Args:
            options: name to value, with the underscores of a configuration file.
            command_defaults: fill absent options as the `irma server` command does: global `disclose_perms` and
                `sign_perms` with `*`, and outside production `issue_perms` too, `no_auth` with true outside production.
            lower_case_names: lower the case of names of requestors and static sessions, as the reference does with those of
                a configuration file.

        Raises:
            ConfigurationError: with every fault.
        """
        config, problems = cls.read_options(options, command_defaults=command_defaults, lower_case_names=lower_case_names)
        if problems:
            raise ConfigurationError(list(problems))
        return config

    @classmethod
    def read_options(
        cls, options: Mapping[str, Any], *, command_defaults: bool = True, lower_case_names: bool = False
    ) -> tuple["GatewayConfig", tuple[Problem, ...]]:
        """The same for whoever looks for more faults: the configuration without what is faulty, and the faults."""
        reader = _Reader(options, command_defaults=command_defaults, lower_case_names=lower_case_names)
        config = reader.read()
        return config, (*reader.problems, *_contradictions(config))

    @property
    def server_url(self) -> str:
        """The address of the app's API with its trailing slash, or an empty text where there is none.

        A slash and `irma/` are appended where missing, the word `port` becomes the port, and `http` becomes `https` where
        the listener that serves apps has TLS.
        """
        url = self.url
        if not url:
            return ""
        url = url if url.endswith("/") else url + "/"
        url = url if url.endswith("irma/") else url + "irma/"
        url = re.sub(r"^(https?://[^/]*):port(?=/)", rf"\1:{self.client_port or self.port}", url)
        tls = self.client_tls_cert or self.client_tls_cert_file if self.client_port else self.tls_cert or self.tls_cert_file
        if tls and url.startswith("http://"):
            url = "https://" + url.removeprefix("http://")
        return url

    @property
    def default_host(self) -> str:
        """host[:port] of the server URL."""
        return urlsplit(self.server_url).netloc

    @property
    def path_prefix(self) -> str:
        """`api_prefix` without its trailing slash: what stands before every path."""
        return self.api_prefix.rstrip("/")

    @property
    def deprecated_options(self) -> tuple[str, ...]:
        """Options that were given and that the reference ignores too."""
        return tuple(name for name in DEPRECATED if getattr(self, name) != _FIELD_DEFAULTS[name])

    @property
    def outbound_policy(self) -> AddressPolicy:
        """Which hosts may be called: those of `outbound_allow`; without that option, outside production also private ones."""
        if self.outbound_allow is not None:
            return self.outbound_allow
        return PUBLIC_ONLY if self.production else WITH_PRIVATE

    def with_local_url(self) -> "GatewayConfig":
        """This configuration with the machine's own address as URL, where none was given outside production."""
        if self.url or self.production:
            return self
        return replace(self, url=f"http://{local_address()}:{self.client_port or self.port}")


#: Options that the reference takes and ignores, with what it says of them.
DEPRECATED: Final[Mapping[str, str]] = {
    "email": "is no longer used; you may remove it",
    "no_email": "is no longer needed; you may remove it",
}
_FIELD_DEFAULTS: Final = {option.name: getattr(GatewayConfig(), option.name) for option in fields(GatewayConfig)}


def local_address() -> str:
    """The machine's address in its network; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


class _Reader:
    """Turns options into a `GatewayConfig`, collecting the faults of single values."""

    def __init__(self, options: Mapping[str, Any], *, command_defaults: bool, lower_case_names: bool) -> None:
        self._options = options
        self._command_defaults = command_defaults
        self._lower_case_names = lower_case_names
        self.problems: list[Problem] = []

    def read(self) -> GatewayConfig:
        values: dict[str, Any] = {}
        for option in fields(GatewayConfig):
            if option.name in self._options and option.name not in _STRUCTURED:
                value = self._scalar(option.name, self._options[option.name], str(option.type))
                if value is not None:
                    values[option.name] = value
        production = bool(values.get("production", False))
        if self._command_defaults:
            values.setdefault("no_auth", not production)
        values["permissions"] = self._permissions("", self._options, production=production)
        values["requestors"] = dict(self._requestors())
        values["static_sessions"] = dict(self._objects("static_sessions", lower=self._lower_case_names))
        values["revocation_settings"] = dict(self._objects("revocation_settings", lower=False))
        values["timestamp_keys"] = self._timestamp_keys()
        values["outbound_allow"] = self._outbound_allow()
        known = {option.name for option in fields(GatewayConfig)} | {*PERMISSION_OPTIONS}
        for name in self._options:
            if name not in known:
                self.problems.append(Problem(str(name), "is not an option", departure="unknown-option"))
        return GatewayConfig(**values)

    def _fault(self, option: str, message: str) -> None:
        self.problems.append(Problem(option, message))

    def _scalar(self, name: str, value: Any, kind: str) -> Any:
        if kind.startswith("tuple"):
            if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
                return tuple(value)
        elif "Path" in kind:
            if isinstance(value, (str, Path)):
                return Path(value) if str(value) else None
        elif "bool" in kind:
            if isinstance(value, bool):
                return value
        elif "int" in kind:
            if isinstance(value, int) and not isinstance(value, bool):
                return value
        elif isinstance(value, str):
            return value
        expected = (
            "a list of texts"
            if kind.startswith("tuple")
            else "a path"
            if "Path" in kind
            else "true or false"
            if "bool" in kind
            else "a number"
            if "int" in kind
            else "a text"
        )
        self._fault(name, f"must be {expected}")
        return None

    def _permissions(self, where: str, options: Mapping[str, Any], *, production: bool | None = None) -> Permissions:
        lists: dict[str, tuple[str, ...]] = {}
        for option, name in PERMISSION_OPTIONS.items():
            value = options.get(option)
            if value is None:
                lists[name] = self._default_permission(name) if production is not None else ()
            elif isinstance(value, (list, tuple)) and all(isinstance(pattern, str) for pattern in value):
                lists[name] = tuple(value)
            else:
                self._fault(f"{where}{option}", "must be a list of texts")
                lists[name] = ()
        return Permissions(**lists)

    def _default_permission(self, name: str) -> tuple[str, ...]:
        if not self._command_defaults:
            return ()
        open_lists = ("disclose", "sign") if self._options.get("production") is True else ("disclose", "sign", "issue")
        return ("*",) if name in open_lists else ()

    def _objects(self, option: str, *, lower: bool) -> Iterator[tuple[str, Mapping[str, Any]]]:
        value = self._options.get(option) or {}
        if not isinstance(value, Mapping):
            self._fault(option, "must map names to objects")
            return
        seen: set[str] = set()
        for given, content in value.items():
            name = str(given).lower() if lower else str(given)
            if name in seen:
                self._fault(f"{option}.{name}", "is given twice")
            elif not isinstance(content, Mapping):
                self._fault(f"{option}.{name}", "must be an object")
            else:
                yield name, content
            seen.add(name)

    def _timestamp_keys(self) -> TimestampKeys:
        """The keys by the address of their server, each `ed25519-BASE64`."""
        value = self._options.get("timestamp_keys") or {}
        if not isinstance(value, Mapping) or not all(
            isinstance(keys, (list, tuple)) and all(isinstance(key, str) for key in keys) for keys in value.values()
        ):
            self._fault("timestamp_keys", "must map addresses to lists of keys")
            return NO_KEYS
        try:
            return TimestampKeys.parse({str(url): keys for url, keys in value.items()})
        except MalformedKeyError as error:
            self._fault(f"timestamp_keys.{error.where}", error.rule)
            return NO_KEYS

    def _outbound_allow(self) -> AddressPolicy | None:
        """The hosts that may be called: a list, or a text with commas."""
        value = self._options.get("outbound_allow")
        if value is None:
            return None
        entries = value.split(",") if isinstance(value, str) and value else value or []
        if not isinstance(entries, (list, tuple)) or not all(isinstance(entry, str) for entry in entries):
            self._fault("outbound_allow", "must be a list of networks and hosts")
            return None
        try:
            return AddressPolicy.parse(entries)
        except ValueError as error:
            self._fault("outbound_allow", str(error))
            return None

    def _requestors(self) -> Iterator[tuple[str, RequestorConfig]]:
        for name, content in self._objects("requestors", lower=self._lower_case_names):
            where = f"requestors.{name}."
            texts = {}
            for option in ("auth_method", "key", "key_file"):
                value = content.get(option, "")
                if not isinstance(value, str):
                    self._fault(where + option, "must be a text")
                texts[option] = value if isinstance(value, str) else ""
            for option in content:
                if option not in (*PERMISSION_OPTIONS, "auth_method", "key", "key_file"):
                    self.problems.append(Problem(where + str(option), "is not an option", departure="unknown-option"))
            yield name, RequestorConfig(**texts, permissions=self._permissions(where, content))


#: Options that are no single value.
_STRUCTURED: Final = ("requestors", "permissions", "static_sessions", "revocation_settings", "timestamp_keys", "outbound_allow")
PERMISSION_OPTIONS: Final = {
    "disclose_perms": "disclose",
    "sign_perms": "sign",
    "issue_perms": "issue",
    "revoke_perms": "revoke",
    "host_perms": "host",
}


def _contradictions(config: GatewayConfig) -> Iterator[Problem]:
    """The faults that lie in several options together, or in the range of one."""
    for option in ("port", "client_port"):
        port = getattr(config, option)
        if not (1 <= port <= MAX_PORT or (option == "client_port" and port == 0)):
            yield Problem(option, f"Port must be between 1 and {MAX_PORT} (was {port})")
    if config.client_port and config.client_port == config.port:
        yield Problem("client_port", "If client_port is given it must be different from port")
    if config.client_listen_addr and not config.client_port:
        yield Problem("client_listen_addr", "client_listen_addr must be combined with a nonzero client_port")
    if config.no_auth and config.requestors:
        yield Problem("no_auth", "Requestors must not be configured when requestor authentication is disabled")
    if config.production and config.url and not config.url.startswith("https://") and not config.no_tls:
        yield Problem(
            "url",
            "Running without TLS in production mode is unsafe without a reverse proxy. "
            "Either use a https:// URL or explicitly disable TLS.",
        )
    for option in ("max_session_lifetime", "session_result_lifetime"):
        if getattr(config, option) < 1:
            yield Problem(option, "must be at least one minute")
    for option in ("max_request_age", "schemes_update"):
        if getattr(config, option) < 0:
            yield Problem(option, "must not be negative")
    for prefix in ("", "client_"):
        for part in ("tls_cert", "tls_privkey", "jwt_privkey") if not prefix else ("tls_cert", "tls_privkey"):
            if getattr(config, f"{prefix}{part}") and getattr(config, f"{prefix}{part}_file"):
                yield Problem(f"{prefix}{part}", f"give either {prefix}{part} or {prefix}{part}_file")
        certificate = getattr(config, f"{prefix}tls_cert") or getattr(config, f"{prefix}tls_cert_file")
        key = getattr(config, f"{prefix}tls_privkey") or getattr(config, f"{prefix}tls_privkey_file")
        if bool(certificate) != bool(key):
            yield Problem(f"{prefix}tls_cert", "a certificate and its private key must be given together")
    if not config.api_prefix.startswith("/"):
        yield Problem("api_prefix", f"api_prefix must start with a slash, but doesn't: {config.api_prefix}")
    if config.static_path is not None and not config.static_prefix.startswith("/"):
        yield Problem("static_prefix", f"static_prefix must start with a slash, was {config.static_prefix}")
    try:
        parse_networks(config.trusted_proxies)
    except ValueError as error:
        yield Problem("trusted_proxies", str(error))
    for option in ("sdjwtvc_issuer_certificates_dir", "sdjwtvc_issuer_private_keys_dir"):
        if getattr(config, option):
            yield Problem(option, "SD-JWT VC is not issued by this gateway; leave the option out to issue Idemix credentials only")
    yield from _store_contradictions(config)
    for name in config.static_sessions:
        if not _STATIC_SESSION_NAME.fullmatch(name):
            yield Problem(f"static_sessions.{name}", "a name holds letters, digits and underscores only")


def _store_contradictions(config: GatewayConfig) -> Iterator[Problem]:
    if config.store_type == "memory":
        return
    if config.store_type != "redis":
        yield Problem("store_type", f"unknown store {config.store_type}: it is memory or redis")
        return
    if bool(config.redis_addr) == bool(config.redis_sentinel_addrs):
        yield Problem("redis_addr", "give exactly one of redis_addr and redis_sentinel_addrs")
    if config.redis_sentinel_addrs and not config.redis_sentinel_master_name:
        yield Problem("redis_sentinel_master_name", "must be given with redis_sentinel_addrs")
    if config.redis_sentinel_addrs and not config.redis_accept_inconsistency_risk:
        yield Problem("redis_accept_inconsistency_risk", "must be set to use sentinels: a fail-over may lose the last changes")
    if not config.redis_pw and not config.redis_allow_empty_password:
        yield Problem("redis_pw", "give a password, or set redis_allow_empty_password")
    if config.redis_acl_use_key_prefixes and not config.redis_username:
        yield Problem("redis_acl_use_key_prefixes", "needs redis_username, which is the prefix")
    if config.redis_no_tls and (config.redis_tls_cert or config.redis_tls_cert_file):
        yield Problem("redis_no_tls", "must not be combined with a certificate for TLS")
    if config.redis_tls_cert and config.redis_tls_cert_file:
        yield Problem("redis_tls_cert", "give either redis_tls_cert or redis_tls_cert_file")
    if bool(config.redis_tls_client_cert_file) != bool(config.redis_tls_client_key_file):
        yield Problem("redis_tls_client_cert_file", "a client certificate and its key must be given together")
