"""The requestors of an installation and those of a configuration of irma server: compared, taken over, written out.

A file holds one key for each requestor, in clear. What the installation keeps of a token is a hash, and of an HMAC secret an
envelope; neither leaves. Keys are therefore compared by their fingerprints, and written out as a reference to one: a `key_file` that
is none, so that irma server refuses the file instead of taking a fingerprint for a token.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Final

from idemix.clock import Clock, system_clock

from ..actor import Actor
from ..authorization import Action, authorize
from ..config import AUTH_METHODS, PERMISSION_OPTIONS, ConfigurationError, GatewayConfig, Problem, RequestorConfig
from ..configuration_text import dump
from ..custody.service import Custody
from ..inputs import InvalidInputError, demand_valid
from ..models import AuthMethod, PermissionKind, RequestorState
from ..options import Options
from ..permissions import NO_PERMISSIONS, Permissions
from .key_material import read_or_make
from .models import KeyInfo, NewKey, NewRequestor, RequestorInfo
from .service import Requestors

#: What stands before the fingerprint of a key that is not written out.
REFERENCE: Final = "irmahub-fingerprint:"
LABEL: Final = "from irma server"
REASON: Final = "taken over from a configuration of irma server"

_OF_REQUESTORS: Final = ("requestors", "config", *PERMISSION_OPTIONS)


class Standing(Enum):
    """How a requestor of a file stands to the installation."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"
    REFUSED = "refused"
    ONLY_HERE = "only_here"


@dataclass(frozen=True, slots=True)
class FiledRequestor:
    """A requestor of a file.

    Attributes:
        name: as irma server knows it.
        method: how it authenticates.
        material: its key in clear, or empty where the file has a reference.
        reference: the fingerprint that stands in place of the key, or empty.
        permissions: its own.
    """

    name: str
    method: AuthMethod
    material: str = field(default="", repr=False)
    reference: str = ""
    permissions: Permissions = NO_PERMISSIONS


@dataclass(frozen=True, slots=True)
class FiledRequestors:
    """What a file says of requestors.

    Attributes:
        requestors: by name.
        permissions: what every requestor may.
        problems: of the file; names that are one when case does not count are among them.
    """

    requestors: Mapping[str, FiledRequestor]
    permissions: Permissions
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """How one requestor differs.

    Attributes:
        name: of the requestor.
        standing: what a takeover would do with it.
        state: of the requestor here; None where it is not here.
        fingerprint: of the key in the file.
        key_missing: whether that key is not among its valid ones here.
        keys_only_here: fingerprints of its other valid keys.
        permissions_missing: what the file gives it, and the installation does not.
        permissions_only_here: what the installation gives it, and the file does not.
        problems: why it cannot be taken over.
        notes: what should be known and keeps nothing from happening.
    """

    name: str
    standing: Standing
    state: RequestorState | None = None
    fingerprint: str = ""
    key_missing: bool = False
    keys_only_here: tuple[str, ...] = ()
    permissions_missing: Permissions = NO_PERMISSIONS
    permissions_only_here: Permissions = NO_PERMISSIONS
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def drifts(self) -> bool:
        """Whether file and installation do not say the same."""
        return self.standing is not Standing.SAME or bool(self.keys_only_here) or self.state is not RequestorState.ACTIVE


@dataclass(frozen=True, slots=True)
class Comparison:
    """A file beside the installation.

    Attributes:
        requestors: all of either, by name.
        permissions_missing, permissions_only_here: of every requestor, as in `Difference`.
        problems: of the file as a whole.
    """

    requestors: tuple[Difference, ...]
    permissions_missing: Permissions
    permissions_only_here: Permissions
    problems: tuple[str, ...] = ()

    @property
    def drift(self) -> tuple[Difference, ...]:
        """The requestors that differ in any way."""
        return tuple(difference for difference in self.requestors if difference.drifts)

    @property
    def is_same(self) -> bool:
        """Whether file and installation say the same."""
        same = self.permissions_missing == NO_PERMISSIONS == self.permissions_only_here
        return same and not self.drift and not self.problems

    @property
    def all_problems(self) -> dict[str, str]:
        """Everything that keeps the file from being taken over, by what it is about."""
        found = {f"problem{number}" if number else "": problem for number, problem in enumerate(self.problems)}
        return found | {difference.name: "; ".join(difference.problems) for difference in self.requestors if difference.problems}


