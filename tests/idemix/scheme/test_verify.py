from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idemix.errors import HashMismatchError, IdemixError, InvalidSignatureError
from idemix.scheme.authoring import print_credential_type
from idemix.scheme.findings import SchemeStatus
from idemix.scheme.index import SchemeIndex
from idemix.scheme.keys import sign
from idemix.scheme.tree import SchemeTree
from idemix.scheme.verdict import SchemeVerdict
from idemix.scheme.verify import verify_scheme
from tests.support.schemes import NOW, PNG, credential_type, issuer_key, library_draft, replaced, scheme_key, signed, text

CARD = "Library/Issues/card/description.xml"
LIBRARY = "Library/description.xml"


SIGNED = signed(library_draft())


def verdict_of(tree: SchemeTree, **values: Any) -> SchemeVerdict:
    return verify_scheme(tree, **{"now": NOW, "lint": False, **values})


def with_index(tree: SchemeTree, index: bytes) -> SchemeTree:
    """The tree with another index, signed as it stands."""
    return tree.with_files({"index": index, "index.sig": sign(scheme_key(), index)})


def test_a_sound_scheme() -> None:
    verdict = verdict_of(signed(library_draft()))
    assert verdict.is_valid
    assert (verdict.scheme_id, verdict.status, verdict.known) == ("tiny", SchemeStatus.VALID, True)
    assert verdict.warnings == ()
    assert verdict.contents is not None
    assert verdict.contents.scheme.timestamp == NOW
    assert [str(kind) for kind in verdict.contents.credential_types] == ["tiny.Library.card"]
    verdict.require_valid()


def test_an_empty_tree_and_an_unsigned_one() -> None:
    empty = verdict_of(SchemeTree({}, name="x"))
    assert (empty.status, empty.known, empty.scheme_id) == (SchemeStatus.PARSING_ERROR, False, "")
    unsigned = verdict_of(library_draft())
    assert {error.path for error in unsigned.errors} >= {"index", "index.sig"}
    assert not unsigned.known


def test_all_errors_are_reported_and_the_first_decides() -> None:
    tree = replaced(library_draft(), CARD, "<CredentialID>card<", "<CredentialID>other<")
    tree = replaced(tree, CARD, "Demo Card", "Card")
    tree = replaced(tree, LIBRARY, "Demo Library", "Library")
    verdict = verdict_of(signed(tree).with_files({"Library/logo.png": PNG + b"x"}))
    assert [(error.path, error.rule) for error in verdict.errors] == [
        ("Library/logo.png", "hash"),
        (LIBRARY, "demo-prefix"),
        (CARD, "identifier"),
        (CARD, "demo-prefix"),
    ]
    assert verdict.status is SchemeStatus.INVALID_SIGNATURE
    with pytest.raises(HashMismatchError) as caught:
        verdict.require_valid()
    assert caught.value.path == "Library/logo.png"


def test_a_bad_signature_does_not_hide_the_rest() -> None:
    tree = signed(replaced(library_draft(), LIBRARY, "Demo Library", "Library"))
    verdict = verdict_of(tree.with_files({"index.sig": tree["index.sig"] + b"\0"}))
    assert [error.rule for error in verdict.errors] == ["index-signature", "demo-prefix"]
    assert isinstance(verdict.errors[0].error, InvalidSignatureError)
    assert verdict.status is SchemeStatus.PARSING_ERROR


