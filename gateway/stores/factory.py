"""The session store that the configuration asks for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from idemix.clock import Clock

from ..config import ConfigurationError, GatewayConfig, Problem
from .base import SessionStore
from .memory import MemoryStore
from .redis import RedisStore

#: How a client of Redis behaves: one that is silent for three seconds counts as away, and a lost connection is tried once again.
#: Every command of the store may be repeated: a change that was made already is then a conflict, and the session is loaded again.
CLIENT_OPTIONS: Final[Mapping[str, Any]] = {
    "socket_timeout": 3.0,
    "socket_connect_timeout": 3.0,
    "retry": Retry(NoBackoff(), 1),
}
#: Addresses of sentinels; see `redis_from_url`.
SENTINEL_SCHEMES: Final = ("redis+sentinel", "rediss+sentinel")
_SENTINEL_PARAMETERS: Final = ("sentinel_username", "sentinel_password")
_TLS_FILES: Final = {
    "redis_tls_cert_file": "ssl_ca_certs",
    "redis_tls_client_cert_file": "ssl_certfile",
    "redis_tls_client_key_file": "ssl_keyfile",
}


def open_store(config: GatewayConfig, clock: Clock) -> SessionStore:
    """Open the store.

    Raises:
        ConfigurationError: an address cannot be read, or a file of the TLS options is missing.
    """
    if config.store_type == "memory":
        return MemoryStore(clock)
    prefix = f"{config.redis_username}:" if config.redis_acl_use_key_prefixes else ""
    return RedisStore(redis_client(config), clock, prefix)


def redis_from_url(url: str) -> "redis.Redis":
    """A client of the server or sentinels of an address; nothing is sent yet.

    `redis://`, `rediss://` (TLS) and `unix://` are as redis-py has them, with `ssl_ca_certs`, `ssl_certfile` and `ssl_keyfile` as
    parameters. `redis+sentinel://user:password@host:port,host:port/master/database` asks sentinels for the server of that name,
    with `sentinel_username` and `sentinel_password` as parameters; `rediss+sentinel://` does so with TLS.

    Raises:
        ValueError: the address cannot be read; the text is the rule that it breaks.
    """
    parts = urlsplit(url)
    if parts.scheme not in SENTINEL_SCHEMES:
        client: redis.Redis = redis.Redis.from_url(url, **CLIENT_OPTIONS)
        return client
    credentials, _, hosts = parts.netloc.rpartition("@")
    username, _, password = credentials.partition(":")
    master, _, database = parts.path.strip("/").partition("/")
    addresses = [host.rpartition(":") for host in hosts.split(",")]
    if not master or not (database or "0").isdecimal() or not all(host and port.isdecimal() for host, _, port in addresses):
        raise ValueError("must be redis+sentinel://host:port,host:port/master/database")
    parameters = dict(parse_qsl(parts.query))
    if unknown := parameters.keys() - {*_SENTINEL_PARAMETERS, *_TLS_FILES.values()}:
        raise ValueError(f"has an unknown parameter {min(unknown)}")
    tls: dict[str, Any] = {name: parameters[name] for name in _TLS_FILES.values() if name in parameters}
    if parts.scheme == "rediss+sentinel":
        tls["ssl"] = True
    own: dict[str, Any] = {"username": unquote(username) or None, "password": unquote(password) or None, "db": int(database or "0")}
    sentinel_own = {name.removeprefix("sentinel_"): parameters.get(name) for name in _SENTINEL_PARAMETERS}
    return _sentinel_client([(host.strip("[]"), int(port)) for host, _, port in addresses], master, sentinel_own | tls, own | tls)


def _sentinel_client(
    addresses: list[tuple[str, int]], master: str, sentinel_options: Mapping[str, Any], options: Mapping[str, Any]
) -> "redis.Redis":
    sentinel: Any = Sentinel(addresses, sentinel_kwargs={**CLIENT_OPTIONS, **sentinel_options}, **CLIENT_OPTIONS, **options)  # type: ignore[no-untyped-call]
    client: redis.Redis = sentinel.master_for(master)
    return client


def redis_client(config: GatewayConfig) -> "redis.Redis":
    """A client of the configured server or sentinels; nothing is sent yet."""
    options: dict[str, Any] = {
        "username": config.redis_username or None,
        "password": config.redis_pw or None,
        "db": config.redis_db,
        **_tls_options(config),
    }
    if config.redis_sentinel_addrs:
        addresses = [_host_and_port("redis_sentinel_addrs", address) for address in config.redis_sentinel_addrs.replace(",", " ").split()]
        credentials = {"username": config.redis_sentinel_username or None, "password": config.redis_sentinel_pw or None}
        return _sentinel_client(addresses, config.redis_sentinel_master_name, credentials | _tls_options(config), options)
    host, port = _host_and_port("redis_addr", config.redis_addr)
    return redis.Redis(host=host, port=port, **CLIENT_OPTIONS, **options)


def _host_and_port(option: str, address: str) -> tuple[str, int]:
    host, colon, port = address.rpartition(":")
    if not (colon and host and port.isdecimal()):
        raise ConfigurationError([Problem(option, f"{address!r} must be host:port")])
    return host.strip("[]"), int(port)


def _tls_options(config: GatewayConfig) -> dict[str, Any]:
    if config.redis_no_tls:
        return {}
    options: dict[str, Any] = {"ssl": True}
    for option, name in _TLS_FILES.items():
        path = getattr(config, option)
        if path and not Path(path).is_file():
            raise ConfigurationError([Problem(option, f"the file {path} is missing")])
        if path:
            options[name] = path
    if config.redis_tls_cert:
        options["ssl_ca_data"] = config.redis_tls_cert
    return options
