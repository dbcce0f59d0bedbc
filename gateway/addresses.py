"""Which addresses the programs may call on somebody else's word: the rules of protocol, host and network range.

Callbacks, next sessions, key sets and schemes are fetched from addresses that requestors and scheme managers wrote. Without a
rule they would lead into the operator's own network, to services that trust whoever reaches them. Public addresses may be
called; any other only where the setting `outbound_allow` names it.

Source: the IANA registries of special-purpose IPv4 and IPv6 addresses (RFC 6890), and the addresses at which the large clouds
serve credentials to their machines.
"""

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import httpx

from idemix.errors import IdemixError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
#: Gives the addresses of a host, as text.
Resolver = Callable[[str, int], Sequence[str]]

#: The entry of `outbound_allow` that opens the loopback and the networks for private use.
PRIVATE: Final = "private"

#: Loopback, private use, shared address space, unique local.
_PRIVATE_RANGES: Final = ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "::1/128", "fc00::/7")
#: This network, link-local, protocol assignments, documentation, 6to4 relays, benchmarks, multicast, reserved; and of IPv6, what
#: lies inside the global unicast range: Teredo and its neighbours, documentation, 6to4.
_SPECIAL_RANGES: Final = (
    *("0.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24"),
    *("203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
)
#: Where machines of Azure, Alibaba, Amazon and Google find their credentials, as far as no range above holds it for good.
_METADATA_ADDRESSES: Final = ("168.63.129.16/32", "100.100.100.200/32", "fd00:ec2::254/128", "fd20:ce::254/128")


def _networks(*texts: str) -> tuple[IPNetwork, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


_PRIVATE_NETWORKS: Final = _networks(*_PRIVATE_RANGES)
_CLOSED_NETWORKS: Final = _networks(*_SPECIAL_RANGES, *_METADATA_ADDRESSES)
_GLOBAL_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
#: IPv6 addresses that lead to the IPv4 address in their last 32 bits: IPv4-mapped, and NAT64 (RFC 6052).
_EMBEDDING_NETWORKS: Final = (ipaddress.IPv6Network("::ffff:0:0/96"), ipaddress.IPv6Network("64:ff9b::/96"))

#: Blanks, control characters and backslashes, of which programs make different hosts.
_AMBIGUOUS: Final = re.compile(r"[\x00-\x20\x7f\\]")
_HOST_NAME: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?")
#: A host whose last part is a number is an IPv4 address to some programs (2130706433, 0x7f.1, 0177.0.0.1).
_NUMERIC_HOST: Final = re.compile(r"(?:.*\.)?(?:\d+|0x[0-9a-f]*)\.?")


class AddressRefusedError(IdemixError):
    """An address that must not be called.

    Attributes:
        address: protocol, host and port; what stands behind may be a secret.
        rule: what it should be.
    """

    def __init__(self, address: str, rule: str) -> None:
        super().__init__(f"{address}: {rule}" if address else rule)
        self.address = address
        self.rule = rule


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """Which hosts may be called beside the public ones.

    Attributes:
        private: the loopback, and networks for private use.
        networks: these ranges, whatever they are for.
        hosts: these names, wherever they lead; in small letters, without dot at the end.
    """

    private: bool = False
    networks: tuple[IPNetwork, ...] = ()
    hosts: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, entries: Iterable[str]) -> "AddressPolicy":
        """Read the entries of `outbound_allow`: `private`, networks, addresses, and names of hosts.

        Raises:
            ValueError: an entry is none of these; the text names it.
        """
        private, networks, hosts = False, [], set()
        for entry in entries:
            text = entry.strip().lower()
            if text == PRIVATE:
                private = True
                continue
            try:
                networks.append(ipaddress.ip_network(text))
                continue
            except ValueError:
                name = text.removesuffix(".")
            if not _HOST_NAME.fullmatch(name) or _NUMERIC_HOST.fullmatch(name):
                raise ValueError(f"{entry!r} is neither “private” nor a network (10.0.0.0/8), an address or the name of a host")
            hosts.add(name)
        return cls(private, tuple(networks), frozenset(hosts))

    def with_host(self, host: str) -> "AddressPolicy":
        """This policy, and one more host."""
        return AddressPolicy(self.private, self.networks, self.hosts | {host.lower().removesuffix(".")})

    def allows(self, host: str, address: str) -> bool:
        """Whether a host may be called at one of its network addresses."""
        if host.lower().removesuffix(".") in self.hosts:
            return True
        literal = ipaddress.ip_address(address.partition("%")[0])
        reached = _reached(literal)
        if any(candidate in network for candidate in (literal, reached) for network in self.networks):
            return True
        if any(reached in network for network in _CLOSED_NETWORKS):
            return False
        if any(reached in network for network in _PRIVATE_NETWORKS):
            return self.private
        return reached.version == 4 or reached in _GLOBAL_UNICAST

    def addresses(self, host: str, port: int, resolver: Resolver) -> tuple[str, ...]:
        """Resolve a host, once, and judge where it leads.

        Returns:
            Its network addresses, in the order in which to try them. Whoever connects uses these and resolves nothing again.

        Raises:
            AddressRefusedError: one of them must not be called.
            OSError: the host is not known.
        """
        try:
            found: Sequence[str] = [str(ipaddress.ip_address(host))]
        except ValueError:
            try:
                found = resolver(host, port)
            except UnicodeError as error:
                raise OSError("no name of a host") from error
        if not found:
            raise OSError("the host has no address")
        if not all(self.allows(host, address) for address in found):
            raise AddressRefusedError(host, "the host lies in a range that must not be called; the setting outbound_allow can allow it")
        return tuple(found)


PUBLIC_ONLY: Final = AddressPolicy()
WITH_PRIVATE: Final = AddressPolicy(private=True)


def resolve(host: str, port: int) -> list[str]:
    """The network addresses of a host, in the system's order of preference.

    Raises:
        OSError: there are none.
        UnicodeError: the host is none.
    """
    return list(dict.fromkeys(str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))


def parse_url(text: str, *, https_only: bool = False) -> httpx.URL:
    """Read a web address, such that every program reads the same host from it.

    Raises:
        AddressRefusedError: it is none, or not https where it must be.
    """
    if not text or _AMBIGUOUS.search(text):
        raise AddressRefusedError("", "is no web address: it is empty, or holds blanks, control characters or backslashes")
    try:
        url = httpx.URL(text)
        host = url.raw_host.decode("ascii").lower()
    except (httpx.InvalidURL, ValueError) as error:
        raise AddressRefusedError("", "is no web address") from error
    shown = origin(url)
    if url.scheme not in ("http", "https"):
        raise AddressRefusedError(shown if host else "", "must be an http or https address")
    if https_only and url.scheme != "https":
        raise AddressRefusedError(shown, "must be an https address")
    if not _is_host(host) or not (url.port is None or 1 <= url.port <= 65535):
        raise AddressRefusedError("", "is no web address: its host must be a name or an IP address in its usual form, its port a port")
    return url


def origin(url: httpx.URL) -> str:
    """Protocol, host and port of an address, for messages and logs: never user name, path or query."""
    return f"{url.scheme}://{url.netloc.decode('ascii', 'replace')}"


def _is_host(host: str) -> bool:
    """Whether this is the name of a host, or an IP address as everybody writes it."""
    if ":" in host or _NUMERIC_HOST.fullmatch(host):
        try:
            return "%" not in host and ipaddress.ip_address(host) is not None
        except ValueError:
            return False
    return len(host) <= 253 and _HOST_NAME.fullmatch(host) is not None and all(len(label) <= 63 for label in host.split("."))


def _reached(address: IPAddress) -> IPAddress:
    """The address that is reached in the end: the IPv4 address in an IPv6 address that carries one."""
    if isinstance(address, ipaddress.IPv6Address) and any(address in network for network in _EMBEDDING_NETWORKS):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address
