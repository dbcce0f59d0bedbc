"""A wallet in the network and on disk: does whole sessions with a server, as the app does, and keeps what it receives.

Source: irmago `irma/irmaclient/session.go` (the order of messages), `irma/transport.go` (timeouts), `irma/wait_status.go`.
"""

import json
import os
import string
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import httpx

from idemix.arith.randomness import SYSTEM_RANDOM, RandomSource
from idemix.clock import Clock, system_clock
from idemix.errors import IdemixError
from idemix.scheme.configuration import Configuration
from idemix.scheme.identifiers import CredentialTypeId
from idemix.session.status import Status
from idemix.wallet import (
    MAX_VERSION,
    MIN_VERSION,
    Choice,
    EventsNeededError,
    HeldCredential,
    Outcome,
    PreparedAnswer,
    Wallet,
    default_choice,
)
from idemix.wallet.choice import Chooser
from irmahub.revocation_client import RevocationClient

#: As long as the app waits for an answer.
TIMEOUT_SECONDS: Final = 20.0

#: How often the app asks whether pairing is completed.
PAIRING_POLL_SECONDS: Final = 0.2

#: A chain longer than this is a fault of its requestor.
MAX_CHAIN: Final = 32

_AUTHORIZATION_CHARACTERS: Final = string.ascii_letters + string.digits
_JSON: Final = {"Content-Type": "application/json; charset=UTF-8"}


class ServerRefusedError(IdemixError):
    """The server answered with an error.

    Attributes:
        status: the HTTP status.
        error: its name in the remote error table, or an empty text.
        body: the answer.
    """

    def __init__(self, answer: httpx.Response) -> None:
        try:
            remote = answer.json()
        except ValueError:
            remote = None
        self.status = answer.status_code
        self.error = str(remote.get("error", "")) if isinstance(remote, dict) else ""
        self.body = answer.text
        super().__init__(f"the server refused: {self.status} {self.error or self.body[:200]}")


class PairingFailedError(IdemixError):
    """The session ended while the wallet waited for pairing. `status` tells how."""

    def __init__(self, status: str) -> None:
        super().__init__(f"the session ended during pairing: {status}")
        self.status = status


class TimestampServerError(IdemixError):
    """A time-stamp server does not answer."""


