import pytest

from idemix.errors import MalformedSchemeError
from idemix.scheme.descriptions import (
    parse_credential_type,
    parse_issuer,
    parse_requestor_scheme,
    parse_requestors,
    parse_scheme_manager,
    scheme_type,
)
from idemix.scheme.identifiers import AttributeTypeId, CredentialTypeId, IssuerId

CREDENTIAL_TYPE = """<IssueSpecification version="4">
  <Name><en>Card</en><nl>Kaart</nl></Name>
  <SchemeManager>s</SchemeManager><IssuerID>i</IssuerID><CredentialID>c</CredentialID>
  <Description><en>A card</en></Description>
  <ShortName><en>unknown elements are passed over</en></ShortName>
  <ShouldBeSingleton>true</ShouldBeSingleton><DisallowDelete>1</DisallowDelete>
  <IssueURL><en>https://example.com</en></IssueURL><IsULIssueURL>true</IsULIssueURL>
  <DeprecatedSince>1700000000</DeprecatedSince>
  <Dependencies>
    <Or><And><CredentialType>s.i.a</CredentialType><CredentialType>s.i.b</CredentialType></And><And/></Or>
    <Or><And><CredentialType>s.i.d</CredentialType></And></Or>
  </Dependencies>
  <ForegroundColor>#ffffff</ForegroundColor><BackgroundGradientStart>#000000</BackgroundGradientStart>
  <BackgroundGradientEnd>#111111</BackgroundGradientEnd>
  <IsInCredentialStore>true</IsInCredentialStore><Category><en>Personal</en></Category>
  <FAQIntro><en>1</en></FAQIntro><FAQPurpose><en>2</en></FAQPurpose><FAQContent><en>3</en></FAQContent>
  <FAQHowto><en>4</en></FAQHowto><FAQSummary><en>5</en></FAQSummary>
  <Languages><Language>en</Language></Languages>
  <RevocationServers><RevocationServer>https://r.example.com</RevocationServer></RevocationServers>
  <RevocationUpdateCount>5</RevocationUpdateCount><RevocationUpdateSpeed>24</RevocationUpdateSpeed>
  <Attributes>
    <Attribute id="a" optional="true" displayIndex="1" displayHint="yesno"><Name><en>A</en></Name></Attribute>
    <Attribute revocation="true"/>
    <Attribute id="b" randomblind="true" optional="TRUE"/>
    <Attribute id="c"/>
  </Attributes>
</IssueSpecification>"""


def test_credential_type_with_every_element() -> None:
    kind = parse_credential_type(CREDENTIAL_TYPE.encode(), "i/Issues/c/description.xml")
    assert kind.id == CredentialTypeId("s.i.c")
    assert kind.issuer == IssuerId("s.i")
    assert dict(kind.name) == {"en": "Card", "nl": "Kaart"}
    assert (kind.is_singleton, kind.disallow_delete, kind.is_universal_link, kind.is_in_credential_store) == (True,) * 4
    assert kind.deprecated_since == 1_700_000_000
    a, b, d = (CredentialTypeId(f"s.i.{name}") for name in "abd")
    assert kind.dependencies == (((a, b), ()), ((d,),))
    assert (kind.foreground_color, kind.background_gradient_start, kind.background_gradient_end) == ("#ffffff", "#000000", "#111111")
    texts = (kind.issue_url, kind.category, kind.faq_intro, kind.faq_purpose, kind.faq_content, kind.faq_howto, kind.faq_summary)
    assert [text["en"] for text in texts if text] == ["https://example.com", "Personal", "1", "2", "3", "4", "5"]
    assert kind.languages == ("en",)
    assert kind.supports_revocation
    assert (kind.revocation_servers, kind.revocation_update_count, kind.revocation_update_speed) == (("https://r.example.com",), 5, 24)
    assert kind.version == 4


