"""What we look for in a scheme beyond the reference: advice, which changes neither status nor verdict."""

from typing import TYPE_CHECKING

from .findings import Finding
from .verdict import SchemeContents

if TYPE_CHECKING:
    from .configuration import Configuration


def lint_scheme(contents: SchemeContents, *, now: int, configuration: "Configuration | None" = None) -> tuple[Finding, ...]:
    """Look a scheme over."""
    return ()
