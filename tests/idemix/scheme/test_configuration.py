import pytest

from idemix.errors import MalformedKeyError, MalformedSchemeError, UnknownIdentifierError, UnknownPublicKeyError
from idemix.scheme.configuration import Configuration, verify_configuration
from idemix.scheme.findings import SchemeStatus
from idemix.scheme.identifiers import AttributeTypeId, CredentialTypeId, IssuerId, RequestorSchemeId, SchemeManagerId
from idemix.scheme.tree import SchemeTree
from tests.support.schemes import NOW, issuer_key, library_draft, replaced, requestors_draft, signed

LIBRARY = IssuerId("tiny.Library")


def load(*trees: SchemeTree) -> Configuration:
    configuration, problems = Configuration.load(trees, now=NOW)
    assert problems == ()
    return configuration


def test_schemes_are_found_by_their_ids() -> None:
    configuration = load(signed(requestors_draft()), signed(library_draft()))
    assert set(configuration.schemes) == {SchemeManagerId("tiny")}
    assert set(configuration.requestor_schemes) == {RequestorSchemeId("tiny-requestors")}
    assert set(configuration.issuers) == {LIBRARY}
    kind = configuration.credential_types[CredentialTypeId("tiny.Library.card")]
    assert configuration.credential_type_by_hash(kind.hash) is kind
    assert configuration.languages(kind) == ("en", "nl")
    assert configuration.attribute_type(AttributeTypeId("tiny.Library.card.name")).index == 1
    assert set(configuration.requestors) == {"shop.example.com"}
    assert dict(configuration.statuses) == {"tiny": SchemeStatus.VALID, "tiny-requestors": SchemeStatus.VALID}
    assert configuration.tree(SchemeManagerId("tiny")).name == "tiny"


@pytest.mark.parametrize("name", ["tiny.Library.card.none", "tiny.Library.none.name", "tiny.Library.card."])
def test_unknown_attributes(name: str) -> None:
    with pytest.raises(UnknownIdentifierError):
        load(signed(library_draft())).attribute_type(AttributeTypeId(name))


def test_keys() -> None:
    draft = library_draft().with_files({"Library/PublicKeys/10.xml": issuer_key(10).public.to_xml()})
    configuration = load(signed(draft))
    assert list(configuration.public_keys(LIBRARY)) == [0, 10]
    assert configuration.latest_public_key(LIBRARY).counter == 10
    assert configuration.public_key(LIBRARY, 10) is configuration.public_key(LIBRARY, 10)
    assert configuration.public_key(LIBRARY, 0).N == issuer_key().public.N
    for issuer, counter in ((LIBRARY, 5), (IssuerId("tiny.None"), 0)):
        with pytest.raises(UnknownPublicKeyError):
            configuration.public_key(issuer, counter)
    assert configuration.public_keys(IssuerId("tiny.None")) == {}
    with pytest.raises(UnknownPublicKeyError):
        configuration.latest_public_key(IssuerId("tiny.None"))


def test_keys_that_cannot_be_read_are_unknown() -> None:
    broken = load(signed(library_draft().with_files({"Library/PublicKeys/0.xml": b"<a/>"})))
    with pytest.raises(UnknownPublicKeyError, match=r"PublicKeys/0\.xml"):
        broken.public_key(LIBRARY, 0)
    crowded = load(signed(library_draft()).with_files({"Library/PublicKeys/README.md": b""}))
    for ask in (lambda: crowded.public_key(LIBRARY, 0), lambda: crowded.public_keys(LIBRARY), lambda: crowded.latest_public_key(LIBRARY)):
        with pytest.raises(UnknownPublicKeyError, match="README"):
            ask()


def test_private_keys_of_demo_schemes() -> None:
    configuration = load(signed(library_draft()))
    assert configuration.private_key_files(LIBRARY) == {0: issuer_key().private.to_xml()}
    assert configuration.private_key(LIBRARY, 0).N == issuer_key().public.N
    assert configuration.private_key_files(IssuerId("tiny.None")) == {}
    assert configuration.check_private_keys() == ()


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("PrivateKeys/old.txt", b"x", MalformedSchemeError),
        ("PrivateKeys/0.xml", b"junk", MalformedKeyError),
        ("PrivateKeys/0.xml", issuer_key(1).private.to_xml(), MalformedSchemeError),
        ("PrivateKeys/1.xml", issuer_key(1).private.to_xml(), MalformedSchemeError),
        ("PrivateKeys/0.xml", issuer_key(0, 9).private.to_xml(), MalformedSchemeError),
    ],
    ids=["another file", "no key", "another counter", "no public key", "another public key"],
)
def test_private_keys_that_do_not_fit(name: str, content: bytes, error: type[Exception]) -> None:
    configuration = load(signed(library_draft()).with_files({f"Library/{name}": content}))
    (problem,) = configuration.check_private_keys()
    assert isinstance(problem.finding.error, error)
    assert problem.status is SchemeStatus.VALID
    assert problem.finding.path.startswith("Library/PrivateKeys")


def test_a_faulty_scheme_contributes_nothing() -> None:
    faulty = signed(replaced(library_draft(), "Library/description.xml", "Demo Library", "Library"))
    configuration, problems = Configuration.load([faulty, signed(requestors_draft())], now=NOW)
    assert not configuration.schemes
    assert not configuration.issuers
    assert not configuration.credential_types
    assert dict(configuration.statuses) == {"tiny": SchemeStatus.CONTENT_PARSING_ERROR, "tiny-requestors": SchemeStatus.VALID}
    assert [(problem.scheme_id, problem.known, problem.finding.rule) for problem in problems] == [("tiny", True, "demo-prefix")]
    assert "begins with 'Demo '" in str(problems[0])


def test_a_scheme_without_a_head_is_reported_too() -> None:
    tree = signed(library_draft())
    configuration, problems = Configuration.load([tree.with_files({"index.sig": b""})], now=NOW)
    assert not configuration.statuses
    assert [(problem.directory, problem.known) for problem in problems] == [("tiny", False)]


def test_a_scheme_is_there_once() -> None:
    tree = signed(library_draft())
    configuration, problems = Configuration.load([tree, tree.with_files({}, name="copy")], now=NOW)
    assert len(configuration.schemes) == 1
    assert [(problem.directory, problem.finding.departure) for problem in problems] == [("copy", "duplicate-scheme")]


def test_checking_a_folder_includes_its_keys() -> None:
    tree = signed(library_draft().with_files({"Library/PublicKeys/1.xml": issuer_key(1, bases=3).public.to_xml()}))
    verdict = verify_configuration([tree.with_files({"Library/PrivateKeys/x": b""})], now=NOW)
    assert [problem.finding.rule for problem in verdict.problems] == ["key-bases", "private-key"]
    assert verdict.configuration.schemes
    assert verdict.verdicts["tiny"].status is SchemeStatus.VALID
