"""Odd and hostile documents by hand, each with an edit and what it makes of the bytes."""

import pytest

from idemix.errors import MalformedSchemeError
from idemix.scheme.documents import CREDENTIAL_TYPE, REQUESTORS, Document, Value, new_document
from idemix.scheme.json_reader import MAX_DEPTH as JSON_DEPTH
from idemix.scheme.tree import MAX_FILE_BYTES
from idemix.scheme.xml_reader import MAX_DEPTH as XML_DEPTH
from tests.support.odd_documents import PATHS

ISSUER = "Library/description.xml"
TYPE = PATHS[CREDENTIAL_TYPE]
JSON = PATHS[REQUESTORS]

#: label → path, before, changes, after
EDITS: dict[str, tuple[str, str, dict[str, Value], str]] = {
    "comments in a text stay behind it": (
        ISSUER,
        "<Issuer><ID>a<!-- why -->b<?pi x?></ID></Issuer>",
        {"id": "c"},
        "<Issuer><ID>c<!-- why --><?pi x?></ID></Issuer>",
    ),
    "CDATA is text": (
        ISSUER,
        "<Issuer><ID><![CDATA[<!-- a -->]]></ID></Issuer>",
        {"id": "<b>"},
        "<Issuer><ID>&lt;b&gt;</ID></Issuer>",
    ),
    "one line stays one line": (
        ISSUER,
        "<Issuer><ID>a</ID><Name><en>A</en></Name></Issuer>",
        {"name.nl": "B", "contact_email": "x"},
        "<Issuer><ID>a</ID><Name><en>A</en><nl>B</nl></Name><ContactEMail>x</ContactEMail></Issuer>",
    ),
    "of repeated elements the last is read and written": (
        ISSUER,
        "<Issuer>\n <ID>a</ID>\n <ID>b</ID>\n</Issuer>",
        {"id": "c"},
        "<Issuer>\n <ID>a</ID>\n <ID>c</ID>\n</Issuer>",
    ),
    "all of repeated elements go": (
        ISSUER,
        "<Issuer>\n <baseURL>a</baseURL>\n <ID>i</ID>\n <baseURL>b</baseURL>\n</Issuer>",
        {"base_url": None},
        "<Issuer>\n <ID>i</ID>\n</Issuer>",
    ),
    "prefixes": (
        ISSUER,
        '<x:Issuer xmlns:x="urn:a>b"><x:ID >a</x:ID ></x:Issuer>',
        {"id": "b"},
        '<x:Issuer xmlns:x="urn:a>b"><x:ID >b</x:ID ></x:Issuer>',
    ),
    "a self-closing element opens": (
        ISSUER,
        "<Issuer>\n\t<Name />\n\t<ContactEMail/>\n</Issuer>",
        {"name.en": "A", "contact_email": "x"},
        "<Issuer>\n\t<Name>\n\t\t<en>A</en>\n\t</Name>\n\t<ContactEMail>x</ContactEMail>\n</Issuer>",
    ),
    "single quotes, blanks and > in attributes": (
        TYPE,
        "<IssueSpecification><Attributes><Attribute id = 'a'\n  note='>'  optional = 'true' /></Attributes></IssueSpecification>",
        {"attributes.a.optional": None, "attributes.a.display_hint": '"\n'},
        "<IssueSpecification><Attributes><Attribute id = 'a'\n  note='>' displayHint=\"&quot;&#10;\" /></Attributes></IssueSpecification>",
    ),
    "the declaration of a prefix is no attribute": (
        TYPE,
        '<IssueSpecification><Attributes><Attribute id="a" xmlns:optional="urn:x"/></Attributes></IssueSpecification>',
        {"attributes.a.optional": True},
        '<IssueSpecification><Attributes><Attribute id="a" xmlns:optional="urn:x" optional="true"/></Attributes></IssueSpecification>',
    ),
    "of attributes with several prefixes the last is read and written": (
        TYPE,
        '<IssueSpecification xmlns:x="u"><Attributes><Attribute id="a" optional="" x:optional="true"/></Attributes></IssueSpecification>',
        {"attributes.a.optional": None},
        '<IssueSpecification xmlns:x="u"><Attributes><Attribute id="a"/></Attributes></IssueSpecification>',
    ),
    "CRLF": (
        ISSUER,
        "<Issuer>\r\n  <ID>a</ID>\r\n</Issuer>\r\n",
        {"name.en": "A"},
        "<Issuer>\r\n  <ID>a</ID>\r\n  <Name>\r\n    <en>A</en>\r\n  </Name>\r\n</Issuer>\r\n",
    ),
    "CRLF, removed": (
        ISSUER,
        "<Issuer>\r\n  <ID>a</ID>\r\n  <baseURL>x</baseURL>\r\n</Issuer>",
        {"base_url": None},
        "<Issuer>\r\n  <ID>a</ID>\r\n</Issuer>",
    ),
    "lone CR": (ISSUER, "<Issuer>\r\t<ID>a</ID>\r</Issuer>", {"id": "b"}, "<Issuer>\r\t<ID>b</ID>\r</Issuer>"),
    "BOM and no final line end": (ISSUER, "\ufeff<Issuer>\n\t<ID>a</ID></Issuer>", {"id": "b"}, "\ufeff<Issuer>\n\t<ID>b</ID></Issuer>"),
    "tabs and blanks mixed": (
        ISSUER,
        "<Issuer>\n \t<ID>a</ID>\n\t <SchemeManager>s</SchemeManager>\n</Issuer>",
        {"name.en": "A"},
        "<Issuer>\n \t<ID>a</ID>\n \t<Name>\n \t \t<en>A</en>\n \t</Name>\n\t <SchemeManager>s</SchemeManager>\n</Issuer>",
    ),
    "unknown elements and comments between known ones": (
        ISSUER,
        "<Issuer>\n\t<!-- first -->\n\t<Zz><ID>no</ID></Zz>\n\t<ID>a</ID>\n\t<!-- last -->\n</Issuer>",
        {"scheme_id": "s", "id": "b"},
        "<Issuer>\n\t<!-- first -->\n\t<Zz><ID>no</ID></Zz>\n\t<ID>b</ID>\n\t<SchemeManager>s</SchemeManager>\n\t<!-- last -->\n</Issuer>",
    ),
    "a comment on the line of an element that goes": (
        ISSUER,
        "<Issuer>\n\t<ID>a</ID>\n\t<baseURL>x</baseURL> <!-- old -->\n</Issuer>",
        {"base_url": None},
        "<Issuer>\n\t<ID>a</ID>\n\t <!-- old -->\n</Issuer>",
    ),
    "an element that goes leaves the one on its line where it is": (
        ISSUER,
        "<Issuer>\n\t<baseURL>x</baseURL><ID>a</ID>\n</Issuer>",
        {"base_url": None},
        "<Issuer>\n\t<ID>a</ID>\n</Issuer>",
    ),
    "an empty group": (
        TYPE,
        "<IssueSpecification>\n\t<Attributes>\n\t</Attributes>\n</IssueSpecification>",
        {"attributes": ("a", "@revocation"), "attributes.@revocation.revocation": True},
        '<IssueSpecification>\n\t<Attributes>\n\t\t<Attribute id="a"/>\n\t\t'
        '<Attribute revocation="true"/>\n\t</Attributes>\n</IssueSpecification>',
    ),
    "a group goes": (
        TYPE,
        "<IssueSpecification>\n\t<Attributes/>\n</IssueSpecification>",
        {"attributes": None},
        "<IssueSpecification>\n</IssueSpecification>",
    ),
    "objects move between the comments that stand still": (
        TYPE,
        '<IssueSpecification><Attributes><Attribute id="a"/><!-- 1 -->'
        '<Attribute id="b"><Zz/></Attribute></Attributes></IssueSpecification>',
        {"attributes": ("b", "a")},
        '<IssueSpecification><Attributes><Attribute id="b"><Zz/></Attribute><!-- 1 -->'
        '<Attribute id="a"/></Attributes></IssueSpecification>',
    ),
    "identifiers that are none, or used before, are called by their place": (
        TYPE,
        '<IssueSpecification><Attributes><Attribute id="a"/><Attribute id="a"/>'
        '<Attribute id="x y"/><Attribute/></Attributes></IssueSpecification>',
        {"attributes.@2.optional": True, "attributes.@3.optional": True, "attributes.@4.optional": True},
        '<IssueSpecification><Attributes><Attribute id="a"/><Attribute id="a" optional="true"/><Attribute id="x y" optional="true"/>'
        '<Attribute optional="true"/></Attributes></IssueSpecification>',
    ),
    "names in another case": (
        JSON,
        '[{"ID":"s.a","HostNames":["x"]}]',
        {"requestors.a.hostnames": ("x", "y")},
        '[{"ID":"s.a","HostNames":["x", "y"]}]',
    ),
    "of repeated names the last is read and written": (
        JSON,
        '[{"id":"s.a","logo":"x","LOGO":"y"}]',
        {"requestors.a.logo": "z"},
        '[{"id":"s.a","logo":"x","LOGO":"z"}]',
    ),
    "all of repeated names go": (JSON, '[{"id":"s.a","logo":"x","LOGO":"y"}]', {"requestors.a.logo": None}, '[{"id":"s.a"}]'),
    "languages are told apart by case": (
        JSON,
        '[{"id":"s.a","name":{"en":"x","EN":"y"}}]',
        {"requestors.a.name.en": "z"},
        '[{"id":"s.a","name":{"en":"z","EN":"y"}}]',
    ),
    "null": (
        JSON,
        '[{"id":"s.a","name":null,"wizards":null}]',
        {"requestors.a.name.en": "x"},
        '[{"id":"s.a","name":{"en": "x"},"wizards":null}]',
    ),
    "nested wizards": (
        JSON,
        '[\n  {\n    "id": "s.a",\n    "wizards": {\n      "s.a.w": {"id": "s.a.w"}\n    }\n  }\n]\n',
        {"requestors.a.wizards": ("w", "v"), "requestors.a.wizards.v.id": "s.a.v", "requestors.a.wizards.w.title.en": "T"},
        '[\n  {\n    "id": "s.a",\n    "wizards": {\n      "s.a.w": {"id": "s.a.w", "title": {"en": "T"}},\n'
        '      "s.a.v": {\n          "id": "s.a.v"\n      }\n    }\n  }\n]\n',
    ),
    "lists on one line and on several": (
        JSON,
        '[{"id":"s.a",\n "hostnames": ["a",\n   "b"], "languages": ["en"]}]',
        {"requestors.a.hostnames": ("a", "c", "d"), "requestors.a.languages": ("nl", "en")},
        '[{"id":"s.a",\n "hostnames": ["a",\n   "c",\n   "d"], "languages": ["nl", "en"]}]',
    ),
    "escapes": (
        JSON,
        r'[{"\u0069d":"s.\u0061","l\u006fgo":"\ud83d\ude00"}]',
        {"requestors.a.logo": "é😀"},
        r'[{"\u0069d":"s.\u0061","l\u006fgo":"é😀"}]',
    ),
    "an object added where objects have lines": (
        JSON,
        '[\n    {\n        "id": "s.a"\n    }\n]',
        {"requestors": ("a", "b"), "requestors.b.id": "s.b", "requestors.b.name.en": "B"},
        '[\n    {\n        "id": "s.a"\n    },\n    {\n        "id": "s.b",\n        "name": {\n            "en": "B"\n        }\n    }\n]',
    ),
    "identifiers that are no texts": (
        JSON,
        '[{"id":null},{"logo":"x"},{"id":"s.s"}]',
        {"requestors.@2.logo": "y"},
        '[{"id":null},{"logo":"y"},{"id":"s.s"}]',
    ),
    "unknown members keep their bytes": (
        JSON,
        '[{"id":"s.a","zz":1.50e0,"yy":{ "a" :[ ]}}]',
        {"requestors.a.logo": "l"},
        '[{"id":"s.a","zz":1.50e0,"yy":{ "a" :[ ]}, "logo":"l"}]',
    ),
}