@dataclass(frozen=True, slots=True)
class Export:
    """A configuration written out.

    Attributes:
        text: of the file.
        warnings: what could not be written as it is here.
    """

    text: str
    warnings: tuple[str, ...]


def read_requestors(options: Options, *, read_key_files: bool) -> FiledRequestors:
    """The requestors of a configuration.

    Args:
        options: what was read of it.
        read_key_files: whether `key_file` may name a file of this machine; never for what came over the network.
    """
    config, wrong = GatewayConfig.read_options(options.values)
    problems = [problem for problem in (*options.problems, *wrong) if problem.option.partition(".")[0] in ("", *_OF_REQUESTORS)]
    requestors: dict[str, FiledRequestor] = {}
    for name, requestor in config.requestors.items():
        try:
            requestors[name] = _read_requestor(name, requestor, read_key_files=read_key_files)
        except ConfigurationError as error:
            problems += error.problems
    shared = Permissions(
        **{kind.value: getattr(config.permissions, kind.value) for kind in PermissionKind if kind is not PermissionKind.HOST}
    )
    return FiledRequestors(requestors, shared, tuple(problems))


def _read_requestor(name: str, requestor: RequestorConfig, *, read_key_files: bool) -> FiledRequestor:
    where = f"requestors.{name}"
    if requestor.auth_method not in AUTH_METHODS:
        raise ConfigurationError([Problem(f"{where}.auth_method", f"must be one of {', '.join(AUTH_METHODS)}")])
    if bool(requestor.key) == bool(requestor.key_file):
        raise ConfigurationError([Problem(f"{where}.key", "give either key or key_file")])
    method = AuthMethod(requestor.auth_method)
    if requestor.key_file.startswith(REFERENCE):
        return FiledRequestor(name, method, reference=requestor.key_file.removeprefix(REFERENCE), permissions=requestor.permissions)
    text = requestor.key
    if requestor.key_file:
        if not read_key_files:
            raise ConfigurationError([Problem(f"{where}.key_file", "files of the server are not read; give the key itself")])
        try:
            text = Path(requestor.key_file).read_text()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise ConfigurationError([Problem(f"{where}.key_file", f"{requestor.key_file} cannot be read: {reason}")]) from error
    return FiledRequestor(name, method, material=text, permissions=requestor.permissions)


