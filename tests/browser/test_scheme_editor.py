"""The scheme editor in the browser: drafts, forms, check, publish, rebase, restore; and two people in one draft."""

import io
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from console.publishing.fetch import PublicAddress
from console.schemes.models import SchemeImport
from gateway.actor import system_actor
from gateway.addresses import WITH_PRIVATE
from gateway.scheme_download import fetch_scheme
from idemix.clock import system_clock
from idemix.scheme.documents import Document
from idemix.scheme.verify import verify_scheme
from tests.browser.test_main_job import LONG_MS, bare_repository, see_it_live, verified_head
from tests.support.browser import NARROW, demand_accessible, demand_no_sideways_scroll, sign_in, watched_page
from tests.support.console_server import ADMINISTRATOR, RunningConsole
from tests.support.shared import shared

pytestmark = pytest.mark.browser

CARD = "RU/Issues/studentCard/description.xml"
PERMIT = "RU/Issues/parkingPermit/description.xml"


def picture(path: Path) -> Path:
    """A square logo as a file."""
    content = io.BytesIO()
    Image.new("RGB", (128, 128), "#204060").save(content, "PNG")
    path.write_bytes(content.getvalue())
    return path


def follow(console: RunningConsole, installed: dict[str, bytes]) -> dict[str, bytes]:
    """Fetch the served scheme as a wallet that has a version does; it must verify, and its time must rise."""
    address = PublicAddress(f"{console.services.settings.public_url}schemes/irma-demo/", WITH_PRIVATE, https_only=False)
    with address.open() as server:
        fetched = fetch_scheme(server, "irma-demo", installed["pk.pem"])
    verdict = verify_scheme(fetched, now=int(system_clock().timestamp()))
    assert verdict.is_valid, verdict.errors
    assert int(fetched["timestamp"]) > int(installed["timestamp"])
    # A wallet keeps files that the index no longer lists; none may be missing in it.
    assert {path for path in installed if path.endswith("description.xml")} <= set(fetched)
    return dict(fetched)


def start_draft(page: Page, console: RunningConsole, title: str) -> None:
    """Begin a draft on the scheme's page; its contents open."""
    page.goto(f"{console.url}/schemes/irma-demo")
    page.get_by_label("What will change").fill(title)
    page.get_by_role("button", name="Start draft").click()
    expect(page.get_by_role("heading", name=title, level=1)).to_be_visible()


def publish(page: Page) -> None:
    """Publish the checked draft, through the dialog, and follow it until it is live."""
    page.get_by_role("button", name="Publish", exact=True).first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Publish", exact=True).click()
    see_it_live(page)


