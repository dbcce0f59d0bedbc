"""The settings of an installation, from environment variables `IRMAHUB_*`; without any, the embedded default runs.

All wrong settings are reported together, each with the name of its variable and what it should be.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from gateway.addresses import PUBLIC_ONLY, WITH_PRIVATE, AddressPolicy
from gateway.health import DEFAULT_LIMITS, HealthLimits
from gateway.proxies import Network, parse_networks
from idemix.arith.fixed_base import DEFAULT_TABLE_BYTES
from idemix.errors import IdemixError, MalformedKeyError
from idemix.timestamp import TimestampKeys

T = TypeVar("T")

#: Of processes; more is a slip.
_MOST = 256

#: Of seconds that clocks differ; beyond it a clock is wrong, not askew.
_MOST_SKEW = 300

#: Of MiB for tables, likewise.
_MOST_MIB = 1 << 20

#: Of days, likewise.
_MOST_DAYS = 36500


class SettingsError(IdemixError):
    """Settings that cannot be used. `errors` maps the variable's name to what it should be."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {rule}" for name, rule in errors.items()))
        self.errors = dict(errors)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens.

    Attributes:
        host: a name or an IP address; an IPv6 address without brackets.
        port: 0 to 65535; 0 lets the system choose.
    """

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read `host:port`, `[ipv6]:port` or `:port` (every interface).

        Raises:
            ValueError: it is none of these.
        """
        parts = urlsplit(f"//{text}")
        if parts.port is None or parts.path or parts.username is not None:
            raise ValueError("must be host:port")
        return cls(parts.hostname or "0.0.0.0", parts.port)  # noqa: S104 - an empty host asks for every interface

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The address as a browser on this machine types it."""
        return f"http://{self}"


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of an installation.

    Attributes:
        data_directory: where database, clones, served schemes and the embedded key-encryption key live.
        database_url: an SQLAlchemy URL, SQLite or PostgreSQL.
        redis_url: where sessions and changes are shared between workers, or None: in memory, one worker.
        redis_prefix: goes before every key and channel there, for servers whose access lists ask it.
        kek_file: the file of the key-encryption key.
        console_address: where the console listens.
        console_url: the address of the console as browsers and clients of published schemes reach it.
        gateway_address: where the gateway listens.
        gateway_url: the address of the gateway as apps and backends reach it.
        workers: processes that serve requests; more than one needs Redis.
        trusted_proxies: networks of the reverse proxies whose word on the client's address is taken.
        clock_skew: seconds that the clocks of requestors may differ from ours; 0 as irma server has it.
        timestamp_keys: the keys of trusted time-stamp servers, by the server's address, each `ed25519-BASE64`.
        tables_mib: MiB that a process keeps of tables of powers, which make proofs and signatures fast; 0 for none.
        outbound_allow: what may be called that is not public: `private`, networks, hosts; None for `private` outside production only.
        log_level: `debug`, `info`, `warning` or `error`.
        log_format: `json`, or `console` for people.
        metrics_address: where Prometheus reads metrics, or None: nowhere. It is no public address.
        drain_seconds: how long a process that stops says so in `/health/ready` before it takes no more requests.
        health: where the health of components ends.
        production: stricter defaults: no open requestor API, and only https addresses outside.
    """

    data_directory: Path
    database_url: str
    redis_url: str | None
    redis_prefix: str
    kek_file: Path
    console_address: Address
    console_url: str
    gateway_address: Address
    gateway_url: str
    workers: int
    trusted_proxies: tuple[Network, ...]
    clock_skew: int
    timestamp_keys: Mapping[str, tuple[str, ...]]
    tables_mib: int
    outbound_allow: tuple[str, ...] | None
    log_level: str
    log_format: str
    metrics_address: Address | None
    drain_seconds: int
    health: HealthLimits
    production: bool

    @property
    def outbound_policy(self) -> AddressPolicy:
        """Which hosts may be called; see `outbound_allow`."""
        if self.outbound_allow is not None:
            return AddressPolicy.parse(self.outbound_allow)
        return PUBLIC_ONLY if self.production else WITH_PRIVATE

    @property
    def schemes_directory(self) -> Path:
        """The folder of the schemes that the gateway serves sessions with; published schemes are switched here."""
        return self.data_directory / "schemes"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None, *, data_directory: Path | None = None) -> "Settings":
        """Read the settings.

        Args:
            environment: the variables, by default those of the process.
            data_directory: overrides `IRMAHUB_DATA_DIRECTORY`, for commands that take it as an option.

        Raises:
            SettingsError: one or more variables are wrong; it names all of them.
        """
        reader = _Reader(os.environ if environment is None else environment)
        data = (data_directory or reader.read("DATA_DIRECTORY", _path, _default_data_directory(reader.environment))).absolute()
        console_address = reader.read("CONSOLE_ADDRESS", Address.parse, Address("127.0.0.1", 8089))
        gateway_address = reader.read("GATEWAY_ADDRESS", Address.parse, Address("127.0.0.1", 8088))
        production = reader.read("PRODUCTION", _flag, False)
        settings = cls(
            data_directory=data,
            database_url=reader.read("DATABASE_URL", _database_url, f"sqlite:///{data / 'irmahub.db'}"),
            redis_url=reader.read("REDIS_URL", _redis_url, None),
            redis_prefix=reader.read("REDIS_PREFIX", str, ""),
            kek_file=reader.read("KEK_FILE", _path, data / "kek"),
            console_address=console_address,
            console_url=reader.read("CONSOLE_URL", _http_url, console_address.url).rstrip("/") + "/",
            gateway_address=gateway_address,
            gateway_url=reader.read("GATEWAY_URL", _http_url, gateway_address.url).rstrip("/") + "/",
            workers=reader.read("WORKERS", _number_from(1), 1),
            trusted_proxies=reader.read("TRUSTED_PROXIES", _networks, ()),
            clock_skew=reader.read("CLOCK_SKEW", _number_from(0, _MOST_SKEW), 0),
            timestamp_keys=reader.read("TIMESTAMP_KEYS", _timestamp_keys, {}),
            tables_mib=reader.read("TABLES_MIB", _number_from(0, _MOST_MIB), DEFAULT_TABLE_BYTES >> 20),
            outbound_allow=reader.read("OUTBOUND_ALLOW", _outbound_allow, None),
            log_level=reader.read("LOG_LEVEL", _word("debug", "info", "warning", "error"), "info"),
            log_format=reader.read("LOG_FORMAT", _word("json", "console"), "json"),
            metrics_address=reader.read("METRICS_ADDRESS", _optional_address, None),
            # A load balancer asks every few seconds; without one nobody needs the time.
            drain_seconds=reader.read("DRAIN_SECONDS", _number_from(0), 5 if production else 0),
            health=HealthLimits(
                scheme_max_age=reader.read("SCHEME_MAX_AGE_DAYS", _days, None),
                key_warning=reader.read("KEY_WARNING_DAYS", _days, DEFAULT_LIMITS.key_warning),
                disk_min_bytes=reader.read("DISK_MIN_MIB", _number_from(0, _MOST_MIB), DEFAULT_LIMITS.disk_min_bytes >> 20) << 20,
            ),
            production=production,
        )
        if settings.workers > 1 and settings.redis_url is None:
            reader.errors["IRMAHUB_WORKERS"] = "more than one worker needs IRMAHUB_REDIS_URL, since sessions in memory are not shared"
        for variable, url in (("IRMAHUB_CONSOLE_URL", settings.console_url), ("IRMAHUB_GATEWAY_URL", settings.gateway_url)):
            if settings.production and not url.startswith("https://"):
                reader.errors.setdefault(variable, "must be an https address in production")
        if reader.errors:
            raise SettingsError(reader.errors)
        return settings


