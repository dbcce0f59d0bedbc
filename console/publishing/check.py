"""The check of a version before it is published: the verdict of the verification on the tree as it would be signed, and compatibility."""

from console.errors import Incompatibility
from console.publishing.compatibility import compare
from console.publishing.history import EverPublished
from console.schemes.models import CheckResult, FindingView
from console.schemes.store import content_hash
from gateway.inputs import Message
from gateway.models import Channel
from idemix.errors import IdemixError
from idemix.scheme import keys
from idemix.scheme.findings import Finding
from idemix.scheme.signing import previous_timestamp, sign_tree
from idemix.scheme.tree import SchemeTree
from idemix.scheme.verdict import SchemeVerdict
from idemix.scheme.verify import verify_scheme


def check_version(
    scheme_id: str,
    channel: Channel,
    tree_hash: str,
    proposed: SchemeTree,
    published: SchemeTree | None,
    ever: EverPublished | None,
    *,
    now: int,
    signs_anew: bool = False,
) -> CheckResult:
    """Check a version on a copy that is signed with a throw-away key; nothing is published.

    Args:
        scheme_id, channel: the scheme.
        tree_hash: git's hash of the proposed tree.
        proposed: its files.
        published: the newest version that clients have, or None.
        ever: every version that they may have, or None.
        now: Unix seconds.
        signs_anew: the published content itself is to be signed again, so that nothing need have changed.
    """
    refusals: list[str] = []
    findings: list[FindingView] = []
    status = "ParsingError"
    incompatibilities: tuple[Incompatibility, ...] = ()
    if published is not None:
        incompatibilities = compare(scheme_id, published, proposed, ever)
        if not signs_anew and content_hash(published) == content_hash(proposed):
            refusals.append(Message("Nothing was changed: the content is the published one."))
    try:
        verdict = verify_scheme(_signed(proposed, latest_timestamp(published, ever), now), now=now)
    except IdemixError as error:
        findings.append(FindingView("error", str(getattr(error, "where", "")), "", "signing", str(error)))
    else:
        status = verdict.status.value
        findings += finding_views(verdict)
        refusals += _other_refusals(scheme_id, channel, verdict, proposed)
    errors = sum(finding.level == "error" for finding in findings)
    if errors:
        refusals.append(
            Message("The check found %(number)s errors.", number=errors) if errors > 1 else Message("The check found an error.")
        )
    if incompatibilities:
        what = " ".join(f"{finding.message} {finding.alternative}" for finding in incompatibilities)
        refusals.append(Message("Installed clients could not follow: %(what)s", what=what))
    return CheckResult(status, tuple(findings), incompatibilities, tree_hash, not refusals, tuple(refusals))


def finding_views(verdict: SchemeVerdict) -> list[FindingView]:
    """The findings of a verdict, errors first."""

    def views(level: str, findings: tuple[Finding, ...]) -> list[FindingView]:
        return [FindingView(level, found.path, found.field, found.rule, found.message) for found in findings]

    return [*views("error", verdict.errors), *views("warning", verdict.warnings), *views("lint", verdict.lint)]


def is_private(path: str) -> bool:
    """Whether a file of a scheme is a private key; only demo schemes publish these."""
    return path == "sk.pem" or "PrivateKeys" in path.split("/")[:-1]


def latest_timestamp(published: SchemeTree | None, ever: EverPublished | None) -> int | None:
    """The highest timestamp that was ever published: the next version's must exceed it, since clients fetch only what is later."""
    found = (None if published is None else previous_timestamp(published), None if ever is None else ever.latest_timestamp)
    return max((timestamp for timestamp in found if timestamp is not None), default=None)


def _signed(proposed: SchemeTree, before: int | None, now: int) -> SchemeTree:
    key = keys.generate_scheme_key()
    moment = now if before is None else max(now, before + 1)
    public_key = keys.print_public_key(key.public_key())
    return sign_tree(proposed, lambda index: keys.sign(key, index), public_key, now=moment, previous=before)


def _other_refusals(scheme_id: str, channel: Channel, verdict: SchemeVerdict, proposed: SchemeTree) -> list[str]:
    refusals: list[str] = []
    if verdict.contents is not None:
        if verdict.contents.scheme.demo != (channel is Channel.DEMO):
            refusals.append(
                Message("The scheme calls itself demo, but its channel is another.")
                if verdict.contents.scheme.demo
                else Message("The channel is demo, but the scheme does not call itself so.")
            )
        if verdict.scheme_id != scheme_id:
            refusals.append(Message("The description names scheme %(found)s, not %(scheme)s.", found=verdict.scheme_id, scheme=scheme_id))
    private = [path for path in proposed if is_private(path)]
    if private and channel is not Channel.DEMO:
        refusals.append(Message("%(path)s: a private key may not be published.", path=private[0]))
    return refusals
