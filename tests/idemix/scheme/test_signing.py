from functools import partial

import pytest

from idemix.errors import InvalidSignatureError, MalformedKeyError, MalformedSchemeError, TimestampRollbackError
from idemix.scheme.keys import generate_scheme_key, print_public_key, read_public_key, sign, verify
from idemix.scheme.signing import previous_timestamp, sign_tree
from idemix.scheme.tree import SchemeTree
from idemix.scheme.verify import verify_scheme
from tests.support.schemes import NOW, library_draft, requestors_draft

KEY = generate_scheme_key()
PUBLIC = print_public_key(KEY.public_key())


def test_signs_issuer_and_requestor_schemes() -> None:
    for draft in (library_draft(), requestors_draft()):
        before = dict(draft)
        tree = sign_tree(draft, partial(sign, KEY), PUBLIC, now=NOW)
        assert tree["timestamp"] == f"{NOW}\n".encode()
        assert tree["pk.pem"] == PUBLIC
        verify(read_public_key(PUBLIC), tree["index"], tree["index.sig"])
        assert verify_scheme(tree, now=NOW).is_valid
        assert dict(draft) == before


def test_signing_again_changes_only_the_timestamp() -> None:
    once = sign_tree(library_draft(), partial(sign, KEY), PUBLIC, now=NOW)
    twice = sign_tree(once, partial(sign, KEY), PUBLIC, now=NOW + 1, previous=previous_timestamp(once))
    assert {path for path in twice if twice[path] != once[path]} == {"timestamp", "index", "index.sig"}


@pytest.mark.parametrize("now", [NOW, NOW - 1])
def test_the_timestamp_must_rise(now: int) -> None:
    with pytest.raises(TimestampRollbackError):
        sign_tree(library_draft(), partial(sign, KEY), PUBLIC, now=now, previous=NOW)


def test_the_public_key_must_belong_to_the_signature() -> None:
    other = print_public_key(generate_scheme_key().public_key())
    with pytest.raises(InvalidSignatureError):
        sign_tree(library_draft(), partial(sign, KEY), other, now=NOW)
    with pytest.raises(MalformedKeyError):
        sign_tree(library_draft(), partial(sign, KEY), b"junk", now=NOW)


@pytest.mark.parametrize(
    "tree",
    [
        SchemeTree({}, name="x"),
        SchemeTree({"description.xml": b"junk"}, name="x"),
        SchemeTree({"description.xml": b"<SchemeManager><Id>a.b</Id></SchemeManager>"}, name="x"),
        SchemeTree({"description.xml": b"<SchemeManager/>"}, name="x"),
        SchemeTree({}, name="x", directories=["description.xml"]),
    ],
)
def test_what_is_no_scheme_is_not_signed(tree: SchemeTree) -> None:
    with pytest.raises(MalformedSchemeError) as caught:
        sign_tree(tree, partial(sign, KEY), PUBLIC, now=NOW)
    assert caught.value.path == "description.xml"


def test_previous_timestamp() -> None:
    assert previous_timestamp(SchemeTree({"timestamp": b"5\n"}, name="x")) == 5
    assert previous_timestamp(SchemeTree({"timestamp": b"junk"}, name="x")) is None
    assert previous_timestamp(SchemeTree({}, name="x")) is None
