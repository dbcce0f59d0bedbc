"""The picture of a benchmark: cost against number of attributes, a panel for each length of key; SVG."""

from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import Final

from irmahub.bench.engine import Row

_WIDTH, _HEIGHT = 520, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 240, 40, 40
_COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#999999", "#8f6b00")
_STYLE: Final = (
    "text{font:12px sans-serif;fill:#222}.title{font-weight:bold}.axis{stroke:#222}.grid{stroke:#ddd}"
    ".line{fill:none;stroke-width:2}.naive{stroke-dasharray:4 3;opacity:.6}"
    "@media(prefers-color-scheme:dark){svg{background:#222}text{fill:#eee}.axis{stroke:#eee}.grid{stroke:#444}}"
)


def picture_of(rows: Sequence[Row]) -> str:
    """Draw the rows that depend on the number of attributes: a full line in units, a dashed one for the naive formula."""
    drawn = [row for row in rows if row.naive_units is not None]
    lengths = sorted({row.bits for row in drawn})
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH * len(lengths)} {_HEIGHT}" role="img" '
        'aria-label="What the engine costs, in units, by number of attributes">',
        f"<style>{_STYLE}</style>",
    ]
    for position, length in enumerate(lengths):
        lines.append(f'<g transform="translate({position * _WIDTH} 0)">')
        lines += _panel(length, [row for row in drawn if row.bits == length])
        lines.append("</g>")
    return "\n".join([*lines, "</svg>"]) + "\n"


def _panel(length: int, rows: Sequence[Row]) -> Iterator[str]:
    most_attributes = max(row.attributes for row in rows)
    most_units = max(max(row.units, row.naive_units or 0) for row in rows) * 1.05

    def x(attributes: float) -> float:
        return round(_LEFT + attributes / most_attributes * (_WIDTH - _LEFT - _RIGHT), 1)

    def y(units: float) -> float:
        return round(_HEIGHT - _BOTTOM - units / most_units * (_HEIGHT - _TOP - _BOTTOM), 1)

    yield f'<text class="title" x="{_LEFT}" y="20">{length} bits, in units</text>'
    for step in range(5):
        value = most_units * step / 4
        yield f'<path class="{"grid" if step else "axis"}" d="M{x(0)} {y(value)}H{x(most_attributes)}"/>'
        yield f'<text x="{_LEFT - 6}" y="{y(value) + 4}" text-anchor="end">{value:.1f}</text>'
    for count in sorted({row.attributes for row in rows}):
        yield f'<text x="{x(count)}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{count}</text>'
    yield f'<text x="{x(most_attributes / 2)}" y="{_HEIGHT - 6}" text-anchor="middle">attributes</text>'
    names = list(dict.fromkeys(row.name for row in rows))
    for position, (name, colour) in enumerate(zip(names, cycle(_COLOURS), strict=False)):
        line = sorted((row for row in rows if row.name == name), key=lambda row: row.attributes)
        naive = " ".join(f"{x(row.attributes)},{y(row.naive_units or 0)}" for row in line)
        own = " ".join(f"{x(row.attributes)},{y(row.units)}" for row in line)
        yield f'<polyline class="line naive" stroke="{colour}" points="{naive}"/>'
        yield f'<polyline class="line" stroke="{colour}" points="{own}"/>'
        legend_y = _TOP + 12 + 18 * position
        yield f'<path class="line" stroke="{colour}" d="M{_WIDTH - _RIGHT + 8} {legend_y - 4}h12"/>'
        yield f'<text x="{_WIDTH - _RIGHT + 24}" y="{legend_y}">{name}</text>'
    yield f'<text x="{_WIDTH - _RIGHT + 8}" y="{_TOP + 12 + 18 * len(names)}">dashed: naive</text>'
