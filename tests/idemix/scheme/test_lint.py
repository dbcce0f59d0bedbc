import pytest

from idemix.scheme.authoring import print_credential_type
from idemix.scheme.lint import lint_scheme
from idemix.scheme.tree import SchemeTree
from idemix.scheme.verify import verify_scheme
from tests.support.schemes import NOW, PNG, credential_type, issuer_key, library_draft, replaced, signed

CARD = "Library/Issues/card/description.xml"


def found(draft: SchemeTree) -> set[tuple[str, str]]:
    verdict = verify_scheme(signed(draft), now=NOW)
    assert verdict.is_valid
    return {(finding.rule, finding.path) for finding in verdict.lint}


def with_key(**values: int) -> SchemeTree:
    return library_draft().with_files({"Library/PublicKeys/1.xml": issuer_key(1, **values).public.to_xml()})


@pytest.mark.feature("A3.2")
def test_a_sound_scheme_draws_no_advice() -> None:
    assert found(library_draft()) == set()


def sized_png(width: int, height: int, padding: int = 0) -> bytes:
    return PNG[:16] + width.to_bytes(4) + height.to_bytes(4) + PNG[24:] + bytes(padding)


def deprecated() -> SchemeTree:
    return replaced(library_draft(), "Library/description.xml", "</Issuer>", "<DeprecatedSince>5</DeprecatedSince></Issuer>")


@pytest.mark.parametrize(
    ("draft", "rule", "path"),
    [
        (deprecated(), "deprecated-with-live-key", "Library/description.xml"),
        (
            library_draft().with_files({"Library/PrivateKeys/3.xml": issuer_key(1).private.to_xml()}),
            "key-counter",
            "Library/PrivateKeys/3.xml",
        ),
        (with_key(expires_at=NOW + 60 * 86_400), "key-expires-soon", "Library/PublicKeys/1.xml"),
        (with_key(bases=4), "key-without-spare-bases", "Library/PublicKeys/1.xml"),
        (replaced(library_draft(), CARD, "Een kaart", ""), "empty-text", CARD),
        (library_draft().with_files({"Library/logo.png": b"\xff\xd8\xff"}), "logo", "Library/logo.png"),
        (library_draft().with_files({"Library/logo.png": sized_png(64, 32)}), "logo", "Library/logo.png"),
        (library_draft().with_files({"Library/logo.png": sized_png(64, 64, 100_001)}), "logo", "Library/logo.png"),
        (replaced(library_draft(), CARD, "\t<Attributes>", "<IssueURL><en>http://a</en></IssueURL><Attributes>"), "issue-url", CARD),
        (replaced(library_draft(languages=()), CARD, "Demo Kaart", "Kaart"), "demo-prefix", CARD),
        (library_draft().with_files({}, name="elsewhere"), "directory-name", ""),
        (library_draft(demo=False), "private-key-in-production", "Library/PrivateKeys/0.xml"),
        (library_draft(url="http://example.com"), "scheme-url", "description.xml"),
        (replaced(library_draft(), CARD, 'id="name"', 'id="name" optional="yes"'), "attribute-markup", CARD),
        (
            replaced(library_draft(), CARD, "\t<Attributes>", "<ForegroundColor>red</ForegroundColor><Attributes>"),
            "credential-type-markup",
            CARD,
        ),
    ],
)
def test_advice(draft: SchemeTree, rule: str, path: str) -> None:
    assert (rule, path) in found(draft)


def test_changes_of_attributes_since_the_last_publication() -> None:
    published = verify_scheme(signed(library_draft()), now=NOW).contents
    for names, complains in ((("number", "name", "new"), False), (("name", "number"), True), (("number",), True)):
        draft = library_draft().with_files({CARD: print_credential_type(credential_type("tiny", "Library", "card", *names))})
        contents = verify_scheme(signed(draft), now=NOW).contents
        assert contents is not None
        rules = {finding.rule for finding in lint_scheme(contents, now=NOW, previous=published)}
        assert ("attribute-changed" in rules) is complains, names