@pytest.mark.feature("A1.1")
@pytest.mark.feature("A12.1")
@pytest.mark.feature("A13.1")
@pytest.mark.feature("B2.1")
@pytest.mark.feature("B2.2")
@pytest.mark.feature("B6.2")
@pytest.mark.feature("B8.1")
@pytest.mark.feature("B8.2")
@pytest.mark.feature("B12.1")
def test_two_drafts_from_import_to_restore(browser: Browser, console: RunningConsole, tmp_path: Path) -> None:
    repository = bare_repository(console.data / "irma-demo.git")
    imported = verified_head(repository)
    installed = dict(repository.read(imported))
    before = Document(CARD, installed[CARD]).values["description.en"]
    with watched_page(browser) as page:
        sign_in(page, console.url, ADMINISTRATOR.name, ADMINISTRATOR.password)
        page.goto(f"{console.url}/schemes/import")
        page.get_by_label("Directory or address").fill(str(repository.path))
        page.get_by_role("button", name="Import scheme").click()
        expect(page.get_by_role("heading", name="IRMA Demo", level=1)).to_be_visible()

        # The first draft changes a description; it saves by itself.
        start_draft(page, console, "Better description")
        page.goto(f"{console.url}/schemes/irma-demo/drafts/better-description/documents/{CARD}")
        page.get_by_label("Description en").first.fill("Shows that you study here")
        expect(page.locator("#saved")).to_contain_text("Saved", timeout=LONG_MS)
        expect(page.locator("#saved")).not_to_contain_text("Saving")
        page.reload()
        expect(page.get_by_label("Description en").first).to_have_value("Shows that you study here")

        # The second adds a credential type with attributes and a logo.
        start_draft(page, console, "Parking permit")
        page.goto(f"{console.url}/schemes/irma-demo/drafts/parking-permit/issuers/RU/new")
        page.get_by_label("Identifier", exact=True).fill("parking permit")
        for label, text in (("Name", "Demo Parking"), ("Description", "Where you may park"), ("Label on the card", "Plate")):
            for language in ("en", "nl"):
                page.get_by_label(f"{label} {language}").fill(f"{text} {language}")
        page.get_by_role("textbox", name="Identifier of the attribute").fill("plate")
        page.get_by_role("button", name="Add credential type").click()
        expect(page.get_by_text("Must have 1 to 100 letters, digits, - or _.").first).to_be_visible()
        demand_accessible(page)
        page.get_by_label("Identifier", exact=True).fill("parkingPermit")
        page.locator("#logo").set_input_files(picture(tmp_path / "logo.png"))
        page.get_by_role("button", name="Add credential type").click()
        expect(page.get_by_role("heading", name="Demo Parking en", level=1)).to_be_visible()
        page.get_by_label("Identifier of a new attribute").fill("zone")
        page.get_by_role("button", name="Add", exact=True).click()
        zone = page.locator("[id='attributes.zone']")
        expect(zone).to_be_visible()
        demand_accessible(page)

        # A failing check names the field; its link opens it there, and it is mended.
        page.get_by_label("Name en").first.fill("Parking")
        expect(page.get_by_text("In a demo scheme the name begins with “Demo ”.")).to_be_visible(timeout=LONG_MS)
        zone.locator("summary").click()
        page.locator("[id='attributes.zone.revocation']").check()
        expect(page.get_by_text("An attribute for revocation needs a revocation server.")).to_be_attached(timeout=LONG_MS)
        page.get_by_role("link", name="Check draft").click()
        expect(page.get_by_text("This draft cannot be published")).to_be_visible()
        expect(page.get_by_role("button", name="Publish")).to_have_attribute("aria-disabled", "true")
        demand_accessible(page)
        assert verified_head(repository) == imported  # a check publishes nothing
        page.get_by_role("region", name="Errors").get_by_role("link").first.click()
        page.wait_for_url(f"**/documents/{PERMIT}**")
        page.locator("[id='attributes.zone']").evaluate("details => { details.open = true }")
        page.locator("[id='attributes.zone.revocation']").uncheck()
        for key, text in (("name.en", "Demo Parking"), ("attributes.zone.name.en", "Zone"), ("attributes.zone.name.nl", "Zone")):
            page.locator(f"[id='{key}']").fill(text)
        for key in ("attributes.zone.description.en", "attributes.zone.description.nl"):
            page.locator(f"[id='{key}']").fill("Where")
        expect(page.get_by_text("In a demo scheme the name begins with “Demo ”.")).to_be_hidden(timeout=LONG_MS)
        expect(page.locator("#saved")).to_contain_text("Saved", timeout=LONG_MS)

        # The first draft is published; the second is told that it is stale, is rebased and published.
        page.goto(f"{console.url}/schemes/irma-demo/check?draft=better-description")
        publish(page)
        first = verified_head(repository)
        installed = follow(console, installed)
        assert Document(CARD, installed[CARD]).values["description.en"] == "Shows that you study here"
        page.goto(f"{console.url}/schemes/irma-demo/check?draft=parking-permit")
        expect(page.get_by_text("A newer version was published meanwhile")).to_be_visible()
        demand_accessible(page)
        page.get_by_role("button", name="Rebase").click()
        expect(page.get_by_text("starts from the published version now")).to_be_visible()
        page.goto(f"{console.url}/schemes/irma-demo/drafts/parking-permit/changes")
        expect(page.get_by_text("irma-demo.RU.parkingPermit", exact=True)).to_be_visible()
        expect(page.get_by_text("1 thing changes")).to_be_visible()
        page.get_by_role("link", name="Line by line").click()
        expect(page.get_by_role("region", name=PERMIT)).to_contain_text('+    <Attribute id="plate">'.replace("    ", "\t\t"))
        demand_accessible(page)
        page.get_by_role("link", name="Check draft").click()
        publish(page)
        second = verified_head(repository)
        installed = follow(console, installed)
        # Each publication is one commit on the one before, with content and signature in it.
        assert [info.parents for info in repository.log(second, limit=2)] == [(first,), (imported,)]
        assert Document(PERMIT, installed[PERMIT]).values["attributes"] == ("plate", "zone")
        assert Document(CARD, installed[CARD]).values["description.en"] == "Shows that you study here"

        # The imported version's texts are restored; the added credential type stays, and the page says why.
        page.goto(f"{console.url}/schemes/irma-demo/versions/")
        demand_accessible(page)
        page.get_by_role("row").nth(1).get_by_role("link").first.click()
        expect(page.get_by_text("1 thing changes")).to_be_visible()
        expect(page.locator(".ih-foot")).to_contain_text("irmahub 0.")
        demand_accessible(page)
        page.go_back()
        page.get_by_role("link", name=f"Restore as draft: version {imported[:12]}").click()
        kept = page.get_by_role("row").filter(has_text="irma-demo.RU.parkingPermit")
        expect(kept).to_contain_text("Added since: wallets know it, and it may not disappear.")
        demand_accessible(page)
        kept.get_by_label("Deprecate it").check()
        page.get_by_role("button", name="Restore as draft").click()
        expect(page.get_by_role("heading", name="Changes of “Restore the version", level=1)).to_be_visible()
        expect(page.get_by_text("2 things change")).to_be_visible()
        page.get_by_role("link", name="Check draft").click()
        publish(page)
        verified_head(repository)
        installed = follow(console, installed)
        assert Document(CARD, installed[CARD]).values["description.en"] == before
        assert Document(PERMIT, installed[PERMIT]).values["deprecated_since"] is not None


