"""Public keys and their XML."""

import base64
import re
from dataclasses import replace

import pytest
from gmpy2 import mpz

from idemix.errors import MalformedKeyError
from idemix.keys.public import DEFAULT_EPOCH_LENGTH, PublicKey
from tests.support.keys import key_pair

KEY = key_pair("issuer-1024").public
XML = KEY.to_xml().decode()
#: The key's ECDSA key, with one bit changed in the number of its curve, which is then none that is known.
UNKNOWN_CURVE = base64.b64encode((KEY.ecdsa or b"").replace(bytes.fromhex("2a8648ce3d030107"), bytes.fromhex("2a8648ce3d0c0107"))).decode()


def test_what_is_written_is_read() -> None:
    read = PublicKey.from_xml(XML.encode())
    assert read == KEY
    assert read.to_xml() == XML.encode()
    assert read.fingerprint() == KEY.fingerprint()
    assert len(read.fingerprint()) == 64


def test_a_key_without_revocation_comes_back() -> None:
    plain = replace(KEY, G=None, H=None, ecdsa=None)
    assert not plain.supports_revocation
    assert PublicKey.from_xml(plain.to_xml()) == plain
    assert plain.fingerprint() != KEY.fingerprint()


def test_order_of_elements_does_not_matter_and_unknown_ones_are_passed_over() -> None:
    lines = XML.splitlines()
    n = next(line for line in lines if "<n>" in line)
    lines.remove(n)
    lines.insert(lines.index("   </Elements>"), n)
    lines.insert(2, "<References><Unknown/></References><!-- a comment --><?pi x?>")
    assert PublicKey.from_xml("\n".join(lines).encode()) == KEY


def test_features_may_be_absent() -> None:
    assert PublicKey.from_xml(re.sub("<Features>.*</Features>", "", XML, flags=re.DOTALL).encode()).epoch_length == DEFAULT_EPOCH_LENGTH


def changed(pattern: str, replacement: str) -> str:
    result = re.sub(pattern, replacement, XML, count=1, flags=re.DOTALL)
    assert result != XML
    return result


@pytest.mark.parametrize(
    ("xml", "where"),
    [
        pytest.param(changed("<n>.*</n>", ""), "Elements/n", id="no modulus"),
        pytest.param(changed("<n>", "<n>4</n><n>"), "Elements/n", id="two moduli"),
        pytest.param(changed("<n>[0-9]+", f"<n>{1 << 1024}"), "n", id="modulus of another length"),
        pytest.param(changed("<Z>[0-9]+", f"<Z>{KEY.N}"), "Elements/Z", id="Z is n"),
        pytest.param(changed("<S>[0-9]+", "<S>1"), "Elements/S", id="S is 1"),
        pytest.param(changed("<S>", "<S> "), "Elements/S", id="blank before a number"),
        pytest.param(changed("<Base_3>", "<Base_3>-"), "Elements/Bases/Base_3", id="negative base"),
        pytest.param(changed('num="8"', 'num="7"'), "Elements/Bases", id="another number of bases"),
        pytest.param(changed('<Bases num="8">.*</Bases>', '<Bases num="0"></Bases>'), "Elements/Bases", id="no bases"),
        pytest.param(changed("<Counter>.*</Counter>", ""), "Counter", id="no counter"),
        pytest.param(changed("<Counter>", "<Counter>-"), "Counter", id="negative counter"),
        pytest.param(changed("<ExpiryDate>", "<ExpiryDate>x"), "ExpiryDate", id="expiry no number"),
        pytest.param(changed("<Counter>", "<Counter>+"), "Counter", id="counter with a sign"),
        pytest.param(changed('length="432000"', 'length="-1"'), "Features/Epoch", id="negative epoch"),
        pytest.param(changed('length="432000"', 'length="  "'), "Features/Epoch", id="blank epoch"),
        pytest.param(changed("<ECDSA>.*</ECDSA>", "<ECDSA>!</ECDSA>"), "ECDSA", id="ECDSA no base64"),
        pytest.param(changed("<ECDSA>.*</ECDSA>", "<ECDSA>AAAA</ECDSA>"), "ECDSA", id="ECDSA no key"),
        pytest.param(changed("<ECDSA>.*</ECDSA>", f"<ECDSA>{UNKNOWN_CURVE}</ECDSA>"), "ECDSA", id="ECDSA on a curve of another number"),
        pytest.param(changed("<IssuerPublicKey", "<!DOCTYPE x><IssuerPublicKey"), "", id="document type"),
        pytest.param(changed("UTF-8", "ISO-8859-1"), "", id="another encoding"),
        pytest.param(changed("zurich", "geneva"), "", id="another namespace"),
        pytest.param(XML.replace("IssuerPublicKey", "IssuerPrivateKey"), "", id="another root"),
        pytest.param(XML + "<x/>", "", id="something after the root"),
        pytest.param(changed("<Elements>", "<\U00010400/><Elements>"), "", id="name beyond U+FFFF"),
        pytest.param(XML[:-20], "", id="cut off"),
        pytest.param("", "", id="empty"),
        pytest.param(XML.replace("</Elements>", "</Elements>" + " " * (1 << 20)), "", id="too long"),
    ],
)
def test_other_files_are_refused(xml: str, where: str) -> None:
    with pytest.raises(MalformedKeyError) as refusal:
        PublicKey.from_xml(xml.encode())
    assert refusal.value.where == where


