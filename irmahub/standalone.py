"""The gateway alone, started from a configuration of irma server, with or without the database of an installation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gateway.actor import system_actor
from gateway.app import create_app, create_client_app, scheme_updates
from gateway.config import READ_SECONDS, ConfigurationError, GatewayConfig, Problem
from gateway.custody.kek import KeyRing
from gateway.options import Options, collect
from gateway.preflight import find_problems, unfamiliar_url
from gateway.proxies import behind_proxies, parse_networks
from gateway.requestors.irma_config import RequestorFiles, difference_text, read_requestors
from gateway.schemes import SchemeDirectories, SchemeSource
from gateway.services import SharedServices, open_shared_services
from gateway.tls import server_context
from idemix.arith.fixed_base import DEFAULT_TABLE_BYTES
from idemix.clock import system_clock
from irmahub.engine import prepare_engine
from irmahub.logs import configure_logs
from irmahub.server import Sites
from irmahub.settings import Address, Settings


@dataclass(frozen=True, slots=True)
class Launch:
    """What is to be started.

    Attributes:
        config: the configuration.
        settings: of the installation whose requestors, issuer keys and archive are used as well, or None.
    """

    config: GatewayConfig
    settings: Settings | None = None

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where to listen: for backends and apps, or for backends and then for apps."""
        main = Address(self.config.listen_addr or "0.0.0.0", self.config.port)  # noqa: S104 - as the reference does
        if not self.config.client_port:
            return (main,)
        return main, Address(self.config.client_listen_addr or "0.0.0.0", self.config.client_port)  # noqa: S104

    @property
    def log_format(self) -> str:
        """JSON, or text for people, as `log_json` says."""
        return "json" if self.config.log_json else "console"

    @property
    def log_level(self) -> str:
        """The level of logs that `verbose` and `quiet` ask for."""
        return "critical" if self.config.quiet else "debug" if self.config.verbose else "info"


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found before a start.

    Attributes:
        options: what was given, and where.
        launch: what would be started.
        problems: what keeps it from starting.
        notes: what does not, and yet should be known: of each the option and a sentence.
        schemes: the schemes that would be used.
        drift: where requestors of the configuration and of the database differ: of each its name and a sentence.
    """

    options: Options
    launch: Launch
    problems: tuple[Problem, ...]
    notes: tuple[Problem, ...]
    schemes: SchemeSource
    drift: Mapping[str, str]

    @property
    def summary(self) -> dict[str, Any]:
        """What would run, without a secret."""
        config = self.launch.config
        configuration = self.schemes.current.configuration
        tls = [bool(config.tls_cert or config.tls_cert_file), bool(config.client_tls_cert or config.client_tls_cert_file)]
        return {
            "configuration_file": None if self.options.file is None else str(self.options.file),
            "mode": "production" if config.production else "development",
            "listeners": [
                {"address": str(address), "tls": has_tls, "serves": serves}
                for address, has_tls, serves in zip(
                    self.launch.addresses,
                    tls,
                    ("requestors", "apps") if config.client_port else ("requestors and apps",),
                    strict=False,
                )
            ],
            "url": config.server_url or None,
            "store": config.store_type,
            "database": self.launch.settings is not None,
            "schemes_path": None if config.schemes_path is None else str(config.schemes_path),
            "schemes": sorted(str(name) for name in configuration.schemes),
            "authentication": not config.no_auth,
            "requestors": sorted(config.requestors),
            "static_sessions": sorted(config.static_sessions),
            "static_files": None if config.static_path is None else f"{config.path_prefix}{config.static_prefix}",
            "signs_results": bool(config.jwt_privkey or config.jwt_privkey_file),
        }


def inspect(
    flags: Mapping[str, str | Sequence[str]],
    environment: Mapping[str, str],
    *,
    settings: Settings | None = None,
    workers: int = 1,
    prepares_schemes: bool = False,
) -> Inspection:
    """Read a configuration from wherever it is given, and find everything that is wrong with it; nothing is started.

    Args:
        flags, environment: as `gateway.options.collect` takes them.
        settings: of the installation to use beside it, or None.
        workers: how many processes are asked for.
        prepares_schemes: bring the scheme folder to where sessions can start first; without it nothing is written, and an empty
            folder is looked at as it is.
    """
    options = collect(flags, environment)
    config, wrong = GatewayConfig.read_options(options.values)
    if config.schemes_path is None and "schemes_path" not in options.values:
        config = replace(config, schemes_path=default_schemes_path(environment) if settings is None else settings.schemes_directory)
    config = config.with_local_url()
    if prepares_schemes and config.schemes_path is not None:
        updates = scheme_updates(config, SchemeDirectories(config.schemes_path, None, None, system_clock), system_clock)
        updates.prepare()
        updates.stop()
    problems = [*options.problems, *wrong]
    if workers > 1 and config.store_type == "memory":
        problems.append(Problem("store_type", "more than one worker needs redis, since sessions in memory are not shared"))
    drift: Mapping[str, str] = {}
    if settings is None:
        found, schemes = find_problems(config, system_clock)
    else:
        services = _open(settings)
        try:
            found, schemes = find_problems(config, system_clock, has_database=True, custody_keys=services.custody.issuer_keys)
            if config.requestors:
                drift = _drift(options, services)
        finally:
            services.close()
    # A value that could not be read was left out; what follows from its absence is no fault of its own.
    named = {problem.option for problem in problems}
    problems += [problem for problem in found if problem.option not in named]
    return Inspection(options, Launch(config, settings), tuple(problems), tuple(_notes(config, schemes)), schemes, drift)


def _drift(options: Options, services: SharedServices) -> dict[str, str]:
    filed = read_requestors(options, read_key_files=True)
    comparison = RequestorFiles(services.requestors, services.custody).compare(system_actor("gateway"), filed)
    return {difference.name: difference_text(difference) for difference in comparison.drift}


def _notes(config: GatewayConfig, schemes: SchemeSource) -> list[Problem]:
    notes = [Problem(option, "is ignored, as irma server ignores it") for option in config.deprecated_options]
    unfamiliar = unfamiliar_url(config)
    if unfamiliar is not None:
        notes.append(Problem("url", unfamiliar))
    if not schemes.current.configuration.schemes:
        notes.append(
            Problem("schemes_path", "there are no schemes; at its start the server fetches the default ones unless schemes_update is 0")
        )
    if config.permissions.host:
        notes.append(Problem("host_perms", "has no effect for all requestors; give it to one"))
    if config.no_auth:
        notes.append(Problem("no_auth", "authentication of requestors is off: anyone who can reach this server can use it"))
    return notes


def default_schemes_path(environment: Mapping[str, str]) -> Path:
    """The scheme folder of irma server for this user (irmago `irma/irmaconfig.go`, `DefaultSchemesPath`)."""
    base = environment.get("XDG_DATA_HOME", "")
    return (Path(base) if base else Path.home() / ".local" / "share") / "irma" / "irma_configuration"


def make_sites(launch: Launch) -> Sites:
    """The applications of one process.

    Raises:
        ConfigurationError: what the configuration names has changed since it was inspected.
        DatabaseError: the database is not at the newest migration.
    """
    config = launch.config
    configure_logs(launch.log_level, launch.log_format)
    prepare_engine(DEFAULT_TABLE_BYTES if launch.settings is None else launch.settings.tables_mib << 20)
    services = None if launch.settings is None else _open(launch.settings)
    app = (
        create_app(config)
        if services is None
        else create_app(
            config,
            requestors=services.requestors,
            custody_keys=services.custody.issuer_keys,
            changes=services.changes,
            archive=services.archive,
            revocation=services.revocation.tables,
        )
    )
    apps = [app, create_client_app(app)] if config.client_port else [app]
    if services is not None:
        services.start()

    def close() -> None:
        app.extensions["gateway"].close()
        if services is not None:
            services.close()

    networks = parse_networks(config.trusted_proxies)
    return Sites(
        [behind_proxies(application, networks) for application in apps],
        close,
        stop_soon=app.extensions["gateway"].health.stop_soon,
        tls=[server_context(config, client=number == 1) for number in range(len(apps))],
        read_seconds=[READ_SECONDS] * len(apps),
    )


def _open(settings: Settings) -> SharedServices:
    return open_shared_services(settings.database_url, lambda: KeyRing.load(settings.kek_file), redis_url=settings.redis_url)


def require_startable(inspection: Inspection) -> Launch:
    """What would be started.

    Raises:
        ConfigurationError: with everything that keeps it from starting.
    """
    if inspection.problems:
        raise ConfigurationError(list(inspection.problems))
    return inspection.launch
