"""Schemes in the console: importing them, listing and browsing them, and authoring drafts."""

import re
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from console.errors import NotLiveError, SchemeImportError
from console.publishing.archive import read_archive, write_archive
from console.publishing.check import check_version, finding_views, is_private, latest_timestamp
from console.publishing.fetch import PublicAddress
from console.publishing.git import Remote, Repository, is_directory, is_local
from console.publishing.history import EverPublished
from console.publishing.web_root import WebRoot
from console.schemes import authoring, reading
from console.schemes.models import (
    REQUIRED_APPROVALS,
    CheckResult,
    CredentialTypeView,
    DraftInfo,
    IssuerView,
    NewCredentialType,
    NewIssuer,
    NewScheme,
    SchemeImport,
    SchemeState,
    SchemeSummary,
    SchemeView,
    SourceKind,
    VersionInfo,
)
from console.schemes.store import Kept, SchemeStore
from console.settings import ConsoleSettings
from gateway.actor import Actor, ActorKind
from gateway.audit.service import Audit
from gateway.authorization import Action, authorize, issuer_scope, may, scheme_scope
from gateway.changes import Topic, announce
from gateway.custody.errors import UnknownKeyError
from gateway.custody.scheme_keys import scheme_key_fingerprint
from gateway.custody.service import Custody
from gateway.database import Database
from gateway.inputs import ConflictError, Errors, InvalidInputError, Message, NotFoundError
from gateway.models import Channel, IssuerKeyState, Publication, PublicationState, Scheme, SchemeKind
from gateway.scheme_download import base_address, install_scheme, is_published_at
from gateway.scheme_files import read_tree
from idemix.clock import Clock
from idemix.errors import MalformedError
from idemix.keys.public import PublicKey
from idemix.scheme.descriptions import SchemeManager, scheme_type
from idemix.scheme.signing import description_path, previous_timestamp
from idemix.scheme.tree import SchemeTree
from idemix.scheme.verdict import SchemeVerdict
from idemix.scheme.verify import verify_scheme

_PUBLIC_KEY: Final = re.compile(r"([^/]+)/PublicKeys/([0-9]+)\.xml\Z")
_DEFAULT_BRANCH: Final = "main"
#: Of a commit's hash, as git demands of an abbreviation that is to last.
_LEAST_DIGITS: Final = 7
#: Of a draft, that are searched for its title. A form saves by itself, so there are many.
_MOST_SAVES: Final = 100_000


