"""What the benches of the gateway work with: a scheme made on the spot, and what a holder of its credential prepares.

A generator of load shall cost little beside what it loads. So everything of a proof is made beforehand but what depends on the
session's nonce: the challenge and the responses. Each prepared commitment answers many sessions. That gives away the secret key of
a holder who exists for the bench only, and changes nothing for the server, which keeps nothing of a proof between sessions.
"""

import io
import json
import secrets
import string
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from typing import Any, Final, Self

from gmpy2 import mpz
from PIL import Image

from idemix.arith.randomness import SYSTEM_RANDOM
from idemix.challenge import create_challenge
from idemix.cl.signature import CLSignature
from idemix.cl.signature import sign as sign_attributes
from idemix.credential.attributes import encode_attribute
from idemix.credential.credential import Credential, generate_secret_key
from idemix.credential.metadata import MetadataAttribute
from idemix.integers import decode_integer
from idemix.issuance.messages import IssueCommitmentMessage
from idemix.keys.generate import KeyPair, generate_key_pair
from idemix.keys.public import PublicKey
from idemix.messages import DisclosedIndex, Disclosure
from idemix.params import SECRET_RANDOMIZER_BITS
from idemix.proofs import CommitmentBuilder
from idemix.proofs.builder import CommittedList, commit_all
from idemix.scheme.authoring import add_credential_type, add_issuer, new_scheme
from idemix.scheme.descriptions import AttributeType, CredentialType, Issuer, SchemeManager
from idemix.scheme.identifiers import CredentialTypeId
from idemix.scheme.keys import generate_scheme_key, print_public_key, sign
from idemix.scheme.signing import sign_tree
from idemix.scheme.translations import TranslatedString
from idemix.scheme.tree import SchemeTree

CREDENTIAL: Final = CredentialTypeId("bench.issuer.card")
ATTRIBUTES: Final = tuple(f"attribute{number}" for number in range(10))
KEY_BITS: Final = 2048

#: Where the first attribute stands among the bases of the key: after the secret key and the metadata.
_FIRST_INDEX: Final = 2

#: How many commitments are prepared; they take turns.
PREPARED: Final = 32

_LETTERS: Final = string.ascii_letters + string.digits


def make_scheme(*, now: int) -> tuple[SchemeTree, KeyPair]:
    """Make a signed demo scheme of one issuer, whose key lies in it, and one credential type of ten attributes."""
    pair = generate_key_pair(KEY_BITS, counter=0, expires_at=now + 365 * 86_400, bases=len(ATTRIBUTES) + _FIRST_INDEX)
    scheme, issuer = CREDENTIAL.issuer.scheme, CREDENTIAL.issuer
    tree = new_scheme(
        SchemeManager(scheme_id=str(scheme), url="http://127.0.0.1/", name=_text("Demo"), description=_text("Demo"), demo=True)
    )
    tree = add_issuer(tree, Issuer(scheme_id=str(scheme), issuer_id=issuer.name, name=_text("Demo issuer")), _logo())
    attributes = tuple(
        AttributeType(credential_type=CREDENTIAL, attribute_id=name, index=index, name=_text(name), description=_text(name))
        for index, name in enumerate(ATTRIBUTES)
    )
    card = CredentialType(
        scheme_id=str(scheme),
        issuer_id=issuer.name,
        credential_id=CREDENTIAL.name,
        name=_text("Demo card"),
        description=_text("A card"),
        attributes=attributes,
    )
    tree = add_credential_type(tree, card, _logo())
    keys = {f"{issuer.name}/PublicKeys/0.xml": pair.public.to_xml(), f"{issuer.name}/PrivateKeys/0.xml": pair.private.to_xml()}
    key = generate_scheme_key()
    return sign_tree(tree.with_files(keys), partial(sign, key), print_public_key(key.public_key()), now=now), pair


def _text(text: str) -> TranslatedString:
    return TranslatedString({"en": text, "nl": text})


def _logo() -> bytes:
    output = io.BytesIO()
    Image.new("RGB", (1, 1)).save(output, "PNG")
    return output.getvalue()


@dataclass(frozen=True, slots=True)
class Holder:
    """Somebody who has the credential, in a form that travels between processes.

    Attributes:
        public_key: the issuer's, as XML.
        signature, attributes: the credential's.
    """

    public_key: bytes
    signature: CLSignature
    attributes: tuple[mpz, ...]

    @classmethod
    def issued(cls, pair: KeyPair, *, now: int) -> Self:
        """Issue the credential, without a server."""
        metadata = MetadataAttribute.create(str(CREDENTIAL), signed_at=now, expires_at=None, key_counter=pair.public.counter)
        values = (generate_secret_key(), metadata.encode(), *(encode_attribute(f"value of {name}") for name in ATTRIBUTES))
        return cls(pair.public.to_xml(), sign_attributes(pair.private, pair.public, values), values)

    @property
    def credential(self) -> Credential:
        """The credential."""
        return Credential(PublicKey.from_xml(self.public_key), self.signature, self.attributes)


class PreparedDisclosure:
    """Sessions that disclose the first attribute, and the answers to them.

    Attributes:
        request: the session request.
        path: where the answer is posted, below the session's address.
    """

    request: Final = {"@context": "https://irma.app/ld/request/disclosure/v2", "disclose": [[[f"{CREDENTIAL}.{ATTRIBUTES[0]}"]]]}
    path: Final = "proofs"

    def __init__(self, credential: Credential) -> None:
        builders = [credential.disclosure_builder({1, _FIRST_INDEX}) for _ in range(PREPARED)]
        self._prepared = cycle([commit_all([builder], SYSTEM_RANDOM.bits(SECRET_RANDOMIZER_BITS)) for builder in builders])

    def answer(self, request: dict[str, Any]) -> bytes:
        """The body that answers a session."""
        committed = next(self._prepared)
        proofs = committed.respond(_challenge(request, committed))
        return json.dumps(Disclosure(proofs, ((DisclosedIndex(0, _FIRST_INDEX),),)).to_json()).encode()


class PreparedIssuance:
    """Sessions that issue the credential, and the answers to them; attributes as of `PreparedDisclosure`."""

    request: Final = {
        "@context": "https://irma.app/ld/request/issuance/v2",
        "credentials": [{"credential": str(CREDENTIAL), "attributes": {name: f"value of {name}" for name in ATTRIBUTES}}],
    }
    path: Final = "commitments"

    def __init__(self, credential: Credential) -> None:
        key, secret = credential.public_key, credential.attributes[0]
        builders = [CommitmentBuilder.create(key, secret) for _ in range(PREPARED)]
        self._prepared = cycle([commit_all([builder], SYSTEM_RANDOM.bits(SECRET_RANDOMIZER_BITS)) for builder in builders])

    def answer(self, request: dict[str, Any]) -> bytes:
        """The body that answers a session."""
        committed = next(self._prepared)
        proofs = committed.respond(_challenge(request, committed))
        return json.dumps(IssueCommitmentMessage(SYSTEM_RANDOM.bits(80), proofs).to_json()).encode()


Prepared = PreparedDisclosure | PreparedIssuance

#: By the name of the type of session.
PREPARATIONS: Final = {"disclosure": PreparedDisclosure, "issuance": PreparedIssuance}


def _challenge(request: dict[str, Any], committed: CommittedList) -> mpz:
    context, nonce = decode_integer(request["context"], "context"), decode_integer(request["nonce"], "nonce")
    return create_challenge(context, nonce, committed.contributions, False)


def app_secret() -> str:
    """The secret with which an app binds a session to itself."""
    return "".join(secrets.choice(_LETTERS) for _ in range(20))