@pytest.mark.feature("H6.1")
@pytest.mark.feature("H6.3")
def test_two_people_in_one_draft_lose_no_word(browser: Browser, console: RunningConsole) -> None:
    services, actor = console.services, system_actor("tests")
    services.schemes.import_scheme(actor, SchemeImport(str(shared("schemes", "mutant-base", "irma-demo"))))
    services.schemes.start_draft(actor, "irma-demo", "Together", "together")
    address = f"{console.url}/schemes/irma-demo/drafts/together/documents/{CARD}"

    def values() -> dict[str, object]:
        return dict(services.drafts.document(actor, "irma-demo", "together", CARD).values)

    with watched_page(browser) as one, watched_page(browser) as other:
        for page in (one, other):
            sign_in(page, console.url, ADMINISTRATOR.name, ADMINISTRATOR.password)
            page.goto(address)
        # Different fields: both are kept, and each browser sees the other's.
        one.locator("[id='name.en']").fill("Demo First")
        expect(one.locator("#saved")).to_contain_text("Saved", timeout=LONG_MS)
        other.locator("[id='description.en']").fill("By the second")
        expect(other.locator("[id='name.en']")).to_have_value("Demo First", timeout=LONG_MS)
        one.locator("[id='description.nl']").fill("Van de eerste")
        expect(one.locator("[id='description.en']")).to_have_value("By the second", timeout=LONG_MS)
        assert {key: values()[key] for key in ("name.en", "description.en", "description.nl")} == {
            "name.en": "Demo First",
            "description.en": "By the second",
            "description.nl": "Van de eerste",
        }
        # One field: the second is shown both texts, and chooses; nothing of either is lost before that.
        other.locator("[id='name.nl']").fill("Demo Tweede")
        expect(other.locator("#saved")).to_contain_text("Saved", timeout=LONG_MS)
        one.locator("[id='name.nl']").fill("Demo Eerste")
        one.locator("[id='description.nl']").fill("Van de eerste, langer")
        expect(one.get_by_text("Somebody else changed the same field")).to_be_visible(timeout=LONG_MS)
        assert values()["name.nl"] == "Demo Tweede"
        one.get_by_role("button", name="Compare").click()
        expect(one.get_by_text("Demo Tweede")).to_be_visible()
        expect(one.get_by_text("Demo Eerste").first).to_be_visible()
        demand_accessible(one)
        one.get_by_label("Another text:").check()
        one.get_by_label("Another text for Name, Dutch").fill("Demo Samen")
        one.get_by_role("button", name="Save my choice").click()
        expect(one.locator("[id='name.nl']")).to_have_value("Demo Samen")
        assert values()["name.nl"] == "Demo Samen"
        assert values()["description.nl"] == "Van de eerste, langer"


