"""JWTs: which are taken, and how each fault is told."""

import base64
import hmac
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.auth.base import Purpose, SignedBody, authenticate
from gateway.auth.hmac import HmacAuthenticator
from gateway.auth.publickey import PublicKeyAuthenticator
from gateway.auth.published import PublishedKeys
from gateway.auth.token import TokenAuthenticator
from gateway.errors import AuthenticationError, JwtTooOldError, TokenRefusedError
from gateway.models import AuthMethod
from gateway.requestors.directory import DirectoryKey, DirectoryRequestor, RequestorDirectory, hash_token
from idemix.errors import IdemixError, MalformedRequestError
from idemix.request import RequestorRequest
from tests.support.clock import START, SettableClock
from tests.support.gateways import DISCLOSURE

PEPPER = b"pepper"
SECRET = b"a secret of thirty-two bytes....!"
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
NOW = int(START.timestamp())
HMAC_KEY = DirectoryKey(1, AuthMethod.HMAC, secret=SECRET)
RSA_DIRECTORY_KEY = DirectoryKey(2, AuthMethod.PUBLICKEY, public_key=RSA_KEY.public_key())
CLAIMS = {"iss": "shop", "iat": NOW, "sub": "verification_request", "sprequest": {"request": DISCLOSURE}}


def ask(
    body: bytes | str,
    *keys: DirectoryKey,
    clock: SettableClock | None = None,
    leeway: int = 0,
    published: PublishedKeys | None = None,
    **headers: str,
) -> str:
    """Authenticate as the requestor `shop` with these keys; gives the name."""
    told = clock or SettableClock()
    directory = RequestorDirectory.of([DirectoryRequestor("shop", keys=keys or (HMAC_KEY, RSA_DIRECTORY_KEY))], pepper=PEPPER)
    methods = (
        TokenAuthenticator(told),
        HmacAuthenticator(told, 300, leeway),
        PublicKeyAuthenticator(told, 300, leeway, published or Published({})),
    )
    text = body.encode() if isinstance(body, str) else body
    signed = SignedBody(headers.get("content_type", "text/plain"), headers.get("authorization", ""), text)
    found = authenticate(signed, directory, methods)
    assert isinstance(found.request, RequestorRequest)
    return found.name


def hs256(claims: dict[str, Any] | None = None, headers: dict[str, Any] | None = None) -> str:
    return jwt.encode(CLAIMS | (claims or {}), SECRET, algorithm="HS256", headers=headers)


def test_both_algorithms_of_one_requestor() -> None:
    assert ask(hs256()) == "shop"
    assert ask(jwt.encode(CLAIMS, RSA_KEY, algorithm="RS256")) == "shop"


def test_kid_goes_before_iss() -> None:
    assert ask(hs256({"iss": "whoever"}, {"kid": "shop"})) == "shop"
    with pytest.raises(AuthenticationError, match="Unknown requestor: whoever"):
        ask(hs256({}, {"kid": "whoever"}))


def signed(header: bytes, claims: bytes) -> bytes:
    """A token of these texts under the secret."""
    text = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in (header, claims))
    return text + b"." + base64.urlsafe_b64encode(hmac.digest(SECRET, text, "sha256")).rstrip(b"=")


def test_names_of_claims_are_read_in_any_case() -> None:
    claims = json.dumps(CLAIMS).replace('"iss"', '"ISS"').encode()
    assert ask(signed(b'{"alg":"HS256"}', claims)) == "shop"
    with pytest.raises(AuthenticationError, match="token is expired by 5s"):
        ask(signed(b'{"alg":"HS256"}', json.dumps(CLAIMS | {"Exp": NOW - 5}).encode()))
    with pytest.raises(MalformedRequestError, match="twice") as refusal:
        ask(signed(b'{"alg":"HS256"}', json.dumps(CLAIMS | {"Iat": NOW}).encode()))
    assert refusal.value.departure == "doubled-key"


def test_text_that_is_not_unicode_is_replaced() -> None:
    claims = json.dumps(CLAIMS).encode()[:-1] + b',"note":"\xff"}'
    assert ask(signed(b'{"alg":"HS256","note":"\xff"}', claims)) == "shop"


