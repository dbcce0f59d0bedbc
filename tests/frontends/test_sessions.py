"""The field's frontend packages in Chromium against the real gateway, with the project's wallet as the app.

Two generations of them: `yivi-core` and `yivi-client` 1.0 with `yivi-web`, as a site bundles them, and the file `yivi.js` of
`yivi-frontend` 0.1, as most sites include it. The first leaves events to the browser, whose EventSource sends no secret, and so
falls back to polling; the second brings an event source of its own.
"""

import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Queue
from urllib.parse import unquote

import pytest
from playwright.sync_api import Browser, Page, expect

from idemix.scheme.configuration import Configuration
from idemix.wallet import Wallet
from irmahub.wallet_client import PairingFailedError, SessionOutcome, WalletClient
from tests.support.browser import PATIENCE_MS, chromium, watched_page
from tests.support.frontend_backend import Backend, running_backend
from tests.support.gateways import CARD, DISCLOSURE, ISSUANCE, irma_demo
from tests.support.installations import running_installation

pytestmark = [pytest.mark.browser, pytest.mark.feature("E1.2")]

REQUESTS = {
    "issuance": ISSUANCE,
    "disclosure": DISCLOSURE,
    "value": {**DISCLOSURE, "disclose": [[[{"type": f"{CARD}.level", "value": "42"}]]]},
    "short": {"timeout": 2, "request": DISCLOSURE},
}
#: How long the short session may take to time out.
SHORT_MS = 20_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE_MS)
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    with (
        running_installation(tmp_path_factory.mktemp("data")) as installation,
        running_backend(installation.settings.gateway_url, installation.token, REQUESTS) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def configuration() -> Configuration:
    return irma_demo()


@pytest.fixture(scope="module")
def wallet(backend: Backend, configuration: Configuration) -> Wallet:
    """A wallet with a student card."""
    made = Wallet.create(configuration)
    with WalletClient(made) as client:
        client.run(backend.start("issuance")["sessionPtr"])
    return made


class Phone:
    """The app, in a thread of its own.

    Attributes:
        codes: the pairing codes that it shows.
    """

    def __init__(self, wallet: Wallet) -> None:
        self.codes: Queue[str] = Queue()
        self._wallet = wallet
        self._pool = ThreadPoolExecutor(1)

    def run(self, pointer: dict[str, str]) -> Future[SessionOutcome]:
        """Do a session."""

        def whole() -> SessionOutcome:
            with WalletClient(self._wallet, show_pairing_code=self.codes.put) as client:
                return client.run(pointer)

        return self._pool.submit(whole)

    def close(self) -> None:
        self._pool.shutdown()


@pytest.fixture
def phone(wallet: Wallet) -> Iterator[Phone]:
    made = Phone(wallet)
    yield made
    made.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with watched_page(browser) as watched:
        yield watched


def scan(page: Page) -> dict[str, str]:
    """Read the QR on a page as a phone's camera does."""
    text = page.wait_for_function("window.readQr()").json_value()
    return json.loads(unquote(text.partition("#")[2]) if text.startswith("https://") else text)


def status_calls(page: Page) -> tuple[Callable[[], int], Callable[[], int]]:
    """Counts how often a page asks for events (and is given them), and for the status."""
    events: list[int] = []
    polls: list[int] = []
    page.on("response", lambda response: events.append(response.status) if response.url.endswith("/statusevents") else None)
    page.on("response", lambda response: polls.append(response.status) if response.url.endswith("/status") else None)
    return lambda: events.count(200), lambda: polls.count(200)


def enter(page: Page, code: str) -> None:
    """Type a pairing code."""
    for position, digit in enumerate(code):
        page.locator(".yivi-web-pairing-code input").nth(position).press(digit)


@pytest.mark.parametrize(
    ("options", "by_events"),
    [
        pytest.param("client=packages", False, id="packages that fall back to polling"),
        pytest.param("client=packages&old=1", True, id="packages with the browser's events, protocol 1.0"),
        pytest.param("client=bundle", True, id="yivi.js with events"),
        pytest.param("client=bundle&events=off", False, id="yivi.js with polling"),
    ],
)
def test_disclosure(page: Page, backend: Backend, phone: Phone, options: str, by_events: bool) -> None:
    events, polls = status_calls(page)
    page.goto(f"{backend.url}/?session=disclosure&{options}")
    outcome = phone.run(scan(page))
    expect(page.locator("#result")).to_contain_text("VALID")
    result = json.loads(page.locator("#result").inner_text())
    assert result["sub"] == "disclosing_result"
    assert result["disclosed"][0][0]["rawvalue"] == "42"
    assert outcome.result().outcomes
    expect(page.locator("#states")).to_have_text(re.compile(r"ShowingQRCode WaitingForUser (Loading )?Success$"))
    assert (events() > 0, polls() > 0) == (by_events, not by_events)


@pytest.mark.parametrize("client", ["packages", "bundle"])
@pytest.mark.parametrize("session", ["issuance", "value"])
def test_pairing(page: Page, backend: Backend, phone: Phone, client: str, session: str) -> None:
    page.goto(f"{backend.url}/?session={session}&client={client}")
    outcome = phone.run(scan(page))
    code = phone.codes.get(timeout=PATIENCE_MS / 1000)
    wrong = f"{(int(code) + 1) % 10_000:04d}"
    expect(page.locator(".yivi-web-pairing-code")).to_be_visible()
    enter(page, wrong)
    expect(page.locator(".yivi-web-error")).to_contain_text(wrong)
    enter(page, code)
    expect(page.locator("#result")).to_contain_text("VALID")
    assert bool(outcome.result().received) is (session == "issuance")


@pytest.mark.parametrize("client", ["packages", "bundle"])
def test_the_user_cancels_on_the_page(page: Page, backend: Backend, phone: Phone, client: str) -> None:
    page.goto(f"{backend.url}/?session=value&client={client}")
    outcome = phone.run(scan(page))
    phone.codes.get(timeout=PATIENCE_MS / 1000)
    page.get_by_text("Cancel", exact=True).click()
    with pytest.raises(PairingFailedError, match="CANCELLED"):
        outcome.result(timeout=PATIENCE_MS / 1000)
    expect(page.locator("#states")).to_have_text(re.compile(r"EnterPairingCode Cancelled$"))
    assert backend.result(backend.started[-1]["token"])["status"] == "CANCELLED"


@pytest.mark.parametrize("client", ["packages", "bundle"])
def test_the_user_declines_in_the_app(page: Page, backend: Backend, wallet: Wallet, client: str) -> None:
    page.goto(f"{backend.url}/?session=disclosure&client={client}")
    pointer = scan(page)
    with WalletClient(wallet) as app:
        app.decline(pointer)
    expect(page.locator("#states")).to_have_text(re.compile(r"ShowingQRCode Cancelled$"))


@pytest.mark.parametrize("client", ["packages", "bundle"])
def test_time_out(page: Page, backend: Backend, client: str) -> None:
    page.goto(f"{backend.url}/?session=short&client={client}")
    scan(page)
    expect(page.locator("#states")).to_have_text(re.compile(r"ShowingQRCode TimedOut$"), timeout=SHORT_MS)
    assert backend.result(backend.started[-1]["token"])["status"] == "TIMEOUT"


@pytest.mark.parametrize("client", ["packages", "bundle"])
def test_session_on_the_phone_itself(browser: Browser, backend: Backend, phone: Phone, client: str) -> None:
    context = browser.new_context(user_agent="Mozilla/5.0 (Linux; Android 14; Pixel 8) Chrome/140.0 Mobile")
    page = context.new_page()
    try:
        page.goto(f"{backend.url}/?session=value&client={client}")
        link = page.locator("a.yivi-web-button-link[href]")
        link.wait_for()
        address = unquote(link.get_attribute("href") or "")
        phone.run(json.loads(address[address.index("{") : address.rindex("}") + 1]))
        # No pairing: the app that the page opens is on the same phone.
        expect(page.locator("#result")).to_contain_text("VALID")
        assert phone.codes.empty()
    finally:
        context.close()
