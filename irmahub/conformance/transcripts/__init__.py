"""Recorded exchanges with the reference's server, replayed against a gateway of ours.

The gateway is loaded only when there is a file for it, so that the vectors of the engine run without it.

Modules: `recording` what a file tells; `replay` the gateway that gets the same clock, tokens and nonces, and the exchanges one
after the other; `comparison` what of an answer must be the same.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from irmahub.conformance.core import Case, Context


def matches(document: Mapping[str, Any]) -> bool:
    """Recorded exchanges, and their index."""
    return "exchanges" in document or "server_configuration" in document


def cases(document: Mapping[str, Any], context: Context) -> Iterator[Case]:
    """A case for each exchange, stream of events and call to a requestor; of the index, one for each file it lists."""
    from irmahub.conformance.transcripts import recording, replay

    if "exchanges" in document:
        yield from replay.cases(recording.Recording.of(document), context)
    else:
        yield from recording.index_cases(document, context)
