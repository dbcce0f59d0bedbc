"""Drafts: reading and changing their documents, seeing what they change, rebasing, restoring.

Every change is a commit on the draft's branch. Whoever saves says which commit was seen: what others changed since is brought together
field by field, and where both changed one field differently, nothing of either is lost: the draft keeps what is there, and the conflict
goes back to the author with all three values.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from console.drafts.contents import read_contents
from console.drafts.models import Card, Comparison, ContentEntry, DocumentView, Located, Lock, LogoFacts, Rebased, Restoration, Saved
from console.drafts.places import document_of, place_of
from console.errors import DraftConflictError, RepositoryError
from console.publishing.check import is_private
from console.schemes import authoring
from console.schemes.models import CheckResult, DraftInfo, FindingView, PublicKeyView
from console.schemes.reading import issuer_name, read_credential_type, read_description, read_public_keys
from console.schemes.service import Schemes, may_view_scheme
from console.schemes.store import SchemeStore
from gateway.actor import Actor
from gateway.audit.service import Audit
from gateway.authorization import Action, authorize, issuer_scope, scheme_scope
from gateway.database import Database
from gateway.inputs import ConflictError, InvalidInputError, Message, NotFoundError
from idemix.clock import Clock
from idemix.errors import MalformedSchemeError
from idemix.scheme.descriptions import SchemeManager
from idemix.scheme.diff import compare_versions, entity_of, raw_lines, value_changes
from idemix.scheme.documents import Document, Field, Fixed, Group, Kind, Value, Values, document_kind, find_place
from idemix.scheme.documents.document import rule_of
from idemix.scheme.merge import Decisions, Side, merge_document, merge_versions
from idemix.scheme.restore import restored
from idemix.scheme.tree import SchemeTree

#: How often a save is tried again when another one came in between.
_TRIES: Final = 5
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")


class Drafts:
    """The documents of drafts.

    Args:
        database, audit: where audit entries are written.
        store, schemes: the clones and the schemes.
        clock: tells the time.
    """

    def __init__(self, database: Database, audit: Audit, store: SchemeStore, schemes: Schemes, clock: Clock) -> None:
        self._database = database
        self._audit = audit
        self._store = store
        self._schemes = schemes
        self._clock = clock

    # --- documents ---

    def document(self, actor: Actor, scheme_id: str, draft: str, path: str) -> DocumentView:
        """A document of a draft.

        Raises:
            NotFoundError: there is no such draft or document.
            MalformedSchemeError: the file cannot be read; the check says the same.
        """
        info = self._schemes.draft(actor, scheme_id, draft)
        return self._view(info, self._document(scheme_id, info.head, path))

    def document_at(self, actor: Actor, scheme_id: str, draft: str, path: str, seen: str) -> DocumentView:
        """A document as it was when somebody looked: at a commit of the draft, or where none is named at its newest.

        Raises:
            NotFoundError: there is no such draft, commit or document.
        """
        info = self._schemes.draft(actor, scheme_id, draft)
        document = self._document(scheme_id, seen or info.head, path)
        return replace(self._view(info, document), draft=replace(info, head=seen or info.head))

    def contents(self, actor: Actor, scheme_id: str, draft: str) -> tuple[ContentEntry, ...]:
        """The issuers of a draft with their credential types, by identifier."""
        info = self._schemes.draft(actor, scheme_id, draft)
        tree = self._store.tree(scheme_id, info.head)
        base: Mapping[str, bytes] = {} if info.base is None else self._store.tree(scheme_id, info.base)
        return read_contents(scheme_id, tree, base)

    def documents(self, actor: Actor, scheme_id: str, draft: str) -> tuple[str, ...]:
        """The documents of a draft that are about the scheme itself: its description, and lists of requestors."""
        info = self._schemes.draft(actor, scheme_id, draft)
        return tuple(sorted(path for path in self._store.tree(scheme_id, info.head) if "/" not in path and document_kind(path) is not None))

    def file(self, actor: Actor, scheme_id: str, commit: str, path: str) -> bytes:
        """A file of a version or of a draft's commit; private keys are not given out.

        Raises:
            NotFoundError: there is none.
        """
        self._view_or_refuse(actor, scheme_id)
        self._demand_commit(scheme_id, commit)
        content = self._store.tree(scheme_id, commit).get(path)
        if content is None or is_private(path):
            raise NotFoundError("file", path)
        return content

    def logo(self, actor: Actor, view: DocumentView) -> LogoFacts | None:
        """What the logo beside a document is; None where there is none."""
        if not view.has_logo:
            return None
        content = self.file(actor, view.draft.scheme_id, view.draft.head, view.logo_path)
        width, height = authoring.picture_size(content)
        return LogoFacts(width, height, len(content))

    def languages(self, actor: Actor, scheme_id: str, draft: str) -> tuple[str, ...]:
        """The languages in which new texts of a draft are asked for."""
        info = self._schemes.draft(actor, scheme_id, draft)
        found = read_description(self._store.tree(scheme_id, info.head))
        return found.languages if found is not None and found.languages else ("en", "nl")

    def card(self, actor: Actor, view: DocumentView) -> Card | None:
        """A credential type as wallets show it; None for another document, or one that cannot be read."""
        self._view_or_refuse(actor, view.draft.scheme_id)
        issuer, _, rest = view.path.partition("/")
        if view.kind.name not in ("issuer", "credential-type"):
            return None
        tree = self._store.tree(view.draft.scheme_id, view.draft.head)
        found = read_credential_type(tree, issuer, rest.split("/")[1]) if view.kind.name == "credential-type" else None
        return None if found is None else Card(found, issuer_name(tree, issuer), read_public_keys(tree, issuer))

    def public_keys(self, actor: Actor, view: DocumentView) -> tuple[PublicKeyView, ...]:
        """The public keys in the draft of the issuer that a document is about, the highest counter first."""
        self._view_or_refuse(actor, view.draft.scheme_id)
        tree = self._store.tree(view.draft.scheme_id, view.draft.head)
        return read_public_keys(tree, view.path.partition("/")[0]) if "/" in view.path else ()

    def findings(self, actor: Actor, view: DocumentView) -> tuple[Located, ...]:
        """What the check of the draft says of one document and its logo."""
        result = self._schemes.check(actor, view.draft.scheme_id, view.draft.name)
        return tuple(found for found in self.locate(actor, view.draft.scheme_id, view.draft.name, result) if found.path == view.path)

    def locate(self, actor: Actor, scheme_id: str, draft: str | None, result: CheckResult) -> tuple[Located, ...]:
        """The findings of a check, then what clients could not follow, each with the form that mends it.

        Args:
            actor: who looks.
            scheme_id: the scheme.
            draft: what was checked; None for the published version.
            result: of the check.
        """
        self._view_or_refuse(actor, scheme_id)
        tree = self._store.tree(scheme_id, self._schemes.draft(actor, scheme_id, draft).head if draft else result.tree)
        located = []
        for finding in result.findings:
            located.append(Located(finding, *place_of(tree, scheme_id, finding)))
        for broken in result.incompatibilities:
            path = document_of(tree, scheme_id, broken.path) or ""
            attribute = broken.subject.split(".")[3:]
            message = Message("%(what)s %(instead)s", what=broken.message, instead=broken.alternative)
            finding = FindingView("error", broken.path, "", broken.rule, message)
            located.append(Located(finding, path, f"attributes.{attribute[0]}" if attribute and path else ""))
        return tuple(located)

    def edit(
        self,
        actor: Actor,
        scheme_id: str,
        draft: str,
        path: str,
        changes: Mapping[str, Value],
        *,
        seen: str = "",
        decisions: Mapping[str, object] | None = None,
        decided_on: str = "",
        partly: bool = False,
    ) -> Saved:
        """Change fields of a document.

        Args:
            actor: the author.
            scheme_id, draft, path: the document.
            changes: values by key, None removes; those that the author made, against the commit that was seen.
            seen: the commit that the author saw; empty takes the newest.
            decisions: on conflicts of an earlier try: key to `Side`, or to another value.
            decided_on: the commit of the draft that the conflicts were told of; on another one all are asked again. Empty takes the
                decisions on whatever is there.
            partly: save what can be saved, and give the errors of the rest; otherwise one error refuses all.

        Raises:
            InvalidInputError: a field that cannot change, is not known, or cannot hold the value; nothing was changed.
            NotFoundError: there is no such draft or document, or the commit is not known.
        """
        return self._edit(
            actor, scheme_id, draft, path, changes, seen=seen, decisions=decisions, decided_on=decided_on, partly=partly, judged=True
        )

    def _edit(
        self,
        actor: Actor,
        scheme_id: str,
        draft: str,
        path: str,
        changes: Mapping[str, Value],
        *,
        seen: str,
        decisions: Mapping[str, object] | None = None,
        decided_on: str = "",
        partly: bool = False,
        judged: bool = False,
    ) -> Saved:
        """Change fields; what the service itself sets is not judged."""
        self._authorize(actor, scheme_id, path)
        info = self._schemes.draft(actor, scheme_id, draft)
        base = self._document(scheme_id, seen or info.head, path)
        errors = self._judged(scheme_id, base, changes) if judged else {}
        if errors and not partly:
            raise InvalidInputError(errors)
        mine = base.edited({key: value for key, value in changes.items() if key not in errors})
        chosen = {key: value for key, value in (decisions or {}).items() if not isinstance(value, Side)}
        if rules := self._judged(scheme_id, base, chosen):  # type: ignore[arg-type]
            raise InvalidInputError(rules)
        decided: Decisions = {(path, key): decision for key, decision in (decisions or {}).items()}  # type: ignore[misc]
        for _ in range(_TRIES):
            theirs = self._document(scheme_id, info.head, path)
            merged, conflicts = merge_document(base, mine, theirs, decided if decided_on in ("", info.head) else None)
            saved, changed = info, {}
            if merged.content != theirs.content:
                changed = value_changes(theirs.values, merged.values)
                try:
                    saved = self._save(actor, info, {path: merged.content}, _message(path, scheme_id, changed), list(changed))
                except DraftConflictError:
                    info = self._schemes.draft(actor, scheme_id, draft)
                    continue
            return Saved(self._view(saved, merged), conflicts, errors, tuple(value_changes(base.values, theirs.values)), tuple(changed))
        raise DraftConflictError(draft)

    def add_object(self, actor: Actor, scheme_id: str, draft: str, path: str, group: str, key: str, *, seen: str = "") -> Saved:
        """Add an object to a group of a document, such as an attribute to a credential type; it is the last of them.

        An attribute of a type that is published begins as optional: issuers do not send it yet.

        Raises:
            InvalidInputError: the key is none, or taken.
            NotFoundError: there is no such draft, document or group.
        """
        self._authorize(actor, scheme_id, path)
        info = self._schemes.draft(actor, scheme_id, draft)
        view = self._view(info, self._document(scheme_id, seen or info.head, path))
        place = find_place(view.kind, group)
        if place is None or not isinstance(place.field, Group):
            raise NotFoundError("group", group)
        present = view.values.get(group)
        order = present if isinstance(present, tuple) else ()
        if re.fullmatch(r"[A-Za-z0-9_-]{1,100}", key) is None:
            raise InvalidInputError({group: Message("must have 1 to 100 letters, digits, - or _")})
        if key.casefold() in {str(other).casefold() for other in order}:
            raise InvalidInputError({group: Message("“%(name)s” is there already", name=key)})
        prefix = f"{group}.{key}"
        changes: Values = {group: (*order, key)}
        for field in place.field.fields:
            if isinstance(field, Field) and field.required and field.kind is Kind.TRANSLATED:
                changes |= {f"{prefix}.{field.key}.{language}": "" for language in view.languages}
        if group == "attributes" and view.published is not None:
            changes[f"{prefix}.optional"] = True
        if view.kind.name == "requestors":
            owner = view.values.get(f"{group.rpartition('.')[0]}.id") if "." in group else scheme_id
            changes[f"{prefix}.id"] = f"{owner}.{key}"
            if "." not in group:
                changes[f"{prefix}.scheme_id"] = scheme_id
        return self._edit(actor, scheme_id, draft, path, changes, seen=seen)

    def move_on_card(self, actor: Actor, scheme_id: str, draft: str, path: str, key: str, steps: int, *, seen: str = "") -> Saved:
        """Show an attribute earlier or later on the card; its place in credentials stays.

        Args:
            actor: the author.
            scheme_id, draft, path: the credential type.
            key: the attribute.
            steps: how many places later; negative for earlier.
            seen: the commit that the author saw; empty takes the newest.

        Raises:
            NotFoundError: there is no such attribute.
        """
        self._authorize(actor, scheme_id, path)
        info = self._schemes.draft(actor, scheme_id, draft)
        document = self._document(scheme_id, seen or info.head, path)
        shown = card_order(document.values)
        if key not in shown:
            raise NotFoundError("attribute", key)
        before = shown.index(key)
        shown.insert(max(0, min(len(shown) - 1, before + steps)), shown.pop(before))
        return self.edit(actor, scheme_id, draft, path, _places(document.values, shown), seen=seen)

    def set_logo(self, actor: Actor, scheme_id: str, draft: str, path: str, logo: bytes | None) -> DraftInfo:
        """Put a logo beside a document, or take it away.

        Args:
            actor: the author.
            scheme_id, draft: the draft.
            path: the document of an issuer or a credential type.
            logo: a square PNG; None removes.

        Raises:
            InvalidInputError: it breaks a rule for logos.
            NotFoundError: there is no such document, or no logo to take away.
        """
        self._authorize(actor, scheme_id, path)
        info = self._schemes.draft(actor, scheme_id, draft)
        self._document(scheme_id, info.head, path)
        place = path.removesuffix("description.xml") + "logo.png"
        present = self._store.tree(scheme_id, info.head).get(place)
        if "/" not in path or (logo is None and present is None):
            raise NotFoundError("logo", place)
        rule = authoring.logo_rule(logo) if logo is not None else None
        if rule is not None:
            raise InvalidInputError({"logo": rule})
        if logo == present:
            return info
        subject = entity_of(path, scheme_id).id
        return self._save(actor, info, {place: logo}, f"Set the logo of {subject}" if logo else f"Remove the logo of {subject}", ["logo"])

    def remove(self, actor: Actor, scheme_id: str, draft: str, path: str) -> DraftInfo:
        """Take an issuer or a credential type out of a draft, with all that belongs to it.

        Args:
            actor: the author.
            scheme_id, draft: the draft.
            path: its document.

        Raises:
            ConflictError: it was published, and may not disappear.
            NotFoundError: there is no such document.
        """
        self._authorize(actor, scheme_id, path)
        info = self._schemes.draft(actor, scheme_id, draft)
        tree = self._store.tree(scheme_id, info.head)
        if path not in tree or "/" not in path or document_kind(path) is None:
            raise NotFoundError("document", path)
        published = self._published(scheme_id) or {}
        folder = path.removesuffix("description.xml")
        if any(name.startswith(folder) for name in published):
            raise ConflictError(Message("it was published: wallets keep it, so it can be deprecated, but not removed"))
        gone: dict[str, bytes | None] = {name: None for name in tree if name.startswith(folder)}
        return self._save(actor, info, gone, f"Remove {entity_of(path, scheme_id).id}", [])

    # --- what a draft changes ---

    def changes(self, actor: Actor, scheme_id: str, draft: str) -> Comparison:
        """What a draft changes against the published version it starts from.

        Raises:
            NotFoundError: there is no such draft.
        """
        info = self._schemes.draft(actor, scheme_id, draft)
        return self._compare(scheme_id, info.base, info.head)

    def compare(self, actor: Actor, scheme_id: str, before: str | None, after: str) -> Comparison:
        """What differs between two commits; `before` may be None for nothing at all.

        Raises:
            NotFoundError: a commit is not known.
        """
        self._view_or_refuse(actor, scheme_id)
        for commit in (before, after):
            if commit is not None:
                self._demand_commit(scheme_id, commit)
        return self._compare(scheme_id, before, after)

    def version_changes(self, actor: Actor, scheme_id: str, version: str, before: str = "") -> Comparison:
        """What a published version changed.

        Args:
            actor: who looks.
            scheme_id: the scheme.
            version: its commit, or at least seven digits of it.
            before: that of another version to compare with; empty takes the one before it, or nothing at all for the first.

        Raises:
            NotFoundError: there is no such version.
        """
        commit = self._schemes.version_commit(actor, scheme_id, version)
        if before:
            return self._compare(scheme_id, self._schemes.version_commit(actor, scheme_id, before), commit)
        older = self._schemes.versions(actor, scheme_id, after=commit, limit=1)
        return self._compare(scheme_id, older[0].commit if older else None, commit)

    def raw(self, actor: Actor, scheme_id: str, before: str | None, after: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """The same file by file, as lines of unified diffs; private keys are told by their digests."""
        comparison = self.compare(actor, scheme_id, before, after)
        old: Mapping[str, bytes] = {} if before is None else self._store.tree(scheme_id, before)
        new = self._store.tree(scheme_id, after)
        found = []
        for path in sorted(path for change in comparison.changes for path in change.paths):
            sides = [_unreadable(content) if is_private(path) else content for content in (old.get(path), new.get(path))]
            found.append((path, raw_lines(path, *sides)))
        return tuple(found)

    # --- bringing together ---

    def rebase(
        self, actor: Actor, scheme_id: str, draft: str, decisions: Decisions | None = None, *, decided_on: tuple[str, str] = ("", "")
    ) -> Rebased:
        """Put a draft's changes onto the published version, as one commit.

        Args:
            actor: the author.
            scheme_id, draft: the draft.
            decisions: on conflicts of an earlier try: path and key to `Side`, or to another value.
            decided_on: the commits of the draft and of the published version that the conflicts were told of; where one has moved on, all
                are asked again. Empty takes the decisions on whatever is there.

        Raises:
            InvalidInputError: a value that was decided on and that its field cannot hold; named by path and key, `RU/description.xml#url`.
            ConflictError: the scheme was never published.
            DraftConflictError: somebody saved meanwhile.
        """
        authorize(actor, Action.SCHEME_EDIT, scheme_scope(scheme_id))
        info = self._schemes.draft(actor, scheme_id, draft)
        published = self._store.published(scheme_id, self._schemes.branch(scheme_id))
        if published is None:
            raise ConflictError(Message("the scheme was never published: there is nothing to put the draft on"))
        if info.base == published:
            return Rebased(info, (), published)
        if any(given not in ("", now) for given, now in zip(decided_on, (info.head, published), strict=True)):
            decisions = None
        if rules := _decision_rules(decisions or {}):
            raise InvalidInputError(rules)
        base: Mapping[str, bytes] = {} if info.base is None else self._store.tree(scheme_id, info.base)
        mine, theirs = self._store.tree(scheme_id, info.head), self._store.tree(scheme_id, published)
        merged, conflicts = merge_versions(base, mine, theirs, decisions)
        if conflicts:
            return Rebased(info, conflicts, published)
        head = self._store.replace(scheme_id, draft, merged, published, info.title, actor, expected=info.head)
        self._note(actor, "scheme.draft_rebase", scheme_id, {"draft": draft, "commit": info.head}, {"draft": draft, "commit": head})
        return Rebased(self._schemes.draft_at(actor, scheme_id, draft, head), (), published)

    def restoration(self, actor: Actor, scheme_id: str, commit: str) -> Restoration:
        """What restoring a version would change, and what stays.

        Raises:
            NotFoundError: there is no such version, or the scheme was never published.
        """
        version = self._schemes.version_commit(actor, scheme_id, commit)
        earlier, published = self._store.tree(scheme_id, version), self._published(scheme_id) or {}
        files, kept = restored(scheme_id, earlier, published)
        return Restoration(version, compare_versions(scheme_id, published, files), kept)

    def restore(self, actor: Actor, scheme_id: str, commit: str, title: str, deprecate: Collection[str] = ()) -> DraftInfo:
        """Begin a draft that restores a version.

        Args:
            actor: the author.
            scheme_id, commit: the version, by its commit or at least seven digits of it.
            title: of the draft.
            deprecate: identifiers of issuers and credential types that were added since and are to be deprecated.

        Raises:
            InvalidInputError: the title breaks a rule, or something to deprecate is not among what stays.
            NotFoundError: there is no such version.
        """
        authorize(actor, Action.SCHEME_EDIT, scheme_scope(scheme_id))
        version = self._schemes.version_commit(actor, scheme_id, commit)
        earlier, published = self._store.tree(scheme_id, version), self._published(scheme_id) or {}
        now = int(self._clock().timestamp())
        files, kept = restored(scheme_id, earlier, published, deprecate=deprecate, now=now)
        known = {found.entity.id for found in kept if found.may_be_deprecated}
        if unknown := sorted(set(deprecate) - known):
            raise InvalidInputError({"deprecate": Message("%(name)s is not among what stays", name=unknown[0])})
        draft = self._schemes.start_draft(actor, scheme_id, title)
        changes = {path: files.get(path) for path in published.keys() | files.keys() if files.get(path) != published.get(path)}
        if not changes:
            return draft
        return self._save(actor, draft, changes, f"Restore version {version[:12]}", [])

    # --- inside ---

    def _document(self, scheme_id: str, commit: str, path: str) -> Document:
        self._demand_commit(scheme_id, commit)
        content = self._store.tree(scheme_id, commit).get(path)
        if content is None or document_kind(path) is None:
            raise NotFoundError("document", path)
        return Document(path, content)

    def _demand_commit(self, scheme_id: str, commit: str) -> None:
        try:
            if _COMMIT.fullmatch(commit):
                self._store.tree(scheme_id, commit)
                return
        except RepositoryError:
            pass  # told below as what it is for the caller
        raise NotFoundError("version", commit)

    def _published(self, scheme_id: str) -> SchemeTree | None:
        commit = self._store.published(scheme_id, self._schemes.branch(scheme_id))
        return None if commit is None else self._store.tree(scheme_id, commit)

    def _published_values(self, scheme_id: str, path: str) -> Mapping[str, Value] | None:
        """What the published version says in a document; None where it has none."""
        content = (self._published(scheme_id) or {}).get(path)
        try:
            return None if content is None else Document(path, content).values
        except MalformedSchemeError:
            return None  # then nothing of it is known to wallets either

    def _view(self, info: DraftInfo, document: Document) -> DocumentView:
        scheme_id = info.scheme_id
        tree = self._store.tree(scheme_id, info.head)
        description = read_description(tree)
        demo = isinstance(description, SchemeManager) and description.demo
        return DocumentView(
            info,
            document.path,
            document.kind,
            entity_of(document.path, scheme_id).id,
            document.values,
            self._published_values(scheme_id, document.path),
            _languages(document, description.languages if description is not None else ()),
            demo,
            document.path.removesuffix("description.xml") + "logo.png" in tree,
        )

    def _compare(self, scheme_id: str, before: str | None, after: str) -> Comparison:
        old: Mapping[str, bytes] = {} if before is None else self._store.tree(scheme_id, before)
        changes = compare_versions(scheme_id, old, self._store.tree(scheme_id, after))
        return Comparison(before, after, changes, sum(len(change.paths) for change in changes))

    def _judged(self, scheme_id: str, base: Document, changes: Mapping[str, Value]) -> dict[str, str]:
        """What cannot be saved: key to rule."""
        before = self._published_values(scheme_id, base.path)
        errors: dict[str, str] = {}
        for key, value in changes.items():
            place = find_place(base.kind, key)
            if place is None:
                errors[key] = Message("is no field of this file")
            elif lock_of(base, key, before) is not None and base.values.get(key) != value:
                errors[key] = Message("cannot change: wallets know it as it is")
            elif value is not None and (rule := rule_of(place, value, in_xml=bool(base.kind.root))) is not None:
                errors[key] = Message(rule)
            elif (rule := _order_rule(key, value, before)) is not None:
                errors[key] = rule
        return errors

    def _save(self, actor: Actor, info: DraftInfo, changes: Mapping[str, bytes | None], message: str, keys: list[str]) -> DraftInfo:
        head = self._store.save(info.scheme_id, info.name, changes, message, actor, expected=info.head)
        after = {"draft": info.name, "commit": head, "files": sorted(changes), "fields": keys}
        self._note(actor, Action.SCHEME_EDIT, info.scheme_id, {"draft": info.name, "commit": info.head}, after)
        # As of this commit, whatever others saved since: what the author has seen is this one.
        return self._schemes.draft_at(actor, info.scheme_id, info.name, head)

    def _note(self, actor: Actor, action: Action | str, scheme_id: str, before: dict[str, object], after: dict[str, object]) -> None:
        self._database.write(
            lambda session: self._audit.record(session, actor, action, scheme_scope(scheme_id), before=before, after=after, reason="")
        )

    def _authorize(self, actor: Actor, scheme_id: str, path: str) -> None:
        scopes = [scheme_scope(scheme_id)]
        if "/" in path:
            scopes.append(issuer_scope(f"{scheme_id}.{path.partition('/')[0]}"))
        authorize(actor, Action.SCHEME_EDIT, scopes)

    def _view_or_refuse(self, actor: Actor, scheme_id: str) -> None:
        if not may_view_scheme(actor, scheme_id):
            authorize(actor, Action.SCHEME_VIEW, scheme_scope(scheme_id))


def lock_of(document: Document | DocumentView, key: str, published: Mapping[str, Value] | None) -> Lock | None:
    """Why a field of a document cannot change; None where it can.

    Args:
        document: the document.
        key: the field.
        published: what the published version says; None where it has no such document.
    """
    place = find_place(document.kind, key)
    if place is None or not isinstance(place.field, Field) or place.field.fixed is Fixed.NEVER:
        return None
    if place.field.fixed is Fixed.ALWAYS:
        return Lock.PLACE
    group = key.split(f".{place.object_key}.")[0]
    order = (published or {}).get(group)
    return Lock.PUBLISHED if isinstance(order, tuple) and place.object_key in order else None


def locks(document: Document | DocumentView, published: Mapping[str, Value] | None) -> dict[str, Lock]:
    """Every field of a document that cannot change, also such as are absent, by key."""
    keys = _keys(document.kind.fields, document.values, "")
    return {key: lock for key in keys if (lock := lock_of(document, key, published)) is not None}


def card_order(values: Mapping[str, Value]) -> list[str]:
    """The attributes of a credential type in the order in which wallets show them; the one for revocation is not shown."""
    order = values.get("attributes")
    places: list[tuple[int, int, str]] = []
    for position, key in enumerate(order if isinstance(order, tuple) else ()):
        index = values.get(f"attributes.{key}.display_index")
        if not values.get(f"attributes.{key}.revocation"):
            places.append((index if isinstance(index, int) else position, position, str(key)))
    return [key for _, _, key in sorted(places)]


def _keys(fields: Iterable[Field | Group], values: Mapping[str, Value], prefix: str) -> Iterator[str]:
    """The keys of the fields of a document that have no language."""
    for field in fields:
        key = f"{prefix}{field.key}"
        if isinstance(field, Field):
            if field.kind is not Kind.TRANSLATED:
                yield key
            continue
        order = values.get(key)
        for name in order if isinstance(order, tuple) else ():
            yield from _keys(field.fields, values, f"{key}.{name}.")


def _decision_rules(decisions: Decisions) -> dict[str, str]:
    """What was decided and no field can hold: path and key to rule."""
    errors: dict[str, str] = {}
    for (path, key), value in decisions.items():
        if isinstance(value, Side):
            continue
        kind = document_kind(path)
        place = None if kind is None else find_place(kind, key)
        if kind is None or place is None:
            errors[f"{path}#{key}"] = Message("is no field of this file")
        elif value is not None and (rule := rule_of(place, value, in_xml=bool(kind.root))) is not None:
            errors[f"{path}#{key}"] = Message(rule)
    return errors


def _places(values: Mapping[str, Value], shown: list[str]) -> Values:
    """The places that show attributes in an order; none where that is the order of the list."""
    order = values.get("attributes")
    keys = [str(key) for key in order] if isinstance(order, tuple) else []
    if [key for key in keys if key in shown] == shown:
        return {f"attributes.{key}.display_index": None for key in keys}
    free = [position for position, key in enumerate(keys) if key in shown]
    return {f"attributes.{key}.display_index": place for key, place in zip(shown, free, strict=True)}


def _order_rule(key: str, value: Value, published: Mapping[str, Value] | None) -> Message | None:
    """The rule that a new order of attributes breaks: published ones keep their places."""
    before = (published or {}).get(key)
    if key != "attributes" or not isinstance(before, tuple):
        return None
    listed = value if isinstance(value, tuple) else ()
    if listed[: len(before)] == before:
        return None
    gone = next((name for name in before if name not in listed), None)
    if gone is not None:
        return Message(
            "“%(name)s” was published: wallets hold cards with it, and what follows it would change its meaning; make it optional instead",
            name=gone,
        )
    return Message("published attributes keep their places; the order on the card is another field of each")


def _languages(document: Document, declared: tuple[str, ...]) -> tuple[str, ...]:
    own = document.values.get("languages")
    asked = tuple(str(language) for language in own) if isinstance(own, tuple) and own else declared or ("en", "nl")
    used = dict.fromkeys(place.language for key in document.values if (place := document.place(key)).language)
    return tuple(dict.fromkeys((*asked, *used)))


def _message(path: str, scheme_id: str, changed: Values) -> str:
    keys = list(changed)
    shown = ", ".join(keys[:3]) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")
    return f"Edit {entity_of(path, scheme_id).id}: {shown}" if keys else f"Edit {entity_of(path, scheme_id).id}"


def _unreadable(content: bytes | None) -> bytes | None:
    """A private key as something that is no text, so that only its size and digest are told."""
    return None if content is None else b"\0" + content