@pytest.mark.feature("A2")
@pytest.mark.parametrize("label", EDITS)
def test_edits(label: str) -> None:
    path, before, changes, after = EDITS[label]
    document = Document(path, before.encode())
    assert document.edited({}).content == before.encode()
    edited = document.edited(changes)
    assert edited.content.decode() == after
    for key, value in changes.items():
        assert edited.values.get(key) == value


def deep_xml(depth: int) -> str:
    return "<Issuer>" + "<a>" * depth + "</a>" * depth + "</Issuer>"


#: label → path, content
REFUSED: dict[str, tuple[str, str]] = {
    "an entity": (ISSUER, '<!DOCTYPE Issuer [<!ENTITY a "b">]><Issuer><ID>&a;</ID></Issuer>'),
    "an external entity": (ISSUER, '<!DOCTYPE Issuer [<!ENTITY a SYSTEM "file:///etc/passwd">]><Issuer><ID>&a;</ID></Issuer>'),
    "an external document type that declares an entity": (ISSUER, '<!DOCTYPE Issuer SYSTEM "http://x/"><Issuer><ID>&a;</ID></Issuer>'),
    "an undeclared entity": (ISSUER, "<Issuer><ID>&nbsp;</ID></Issuer>"),
    "entities within entities": (ISSUER, '<!DOCTYPE a [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><Issuer>&b;</Issuer>'),
    "XML too deep": (ISSUER, deep_xml(XML_DEPTH)),
    "XML too large": (ISSUER, f"<Issuer>{' ' * MAX_FILE_BYTES}</Issuer>"),
    "JSON too deep": (JSON, "[" * (JSON_DEPTH + 1) + "]" * (JSON_DEPTH + 1)),
    "JSON too large": (JSON, " " * MAX_FILE_BYTES + "[]"),
    "another root element": (ISSUER, "<IssueSpecification/>"),
    "no flag": (TYPE, "<IssueSpecification><DisallowDelete>yes</DisallowDelete></IssueSpecification>"),
    "no number": (TYPE, "<IssueSpecification><DeprecatedSince>today</DeprecatedSince></IssueSpecification>"),
    "an object for a list of requestors": (JSON, '{"a":{"id":"s.a"}}'),
    "a list for a description": ("description.json", "[]"),
    "a text for a document": (JSON, '"text"'),
    "a requestor that is no object": (JSON, "[null]"),
    "a list of wizards": (JSON, '[{"id":"s.a","wizards":[]}]'),
    "a text for wizards": (JSON, '[{"id":"s.a","wizards":"w"}]'),
    "hosts that are no texts": (JSON, '[{"id":"s.a","hostnames":[1]}]'),
    "a name that is a text": (JSON, '[{"id":"s.a","name":"A"}]'),
    "a text that is no text": (JSON, '[{"id":"s.a","name":{"en":1}}]'),
    "a number that is a truth": (JSON, '[{"id":"s.a","valid_until":true}]'),
    "a number of more than 64 bits": (JSON, '[{"id":"s.a","valid_until":9223372036854775808}]'),
    "a number with a fraction": (JSON, '[{"id":"s.a","valid_until":1.0}]'),
    "something behind the document": (JSON, "[] []"),
    "a BOM before JSON": (JSON, "\ufeff[]"),
}


