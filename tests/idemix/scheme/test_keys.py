import base64
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa, utils
from hypothesis import given, settings
from hypothesis import strategies as st

from idemix.errors import InvalidSignatureError, MalformedKeyError
from idemix.scheme.keys import (
    generate_scheme_key,
    is_encrypted,
    print_private_key,
    print_public_key,
    read_private_key,
    read_public_key,
    sign,
    verify,
)

KEY = generate_scheme_key()
MESSAGE = b"an index\n"
SIGNATURE = sign(KEY, MESSAGE)


def test_keys_lie_on_p256_and_differ() -> None:
    assert isinstance(KEY.curve, ec.SECP256R1)
    assert print_private_key(KEY) != print_private_key(generate_scheme_key())


def test_private_key_is_sec1_and_is_read_back() -> None:
    content = print_private_key(KEY)
    assert content.startswith(b"-----BEGIN EC PRIVATE KEY-----\n")
    assert not is_encrypted(content)
    assert print_private_key(read_private_key(content)) == content


def test_private_key_with_passphrase() -> None:
    content = print_private_key(KEY, b"correct horse")
    assert content.startswith(b"-----BEGIN ENCRYPTED IRMA SCHEME PRIVATE KEY-----\n")
    assert is_encrypted(content)
    assert print_private_key(read_private_key(content, b"correct horse")) == print_private_key(KEY)
    for wrong in (b"wrong", b"", None):
        with pytest.raises(MalformedKeyError):
            read_private_key(content, wrong)


def test_passphrase_form_is_an_openssh_key_under_another_label(tmp_path: Path) -> None:
    """ssh-keygen, where there is one, reads it once the label is exchanged."""
    file = tmp_path / "key"
    file.write_bytes(print_private_key(KEY, b"pass").replace(b"ENCRYPTED IRMA SCHEME PRIVATE KEY", b"OPENSSH PRIVATE KEY"))
    file.chmod(0o600)
    loaded = serialization.load_ssh_private_key(file.read_bytes(), b"pass")
    assert isinstance(loaded, ec.EllipticCurvePrivateKey)
    try:
        shown = subprocess.run(["ssh-keygen", "-y", "-P", "pass", "-f", file], capture_output=True, check=True).stdout
    except FileNotFoundError:
        return
    public = KEY.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    assert shown.split()[:2] == public.split()[:2]


def test_public_key_is_read_with_other_line_ends_and_text_before() -> None:
    content = print_public_key(KEY.public_key())
    assert content.startswith(b"-----BEGIN PUBLIC KEY-----\n")
    other_label = content.replace(b"PUBLIC KEY", b"EC PUBLIC KEY")
    for variant in (content, content.replace(b"\n", b"\r\n"), b"a comment\n" + content, content + b"after", other_label):
        assert print_public_key(read_public_key(variant)) == content


def test_refuses_other_private_keys() -> None:
    pkcs8 = KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    broken = print_private_key(KEY).replace(b"MHc", b"AAA")
    for content in (b"", b"junk", pkcs8, broken, print_public_key(KEY.public_key())):
        with pytest.raises(MalformedKeyError) as caught:
            read_private_key(content, where="some.pem")
        assert caught.value.where == "some.pem"


@pytest.mark.parametrize(("curve", "departure"), [(ec.SECP224R1(), "scheme-key-curve"), (ec.SECP256K1(), "scheme-key-curve")])
def test_refuses_other_curves(curve: ec.EllipticCurve, departure: str) -> None:
    content = print_public_key(ec.generate_private_key(curve).public_key())
    with pytest.raises(MalformedKeyError) as caught:
        read_public_key(content)
    assert caught.value.departure == departure


def test_refuses_other_public_keys() -> None:
    other = rsa.generate_private_key(65537, 2048).public_key()
    content = other.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    point = KEY.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
    header = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200")
    compressed = b"-----BEGIN PUBLIC KEY-----\n" + base64.b64encode(header + point) + b"\n-----END PUBLIC KEY-----\n"
    for bad in (content, b"", b"junk", print_private_key(KEY), compressed, print_public_key(KEY.public_key())[:-40]):
        with pytest.raises(MalformedKeyError) as caught:
            read_public_key(bad)
        assert caught.value.departure is None


def test_a_larger_curve_is_believed() -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    verify(read_public_key(print_public_key(key.public_key())), MESSAGE, sign(key, MESSAGE))


def test_signature_holds_for_its_message_and_key_only() -> None:
    verify(KEY.public_key(), MESSAGE, SIGNATURE)
    for key, message in ((KEY, b"another index\n"), (generate_scheme_key(), MESSAGE)):
        with pytest.raises(InvalidSignatureError):
            verify(key.public_key(), message, SIGNATURE)


def test_other_s_is_equally_valid() -> None:
    r, s = utils.decode_dss_signature(SIGNATURE)
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    verify(KEY.public_key(), MESSAGE, utils.encode_dss_signature(r, order - s))


@given(st.integers(0, len(SIGNATURE) * 8 - 1))
@settings(max_examples=200)
def test_any_bit_changed_in_the_signature_is_refused(bit: int) -> None:
    changed = bytearray(SIGNATURE)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(InvalidSignatureError):
        verify(KEY.public_key(), MESSAGE, bytes(changed))


@given(st.one_of(st.binary(max_size=80), st.binary(min_size=1, max_size=4).map(lambda tail: SIGNATURE + tail)))
def test_other_bytes_are_refused(signature: bytes) -> None:
    with pytest.raises(InvalidSignatureError):
        verify(KEY.public_key(), MESSAGE, signature)
