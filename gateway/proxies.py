"""Reverse proxies whose word on the client is taken: where a request came from, and what address it asked for.

The word of anybody else is not: without trusted proxies, headers that tell of forwarding are ignored.
"""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

Network = IPv4Network | IPv6Network


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Read networks such as `10.0.0.0/8` and `2001:db8::/32`, or single addresses.

    Raises:
        ValueError: a text is none; it is named.
    """
    networks = []
    for text in texts:
        try:
            networks.append(ip_network(text))
        except ValueError as error:
            raise ValueError(f"{text} is no network such as 10.0.0.0/8, and no address") from error
    return tuple(networks)


class TrustedProxies:
    """A WSGI application behind reverse proxies.

    From the connection's own address, and then from the right in `X-Forwarded-For`, every address of a trusted network counts as a
    proxy; the first other one is the client. `X-Forwarded-Proto` and `X-Forwarded-Host` are read at the place of the outermost of
    these proxies, and only where the connection itself comes from one.

    Args:
        application: what answers.
        networks: the networks of the proxies.
    """

    def __init__(self, application: "WSGIApplication", networks: Sequence[Network]) -> None:
        self._application = application
        self._networks = networks

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer a request."""
        if self._is_trusted(environ.get("REMOTE_ADDR", "")):
            self._believe(environ)
        return self._application(environ, start_response)

    def _believe(self, environ: "WSGIEnvironment") -> None:
        proxies = 1
        for address in reversed(_values(environ, "HTTP_X_FORWARDED_FOR")):
            if not _is_address(address):
                break
            environ["REMOTE_ADDR"] = address
            if not self._is_trusted(address):
                break
            proxies += 1
        scheme = _said(environ, "HTTP_X_FORWARDED_PROTO", proxies)
        if scheme in ("http", "https"):
            environ["wsgi.url_scheme"] = scheme
        host = _said(environ, "HTTP_X_FORWARDED_HOST", proxies)
        if host:
            environ["HTTP_HOST"] = host

    def _is_trusted(self, text: str) -> bool:
        if not _is_address(text):
            return False
        address = ip_address(text)
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks)


def behind_proxies(application: "WSGIApplication", networks: Sequence[Network]) -> "WSGIApplication":
    """An application behind proxies of these networks; itself where there are none."""
    return TrustedProxies(application, networks) if networks else application


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _values(environ: Any, header: str) -> list[str]:
    return [value.strip() for value in environ.get(header, "").split(",") if value.strip()]


def _said(environ: Any, header: str, proxies: int) -> str:
    """What the outermost trusted proxy said; one that replaces the header instead of adding to it leaves fewer values."""
    values = _values(environ, header)
    return values[max(len(values) - proxies, 0)] if values else ""
