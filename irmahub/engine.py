"""How a server process sets up the engine."""

import structlog

from idemix.arith import kernel
from idemix.arith.fixed_base import TABLES

log = structlog.get_logger(__name__)


def prepare_engine(table_bytes: int) -> None:
    """Bound the memory of the engine's tables, and say in the log what it computes with.

    Args:
        table_bytes: for the tables of all keys, in this process.
    """
    TABLES.set_max_bytes(table_bytes)
    log.info("engine.ready", native_kernel=kernel.library is not None)