@pytest.mark.parametrize(
    "claims", [{"exp": 2**63 - 1}, {"exp": 2**63}, {"iat": -(2**63) - 1}, {"nbf": -(10**30)}, {"exp": 1.5}, {"aud": ["shop"]}, {"jti": 1}]
)
def test_a_registered_claim_that_cannot_be_read(claims: dict[str, Any]) -> None:
    with pytest.raises(AuthenticationError, match="request could not be authenticated"):
        ask(signed(b'{"alg":"HS256"}', json.dumps(CLAIMS | claims).encode()))


@pytest.mark.parametrize(
    ("claims", "error", "message"),
    [
        ({"iat": NOW - 301}, JwtTooOldError, "jwt too old"),
        ({"iat": None}, JwtTooOldError, "jwt too old"),
        ({"iat": NOW + 1}, AuthenticationError, "token used before issued"),
        ({"exp": NOW}, AuthenticationError, "token is expired by 0s"),
        ({"exp": NOW - 3700}, AuthenticationError, "token is expired by 1h1m40s"),
        ({"exp": NOW - 61}, AuthenticationError, "token is expired by 1m1s"),
        ({"nbf": NOW + 1}, AuthenticationError, "token is not valid yet"),
        ({"iat": NOW + 0.5}, AuthenticationError, "request could not be authenticated"),
        ({"iat": str(NOW)}, AuthenticationError, "request could not be authenticated"),
        ({"iat": True}, AuthenticationError, "request could not be authenticated"),
        ({"jti": 5}, AuthenticationError, "request could not be authenticated"),
        ({"sub": "login"}, MalformedRequestError, "Invalid session type"),
        ({"sub": "issue_request"}, AuthenticationError, "Invalid JWT body: Not a IdentityProviderRequest"),
        ({"sprequest": None}, AuthenticationError, "Invalid JWT body: Not a ServiceProviderRequest"),
        ({"sprequest": DISCLOSURE}, AuthenticationError, "Invalid JWT body: Not a ServiceProviderRequest"),
    ],
)
def test_claims(claims: dict[str, Any], error: type[Exception], message: str) -> None:
    # By hand, since the library of the client refuses to write some of them.
    with pytest.raises(error, match=f"^{message}$"):
        ask(_by_hand(CLAIMS | claims))


def test_edges_of_the_age() -> None:
    assert ask(hs256({"iat": NOW - 300})) == "shop"
    assert ask(hs256({"exp": NOW + 1, "nbf": NOW})) == "shop"


@pytest.mark.parametrize("header", [{"alg": "none"}, {"alg": "HS512"}, {"alg": "hs256"}, {"alg": ""}, {}])
def test_other_algorithms_do_not_apply(header: dict[str, str]) -> None:
    with pytest.raises(AuthenticationError, match="request could not be authenticated"):
        ask(_by_hand(CLAIMS, header))


def test_an_algorithm_is_bound_to_its_kind_of_key() -> None:
    pem = RSA_KEY.public_key().public_numbers()
    confused = _by_hand(CLAIMS, secret=str(pem.n).encode())
    with pytest.raises(AuthenticationError, match="Unknown requestor: shop"):
        ask(confused, RSA_DIRECTORY_KEY)
    with pytest.raises(AuthenticationError, match="signature is invalid"):
        ask(confused)


@pytest.mark.parametrize(
    ("alter", "departure"),
    [
        (lambda token: token + "\n", "jwt-line-end"),
        (lambda token: token + "\r\n", "jwt-line-end"),
        (lambda token: token[:-3] + "\n" + token[-3:], "jwt-line-end"),
        (lambda token: token + " ", None),
        (lambda token: " " + token, None),
        (lambda token: token + "=", None),
        (lambda token: token + ".x", None),
        (lambda token: token.rpartition(".")[0], None),
        (lambda token: token.rpartition(".")[0] + ".", None),
        (lambda token: f'"{token}"', None),
        (lambda token: token[:-5], None),
    ],
)
def test_altered_tokens(alter: Any, departure: str | None) -> None:
    with pytest.raises(IdemixError) as caught:
        ask(alter(hs256()))
    assert caught.value.departure == departure


@pytest.mark.parametrize("header", [{"typ": "at+jwt"}, {"crit": ["exp"]}, {"b64": False}])
def test_header_parameters_that_change_the_meaning(header: dict[str, Any]) -> None:
    with pytest.raises(MalformedRequestError, match="JWT header") as caught:
        ask(_by_hand(CLAIMS, {"alg": "HS256"} | header))
    assert caught.value.departure == "jwt-header"


