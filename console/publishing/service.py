"""Publishing a version of a scheme, as a job whose steps are named and idempotent.

check → approve → sign → commit → push → switch → fetch_back → live. Up to `commit` nothing outside changes. The push moves the remote's
branch by compare-and-set, the switch the web root by one rename: whoever looks sees the old version or the new one. A worker that dies is
taken over, and its step begins by looking at what is done already.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from console.errors import (
    ApprovalsMissingError,
    NothingToPublishError,
    NotLiveError,
    PublicationRejectedError,
    RepositoryError,
    StaleBaseError,
)
from console.publishing.check import check_version, latest_timestamp
from console.publishing.git import Repository
from console.publishing.models import PublicationInfo, StepState, StepView
from console.publishing.web_root import WebRoot
from console.schemes.reading import moment
from console.schemes.service import Schemes, may_view_scheme
from console.schemes.store import DRAFTS, SchemeStore, content_hash
from gateway.actor import Actor, system_actor
from gateway.audit.service import Audit
from gateway.authorization import Action, authorize, scheme_scope
from gateway.custody.errors import CustodyError
from gateway.custody.service import Custody
from gateway.custody.signer import KeystoreSigner, Pending, PublishedVersion, Signer
from gateway.database import Database
from gateway.inputs import ConflictError, InvalidInputError, Message, NotFoundError
from gateway.jobs.flow import Done, Flow, JobContext, Step, StepFailedError, Wait
from gateway.jobs.service import JobInfo, Jobs
from gateway.models import IssuerKeyState, JobState, Publication, PublicationState, Scheme, Verdict
from gateway.scheme_download import fetch_scheme
from idemix.clock import Clock
from idemix.errors import IdemixError
from idemix.scheme.signing import previous_timestamp
from idemix.scheme.verify import verify_scheme

KIND: Final = "publish"

#: How soon a step that waits for something outside looks again.
_RETRY: Final = timedelta(seconds=5)
#: A remote or public address that does not answer is given so long, counted from the start of the publication.
_PATIENCE: Final = timedelta(minutes=30)

SignerFor = Callable[[Actor, str, PublishedVersion | None], Signer]


class Publishing:
    """Publications of schemes.

    Args:
        database, audit, jobs: where publications, audit entries and jobs are written.
        custody: keeps the scheme keys.
        store, schemes, web_root: the clones, the schemes, and what clients are served.
        clock: tells the time.
        signer_for: gives who signs a scheme; by default the keystore of custody.
    """

    def __init__(
        self,
        database: Database,
        audit: Audit,
        jobs: Jobs,
        custody: Custody,
        store: SchemeStore,
        schemes: Schemes,
        web_root: WebRoot,
        clock: Clock,
        signer_for: SignerFor | None = None,
    ) -> None:
        self._database = database
        self._audit = audit
        self._jobs = jobs
        self._custody = custody
        self._store = store
        self._schemes = schemes
        self._web_root = web_root
        self._clock = clock
        self._signer_for = signer_for or self._keystore

    # --- for people ---

    def publish(self, actor: Actor, scheme_id: str, draft: str | None = None, reason: str = "") -> PublicationInfo:
        """Start to publish; a worker carries it out. Of one scheme, publications take their turn.

        Args:
            actor: who publishes.
            scheme_id: the scheme.
            draft: what to publish; None or empty signs the published content again.
            reason: for the audit.

        Raises:
            ApprovalsMissingError: the channel demands approvals.
            StaleBaseError: a newer version was published after the draft was begun.
            NothingToPublishError: the draft changes nothing.
            PublicationRejectedError: the check refuses it; `reasons` says why.
            ConflictError: this content is being published already.
        """
        authorize(actor, Action.SCHEME_PUBLISH, scheme_scope(scheme_id))
        row = self._scheme(scheme_id)
        published = self._store.published(scheme_id, row.settings["branch"])
        if draft:
            commit = self._store.draft(scheme_id, draft)
            self._demand_fresh(row, draft, commit, published)
            if published is not None and content_hash(self._store.tree(scheme_id, commit)) == content_hash(
                self._store.tree(scheme_id, published)
            ):
                raise NothingToPublishError(draft)
        elif published is not None:
            commit = published
        else:
            raise PublicationRejectedError(f"scheme {scheme_id} was never published: name the draft to publish")
        if row.required_approvals > 0:
            raise ApprovalsMissingError(row.channel.value, row.required_approvals, 0)
        self._demand_check(row, commit, published)
        tree = self._store.repository(scheme_id).tree(commit)

        def work(session: Session) -> int:
            session.scalars(select(Scheme).where(Scheme.id == scheme_id).with_for_update()).one()
            same = select(Publication.id).where(
                Publication.scheme_id == scheme_id, Publication.tree_hash == tree, Publication.state == PublicationState.PUBLISHING
            )
            running = session.scalar(same)
            if running is not None:
                raise ConflictError(f"publication {running} publishes this already")
            publication = Publication(
                scheme_id=scheme_id,
                channel=row.channel,
                state=PublicationState.PUBLISHING,
                tree_hash=tree,
                base_commit=published,
                required_approvals=row.required_approvals,
                summary=self._summary(row, commit, published, draft),
                author_kind=actor.kind.value,
                author_name=actor.name,
                author_user_id=actor.user_id,
                created_at=self._clock(),
            )
            session.add(publication)
            session.flush()
            arguments = {"publication_id": publication.id, "scheme_id": scheme_id, "draft": draft or "", "source": commit}
            publication.job_id = self._jobs.enqueue_in(
                session, actor, KIND, arguments, object=scheme_scope(scheme_id), serial=f"publish:{scheme_id}"
            )
            after = {"publication": publication.id, "tree": tree, "draft": draft or None, "base": published}
            self._audit.record(session, actor, Action.SCHEME_PUBLISH, scheme_scope(scheme_id), after=after, reason=reason)
            return publication.id

        return self._info(self._database.write(work))

    def get(self, actor: Actor, publication_id: int) -> PublicationInfo:
        """A publication with its steps.

        Raises:
            NotFoundError: there is none that the actor may see.
        """
        with self._database.read() as session:
            row = session.get(Publication, publication_id)
            scheme_id = None if row is None else row.scheme_id
        if scheme_id is None or not may_view_scheme(actor, scheme_id):
            raise NotFoundError("publication", publication_id)
        return self._info(publication_id)

    def list(self, actor: Actor, scheme_id: str | None = None, limit: int = 50) -> tuple[PublicationInfo, ...]:
        """Publications that the actor may see, the newest first."""
        with self._database.read() as session:
            named = [scheme_id] if scheme_id is not None else session.scalars(select(Scheme.id)).all()
            visible = [scheme for scheme in named if may_view_scheme(actor, scheme)]
            query = select(Publication.id).where(Publication.scheme_id.in_(visible)).order_by(Publication.id.desc())
            numbers = session.scalars(query.limit(min(limit, 500))).all()
        return tuple(self._info(number) for number in numbers)

    def cancel(self, actor: Actor, publication_id: int, reason: str = "") -> PublicationInfo:
        """Stop a publication that was not pushed yet; the version before stays.

        Raises:
            PublicationRejectedError: it is too late, or it has ended.
        """
        info = self.get(actor, publication_id)
        authorize(actor, Action.SCHEME_PUBLISH, scheme_scope(info.scheme_id))
        if info.job_id is None or info.state is not PublicationState.PUBLISHING:
            raise PublicationRejectedError(f"publication {publication_id} has ended")
        if any(step.name == "commit" and step.state is StepState.DONE for step in info.steps):
            raise PublicationRejectedError(f"publication {publication_id} is being pushed: it cannot be stopped any more")
        self._jobs.cancel(actor, info.job_id, scope=scheme_scope(info.scheme_id), reason=reason or None)
        return self._info(publication_id)

    # --- for the worker ---

    def flow(self) -> Flow:
        """The steps, in order. From `push` on a publication cannot be cancelled."""
        return Flow(
            KIND,
            (
                Step("check", self._check),
                Step("approve", self._approve),
                Step("sign", self._sign),
                Step("commit", self._commit),
                Step("push", self._push, cancellable=False),
                Step("switch", self._switch, cancellable=False),
                Step("fetch_back", self._fetch_back, cancellable=False),
                Step("live", self._live, cancellable=False),
            ),
            told=(IdemixError, CustodyError, InvalidInputError, ConflictError, NotFoundError),
            on_end=self._end,
        )

    def _check(self, job: JobContext) -> Done | Wait:
        """Take the turn, then judge the version as it would be signed."""
        publication = self._publication(job)
        earlier = (
            select(Publication.id)
            .where(
                Publication.scheme_id == publication.scheme_id,
                Publication.state == PublicationState.PUBLISHING,
                Publication.id < publication.id,
            )
            .limit(1)
        )
        with self._database.read() as session:
            before = session.scalar(earlier)
        if before is not None:
            return Wait(job.clock() + _RETRY, f"published:{publication.scheme_id}", f"publication {before} of the scheme comes first")
        row = self._scheme(publication.scheme_id)
        source = job.arguments["source"]
        published = self._store.published(row.id, row.settings["branch"])
        if published != publication.base_commit:
            raise StaleBaseError(job.arguments["draft"] or "published content", publication.base_commit or "none", published or "none")
        self._demand_check(row, source, published)
        return Done({"tree": publication.tree_hash})

    def _approve(self, job: JobContext) -> Done | Wait:
        """Demand the approvals of the channel, for exactly this tree."""
        publication = self._publication(job)
        with self._database.read() as session:
            found = session.get(Publication, publication.id)
            given = 0
            if found is not None:
                verdicts = [approval for approval in found.approvals if approval.tree_hash == found.tree_hash]
                given = len({approval.user_id for approval in verdicts if approval.verdict is Verdict.APPROVED})
        if given < publication.required_approvals:
            raise ApprovalsMissingError(publication.channel.value, publication.required_approvals, given)
        return Done({"required": publication.required_approvals, "given": given})

    def _sign(self, job: JobContext) -> Done | Wait:
        """Have the tree signed, and keep the signed tree in the clone."""
        publication = self._publication(job)
        scheme_id = publication.scheme_id
        before = None
        if publication.base_commit is not None:
            tree = self._store.tree(scheme_id, publication.base_commit)
            latest = latest_timestamp(tree, self._store.ever_published(scheme_id, publication.base_commit))
            before = PublishedVersion(tree["pk.pem"], 0 if latest is None else latest)
        outcome = self._signer_for(job.actor, scheme_id, before).sign(self._store.tree(scheme_id, publication.tree_hash))
        if isinstance(outcome, Pending):
            return Wait(job.clock() + timedelta(hours=1), outcome.event, outcome.message)
        signed_at = previous_timestamp(outcome.tree)
        if signed_at is None or (before is not None and signed_at <= before.timestamp):
            raise PublicationRejectedError(
                Message("the timestamp of the signed version does not rise above all that were published: clients would not fetch it")
            )
        signed = self._store.repository(scheme_id).write(outcome.tree, base=publication.tree_hash)
        return Done({"tree": signed, "timestamp": signed_at, "key": outcome.key_fingerprint})

    def _commit(self, job: JobContext) -> Done | Wait:
        """Make the one commit that holds content and signature; the same arguments give the same commit."""
        publication = self._publication(job)
        signed = job.outputs["sign"]
        repository = self._store.repository(publication.scheme_id)
        author = Actor(job.actor.kind, publication.author_name)
        parents = [] if publication.base_commit is None else [publication.base_commit]
        commit = repository.commit(signed["tree"], parents, publication.summary, self._store.signature(author, moment(signed["timestamp"])))

        def work(session: Session) -> None:
            found = session.get(Publication, publication.id)
            if found is not None:
                found.commit, found.scheme_timestamp = commit, signed["timestamp"]

        self._database.write(work)
        return Done({"commit": commit})

    def _push(self, job: JobContext) -> Done | Wait:
        """Move the remote's branch, if it still is where the draft began, and then our own."""
        publication = self._publication(job)
        scheme_id, base, commit = publication.scheme_id, publication.base_commit, job.outputs["commit"]["commit"]
        repository = self._store.repository(scheme_id)
        branch = self._schemes.branch(scheme_id)
        remote = self._schemes.remote(scheme_id)
        if remote is not None:
            try:
                there = repository.remote_heads(remote)[0].get(branch)
            except RepositoryError as error:
                if job.clock() - publication.created_at > _PATIENCE:
                    raise
                return Wait(job.clock() + _RETRY, message=str(error))
            if there not in (base, commit):
                raise StaleBaseError(job.arguments["draft"], base or "none", there or "none")
            if there != commit:
                repository.push(remote, commit, branch, expected=base)
        self._move_branch(repository, branch, commit, base)
        return Done({"remote": "" if remote is None else remote.url})

    def _switch(self, job: JobContext) -> Done | Wait:
        """Put the version in force in the web root."""
        publication = self._publication(job)
        before = self._web_root.current(publication.scheme_id)
        try:
            self._schemes.serve(publication.scheme_id, job.outputs["commit"]["commit"])
        except OSError as error:
            # The remote has the version already, so that going back is no choice: somebody has to make room or give rights.
            return Wait(job.clock() + _RETRY, message=f"the web root cannot be written: {error.strerror}")
        return Done({"before": before})

    def _fetch_back(self, job: JobContext) -> Done | Wait:
        """Fetch the version from its public address and verify it as a client would, with the key that clients have."""
        publication = self._publication(job)
        scheme_id = publication.scheme_id
        signed = self._store.tree(scheme_id, job.outputs["commit"]["commit"])
        known = signed if publication.base_commit is None else self._store.tree(scheme_id, publication.base_commit)
        address = self._schemes.public_address(scheme_id)
        try:
            with address.open() as fetcher:
                fetched = fetch_scheme(fetcher, scheme_id, known["pk.pem"], job.progress)
            if fetched["index"] != signed["index"]:
                raise NotLiveError(f"{address.url} still serves another version")
            verdict = verify_scheme(fetched, now=int(job.clock().timestamp()))
            if not verdict.is_valid:
                raise NotLiveError(f"{address.url} serves a scheme that is not valid: {verdict.errors[0].message}")
        except NotLiveError as error:
            if job.clock() - publication.created_at > _PATIENCE:
                raise
            return Wait(job.clock() + _RETRY, message=str(error))
        return Done({"url": address.url, "files": len(fetched)})

    def _live(self, job: JobContext) -> Done | Wait:
        """Note that the version is live, and what follows from it for keys, drafts and old versions."""
        publication = self._publication(job)
        scheme_id = publication.scheme_id
        commit = job.outputs["commit"]["commit"]
        self._schemes.register_keys(job.actor, scheme_id)
        tree = self._store.tree(scheme_id, commit)
        for key in self._custody.issuer_keys.list(job.actor):
            path = f"{key.issuer_id.partition('.')[2]}/PublicKeys/{key.counter}.xml"
            if key.issuer_id.partition(".")[0] == scheme_id and key.state is IssuerKeyState.PUBLISHED and path in tree:
                self._custody.issuer_keys.move(job.actor, key.issuer_id, key.counter, IssuerKeyState.SEEN_LIVE)
        self._drop_draft(scheme_id, job.arguments["draft"], job.arguments["source"])
        before = job.outputs["switch"]["before"]
        self._web_root.prune(scheme_id, [before] if before else [])

        def work(session: Session) -> None:
            found = session.get(Publication, publication.id)
            if found is None or found.state is PublicationState.LIVE:
                return
            found.state = PublicationState.LIVE
            found.published_at = found.live_at = self._clock()
            after = {"publication": found.id, "commit": commit, "timestamp": found.scheme_timestamp}
            self._audit.record(session, job.actor, "scheme.live", scheme_scope(scheme_id), after=after)
            self._jobs.signal(session, f"published:{scheme_id}")

        self._database.write(work)
        return Done({"commit": commit})

    def _end(self, _job_id: int, arguments: Mapping[str, Any], error: str) -> None:
        """Note that a publication failed or was cancelled, and let the next one go on."""

        def work(session: Session) -> None:
            found = session.get(Publication, arguments["publication_id"])
            if found is None or found.state is not PublicationState.PUBLISHING:
                return
            cancelled = error == "cancelled"
            found.state = PublicationState.WITHDRAWN if cancelled else PublicationState.FAILED
            found.error = None if cancelled else error
            after = {"publication": found.id, "state": found.state.value, "error": found.error}
            self._audit.record(session, system_actor("worker"), "scheme.publish_ended", scheme_scope(found.scheme_id), after=after)
            self._jobs.signal(session, f"published:{found.scheme_id}")

        self._database.write(work)

    # --- inside ---

    def _keystore(self, actor: Actor, scheme_id: str, published: PublishedVersion | None) -> Signer:
        return KeystoreSigner(self._custody.scheme_keys, actor, scheme_id, published=published, clock=self._clock)

    def _scheme(self, scheme_id: str) -> Scheme:
        with self._database.read() as session:
            row = session.get(Scheme, scheme_id)
            if row is None:
                raise NotFoundError("scheme", scheme_id)
            session.expunge(row)
            return row

    def _publication(self, job: JobContext) -> Publication:
        with self._database.read() as session:
            row = session.get(Publication, job.arguments["publication_id"])
            if row is None:
                raise StepFailedError("the publication is gone")
            if row.state not in (PublicationState.PUBLISHING, PublicationState.LIVE):
                raise StepFailedError(f"the publication is {row.state.value}")
            session.expunge(row)
            return row

    def _demand_fresh(self, row: Scheme, draft: str, commit: str, published: str | None) -> None:
        base = self._store.base(row.id, row.settings["branch"], commit)
        if base != published:
            raise StaleBaseError(draft, base or "none", published or "none")

    def _demand_check(self, row: Scheme, commit: str, published: str | None) -> None:
        result = check_version(
            row.id,
            row.channel,
            commit,
            self._store.tree(row.id, commit),
            None if published is None else self._store.tree(row.id, published),
            None if published is None else self._store.ever_published(row.id, published),
            now=int(self._clock().timestamp()),
            signs_anew=commit == published,
        )
        if not result.may_publish:
            found = [f"{finding.path}: {finding.message}" for finding in result.findings if finding.level == "error"]
            raise PublicationRejectedError("the check refuses this version", [*result.refusals, *found])

    def _summary(self, row: Scheme, commit: str, published: str | None, draft: str | None) -> str:
        """The message of the published commit: the titles of the draft's commits."""
        if not draft:
            return "Sign again"
        titles = []
        for info in self._store.repository(row.id).log(commit):
            if info.hash == published:
                break
            titles.append(info.message.partition("\n")[0])
        first, *rest = dict.fromkeys(reversed(titles))
        return "\n".join([first, "", *(f"* {title}" for title in rest)]) if rest else first

    def _move_branch(self, repository: Repository, branch: str, commit: str, base: str | None) -> None:
        ref = f"refs/heads/{branch}"
        if repository.head(ref) != commit and not repository.update(ref, commit, old=base):
            raise StaleBaseError("", base or "none", repository.head(ref) or "none")

    def _drop_draft(self, scheme_id: str, draft: str, source: str) -> None:
        """Remove the draft that was published, unless somebody went on with it."""
        if draft and self._store.drafts(scheme_id).get(draft) == source:
            self._store.repository(scheme_id).delete(DRAFTS + draft)

    def _info(self, publication_id: int) -> PublicationInfo:
        with self._database.read() as session:
            row = session.get(Publication, publication_id)
            if row is None:
                raise NotFoundError("publication", publication_id)
            approvals = tuple(str(approval.user_id) for approval in row.approvals if approval.verdict is Verdict.APPROVED)
            session.expunge(row)
        job = None if row.job_id is None else self._jobs.get(system_actor("publishing"), row.job_id)
        return PublicationInfo(
            row.id,
            row.scheme_id,
            "" if job is None else str(job.arguments["draft"]),
            row.channel,
            row.tree_hash,
            row.required_approvals,
            approvals,
            row.state,
            step_views(self.flow(), job),
            row.job_id,
            row.author_name,
            row.created_at,
            row.commit,
            None if row.scheme_timestamp is None else moment(row.scheme_timestamp),
            row.live_at,
            row.error or "",
        )


def step_views(flow: Flow, job: JobInfo | None) -> tuple[StepView, ...]:
    """The steps of a flow as a job has gone through them.

    Args:
        flow: gives names and order.
        job: the job, or None where nothing was begun.
    """
    done = {} if job is None else {record.name: record for record in job.steps}
    views = []
    current = True
    for step in flow.steps:
        record = done.get(step.name)
        if record is not None:
            views.append(StepView(step.name, StepState.DONE, record.finished_at))
            continue
        state, note = StepState.TO_DO, ""
        if job is not None and current:
            state, note = _present(job)
        current = False
        views.append(StepView(step.name, state, None, note))
    return tuple(views)


def _present(job: JobInfo) -> tuple[StepState, str]:
    """The state of the step that a job is in."""
    if job.state is JobState.RUNNING:
        return StepState.RUNNING, job.message or ""
    if job.state is JobState.WAITING:
        return StepState.WAITING, job.message or ""
    if job.state is JobState.FAILED:
        return StepState.FAILED, job.error or ""
    return StepState.TO_DO, ""
