"""The session store that the configuration asks for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

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


def redis_client(config: GatewayConfig) -> "redis.Redis":
    """A client of the configured server or sentinels; nothing is sent yet."""
    options: dict[str, Any] = {
        "username": config.redis_username or None,
        "password": config.redis_pw or None,
        "db": config.redis_db,
        **CLIENT_OPTIONS,
        **_tls_options(config),
    }
    if config.redis_sentinel_addrs:
        addresses = [_host_and_port("redis_sentinel_addrs", address) for address in config.redis_sentinel_addrs.replace(",", " ").split()]
        credentials = {"username": config.redis_sentinel_username or None, "password": config.redis_sentinel_pw or None}
        sentinel: Any = Sentinel(addresses, sentinel_kwargs=credentials | _tls_options(config), **options)  # type: ignore[no-untyped-call]
        client: redis.Redis = sentinel.master_for(config.redis_sentinel_master_name)
        return client
    host, port = _host_and_port("redis_addr", config.redis_addr)
    return redis.Redis(host=host, port=port, **options)


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
