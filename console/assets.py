"""The console's style sheet: one file per component in the tree, one request in the browser."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

from flask import Blueprint, Response, abort

STATIC: Final = Path(__file__).parent / "static"

#: The order of the cascade; `components/` stands for all its files, by name.
ORDER: Final = ("fonts", "tokens", "base", "bootstrap_bridge", "shell", "components/*", "layouts", "narrow")


@cache
def style_sheet() -> tuple[str, str]:
    """The whole style sheet and the first 16 hexadecimal digits of its SHA-256, which stand in its address."""
    paths = [path for pattern in ORDER for path in sorted((STATIC / "css").glob(f"{pattern}.css"))]
    text = "\n".join(path.read_text(encoding="utf-8") for path in paths)
    return text, hashlib.sha256(text.encode()).hexdigest()[:16]


blueprint = Blueprint("assets", __name__)


@blueprint.get("/style/<digest>.css", endpoint="style_sheet")
def serve_style_sheet(digest: str) -> Response:
    """The style sheet of this version; its address changes with its content, so it may be kept for ever."""
    text, current = style_sheet()
    if digest != current:
        abort(404)
    return Response(text, mimetype="text/css", headers={"Cache-Control": "public, max-age=31536000, immutable"})
