"""The main job, in the browser: import, check, publish, rotate a key, refuse a requestor; each with its proof outside the browser."""

import json
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from console.accounts.models import NewApiToken
from console.publishing.git import Repository, Signature
from gateway.actor import system_actor
from gateway.authorization import Action
from gateway.scheme_files import read_configuration, read_tree
from idemix.clock import system_clock
from idemix.scheme.tree import SchemeTree
from idemix.scheme.verify import verify_scheme
from idemix.wallet import Wallet
from irmahub.wallet_client import WalletClient
from tests.support.browser import demand_accessible, sign_in, watched_page
from tests.support.console_server import ADMINISTRATOR, RunningConsole, running_gateway
from tests.support.shared import shared

pytestmark = pytest.mark.browser

#: A publication or a key may take a while on a busy machine.
LONG_MS = 120_000

CARD = "irma-demo.RU.studentCard"
VALUES = {"university": "Radboud", "studentCardNumber": "1", "studentID": "s1", "level": "MSc"}
ISSUE = {"@context": "https://irma.app/ld/request/issuance/v2", "credentials": [{"credential": CARD, "attributes": VALUES}]}
DISCLOSE = {"@context": "https://irma.app/ld/request/disclosure/v2", "disclose": [[["irma-demo.RU.studentCard.studentID"]]]}


def bare_repository(path: Path) -> Repository:
    """irma-demo as the only commit of a bare repository."""
    repository = Repository.create(path)
    tree = repository.write(read_tree(shared("schemes", "irma-demo")))
    commit = repository.commit(tree, [], "Publish irma-demo", Signature("owner", "owner@scheme.example", system_clock()))
    repository.update("refs/heads/main", commit, old=None)
    return repository


def verified_head(repository: Repository) -> str:
    """The newest pushed commit, which must verify as a wallet verifies it."""
    tree = SchemeTree(repository.read("refs/heads/main"), name="irma-demo")
    verdict = verify_scheme(tree, now=int(system_clock().timestamp()))
    assert verdict.is_valid, verdict.errors
    head = repository.head("refs/heads/main")
    assert head is not None
    return head


def see_it_live(page: Page) -> None:
    """Follow a publication on its page until it is live."""
    expect(page.get_by_role("progressbar", name="Publishing")).to_be_visible()
    expect(page.get_by_text("The new version is live")).to_be_visible(timeout=LONG_MS)
    expect(page.locator(".ih-stepper .is-done")).to_have_count(6)


