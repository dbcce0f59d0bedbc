"""Take a picture of every page in both themes, wide and narrow: `python -m tests.support.screenshots FOLDER [PAGE …]`."""

import sys
import tempfile
from pathlib import Path

from tests.support.browser import NARROW, WIDE, chromium, sign_in, watched_page
from tests.support.console_pages import addresses, fill
from tests.support.console_server import ADMINISTRATOR, running_console


def main(folder: str, *names: str) -> None:
    """Write `FOLDER/PAGE-light.png`, `-dark.png` and `-narrow.png`."""
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as data,
        running_console(Path(data) / "console", modulus_bits=1024) as console,
        chromium() as browser,
    ):
        fill(console.services)
        for look, size, dark in (("light", WIDE, False), ("dark", WIDE, True), ("narrow", NARROW, False)):
            with watched_page(browser, size=size, dark=dark) as page:
                page.goto(f"{console.url}/sign-in")
                page.screenshot(path=target / f"sign-in-{look}.png", full_page=True)
                sign_in(page, console.url, ADMINISTRATOR.name, ADMINISTRATOR.password)
                for name, path in addresses().items():
                    if not names or name in names:
                        page.goto(console.url + path)
                        page.screenshot(path=target / f"{name}-{look}.png", full_page=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