class Schemes:
    """The schemes of an installation.

    Args:
        settings: where they are kept and served.
        database, audit: where rows and audit entries are written.
        custody: takes the private keys of demo schemes that bring them, and makes the keys of new schemes.
        store: the clones.
        web_root: what clients are served.
        clock: tells the time.
    """

    def __init__(
        self,
        settings: ConsoleSettings,
        database: Database,
        audit: Audit,
        custody: Custody,
        store: SchemeStore,
        web_root: WebRoot,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._database = database
        self._audit = audit
        self._custody = custody
        self._store = store
        self._web_root = web_root
        self._clock = clock
        self._checks: Kept[CheckResult] = Kept()
        self._issuers: Kept[tuple[IssuerView, ...]] = Kept()

    # --- import and authoring ---

    def import_scheme(self, actor: Actor, new: SchemeImport, reason: str = "") -> SchemeSummary:
        """Take a published scheme under care: its signature and contents are verified first, and nothing is kept where they fail.

        It comes from a folder, a git repository, a zip, or the address where it is published; `SourceKind` says how these are told apart.
        Of a repository the history is kept, and all its versions count as published; the others bring one version. The imported version
        is served from the web root at once. The private keys that a demo scheme brings go into custody.

        Raises:
            InvalidInputError: a field breaks a rule.
            RefusedAddressError: the address may not be reached.
            RepositoryError: it cannot be read.
            SchemeImportError: the scheme is not valid, signed by another key, or known already.
        """
        authorize(actor, Action.SCHEME_IMPORT)
        kind = self._check_import(actor, new)
        with tempfile.TemporaryDirectory(dir=self._store.temporary(), prefix=".import-") as making:
            clone = Repository.create(Path(making) / "clone")
            if kind is SourceKind.GIT:
                branch, commit = self._fetch(clone, new)
            else:
                branch, files = _DEFAULT_BRANCH, self._files(kind, new)
                commit = clone.commit(clone.write(files), [], "Import", self._store.signature(actor))
            verdict = self._verified(clone.read(commit), new)
            EverPublished(clone, commit)  # a history beyond the limits could not be judged later
            scheme_id = verdict.scheme_id
            authorize(actor, Action.SCHEME_IMPORT, scheme_scope(scheme_id))
            if self._known(scheme_id):
                raise SchemeImportError(Message("scheme %(scheme)s is here already", scheme=scheme_id))
            clone.update(f"refs/heads/{branch}", commit, old=clone.head(f"refs/heads/{branch}"))
            self._store.adopt(scheme_id, clone)
        assert verdict.contents is not None  # noqa: S101 - a valid scheme has contents
        row = Scheme(
            id=scheme_id,
            kind=SchemeKind.ISSUER if isinstance(verdict.contents.scheme, SchemeManager) else SchemeKind.REQUESTOR,
            channel=new.channel,
            source=new.source,
            public_url=new.public_url,
            required_approvals=REQUIRED_APPROVALS[new.channel],
            settings={"branch": branch, "remote": new.remote or (new.source if kind is SourceKind.GIT else "")},
            created_at=self._clock(),
            updated_at=self._clock(),
        )
        after: dict[str, object] = {"kind": kind, "source": new.source, "channel": new.channel, "commit": commit}
        after["timestamp"] = verdict.contents.scheme.timestamp
        self._add(actor, row, Action.SCHEME_IMPORT, after, reason)
        self.serve(scheme_id, commit)
        self.register_keys(actor, scheme_id)
        return self.get(actor, scheme_id)

    def pull(self, actor: Actor, scheme_id: str, reason: str = "") -> SchemeSummary:
        """Take over what somebody else pushed to the remote, as a client would: it is signed by the same key, valid, later, and builds
        on the version that is published here.

        Raises:
            SchemeImportError: there is no remote, or what it holds cannot follow; nothing was changed.
            ConflictError: a publication of the scheme is under way.
            RefusedAddressError, RepositoryError: the remote cannot be read.
        """
        authorize(actor, Action.SCHEME_IMPORT, scheme_scope(scheme_id))
        row = self._row(scheme_id)
        remote, published = self.remote(scheme_id), self._published(row)
        if remote is None or published is None:
            raise SchemeImportError(f"scheme {scheme_id} has no remote or was never published")
        if self._summary(row).active_publication_id is not None:
            raise ConflictError("a publication of the scheme is under way")
        repository = self._store.repository(scheme_id)
        commit = repository.fetch(remote, row.settings["branch"])
        if commit == published:
            return self._summary(row)
        if repository.merge_base(published, commit) != published:
            raise SchemeImportError("the remote does not build on the version that is published here")
        self._store.ever_published(scheme_id, commit)  # a history beyond the limits could not be judged later
        before = self._store.tree(scheme_id, published)
        verdict = self._verified(
            repository.read(commit), SchemeImport(row.source, channel=row.channel, public_key=before["pk.pem"].decode())
        )
        after = previous_timestamp(self._store.tree(scheme_id, commit))
        latest = latest_timestamp(before, self._store.ever_published(scheme_id, published))
        if verdict.scheme_id != scheme_id or after is None or after <= (latest or 0):
            raise SchemeImportError("the remote holds another scheme, or its timestamp does not rise: clients would not follow")
        if not repository.update(f"refs/heads/{row.settings['branch']}", commit, old=published):
            raise ConflictError("a publication of the scheme is under way")
        self.serve(scheme_id, commit)
        self.register_keys(actor, scheme_id)
        self._note(actor, "scheme.pull", scheme_id, {"commit": published}, {"commit": commit}, reason)
        return self.get(actor, scheme_id)

    def create(self, actor: Actor, new: NewScheme, reason: str = "") -> DraftInfo:
        """Begin a scheme: its key is made in custody, and its description stands in a first draft named `first-version`.

        Raises:
            InvalidInputError: a field breaks a rule, or the id is taken.
            RefusedAddressError: the remote or public address may not be reached.
            PublicationRejectedError: the remote holds something already.
        """
        authorize(actor, Action.SCHEME_IMPORT)
        authorize(actor, Action.SCHEME_IMPORT, scheme_scope(new.id))
        files = authoring.scheme_files(new)
        errors = Errors()
        errors.check(not self._known(new.id), "id", Message("is the id of a scheme that is here already"))
        errors.raise_if_any()
        self._judge(actor, "remote", new.remote)
        self._judge_public(new.public_url)
        if new.remote:
            heads, _ = Repository.create(self._store.temporary() / ".probe.git").remote_heads(self._remote(new.remote))
            errors.check(not heads, "remote", Message("must be an empty repository; import one that holds a scheme"))
            errors.raise_if_any()
        try:
            self._custody.scheme_keys.get(new.id)
        except UnknownKeyError:
            self._custody.scheme_keys.generate(actor, new.id, reason=reason or None)
        self._store.create(new.id)
        draft = "first-version"
        self._store.start(new.id, _DEFAULT_BRANCH, draft, "First version", actor, files)
        row = Scheme(
            id=new.id,
            kind=SchemeKind.ISSUER,
            channel=new.channel,
            source=new.remote,
            public_url=new.public_url,
            required_approvals=REQUIRED_APPROVALS[new.channel],
            settings={"branch": _DEFAULT_BRANCH, "remote": new.remote},
            created_at=self._clock(),
            updated_at=self._clock(),
        )
        self._add(actor, row, "scheme.create", {"channel": new.channel, "remote": new.remote}, reason)
        return self.draft(actor, new.id, draft)

    def add_issuer(self, actor: Actor, scheme_id: str, draft: str, new: NewIssuer) -> DraftInfo:
        """Add an issuer to a draft.

        Raises:
            InvalidInputError: a field breaks a rule, or the id is taken.
        """
        authorize(actor, Action.SCHEME_EDIT, (scheme_scope(scheme_id), issuer_scope(f"{scheme_id}.{new.id}")))
        tree, head = self._draft_tree(scheme_id, draft)
        files = authoring.issuer_files(scheme_id, new, languages=_languages(tree), demo=self._row(scheme_id).channel is Channel.DEMO)
        errors = Errors()
        errors.check(f"{new.id}/description.xml" not in tree, "id", Message("is the id of another issuer"))
        errors.raise_if_any()
        return self.save(actor, scheme_id, draft, files, f"Add issuer {new.id}", expected=head)

    def add_credential_type(self, actor: Actor, scheme_id: str, draft: str, new: NewCredentialType) -> DraftInfo:
        """Add a credential type to a draft.

        Raises:
            InvalidInputError: a field breaks a rule, the issuer is not there, or the id is taken.
        """
        authorize(actor, Action.SCHEME_EDIT, (scheme_scope(scheme_id), issuer_scope(f"{scheme_id}.{new.issuer}")))
        tree, head = self._draft_tree(scheme_id, draft)
        demo = self._row(scheme_id).channel is Channel.DEMO
        files = authoring.credential_type_files(scheme_id, new, languages=_languages(tree), demo=demo)
        errors = Errors()
        errors.check(f"{new.issuer}/description.xml" in tree, "issuer", Message("is no issuer of the scheme"))
        errors.check(
            f"{new.issuer}/Issues/{new.id}/description.xml" not in tree, "id", Message("is the id of another credential type of the issuer")
        )
        errors.raise_if_any()
        return self.save(actor, scheme_id, draft, files, f"Add credential type {new.issuer}.{new.id}", expected=head)

    # --- reading ---

    def list(self, actor: Actor) -> tuple[SchemeSummary, ...]:
        """The schemes that the actor may see, by id."""
        with self._database.read() as session:
            rows = session.scalars(select(Scheme).order_by(Scheme.id)).all()
        return tuple(self._summary(row) for row in rows if may_view_scheme(actor, row.id))

    def get(self, actor: Actor, scheme_id: str) -> SchemeSummary:
        """A scheme's row of the list.

        Raises:
            NotFoundError: there is none.
        """
        self._authorize_view(actor, scheme_id)
        return self._summary(self._row(scheme_id))

    def browse(self, actor: Actor, scheme_id: str, draft: str | None = None) -> SchemeView:
        """A scheme with all it holds: the published version, or a draft.

        Raises:
            NotFoundError: there is no such scheme or draft.
        """
        self._authorize_view(actor, scheme_id)
        row = self._row(scheme_id)
        ref, commit = self._read_ref(row, draft)
        tree = self._store.tree(scheme_id, commit)
        found = reading.read_description(tree)
        manager = found if isinstance(found, SchemeManager) else None
        if ref == "published":
            findings = tuple(finding_views(self._store.verdict(scheme_id, commit)))
        else:
            findings = self._check(row, ref, commit).findings
        return SchemeView(
            self._summary(row),
            ref,
            commit,
            manager.description if manager else {},
            found.url if found else "",
            found.languages if found else (),
            manager.keyshare_server if manager else "",
            manager.timestamp_server if manager else "",
            manager.contact if manager else "",
            _key_fingerprint(tree),
            self._issuers.get((scheme_id, commit), lambda: reading.read_issuers(tree)),
            findings,
            len(tree),
        )

    def issuer(self, actor: Actor, issuer_id: str, draft: str | None = None) -> IssuerView:
        """An issuer.

        Raises:
            NotFoundError: there is none.
        """
        scheme_id, _, name = issuer_id.partition(".")
        view = reading.read_issuer(self._tree(actor, scheme_id, draft), name)
        if view is None:
            raise NotFoundError("issuer", issuer_id)
        return view

    def credential_type(self, actor: Actor, credential_type_id: str, draft: str | None = None) -> CredentialTypeView:
        """A credential type.

        Raises:
            NotFoundError: there is none.
        """
        scheme_id, issuer, name = (*credential_type_id.split(".", 2), "", "")[:3]
        view = reading.read_credential_type(self._tree(actor, scheme_id, draft), issuer, name)
        if view is None:
            raise NotFoundError("credential type", credential_type_id)
        return view

    def versions(self, actor: Actor, scheme_id: str, *, after: str = "", limit: int = 50) -> tuple[VersionInfo, ...]:
        """Every version of a scheme that was ever published, the newest first: also those from before it came under care here.

        Args:
            actor: who looks.
            scheme_id: the scheme.
            after: for the next page, the commit of the last version of this one.
            limit: of the page, at most 500.

        Raises:
            NotFoundError: there is no such scheme, or no such version.
        """
        self._authorize_view(actor, scheme_id)
        commit = self._published(self._row(scheme_id))
        found = () if commit is None else self._store.ever_published(scheme_id, commit).versions
        names = [version.commit.hash for version in found]
        if after and after not in names:
            raise NotFoundError("version", after)
        first = names.index(after) + 1 if after else 0
        page = found[first : first + min(limit, 500)]
        with self._database.read() as session:
            made = session.execute(
                select(Publication.commit, Publication.id)
                .where(Publication.scheme_id == scheme_id, Publication.commit.in_([version.commit.hash for version in page]))
                .order_by(Publication.id)
            )
            publications = {row.commit: row.id for row in made}
        return tuple(
            VersionInfo(
                scheme_id,
                version.commit.hash,
                version.commit.tree,
                version.commit.author,
                version.commit.at,
                version.commit.message,
                None if version.timestamp is None else reading.moment(version.timestamp),
                version.commit.hash == names[0],
                publications.get(version.commit.hash),
            )
            for version in page
        )

    def version_commit(self, actor: Actor, scheme_id: str, version: str) -> str:
        """The commit of a published version, from at least seven digits of it.

        Raises:
            NotFoundError: there is no such scheme or version, or more than one begins so.
        """
        self._authorize_view(actor, scheme_id)
        commit = self._published(self._row(scheme_id))
        found = () if commit is None or len(version) < _LEAST_DIGITS else self._store.ever_published(scheme_id, commit).versions
        fitting = [known.commit.hash for known in found if known.commit.hash.startswith(version)]
        if len(fitting) != 1:
            raise NotFoundError("version of scheme", version)
        return fitting[0]

    def version(self, actor: Actor, scheme_id: str, commit: str) -> tuple[VersionInfo, VersionInfo | None]:
        """A published version, and the one before it.

        Args:
            actor: who looks.
            scheme_id: the scheme.
            commit: of the version, or at least seven digits of it.

        Raises:
            NotFoundError: there is none.
        """
        whole = self.version_commit(actor, scheme_id, commit)
        page = self.versions(actor, scheme_id, limit=500)
        while True:
            place = next((number for number, version in enumerate(page) if version.commit == whole), None)
            following = self.versions(actor, scheme_id, after=page[-1].commit, limit=500)
            if place is not None:
                return page[place], next(iter((*page[place + 1 :], *following)), None)
            page = following

    def export(self, actor: Actor, scheme_id: str, version: str | None = None) -> bytes:
        """A zip of a published version, in a folder called as the scheme; importing it gives the same files again.

        The files are byte for byte those of the version. Private keys are among them in demo schemes, which publish them. The same
        version gives the same bytes.

        Args:
            actor: who wants it.
            scheme_id: the scheme.
            version: the commit of a version, or at least seven digits of it; None takes the one in force.

        Raises:
            NotFoundError: there is no such scheme or version.
        """
        self._authorize_view(actor, scheme_id)
        row = self._row(scheme_id)
        commit = self.version_commit(actor, scheme_id, version) if version else self._published(row)
        if commit is None:
            raise NotFoundError("version of scheme", scheme_id)
        tree = self._store.tree(scheme_id, commit)
        demo = row.channel is Channel.DEMO
        return write_archive(scheme_id, {path: content for path, content in tree.items() if demo or not is_private(path)})

    def file(self, actor: Actor, scheme_id: str, path: str, draft: str | None = None) -> bytes:
        """A file of the scheme; private keys are not given out, not even those that a demo scheme publishes.

        Raises:
            NotFoundError: there is none.
        """
        content = self._tree(actor, scheme_id, draft).get(path)
        if content is None or is_private(path):
            raise NotFoundError("file", path)
        return content

    # --- drafts ---

    def drafts(self, actor: Actor, scheme_id: str) -> tuple[DraftInfo, ...]:
        """The scheme's drafts, the one changed last first."""
        self._authorize_view(actor, scheme_id)
        row = self._row(scheme_id)
        found = [self._draft_info(row, name, head) for name, head in self._store.drafts(scheme_id).items()]
        return tuple(sorted(found, key=lambda draft: draft.changed_at, reverse=True))

    def draft(self, actor: Actor, scheme_id: str, name: str) -> DraftInfo:
        """A draft.

        Raises:
            NotFoundError: there is none.
        """
        self._authorize_view(actor, scheme_id)
        return self._draft_info(self._row(scheme_id), name, self._store.draft(scheme_id, name))

    def draft_at(self, actor: Actor, scheme_id: str, name: str, commit: str) -> DraftInfo:
        """A draft as it was at one of its commits."""
        self._authorize_view(actor, scheme_id)
        return self._draft_info(self._row(scheme_id), name, commit)

    def start_draft(self, actor: Actor, scheme_id: str, title: str, name: str = "") -> DraftInfo:
        """Begin a draft on the published version.

        Args:
            actor: its author.
            scheme_id: the scheme.
            title: what it is for; 1 to 100 characters.
            name: of its branch; made from the title where empty.

        Raises:
            InvalidInputError: a field breaks a rule.
        """
        authorize(actor, Action.SCHEME_EDIT, scheme_scope(scheme_id))
        row = self._row(scheme_id)
        errors = Errors()
        errors.check(0 < len(title.strip()) <= 100 and title.isprintable(), "title", Message("must have 1 to 100 characters"))
        errors.check(not name or re.fullmatch(r"[a-z0-9-]{1,60}", name) is not None, "name", Message("must have 1 to 60 of a-z, 0-9 and -"))
        taken = self._store.drafts(scheme_id)
        errors.check(name not in taken, "name", Message("is the name of another draft"))
        errors.raise_if_any()
        chosen = name or _free_name(title, taken)
        self._store.start(scheme_id, row.settings["branch"], chosen, title.strip(), actor)
        self._note(actor, "scheme.draft_start", scheme_id, None, {"draft": chosen}, "")
        return self.draft(actor, scheme_id, chosen)

    def save(
        self,
        actor: Actor,
        scheme_id: str,
        draft: str,
        changes: Mapping[str, bytes | None],
        message: str,
        *,
        expected: str | None = None,
    ) -> DraftInfo:
        """Add a commit to a draft.

        Args:
            actor: its author.
            scheme_id, draft: the draft.
            changes: new content by path; None removes a file.
            message: of the commit.
            expected: the commit that the author saw.

        Raises:
            DraftConflictError: somebody else saved meanwhile.
        """
        issuers = {path.partition("/")[0] for path in changes}
        scopes = [scheme_scope(scheme_id)]
        if len(issuers) == 1 and all("/" in path for path in changes):
            scopes += [issuer_scope(f"{scheme_id}.{issuer}") for issuer in issuers]
        authorize(actor, Action.SCHEME_EDIT, scopes)
        head = self._store.save(scheme_id, draft, changes, message, actor, expected=expected)
        self._note(actor, Action.SCHEME_EDIT, scheme_id, None, {"draft": draft, "commit": head, "files": sorted(changes)}, "")
        return self._draft_info(self._row(scheme_id), draft, head)

    def discard_draft(self, actor: Actor, scheme_id: str, draft: str, reason: str = "") -> None:
        """Throw a draft away.

        Raises:
            NotFoundError: there is none.
            ConflictError: it is the only content of a scheme that was never published.
        """
        authorize(actor, Action.SCHEME_EDIT, scheme_scope(scheme_id))
        row = self._row(scheme_id)
        head = self._store.draft(scheme_id, draft)
        if self._published(row) is None and len(self._store.drafts(scheme_id)) == 1:
            raise ConflictError("the scheme was never published, and this draft is all there is of it")
        self._store.discard(scheme_id, draft)
        self._note(actor, "scheme.draft_discard", scheme_id, {"draft": draft, "commit": head}, None, reason)

    def check(self, actor: Actor, scheme_id: str, draft: str | None = None) -> CheckResult:
        """Check a draft as it would be published, or what signing the published content again would give.

        Raises:
            NotFoundError: there is no such scheme or draft.
        """
        # Who looks after one issuer sees whether the whole may be published, too.
        authorize(actor, Action.SCHEME_CHECK, _scopes(actor, scheme_id))
        row = self._row(scheme_id)
        ref, commit = self._read_ref(row, draft)
        return self._check(row, ref, commit)

    # --- for publishing and keys ---

    def serve(self, scheme_id: str, commit: str) -> None:
        """Put a commit in force in the web root, and tell the gateway."""
        version = self._store.repository(scheme_id).tree(commit)
        self._web_root.write(scheme_id, version, served_files(self._store.tree(scheme_id, commit), self._row(scheme_id).channel))
        self._web_root.switch(scheme_id, version)
        self._database.write(lambda session: announce(session, Topic.SCHEMES, self._clock))

    def register_keys(self, actor: Actor, scheme_id: str) -> None:
        """Take what the published version says of keys into custody; what is there stays as it is, so that it may be run again.

        A demo scheme that publishes its private keys brings them along: the newest of an issuer signs from then on. Keys whose private
        part is elsewhere are noted, so that the register is whole.
        """
        row = self._row(scheme_id)
        commit = self._published(row)
        if commit is None:
            return
        tree = self._store.tree(scheme_id, commit)
        demo = row.channel is Channel.DEMO
        if demo and "sk.pem" in tree:
            self._custody.scheme_keys.import_file(actor, scheme_id, tree["sk.pem"], reason="published by the demo scheme")
        known = {(key.issuer_id, key.counter): key for key in self._custody.issuer_keys.list(actor)}
        by_issuer: dict[str, list[int]] = {}
        for path in tree:
            if found := _PUBLIC_KEY.match(path):
                by_issuer.setdefault(found[1], []).append(int(found[2]))
        for issuer, counters in sorted(by_issuer.items()):
            issuer_id = f"{scheme_id}.{issuer}"
            held = [counter for counter in counters if demo and f"{issuer}/PrivateKeys/{counter}.xml" in tree]
            for counter in sorted(counters):
                key = known.get((issuer_id, counter))
                if key is None:
                    self._register(actor, tree, issuer, counter, newest=max(counters), newest_held=max(held, default=-1))
                elif key.state is IssuerKeyState.GENERATED:
                    self._custody.issuer_keys.move(actor, issuer_id, counter, IssuerKeyState.PUBLISHED)

    def public_address(self, scheme_id: str) -> PublicAddress:
        """Where clients fetch a scheme.

        Raises:
            RefusedAddressError: the address may not be reached.
        """
        row = self._row(scheme_id)
        return self._public(row.public_url or f"{self._settings.public_url.rstrip('/')}/schemes/{quote(scheme_id)}/")

    def remote(self, scheme_id: str) -> Remote | None:
        """Where a scheme is pushed, or None.

        Raises:
            RefusedAddressError: the address may not be reached.
        """
        address = self._row(scheme_id).settings["remote"]
        return self._remote(address) if address else None

    def branch(self, scheme_id: str) -> str:
        """The published branch."""
        return str(self._row(scheme_id).settings["branch"])

    def channel(self, scheme_id: str) -> Channel:
        """For whom a scheme is."""
        return self._row(scheme_id).channel

    # --- inside ---

    def _check_import(self, actor: Actor, new: SchemeImport) -> SourceKind:
        """Judge the fields and addresses of an import, and tell what its source is."""
        errors = Errors()
        if new.kind is SourceKind.ZIP or new.archive:
            errors.check(bool(new.archive), "archive", Message("must be the zip of a scheme"))
            errors.check(not new.source, "source", Message("must be empty where a zip is given"))
            errors.check(new.kind in (SourceKind.ZIP, SourceKind.DETECT), "kind", Message("must be zip where a zip is given"))
        else:
            errors.check(bool(new.source), "source", Message("must be a directory, the path of a repository or an https address"))
        named = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/-]*", new.branch)
        errors.check(not new.branch or named is not None, "branch", Message("must be the name of a branch"))
        if new.public_key:
            try:
                scheme_key_fingerprint(new.public_key.encode())
            except MalformedError:
                errors.add("public_key", Message("must be a PEM public key (ECDSA)"))
        errors.raise_if_any()
        kind = SourceKind.ZIP if new.archive else self._source_kind(new)
        if kind is SourceKind.FOLDER and not is_local(new.source):
            raise InvalidInputError({"source": Message("must be the path of a directory on the server")})
        if kind is SourceKind.ADDRESS:
            self._source_address(new.source)
        else:
            self._judge(actor, "source", new.source)
        self._judge(actor, "remote", new.remote)
        self._judge_public(new.public_url)
        return kind

    def _source_kind(self, new: SchemeImport) -> SourceKind:
        """What a source is: what was said, else what it looks like (see `SourceKind`)."""
        if new.kind is not SourceKind.DETECT:
            return new.kind
        if is_local(new.source):
            directory = Path(new.source)
            plain = directory.is_absolute() and is_directory(new.source) and not _is_repository(directory)
            return SourceKind.FOLDER if plain else SourceKind.GIT
        if new.source.rstrip("/").endswith(".git"):
            return SourceKind.GIT
        with self._source_address(new.source).open() as fetcher:
            return SourceKind.ADDRESS if is_published_at(fetcher) else SourceKind.GIT

    def _source_address(self, url: str) -> PublicAddress:
        return PublicAddress(base_address(url), self._settings.outbound, https_only=self._https_only)

    def _files(self, kind: SourceKind, new: SchemeImport) -> Mapping[str, bytes]:
        """The files of a scheme that comes without history."""
        if kind is SourceKind.ZIP:
            return read_archive(new.archive)
        if kind is SourceKind.FOLDER:
            return _read_directory(Path(new.source.removeprefix("file://")))
        address = self._source_address(new.source)
        try:
            with address.open() as fetcher:
                return install_scheme(fetcher, new.public_key.encode() or None)
        except NotLiveError as error:
            raise SchemeImportError(Message("no scheme can be installed from %(address)s", address=address.url), [str(error)]) from error

    def _judge(self, actor: Actor, field: str, address: str) -> None:
        """Refuse a remote that the actor may not name: in production, paths on this machine are for commands only."""
        if not address:
            return
        if is_local(address):
            if self._settings.production and actor.kind in (ActorKind.USER, ActorKind.TOKEN):
                raise InvalidInputError({field: Message("must be an https address; paths on the server are for the command line")})
            if not is_directory(address.removeprefix("file://")):
                raise InvalidInputError({field: Message("there is no such directory on the server")})
        else:
            self._remote(address)

    def _judge_public(self, address: str) -> None:
        if address:
            self._public(address)

    def _public(self, address: str) -> PublicAddress:
        """Judge a public address; the installation's own may lie wherever it lies."""
        own = self._settings.public_url.rstrip("/") + "/"
        if address.startswith(own):
            return PublicAddress(address, self._settings.outbound.with_host(urlsplit(own).hostname or ""), https_only=False)
        return PublicAddress(address, self._settings.outbound, https_only=self._https_only)

    @property
    def _https_only(self) -> bool:
        """Outside production, those whose private network may be called may do without certificates there."""
        return self._settings.production or not self._settings.outbound.private

    def _remote(self, address: str) -> Remote:
        return Remote.parse(address, self._settings.outbound)

    def _fetch(self, clone: Repository, new: SchemeImport) -> tuple[str, str]:
        remote = self._remote(new.source)
        heads, default = clone.remote_heads(remote)
        branch = new.branch or default or ""
        if branch not in heads:
            named = f"branch {branch}" if branch else "branch of its own"
            raise SchemeImportError(f"the repository has no {named}; it has {', '.join(sorted(heads)) or 'none'}")
        return branch, clone.fetch(remote, branch)

    def _verified(self, files: Mapping[str, bytes], new: SchemeImport) -> SchemeVerdict:
        tree = SchemeTree(files, name="")
        try:
            path = description_path(tree)
            tree = SchemeTree(files, name=scheme_type(tree[path], path)[0])
        except MalformedError as error:
            raise SchemeImportError(Message("there is no scheme"), [str(error)]) from error
        verdict = verify_scheme(tree, now=int(self._clock().timestamp()))
        if not verdict.is_valid or verdict.contents is None:
            listed = [f"{found.path}: {found.message}" if found.path else found.message for found in verdict.errors]
            raise SchemeImportError(Message("the scheme is not valid (%(status)s)", status=verdict.status.value), listed)
        if new.public_key and scheme_key_fingerprint(new.public_key.encode()) != scheme_key_fingerprint(tree["pk.pem"]):
            raise SchemeImportError(Message("the scheme is signed, but not under the public key given"))
        if verdict.contents.scheme.demo != (new.channel is Channel.DEMO):
            rule = Message("must be demo, as the scheme calls itself") if verdict.contents.scheme.demo else Message("cannot be demo")
            raise InvalidInputError({"channel": rule})
        private = [path for path in tree if is_private(path)]
        if private and not verdict.contents.scheme.demo:
            raise SchemeImportError(Message("the scheme is for production and holds private keys"), private)
        return verdict

    def _register(self, actor: Actor, tree: SchemeTree, issuer: str, counter: int, *, newest: int, newest_held: int) -> None:
        issuer_id = f"{tree.name}.{issuer}"
        public = tree[f"{issuer}/PublicKeys/{counter}.xml"]
        private = tree.get(f"{issuer}/PrivateKeys/{counter}.xml") if newest_held >= 0 else None
        reason = "published by the scheme"
        if private is None:
            state = IssuerKeyState.SEEN_LIVE if counter == newest else IssuerKeyState.RETIRED
            self._custody.issuer_keys.register(actor, issuer_id, public, state=state, reason=reason)
            return
        expired = PublicKey.from_xml(public).expires_at <= self._clock().timestamp()
        signs = counter == newest_held == newest and not expired
        state = IssuerKeyState.ACTIVE if signs else IssuerKeyState.RETIRED
        try:
            self._custody.issuer_keys.import_files(actor, issuer_id, private, public, state=state, demo=True, reason=reason)
        except InvalidInputError:
            # A private key that does not fit its public key is of no use; the public one still belongs in the register.
            self._custody.issuer_keys.register(actor, issuer_id, public, state=IssuerKeyState.RETIRED, reason=reason)

    def _add(self, actor: Actor, row: Scheme, action: Action | str, after: dict[str, object], reason: str) -> None:
        def work(session: Session) -> None:
            session.add(row)
            session.flush()
            self._audit.record(session, actor, action, scheme_scope(row.id), after=after, reason=reason)
            announce(session, Topic.SCHEMES, self._clock)

        try:
            self._database.write(work)
        except IntegrityError as error:
            raise SchemeImportError(Message("scheme %(scheme)s is here already", scheme=row.id)) from error

    def _note(
        self,
        actor: Actor,
        action: Action | str,
        scheme_id: str,
        before: dict[str, object] | None,
        after: dict[str, object] | None,
        reason: str,
    ) -> None:
        self._database.write(
            lambda session: self._audit.record(session, actor, action, scheme_scope(scheme_id), before=before, after=after, reason=reason)
        )

    def _known(self, scheme_id: str) -> bool:
        with self._database.read() as session:
            return session.get(Scheme, scheme_id) is not None

    def _row(self, scheme_id: str) -> Scheme:
        with self._database.read() as session:
            row = session.get(Scheme, scheme_id)
            if row is None:
                raise NotFoundError("scheme", scheme_id)
            session.expunge(row)
            return row

    def _authorize_view(self, actor: Actor, scheme_id: str) -> None:
        if not may_view_scheme(actor, scheme_id):
            authorize(actor, Action.SCHEME_VIEW, scheme_scope(scheme_id))

    def _published(self, row: Scheme) -> str | None:
        return self._store.published(row.id, row.settings["branch"])

    def _read_ref(self, row: Scheme, draft: str | None) -> tuple[str, str]:
        """The name and commit of what is read: a draft, the published version, or the first draft of a scheme never published."""
        if draft:
            return draft, self._store.draft(row.id, draft)
        commit = self._published(row)
        if commit is not None:
            return "published", commit
        drafts = self._store.drafts(row.id)
        if not drafts:
            raise NotFoundError("version of scheme", row.id)
        name = min(drafts)
        return name, drafts[name]

    def _tree(self, actor: Actor, scheme_id: str, draft: str | None) -> SchemeTree:
        self._authorize_view(actor, scheme_id)
        _, commit = self._read_ref(self._row(scheme_id), draft)
        return self._store.tree(scheme_id, commit)

    def _draft_tree(self, scheme_id: str, draft: str) -> tuple[SchemeTree, str]:
        head = self._store.draft(scheme_id, draft)
        return self._store.tree(scheme_id, head), head

    def _draft_info(self, row: Scheme, name: str, head: str) -> DraftInfo:
        info = self._store.info(row.id, head)
        published = self._published(row)
        base = self._store.base(row.id, row.settings["branch"], head)
        first = self._first_message(row.id, head, base)
        return DraftInfo(row.id, name, first, info.author, info.at, head, base, info.tree, base != published)

    def _first_message(self, scheme_id: str, head: str, base: str | None) -> str:
        """The title: the first line of the draft's first commit."""
        title = ""
        for commit in self._store.repository(scheme_id).log(head, limit=_MOST_SAVES):
            if commit.hash == base:
                break
            title = commit.message.partition("\n")[0]
        return title

    def _check(self, row: Scheme, ref: str, commit: str) -> CheckResult:
        published = self._published(row)
        tree, now, signs_anew = self._store.repository(row.id).tree(commit), int(self._clock().timestamp()), ref == "published"
        # Kept for an hour, since keys expire.
        result = self._checks.get(
            (row.id, row.channel, tree, published, signs_anew, now // 3600),
            lambda: check_version(
                row.id,
                row.channel,
                tree,
                self._store.tree(row.id, tree),
                None if published is None else self._store.tree(row.id, published),
                None if published is None else self._store.ever_published(row.id, published),
                now=now,
                signs_anew=signs_anew,
            ),
        )
        if ref != "published" and self._store.base(row.id, row.settings["branch"], commit) != published:
            stale = "A newer version was published after this draft was begun: rebase the draft first."
            return replace(result, may_publish=False, refusals=(*result.refusals, stale))
        return result

    def _summary(self, row: Scheme) -> SchemeSummary:
        commit = self._published(row)
        errors = warnings = 0
        published_at: datetime | None = None
        if commit is not None:
            verdict = self._store.verdict(row.id, commit)
            errors, warnings = len(verdict.errors), len(verdict.warnings)
            timestamp = previous_timestamp(self._store.tree(row.id, commit))
            published_at = None if timestamp is None else reading.moment(timestamp)
        drafts = self._store.drafts(row.id)
        shown = commit or next(iter(sorted(drafts.values())), None)
        tree = None if shown is None else self._store.tree(row.id, shown)
        found = None if tree is None else reading.read_description(tree)
        with self._database.read() as session:
            active = session.scalar(
                select(func.min(Publication.id)).where(Publication.scheme_id == row.id, Publication.state == PublicationState.PUBLISHING)
            )
            live_since = session.scalar(
                select(func.max(Publication.live_at)).where(Publication.scheme_id == row.id, Publication.commit == commit)
            )
        served = commit is not None and self._web_root.current(row.id) == self._store.repository(row.id).tree(commit)
        state = SchemeState.LIVE if served else SchemeState.NOT_SERVED
        if active is not None:
            state = SchemeState.PUBLISHING
        elif commit is None:
            state = SchemeState.NEVER_PUBLISHED
        return SchemeSummary(
            row.id,
            found.name if isinstance(found, SchemeManager) else {},
            row.channel,
            state,
            row.kind.value,
            commit,
            published_at,
            live_since,
            0 if tree is None else len(reading.issuer_names(tree)),
            0 if tree is None else reading.count_credential_types(tree),
            errors,
            warnings,
            len(drafts),
            row.public_url or f"{self._settings.public_url.rstrip('/')}/schemes/{quote(row.id)}/",
            str(row.settings["remote"]),
            active,
        )


def served_files(tree: SchemeTree, channel: Channel) -> dict[str, bytes]:
    """The files of a version that clients may fetch: no hidden ones, and private keys in demo schemes only."""
    return {
        path: content
        for path, content in tree.items()
        if not any(part.startswith(".") for part in path.split("/")) and (channel is Channel.DEMO or not is_private(path))
    }


def _read_directory(directory: Path) -> SchemeTree:
    """A scheme's folder; what a scheme cannot hold is refused."""
    try:
        tree = read_tree(directory)
    except (MalformedError, OSError) as error:
        raise SchemeImportError(f"{directory} cannot be imported", [str(error)]) from error
    problems = [*(f"{path}: is a symbolic link" for path in tree.symlinks), *(f"{path}: {why}" for path, why in tree.unread.items())]
    if problems:
        raise SchemeImportError(f"{directory} cannot be imported", problems)
    return tree


def _is_repository(directory: Path) -> bool:
    return ((directory / "HEAD").is_file() and (directory / "objects").is_dir()) or (directory / ".git").exists()


def may_view_scheme(actor: Actor, scheme_id: str) -> bool:
    """Whether the actor may see a scheme: by a role for it, or for one of its issuers."""
    return may(actor, Action.SCHEME_VIEW, _scopes(actor, scheme_id))


def _scopes(actor: Actor, scheme_id: str) -> list[str]:
    """A scheme, and those of its issuers for which the actor has a role."""
    return [scheme_scope(scheme_id), *(grant.scope for grant in actor.grants if grant.scope.startswith(f"issuer:{scheme_id}."))]


def _languages(tree: SchemeTree) -> tuple[str, ...]:
    """The languages that texts are written in: the declared ones, else English and Dutch, as both real schemes have."""
    found = reading.read_description(tree)
    return found.languages if found is not None and found.languages else ("en", "nl")


def _key_fingerprint(tree: SchemeTree) -> str:
    try:
        return scheme_key_fingerprint(tree["pk.pem"]) if "pk.pem" in tree else ""
    except MalformedError:
        return ""


def _free_name(title: str, taken: Mapping[str, str]) -> str:
    stem = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:40] or "draft"
    number = 1
    while (name := stem if number == 1 else f"{stem}-{number}") in taken:
        number += 1
    return name