@dataclass(frozen=True, slots=True)
class WalletFile:
    """Where a wallet lies on disk: JSON, readable by its owner alone.

    Attributes:
        path: the file; it is made with the first wallet that is saved.
    """

    path: Path

    def load(self, configuration: Configuration, *, clock: Clock = system_clock, random: RandomSource = SYSTEM_RANDOM) -> Wallet:
        """Read the wallet, or make an empty one where there is no file.

        Raises:
            MalformedError, UnknownIdentifierError: the file does not hold a wallet of these schemes.
        """
        if not self.path.exists():
            return Wallet.create(configuration, clock=clock, random=random)
        return Wallet.from_json(json.loads(self.path.read_bytes()), configuration, clock=clock, random=random)

    def save(self, wallet: Wallet) -> None:
        """Write the wallet; the old file stays until the new one is whole."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        making = self.path.with_name(f".{self.path.name}.new")
        with os.fdopen(os.open(making, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w") as file:
            json.dump(wallet.to_json(), file)
            file.flush()
            os.fsync(file.fileno())
        making.replace(self.path)


@dataclass(frozen=True, slots=True)
class SessionOutcome:
    """How a session, or a chain of them, ended for the holder.

    Attributes:
        outcomes: one for each session of the chain, in order.
    """

    outcomes: tuple[Outcome, ...] = field(default=())

    @property
    def received(self) -> tuple[HeldCredential, ...]:
        """All credentials that are new in the wallet."""
        return tuple(held for outcome in self.outcomes for held in outcome.received)


@dataclass(frozen=True, slots=True)
class HttpTimestamps:
    """The way to time-stamp servers over HTTP.

    Attributes:
        http: the connection.
    """

    http: httpx.Client

    def post(self, url: str, body: bytes) -> bytes:
        """Post to a server.

        Raises:
            TimestampServerError: it does not answer.
            ServerRefusedError: it answers with an error.
        """
        try:
            return _checked(self.http.post(url, content=body, headers=_JSON)).content
        except httpx.HTTPError as error:
            raise TimestampServerError(f"the time-stamp server {url} does not answer: {error}") from error


class WalletClient:
    """Does sessions with a wallet.

    Args:
        wallet: the wallet, or the file that keeps it.
        configuration: the schemes that the wallet trusts, where it comes from a file.
        http: the connection; by default one of its own, which `close` closes.
        choose: picks what to disclose.
        show_pairing_code: shows a pairing code to the holder.
        random: makes the secret that binds a session to this wallet.
        stamps: whether signatures get a time stamp of their schemes' server, over the same connection.
        clock: the wallet's, where it comes from a file.
    """

    def __init__(
        self,
        wallet: Wallet | WalletFile,
        configuration: Configuration | None = None,
        *,
        http: httpx.Client | None = None,
        choose: Chooser = default_choice,
        show_pairing_code: Callable[[str], None] = lambda _code: None,
        random: RandomSource = SYSTEM_RANDOM,
        stamps: bool = False,
        clock: Clock = system_clock,
    ) -> None:
        if isinstance(wallet, WalletFile):
            self._file: WalletFile | None = wallet
            self.wallet = wallet.load(configuration or Configuration(), clock=clock)
        else:
            self._file, self.wallet = None, wallet
        self._owns_http = http is None
        self._http = http or httpx.Client(timeout=TIMEOUT_SECONDS)
        if stamps:
            self.wallet.timestamps = HttpTimestamps(self._http)
        self._choose = choose
        self._show_pairing_code = show_pairing_code
        self._random = random

    def __enter__(self) -> "WalletClient":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection, where it is the client's own."""
        if self._owns_http:
            self._http.close()

    def run(self, pointer: Mapping[str, str]) -> SessionOutcome:
        """Do a session, and those that follow it in its chain.

        Args:
            pointer: what the QR code holds: `u`, the session's address, and `irmaqr`, its type.

        Raises:
            ServerRefusedError: the server answered with an error.
            PairingFailedError: the session ended during pairing.
            UpdatesUnavailableError: a credential must be proved not to be revoked, and no server gives the updates that takes.
            WalletError, MalformedError, VerificationError, UnknownIdentifierError: the wallet does not take part; the server is told.
        """
        if pointer["irmaqr"] == "redirect":
            pointer = self._post(pointer["u"], b"{}").json()
            if pointer["irmaqr"] == "redirect":
                raise IdemixError("a static session must lead to a session, not to another static one")
        outcomes: list[Outcome] = []
        earlier: Choice = ()
        for _ in range(MAX_CHAIN):
            with self._saving():
                outcome, earlier = self._one_session(pointer["u"], earlier)
            outcomes.append(outcome)
            if outcome.next_session is None:
                return SessionOutcome(tuple(outcomes))
            pointer = {name: str(value) for name, value in outcome.next_session.to_json().items()}
        raise IdemixError(f"the chain has more than {MAX_CHAIN} sessions")

    def decline(self, pointer: Mapping[str, str]) -> None:
        """Cancel a session."""
        self._http.delete(pointer["u"])

    def update_witnesses(self) -> tuple[HeldCredential, ...]:
        """Fetch updates for the credentials whose turn it is; to be called every ten seconds. See `Wallet.due_updates`.

        Returns:
            The credentials that are found revoked.

        Raises:
            UpdatesUnavailableError: no server of a credential type gives its updates.
            VerificationError, MalformedError: an update does not hold.
        """
        revoked: list[HeldCredential] = []
        with self._saving():
            for type_id, counters in self.wallet.due_updates().items():
                for key_counter, first_index in counters.items():
                    revoked += self._fetch_update(type_id, key_counter, first_index)
        return tuple(revoked)

    def _fetch_update(self, type_id: CredentialTypeId, key_counter: int, first_index: int) -> tuple[HeldCredential, ...]:
        configuration = self.wallet.configuration
        public_key = configuration.public_key(type_id.issuer, key_counter)
        update = RevocationClient(self._http).update_from(configuration.credential_types[type_id], public_key, first_index)
        return self.wallet.apply_update(type_id, update)

    @contextmanager
    def _saving(self) -> Iterator[None]:
        """Save the wallet where its credentials have changed, whatever came after."""
        before = self.wallet.credentials
        try:
            yield
        finally:
            if self._file is not None and self.wallet.credentials != before:
                self._file.save(self.wallet)

    def key_counters(self, credential_type: str) -> list[int]:
        """Under which issuer key each held credential of a type is signed, the oldest first."""
        wanted = CredentialTypeId(credential_type)
        return [held.credential.public_key.counter for held in self.wallet.credentials if held.type.id == wanted]

    def _one_session(self, url: str, earlier: Choice) -> tuple[Outcome, Choice]:
        """Do one session; whatever keeps the wallet from finishing is told to the server."""
        authorization = {"Authorization": "".join(self._character() for _ in range(20))}
        try:
            message = self._connect(url, authorization)
            prepared = self._answer(message, earlier)
            reply = self._post(f"{url}/{prepared.path}", prepared.body, authorization)
            return self.wallet.finish(prepared, reply.content), prepared.choice
        except IdemixError:
            self._http.delete(url)
            raise

    def _answer(self, message: bytes, earlier: Choice) -> PreparedAnswer:
        """Answer a request, after fetching the revocation events that its updates lack."""
        needed: set[tuple[CredentialTypeId, int]] = set()
        while True:
            try:
                return self.wallet.answer(message, choose=self._choose, earlier=earlier)
            except EventsNeededError as missing:
                if (missing.credential_type, missing.key_counter) in needed:
                    raise
                needed.add((missing.credential_type, missing.key_counter))
                self._fetch_update(missing.credential_type, missing.key_counter, missing.first_index)

    def _connect(self, url: str, authorization: Mapping[str, str]) -> bytes:
        """Get the session request; after pairing, where the frontend asks for that."""
        versions = {"X-IRMA-MinProtocolVersion": str(MIN_VERSION), "X-IRMA-MaxProtocolVersion": str(MAX_VERSION)}
        answer = _checked(self._http.get(url, headers={**authorization, **versions}))
        options: Mapping[str, Any] = answer.json().get("options", {})
        if options.get("pairingMethod", "none") == "none":
            return answer.content
        self._show_pairing_code(str(options["pairingCode"]))
        self._wait_for_pairing(url)
        return _checked(self._http.get(f"{url}/request", headers=dict(authorization))).content

    def _wait_for_pairing(self, url: str) -> None:
        while (status := _checked(self._http.get(f"{url}/status")).json()) == Status.PAIRING.value:
            time.sleep(PAIRING_POLL_SECONDS)
        if status != Status.CONNECTED.value:
            raise PairingFailedError(status)

    def _post(self, url: str, body: bytes, headers: Mapping[str, str] | None = None) -> httpx.Response:
        return _checked(self._http.post(url, content=body, headers={**_JSON, **(headers or {})}))

    def _character(self) -> str:
        return _AUTHORIZATION_CHARACTERS[self._random.below(len(_AUTHORIZATION_CHARACTERS))]


def _checked(answer: httpx.Response) -> httpx.Response:
    if not answer.is_success:
        raise ServerRefusedError(answer)
    return answer
