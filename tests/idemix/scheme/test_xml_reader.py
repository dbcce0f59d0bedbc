import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idemix.errors import MalformedSchemeError
from idemix.scheme.translations import TranslatedString
from idemix.scheme.tree import MAX_FILE_BYTES
from idemix.scheme.xml_reader import MAX_DEPTH, Element, parse_xml


def element(inside: str, **attributes: str) -> Element:
    markup = "".join(f' {name}="{value}"' for name, value in attributes.items())
    return parse_xml(f"<Root{markup}>{inside}</Root>".encode(), "a.xml")


def test_texts_keep_their_white_space_and_pass_over_comments_and_children() -> None:
    root = element("<Id> stu<!-- x -->dent<b>no</b>Card\n</Id><Id2>&lt;&#65;<![CDATA[<]]></Id2>")
    assert root.string("Id") == " studentCard\n"
    assert root.string("Id2") == "<A<"
    assert root.string("absent") == ""


def test_repeated_elements() -> None:
    root = element(
        "<Id>1</Id><Id>2</Id><Name><en>a</en></Name><Name><nl>b</nl><en>c</en></Name>"
        "<Languages><Language>en</Language></Languages><Languages><Language>nl</Language></Languages>"
    )
    assert root.string("Id") == "2"
    assert root.translated("Name") == TranslatedString({"en": "c", "nl": "b"})
    assert root.strings("Languages", "Language") == ("en", "nl")


def test_absent_and_empty_translations_differ() -> None:
    root = element("<Name></Name>")
    assert root.translated("Name") == TranslatedString()
    assert root.translated("Other") is None


@pytest.mark.parametrize("word", ["1", "t", "T", "TRUE", "true", "True", " true\n"])
def test_true(word: str) -> None:
    assert element(f"<Demo>{word}</Demo>").boolean("Demo") is True
    assert element("", demo=word).boolean_attribute("demo") is True


@pytest.mark.parametrize("word", ["0", "f", "F", "FALSE", "false", "False", " 0 ", ""])
def test_false(word: str) -> None:
    assert element(f"<Demo>{word}</Demo>").boolean("Demo") is False
    assert element("").boolean("Demo") is False


@pytest.mark.parametrize("word", ["yes", "tRue", "2", " ", "truee"])
def test_neither(word: str) -> None:
    with pytest.raises(MalformedSchemeError) as caught:
        element(f"<Demo>{word}</Demo>").boolean("Demo")
    assert (caught.value.path, caught.value.field) == ("a.xml", "<Demo>")
    with pytest.raises(MalformedSchemeError):
        element(f"<Demo>{word}</Demo><Demo>true</Demo>").boolean("Demo")


@pytest.mark.parametrize(
    ("word", "number"),
    [("7", 7), (" +7\n", 7), ("-3", -3), ("", 0), ("007", 7), ("0" * 40 + "7", 7), ("9223372036854775807", (1 << 63) - 1)],
)
def test_integers(word: str, number: int) -> None:
    assert element(f"<A>{word}</A>").integer("A") == number
    assert element("", a=word).integer_attribute("a") == number


@pytest.mark.parametrize("word", ["x", "1.5", "1_0", "0x1", " ", "9223372036854775808", "٣", "1" * 5000])
def test_no_integers(word: str) -> None:
    with pytest.raises(MalformedSchemeError) as caught:
        element(f"<A>{word}</A>").integer("A")
    assert caught.value.field == "<A>"


def test_absent_integers() -> None:
    assert element("").optional_integer("A") is None
    assert element("").integer_attribute("a") is None
    assert element("").unsigned("A") == 0
    assert element("<A>18446744073709551615</A>").unsigned("A") == (1 << 64) - 1
    for word in ("-1", "+1", "18446744073709551616", "1" * 5000):
        with pytest.raises(MalformedSchemeError):
            element(f"<A>{word}</A>").unsigned("A")


