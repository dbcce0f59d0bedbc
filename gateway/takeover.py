"""Taking over what an installation of irma server holds: its requestors, and the private keys of its key folder.

Everything is looked at before anything is written, and a second run finds the work of the first done. What stays in the
configuration (addresses, TLS, store and so on) keeps working there: `irmahub gateway --config FILE --database`.

Source of the key folder's form: irmago `irma/privatekeys.go`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from idemix.clock import Clock, system_clock
from idemix.errors import IdemixError
from idemix.keys.private import PrivateKey
from idemix.keys.public import PublicKey
from idemix.scheme.configuration import Configuration
from idemix.scheme.identifiers import IssuerId

from .actor import Actor
from .authorization import Action, authorize
from .config import PERMISSION_OPTIONS, GatewayConfig, Problem
from .custody.models import IssuerKeyInfo
from .custody.service import Custody
from .inputs import InvalidInputError
from .models import IssuerKeyState
from .options import Options
from .requestors.irma_config import REASON, Comparison, FiledRequestors, RequestorFiles, Standing, read_requestors
from .requestors.service import Requestors
from .schemes import KEY_FILE, read_trees

#: Options whose content is taken over; they can be left out of the configuration afterwards.
TAKEN_OVER: Final = ("requestors", "privkeys", *PERMISSION_OPTIONS)


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A private key of the key folder, beside the register of issuer keys.

    Attributes:
        file: its name in the folder.
        issuer_id: `scheme.issuer`.
        counter: its number, where it can be read.
        standing: what a takeover would do with it: `NEW`, `SAME` or `REFUSED`.
        fingerprint: of its public key.
        reason: why it is refused.
    """

    file: str
    issuer_id: str
    counter: int | None
    standing: Standing
    fingerprint: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Findings:
    """What there is to take over.

    Attributes:
        requestors: of the configuration, beside those of the installation.
        keys: of the key folder.
        problems: of the configuration as a whole.
        remaining: options that stay in the configuration.
        notes: what is not taken over, and what to do about it.
    """

    requestors: Comparison
    keys: tuple[FoundKey, ...]
    problems: tuple[Problem, ...]
    remaining: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def all_problems(self) -> dict[str, str]:
        """Everything that keeps it from being taken over, by what it is about."""
        found = {problem.option: problem.message for problem in self.problems}
        found |= {key.file: key.reason for key in self.keys if key.standing is Standing.REFUSED}
        return found | self.requestors.all_problems


@dataclass(frozen=True, slots=True)
class _PrivateKeyFile:
    found: FoundKey
    private_xml: bytes = field(default=b"", repr=False)
    public_xml: bytes = b""
    demo: bool = False


