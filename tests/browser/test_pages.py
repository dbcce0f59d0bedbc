"""Every page, in both themes, wide and narrow: accessible, within its window, without an error or a violation of the policy."""

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import NARROW, WIDE, demand_accessible, demand_no_sideways_scroll, sign_in, watched_page
from tests.support.console_pages import addresses
from tests.support.console_server import ADMINISTRATOR, RunningConsole

pytestmark = pytest.mark.browser


@pytest.mark.feature("H3.1")
@pytest.mark.feature("H4.4")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_page_is_accessible(browser: Browser, filled_console: RunningConsole, dark: bool) -> None:
    with watched_page(browser, dark=dark) as page:
        page.goto(f"{filled_console.url}/sign-in")
        demand_accessible(page)
        sign_in(page, filled_console.url, ADMINISTRATOR.name, ADMINISTRATOR.password)
        for path in addresses().values():
            page.goto(filled_console.url + path)
            assert page.locator("html").get_attribute("data-bs-theme") == ("dark" if dark else "light")
            assert re.fullmatch(r"irmahub [0-9.]+", page.locator(".ih-foot > span").first.inner_text())
            demand_accessible(page)


@pytest.mark.parametrize(
    ("size", "language"),
    [(NARROW, "en"), (NARROW, "nl"), ((768, 1024), "nl"), (WIDE, "nl")],
    ids=["narrow", "narrow-nl", "middle-nl", "wide-nl"],
)
def test_no_page_is_wider_than_its_window(browser: Browser, filled_console: RunningConsole, size: tuple[int, int], language: str) -> None:
    with watched_page(browser, size=size, language=language) as page:
        page.goto(f"{filled_console.url}/sign-in")
        demand_no_sideways_scroll(page)
        page.locator("#name").fill(ADMINISTRATOR.name)
        page.locator("#password").fill(ADMINISTRATOR.password)
        page.locator("#password").press("Enter")
        page.wait_for_url(f"{filled_console.url}/")
        for path in addresses().values():
            page.goto(filled_console.url + path)
            assert page.locator("html").get_attribute("lang") == language
            demand_no_sideways_scroll(page)


def test_the_narrow_menu_opens_and_closes_without_script(browser: Browser, filled_console: RunningConsole) -> None:
    with watched_page(browser, size=NARROW, script=False) as page:
        sign_in(page, filled_console.url, ADMINISTRATOR.name, ADMINISTRATOR.password)
        expect(page.get_by_role("link", name="Requestors")).to_be_hidden()
        page.get_by_role("link", name="Open menu").click()
        page.get_by_role("link", name="Requestors").click()
        expect(page.get_by_role("heading", name="Requestors", level=1)).to_be_visible()


@pytest.mark.feature("H4.1")
@pytest.mark.feature("H4.2")
def test_the_theme_follows_the_system_and_remembers_a_choice(browser: Browser, filled_console: RunningConsole) -> None:
    with watched_page(browser, dark=True) as page:
        page.goto(f"{filled_console.url}/sign-in")
        expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
        page.emulate_media(color_scheme="light")
        expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")
        with page.expect_response("**/preferences/theme"):
            page.get_by_role("button", name="Switch between light and dark").click()
        expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
        page.reload()
        expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")


@pytest.mark.feature("H4.3")
def test_the_theme_is_right_in_the_first_paint(browser: Browser, filled_console: RunningConsole) -> None:
    with watched_page(browser, dark=True) as page:
        # What the body's ground is when it is parsed, before any deferred script has run.
        page.add_init_script(
            "new MutationObserver((_, observer) => { if (!document.body) return;"
            " window.first = document.documentElement.dataset.bsTheme; observer.disconnect(); })"
            ".observe(document, {childList: true, subtree: true})"
        )
        page.goto(f"{filled_console.url}/sign-in")
        assert page.evaluate("window.first") == "dark"


def test_the_theme_can_be_switched_without_script(browser: Browser, filled_console: RunningConsole) -> None:
    with watched_page(browser, script=False) as page:
        page.goto(f"{filled_console.url}/sign-in")
        expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")
        page.get_by_role("button", name="Switch between light and dark").click()
        expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")


def test_the_language_can_be_switched_and_is_marked(browser: Browser, filled_console: RunningConsole) -> None:
    with watched_page(browser) as page:
        page.goto(f"{filled_console.url}/sign-in")
        button = page.get_by_role("button", name="Nederlands")
        assert button.evaluate("b => b.closest('[lang]').lang") == "nl"
        button.click()
        expect(page.get_by_role("heading", name="Aanmelden")).to_be_visible()
        expect(page.locator("html")).to_have_attribute("lang", "nl")


@pytest.mark.feature("H7.1")
def test_a_dialog_opens_by_keyboard_and_puts_the_safe_answer_first(browser: Browser, filled_console: RunningConsole) -> None:
    with watched_page(browser) as page:
        sign_in(page, filled_console.url, ADMINISTRATOR.name, ADMINISTRATOR.password)
        page.goto(f"{filled_console.url}/requestors/library")
        opener = page.get_by_role("button", name="Suspend").first
        opener.focus()
        opener.press("Enter")
        dialog = page.get_by_role("dialog", name="Suspend library?")
        expect(dialog).to_be_visible()
        demand_accessible(page)
        assert dialog.get_by_role("button").all_inner_texts() == ["Keep active", "Suspend"]
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        expect(opener).to_be_focused()


def test_a_value_can_be_copied(browser: Browser, filled_console: RunningConsole) -> None:
    with watched_page(browser) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        sign_in(page, filled_console.url, ADMINISTRATOR.name, ADMINISTRATOR.password)
        page.goto(f"{filled_console.url}/schemes/irma-demo/issuers/RU")
        page.get_by_role("button", name="Copy irma-demo.RU").click()
        assert page.evaluate("navigator.clipboard.readText()") == "irma-demo.RU"
