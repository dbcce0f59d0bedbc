"""Chromium for tests: Debian's, without a network of its own. A page that breaks the content security policy fails its test."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Page, sync_playwright

EXECUTABLE: Final = "/usr/bin/chromium"
ARGUMENTS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
)

#: Width and height of the window.
WIDE: Final = (1440, 900)
NARROW: Final = (390, 844)

#: How long an element may take to appear: the machine may be busy.
PATIENCE_MS: Final = 30_000


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Chromium, and end it with the block."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=EXECUTABLE, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


class WatchedPage:
    """A page whose console errors, script errors and violations of the policy are collected.

    Attributes:
        page: the page of Playwright.
        problems: what went wrong so far; `demand_no_problems` fails on any.
    """

    def __init__(self, context: BrowserContext) -> None:
        self.problems: list[str] = []
        # Playwright's own evaluation is not bound by the page's policy, so the listener does not weaken what it watches.
        context.add_init_script(
            "document.addEventListener('securitypolicyviolation',"
            " event => console.error('policy: ' + event.violatedDirective + ' ' + event.blockedURI))"
        )
        self.page: Page = context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.on("console", self._on_console)
        self.page.on("pageerror", self._on_page_error)

    def _on_console(self, message: ConsoleMessage) -> None:
        expected = message.text.startswith("Failed to load resource: the server responded with a status of 4")
        if message.type == "error" and not expected:
            self.problems.append(f"{self.page.url}: {message.text}")

    def _on_page_error(self, error: Error) -> None:
        self.problems.append(f"{self.page.url}: {error}")

    def demand_no_problems(self) -> None:
        """Fail if the page logged an error or broke the policy."""
        assert not self.problems, "\n".join(self.problems)


@contextmanager
def watched_page(
    browser: Browser, *, size: tuple[int, int] = WIDE, dark: bool = False, script: bool = True, language: str = "en"
) -> Iterator[Page]:
    """A page in a context of its own; leaving the block fails if anything went wrong on it."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        java_script_enabled=script,
        locale=language,
        reduced_motion="reduce",
    )
    watched = WatchedPage(context)
    try:
        yield watched.page
        watched.demand_no_problems()
    finally:
        context.close()


def sign_in(page: Page, url: str, name: str, password: str) -> None:
    """Sign in and arrive at the home page."""
    page.goto(f"{url}/sign-in")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url(f"{url}/")


def demand_accessible(page: Page) -> None:
    """Fail on any violation of WCAG 2.2 A and AA, or of axe's best practices."""
    results = Axe().run(page)
    assert results.violations_count == 0, f"{page.url}\n{results.generate_report()}"


def demand_no_sideways_scroll(page: Page) -> None:
    """Fail if the page is wider than its window."""
    widths = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert widths[0] <= widths[1], f"{page.url} is {widths[0]} wide in a window of {widths[1]}"