class RequestorFiles:
    """Compares, takes over and writes out; every change is made and audited by the service of requestors.

    Args:
        requestors: those of the installation.
        custody: has the pepper that fingerprints are made with.
        clock: tells which keys are valid.
    """

    def __init__(self, requestors: Requestors, custody: Custody, *, clock: Clock = system_clock) -> None:
        self._requestors = requestors
        self._custody = custody
        self._clock = clock

    def compare(self, actor: Actor, filed: FiledRequestors) -> Comparison:
        """Tell how a file and the installation differ, without changing anything.

        Raises:
            PermissionDeniedError: the actor may not see all requestors.
        """
        authorize(actor, Action.REQUESTOR_VIEW)
        here = {requestor.name: requestor for requestor in self._all(actor)}
        fingerprints, problems = self._fingerprints(filed.requestors.values())
        owners = {
            key.fingerprint: requestor.name for requestor in here.values() for key in requestor.keys if key.method is AuthMethod.TOKEN
        }
        holders: defaultdict[str, list[str]] = defaultdict(list)
        for name, fingerprint in fingerprints.items():
            if filed.requestors[name].method is AuthMethod.TOKEN:
                holders[fingerprint].append(name)
        for name, fingerprint in fingerprints.items():
            others = {*holders.get(fingerprint, ()), owners.get(fingerprint, name)} - {name}
            if filed.requestors[name].method is AuthMethod.TOKEN and others:
                problems[name].append(f"its token is also that of {' and '.join(sorted(others))}")
        spellings: dict[str, str] = {name.lower(): name for name in here}
        differences = []
        for name, one in filed.requestors.items():
            notes = []
            if name not in here and name.lower() in spellings:
                notes.append(f"{spellings[name.lower()]} is another requestor here: upper and lower case count in names")
            differences.append(self._difference(one, here.get(name), fingerprints.get(name, ""), problems[name], notes))
        differences += [_only_here(requestor) for name, requestor in here.items() if name not in filed.requestors]
        present = self._requestors.global_permissions(actor)
        return Comparison(
            tuple(sorted(differences, key=lambda difference: difference.name)),
            _without(filed.permissions, present),
            _without(present, filed.permissions),
            tuple(f"{problem.option}: {problem.message}" if problem.option else problem.message for problem in filed.problems),
        )

    def take_over(self, actor: Actor, filed: FiledRequestors, *, global_permissions: bool = True, reason: str | None = None) -> Comparison:
        """Register what is new and change what differs, so that each requestor of the file can do here what it can do there.

        Requestors that are only here, further keys and suspensions stay as they are. After an interruption it can be called again.

        Args:
            actor: who takes over.
            filed: the file.
            global_permissions: whether the permissions of every requestor become those of the file too.
            reason: for the audit.

        Returns:
            How it was before.

        Raises:
            PermissionDeniedError: the actor may not do all of it.
            InvalidInputError: something cannot be taken over; nothing was changed.
        """
        for action in (Action.REQUESTOR_EDIT, Action.REQUESTOR_KEYS, Action.REQUESTOR_PERMISSIONS, Action.REQUESTOR_SUSPEND):
            authorize(actor, action)
        before = self.compare(actor, filed)
        if before.all_problems:
            raise InvalidInputError(before.all_problems)
        why = reason or REASON
        differs = before.permissions_missing != NO_PERMISSIONS or before.permissions_only_here != NO_PERMISSIONS
        if global_permissions and differs:
            self._requestors.set_global_permissions(actor, filed.permissions, reason=why)
        for difference in before.requestors:
            if difference.standing in (Standing.NEW, Standing.CHANGED):
                self._take_over(actor, filed.requestors[difference.name], difference, why)
        return before

    def export(self, actor: Actor, text_format: str) -> Export:
        """Write the active requestors and the permissions of all as a configuration of irma server.

        Args:
            actor: who asks.
            text_format: `json`, `toml` or `yaml`.

        Raises:
            PermissionDeniedError: the actor may not see all requestors.
        """
        authorize(actor, Action.REQUESTOR_VIEW)
        warnings: list[str] = []
        requestors = {}
        for requestor in self._all(actor):
            keys = self._valid_keys(requestor)
            if requestor.state is not RequestorState.ACTIVE or not keys:
                why = f"it is {requestor.state.value}" if requestor.state is not RequestorState.ACTIVE else "it has no valid key"
                warnings.append(f"{requestor.name} is left out: {why}")
                continue
            if len(keys) > 1:
                warnings.append(f"{requestor.name} has {len(keys)} valid keys; the newest is written")
            if requestor.name != requestor.name.lower():
                warnings.append(f"{requestor.name} is {requestor.name.lower()} to irma server, which reads names of files in lower case")
            key = max(keys, key=lambda one: (one.created_at, one.id))
            if key.public_key is None:
                warnings.append(f"{requestor.name}: its key is not written, but a reference to it; put the key in its place")
            requestors[requestor.name] = {
                "auth_method": key.method.value,
                **({"key": key.public_key} if key.public_key is not None else {"key_file": REFERENCE + key.fingerprint}),
                **_options(requestor.permissions, PermissionKind),
            }
        shared = (kind for kind in PermissionKind if kind is not PermissionKind.HOST)
        options = {"no_auth": False, **_options(self._requestors.global_permissions(actor), shared), "requestors": requestors}
        return Export(dump(options, text_format), tuple(warnings))

    def _all(self, actor: Actor) -> list[RequestorInfo]:
        found: list[RequestorInfo] = []
        while True:
            page = self._requestors.list(actor, after=found[-1].name if found else "", limit=1000)
            found.extend(page)
            if len(page) < 1000:
                return found

    def _fingerprints(self, filed: Iterable[FiledRequestor]) -> tuple[dict[str, str], defaultdict[str, list[str]]]:
        """The fingerprint of each key, and what is wrong with those that cannot be read."""
        problems: defaultdict[str, list[str]] = defaultdict(list)
        fingerprints: dict[str, str] = {}
        pepper = self._custody.pepper()
        for one in filed:
            try:
                fingerprints[one.name] = one.reference or read_or_make(one.method, one.material, pepper=pepper).fingerprint
            except InvalidInputError as error:
                problems[one.name].append(f"its key: {'; '.join(error.errors.values())}")
        return fingerprints, problems

    def _valid_keys(self, requestor: RequestorInfo) -> tuple[KeyInfo, ...]:
        now = self._clock()
        return tuple(key for key in requestor.keys if key.revoked_at is None and (key.expires_at is None or now < key.expires_at))

    def _difference(
        self, one: FiledRequestor, here: RequestorInfo | None, fingerprint: str, problems: list[str], notes: list[str]
    ) -> Difference:
        valid = () if here is None else self._valid_keys(here)
        is_held = any(key.fingerprint == fingerprint and key.method is one.method for key in valid)
        if not is_held and fingerprint:
            ended = [] if here is None else [key for key in here.keys if key.fingerprint == fingerprint]
            if one.reference:
                problems.append("the file has only the fingerprint of its key, which is not here")
            elif ended:
                problems.append(
                    f"its key was {'revoked' if ended[0].revoked_at else 'in force until it expired'} here, and is not taken back"
                )
        held = NO_PERMISSIONS if here is None else here.permissions
        missing, extra = _without(one.permissions, held), _without(held, one.permissions)
        try:
            self._requestors.check_permissions(one.name, missing)
            if here is None:
                demand_valid(NewRequestor(one.name))
        except InvalidInputError as error:
            problems += error.errors.values()
        differs = not is_held or missing != NO_PERMISSIONS or extra != NO_PERMISSIONS
        if here is not None and here.state is RequestorState.SUSPENDED:
            notes.append("it is suspended here, and stays so")
        if problems:
            standing = Standing.REFUSED
        elif here is None:
            standing = Standing.NEW
        else:
            standing = Standing.CHANGED if differs or here.state is RequestorState.DRAFT else Standing.SAME
        return Difference(
            one.name,
            standing,
            None if here is None else here.state,
            fingerprint,
            not is_held,
            tuple(key.fingerprint for key in valid if key.fingerprint != fingerprint),
            missing,
            extra,
            tuple(problems),
            tuple(notes),
        )

    def _take_over(self, actor: Actor, one: FiledRequestor, difference: Difference, reason: str) -> None:
        if difference.standing is Standing.NEW:
            self._requestors.create(actor, NewRequestor(one.name), reason=reason)
        if difference.key_missing:
            self._requestors.add_key(actor, one.name, NewKey(one.method, one.material, LABEL), reason=reason)
        if difference.permissions_missing != NO_PERMISSIONS or difference.permissions_only_here != NO_PERMISSIONS:
            self._requestors.set_permissions(actor, one.name, one.permissions, reason=reason)
        if difference.state in (None, RequestorState.DRAFT):
            self._requestors.activate(actor, one.name, reason=reason)


