"""Every change that breaks installed clients is named, with an alternative; every other passes."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from console.publishing.compatibility import compare
from gateway.scheme_files import read_tree
from idemix.scheme import keys
from tests.support.shared import shared

Files = dict[str, bytes]
CARD = "RU/Issues/studentCard/description.xml"
BALLOT = "stemmen/Issues/stempas/description.xml"
KEY = "RU/PublicKeys/2.xml"


@pytest.fixture(scope="module")
def published() -> Files:
    return dict(read_tree(shared("schemes", "mutant-base", "irma-demo"))) | {"kss-0.pem": b"key 0\n"}


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


def added(flags: bytes, *, first: bool = False) -> Callable[[Files], None]:
    new = b'<Attribute id="fresh"' + flags + b"><Name><en>x</en></Name><Description><en>x</en></Description></Attribute>"
    return replaced(CARD, b"<Attributes>", b"<Attributes>" + new) if first else replaced(CARD, b"</Attributes>", new + b"</Attributes>")


def key_copied(to: str) -> Callable[[Files], None]:
    return lambda files: files.__setitem__(to, files[KEY])


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
    "became singleton": (replaced(BALLOT, b"<ShouldBeSingleton>false", b"<ShouldBeSingleton>true"), "became-singleton"),
    "key removed": (removed(KEY), "key-removed"),
    "key renumbered": (moved(KEY, "RU/PublicKeys/3.xml"), "key-removed"),
    "modulus": (last_digit_changed("n"), "key-altered"),
    "Z": (last_digit_changed("Z"), "key-altered"),
    "S": (last_digit_changed("S"), "key-altered"),
    "base": (last_digit_changed("Base_0"), "key-altered"),
    "counter": (replaced(KEY, b"<Counter>2", b"<Counter>1"), "key-altered"),
    "base out of range": (replaced(KEY, b"<Base_0>", b"<Base_0>1"), "key-altered"),
    "counter reused": (key_copied("RU/PublicKeys/0.xml"), "key-counter-reused"),
    "counter leaves a gap": (key_copied("RU/PublicKeys/4.xml"), "key-counter-gap"),
    "keyshare key changed": (lambda files: files.__setitem__("kss-0.pem", b"other\n"), "keyshare-key-altered"),
    "keyshare key removed": (removed("kss-0.pem"), "keyshare-key-altered"),
    "scheme key": (another_scheme_key, "scheme-key-changed"),
}

HARMLESS: dict[str, Callable[[Files], None]] = {
    "nothing": lambda files: None,
    "text": replaced(CARD, b"Student Card", b"Card"),
    "optional attribute appended": added(b' optional="true"'),
    "random-blind attribute appended": added(b' randomblind="true"'),
    "attribute made optional": replaced(CARD, b'id="level"', b'id="level" optional="true"'),
    "order of display": replaced(CARD, b'id="level"', b'id="level" displayIndex="0"'),
    "deprecation": replaced(CARD, b"</IssueSpecification>", b"<DeprecatedSince>1700000000</DeprecatedSince></IssueSpecification>"),
    "address moved": replaced("description.xml", b"<Url>", b"<Url>https://new.example/"),
    "expiry extended": replaced(KEY, b"<ExpiryDate>", b"<ExpiryDate>9"),
    "next key": key_copied("RU/PublicKeys/3.xml"),
    "next keyshare key": lambda files: files.__setitem__("kss-1.pem", b"key 1\n"),
    "logo removed": removed("RU/logo.png"),
    "derived files": lambda files: files.update({"index": b"", "index.sig": b"", "timestamp": b"1\n"}),
}


@pytest.mark.parametrize("name", BREAKING)
def test_a_change_that_breaks_clients_is_named(name: str, published: Files) -> None:
    change, rule = BREAKING[name]
    proposed = dict(published)
    change(proposed)
    found = compare("irma-demo", published, proposed)
    assert rule in [finding.rule for finding in found]
    for finding in found:
        assert finding.subject.startswith("irma-demo") or finding.subject == "irma-demo"
        assert finding.path
        assert finding.message.endswith(".")
        assert finding.alternative.endswith(".")


@pytest.mark.parametrize("name", HARMLESS)
def test_a_change_that_clients_follow_passes(name: str, published: Files) -> None:
    proposed = dict(published)
    HARMLESS[name](proposed)
    assert compare("irma-demo", published, proposed) == ()


def test_at_least_twenty_five_kinds_are_refused() -> None:
    assert len(BREAKING) >= 25


def test_the_updated_version_of_the_reference_is_compatible() -> None:
    old: Path = shared("schemes", "testdata", "irma_configuration", "irma-demo")
    new: Path = shared("schemes", "testdata", "irma_configuration_updated", "irma-demo")
    assert {finding.rule for finding in compare("irma-demo", read_tree(old), read_tree(new))} <= {"required-attribute-added"}
