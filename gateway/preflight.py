"""Everything that would keep a gateway from starting, found without starting it."""

from collections.abc import Callable

import structlog

from idemix.clock import Clock
from idemix.errors import IdemixError
from idemix.scheme.configuration import Configuration
from idemix.scheme.timestamp import parse_timestamp
from idemix.scheme.tree import SchemeTree

from .config import ConfigurationError, GatewayConfig, Problem
from .schemes import CustodyKeys, FixedSchemes, SchemeSource, read_key_folder, read_trees
from .startup import checked_directory
from .stores.factory import redis_client

log = structlog.get_logger(__name__)


def find_problems(
    config: GatewayConfig, clock: Clock, *, has_database: bool = False, custody_keys: CustodyKeys | None = None
) -> tuple[list[Problem], SchemeSource]:
    """Read and check everything that a configuration names: schemes, keys, files, permissions, addresses. Nothing is written.

    Args:
        config: the configuration, whose own faults are known already.
        clock: tells what has expired.
        has_database: whether requestors also come from elsewhere.
        custody_keys: opens issuer keys in custody.

    Returns:
        The faults, and the schemes that would be used, as far as they can be read.
    """
    problems: list[Problem] = []
    schemes: SchemeSource = FixedSchemes(Configuration())

    def collect(check: Callable[[], object]) -> None:
        try:
            check()
        except ConfigurationError as error:
            problems.extend(error.problems)

    def load_schemes() -> None:
        nonlocal schemes
        if config.schemes_path is None:
            return
        now = int(clock().timestamp())
        trees = {tree.name: tree for tree in read_trees(config.schemes_path)}
        if config.schemes_assets_path is not None:
            brought = {tree.name: tree for tree in read_trees(config.schemes_assets_path)}
            trees |= {name: tree for name, tree in brought.items() if name not in trees or _signed_at(tree) > _signed_at(trees[name])}
        configuration, refused = Configuration.load(trees.values(), now=now)
        for problem in refused:
            log.warning("scheme.refused", directory=problem.directory, reason=str(problem))
        schemes = FixedSchemes(configuration, None, custody_keys)
        if config.privkeys is not None:
            schemes = FixedSchemes(configuration, read_key_folder(config.privkeys), custody_keys)

    collect(load_schemes)
    collect(
        lambda: checked_directory(config, schemes.current, clock, pepper=b"", has_database=has_database, has_revocation_tables=has_database)
    )
    if config.store_type == "redis" and (config.redis_addr or config.redis_sentinel_addrs):
        collect(lambda: redis_client(config))
    return problems, schemes


def unfamiliar_url(config: GatewayConfig) -> str | None:
    """Why the URL that apps are given might not reach this server, or None."""
    wanted = f"{config.path_prefix}/irma/"
    if config.server_url and not config.server_url.endswith(wanted):
        return f"{config.server_url} does not end with {wanted}; are url and api_prefix right?"
    return None


def _signed_at(tree: SchemeTree) -> int:
    """The time stamp of a scheme; 0 where there is none."""
    try:
        return parse_timestamp(tree["timestamp"])
    except (KeyError, IdemixError):
        return 0