@pytest.mark.parametrize(
    "document",
    [
        pytest.param("\ufeff<A/>", id="byte order mark"),
        pytest.param('<?xml version="1.0" encoding="utf-8"?><A/>', id="declaration"),
        pytest.param("<!DOCTYPE A><A/>", id="document type that declares nothing"),
        pytest.param('<!DOCTYPE A SYSTEM "file:///etc/passwd"><A/>', id="document type elsewhere, which is not fetched"),
        pytest.param("<A><?php 1 ?></A>", id="processing instruction"),
        pytest.param("<A/>\n<!-- after -->\n", id="comment at the end"),
        pytest.param('<A xmlns="urn:x" xmlns:b="urn:b" b:c="1"><b:D/></A>', id="namespaces"),
    ],
)
def test_reads(document: str) -> None:
    assert parse_xml(document.encode(), "a.xml").name == "A"


@pytest.mark.parametrize(
    ("document", "departure"),
    [
        pytest.param(b"", "xml-well-formed", id="empty"),
        pytest.param(b"text", "xml-well-formed", id="no element"),
        pytest.param(b"<A>", "xml-well-formed", id="not closed"),
        pytest.param(b"<A b=1/>", "xml-well-formed", id="attribute without quotes"),
        pytest.param(b"<A>&nbsp;</A>", "xml-well-formed", id="unknown entity"),
        pytest.param(b'<!DOCTYPE A SYSTEM "x"><A>&x;</A>', None, id="entity of a type elsewhere"),
        pytest.param(b"<A>\xff</A>", "xml-well-formed", id="not UTF-8"),
        pytest.param(b"<A>\x00</A>", "xml-well-formed", id="zero byte"),
        pytest.param(b'<?xml version="1.0" encoding="ISO-8859-1"?><A/>', None, id="another encoding"),
        pytest.param(b'<?xml version="1.1"?><A/>', None, id="another version"),
        pytest.param("<A/>".encode("utf-16"), "xml-well-formed", id="UTF-16"),
        pytest.param("<A/>".encode("utf-16-le"), "xml-well-formed", id="UTF-16 without a mark"),
        pytest.param(b"text<A/>", "xml-well-formed", id="text at the start"),
        pytest.param(b"<A><!-- \x01 --></A>", "xml-well-formed", id="control character in a comment"),
        pytest.param(b"<A><!-- \xff --></A>", "xml-well-formed", id="comment that is not UTF-8"),
        pytest.param(b'<A xmlns:a=""/>', "xml-well-formed", id="prefix without a namespace"),
        pytest.param(b"<A/><B/>", "xml-well-formed", id="two roots"),
        pytest.param(b"<A/>text", "xml-well-formed", id="text at the end"),
        pytest.param(b'\n<?xml version="1.0"?><A/>', "xml-well-formed", id="blank before the declaration"),
        pytest.param(b"<x:A/>", "xml-well-formed", id="unknown prefix"),
        pytest.param(b'<A b="1" b="2"/>', "xml-well-formed", id="attribute twice"),
        pytest.param(b'<!DOCTYPE A [<!ENTITY x "y">]><A/>', "document-type", id="entity declared and not used"),
        pytest.param(b'<!DOCTYPE A [<!ENTITY x SYSTEM "file:///etc/passwd">]><A>&x;</A>', "document-type", id="file as entity"),
        pytest.param(b'<!DOCTYPE A [<!ATTLIST A optional CDATA "true">]><A/>', "document-type", id="attribute by default"),
        pytest.param(b"<A>" * (MAX_DEPTH + 1), "scheme-limits", id="deep"),
        pytest.param(b"<A>" + b"<B/>" * 50_001 + b"</A>", "scheme-limits", id="many elements"),
        pytest.param(b"<A>" + b" " * MAX_FILE_BYTES + b"</A>", "scheme-limits", id="large"),
    ],
)
def test_refuses(document: bytes, departure: str | None) -> None:
    with pytest.raises(MalformedSchemeError) as caught:
        parse_xml(document, "dir/a.xml")
    assert caught.value.path == "dir/a.xml"
    assert caught.value.departure == departure


def test_laughs_are_not_expanded() -> None:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    with pytest.raises(MalformedSchemeError):
        parse_xml(f'<!DOCTYPE A [<!ENTITY e0 "ha">{entities}]><A>&e11;</A>'.encode(), "a.xml")


@given(st.one_of(st.binary(max_size=300), st.text(alphabet="<>/!?[]&;\"'=AB \n-", max_size=80).map(str.encode)))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    with contextlib.suppress(MalformedSchemeError):
        assert parse_xml(content, "a.xml").name