def test_entities_are_not_expanded(tmp_path: object) -> None:
    attack = '<!DOCTYPE x [<!ENTITY a "5"><!ENTITY b SYSTEM "file:///etc/passwd">]><IssuerPublicKey'
    with pytest.raises(MalformedKeyError):
        PublicKey.from_xml(changed("<IssuerPublicKey", attack).replace("<Counter>0", "<Counter>&a;&b;").encode())


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(replace(KEY, N=KEY.N - 1), id="even modulus"),
        pytest.param(replace(KEY, S=key_pair("issuer-1024").private.p * 4), id="S shares a factor"),
        pytest.param(replace(KEY, R=(*KEY.R[:-1], key_pair("issuer-1024").private.q)), id="a base shares a factor"),
    ],
)
def test_a_key_that_cannot_be_computed_with_is_refused_when_it_is_used(key: PublicKey) -> None:
    with pytest.raises(MalformedKeyError):
        key.power_product(S=1)
    with pytest.raises(MalformedKeyError):
        key.build_tables()


def test_power_product() -> None:
    expected = pow(KEY.Z, -3, KEY.N) * pow(KEY.S, 5, KEY.N) * pow(KEY.R[2], -7, KEY.N) % KEY.N
    for _ in range(3):
        assert KEY.power_product(Z=-3, S=5, R={2: mpz(-7)}) == expected


@pytest.mark.parametrize(("written", "seconds"), [("+7", 7), (" 7 ", 7), ("0" * 40 + "7", 7), ("", DEFAULT_EPOCH_LENGTH)])
def test_epoch_length_is_read_as_the_reference_reads_it(written: str, seconds: int) -> None:
    assert PublicKey.from_xml(changed('length="432000"', f'length="{written}"').encode()).epoch_length == seconds


@pytest.mark.parametrize(
    "xml",
    [
        pytest.param(changed("<Counter>.*</Counter>", "<Counter></Counter>"), id="empty counter"),
        pytest.param(changed("<Counter>", "<Counter><z/>"), id="element inside the counter"),
        pytest.param(changed("<ExpiryDate>.*</ExpiryDate>", "<ExpiryDate/>"), id="empty expiry"),
        pytest.param(changed('length="432000"', 'length="-1"'), id="negative epoch"),
    ],
)
def test_numbers_that_the_reference_reads_and_we_refuse_name_the_rule(xml: str) -> None:
    with pytest.raises(MalformedKeyError) as refusal:
        PublicKey.from_xml(xml.encode())
    assert refusal.value.departure == "key-structure"