@pytest.mark.parametrize(
    ("path", "old", "new", "rule", "field", "departure"),
    [
        pytest.param("description.xml", 'version="7"', 'version="6"', "version", "attribute version", None, id="old scheme"),
        pytest.param(LIBRARY, 'version="4"', 'version="3"', "version", "attribute version", None, id="old issuer"),
        pytest.param(CARD, 'version="4"', 'version="3"', "version", "attribute version", None, id="old credential type"),
        pytest.param(LIBRARY, "<ID>Library<", "<ID>Else<", "identifier", "<ID>", None, id="issuer and its directory"),
        pytest.param(LIBRARY, "Manager>tiny<", "Manager>other<", "identifier", "<SchemeManager>", None, id="scheme of the issuer"),
        pytest.param(CARD, "<CredentialID>card<", "<CredentialID> card<", "identifier", "<CredentialID>", None, id="blank in an id"),
        pytest.param(CARD, "<IssuerID>Library<", "<IssuerID>Else<", "identifier", "<IssuerID>", None, id="issuer of the type"),
        pytest.param(CARD, "Manager>tiny<", "Manager>other<", "identifier", "<SchemeManager>", None, id="scheme of the type"),
        pytest.param(CARD, 'id="name"', 'id="number"', "duplicate-attribute", "<Attribute> 2", "duplicate-attribute", id="attribute twice"),
        pytest.param(CARD, 'id="name"', 'id="na.me"', "identifier", "<Attribute> 2", "identifier-characters", id="dot in an attribute"),
        pytest.param(CARD, 'id="name"', "", "identifier", "<Attribute> 2", "identifier-characters", id="attribute without an id"),
        pytest.param(CARD, 'id="name"', 'revocation="true"', "revocation-attribute", "<RevocationServers>", None, id="no server"),
        pytest.param(
            CARD,
            "\t<Attributes>",
            "\t<RevocationServers><RevocationServer>https://r</RevocationServer></RevocationServers><Attributes>",
            "revocation-attribute",
            "<Attributes>",
            None,
            id="no revocation attribute",
        ),
        pytest.param(
            CARD,
            "\t<Attributes>",
            "\t<Dependencies><Or><And><CredentialType>tiny.Library.none</CredentialType></And></Or></Dependencies><Attributes>",
            "dependency",
            "<Dependencies>",
            None,
            id="unknown dependency",
        ),
        pytest.param(
            CARD,
            "\t<Attributes>",
            "\t<Dependencies><Or><And><CredentialType>tiny.Library.card</CredentialType></And></Or></Dependencies><Attributes>",
            "dependency",
            "<Dependencies>",
            None,
            id="dependency on itself",
        ),
        pytest.param(
            "description.xml",
            "\t<Languages>",
            "\t<KeyshareServer>https://k</KeyshareServer><Languages>",
            "keyshare-key",
            "",
            None,
            id="no key",
        ),
    ],
)
def test_one_fault(path: str, old: str, new: str, rule: str, field: str, departure: str | None) -> None:
    verdict = verdict_of(signed(replaced(library_draft(), path, old, new)))
    error = verdict.errors[0]
    assert (error.rule, error.field, error.departure) == (rule, field, departure)
    assert not verdict.is_valid


@pytest.mark.parametrize(
    ("server", "demo", "refused"),
    [
        ("https://r.example.com", False, False),
        ("http://r.example.com", True, False),
        ("http://r.example.com", False, True),
        ("https://r.example.com/", True, True),
        ("", True, True),
    ],
)
def test_revocation_servers(server: str, demo: bool, refused: bool) -> None:
    tree = replaced(library_draft(demo=demo), CARD, 'id="name"', 'revocation="true"')
    inside = f"<RevocationServers><RevocationServer>{server}</RevocationServer></RevocationServers><Attributes>"
    verdict = verdict_of(signed(replaced(tree, CARD, "<Attributes>", inside)))
    assert [error.rule for error in verdict.errors] == (["revocation-server"] if refused else [])


def test_a_revocation_attribute_stands_alone() -> None:
    inside = "<RevocationServers><RevocationServer>https://r</RevocationServer></RevocationServers><Attributes>"
    tree = replaced(library_draft(), CARD, "<Attributes>", inside)
    for markup, departure in (
        ('revocation="true" randomblind="true"', None),
        ('id="x" revocation="true"', None),
        ('revocation="true"/><Attribute revocation="true"', "duplicate-attribute"),
    ):
        verdict = verdict_of(signed(replaced(tree, CARD, 'id="name"', markup)))
        assert [(error.rule, error.departure) for error in verdict.errors] == [("revocation-attribute", departure)], markup


def test_keyshare_key_must_be_signed() -> None:
    tree = signed(library_draft(keyshare_server="https://k").with_files({"kss-0.pem": b"key"}))
    assert verdict_of(tree).is_valid
    lines = [line for line in tree["index"].splitlines(keepends=True) if b"kss-0" not in line]
    verdict = verdict_of(with_index(tree, b"".join(lines)))
    assert [(error.path, error.departure) for error in verdict.errors] == [("kss-0.pem", "unsigned-content")]


@pytest.mark.parametrize(
    ("line", "rule", "departure"),
    [
        ("tiny/../outside.xml", "index-path", "index-path"),
        ("tiny/./description.xml", "index-path", "index-path"),
        ("tiny//description.xml", "index-path", "index-path"),
        ("tiny/", "index-path", "index-path"),
        ("zzz/description.xml", "index-scheme", None),
        ("tiny/nope.xml", "missing-file", None),
        ("tiny/Library", "missing-file", None),
        ("tiny/a\0b.xml", "index-path", "index-path"),
    ],
)
def test_odd_entries_of_the_index(line: str, rule: str, departure: str | None) -> None:
    tree = signed(library_draft())
    verdict = verdict_of(with_index(tree, tree["index"] + f"{'ab' * 32} {line}\n".encode()))
    assert [(error.rule, error.departure) for error in verdict.errors] == [(rule, departure)]
    assert verdict.status is SchemeStatus.INVALID_SIGNATURE


