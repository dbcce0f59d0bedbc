"""The register of issuer keys, and the rotation of an issuer from one key to the next.

generate (in the background) → public key in a draft → published → seen live → activate → retire the older one. A key's number and size
follow from the scheme. The gateway never issues with a key that clients cannot know: a key is activated only when its public key was
fetched from the public address, its waiting period is over, and it is there still.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from console.drafts.service import Drafts
from console.errors import DraftConflictError, KeyRotationError, NotLiveError, PublicationRejectedError
from console.issuer_keys.models import IssuerKeyInfo, KeyCustody, KeyNeed, KeyState, NewKey, RotationView
from console.publishing.compatibility import highest_counters
from console.publishing.models import PublicationInfo, StepState, StepView
from console.publishing.service import Publishing
from console.schemes import reading
from console.schemes.service import Schemes
from console.schemes.store import SchemeStore
from console.settings import ConsoleSettings
from gateway.actor import Actor, system_actor
from gateway.authorization import Action, authorize, issuer_scope, may, scheme_scope
from gateway.custody.errors import CustodyError
from gateway.custody.models import IssuerKeyInfo as RegisteredKey
from gateway.custody.service import Custody
from gateway.inputs import ConflictError, Errors, InvalidInputError, Message, NotFoundError
from gateway.jobs.flow import Cancelled, Done, Flow, JobContext, Step, Wait
from gateway.jobs.service import JobInfo, Jobs
from gateway.models import Channel, IssuerKeyState, JobState, PublicationState
from gateway.scheme_download import fetch_index, fetch_listed
from idemix.arith.randomness import RandomSource
from idemix.clock import Clock
from idemix.errors import CancelledError, IdemixError
from idemix.keys.public import PublicKey
from idemix.scheme.tree import SchemeTree

KIND: Final = "issuer_key.generate"

#: Bases beyond those the largest credential type needs now, so that attributes can be added; and the reference's default number.
_SPARE_BASES: Final = 4
_LEAST_BASES: Final = 12
_MOST_BASES: Final = 256


class IssuerKeys:
    """The issuer keys of an installation.

    Args:
        settings: size and lifetime of new keys, and the waiting periods.
        jobs: carry out the generation.
        custody: keeps the register and the private keys.
        store, schemes, drafts, publishing: where public keys are published.
        clock: tells the time.
        randomness: the source of primes and exponents.
    """

    def __init__(
        self,
        settings: ConsoleSettings,
        jobs: Jobs,
        custody: Custody,
        store: SchemeStore,
        schemes: Schemes,
        drafts: Drafts,
        publishing: Publishing,
        clock: Clock,
        randomness: RandomSource,
    ) -> None:
        self._settings = settings
        self._jobs = jobs
        self._custody = custody
        self._store = store
        self._schemes = schemes
        self._drafts = drafts
        self._publishing = publishing
        self._clock = clock
        self._randomness = randomness

    # --- the register ---

    def list(self, actor: Actor, issuer_id: str | None = None, scheme_id: str | None = None) -> tuple[IssuerKeyInfo, ...]:
        """The keys that the actor may see, by issuer and counter, those being generated among them."""
        system = system_actor("issuer keys")
        rows: dict[tuple[str, int], IssuerKeyInfo] = {}
        trees: dict[str, SchemeTree | None] = {}
        for job in self._generations():
            found = self._generating(job, trees)
            rows[found.issuer_id, found.counter] = found
        for key in self._custody.issuer_keys.list(system, issuer_id):
            if scheme_id in (None, key.issuer_id.partition(".")[0]):
                rows[key.issuer_id, key.counter] = self._registered(key, trees)
        return tuple(
            info
            for (issuer, _), info in sorted(rows.items())
            if issuer_id in (None, issuer)
            and scheme_id in (None, issuer.partition(".")[0])
            and may(actor, Action.ISSUER_KEY_VIEW, issuer_scope(issuer))
        )

    def get(self, actor: Actor, issuer_id: str, counter: int) -> IssuerKeyInfo:
        """One key.

        Raises:
            NotFoundError: there is none that the actor may see.
        """
        for key in self.list(actor, issuer_id):
            if key.counter == counter:
                return key
        raise NotFoundError("issuer key", f"{issuer_id}-{counter}")

    def need(self, actor: Actor, issuer_id: str, draft: str = "") -> KeyNeed:
        """What the next key of an issuer has to be.

        Raises:
            NotFoundError: there is no such issuer.
        """
        authorize(actor, Action.ISSUER_KEY_VIEW, issuer_scope(issuer_id))
        scheme_id, _, issuer = issuer_id.partition(".")
        tree = self._tree(scheme_id, draft)
        if f"{issuer}/description.xml" not in tree:
            raise NotFoundError("issuer", issuer_id)
        needed = reading.bases_needed(tree, issuer)
        used = [key.counter for key in self.list(system_actor("issuer keys"), issuer_id) if key.state is not KeyState.FAILED]
        used += [key.counter for key in reading.read_public_keys(tree, issuer)]
        used.append(self._highest_published(scheme_id, issuer))
        return KeyNeed(
            issuer_id,
            max(used, default=-1) + 1,
            self._settings.modulus_bits,
            needed,
            max(_LEAST_BASES, needed + _SPARE_BASES),
            (self._clock() + self._settings.key_lifetime).replace(microsecond=0),
        )

    # --- generation ---

    def generate(self, actor: Actor, new: NewKey, reason: str = "") -> IssuerKeyInfo:
        """Start to generate a key in the background. When it is done its public key stands in a draft, ready to publish.

        Raises:
            InvalidInputError: a field breaks a rule.
            NotFoundError: there is no such issuer or draft.
            KeyRotationError: a key of the issuer is being generated already.
        """
        authorize(actor, Action.ISSUER_KEY_GENERATE, issuer_scope(new.issuer_id))
        need = self.need(actor, new.issuer_id, new.draft)
        bases = new.bases or need.bases
        errors = Errors()
        errors.check(
            max(need.bases_needed, 3) <= bases <= _MOST_BASES,
            "bases",
            Message(
                "must be from %(least)s, which the largest credential type needs, to %(most)s", least=need.bases_needed, most=_MOST_BASES
            ),
        )
        errors.check(0 <= new.lifetime_days <= 3650, "lifetime_days", Message("must be a number of days from 1 to 3650"))
        errors.raise_if_any()
        if any(job.arguments["issuer_id"] == new.issuer_id for job in self._generations(unfinished=True)):
            raise KeyRotationError(
                Message("a key of %(issuer)s is being generated already", issuer=new.issuer_id), next_step=Message("Wait until it is done.")
            )
        expires_at = need.expires_at
        if new.lifetime_days:
            expires_at = (self._clock() + timedelta(days=new.lifetime_days)).replace(microsecond=0)
        arguments = {
            "issuer_id": new.issuer_id,
            "counter": need.counter,
            "bits": need.bits,
            "bases": bases,
            "expires_at": expires_at.isoformat(),
            "draft": new.draft or self._draft_for(new.issuer_id, need.counter),
        }
        self._jobs.enqueue(
            actor,
            KIND,
            arguments,
            object=f"issuer_key:{new.issuer_id}-{need.counter}",
            scope=issuer_scope(new.issuer_id),
            serial=f"issuer_key:{new.issuer_id}",
            reason=reason or None,
        )
        return self.get(actor, new.issuer_id, need.counter)

    def cancel_generation(self, actor: Actor, issuer_id: str, counter: int) -> None:
        """Stop a generation.

        Raises:
            NotFoundError: none is under way.
        """
        for job in self._generations(unfinished=True):
            if (job.arguments["issuer_id"], job.arguments["counter"]) == (issuer_id, counter):
                self._jobs.cancel(actor, job.id, scope=issuer_scope(issuer_id))
                return
        raise NotFoundError("generation of key", f"{issuer_id}-{counter}")

    def flow(self) -> Flow:
        """The steps of a generation, for the worker."""
        return Flow(
            KIND,
            (Step("generate", self._generate), Step("draft", self._put_in_draft, cancellable=False)),
            told=(IdemixError, CustodyError, InvalidInputError, ConflictError, NotFoundError),
        )

    def _generate(self, job: JobContext) -> Done | Wait:
        """Make the key pair in custody, unless a worker before this one did."""
        wanted = job.arguments
        try:
            return Done({"fingerprint": self._custody.issuer_keys.get(job.actor, wanted["issuer_id"], wanted["counter"]).fingerprint})
        except NotFoundError:
            pass
        try:
            key = self._custody.issuer_keys.generate(
                job.actor,
                wanted["issuer_id"],
                counter=wanted["counter"],
                modulus_bits=wanted["bits"],
                bases=wanted["bases"],
                expires_at=datetime.fromisoformat(wanted["expires_at"]),
                random=self._randomness,
                progress=job.progress,
                is_cancelled=job.is_cancelled,
            )
        except CancelledError as error:
            raise Cancelled from error
        return Done({"fingerprint": key.fingerprint})

    def _put_in_draft(self, job: JobContext) -> Done | Wait:
        """Put the public key in its draft, unless it is there."""
        issuer_id, counter, draft = job.arguments["issuer_id"], job.arguments["counter"], job.arguments["draft"]
        scheme_id, _, issuer = issuer_id.partition(".")
        path = f"{issuer}/PublicKeys/{counter}.xml"
        content = self._custody.issuer_keys.public_key(issuer_id, counter)
        title = f"Key {counter} of {issuer}"
        try:
            if draft not in self._store.drafts(scheme_id):
                self._schemes.start_draft(job.actor, scheme_id, title, draft)
            head = self._store.draft(scheme_id, draft)
            if self._store.tree(scheme_id, head).get(path) != content:
                self._schemes.save(job.actor, scheme_id, draft, {path: content}, title, expected=head)
        except DraftConflictError:
            return Wait(job.clock() + timedelta(seconds=1), message="somebody else is saving the draft")
        return Done({"draft": draft})

    # --- rotation ---

    def publish(self, actor: Actor, issuer_id: str, counter: int, reason: str = "") -> PublicationInfo:
        """Publish the draft that holds a generated key's public part; it is rebased first where a newer version was published.

        Raises:
            KeyRotationError: there is no such draft, or the key is published already.
        """
        scheme_id = issuer_id.partition(".")[0]
        authorize(actor, Action.SCHEME_PUBLISH, scheme_scope(scheme_id))
        key = self._custody.issuer_keys.get(actor, issuer_id, counter)
        if key.state is not IssuerKeyState.GENERATED:
            raise KeyRotationError(Message("key %(key)s is published already", key=f"{issuer_id}-{counter}"))
        draft = self._find_draft(key)
        if draft is None:
            raise KeyRotationError(
                f"no draft holds the public key {issuer_id}-{counter}", next_step="Add the key’s file to a draft, and publish that."
            )
        if self._schemes.draft(actor, scheme_id, draft).is_stale:
            conflicts = self._drafts.rebase(actor, scheme_id, draft).conflicts
            if conflicts:
                raise PublicationRejectedError(
                    Message("the draft and the published version changed the same: open the draft, rebase it there, and choose"),
                    [f"{conflict.path} {conflict.key}".strip() for conflict in conflicts],
                )
        return self._publishing.publish(actor, scheme_id, draft, reason)

    def look(self, actor: Actor, issuer_id: str, counter: int) -> IssuerKeyInfo:
        """Fetch a public key from the public address, as a client would, and note that it was seen.

        Raises:
            NotLiveError: it is not there, or not this one.
            KeyRotationError: its public key was never published.
        """
        authorize(actor, Action.ISSUER_KEY_ROTATE, issuer_scope(issuer_id))
        key = self._custody.issuer_keys.get(actor, issuer_id, counter)
        if key.state is IssuerKeyState.GENERATED:
            raise KeyRotationError(
                Message("the public key %(key)s is not published yet", key=f"{issuer_id}-{counter}"),
                next_step=Message("Publish its draft first."),
            )
        self._demand_live(key)
        if key.state is IssuerKeyState.PUBLISHED:
            self._custody.issuer_keys.move(actor, issuer_id, counter, IssuerKeyState.SEEN_LIVE)
        return self.get(actor, issuer_id, counter)

    def activate(self, actor: Actor, issuer_id: str, counter: int, reason: str = "") -> IssuerKeyInfo:
        """Have the gateway issue with a key from now on.

        Raises:
            KeyRotationError: it is not seen live, its waiting period is not over, it expired, or its private part is elsewhere.
        """
        authorize(actor, Action.ISSUER_KEY_ROTATE, issuer_scope(issuer_id))
        key = self._custody.issuer_keys.get(actor, issuer_id, counter)
        reason_closed = self._closed(key)
        if reason_closed:
            raise KeyRotationError(reason_closed)
        try:
            self._demand_live(key)
        except NotLiveError as error:
            raise KeyRotationError(f"the public key is not seen at the public address now: {error}") from error
        self._custody.issuer_keys.move(actor, issuer_id, counter, IssuerKeyState.ACTIVE, reason=reason or None)
        return self.get(actor, issuer_id, counter)

    def retire(self, actor: Actor, issuer_id: str, counter: int, reason: str = "") -> IssuerKeyInfo:
        """Have the gateway never again issue with a key; credentials under it stay verifiable.

        Raises:
            KeyRotationError: no newer key issues yet.
        """
        authorize(actor, Action.ISSUER_KEY_ROTATE, issuer_scope(issuer_id))
        keys = self._custody.issuer_keys.list(actor, issuer_id)
        key = next((found for found in keys if found.counter == counter), None)
        if key is None:
            raise NotFoundError("issuer key", f"{issuer_id}-{counter}")
        newer = any(other.counter > counter and other.state is IssuerKeyState.ACTIVE for other in keys)
        if key.state is IssuerKeyState.ACTIVE and not newer:
            raise KeyRotationError(
                Message("no newer key of %(issuer)s issues yet", issuer=issuer_id), next_step=Message("Activate the next key first.")
            )
        self._custody.issuer_keys.move(actor, issuer_id, counter, IssuerKeyState.RETIRED, reason=reason or None)
        return self.get(actor, issuer_id, counter)

    def rotation(self, actor: Actor, issuer_id: str) -> RotationView:
        """How far the rotation of an issuer is, with evidence for what is done and the reason for what is closed.

        Raises:
            NotFoundError: there is no such issuer.
        """
        authorize(actor, Action.ISSUER_KEY_VIEW, issuer_scope(issuer_id))
        keys = [key for key in self.list(actor, issuer_id) if key.custody is not KeyCustody.ELSEWHERE or key.state is KeyState.ACTIVE]
        if not keys:
            self.need(actor, issuer_id)
        active = [key for key in keys if key.state is KeyState.ACTIVE]
        coming = [
            key
            for key in keys
            if key.state in (KeyState.GENERATING, KeyState.FAILED, KeyState.GENERATED, KeyState.PUBLISHED, KeyState.SEEN_LIVE)
            and (not active or key.counter > active[-1].counter)
        ]
        if coming:
            old, new = (active[-1] if active else None), coming[-1]
        elif len(active) > 1:
            old, new = active[-2], active[-1]
        else:
            old, new = (active[-1] if active else None), None
        draft = publication = None
        if new is not None and new.state is KeyState.GENERATED:
            registered = self._custody.issuer_keys.get(actor, issuer_id, new.counter)
            draft = self._find_draft(registered)
            publication = self._publication_of(actor, issuer_id, draft)
        return _rotation_view(issuer_id, old, new, draft, publication, self._closed_reason(actor, issuer_id, new))

    # --- inside ---

    def _closed_reason(self, actor: Actor, issuer_id: str, new: IssuerKeyInfo | None) -> str:
        if new is None or new.state not in (KeyState.PUBLISHED, KeyState.SEEN_LIVE):
            return ""
        return self._closed(self._custody.issuer_keys.get(actor, issuer_id, new.counter))

    def _closed(self, key: RegisteredKey) -> str:
        """Why a key may not be activated yet; empty where it may."""
        name = f"{key.issuer_id}-{key.counter}"
        if key.state is IssuerKeyState.ACTIVE:
            return ""
        if key.state is IssuerKeyState.GENERATED:
            return Message("the public key %(key)s is not published yet", key=name)
        if key.state is IssuerKeyState.RETIRED:
            return Message("key %(key)s is retired", key=name)
        if not key.in_custody:
            return Message("the private key %(key)s is not in custody", key=name)
        if key.expires_at <= self._clock():
            return Message("key %(key)s has expired", key=name)
        if key.state is IssuerKeyState.PUBLISHED or key.seen_live_at is None:
            return Message("the public key %(key)s was not seen at the public address yet", key=name)
        opens_at = self._may_activate_at(key)
        if opens_at is not None and self._clock() < opens_at:
            return Message(
                "wallets and servers need time to learn key %(key)s: possible from %(moment)s UTC",
                key=name,
                moment=f"{opens_at:%Y-%m-%d %H:%M}",
            )
        return ""

    def _may_activate_at(self, key: RegisteredKey) -> datetime | None:
        if key.seen_live_at is None:
            return None
        demo = self._schemes.channel(key.issuer_id.partition(".")[0]) is Channel.DEMO and not self._settings.production
        return key.seen_live_at + (self._settings.demo_waiting_period if demo else self._settings.waiting_period)

    def _demand_live(self, key: RegisteredKey) -> None:
        """Fetch a public key as a client does: from the index signed by the key that clients have."""
        scheme_id, _, issuer = key.issuer_id.partition(".")
        published = self._store.published(scheme_id, self._schemes.branch(scheme_id))
        if published is None:
            raise NotLiveError(f"scheme {scheme_id} was never published")
        path = f"{issuer}/PublicKeys/{key.counter}.xml"
        with self._schemes.public_address(scheme_id).open() as fetcher:
            index = fetch_index(fetcher, scheme_id, self._store.tree(scheme_id, published)["pk.pem"])
            content = fetch_listed(fetcher, index.hashes, path)
        if PublicKey.from_xml(content).fingerprint() != key.fingerprint:
            raise NotLiveError(f"{path} is served, but it is another key")

    def _tree(self, scheme_id: str, draft: str) -> SchemeTree:
        """The published version, or a draft, or the first draft of a scheme never published."""
        if draft:
            return self._store.tree(scheme_id, self._store.draft(scheme_id, draft))
        published = self._store.published(scheme_id, self._schemes.branch(scheme_id))
        if published is not None:
            return self._store.tree(scheme_id, published)
        drafts = self._store.drafts(scheme_id)
        if not drafts:
            raise NotFoundError("version of scheme", scheme_id)
        return self._store.tree(scheme_id, drafts[min(drafts)])

    def _highest_published(self, scheme_id: str, issuer: str) -> int:
        """The highest counter that a key of the issuer ever had in a published version, also of one that was removed; -1 for none."""
        published = self._store.published(scheme_id, self._schemes.branch(scheme_id))
        paths = () if published is None else self._store.ever_published(scheme_id, published).paths
        return highest_counters(paths).get(issuer, -1)

    def _draft_for(self, issuer_id: str, counter: int) -> str:
        """The draft that a new public key goes to."""
        scheme_id, _, issuer = issuer_id.partition(".")
        drafts = self._store.drafts(scheme_id)
        if drafts and self._store.published(scheme_id, self._schemes.branch(scheme_id)) is None:
            return min(drafts)
        return f"key-{issuer.lower().replace('_', '-')}-{counter}"

    def _find_draft(self, key: RegisteredKey) -> str | None:
        """A draft that holds a key's public part."""
        scheme_id, _, issuer = key.issuer_id.partition(".")
        path = f"{issuer}/PublicKeys/{key.counter}.xml"
        content = self._custody.issuer_keys.public_key(key.issuer_id, key.counter)
        drafts = self._store.drafts(scheme_id)
        own = self._draft_for(key.issuer_id, key.counter)
        for name in sorted(drafts, key=lambda name: (name != own, name)):
            if self._store.tree(scheme_id, drafts[name]).get(path) == content:
                return name
        return None

    def _publication_of(self, actor: Actor, issuer_id: str, draft: str | None) -> PublicationInfo | None:
        """The newest publication of a draft."""
        for publication in self._publishing.list(actor, issuer_id.partition(".")[0], limit=20):
            if draft is not None and publication.draft == draft:
                return publication
        return None

    def _generations(self, *, unfinished: bool = False) -> Sequence[JobInfo]:
        """The jobs that generate keys and have not brought one; finished ones only of late, the oldest first."""
        jobs = self._jobs.list(system_actor("issuer keys"), kind=KIND, unfinished=unfinished, limit=200)
        recent = self._clock() - timedelta(days=7)
        return [
            job
            for job in reversed(jobs)
            if not job.has_ended or (job.state is JobState.FAILED and job.finished_at is not None and job.finished_at > recent)
        ]

    def _generating(self, job: JobInfo, trees: dict[str, SchemeTree | None]) -> IssuerKeyInfo:
        wanted: dict[str, Any] = dict(job.arguments)
        return IssuerKeyInfo(
            f"{wanted['issuer_id']}-{wanted['counter']}",
            wanted["issuer_id"],
            wanted["counter"],
            self._issuer_name(wanted["issuer_id"], trees),
            wanted["bits"],
            wanted["bases"],
            job.created_at,
            None,
            KeyState.FAILED if job.has_ended else KeyState.GENERATING,
            KeyCustody.KEYSTORE,
            "",
            None,
            None,
            None,
            None,
            None,
            job.id,
            None if job.has_ended else job.progress,
        )

    def _registered(self, key: RegisteredKey, trees: dict[str, SchemeTree | None]) -> IssuerKeyInfo:
        return IssuerKeyInfo(
            f"{key.issuer_id}-{key.counter}",
            key.issuer_id,
            key.counter,
            self._issuer_name(key.issuer_id, trees),
            key.modulus_bits,
            key.bases,
            key.created_at,
            key.expires_at,
            KeyState(key.state.value),
            KeyCustody.KEYSTORE if key.in_custody else KeyCustody.ELSEWHERE,
            key.fingerprint,
            key.published_at,
            key.seen_live_at,
            self._may_activate_at(key) if key.state is IssuerKeyState.SEEN_LIVE else None,
            key.activated_at,
            key.retired_at,
            None,
            None,
        )

    def _issuer_name(self, issuer_id: str, trees: dict[str, SchemeTree | None]) -> dict[str, str]:
        """What an issuer is called; `trees` keeps the schemes that were read for one list."""
        scheme_id, _, issuer = issuer_id.partition(".")
        if scheme_id not in trees:
            try:
                trees[scheme_id] = self._tree(scheme_id, "")
            except NotFoundError:
                trees[scheme_id] = None
        tree = trees[scheme_id]
        return {} if tree is None else reading.issuer_name(tree, issuer)