def test_attributes() -> None:
    kind = parse_credential_type(CREDENTIAL_TYPE.encode(), "i/Issues/c/description.xml")
    assert [attribute.attribute_id for attribute in kind.attributes] == ["a", "", "b", "c"]
    assert [attribute.index for attribute in kind.attributes] == [0, 1, 2, 3]
    assert [attribute.is_optional for attribute in kind.attributes] == [True, False, False, False]
    assert kind.attributes[0].id == AttributeTypeId("s.i.c.a")
    assert (kind.attributes[0].display_index, kind.attributes[0].display_hint) == (1, "yesno")
    assert kind.attributes[1].display_index is None
    assert kind.revocation_index == 1
    assert kind.attribute("b") is kind.attributes[2]
    assert kind.attribute("none") is None


def test_random_blind_names_are_those_of_the_attributes_after() -> None:
    kind = parse_credential_type(CREDENTIAL_TYPE.encode(), "x")
    assert kind.random_blind_indices == (3,)
    assert kind.random_blind_names == ("c",)


def test_hash_of_a_credential_type() -> None:
    kind = parse_credential_type(CREDENTIAL_TYPE.encode(), "x")
    assert kind.hash.hex() == "b3110c22d70c0c8898ff94fd7dada7bb"  # sha256sum of the text s.i.c


def test_scheme_manager_with_every_element() -> None:
    scheme = parse_scheme_manager(
        b"""<SchemeManager version="7"><Id>s</Id><Url>https://example.com/s</Url><Demo>true</Demo>
        <Name><en>S</en></Name><Description><en>D</en></Description>
        <MinimumAppVersion><Android>12</Android><iOS>13</iOS></MinimumAppVersion>
        <KeyshareServer>https://k</KeyshareServer><KeyshareWebsite>https://w</KeyshareWebsite>
        <KeyshareAttribute>s.i.c.a</KeyshareAttribute><TimestampServer>https://t</TimestampServer><Contact>https://c</Contact>
        <Languages><Language>en</Language><Language>nl</Language></Languages></SchemeManager>"""
    )
    assert (scheme.scheme_id, scheme.url, scheme.demo, scheme.version) == ("s", "https://example.com/s", True, 7)
    assert (scheme.minimum_app_version.android, scheme.minimum_app_version.ios) == (12, 13)
    assert (scheme.keyshare_server, scheme.keyshare_website, scheme.keyshare_attribute) == ("https://k", "https://w", "s.i.c.a")
    assert (scheme.timestamp_server, scheme.contact, scheme.languages) == ("https://t", "https://c", ("en", "nl"))
    assert scheme.has_keyshare
    assert scheme.timestamp is None


def test_an_empty_deprecation_is_1970() -> None:
    issuer = parse_issuer(b"<Issuer><ID>i</ID><SchemeManager>s</SchemeManager><DeprecatedSince/></Issuer>", "i/description.xml")
    assert issuer.deprecated_since == 0
    assert issuer.is_deprecated(1)
    assert issuer.version == 0


@pytest.mark.parametrize(
    ("read", "content", "departure"),
    [
        (parse_scheme_manager, b"<Scheme/>", None),
        (parse_credential_type, b"<CredentialType/>", None),
        (parse_issuer, b"<Publisher/>", "issuer-root"),
        (parse_issuer, b"<Issuer><DeprecatedSince>2020-01-01</DeprecatedSince></Issuer>", None),
        (parse_scheme_manager, b"<SchemeManager><MinimumAppVersion><iOS>v6</iOS></MinimumAppVersion></SchemeManager>", None),
        (parse_scheme_manager, b'<SchemeManager version="seven"/>', None),
        (
            parse_credential_type,
            b'<IssueSpecification><Attributes><Attribute randomblind="maybe"/></Attributes></IssueSpecification>',
            None,
        ),
        (parse_credential_type, b'<IssueSpecification><Attributes><Attribute displayIndex="x"/></Attributes></IssueSpecification>', None),
        (parse_requestor_scheme, b"[]", None),
        (parse_requestor_scheme, b'{"demo": "yes"}', None),
        (parse_requestors, b"{}", None),
        (parse_requestors, b"[null]", None),
        (parse_requestors, b'[{"wizards": {"a.b.c": null}}]', None),
        (parse_requestors, b'[{"wizards": {"a.b.c": {"contents": [{}]}}}]', None),
        (parse_requestors, b'[{"wizards": {"a.b.c": {"contents": [[{}]]}}}]', None),
    ],
)
def test_refuses(read: object, content: bytes, departure: str | None) -> None:
    with pytest.raises(MalformedSchemeError) as caught:
        read(content, "some/file")  # type: ignore[operator]
    assert (caught.value.path, caught.value.departure) == ("some/file", departure)