@pytest.mark.feature("H6.2")
def test_leaving_with_unsaved_words_warns_and_what_a_file_cannot_hold_stays_in_its_field(browser: Browser, console: RunningConsole) -> None:
    services, actor = console.services, system_actor("tests")
    services.schemes.import_scheme(actor, SchemeImport(str(shared("schemes", "mutant-base", "irma-demo"))))
    services.schemes.start_draft(actor, "irma-demo", "Numbers", "numbers")
    with watched_page(browser) as page:
        sign_in(page, console.url, ADMINISTRATOR.name, ADMINISTRATOR.password)
        page.goto(f"{console.url}/schemes/irma-demo/drafts/numbers/documents/{CARD}")
        page.get_by_text("Revocation", exact=True).click()
        page.locator("[id='revocation_update_count']").fill("many")
        page.locator("[id='description.en']").fill("Saved all the same")
        expect(page.get_by_text("Must be a whole number.")).to_be_visible(timeout=LONG_MS)
        with page.expect_response("**/documents/**"):
            page.locator("[id='description.en']").blur()
        assert services.drafts.document(actor, "irma-demo", "numbers", CARD).values["description.en"] == "Saved all the same"
        expect(page.locator("[id='revocation_update_count']")).to_have_value("many")
        # Unsaved words: the browser asks.
        asked = []
        page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
        page.route("**/documents/**", lambda route: route.abort() if route.request.method == "POST" else route.continue_())
        page.locator("[id='description.en']").press_sequentially("!")
        page.goto(f"{console.url}/schemes/")
        assert asked == ["beforeunload"]


@pytest.mark.feature("H3.2")
def test_the_form_works_without_script_and_in_a_narrow_window(browser: Browser, console: RunningConsole) -> None:
    services, actor = console.services, system_actor("tests")
    services.schemes.import_scheme(actor, SchemeImport(str(shared("schemes", "mutant-base", "irma-demo"))))
    services.schemes.start_draft(actor, "irma-demo", "Plain", "plain")
    with watched_page(browser, script=False, size=NARROW) as page:
        sign_in(page, console.url, ADMINISTRATOR.name, ADMINISTRATOR.password)
        page.goto(f"{console.url}/schemes/irma-demo/drafts/plain/documents/{CARD}")
        expect(page.get_by_text("Without script nothing is saved by itself.")).to_be_visible()
        before = services.drafts.document(actor, "irma-demo", "plain", CARD)
        page.get_by_role("button", name="Save").click()
        assert services.drafts.document(actor, "irma-demo", "plain", CARD).draft.head == before.draft.head
        page.locator("[id='name.en']").fill("Demo Card")
        page.get_by_role("button", name="Save").click()
        assert services.drafts.document(actor, "irma-demo", "plain", CARD).values["name.en"] == "Demo Card"
        summary = page.locator("[id='attributes.level'] summary")
        summary.click()
        page.get_by_role("button", name="Show level earlier").click()
        values = services.drafts.document(actor, "irma-demo", "plain", CARD).values
        assert values["attributes.level.display_index"] == 2
        demand_no_sideways_scroll(page)