@pytest.mark.parametrize("label", REFUSED)
def test_what_is_no_document(label: str) -> None:
    path, content = REFUSED[label]
    with pytest.raises(MalformedSchemeError):
        Document(path, content.encode())


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        (ISSUER, "name", "text"),
        (ISSUER, "name.", "text"),
        (ISSUER, "name.a b", "text"),
        (ISSUER, "name.en><b", "text"),
        (ISSUER, "name.en", 1),
        (ISSUER, "name.en", "\x00"),
        (ISSUER, "name.en", "\ud800"),
        (ISSUER, "unknown", "text"),
        (ISSUER, "unknown", None),
        (ISSUER, "deprecated_since", True),
        (ISSUER, "deprecated_since", 1 << 63),
        (ISSUER, "deprecated_since", "1"),
        (ISSUER, "languages", "en"),
        (TYPE, "revocation_update_count", -1),
        (TYPE, "disallow_delete", "true"),
        (TYPE, "attributes", ("a", "a")),
        (TYPE, "attributes", ("a b",)),
        (TYPE, "attributes", ("@other",)),
        (TYPE, "attributes.a b.name.en", "x"),
        (TYPE, "dependencies", (("a",),)),
        (JSON, "requestors.a.logo", "\udc00"),
        (JSON, "requestors.a.hostnames", (1,)),
    ],
)
def test_what_no_field_holds(path: str, key: str, value: Value) -> None:
    with pytest.raises(MalformedSchemeError) as caught:
        new_document(path, {}).edited({key: value})
    assert caught.value.field == key