def test_what_the_index_leaves_out() -> None:
    tree = signed(library_draft())

    def without(path: str) -> SchemeVerdict:
        return verdict_of(
            with_index(tree, b"".join(line for line in tree["index"].splitlines(True) if not line.endswith(f"/{path}\n".encode())))
        )

    assert [error.departure for error in without("timestamp").errors] == ["unsigned-content"]
    assert without("Library/logo.png").is_valid
    assert [warning.message for warning in without("Library/logo.png").warnings] == ["Ignored file: tiny/Library/logo.png"]
    assert [(error.path, error.rule) for error in without(CARD).errors] == [(CARD, "not-in-index")]
    assert without("description.xml").status is SchemeStatus.PARSING_ERROR


def test_files_that_draw_no_warning() -> None:
    names = (
        "README.md",
        "LICENSE",
        "AUTHORS",
        "sk.pem",
        ".gitignore",
        ".github/x.yml",
        "Library/README.md",
        ".DS_Store",
    )
    quiet = signed(library_draft()).with_files(dict.fromkeys(names, b"x"))
    assert verdict_of(quiet).warnings == ()
    loud = signed(library_draft()).with_files({"notes.txt": b"x", "new/dir/file": b"x", "assets/a b.txt": b"x"})
    assert {warning.message for warning in verdict_of(loud).warnings} == {
        "Ignored file: tiny/notes.txt",
        "Ignored dir: tiny/new",
        "Ignored dir: tiny/new/dir",
        "Ignored file: tiny/new/dir/file",
        "Ignored file: tiny/assets/a b.txt",
    }


def test_links_and_unread_files() -> None:
    tree = signed(library_draft())
    linked = SchemeTree(dict(tree), name="tiny", symlinks=["Library/link"])
    assert [(error.path, error.departure) for error in verdict_of(linked).errors] == [("Library/link", "symbolic-link")]
    content = {path: value for path, value in tree.items() if path != "Library/logo.png"}
    unread = SchemeTree(content, name="tiny", unread={"Library/logo.png": "a file of a scheme has at most 5000000 bytes"})
    assert [(error.path, error.departure) for error in verdict_of(unread).errors] == [("Library/logo.png", "scheme-limits")]
    # What nobody needs may be as large as it likes.
    proofs = SchemeTree(dict(tree), name="tiny", unread={"Library/Proofs/0.json.gz": "too large"})
    assert verdict_of(proofs).is_valid


# Keys -------------------------------------------------------------------------------------------------------------------


def with_key(counter: int, *, name: str | None = None, **values: int) -> SchemeTree:
    key = issuer_key(counter, **values).public
    return signed(library_draft().with_files({f"Library/PublicKeys/{name or f'{counter}.xml'}": key.to_xml()}))


@pytest.mark.parametrize(
    ("expires_at", "warning"),
    [
        (NOW - 1, "Issuer tiny.Library has no nonexpired public keys"),
        (NOW + 86_400, "Latest public key of issuer tiny.Library expires soon (at 2026-11-24 12:00:00 +0000 UTC)"),
        (NOW + 31 * 86_400, None),
    ],
)
def test_expiry_is_judged_by_the_clock_given(expires_at: int, warning: str | None) -> None:
    tree = with_key(1, expires_at=expires_at)
    assert [found.message for found in verdict_of(tree).warnings] == ([warning] if warning else [])
    deprecated = replaced(library_draft(), LIBRARY, "</Issuer>", f"<DeprecatedSince>{NOW}</DeprecatedSince></Issuer>")
    key = issuer_key(1, expires_at=expires_at).public.to_xml()
    assert verdict_of(signed(deprecated.with_files({"Library/PublicKeys/1.xml": key}))).warnings == ()


def test_keys_that_do_not_do() -> None:
    too_few = verdict_of(with_key(1, bases=3))
    assert [(error.path, error.rule) for error in too_few.errors] == [("Library/PublicKeys/1.xml", "key-bases")]
    assert too_few.status is SchemeStatus.VALID
    wrong_counter = verdict_of(with_key(1, name="2.xml"))
    assert [(error.path, error.field) for error in wrong_counter.errors] == [("Library/PublicKeys/2.xml", "<Counter>")]
    not_a_key = verdict_of(signed(library_draft().with_files({"Library/PublicKeys/1.xml": b"<a/>"})))
    assert [error.rule for error in not_a_key.errors] == ["public-key"]
    assert verdict_of(with_key(1, bases=3), check_keys=False).is_valid


