"""TLS of the gateway's listeners: version 1.2 or later, forward secrecy preferred, key exchange on X25519.

Source: irmago `irma/server/conf.go` (`TLSConf`).
"""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NoReturn

from .config import ConfigurationError, GatewayConfig, Problem

#: For TLS 1.2; the suites of TLS 1.3 are all good.
_CIPHERS: Final = "ECDHE+CHACHA20:ECDHE+AESGCM:AES128-GCM-SHA256:AES256-GCM-SHA384"


def server_context(config: GatewayConfig, *, client: bool = False) -> ssl.SSLContext | None:
    """What a listener needs to speak TLS, or None where no certificate is given.

    Args:
        config: the configuration.
        client: for the listener of apps, where there is a separate one.

    Raises:
        ConfigurationError: certificate or key cannot be read, or do not belong together. It quotes neither.
    """
    prefix = "client_tls" if client else "tls"
    if not any(getattr(config, f"{prefix}_{part}") for part in ("cert", "cert_file", "privkey", "privkey_file")):
        return None
    problems: list[Problem] = []
    certificate = _read(config, f"{prefix}_cert", problems)
    key = _read(config, f"{prefix}_privkey", problems)
    if problems:
        raise ConfigurationError(problems)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.set_ecdh_curve("X25519")
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    try:
        with _as_file(certificate) as certificate_file, _as_file(key) as key_file:
            context.load_cert_chain(certificate_file, key_file, password=_refuse_password)
    except (ssl.SSLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or (str(error) if isinstance(error, ValueError) else "they cannot be read as PEM")
        message = f"certificate and private key cannot be used together: {str(reason).replace('_', ' ').lower()}"
        raise ConfigurationError([Problem(f"{prefix}_cert", message)]) from None
    return context


def _read(config: GatewayConfig, option: str, problems: list[Problem]) -> bytes:
    text, path = getattr(config, option), getattr(config, f"{option}_file")
    if bool(text) == bool(path):
        problems.append(Problem(option, f"give either {option} or {option}_file"))
        return b""
    if text:
        return bytes(text.encode())
    try:
        return Path(path).read_bytes()
    except OSError as error:
        problems.append(Problem(f"{option}_file", f"{path} cannot be read: {error.strerror}"))
        return b""


@contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """The path of a file in memory that holds this: the library reads files only, and a key has no place on a disk."""
    descriptor = os.memfd_create("pem", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _refuse_password() -> NoReturn:
    raise ValueError("the private key is encrypted; give it without a passphrase")