def test_half_surrogates_are_read_as_the_reading_side_reads_them() -> None:
    document = Document(JSON, rb'[{"id":"s.a","logo":"\ud800x"}]')
    assert document.values["requestors.a.logo"] == "\ufffdx"
    assert document.edited({"requestors.a.logo": "y"}).content == b'[{"id":"s.a","logo":"y"}]'


def test_negative_numbers_are_read_where_readers_read_them() -> None:
    content = b"<SchemeManager><MinimumAppVersion><Android>-1</Android></MinimumAppVersion></SchemeManager>"
    assert Document("description.xml", content).values["minimum_app_version.android"] == -1


def test_new_documents_have_lines() -> None:
    requestors = {"requestors": ("a",), "requestors.a.id": "s.a", "requestors.a.wizards": ("w",), "requestors.a.wizards.w.id": "s.a.w"}
    assert new_document("description.json", {"id": "s", "languages": ("en", "nl")}).content.decode() == (
        '{\n    "id": "s",\n    "languages": [\n        "en",\n        "nl"\n    ]\n}\n'
    )
    assert new_document(JSON, requestors).content.decode() == (
        '[\n    {\n        "id": "s.a",\n        "wizards": {\n            "s.a.w": {\n            '
        '    "id": "s.a.w"\n            }\n        }\n    }\n]\n'
    )
