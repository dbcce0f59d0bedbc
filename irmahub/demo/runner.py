"""The steps of the demo, in order, each through the entry that people, backends and apps use."""

import secrets
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from git import Repo
from rich.console import Console

from console.accounts.models import NewUser
from console.issuer_keys.models import NewKey as NewIssuerKey
from console.publishing.fetch import PublicAddress
from console.publishing.models import PublicationInfo
from console.services import Services
from gateway.actor import Actor, command_actor
from gateway.addresses import WITH_PRIVATE
from gateway.database import prepare_file, upgrade
from gateway.models import AuthMethod, JobState, PublicationState
from gateway.permissions import Permissions
from gateway.requestors.models import NewKey, NewRequestor
from gateway.scheme_download import fetch_scheme
from idemix.clock import system_clock
from idemix.errors import IdemixError
from idemix.messages import SignedMessage
from idemix.scheme.configuration import Configuration
from idemix.timestamp import TimestampKeys
from idemix.timestamp.server import TimestampServer
from idemix.verification import ProofStatus, verify_signed_message
from irmahub.applications import PUBLISHED, services_of
from irmahub.demo import content
from irmahub.demo.processes import Processes, answers, free_address
from irmahub.requestor_client import RequestorClient
from irmahub.settings import Settings
from irmahub.timestamp_server import serving
from irmahub.wallet_client import WalletClient, WalletFile

#: How long the longest step, generating two keys, may take.
STEP_SECONDS: Final = 180

REQUESTOR: Final = "zeedam-library"

PERSONAL: Final = f"{content.SCHEME}.{content.MUNICIPALITY}.personalData"
ADDRESS: Final = f"{content.SCHEME}.{content.MUNICIPALITY}.address"
STUDENT: Final = f"{content.SCHEME}.{content.UNIVERSITY}.studentCard"

_CONTEXT: Final = "https://irma.app/ld/request/{}/v2"


class DemoError(IdemixError):
    """A step did not do what it should."""


