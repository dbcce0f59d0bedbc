"""The shapes whose features are still to come: every case is skipped, with the row that brings it."""

from collections.abc import Iterator, Mapping
from typing import Any

from irmahub.conformance.core import Case, Context, Mismatch


def matches(document: Mapping[str, Any]) -> bool:
    """Revocation chains, recorded exchanges, and the index of the latter."""
    return "chains" in document or "exchanges" in document or "server_configuration" in document


def cases(document: Mapping[str, Any], _context: Context) -> Iterator[Case]:
    """Every case, each with its row."""
    for chain in document.get("chains", ()):
        for group, entries in chain.items():
            if isinstance(entries, list):
                yield from (_skipped(f"chains.{group}", entry.get("name", str(i)), "I9") for i, entry in enumerate(entries))
    if "exchanges" in document:
        yield _skipped("exchanges", document["name"], "I6")


def _skipped(group: str, name: str, row: str) -> Case:
    def run() -> None:
        raise Mismatch(f"row {row} is not there yet")

    return Case(group, name, run, row)