class _Reader:
    """Reads variables and gathers what is wrong with them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self.errors: dict[str, str] = {}

    def read(self, name: str, parse: Callable[[str], T], default: T) -> T:
        """The parsed variable, or the default where it is absent, empty or (then noted in `errors`) wrong."""
        variable = f"IRMAHUB_{name}"
        text = self.environment.get(variable, "")
        if not text:
            return default
        try:
            return parse(text)
        except ValueError as error:
            self.errors[variable] = str(error)
            return default


def _default_data_directory(environment: Mapping[str, str]) -> Path:
    """`$XDG_DATA_HOME/irmahub`, as the XDG Base Directory Specification gives it."""
    base = environment.get("XDG_DATA_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".local" / "share") / "irmahub"


def _path(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _database_url(text: str) -> str:
    if not text.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
        raise ValueError("must begin with sqlite:/// or postgresql://")
    return text


def _redis_url(text: str) -> str:
    # Only where there is Redis: commands that need none start without its client.
    from gateway.stores.factory import SENTINEL_SCHEMES, redis_from_url

    schemes = ("redis", "rediss", "unix", *SENTINEL_SCHEMES)
    if not text.startswith(tuple(f"{scheme}://" for scheme in schemes)):
        raise ValueError(f"must begin with {', '.join(f'{scheme}://' for scheme in schemes[:-1])} or {schemes[-1]}://")
    redis_from_url(text).close()
    return text


def _http_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be an http or https address without query")
    return text


def _number_from(least: int, most: int = _MOST) -> Callable[[str], int]:
    def read(text: str) -> int:
        number = int(text) if text.isascii() and text.isdigit() else -1
        if not least <= number <= most:
            raise ValueError(f"must be a number from {least} to {most}")
        return number

    return read


def _networks(text: str) -> tuple[Network, ...]:
    return parse_networks(text.replace(",", " ").split())


def _timestamp_keys(text: str) -> Mapping[str, tuple[str, ...]]:
    """Read `address key`, separated by commas where there are several."""
    keys: dict[str, tuple[str, ...]] = {}
    for entry in text.split(","):
        parts = entry.split()
        if len(parts) != 2:
            raise ValueError("must be an address and a key, and a comma before the next")
        url = _http_url(parts[0])
        keys[url] = (*keys.get(url, ()), parts[1])
    try:
        TimestampKeys.parse(keys)
    except MalformedKeyError as error:
        raise ValueError(str(error)) from error
    return keys


def _word(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text.lower() not in words:
            raise ValueError(f"must be {', '.join(words[:-1])} or {words[-1]}")
        return text.lower()

    return read


def _optional_address(text: str) -> Address | None:
    return Address.parse(text)


def _days(text: str) -> timedelta | None:
    return timedelta(days=_number_from(1, _MOST_DAYS)(text))


def _outbound_allow(text: str) -> tuple[str, ...] | None:
    """Read `private`, networks and hosts, separated by commas; `none` for none."""
    entries = () if text.strip().lower() == "none" else tuple(entry.strip() for entry in text.split(","))
    AddressPolicy.parse(entries)
    return entries


def _flag(text: str) -> bool:
    if text.lower() not in ("0", "1", "false", "true", "no", "yes"):
        raise ValueError("must be true or false")
    return text.lower() in ("1", "true", "yes")
