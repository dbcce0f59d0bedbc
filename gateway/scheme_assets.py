"""Schemes that come with an installation, in a folder that is only read: copied where the scheme folder lacks them.

Source: irmago `irma/irmaconfig.go` (`ParseFolder`), `irma/schemes.go` (`isUpToDate`, `copyFromAssets`).
"""

from collections.abc import Iterator
from pathlib import Path

import structlog

from idemix.errors import IdemixError
from idemix.scheme.configuration import Configuration
from idemix.scheme.tree import SchemeTree

from .scheme_files import read_tree, scheme_directories, write_tree

log = structlog.get_logger(__name__)


def newer_schemes(assets: Path, schemes: Path, now: int) -> Iterator[SchemeTree]:
    """Every scheme that the folder lacks, or has in an older version; one whose signature does not hold is left out.

    Args:
        assets: the folder of schemes that came along.
        schemes: the folder that the gateway uses.
        now: Unix seconds.
    """
    for directory in scheme_directories(assets) if assets.is_dir() else ():
        try:
            tree = read_tree(directory)
        except (OSError, IdemixError) as error:
            log.warning("scheme_assets.unreadable", directory=directory.name, reason=str(error))
            continue
        if not _is_newer(tree, schemes / directory.name):
            continue
        _, problems = Configuration.load([tree], now=now)
        if problems:
            log.warning("scheme_assets.refused", directory=directory.name, reason=str(problems[0]))
            continue
        yield tree


def copy_assets(assets: Path, schemes: Path, now: int) -> None:
    """Copy these schemes, each as a whole.

    Args:
        assets, schemes, now: as `newer_schemes` takes them; the scheme folder is made where it is missing.

    Raises:
        OSError: a scheme cannot be written; what was there is as it was.
    """
    for tree in newer_schemes(assets, schemes, now):
        write_tree(tree, schemes / tree.name)
        log.info("scheme_assets.copied", directory=tree.name)


def _is_newer(tree: SchemeTree, place: Path) -> bool:
    """Whether a scheme is missing, or its time stamp is older; what cannot be read there counts as missing."""
    try:
        present = int((place / "timestamp").read_text())
    except (OSError, ValueError):
        return True
    try:
        return int(tree["timestamp"]) > present
    except (KeyError, ValueError):
        return False