class Takeover:
    """Looks at an installation of irma server, and takes it over.

    Args:
        requestors, custody: where requestors and keys go, with their audit.
        configuration: the schemes of this installation.
        clock: tells which keys are valid.
    """

    def __init__(self, requestors: Requestors, custody: Custody, configuration: Configuration, *, clock: Clock = system_clock) -> None:
        self._files = RequestorFiles(requestors, custody, clock=clock)
        self._custody = custody
        self._configuration = configuration
        self._clock = clock

    def look(self, actor: Actor, options: Options) -> Findings:
        """Tell what would be taken over, without changing anything. No secret is in what is told.

        Raises:
            PermissionDeniedError: the actor may not see all requestors and issuer keys.
        """
        return self._look(actor, options)[0]

    def take_over(self, actor: Actor, options: Options, *, global_permissions: bool = True, reason: str | None = None) -> Findings:
        """Take everything over: the keys, active, and then the requestors.

        Returns:
            How it was before.

        Raises:
            PermissionDeniedError: the actor may not do all of it.
            InvalidInputError: something cannot be taken over; nothing was changed.
        """
        authorize(actor, Action.ISSUER_KEY_IMPORT)
        findings, keys, filed = self._look(actor, options)
        if findings.all_problems:
            raise InvalidInputError(findings.all_problems)
        for key in keys:
            if key.found.standing is Standing.NEW:
                self._custody.issuer_keys.import_files(
                    actor,
                    key.found.issuer_id,
                    key.private_xml,
                    key.public_xml,
                    state=IssuerKeyState.ACTIVE,
                    demo=key.demo,
                    reason=reason or REASON,
                )
        self._files.take_over(actor, filed, global_permissions=global_permissions, reason=reason)
        return findings

    def _look(self, actor: Actor, options: Options) -> tuple[Findings, tuple[_PrivateKeyFile, ...], FiledRequestors]:
        config, wrong = GatewayConfig.read_options(options.values)
        filed = read_requestors(options, read_key_files=True)
        known = {problem.option for problem in filed.problems}
        problems = [problem for problem in (*options.problems, *wrong) if problem.option not in known]
        keys: tuple[_PrivateKeyFile, ...] = ()
        if config.privkeys is not None and not config.privkeys.is_dir():
            problems.append(Problem("privkeys", f"there is no folder {config.privkeys}"))
        elif config.privkeys is not None:
            keys = tuple(self._keys(actor, config.privkeys))
        findings = Findings(
            self._files.compare(actor, filed),
            tuple(key.found for key in keys),
            tuple(problems),
            tuple(sorted(name for name in options.values if name not in TAKEN_OVER)),
            tuple(self._notes(config)),
        )
        return findings, keys, filed

    def _keys(self, actor: Actor, folder: Path) -> Iterator[_PrivateKeyFile]:
        register = {(key.issuer_id, key.counter): key for key in self._custody.issuer_keys.list(actor)}
        seen: set[tuple[str, int | None]] = set()
        for path in sorted(folder.iterdir()):
            match = KEY_FILE.fullmatch(path.name)
            if match is None:
                continue
            key = self._key(path, match[1], None if match[2] is None else int(match[2]), register)
            place = (key.found.issuer_id, key.found.counter)
            if key.found.standing is Standing.NEW:
                if place in seen:
                    continue  # `scheme.issuer.xml` and `scheme.issuer.N.xml` may hold the same key, which the register has once
                seen.add(place)
            yield key

    def _key(self, path: Path, issuer_id: str, counter: int | None, register: Mapping[tuple[str, int], IssuerKeyInfo]) -> _PrivateKeyFile:
        def refused(reason: str, number: int | None = counter) -> _PrivateKeyFile:
            return _PrivateKeyFile(FoundKey(path.name, issuer_id, number, Standing.REFUSED, reason=reason))

        try:
            issuer = IssuerId.parse(issuer_id, "issuer")
            scheme = self._configuration.schemes[issuer.scheme]
            private_xml = path.read_bytes()
            private = PrivateKey.from_xml(private_xml, demo=scheme.demo)
        except KeyError:
            return refused("its scheme is not in this installation; import the scheme first")
        except OSError as error:
            return refused(f"it cannot be read: {error.strerror}")
        except IdemixError as error:
            return refused(f"it is no private key: {error}")
        if counter is not None and counter != private.counter:
            return refused(f"the counter inside is {private.counter}")
        public = self._configuration.public_keys(issuer).get(private.counter)
        if public is None or public.N != private.N:
            return refused("the scheme has no such public key; import or update the scheme first", private.counter)
        return self._beside(path.name, issuer, public, private, register, private_xml, demo=scheme.demo)

    def _beside(
        self,
        file: str,
        issuer: IssuerId,
        public: PublicKey,
        private: PrivateKey,
        register: Mapping[tuple[str, int], IssuerKeyInfo],
        private_xml: bytes,
        *,
        demo: bool,
    ) -> _PrivateKeyFile:
        held = register.get((str(issuer), private.counter))
        standing, reason = Standing.NEW, ""
        if held is not None and held.fingerprint != public.fingerprint():
            standing, reason = Standing.REFUSED, "the register has another key of this number"
        elif held is not None and not held.in_custody:
            standing, reason = Standing.REFUSED, "the register has its public key, with the private key elsewhere"
        elif held is not None:
            standing = Standing.SAME
        elif not demo and (private.ecdsa is not None) != public.supports_revocation:
            standing, reason = Standing.REFUSED, "it must support revocation where the public key does, and only there"
        found = FoundKey(file, str(issuer), private.counter, standing, public.fingerprint(), reason)
        return _PrivateKeyFile(found, private_xml, public.to_xml(), demo)

    def _notes(self, config: GatewayConfig) -> Iterator[str]:
        if config.schemes_path is not None:
            missing = {tree.name for tree in read_trees(config.schemes_path)} - {str(scheme) for scheme in self._configuration.schemes}
            for name in sorted(missing):
                yield f"scheme {name} is not in this installation; import it: irmahub schemes import {config.schemes_path / name}"
        if config.revocation_db_type or config.revocation_settings:
            yield "revocation records are not taken over; keep revoking with irma server, or let credentials be issued anew"
        if config.jwt_privkey or config.jwt_privkey_file:
            yield (
                "the key that signs results stays in the configuration: irmahub gateway --database uses it, "
                "irmahub serve signs with a key of its own"
            )
        if config.static_sessions:
            yield "static sessions stay in the configuration; irmahub gateway --database has them"