def _rotation_view(
    issuer_id: str,
    old: IssuerKeyInfo | None,
    new: IssuerKeyInfo | None,
    draft: str | None,
    publication: PublicationInfo | None,
    closed: str,
) -> RotationView:
    """The five stages, from the states of the two keys."""
    order = (KeyState.GENERATED, KeyState.PUBLISHED, KeyState.SEEN_LIVE, KeyState.ACTIVE)
    reached = order.index(new.state) + 1 if new is not None and new.state in order else 0
    times = (
        None if new is None else new.created_at,
        None if new is None else new.published_at,
        None if new is None else new.seen_live_at,
        None if new is None else new.activated_at,
        None if old is None else old.retired_at,
    )
    names = ("generate", "publish", "seen_live", "activate", "retire")
    stages = []
    for position, (name, at) in enumerate(zip(names, times, strict=True)):
        done = position < reached
        stages.append(StepView(name, StepState.DONE if done else StepState.TO_DO, at if done else None))
    next_action = ("generate", "publish", "look", "activate", "retire")[reached]
    if new is not None and new.state is KeyState.GENERATING:
        stages[0] = StepView("generate", StepState.RUNNING)
        next_action, closed = "", "the key is being generated"
    elif new is not None and new.state is KeyState.FAILED:
        stages[0] = StepView("generate", StepState.FAILED)
    elif publication is not None and publication.state is PublicationState.PUBLISHING:
        stages[1] = StepView("publish", StepState.RUNNING)
        next_action, closed = "", "the public key is being published"
    elif publication is not None and publication.state is PublicationState.FAILED:
        stages[1] = StepView("publish", StepState.FAILED, None, publication.error)
    elif next_action == "activate" and closed:
        stages[3] = StepView("activate", StepState.WAITING, None, closed)
    elif next_action == "look":
        stages[2] = StepView("seen_live", StepState.WAITING)
        closed = ""
    return RotationView(issuer_id, old, new, tuple(stages), draft, None if publication is None else publication.id, next_action, closed)
