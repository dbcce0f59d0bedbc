"""Every change that breaks installed clients is refused, with reason and alternative, by check and publication; every other passes."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from console.errors import Incompatibility, PublicationRejectedError, SchemeImportError
from console.publishing.compatibility import compare
from console.publishing.git import Repository
from console.schemes.models import CheckResult, SchemeImport
from gateway.actor import Actor, ActorKind, Grant, Role
from gateway.custody.signer import PublishedVersion, Signature, Signer
from gateway.models import PublicationState
from gateway.scheme_files import read_tree
from idemix.scheme import keys
from idemix.scheme.tree import SchemeTree
from tests.console.conftest import NOW, Installation, MovingClock, make_installation
from tests.support.histories import add_version, make_history, signed
from tests.support.shared import shared

Files = dict[str, bytes]
ACTOR = Actor(ActorKind.USER, "noor", (Grant(Role.ADMIN),))
CARD = "RU/Issues/studentCard/description.xml"
BALLOT = "stemmen/Issues/stempas/description.xml"
PASS = "RU/Issues/libraryPass/description.xml"
KEY = "RU/PublicKeys/2.xml"
GONE_KEY = "RU/PublicKeys/3.xml"

#: Unix seconds of the versions that `published_before` makes. The oldest was signed with a clock that ran ahead.
AHEAD, EARLIER, NEWEST = (int(NOW.timestamp()) + seconds for seconds in (1_000_000, -2000, -1000))


def published_now() -> Files:
    """The newest version."""
    return dict(read_tree(shared("schemes", "mutant-base", "irma-demo"))) | {"kss-0.pem": b"key 0\n"}


def published_before() -> Files:
    """An earlier version, with an attribute, a credential type and keys that the newest one has no more."""
    files = published_now() | {"kss-1.pem": b"key 1\n"}
    files[GONE_KEY] = files[KEY].replace(b"<Counter>2", b"<Counter>3")
    files[PASS] = files[CARD].replace(b"<CredentialID>studentCard", b"<CredentialID>libraryPass")
    added(b' optional="true"', name=b"booth", path=BALLOT)(files)
    return files


@dataclass(frozen=True)
class Ground:
    """An installation with the scheme, the files that are published, and the commits of all its versions, the oldest first."""

    installation: Installation
    published: Files
    commits: tuple[str, ...]

    def draft(self, change: Callable[[Files], None]) -> str:
        """A draft with the change."""
        schemes = self.installation.services.schemes
        proposed = dict(self.published)
        change(proposed)
        draft = schemes.start_draft(ACTOR, "irma-demo", "Change").name
        paths = sorted(path for path in proposed.keys() | self.published.keys() if proposed.get(path) != self.published.get(path))
        if paths:
            schemes.save(ACTOR, "irma-demo", draft, {path: proposed.get(path) for path in paths}, "Change")
        return draft

    def check(self, change: Callable[[Files], None]) -> CheckResult:
        """What the check says of the change."""
        draft = self.draft(change)
        try:
            return self.installation.services.schemes.check(ACTOR, "irma-demo", draft)
        finally:
            self.installation.services.schemes.discard_draft(ACTOR, "irma-demo", draft)

    def refusal(self, change: Callable[[Files], None]) -> tuple[CheckResult, PublicationRejectedError]:
        """What the check says of the change, and the error of publishing it."""
        services = self.installation.services
        draft = self.draft(change)
        try:
            with pytest.raises(PublicationRejectedError) as caught:
                services.publishing.publish(ACTOR, "irma-demo", draft)
            return services.schemes.check(ACTOR, "irma-demo", draft), caught.value
        finally:
            services.schemes.discard_draft(ACTOR, "irma-demo", draft)


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite_file: Path) -> Iterator[Ground]:
    for installation in make_installation(tmp_path_factory.mktemp("versions"), migrated_sqlite_file, MovingClock()):
        versions = [published_now(), published_before(), published_now()]
        repository = make_history(installation.directory / "remote.git", versions, [AHEAD, EARLIER, NEWEST])
        installation.services.schemes.import_scheme(ACTOR, SchemeImport(str(repository.path)))
        log = repository.log(repository.resolve("refs/heads/main"))
        yield Ground(installation, repository.read("refs/heads/main"), tuple(info.hash for info in reversed(log)))


def replaced(path: str, old: bytes, new: bytes) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        assert old in files[path], (path, old)
        files[path] = files[path].replace(old, new, 1)

    return change


def removed(path: str) -> Callable[[Files], None]:
    return lambda files: files.__delitem__(path)


def moved(path: str, to: str) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        files[to] = files.pop(path)

    return change


def attributes_reordered(files: Files) -> None:
    found = re.findall(rb"<Attribute .*?</Attribute>", files[CARD], re.DOTALL)
    content = files[CARD].replace(found[0], b"@").replace(found[1], found[0]).replace(b"@", found[1])
    files[CARD] = content


def attribute_removed(files: Files) -> None:
    files[CARD] = re.sub(rb'<Attribute id="level".*?</Attribute>', b"", files[CARD], flags=re.DOTALL)


def first_attribute_removed(files: Files) -> None:
    files[CARD] = re.sub(rb"<Attribute .*?</Attribute>", b"", files[CARD], count=1, flags=re.DOTALL)


def added(flags: bytes, *, name: bytes = b"fresh", path: str = CARD, first: bool = False) -> Callable[[Files], None]:
    new = b'<Attribute id="' + name + b'"' + flags + b"><Name><en>x</en></Name><Description><en>x</en></Description></Attribute>"
    return replaced(path, b"<Attributes>", b"<Attributes>" + new) if first else replaced(path, b"</Attributes>", new + b"</Attributes>")


def key_copied(counter: int, *, path: str = KEY) -> Callable[[Files], None]:
    """A key under another counter of RU, such that the file itself is in order."""

    def change(files: Files) -> None:
        content = re.sub(rb"<Counter>\d+", b"<Counter>%d" % counter, files[path])
        files[f"RU/PublicKeys/{counter}.xml"] = content

    return change


def as_before(path: str, *changes: Callable[[Files], None]) -> Callable[[Files], None]:
    """A file as the earlier version had it, and then changed."""

    def change(files: Files) -> None:
        files[path] = published_before()[path]
        for more in changes:
            more(files)

    return change


def several(*changes: Callable[[Files], None]) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        for one in changes:
            one(files)

    return change


def last_digit_changed(element: str) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        found = re.search(rb"<%b>\d*(\d)</%b>" % (element.encode(), element.encode()), files[KEY])
        assert found is not None
        digit = b"%d" % ((int(found[1]) + 2) % 10)
        files[KEY] = files[KEY][: found.start(1)] + digit + files[KEY][found.end(1) :]

    return change


def another_scheme_key(files: Files) -> None:
    files["pk.pem"] = keys.print_public_key(keys.generate_scheme_key().public_key())


BREAKING: dict[str, tuple[Callable[[Files], None], str]] = {
    "scheme id": (replaced("description.xml", b"<Id>irma-demo</Id>", b"<Id>other</Id>"), "scheme-id-changed"),
    "scheme type": (replaced("description.xml", b"</Id>", b"</Id><SchemeType>requestor</SchemeType>"), "scheme-type-changed"),
    "scheme description": (removed("description.xml"), "scheme-description-removed"),
    "issuer removed": (removed("RU/description.xml"), "issuer-removed"),
    "issuer renamed": (moved("RU/description.xml", "RUN/description.xml"), "issuer-removed"),
    "type removed": (removed(CARD), "credential-type-removed"),
    "type renamed": (moved(CARD, "RU/Issues/card/description.xml"), "credential-type-removed"),
    "last attribute removed": (attribute_removed, "attribute-removed"),
    "first attribute removed": (first_attribute_removed, "attribute-removed"),
    "attribute renamed": (replaced(CARD, b'id="level"', b'id="grade"'), "attribute-renamed"),
    "attributes reordered": (attributes_reordered, "attribute-moved"),
    "attribute inserted": (added(b' optional="true"', first=True), "attribute-moved"),
    "required attribute appended": (added(b""), "required-attribute-added"),
    "optional only in name": (added(b' optional="TRUE"'), "required-attribute-added"),
    "random blind set": (replaced(CARD, b'id="level"', b'id="level" randomblind="true"'), "random-blind-changed"),
    "revocation set": (replaced(CARD, b'id="level"', b'id="level" revocation="true"'), "revocation-changed"),
    "random blind and optional in one": (
        replaced(CARD, b'id="level"', b'id="level" optional="true" randomblind="true"'),
        "random-blind-changed",
    ),
    "became singleton": (replaced(BALLOT, b"<ShouldBeSingleton>false", b"<ShouldBeSingleton>true"), "became-singleton"),
    "key removed": (removed(KEY), "key-removed"),
    "key renumbered": (moved(KEY, "RU/PublicKeys/3.xml"), "key-removed"),
    "modulus": (last_digit_changed("n"), "key-altered"),
    "Z": (last_digit_changed("Z"), "key-altered"),
    "S": (last_digit_changed("S"), "key-altered"),
    "base": (last_digit_changed("Base_0"), "key-altered"),
    "counter": (replaced(KEY, b"<Counter>2", b"<Counter>1"), "key-altered"),
    "base out of range": (replaced(KEY, b"<Base_0>", b"<Base_0>1"), "key-altered"),
    "counter reused": (key_copied(0), "key-counter-reused"),
    "counter leaves a gap": (key_copied(5), "key-counter-gap"),
    "keyshare key changed": (lambda files: files.__setitem__("kss-0.pem", b"other\n"), "keyshare-key-altered"),
    "keyshare key removed": (removed("kss-0.pem"), "keyshare-key-removed"),
    "scheme key": (another_scheme_key, "scheme-key-changed"),
}

#: Against the earlier version: what was removed since then, and comes back with another meaning.
BREAKING_EARLIER: dict[str, tuple[Callable[[Files], None], str]] = {
    "attribute in the place of one that went": (added(b' optional="true"', path=BALLOT), "attribute-renamed"),
    "attribute that went, behind another": (
        several(added(b' optional="true"', path=BALLOT), added(b' optional="true"', name=b"booth", path=BALLOT)),
        "attribute-moved",
    ),
    "attribute that went, now required": (added(b"", name=b"booth", path=BALLOT), "attribute-became-required"),
    "attribute that went, now random blind": (added(b' randomblind="true"', name=b"booth", path=BALLOT), "random-blind-changed"),
    "type that went, with another attribute": (as_before(PASS, replaced(PASS, b'id="level"', b'id="grade"')), "attribute-renamed"),
    "type that went, in another order": (
        as_before(
            PASS,
            replaced(PASS, b'id="level"', b'id="@"'),
            replaced(PASS, b'id="studentID"', b'id="level"'),
            replaced(PASS, b'"@"', b'"studentID"'),
        ),
        "attribute-moved",
    ),
    "counter of a key that went": (key_copied(3, path="MijnOverheid/PublicKeys/1.xml"), "key-counter-reused"),
    "keyshare key that went": (lambda files: files.__setitem__("kss-1.pem", b"another\n"), "keyshare-key-altered"),
}

HARMLESS: dict[str, Callable[[Files], None]] = {
    "text": replaced(CARD, b"Student Card", b"Card"),
    "optional attribute appended": added(b' optional="true"'),
    "random-blind attribute appended": added(b' randomblind="true"'),
    "attribute made optional": replaced(CARD, b'id="level"', b'id="level" optional="true"'),
    "order of display": replaced(CARD, b'id="level"', b'id="level" displayIndex="0"'),
    "hint for display": replaced(CARD, b'id="level"', b'id="level" displayHint="sensitive"'),
    "singleton no more": replaced(CARD, b"<ShouldBeSingleton>true", b"<ShouldBeSingleton>false"),
    "deprecation": replaced(CARD, b"</IssueSpecification>", b"<DeprecatedSince>1700000000</DeprecatedSince></IssueSpecification>"),
    "issuer deprecated": replaced("RU/description.xml", b"</Issuer>", b"<DeprecatedSince>1700000000</DeprecatedSince></Issuer>"),
    "address moved": replaced("description.xml", b"<Url>https://schemes.yivi.app/", b"<Url>https://new.example/"),
    "address of issuing removed": lambda files: files.__setitem__(
        CARD, re.sub(rb"<IssueURL>.*?</IssueURL>", b"", files[CARD], flags=re.DOTALL)
    ),
    "expiry extended": lambda files: files.__setitem__(KEY, re.sub(rb"<ExpiryDate>\d+", b"<ExpiryDate>2000000000", files[KEY])),
    "next key": key_copied(4),
    "key that went, as it was": as_before(GONE_KEY),
    "key that went, and the next": several(as_before(GONE_KEY), key_copied(4)),
    "type that went, as it was": as_before(PASS),
    "type that went, with another text": as_before(PASS, replaced(PASS, b"Student Card", b"Pass")),
    "attribute that went, as it was": added(b' optional="true"', name=b"booth", path=BALLOT),
    "attribute that went, and another": several(
        added(b' optional="true"', name=b"booth", path=BALLOT), added(b' optional="true"', path=BALLOT)
    ),
    "text of a type that lost an attribute": replaced(
        BALLOT, b"<ShouldBeSingleton>", b"<IsInCredentialStore>false</IsInCredentialStore><ShouldBeSingleton>"
    ),
    "new type": lambda files: files.__setitem__(
        "RU/Issues/fresh/description.xml", files[CARD].replace(b"<CredentialID>studentCard", b"<CredentialID>fresh")
    ),
    "keyshare key that went, as it was": as_before("kss-1.pem"),
    "next keyshare key": lambda files: files.__setitem__("kss-2.pem", b"key 2\n"),
    "logo removed": removed("RU/logo.png"),
}


def named(result: CheckResult, rule: str) -> Incompatibility:
    """The incompatibility of a rule, after what holds of all was seen."""
    assert not result.may_publish
    for finding in result.incompatibilities:
        assert finding.subject.partition(".")[0].partition("-1")[0] in ("irma-demo", "other")
        assert finding.path
        assert finding.message.endswith(".")
        assert finding.alternative.endswith(".")
        assert any(finding.message in refusal and finding.alternative in refusal for refusal in result.refusals)
    found = [finding for finding in result.incompatibilities if finding.rule == rule]
    assert found, [finding.rule for finding in result.incompatibilities]
    return found[0]


@pytest.mark.feature("A5.1")
@pytest.mark.feature("A5.2")
@pytest.mark.parametrize("name", BREAKING)
def test_a_change_that_breaks_clients_is_refused_with_reason_and_alternative(name: str, ground: Ground) -> None:
    change, rule = BREAKING[name]
    result, error = ground.refusal(change)
    finding = named(result, rule)
    assert (finding.since, finding.since_at) == ("", None)
    assert finding.message in error.diagnostics()
    assert finding.alternative in error.diagnostics()


@pytest.mark.feature("A5.1")
@pytest.mark.feature("A5.2")
@pytest.mark.parametrize("name", BREAKING_EARLIER)
def test_what_an_earlier_version_gave_away_keeps_its_meaning(name: str, ground: Ground) -> None:
    change, rule = BREAKING_EARLIER[name]
    result, error = ground.refusal(change)
    finding = named(result, rule)
    assert (finding.since, int(finding.since_at.timestamp()) if finding.since_at else None) == (ground.commits[1], EARLIER)
    assert finding.message in error.diagnostics()
    assert finding.alternative in error.diagnostics()


@pytest.mark.parametrize("name", HARMLESS)
def test_a_change_that_clients_follow_passes(name: str, ground: Ground) -> None:
    result = ground.check(HARMLESS[name])
    assert result.incompatibilities == ()
    assert (result.refusals, result.may_publish) == ((), True)


@pytest.mark.parametrize("change", [lambda files: None, lambda files: files.update({"index": b"", "index.sig": b"", "timestamp": b"1\n"})])
def test_what_signing_makes_is_no_change(change: Callable[[Files], None], ground: Ground) -> None:
    result = ground.check(change)
    assert result.incompatibilities == ()
    assert result.refusals == ("Nothing was changed: the content is the published one.",)


def test_at_least_twenty_five_kinds_are_refused() -> None:
    assert len(BREAKING) + len(BREAKING_EARLIER) >= 35


def test_the_next_key_of_an_issuer_is_above_all_that_it_ever_had(ground: Ground) -> None:
    finding = named(ground.check(key_copied(3, path="MijnOverheid/PublicKeys/1.xml")), "key-counter-reused")
    assert finding.alternative == "The next free counter is 4."
    assert named(ground.check(key_copied(0)), "key-counter-reused").alternative == "The next free counter is 4."
    assert ground.installation.services.issuer_keys.need(ACTOR, "irma-demo.RU").counter == 4


class _LateSigner:
    """Signs as a device whose clock stands still."""

    def __init__(self, timestamp: int) -> None:
        self._timestamp = timestamp

    def sign(self, tree: SchemeTree) -> Signature:
        return Signature(signed(tree, self._timestamp), "none")


@pytest.mark.feature("A5.1")
def test_a_timestamp_that_does_not_rise_above_all_is_refused(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    installation, services = ground.installation, ground.installation.services
    remote = Repository(installation.directory / "remote.git")

    def stuck(_actor: Actor, _scheme_id: str, published: PublishedVersion | None) -> Signer:
        assert published is not None
        assert published.timestamp == AHEAD
        return _LateSigner(AHEAD)

    monkeypatch.setattr(services.publishing, "_signer_for", stuck)
    publication = services.publishing.publish(ACTOR, "irma-demo")
    installation.run_jobs()
    ended = services.publishing.get(ACTOR, publication.id)
    assert ended.state is PublicationState.FAILED
    assert "does not rise" in ended.error
    assert remote.head("refs/heads/main") == ground.commits[-1]
    monkeypatch.undo()


def test_a_version_is_signed_later_than_all_that_were_published(
    tmp_path: Path, migrated_sqlite_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for installation in make_installation(tmp_path, migrated_sqlite_file, MovingClock()):
        services = installation.services
        remote = make_history(installation.directory / "remote.git", [published_now()] * 2, [AHEAD, NEWEST])
        services.schemes.import_scheme(ACTOR, SchemeImport(str(remote.path)))
        # Somebody else pushes a version that is later than the newest one, but not than the one before it.
        elsewhere = add_version(remote, published_now() | {"README.md": b"x"}, AHEAD, "Elsewhere")
        with pytest.raises(SchemeImportError, match="timestamp does not rise"):
            services.schemes.pull(ACTOR, "irma-demo")
        add_version(remote, published_now() | {"README.md": b"x"}, AHEAD + 1, "Later")
        assert services.schemes.pull(ACTOR, "irma-demo").commit != elsewhere
        services.publishing.publish(ACTOR, "irma-demo")
        installation.run_jobs()
        assert remote.read_file("refs/heads/main", "timestamp") == b"%d\n" % (AHEAD + 2)


def test_the_updated_version_of_the_reference_is_compatible() -> None:
    old: Path = shared("schemes", "testdata", "irma_configuration", "irma-demo")
    new: Path = shared("schemes", "testdata", "irma_configuration_updated", "irma-demo")
    assert {finding.rule for finding in compare("irma-demo", read_tree(old), read_tree(new))} <= {"required-attribute-added"}