class Demo:
    """One run in one data directory.

    Attributes:
        settings: those of the installation.

    Args:
        folder: a fresh data directory.
        output: where the steps are told.
        stack: ends what the run started.
    """

    def __init__(self, folder: Path, output: Console, stack: ExitStack) -> None:
        self._folder = folder = folder.absolute()
        self._output = output
        self._console_address, self._gateway_address = free_address(8089), free_address(8088)
        self._timestamp_address = free_address(8087)
        self._timestamps = TimestampServer(f"{self._timestamp_address.url}/", Ed25519PrivateKey.generate())
        self._environment = {
            "IRMAHUB_DATA_DIRECTORY": str(folder),
            "IRMAHUB_CONSOLE_ADDRESS": str(self._console_address),
            "IRMAHUB_GATEWAY_ADDRESS": str(self._gateway_address),
            "IRMAHUB_TIMESTAMP_KEYS": f"{self._timestamps.url} {self._timestamps.key}",
        }
        self.settings = Settings.from_environment(self._environment)
        self._processes = Processes(self._environment, folder / "logs")
        stack.callback(self._processes.stop)
        self._stack = stack
        self._number = 0

    def run(self) -> None:
        """All steps.

        Raises:
            DemoError: one did not do what it should.
        """
        with self._step("Make the database"):
            prepare_file(self._folder / "irmahub.db")
            upgrade(self.settings.database_url)
        services = services_of(self.settings)
        self._stack.callback(services.close)
        with self._step("Make the administrator"):
            actor = self._make_administrator(services)
        with self._step("Start console, gateway and worker, and a time-stamp server"):
            self._start()
        with self._step("Author a scheme: two issuers, three credential types"):
            self._author(services, actor)
        with self._step("Generate both issuers' keys (2048 bits)"):
            self._generate(services, actor, content.MUNICIPALITY, content.UNIVERSITY)
        with self._step("Check, sign and publish the scheme; fetch it back"):
            self._publish(services, services.publishing.publish(actor, content.SCHEME, "first-version"))
        with self._step("Activate the issuers' keys"):
            for issuer in (content.MUNICIPALITY, content.UNIVERSITY):
                self._activate(services, actor, issuer, 0)
        with self._step("Register a requestor with an RSA key and permissions"):
            requestor = self._register(services, actor)
        with self._step("Give the wallet the scheme, as a client fetches it"):
            wallet = self._make_wallet()
        with self._step("Issue personal data and an address"):
            self._issue_personal_data(requestor, wallet)
        with self._step("Disclose: over 18, and the city"):
            self._disclose(requestor, wallet)
        with self._step("Sign a message with the full name and a time stamp; verify it later"):
            self._sign(requestor, wallet)
        with self._step("Issue a student card to who discloses a name"):
            self._issue_student_card(requestor, wallet)
        with self._step("Rotate the university's key: generate, publish, see it live, activate"):
            self._rotate(services, actor)
        with self._step("Issue a student card under the new key, and disclose it"):
            wallet = self._make_wallet()
            self._issue_student_card(requestor, wallet)
            self._check_new_key(requestor, wallet)

    def stay(self) -> None:
        """Tell the addresses, and wait until somebody ends it."""
        self._output.print()
        self._output.print(f"Console  {self.settings.console_url}", highlight=False)
        self._output.print(f"Gateway  {self.settings.gateway_url}", highlight=False)
        self._output.print(f"Scheme   {self._public_url}", highlight=False)
        self._output.print(f"Folder   {self._folder}", highlight=False)
        self._output.print("\nCtrl-C ends console, gateway and worker.")
        while True:
            time.sleep(0.5)
            self._processes.check_all()

    # The steps

    def _make_administrator(self, services: Services) -> Actor:
        password = secrets.token_urlsafe(12)
        user = services.accounts.create_first_administrator(_installer(), NewUser("admin", "Administrator", password))
        self._tell(f"Sign in as [bold]{user.name}[/] with the password [bold]{password}[/]; it is not shown again")
        return services.accounts.log_in(user.name, password, address=None).actor

    def _start(self) -> None:
        self._stack.enter_context(serving(self._timestamps, self._timestamp_address))
        self._processes.start("serve")
        self._processes.start("worker")
        self._processes.wait_until("serve", lambda: answers(self.settings.gateway_url + "health"))
        self._processes.wait_until("serve", lambda: answers(self.settings.console_url + "sign-in"))

    @property
    def _public_url(self) -> str:
        return f"{self.settings.console_url.rstrip('/')}{PUBLISHED}/schemes/{content.SCHEME}/"

    def _author(self, services: Services, actor: Actor) -> None:
        remote = self._folder / "remotes" / f"{content.SCHEME}.git"
        Repo.init(remote, bare=True, mkdir=True, initial_branch="main")
        scheme = content.scheme(url=self._public_url, remote=str(remote), public_url="", timestamp_server=self._timestamps.url)
        draft = services.schemes.create(actor, scheme)
        for issuer in content.issuers():
            services.schemes.add_issuer(actor, content.SCHEME, draft.name, issuer)
        for credential_type in content.credential_types():
            services.schemes.add_credential_type(actor, content.SCHEME, draft.name, credential_type)

    def _generate(self, services: Services, actor: Actor, *issuers: str) -> None:
        """Have the worker generate a key of each issuer; the public keys end in a draft."""
        started = [services.issuer_keys.generate(actor, NewIssuerKey(f"{content.SCHEME}.{issuer}")) for issuer in issuers]

        def is_done() -> bool:
            jobs = [services.jobs.get(_installer(), key.job_id) for key in started if key.job_id is not None]
            for job in jobs:
                if job.state in (JobState.FAILED, JobState.CANCELLED):
                    raise DemoError(f"a key was not generated: {job.error}")
            return all(job.state is JobState.DONE for job in jobs)

        self._wait(is_done)

    def _publish(self, services: Services, publication: PublicationInfo) -> None:
        """Wait until the worker has published, and the published version was seen live."""

        def is_live() -> bool:
            info = services.publishing.get(_installer(), publication.id)
            if info.state is PublicationState.FAILED:
                raise DemoError(f"the publication failed: {info.error}")
            return info.live_at is not None

        self._wait(is_live)

    def _activate(self, services: Services, actor: Actor, issuer: str, counter: int) -> None:
        issuer_id = f"{content.SCHEME}.{issuer}"
        services.issuer_keys.look(actor, issuer_id, counter)
        services.issuer_keys.activate(actor, issuer_id, counter)

    def _register(self, services: Services, actor: Actor) -> RequestorClient:
        private_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public_key = private_key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        services.requestors.create(actor, NewRequestor(REQUESTOR))
        services.requestors.add_key(actor, REQUESTOR, NewKey(AuthMethod.PUBLICKEY, public_key.decode("ascii"), "first key"))
        everything = (f"{content.SCHEME}.*",)
        services.requestors.set_permissions(actor, REQUESTOR, Permissions(disclose=everything, sign=everything, issue=everything))
        services.requestors.activate(actor, REQUESTOR)
        _let_changes_arrive()
        return self._stack.enter_context(RequestorClient(self.settings.gateway_url, REQUESTOR, private_key))

    def published_configuration(self) -> Configuration:
        """The scheme as it is served now, fetched and verified as a client does."""
        with PublicAddress(self._public_url, WITH_PRIVATE, https_only=False).open() as fetcher:
            tree = fetch_scheme(fetcher, content.SCHEME, fetcher.get("pk.pem"))
        configuration, problems = Configuration.load([tree], now=int(system_clock().timestamp()))
        if problems:
            raise DemoError(f"the wallet refuses the published scheme: {problems[0]}")
        return configuration

    def _make_wallet(self) -> WalletClient:
        file = WalletFile(self._folder / "wallet.json")
        return self._stack.enter_context(WalletClient(file, self.published_configuration(), stamps=True))

    def _issue_personal_data(self, requestor: RequestorClient, wallet: WalletClient) -> None:
        credentials = [
            {"credential": PERSONAL, "attributes": {"fullName": "Joke van der Meer", "dateOfBirth": "14-03-2003", "over18": "Yes"}},
            {"credential": ADDRESS, "attributes": {"street": "Kade 12", "postalCode": "4351 AB", "city": "Zeedam"}},
        ]
        self._session(requestor, wallet, "issuance", {"credentials": credentials})

    def _disclose(self, requestor: RequestorClient, wallet: WalletClient) -> None:
        result = self._session(requestor, wallet, "disclosure", {"disclose": [[[f"{PERSONAL}.over18"]], [[f"{ADDRESS}.city"]]]})
        self._expect(result, {f"{PERSONAL}.over18": "Yes", f"{ADDRESS}.city": "Zeedam"})

    def _sign(self, requestor: RequestorClient, wallet: WalletClient) -> None:
        message = "I take part in the reading club of Zeedam."
        result = self._session(requestor, wallet, "signature", {"message": message, "disclose": [[[f"{PERSONAL}.fullName"]]]})
        self._expect(result, {f"{PERSONAL}.fullName": "Joke van der Meer"})
        signed = SignedMessage.from_json(result["signature"])
        if signed.message != message or signed.timestamp is None:
            raise DemoError("the signature is on another message, or without a time stamp")
        keys = TimestampKeys.parse(self.settings.timestamp_keys)
        in_ten_years = system_clock() + timedelta(days=3650)
        verified = verify_signed_message(signed, None, wallet.wallet.configuration, now=in_ten_years, timestamp_keys=keys)
        if verified.status is not ProofStatus.VALID:
            raise DemoError(f"the signature is {verified.status.value} when it is verified on its own")

    def _issue_student_card(self, requestor: RequestorClient, wallet: WalletClient) -> None:
        credential = {"credential": STUDENT, "attributes": {"studentNumber": "s4711", "level": "Bachelor"}}
        request = {"credentials": [credential], "disclose": [[[f"{PERSONAL}.fullName"]]]}
        result = self._session(requestor, wallet, "issuance", request)
        self._expect(result, {f"{PERSONAL}.fullName": "Joke van der Meer"})

    def _rotate(self, services: Services, actor: Actor) -> None:
        issuer_id = f"{content.SCHEME}.{content.UNIVERSITY}"
        self._generate(services, actor, content.UNIVERSITY)
        self._publish(services, services.issuer_keys.publish(actor, issuer_id, 1))
        self._activate(services, actor, content.UNIVERSITY, 1)
        services.issuer_keys.retire(actor, issuer_id, 0)
        _let_changes_arrive()

    def _check_new_key(self, requestor: RequestorClient, wallet: WalletClient) -> None:
        counters = wallet.key_counters(STUDENT)
        if counters[-1] != 1:
            raise DemoError(f"the newest student card is under key {counters[-1]}, not 1")
        result = self._session(requestor, wallet, "disclosure", {"disclose": [[[f"{STUDENT}.level"]]]})
        self._expect(result, {f"{STUDENT}.level": "Bachelor"})

    # What steps share

    def _session(self, requestor: RequestorClient, wallet: WalletClient, kind: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """A whole session over HTTP: the requestor starts it, the wallet answers, the requestor reads the signed result."""
        started = requestor.start({"@context": _CONTEXT.format(kind), **request})
        wallet.run(started.pointer)
        result = requestor.result(started.token)
        if result["status"] != "DONE" or result.get("proofStatus", "VALID") != "VALID":
            raise DemoError(f"the session ended as {result['status']}, {result.get('proofStatus')}")
        return result

    @staticmethod
    def _expect(result: Mapping[str, Any], wanted: Mapping[str, str]) -> None:
        disclosed = {attribute["id"]: attribute["rawvalue"] for attributes in result["disclosed"] for attribute in attributes}
        if disclosed != wanted:
            raise DemoError("the result discloses something else than was asked")

    def _wait(self, is_done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + STEP_SECONDS
        while not is_done():
            self._processes.check_all()
            if time.monotonic() > deadline:
                raise DemoError(f"not done in {STEP_SECONDS} seconds")
            time.sleep(0.1)

    @contextmanager
    def _step(self, title: str) -> Iterator[None]:
        """Tell what is done and how long it took."""
        self._number += 1
        self._notes: list[str] = []
        line = f"{self._number:>2}. {title}"
        began = time.monotonic()
        if self._output.is_terminal:
            with self._output.status(line):
                yield
        else:
            yield
        seconds = time.monotonic() - began
        self._output.print(f"[green]✓[/] {line:<72} [dim]{seconds:6.1f} s[/]", highlight=False)
        for note in self._notes:
            self._output.print(f"      {note}", highlight=False)

    def _tell(self, note: str) -> None:
        self._notes.append(note)


def _let_changes_arrive() -> None:
    """A change works in every process within a second; what comes next rests on it."""
    time.sleep(1)


def _installer() -> Actor:
    return command_actor("demo")


def run(*, stays: bool, output: Console, folder: Path | None = None) -> None:
    """Run the demo.

    Args:
        stays: keep console, gateway and worker running after the steps, until Ctrl-C.
        output: where the steps are told.
        folder: a data directory that is kept; by default a fresh one that is removed at the end.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        # Both end in order, also where a shell started this in the background and had it ignore the former.
        signal.signal(number, signal.default_int_handler)
    with ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="irmahub-demo-")))
        began = time.monotonic()
        demo = Demo(folder, output, stack)
        demo.run()
        output.print(f"\nAll steps done in {time.monotonic() - began:.1f} seconds.", highlight=False)
        if stays:
            try:
                demo.stay()
            except KeyboardInterrupt:
                output.print("\nStopping.")
