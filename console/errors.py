"""The errors of the console's services. Each says what is wrong and, by `diagnostics()`, what a person can do next."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.inputs import Message
from idemix.errors import IdemixError


class ConsoleError(IdemixError):
    """Base of what the console's services refuse on purpose."""

    def diagnostics(self) -> str:
        """What the person who meets this error can do about it, in one or two sentences; empty where nothing is to be added."""
        return ""


class LogInError(ConsoleError):
    """A name and password that do not fit, an account that is closed, or a token that is not (or no longer) valid."""


class LogInThrottledError(LogInError):
    """Too many failed log-ins. `retry_after_seconds` says when the next may be tried."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(Message("too many failed attempts to sign in"))
        self.retry_after_seconds = retry_after_seconds

    def diagnostics(self) -> str:
        return Message("Try again in %(seconds)s seconds.", seconds=self.retry_after_seconds)


class LastAdministratorError(ConsoleError):
    """The change would leave nobody with the role admin."""

    def __init__(self) -> None:
        super().__init__(Message("this is the last administrator"))

    def diagnostics(self) -> str:
        return Message("Make someone else administrator first.")


class RepositoryError(ConsoleError):
    """A git repository cannot be read or written, or holds what a scheme may not hold."""


class RefusedAddressError(RepositoryError):
    """An address that the console may not reach: another protocol, or a host in a private range.

    Attributes:
        address: the address, without credentials.
    """

    def __init__(self, address: str, rule: str) -> None:
        super().__init__(f"{address}: {rule}")
        self.address = address


class SchemeImportError(ConsoleError):
    """A scheme cannot be imported; `findings` names the files and rules where the scheme itself is the cause."""

    def __init__(self, message: str, findings: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.findings = tuple(findings)

    def diagnostics(self) -> str:
        return "\n".join(self.findings)


class DraftConflictError(ConsoleError):
    """A draft was changed by somebody else since it was read."""

    def __init__(self, draft: str) -> None:
        super().__init__(Message("draft “%(draft)s” was changed by somebody else meanwhile", draft=draft))
        self.draft = draft

    def diagnostics(self) -> str:
        return Message("Open the draft again, and repeat the change on its newest state.")


@dataclass(frozen=True, slots=True)
class Incompatibility:
    """A change against a version that was published, the newest or an earlier one, that breaks installed clients.

    Attributes:
        path: the file in the scheme.
        subject: the identifier of what changed, e.g. `irma-demo.RU.studentCard.level`.
        rule: the name of the rule, e.g. `attribute-removed`.
        message: what changed, and why clients cannot follow.
        alternative: what can be done instead.
        since: the commit of the first version that had what is broken, where that is an earlier version than the published one; else empty.
        since_at: when that commit was made.
    """

    path: str
    subject: str
    rule: str
    message: str
    alternative: str
    since: str = ""
    since_at: datetime | None = None


class PublicationRejectedError(ConsoleError):
    """A draft may not be published. `reasons` lists all causes."""

    def __init__(self, message: str, reasons: Sequence[str] = ()) -> None:
        super().__init__(message if not reasons else f"{message}: {'; '.join(reasons)}")
        self.reasons = tuple(reasons)

    def diagnostics(self) -> str:
        return "\n".join(self.reasons)


class ApprovalsMissingError(PublicationRejectedError):
    """A channel demands more approvals than were given."""

    def __init__(self, channel: str, required: int, given: int) -> None:
        super().__init__(
            Message(
                "channel %(channel)s requires %(required)s approvals, %(given)s were given", channel=channel, required=required, given=given
            )
        )
        self.channel = channel
        self.required = required
        self.given = given

    def diagnostics(self) -> str:
        return Message("Only demo schemes, which need no approval, can be published at present.")


class StaleBaseError(PublicationRejectedError):
    """The published version moved on after the draft was begun."""

    def __init__(self, draft: str, base: str, published: str) -> None:
        super().__init__(
            Message(
                "draft “%(draft)s” starts from version %(base)s, but version %(published)s is published",
                draft=draft,
                base=base[:12],
                published=published[:12],
            )
        )
        self.base = base
        self.published = published

    def diagnostics(self) -> str:
        return Message(
            "Rebase the draft onto the published version, check it again, and publish then. "
            "If somebody pushed to the remote, pull the scheme first."
        )


class NothingToPublishError(PublicationRejectedError):
    """The draft holds exactly what is published."""

    def __init__(self, draft: str) -> None:
        super().__init__(Message("draft “%(draft)s” changes nothing: its content is the published one", draft=draft))

    def diagnostics(self) -> str:
        return Message("Change something in the draft first, or discard it.")


class NotLiveError(ConsoleError):
    """What is fetched from the public address is not (yet) what was published."""


class KeyRotationError(ConsoleError):
    """A step of a key's rotation that is not open yet. `reason` says why, for a closed gate on the page."""

    def __init__(self, reason: str, *, next_step: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.next_step = next_step

    def diagnostics(self) -> str:
        return self.next_step
