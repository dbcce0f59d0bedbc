"""The applications of one server process, wired from the settings: console, published schemes and gateway."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Final
from wsgiref.types import StartResponse, WSGIEnvironment

from cryptography.hazmat.primitives import serialization
from flask import Flask
from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from console.app import create_app as create_console
from console.input_guard import LARGE_BODIES
from console.publishing.public import create_blueprint
from console.services import Services, build_services
from console.settings import ConsoleSettings
from gateway.app import create_app as create_gateway
from gateway.config import READ_SECONDS as GATEWAY_READ_SECONDS
from gateway.config import GatewayConfig
from gateway.custody.service import Custody
from gateway.health import Check, Health, installation_checks
from gateway.metrics import exposition
from gateway.proxies import behind_proxies
from gateway.runtime import Gateway
from gateway.stores.base import SessionStore
from gateway.stores.memory import MemoryStore
from gateway.stores.redis import RedisStore
from idemix.clock import system_clock
from irmahub.bridge import READ_SECONDS
from irmahub.engine import prepare_engine
from irmahub.logs import configure_logs
from irmahub.server import Sites
from irmahub.settings import Settings

#: Where the published schemes stand at the console's address.
PUBLISHED: Final = "/published"


def services_of(settings: Settings) -> Services:
    """The services of an installation.

    Raises:
        DatabaseError: the database is not at the newest migration; nothing was opened or made.
    """
    return build_services(
        ConsoleSettings(
            data_directory=settings.data_directory,
            database_url=settings.database_url,
            kek_file=settings.kek_file,
            schemes_directory=settings.schemes_directory,
            public_url=settings.console_url.rstrip("/") + PUBLISHED + "/",
            gateway_url=settings.gateway_url,
            redis_url=settings.redis_url,
            redis_prefix=settings.redis_prefix,
            production=settings.production,
            outbound=settings.outbound_policy,
        )
    )


def make_sites() -> Sites:
    """The console and the gateway of the installation that the environment describes."""
    return sites_of(Settings.from_environment())


def sites_of(settings: Settings, **options: Any) -> Sites:
    """The console and the gateway of an installation.

    Args:
        settings: those of the installation.
        options: of the gateway's configuration, which go before what the settings say.
    """
    configure_logs(settings.log_level, settings.log_format)
    prepare_engine(settings.tables_mib << 20)
    services = services_of(settings)
    checks = installation_checks(services, settings.data_directory, settings.health)
    gateway = _gateway(settings, services, checks, options)
    parts: Gateway = gateway.extensions["gateway"]
    health = Health(checks)
    console = _console(services, health)
    services.start()

    def stop_soon() -> None:
        health.stop_soon()
        parts.health.stop_soon()

    def close() -> None:
        parts.close()
        services.close()

    applications = [behind_proxies(application, settings.trusted_proxies) for application in (console, gateway)]
    read_seconds = [READ_SECONDS, GATEWAY_READ_SECONDS]
    if settings.metrics_address is not None:
        applications.append(partial(metrics_site, parts.states))
        read_seconds.append(READ_SECONDS)
    return Sites(applications, close, LARGE_BODIES, stop_soon, read_seconds=read_seconds)


def metrics_site(states: Iterable[Collector], environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    """What listens at the address of the metrics: `/metrics` and nothing else."""
    if environ["PATH_INFO"] != "/metrics" or environ["REQUEST_METHOD"] != "GET":
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"404 page not found\n"]
    start_response("200 OK", [("Content-Type", CONTENT_TYPE_LATEST)])
    return [exposition(states)]


def _console(services: Services, health: Health) -> Flask:
    console = create_console(services, health=health)
    published = Flask("published", static_folder=None)
    published.register_blueprint(create_blueprint(services.web_root))
    console.wsgi_app = DispatcherMiddleware(console.wsgi_app, {PUBLISHED: published})  # type: ignore[method-assign]
    return console


def _gateway(settings: Settings, services: Services, checks: Mapping[str, Check], options: Mapping[str, Any]) -> Flask:
    store: SessionStore = MemoryStore(system_clock)
    if services.redis is not None:
        store = RedisStore(services.redis, system_clock, settings.redis_prefix)
    config = GatewayConfig.from_options(
        {
            "schemes_path": str(settings.schemes_directory),
            "schemes_update": 0,  # the console publishes into this folder
            "url": settings.gateway_url,
            "no_auth": False,
            "jwt_privkey": _pem(services.custody),
            "sse": True,
            "clock_skew": settings.clock_skew,
            "timestamp_keys": settings.timestamp_keys,
            "production": settings.production,
            "outbound_allow": settings.outbound_allow,
            **options,
        },
        command_defaults=False,
    )
    return create_gateway(
        config,
        requestors=services.requestors,
        custody_keys=services.custody.issuer_keys,
        changes=services.changes,
        archive=services.archive,
        deliveries=services.deliveries,
        store=store,
        revocation=services.revocation.tables,
        checks=checks,
        limits=settings.health,
    )


def _pem(custody: Custody) -> str:
    """The key that signs results, as the configuration takes it."""
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return custody.jwt_key().private_bytes(encoding, form, serialization.NoEncryption()).decode("ascii")
