"""The schemes that a gateway without any begins with, and the keys that they must be signed under.

The keys are part of the program: a key that is fetched together with what it signs would say nothing.

Source: irmago `irma/schemes.go` (DefaultSchemes); the keys are `pk.pem` of the public repositories.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class DefaultScheme:
    """Where a scheme is published, and its public key (PEM)."""

    url: str
    public_key: bytes


DEFAULT_SCHEMES: Final[Mapping[str, DefaultScheme]] = {
    "irma-demo": DefaultScheme(
        "https://schemes.yivi.app/irma-demo/",
        b"""-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEHVnmAY+kGkFZn7XXozdI4HY8GOjm
54ngh4chTfn6WsTCf2w5rprfIqML61z2VTE4k8yJ0Z1QbyW6cdaao8obTQ==
-----END PUBLIC KEY-----
""",
    ),
    "pbdf": DefaultScheme(
        "https://schemes.yivi.app/pbdf/",
        b"""-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAELzHV5ipBimWpuZIDaQQd+KmNpNop
dpBeCqpDwf+Grrw9ReODb6nwlsPJ/c/gqLnc+Y3sKOAJ2bFGI+jHBSsglg==
-----END PUBLIC KEY-----
""",
    ),
}