def test_doubled_claims_are_refused() -> None:
    text = json.dumps(CLAIMS)[:-1] + ', "iss": "other"}'
    with pytest.raises(MalformedRequestError):
        ask(_by_hand(text))


def test_keys_have_their_times() -> None:
    hour = timedelta(hours=1)
    for key in (
        DirectoryKey(1, AuthMethod.HMAC, secret=SECRET, not_before=START + hour),
        DirectoryKey(1, AuthMethod.HMAC, secret=SECRET, expires_at=START),
        DirectoryKey(1, AuthMethod.HMAC, secret=SECRET, revoked_at=START),
    ):
        with pytest.raises(AuthenticationError, match="Unknown requestor: shop"):
            ask(hs256(), key)
    other = DirectoryKey(3, AuthMethod.HMAC, secret=b"another")
    assert ask(hs256(), other, DirectoryKey(1, AuthMethod.HMAC, secret=SECRET, not_before=START, expires_at=START + hour)) == "shop"


def test_tokens() -> None:
    key = DirectoryKey(1, AuthMethod.TOKEN, token_hash=hash_token("t0ken", PEPPER))
    body = json.dumps(DISCLOSURE)
    assert ask(body, key, content_type="application/json", authorization="t0ken") == "shop"
    for wrong in ("T0ken", "t0ke", "Bearer t0ken", "shop", "\udcff"):
        with pytest.raises(TokenRefusedError):
            ask(body, key, content_type="application/json", authorization=wrong)
    expired = DirectoryKey(1, AuthMethod.TOKEN, token_hash=hash_token("t0ken", PEPPER), expires_at=START)
    with pytest.raises(TokenRefusedError):
        ask(body, expired, content_type="application/json", authorization="t0ken")


def test_headers_choose_the_method() -> None:
    with pytest.raises(AuthenticationError, match="request could not be authenticated"):
        ask(hs256(), authorization="t0ken")
    with pytest.raises(AuthenticationError, match="Unsupported Content-Type: text/html"):
        ask(hs256(), content_type="text/html")
    with pytest.raises(MalformedRequestError, match="Unsupported Content-Type: text/plainx") as caught:
        ask(hs256(), content_type="text/plainx")
    assert caught.value.departure == "content-type"
    assert ask(hs256(), content_type="text/plain; charset=utf-8") == "shop"


def _by_hand(claims: dict[str, Any] | str, header: dict[str, Any] | None = None, secret: bytes = SECRET) -> str:
    """A token as a client without a library would make it, in HMAC-SHA-256 whatever its header says."""
    text = claims if isinstance(claims, str) else json.dumps(claims)
    parts = [json.dumps({"alg": "HS256"} if header is None else header), text]
    signed = ".".join(base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in parts)
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(signed.encode(), secret)
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1" + "0" * 309])
def test_a_header_number_that_is_none_of_64_bits(number: str) -> None:
    header = f'{{"alg":"HS256","note":[{{"n":{number}}}]}}'.encode()
    with pytest.raises(AuthenticationError, match="request could not be authenticated"):
        ask(signed(header, json.dumps(CLAIMS).encode()))
    # In the claims, what nobody reads may be any number.
    assert ask(signed(b'{"alg":"HS256"}', f'{json.dumps(CLAIMS)[:-1]},"n":{number}}}'.encode())) == "shop"


def test_claims_that_are_null_are_none() -> None:
    with pytest.raises(JwtTooOldError, match="jwt too old"):
        ask(signed(b'{"alg":"HS256","kid":"shop"}', b"null"))


def test_nothing_follows_the_claims() -> None:
    with pytest.raises(MalformedRequestError, match="the claims are more than one JSON object") as refusal:
        ask(signed(b'{"alg":"HS256"}', json.dumps(CLAIMS).encode() + b"{}"))
    assert refusal.value.departure == "jwt-claims"
    with pytest.raises(AuthenticationError, match="request could not be authenticated"):
        ask(signed(b'{"alg":"HS256"}{}', json.dumps(CLAIMS).encode()))


