"""Words and tones of states: what a chip says, and in which colour. Status is always icon, word and colour together."""

import re
from collections.abc import Mapping
from typing import Final

from flask import Flask
from flask_babel import lazy_gettext as _l

from console.issuer_keys.models import KeyCustody
from console.publishing.models import StepState
from console.requestors.service import is_valid, pattern_count
from console.schemes.models import SchemeState, SourceKind
from gateway.actor import Role
from gateway.models import AuthMethod, Channel, PermissionKind, PublicationState, RequestorState
from idemix.clock import Clock

Words = tuple[str, str, str]

#: State -> (tone, word, symbol).
SCHEME_STATES: Final[Mapping[SchemeState, Words]] = {
    SchemeState.NEVER_PUBLISHED: ("idle", _l("Never published"), "dot"),
    SchemeState.PUBLISHING: ("info", _l("Publishing"), "run"),
    SchemeState.LIVE: ("ok", _l("Live"), "ok"),
    SchemeState.NOT_SERVED: ("idle", _l("Not served here"), "off"),
}

PUBLICATION_STATES: Final[Mapping[PublicationState, Words]] = {
    PublicationState.DRAFT: ("idle", _l("Draft"), "draft"),
    PublicationState.SUBMITTED: ("info", _l("Waits for approval"), "clock"),
    PublicationState.APPROVED: ("info", _l("Approved"), "clock"),
    PublicationState.PUBLISHING: ("info", _l("Publishing"), "run"),
    PublicationState.LIVE: ("ok", _l("Live"), "ok"),
    PublicationState.REJECTED: ("bad", _l("Rejected"), "bad"),
    PublicationState.WITHDRAWN: ("idle", _l("Stopped"), "off"),
    PublicationState.FAILED: ("bad", _l("Failed"), "bad"),
}

STEP_STATES: Final[Mapping[StepState, Words]] = {
    StepState.TO_DO: ("idle", _l("to do"), "dot"),
    StepState.RUNNING: ("info", _l("running"), "run"),
    StepState.WAITING: ("info", _l("waiting"), "clock"),
    StepState.DONE: ("ok", _l("done"), "ok"),
    StepState.FAILED: ("bad", _l("failed"), "bad"),
}

CHANNELS: Final[Mapping[Channel, str]] = {
    Channel.DEMO: _l("Demo"),
    Channel.STAGING: _l("Staging"),
    Channel.PRODUCTION: _l("Production"),
}

SOURCES: Final[Mapping[SourceKind, str]] = {
    SourceKind.DETECT: _l("Find out"),
    SourceKind.FOLDER: _l("Directory on this server"),
    SourceKind.GIT: _l("Git repository"),
    SourceKind.ADDRESS: _l("Address where it is published"),
    SourceKind.ZIP: _l("Zip"),
}

CUSTODIES: Final[Mapping[KeyCustody, str]] = {
    KeyCustody.KEYSTORE: _l("Keystore"),
    KeyCustody.ELSEWHERE: _l("Held elsewhere"),
    KeyCustody.DESTROYED: _l("Destroyed"),
}

ROLES: Final[Mapping[Role, str]] = {
    Role.ADMIN: _l("Administrator"),
    Role.SCHEME_MANAGER: _l("Scheme manager"),
    Role.SIGNER: _l("Signer"),
    Role.ISSUER_OWNER: _l("Issuer owner"),
    Role.REQUESTOR_ADMIN: _l("Requestor administrator"),
    Role.AUDITOR: _l("Auditor"),
}

REQUESTOR_STATES: Final[Mapping[RequestorState, Words]] = {
    RequestorState.DRAFT: ("idle", _l("Draft"), "draft"),
    RequestorState.ACTIVE: ("ok", _l("Active"), "ok"),
    RequestorState.SUSPENDED: ("warn", _l("Suspended"), "pause"),
}

METHODS: Final[Mapping[AuthMethod, str]] = {
    AuthMethod.PUBLICKEY: _l("Public key"),
    AuthMethod.TOKEN: _l("Token"),
    AuthMethod.HMAC: _l("HMAC secret"),
}

PERMISSION_KINDS: Final[Mapping[PermissionKind, str]] = {
    PermissionKind.DISCLOSE: _l("Disclose"),
    PermissionKind.SIGN: _l("Sign"),
    PermissionKind.ISSUE: _l("Issue"),
    PermissionKind.REVOKE: _l("Revoke"),
    PermissionKind.HOST: _l("Host"),
}

#: Step of a flow -> what it is called on pages.
STEPS: Final[Mapping[str, str]] = {
    "check": _l("Checks the draft once more"),
    "approve": _l("Counts the approvals of this tree"),
    "sign": _l("Signs index and timestamp"),
    "commit": _l("Makes one commit of content and signature"),
    "push": _l("Pushes it to the repository"),
    "switch": _l("Switches the served version"),
    "fetch_back": _l("Fetches and verifies it as a wallet does"),
    "live": _l("Notes that it is live"),
}

#: What the header of browsers says -> the name of the browser, the more special first.
_BROWSERS: Final = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS: Final = (
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPad", "iPadOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def browser(user_agent: str) -> str:
    """`Firefox, Linux` from the header of a browser; empty where it is of no known one."""
    name = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    return ", ".join(filter(None, (name, system)))


def group_digits(fingerprint: str) -> str:
    """Hexadecimal digits in groups of four, as people read them to each other."""
    return " ".join(re.findall("..?.?.?", fingerprint))


def install_words(app: Flask, clock: Clock) -> None:
    """Give the templates the words as filters."""
    app.jinja_env.filters.update(
        browser=browser,
        channel_name=CHANNELS.__getitem__,
        custody_name=CUSTODIES.__getitem__,
        groups=group_digits,
        method_name=METHODS.__getitem__,
        permission_kind=PERMISSION_KINDS.__getitem__,
        requestor_state=REQUESTOR_STATES.__getitem__,
        publication_state=PUBLICATION_STATES.__getitem__,
        role_name=ROLES.__getitem__,
        scheme_state=SCHEME_STATES.__getitem__,
        pattern_count=pattern_count,
        step_name=lambda name: STEPS.get(name, name),
        step_state=STEP_STATES.__getitem__,
    )
    app.jinja_env.tests["valid_key"] = lambda key: is_valid(key, clock())