def test_a_scheme_goes_out_as_a_zip_and_comes_in_again(browser: Browser, console: RunningConsole, tmp_path: Path) -> None:
    source = shared("schemes", "mutant-base", "irma-demo")
    console.services.schemes.import_scheme(system_actor("tests"), SchemeImport(str(source)))
    with watched_page(browser) as page:
        sign_in(page, console.url, ADMINISTRATOR.name, ADMINISTRATOR.password)
        page.goto(f"{console.url}/schemes/irma-demo")
        with page.expect_download() as download:
            page.get_by_role("link", name="Export").click()
        archive = tmp_path / "scheme.zip"
        download.value.save_as(archive)
        page.goto(f"{console.url}/schemes/import")
        page.locator("#archive").set_input_files(archive)
        page.get_by_role("button", name="Import scheme").click()
        expect(page.get_by_text("Scheme irma-demo is here already.").first).to_be_visible()


def test_a_scheme_begins_in_the_browser(browser: Browser, console: RunningConsole) -> None:
    with watched_page(browser) as page:
        sign_in(page, console.url, ADMINISTRATOR.name, ADMINISTRATOR.password)
        page.goto(f"{console.url}/schemes/new")
        page.get_by_role("button", name="Create scheme").click()
        expect(page.get_by_text("Nothing was changed yet")).to_be_visible()
        demand_accessible(page)
        page.get_by_label("Identifier", exact=True).fill("rivendam-demo")
        for label in ("Name", "Description"):
            for language in ("en", "nl"):
                page.get_by_label(f"{label} {language}").fill("Rivendam")
        page.get_by_label("Address of the scheme").fill("https://schemes.rivendam.example/rivendam-demo")
        page.get_by_role("button", name="Create scheme").click()
        expect(page.get_by_text("No issuers yet")).to_be_visible()
        demand_accessible(page)
        page.get_by_role("link", name="Texts, addresses and languages").click()
        expect(page.locator("[id='url']")).to_have_value("https://schemes.rivendam.example/rivendam-demo")
        demand_accessible(page)


@pytest.mark.feature("H7.1")
@pytest.mark.feature("H7.2")
def test_a_draft_is_discarded_by_typing_its_name(browser: Browser, console: RunningConsole) -> None:
    services, actor = console.services, system_actor("tests")
    services.schemes.import_scheme(actor, SchemeImport(str(shared("schemes", "mutant-base", "irma-demo"))))
    services.schemes.start_draft(actor, "irma-demo", "Away with it", "away")
    services.drafts.edit(actor, "irma-demo", "away", CARD, {"name.en": "Demo Gone"})
    with watched_page(browser) as page:
        sign_in(page, console.url, ADMINISTRATOR.name, ADMINISTRATOR.password)
        page.goto(f"{console.url}/schemes/irma-demo/drafts/away/")
        page.get_by_role("button", name="Discard draft").click()
        dialog = page.get_by_role("dialog", name="Discard draft away?")
        expect(dialog).to_contain_text("1 change is gone")
        demand_accessible(page)
        dialog.get_by_role("button", name="Discard draft").click()
        expect(dialog).to_be_visible()
        dialog.get_by_label("Type away to confirm").fill("away")
        dialog.get_by_role("button", name="Discard draft").click()
        expect(page.get_by_role("heading", name="IRMA Demo", level=1)).to_be_visible()
    assert services.schemes.drafts(actor, "irma-demo") == ()