def test_subjects_of_revocation_requests() -> None:
    """The reference's own command sends no subject; a JWT made for something else is refused."""
    request = {"@context": "https://irma.app/ld/request/revocation/v1", "type": "a.b.c", "revocationKey": "k"}

    def revoke(**claims: Any) -> str:
        token = jwt.encode({"iss": "shop", "iat": NOW, "revrequest": request, **claims}, SECRET, algorithm="HS256")
        directory = RequestorDirectory.of([DirectoryRequestor("shop", keys=(HMAC_KEY,))], pepper=PEPPER)
        signed = SignedBody("text/plain", "", token.encode(), Purpose.REVOCATION)
        return authenticate(signed, directory, (HmacAuthenticator(SettableClock(), 300),)).name

    assert revoke() == revoke(sub="") == revoke(sub="revocation_request") == "shop"
    with pytest.raises(MalformedRequestError) as caught:
        revoke(sub="verification_request")
    assert caught.value.departure == "revocation-subject"


# Beside the reference: other algorithms, names of keys, published keys, clocks.

EC_KEY, ED_KEY = ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()
EC_DIRECTORY_KEY = DirectoryKey(3, AuthMethod.PUBLICKEY, public_key=EC_KEY.public_key())
ED_DIRECTORY_KEY = DirectoryKey(4, AuthMethod.PUBLICKEY, public_key=ED_KEY.public_key())


def test_es256_and_eddsa_beside_the_reference() -> None:
    keys = (EC_DIRECTORY_KEY, ED_DIRECTORY_KEY, RSA_DIRECTORY_KEY, HMAC_KEY)
    for token in (jwt.encode(CLAIMS, EC_KEY, algorithm="ES256"), jwt.encode(CLAIMS, ED_KEY, algorithm="EdDSA")):
        assert ask(token, *keys) == "shop"
        head, body, signature = token.split(".")
        broken = base64.urlsafe_b64decode(signature + "==")
        for wrong in (broken[:-1], broken + b"\0", bytes(64), broken[:-1] + bytes([broken[-1] ^ 1])):
            with pytest.raises(AuthenticationError, match="verification error"):
                ask(f"{head}.{body}.{base64.urlsafe_b64encode(wrong).rstrip(b'=').decode()}", *keys)
    # An ASN.1 signature is none of ES256.
    head, body, _ = jwt.encode(CLAIMS, EC_KEY, algorithm="ES256").split(".")
    der = EC_KEY.sign(f"{head}.{body}".encode(), ec.ECDSA(SHA256()))
    with pytest.raises(AuthenticationError, match="crypto/ecdsa: verification error"):
        ask(f"{head}.{body}.{base64.urlsafe_b64encode(der).rstrip(b'=').decode()}", *keys)


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA"])
def test_without_a_key_of_it_an_algorithm_does_not_apply(algorithm: str) -> None:
    token = jwt.encode(CLAIMS, EC_KEY if algorithm == "ES256" else ED_KEY, algorithm=algorithm)
    with pytest.raises(AuthenticationError, match="request could not be authenticated"):
        ask(token)


def public_texts(key: Any) -> list[bytes]:
    public = key.public_key()
    forms = [(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)]
    return [public.public_bytes(*form) for form in forms]


@pytest.mark.parametrize("algorithm", ["HS256", "none", "RS256", "ES256", "EdDSA", "HS512", "PS256", "RS512", "ES384"])
def test_no_key_is_used_with_another_algorithm_than_its_own(algorithm: str) -> None:
    for key, own in ((RSA_KEY, "RS256"), (EC_KEY, "ES256"), (ED_KEY, "EdDSA")):
        directory_key = DirectoryKey(9, AuthMethod.PUBLICKEY, public_key=key.public_key(), kid="k")
        for secret in (*public_texts(key), b""):
            for header in ({"alg": algorithm}, {"alg": algorithm, "kid": "k"}, {"alg": algorithm, "kid": "shop"}):
                with pytest.raises(AuthenticationError):
                    ask(_by_hand(CLAIMS, header, secret=secret), directory_key)
        if algorithm != own:
            # A right signature under a header that names another algorithm.
            text = ".".join(_by_hand(CLAIMS, {"alg": algorithm}).split(".")[:2])
            signature = jwt.get_algorithm_by_name(own).sign(text.encode(), key)
            with pytest.raises(AuthenticationError):
                ask(f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}", directory_key)