def test_requestor_with_every_field() -> None:
    (requestor,) = parse_requestors(
        b"""[{"id": "r.a", "scheme": "r", "name": {"en": "A"}, "industry": {"en": "I"}, "hostnames": ["a.example"], "logo": "ab",
        "logoPath": "/computed", "valid_until": 5, "unverified": true, "languages": ["en"], "wizards": {"r.a.w": {
          "id": "r.a.w", "title": {"en": "T"}, "logo": "cd", "color": "#FFFFFF", "textColor": "#000000", "issues": "s.i.c",
          "allowOtherRequestors": true, "languages": ["nl"], "info": {"en": "i"}, "faq": [{"question": {"en": "q"}, "answer": {"en": "a"}}],
          "intro": {"en": "in"}, "successHeader": {"en": "h"}, "successText": {"en": "t"}, "expandDependencies": false,
          "contents": [[[{"type": "credential", "credential": "s.i.c", "inapp": false},
                         {"type": "session", "header": {"en": "h"}, "text": {"en": "t"}, "label": {"en": "l"}, "sessionUrl": "https://s"},
                         {"type": "website", "url": {"en": "https://w"}}], null], null]}}}]""",
        "requestors.json",
    )
    assert (str(requestor.id), requestor.scheme_id, requestor.hostnames, requestor.logo) == ("r.a", "r", ("a.example",), "ab")
    assert (requestor.valid_until, requestor.unverified, requestor.languages) == (5, True, ("en",))
    wizard = requestor.wizards["r.a.w"]
    assert (str(wizard.id), wizard.id.requestor, wizard.issues) == ("r.a.w", requestor.id, CredentialTypeId("s.i.c"))
    assert (wizard.color, wizard.text_color, wizard.allow_other_requestors, wizard.expands_dependencies) == (
        "#FFFFFF",
        "#000000",
        True,
        False,
    )
    assert wizard.faq[0].question["en"] == "q"
    first, second, third = wizard.contents[0][0]
    assert (first.credential, first.in_app, second.session_url) == (CredentialTypeId("s.i.c"), False, "https://s")
    assert third.url is not None
    assert wizard.contents[0][1] == ()
    assert wizard.contents[1] == ()


def test_requestor_scheme() -> None:
    scheme = parse_requestor_scheme(b'{"id": "r", "schemetype": "requestor", "url": "https://r", "demo": true, "languages": ["en"]}')
    assert (str(scheme.id), scheme.url, scheme.demo, scheme.languages) == ("r", "https://r", True, ("en",))
    assert parse_requestors(b"null", "requestors.json") == ()


@pytest.mark.parametrize(
    ("path", "content", "found"),
    [
        ("description.xml", b"<SchemeManager><Id>a</Id></SchemeManager>", ("a", "issuer")),
        ("description.xml", b"<SchemeManager><Id>a</Id><SchemeType>issuer</SchemeType></SchemeManager>", ("a", "issuer")),
        ("description.json", b'{"id": "a", "schemetype": "requestor"}', ("a", "requestor")),
        ("description.json", b'{"id": "a"}', ("a", "issuer")),
    ],
)
def test_scheme_type(path: str, content: bytes, found: tuple[str, str]) -> None:
    assert scheme_type(content, path) == found


@pytest.mark.parametrize("identifier", ["a.b", "tempscheme1", "oldscheme", ".tempscheme"])
def test_ids_that_no_scheme_may_have(identifier: str) -> None:
    with pytest.raises(MalformedSchemeError) as caught:
        scheme_type(f'{{"id": "{identifier}"}}'.encode(), "description.json")
    assert caught.value.field == "id"


def test_unknown_scheme_type() -> None:
    with pytest.raises(MalformedSchemeError):
        scheme_type(b"<A><SchemeType>other</SchemeType></A>", "description.xml")
