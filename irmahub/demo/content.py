"""The demo's own scheme: a municipality and a university, three credential types, in English and Dutch. All names are invented."""

from collections.abc import Mapping
from typing import Final

from console.schemes.models import NewAttribute, NewCredentialType, NewIssuer, NewScheme
from gateway.models import Channel
from irmahub.demo import logos

SCHEME: Final = "irmahub-demo"
MUNICIPALITY: Final = "zeedam"
UNIVERSITY: Final = "watervliet"


def _text(en: str, nl: str) -> Mapping[str, str]:
    return {"en": en, "nl": nl}


def scheme(*, url: str, remote: str, public_url: str, timestamp_server: str) -> NewScheme:
    """The scheme, for clients at `url`, pushed to `remote`; its signatures are stamped at `timestamp_server`."""
    return NewScheme(
        id=SCHEME,
        url=url,
        name=_text("irmahub demo", "irmahub-demo"),
        description=_text("Invented organisations that show what irmahub does", "Verzonnen organisaties die laten zien wat irmahub doet"),
        channel=Channel.DEMO,
        languages=("en", "nl"),
        remote=remote,
        public_url=public_url,
        timestamp_server=timestamp_server,
    )


def issuers() -> tuple[NewIssuer, ...]:
    """The two issuers."""
    return (
        NewIssuer(MUNICIPALITY, _text("Demo Municipality of Zeedam", "Demo Gemeente Zeedam"), logos.municipality()),
        NewIssuer(UNIVERSITY, _text("Demo Watervliet University", "Demo Universiteit Watervliet"), logos.university()),
    )


def credential_types() -> tuple[NewCredentialType, ...]:
    """The three credential types."""
    return (
        NewCredentialType(
            issuer=MUNICIPALITY,
            id="personalData",
            name=_text("Demo Personal data", "Demo Persoonsgegevens"),
            description=_text("Who you are, from the population register", "Wie je bent, uit de basisregistratie personen"),
            attributes=(
                NewAttribute("fullName", _text("Full name", "Volledige naam"), _text("First names and surname", "Voornamen en achternaam")),
                NewAttribute("dateOfBirth", _text("Date of birth", "Geboortedatum"), _text("Day, month and year", "Dag, maand en jaar")),
                NewAttribute("over18", _text("Over 18", "18 jaar of ouder"), _text("Yes or no", "Ja of nee")),
            ),
            logo=logos.person(),
            singleton=True,
        ),
        NewCredentialType(
            issuer=MUNICIPALITY,
            id="address",
            name=_text("Demo Address", "Demo Adres"),
            description=_text("Where you live, from the population register", "Waar je woont, uit de basisregistratie personen"),
            attributes=(
                NewAttribute("street", _text("Street", "Straat"), _text("Street and house number", "Straat en huisnummer")),
                NewAttribute(
                    "postalCode", _text("Postal code", "Postcode"), _text("Four digits and two letters", "Vier cijfers en twee letters")
                ),
                NewAttribute("city", _text("City", "Woonplaats"), _text("Where the address is", "Waar het adres ligt")),
            ),
            logo=logos.house(),
            singleton=True,
        ),
        NewCredentialType(
            issuer=UNIVERSITY,
            id="studentCard",
            name=_text("Demo Student card", "Demo Studentenkaart"),
            description=_text("That you study here", "Dat je hier studeert"),
            attributes=(
                NewAttribute("studentNumber", _text("Student number", "Studentnummer"), _text("Your number here", "Je nummer hier")),
                NewAttribute("level", _text("Level", "Niveau"), _text("Bachelor or master", "Bachelor of master")),
                NewAttribute("email", _text("Email address", "E-mailadres"), _text("Your address here", "Je adres hier"), optional=True),
            ),
            logo=logos.book(),
        ),
    )
