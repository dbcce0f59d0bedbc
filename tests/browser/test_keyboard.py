"""Signing in and publishing by keyboard alone, with the focus always seen."""

import pytest
from playwright.sync_api import Browser, Page, expect

from console.schemes.models import SchemeImport
from gateway.actor import system_actor
from tests.support.browser import watched_page
from tests.support.console_server import ADMINISTRATOR, RunningConsole
from tests.support.shared import shared

pytestmark = pytest.mark.browser

#: More steps with Tab than any page of the path has.
MOST_TABS = 60


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the control with this name has the focus; the focus must be seen at every step."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            """() => {
                const e = document.activeElement, style = getComputedStyle(e);
                const name = e.labels?.[0]?.textContent ?? e.getAttribute("aria-label") ?? e.textContent;
                const seen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0 || style.boxShadow !== "none";
                return [name.trim(), seen];
            }"""
        )
        assert focused[1], f"the focus on “{focused[0]}” is not seen"
        if focused[0] == name:
            return
    raise AssertionError(f"Tab never reached “{name}” on {page.url}")


@pytest.mark.feature("H3.2")
def test_sign_in_and_publish_by_keyboard(browser: Browser, console: RunningConsole) -> None:
    console.services.schemes.import_scheme(system_actor("tests"), SchemeImport(str(shared("schemes", "mutant-base", "irma-demo"))))
    with watched_page(browser) as page:
        page.goto(console.url)
        tab_to(page, "Name")
        page.keyboard.type(ADMINISTRATOR.name)
        tab_to(page, "Password")
        page.keyboard.type(ADMINISTRATOR.password)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Needs you", exact=True)).to_be_visible()
        tab_to(page, "Skip to content")
        page.keyboard.press("Enter")
        tab_to(page, "irma-demo")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Issuers")).to_be_visible()
        tab_to(page, "Check published version")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Check of the published version")).to_be_visible()
        tab_to(page, "Sign again and publish")
        page.keyboard.press("Enter")
        expect(page.get_by_text("The new version is live")).to_be_visible(timeout=120_000)


def test_signing_in_and_publishing_work_without_script(browser: Browser, console: RunningConsole) -> None:
    console.services.schemes.import_scheme(system_actor("tests"), SchemeImport(str(shared("schemes", "mutant-base", "irma-demo"))))
    with watched_page(browser, script=False) as page:
        page.goto(f"{console.url}/schemes/irma-demo/check")
        page.get_by_label("Name").fill(ADMINISTRATOR.name)
        page.get_by_label("Password").fill(ADMINISTRATOR.password)
        page.get_by_role("button", name="Continue").click()
        page.get_by_role("button", name="Sign again and publish").click()
        # The page refreshes itself until the publication is over.
        expect(page.get_by_text("The new version is live")).to_be_visible(timeout=120_000)


@pytest.mark.feature("H3.2")
def test_a_draft_is_edited_and_checked_by_keyboard(browser: Browser, console: RunningConsole) -> None:
    services, actor = console.services, system_actor("tests")
    services.schemes.import_scheme(actor, SchemeImport(str(shared("schemes", "mutant-base", "irma-demo"))))
    services.schemes.start_draft(actor, "irma-demo", "By hand", "by-hand")
    path = "RU/Issues/studentCard/description.xml"
    with watched_page(browser) as page:
        page.goto(f"{console.url}/schemes/irma-demo/drafts/by-hand/documents/{path}")
        page.get_by_label("Name").fill(ADMINISTRATOR.name)
        page.get_by_label("Password").fill(ADMINISTRATOR.password)
        page.keyboard.press("Enter")
        expect(page.locator("#document")).to_be_visible()
        tab_to(page, "Skip to content")
        page.keyboard.press("Enter")
        tab_to(page, "Name en")
        page.keyboard.press("End")
        page.keyboard.type(" by hand")
        # An attribute opens, and is moved on the card, without a mouse.
        for _ in range(MOST_TABS):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.closest('[id=\"attributes.level\"]') !== null"):
                break
        page.keyboard.press("Enter")
        expect(page.locator("[id='attributes.level']")).to_have_attribute("open", "")
        tab_to(page, "Show level earlier")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Shown as 3 of 4 on the card")).to_be_attached()
        values = services.drafts.document(actor, "irma-demo", "by-hand", path).values
        assert str(values["name.en"]).endswith(" by hand")
        assert values["attributes.level.display_index"] == 2
        page.goto(page.url.partition("#")[0])
        tab_to(page, "Check draft")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Check of “By hand”")).to_be_visible()