@pytest.mark.parametrize("name", ["README.md", "x", "two.xml", "-1.xml", "+1.xml", "99999999999.xml", "1.xml.bak"])
def test_other_files_among_the_keys(name: str) -> None:
    verdict = verdict_of(signed(library_draft()).with_files({f"Library/PublicKeys/{name}": b"x"}))
    assert [(error.path, error.rule) for error in verdict.errors] == [(f"Library/PublicKeys/{name}", "public-key")]


def test_unsigned_keys_hide_those_after_them() -> None:
    """Files are loaded in the order of the text of their names, up to the first that is not listed."""
    tree = signed(library_draft().with_files({"Library/PublicKeys/10.xml": issuer_key(10).public.to_xml()}))
    after = tree.with_files({"Library/PublicKeys/9.xml": issuer_key(9).public.to_xml()})
    assert verdict_of(after).is_valid
    newest = tree.with_files({"Library/PublicKeys/11.xml": issuer_key(11).public.to_xml()})
    assert [error.path for error in verdict_of(newest).errors] == ["Library/PublicKeys/11.xml"]


def test_revocation_needs_a_key_that_supports_it() -> None:
    inside = "<RevocationServers><RevocationServer>https://r</RevocationServer></RevocationServers><Attributes>"
    tree = replaced(replaced(library_draft(), CARD, "<Attributes>", inside), CARD, 'id="name"', 'revocation="true"')
    assert verdict_of(signed(tree)).is_valid
    key = issuer_key().public.to_xml().decode()
    start, end = key.index("<ECDSA>"), key.index("</ECDSA>") + len("</ECDSA>")
    verdict = verdict_of(signed(tree.with_files({"Library/PublicKeys/0.xml": (key[:start] + key[end:]).encode()})))
    assert [error.rule for error in verdict.errors] == ["key-revocation"]


# Texts ------------------------------------------------------------------------------------------------------------------


def test_missing_texts_draw_warnings_up_to_the_first_absent_member() -> None:
    tree = library_draft()
    kind = credential_type("tiny", "Library", "card", "number", description=text("A card", ""), category=text("Personal", ""))
    # No IssueURL: what comes after it is not looked at.
    verdict = verdict_of(signed(tree.with_files({CARD: print_credential_type(kind)})))
    assert [warning.message for warning in verdict.warnings] == [
        "Credential type tiny.Library.card misses nl translation in <Description> tag"
    ]


def test_display_order() -> None:
    for markup, warnings in (
        ('id="name" displayIndex="2"', 1),
        ('id="name" displayIndex="0"', 1),
        ('id="name" displayIndex="-1"', 0),
        ('id="name" displayIndex="1"', 0),
    ):
        verdict = verdict_of(signed(replaced(library_draft(), CARD, 'id="name"', markup)))
        assert verdict.is_valid
        assert len(verdict.warnings) == warnings, markup


# Hostile input ----------------------------------------------------------------------------------------------------------


@given(
    st.sampled_from(["description.xml", LIBRARY, CARD, "Library/PublicKeys/0.xml", "timestamp", "index", "index.sig", "pk.pem"]), st.data()
)
@settings(max_examples=150, deadline=None)
def test_any_damage_is_a_finding(path: str, data: st.DataObject) -> None:
    """Whatever bytes stand in a file, signed or not, the check comes to a verdict."""
    draft = library_draft()
    content = data.draw(st.one_of(st.binary(max_size=60), st.just(b""), st.just(b"\xff" * 5)))
    damaged = draft.with_files({path: content})
    if path in (LIBRARY, CARD, "Library/PublicKeys/0.xml") and b"\r\n" not in content:
        damaged = signed(damaged)
    else:
        damaged = signed(draft).with_files({path: content})
    verdict = verdict_of(damaged, lint=True)
    assert not verdict.is_valid
    for error in verdict.errors:
        assert isinstance(error.error, IdemixError)
        assert error.message.isprintable()


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_bit_flipped_in_a_signed_file_is_found(data: st.DataObject) -> None:
    tree = SIGNED
    path = data.draw(st.sampled_from(["index", "index.sig", *(full.removeprefix("tiny/") for full in SchemeIndex.parse(tree["index"]))]))
    content = bytearray(tree[path])
    bit = data.draw(st.integers(0, len(content) * 8 - 1))
    content[bit // 8] ^= 1 << bit % 8
    assert not verdict_of(tree.with_files({path: bytes(content)})).is_valid


def test_names_that_are_no_text() -> None:
    """File names are bytes on disk; those that are not UTF-8 are carried along."""
    tree = signed(library_draft()).with_files({"caf\udce9.txt": b"x"})
    assert [warning.message for warning in verdict_of(tree).warnings] == ["Ignored file: tiny/caf\ufffd.txt"]
    listed = signed(library_draft().with_files({"caf\udce9.xml": b"<a/>"}))
    assert verdict_of(listed).is_valid
