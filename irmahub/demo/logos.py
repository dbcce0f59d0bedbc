"""Logos for the demo's scheme, drawn by code on a square of 100 by 100 units."""

import io
import math
from collections.abc import Iterable
from typing import Final

from PIL import Image, ImageDraw

#: Side of a logo, in pixels.
SIZE: Final = 256

#: Everything is drawn larger and scaled down, which smooths the edges.
_SCALE: Final = 4 * SIZE // 100

Point = tuple[float, float]


class _Canvas:
    """A coloured square to draw white shapes on."""

    def __init__(self, background: str) -> None:
        self._image = Image.new("RGB", (100 * _SCALE, 100 * _SCALE), background)
        self._draw = ImageDraw.Draw(self._image)

    def polygon(self, points: Iterable[Point], fill: str = "white") -> None:
        self._draw.polygon([(x * _SCALE, y * _SCALE) for x, y in points], fill=fill)

    def rectangle(self, left: float, top: float, right: float, bottom: float, fill: str = "white") -> None:
        self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], fill)

    def disc(self, x: float, y: float, radius: float, fill: str = "white") -> None:
        self._draw.ellipse([(x - radius) * _SCALE, (y - radius) * _SCALE, (x + radius) * _SCALE, (y + radius) * _SCALE], fill=fill)

    def wave(self, y: float, height: float, fill: str = "white") -> None:
        """A wavy band over the whole width."""
        edge = [(x, y + 3 * math.sin(x / 100 * 6 * math.pi)) for x in range(101)]
        self.polygon([*edge, *((x, top + height) for x, top in reversed(edge))], fill)

    def png(self) -> bytes:
        output = io.BytesIO()
        self._image.resize((SIZE, SIZE), Image.Resampling.LANCZOS).save(output, "PNG", optimize=True)
        return output.getvalue()


def municipality() -> bytes:
    """A gabled town hall above water."""
    background = "#1f4e79"
    canvas = _Canvas(background)
    canvas.polygon([(28, 34), (50, 14), (72, 34)])
    canvas.rectangle(28, 37, 72, 66)
    for x in (36, 47, 58):
        canvas.rectangle(x, 43, x + 6, 55, background)
    canvas.wave(75, 5, "#9cc3e6")
    canvas.wave(87, 5, "#9cc3e6")
    return canvas.png()


def university() -> bytes:
    """A mortar board."""
    background = "#7a2431"
    canvas = _Canvas(background)
    canvas.polygon([(50, 24), (90, 42), (50, 60), (10, 42)])
    canvas.polygon([(28, 54), (50, 64), (72, 54), (72, 70), (50, 80), (28, 70)])
    canvas.rectangle(83, 44, 86, 66)
    canvas.disc(84.5, 69, 4)
    return canvas.png()


def person() -> bytes:
    """A head and shoulders."""
    canvas = _Canvas("#24577d")
    canvas.disc(50, 37, 17)
    canvas.disc(50, 88, 30)
    canvas.rectangle(0, 88, 100, 100, "#24577d")
    return canvas.png()


def house() -> bytes:
    """A house with a door."""
    background = "#3d6b4f"
    canvas = _Canvas(background)
    canvas.polygon([(14, 50), (50, 18), (86, 50)])
    canvas.rectangle(25, 50, 75, 82)
    canvas.rectangle(44, 60, 56, 82, background)
    return canvas.png()


def book() -> bytes:
    """An open book."""
    background = "#8a3b46"
    canvas = _Canvas(background)
    canvas.polygon([(12, 30), (48, 38), (48, 78), (12, 70)])
    canvas.polygon([(88, 30), (52, 38), (52, 78), (88, 70)])
    for y in (42, 51, 60):
        canvas.polygon([(19, y - 1), (42, y + 4), (42, y + 7), (19, y + 2)], background)
        canvas.polygon([(81, y - 1), (58, y + 4), (58, y + 7), (81, y + 2)], background)
    return canvas.png()
