"""Draws the documentation's picture of the session's states from the table: `python -m irmahub.diagrams docs`."""

import sys
from pathlib import Path
from xml.sax.saxutils import escape

from idemix.session.status import Status
from idemix.session.transitions import TRANSITIONS

_WIDTH, _HEIGHT = 130, 40
#: The middle of each status: the way to DONE from left to right, the other endings below.
_PLACES = {
    Status.INITIALIZED: (110, 130),
    Status.PAIRING: (350, 50),
    Status.CONNECTED: (590, 130),
    Status.DONE: (880, 130),
    Status.CANCELLED: (470, 280),
    Status.TIMEOUT: (230, 280),
}
_STYLE = (
    "text{font:13px sans-serif;text-anchor:middle;fill:#222}.event{font-size:11px;fill:#555;stroke:#fff;stroke-width:4;paint-order:stroke}"
    "rect{fill:#fff;stroke:#222;stroke-width:1.5;rx:8px}.finished{stroke-width:3}path{fill:none;stroke:#777}"
    "@media(prefers-color-scheme:dark){svg{background:#222}text{fill:#eee}.event{fill:#bbb;stroke:#222}rect{fill:#222;stroke:#eee}path{stroke:#aaa}}"
)


def session_states() -> str:
    """The statuses as boxes and the transitions as arrows, named by their events; SVG."""
    arrows = (
        _arrow(status, following, sorted(event.__name__ for event, target in row.items() if target is following))
        for status, row in TRANSITIONS.items()
        for following in dict.fromkeys(row.values())
    )
    lines = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 960 330" role="img" aria-label="The states of a session">',
        f"<style>{_STYLE}</style>",
        '<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0 0L8 4L0 8" stroke="context-stroke"/></marker></defs>',
        *arrows,
        *(_box(status) for status in Status),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _box(status: Status) -> str:
    x, y = _PLACES[status]
    kind = ' class="finished"' if status.is_finished else ""
    rectangle = f'<rect{kind} x="{x - _WIDTH // 2}" y="{y - _HEIGHT // 2}" width="{_WIDTH}" height="{_HEIGHT}"/>'
    return f'{rectangle}<text x="{x}" y="{y + 5}">{status.value}</text>'


def _arrow(start: Status, end: Status, events: list[str]) -> str:
    (x1, y1), (x2, y2) = _PLACES[start], _PLACES[end]
    share = _edge_share(x2 - x1, y2 - y1)
    from_x, from_y = round(x1 + share * (x2 - x1)), round(y1 + share * (y2 - y1))
    to_x, to_y = round(x2 - share * (x2 - x1)), round(y2 - share * (y2 - y1))
    label = f'<text class="event" x="{(from_x + to_x) // 2}" y="{(from_y + to_y) // 2 - 4}">{escape(", ".join(events))}</text>'
    return f'<path d="M{from_x} {from_y}L{to_x} {to_y}" marker-end="url(#head)"/>{label}'


def _edge_share(dx: int, dy: int) -> float:
    """How much of the way between two middles lies within a box."""
    return min(_WIDTH / 2 / abs(dx) if dx else 1, _HEIGHT / 2 / abs(dy) if dy else 1)


def main(folder: str) -> None:
    """Write the pictures into a folder."""
    Path(folder, "session-states.svg").write_text(session_states())


if __name__ == "__main__":
    main(*sys.argv[1:])