def test_kid_may_name_one_of_several_keys() -> None:
    other = ed25519.Ed25519PrivateKey.generate()
    keys = (replace(ED_DIRECTORY_KEY, kid="old"), DirectoryKey(5, AuthMethod.PUBLICKEY, public_key=other.public_key(), kid="new"))
    assert ask(jwt.encode(CLAIMS, ED_KEY, algorithm="EdDSA", headers={"kid": "old"}), *keys) == "shop"
    assert ask(jwt.encode(CLAIMS, other, algorithm="EdDSA", headers={"kid": "new"}), *keys) == "shop"
    # Without the name of a key each is tried.
    assert ask(jwt.encode(CLAIMS, other, algorithm="EdDSA"), *keys) == "shop"
    assert ask(jwt.encode(CLAIMS, other, algorithm="EdDSA", headers={"kid": "shop"}), *keys) == "shop"
    with pytest.raises(AuthenticationError, match="ed25519: verification error"):
        ask(jwt.encode(CLAIMS, other, algorithm="EdDSA", headers={"kid": "old"}), *keys)
    expired = replace(keys[0], expires_at=START)
    with pytest.raises(AuthenticationError, match="request could not be authenticated"):
        ask(jwt.encode(CLAIMS, ED_KEY, algorithm="EdDSA", headers={"kid": "old"}), expired)
    hmac_key = replace(HMAC_KEY, kid="h")
    assert ask(hs256({}, {"kid": "h"}), hmac_key) == "shop"
    with pytest.raises(AuthenticationError, match="Unknown requestor: h2"):
        ask(hs256({}, {"kid": "h2"}), hmac_key)


class Published:
    """Keys that are published, by kid."""

    def __init__(self, keys: dict[str, Any]) -> None:
        self.keys = keys
        self.asked: list[tuple[str, str]] = []

    def key(self, url: str, kid: str) -> Any:
        if "away" in url:
            raise AuthenticationError("the key set cannot be fetched")
        self.asked.append((url, kid))
        return self.keys.get(kid)


def test_published_keys_are_found_by_kid() -> None:
    published = Published({"a": EC_KEY.public_key(), "b": ED_KEY.public_key(), "d": ec.generate_private_key(ec.SECP384R1()).public_key()})
    key = DirectoryKey(6, AuthMethod.PUBLICKEY, jwks_url="https://shop.example/jwks")
    assert ask(jwt.encode(CLAIMS, EC_KEY, algorithm="ES256", headers={"kid": "a"}), key, published=published) == "shop"
    assert ask(jwt.encode(CLAIMS, ED_KEY, algorithm="EdDSA", headers={"kid": "b"}), key, HMAC_KEY, published=published) == "shop"
    assert published.asked == [("https://shop.example/jwks", "a"), ("https://shop.example/jwks", "b")]
    for algorithm, signer, kid in (("EdDSA", ED_KEY, "a"), ("ES256", EC_KEY, "b"), ("RS256", RSA_KEY, "c"), ("ES256", EC_KEY, "d")):
        with pytest.raises(AuthenticationError, match="verification error"):
            ask(jwt.encode(CLAIMS, signer, algorithm=algorithm, headers={"kid": kid}), key, published=published)
    # Of several sets each is asked; what is told is why the last did not help.
    other = DirectoryKey(7, AuthMethod.PUBLICKEY, jwks_url="https://away.example/jwks")
    assert ask(jwt.encode(CLAIMS, EC_KEY, algorithm="ES256", headers={"kid": "a"}), other, key, published=published) == "shop"
    with pytest.raises(AuthenticationError, match="the key set cannot be fetched"):
        ask(jwt.encode(CLAIMS, EC_KEY, algorithm="ES256", headers={"kid": "a"}), other, published=published)
    # A secret is never looked for where public keys are published, and another requestor's name is no name of a key.
    with pytest.raises(AuthenticationError, match="Unknown requestor: a"):
        ask(hs256({}, {"kid": "a"}), key, published=published)


@pytest.mark.parametrize("claims", [{"iat": NOW + 5}, {"exp": NOW - 4}, {"nbf": NOW + 5}, {"iat": NOW - 305}])
def test_clocks_may_differ_by_the_setting(claims: dict[str, Any]) -> None:
    assert ask(hs256(claims), leeway=5) == "shop"
    with pytest.raises((AuthenticationError, JwtTooOldError)):
        ask(hs256(claims), leeway=3)
    with pytest.raises((AuthenticationError, JwtTooOldError)):
        ask(hs256(claims))
