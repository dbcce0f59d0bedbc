"""What the engine says of a value is a text of the console."""

from itertools import product

from console.drafts.words import STORAGE_RULES
from idemix.scheme.documents import CREDENTIAL_TYPE, ISSUER, REQUESTOR_SCHEME, REQUESTORS, SCHEME, Field, Group, Kind, Place, Value
from idemix.scheme.documents.document import rule_of
from tests.support.catalogue import extracted, read_catalogue

#: Values of every shape, among them some that no file, no XML and no list of identifiers can hold.
VALUES: tuple[Value, ...] = (
    None,
    "",
    "text",
    "\x00",
    "\ud800",
    True,
    -1,
    0,
    1 << 63,
    (),
    ("a", "b"),
    ("a", "a"),
    ("not an identifier",),
    (1,),
    ("\x00",),
    ("\ud800",),
    ((("a",),),),
    ((("\x00",),),),
    ((("\ud800",),),),
    ((1,),),
    {"a": "\x00"},
    {"\ud800": "a"},
)
KINDS = (SCHEME, ISSUER, CREDENTIAL_TYPE, REQUESTOR_SCHEME, REQUESTORS)


def parts(fields: tuple[Field | Group, ...]) -> list[Field | Group]:
    """Fields and groups, those inside groups too."""
    return [inner for part in fields for inner in ([part, *parts(part.fields)] if isinstance(part, Group) else [part])]


def rules() -> set[str]:
    """Every rule that some value breaks in some place of some document."""
    found = set()
    for kind in KINDS:
        for part, language, value in product(parts(kind.fields), ("en", "no language"), VALUES):
            place = Place(part, language if isinstance(part, Field) and part.kind is Kind.TRANSLATED else "")
            found.add(rule_of(place, value, in_xml=bool(kind.root)))
    return {rule for rule in found if rule is not None}


def test_every_rule_of_the_engine_is_listed_and_no_other() -> None:
    assert set(STORAGE_RULES) == rules()
    assert len(STORAGE_RULES) == len(rules())


def test_every_rule_of_the_engine_is_a_text_of_the_catalogue() -> None:
    assert rules() <= set(extracted())
    dutch = read_catalogue("nl")
    assert [rule for rule in rules() if dutch[rule].string in ("", rule)] == []