def _only_here(requestor: RequestorInfo) -> Difference:
    return Difference(requestor.name, Standing.ONLY_HERE, requestor.state, permissions_only_here=requestor.permissions)


def _without(some: Permissions, others: Permissions) -> Permissions:
    """The patterns of one that the other does not have, each once and in order."""
    return Permissions(
        **{kind.value: tuple(sorted({*getattr(some, kind.value)} - {*getattr(others, kind.value)})) for kind in PermissionKind}
    )


def _options(permissions: Permissions, kinds: Iterable[PermissionKind]) -> dict[str, Any]:
    return {f"{kind.value}_perms": list(getattr(permissions, kind.value)) for kind in kinds}


def difference_text(difference: Difference) -> str:
    """A sentence on what differs, without a secret."""
    if difference.standing is Standing.NEW:
        return "is only in the file"
    if difference.standing is Standing.ONLY_HERE:
        return "is only in the installation"
    parts = list(difference.problems)
    if difference.key_missing and difference.fingerprint:
        parts.append(f"key {difference.fingerprint[:16]} is only in the file")
    parts += [f"key {fingerprint[:16]} is only in the installation" for fingerprint in difference.keys_only_here]
    for where, permissions in (("file", difference.permissions_missing), ("installation", difference.permissions_only_here)):
        for kind in PermissionKind:
            parts += [f"{kind.value} {pattern} is only in the {where}" for pattern in getattr(permissions, kind.value)]
    if difference.state not in (RequestorState.ACTIVE, None):
        parts.append(f"it is {difference.state.value} in the installation")
    return "; ".join(parts) or "is the same"