@pytest.mark.feature("C1.2")
@pytest.mark.feature("C4.1")
@pytest.mark.feature("D4.2")
def test_import_check_publish_rotate_and_refuse(browser: Browser, console: RunningConsole) -> None:
    repository = bare_repository(console.data / "irma-demo.git")
    before = verified_head(repository)
    with running_gateway(console.services) as gateway, watched_page(browser) as page:
        sign_in(page, console.url, ADMINISTRATOR.name, ADMINISTRATOR.password)

        # Import from the bare repository.
        page.get_by_role("link", name="Import scheme").click()
        page.get_by_label("Directory or address").fill(str(repository.path))
        page.get_by_role("button", name="Import scheme").click()
        expect(page.get_by_role("heading", name="IRMA Demo", level=1)).to_be_visible()
        expect(page.get_by_role("link", name="Demo University")).to_be_visible()

        # Check, and publish under a new timestamp and signature.
        page.get_by_role("link", name="Check published version").click()
        expect(page.get_by_text("Issuer irma-demo.TNO has no nonexpired public keys")).to_be_visible()
        page.get_by_role("button", name="Sign again and publish").click()
        see_it_live(page)
        demand_accessible(page)
        published = verified_head(repository)
        assert published != before

        # Rotate the key of the university: generate with progress, publish, seen live, activate.
        page.goto(f"{console.url}/keys/irma-demo.RU")
        page.get_by_role("button", name="Generate key 3").click()
        expect(page.get_by_role("progressbar", name="Generating key 3", exact=True)).to_be_visible()
        expect(page.get_by_role("button", name="Publish public key")).to_be_visible(timeout=LONG_MS)
        expect(page.get_by_role("button", name="Issue with key 3")).to_have_attribute("aria-disabled", "true")
        demand_accessible(page)
        page.get_by_role("button", name="Publish public key").click()
        see_it_live(page)
        assert verified_head(repository) != published
        page.goto(f"{console.url}/keys/irma-demo.RU")
        look = page.get_by_role("button", name="Look now")
        if look.is_visible():
            look.click()
        page.get_by_role("button", name="Issue with key 3").click()
        expect(page.get_by_text("Key 3 issues from now on.")).to_be_visible()
        demand_accessible(page)

        # A wallet receives a credential under the new counter.
        token = register_requestor(page, console)
        configuration, problems = read_configuration(console.services.settings.schemes_directory, int(system_clock().timestamp()))
        assert not problems
        started = start(gateway, token, ISSUE)
        assert started.status_code == 200, started.text
        with WalletClient(Wallet.create(configuration)) as wallet:
            wallet.run(started.json()["sessionPtr"])
            assert wallet.key_counters(CARD) == [3]

        # Without the permission the requestor is refused, with the reason on the page and in the API.
        answer = start(gateway, token, DISCLOSE)
        assert answer.status_code == 403
        page.goto(f"{console.url}/requestors/desk")
        page.get_by_label("Request", exact=True).fill(json.dumps(DISCLOSE))
        page.get_by_role("button", name="Explain").click()
        expect(page.get_by_text("Refused", exact=True)).to_be_visible()
        expect(page.get_by_text("disclose: irma-demo.RU.studentCard.studentID", exact=False)).to_be_visible()
        demand_accessible(page)
        explained = explain_by_api(console, DISCLOSE)
        assert explained["allowed"] is False
        assert explained["missing"] == [
            {"setting": "disclose_perms", "subject": "", "kind": "disclose", "pattern": "irma-demo.RU.studentCard.studentID"}
        ]


def register_requestor(page: Page, console: RunningConsole) -> str:
    """Register `desk`, which may issue the card and ask nothing; give the token that the page shows once."""
    page.get_by_role("link", name="Requestors").click()
    page.get_by_role("link", name="New requestor").first.click()
    page.get_by_label("Name").fill("desk")
    page.get_by_role("button", name="Register requestor").click()
    page.get_by_role("link", name="Add key").click()
    page.get_by_label("Token: made here, sent with every request").check()
    page.get_by_label("Label").fill("front desk")
    page.get_by_role("button", name="Add key").click()
    token = page.get_by_role("status", name="Token").inner_text()
    demand_accessible(page)
    page.get_by_label("I stored it in a safe place").check()
    page.get_by_role("button", name="Continue").click()
    assert token not in page.content()
    page.get_by_role("link", name="Edit permissions").click()
    page.get_by_label("Issue").fill(CARD)
    page.get_by_role("button", name="Save permissions").click()
    page.get_by_role("button", name="Activate").click()
    expect(page.get_by_text("Active", exact=True).first).to_be_visible()
    console.services.requestors.refresh()
    return token


def start(gateway: str, token: str, request: object) -> httpx.Response:
    """Start a session as the requestor with this token."""
    return httpx.post(f"{gateway}session", json=request, headers={"Authorization": token})


def explain_by_api(console: RunningConsole, request: object) -> dict[str, object]:
    """The verdict on a request, as the JSON API tells it."""
    users = console.services.accounts.list_users(system_actor("tests"))
    made = console.services.accounts.create_api_token(
        system_actor("tests"), NewApiToken("tests", (Action.REQUESTOR_VIEW.value,)), users[0].id
    )
    answer = httpx.post(
        f"{console.url}/api/v1/requestors/desk/explain",
        json={"request": json.dumps(request)},
        headers={"Authorization": f"Bearer {made.secret}"},
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found
