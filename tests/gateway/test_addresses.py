"""Which addresses may be called."""

import pytest

from gateway.addresses import PUBLIC_ONLY, WITH_PRIVATE, AddressPolicy, AddressRefusedError, origin, parse_url

PRIVATE = {
    "loopback": "127.0.0.1",
    "all of the loopback": "127.9.9.9",
    "private use, 10": "10.1.2.3",
    "private use, 172": "172.31.255.255",
    "private use, 192": "192.168.1.1",
    "shared address space": "100.64.0.1",
    "IPv6 loopback": "::1",
    "unique local": "fd12:3456::1",
    "IPv4-mapped loopback": "::ffff:127.0.0.1",
    "IPv4-mapped in hexadecimal": "::ffff:a00:1",
    "NAT64 of a private address": "64:ff9b::10.0.0.1",
}
CLOSED = {
    "this network": "0.0.0.0",
    "link-local": "169.254.0.1",
    "cloud metadata": "169.254.169.254",
    "cloud metadata in IPv6": "fd00:ec2::254",
    "cloud metadata in shared space": "100.100.100.200",
    "cloud metadata in a public range": "168.63.129.16",
    "protocol assignments": "192.0.0.192",
    "documentation": "203.0.113.5",
    "benchmarks": "198.18.0.1",
    "multicast": "224.0.0.251",
    "reserved": "240.0.0.1",
    "broadcast": "255.255.255.255",
    "unspecified": "::",
    "IPv6 link-local": "fe80::1",
    "IPv6 link-local with zone": "fe80::1%eth0",
    "site-local": "fec0::1",
    "IPv6 multicast": "ff02::1",
    "IPv4-compatible": "::7f00:1",
    "6to4 of a private address": "2002:a00:1::",
    "Teredo": "2001:0:a00:1::",
    "NAT64 of local use": "64:ff9b:1::1",
    "NAT64 of the metadata address": "64:ff9b::a9fe:a9fe",
    "IPv4-mapped metadata address": "::ffff:169.254.169.254",
    "IPv6 documentation": "2001:db8::1",
}
PUBLIC = ["8.8.8.8", "100.128.0.1", "172.32.0.1", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"]


@pytest.mark.parametrize("address", PRIVATE.values(), ids=PRIVATE)
def test_private_addresses_need_the_setting(address: str) -> None:
    assert not PUBLIC_ONLY.allows("backend.example", address)
    assert WITH_PRIVATE.allows("backend.example", address)


@pytest.mark.parametrize("address", CLOSED.values(), ids=CLOSED)
def test_special_addresses_need_to_be_named(address: str) -> None:
    for policy in (PUBLIC_ONLY, WITH_PRIVATE):
        assert not policy.allows("backend.example", address)
    assert AddressPolicy.parse(["backend.example"]).allows("backend.example", address)
    assert AddressPolicy.parse([address.partition("%")[0]]).allows("backend.example", address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_may_be_called(address: str) -> None:
    assert PUBLIC_ONLY.allows("backend.example", address)


def test_a_network_or_a_host_is_allowed_by_name() -> None:
    policy = AddressPolicy.parse(["10.20.0.0/16", "Backend.Example.", "fd00::/8"])
    assert policy.allows("x.example", "10.20.3.4")
    assert policy.allows("x.example", "::ffff:10.20.3.4")
    assert policy.allows("x.example", "fd00::7")
    assert policy.allows("BACKEND.example.", "127.0.0.1")
    assert not policy.allows("x.example", "10.21.0.1")
    assert not policy.allows("other.backend.example", "127.0.0.1")
    assert policy.with_host("x.example").allows("x.example", "10.21.0.1")


@pytest.mark.parametrize("entry", ["", "10.0.0.1/8", "http://backend.example", "*.example", "10.0.0", "2130706433", "a b"])
def test_an_entry_that_means_nothing_is_named(entry: str) -> None:
    with pytest.raises(ValueError, match="neither") as caught:
        AddressPolicy.parse(["private", entry])
    assert repr(entry) in str(caught.value)


def test_one_bad_address_among_good_ones_is_enough() -> None:
    with pytest.raises(AddressRefusedError, match="outbound_allow"):
        PUBLIC_ONLY.addresses("rebinding.example", 443, lambda _host, _port: ["8.8.8.8", "10.0.0.1"])


def test_an_address_is_not_resolved() -> None:
    assert PUBLIC_ONLY.addresses("8.8.8.8", 443, lambda host, _port: pytest.fail(host)) == ("8.8.8.8",)


def test_a_host_that_nobody_knows() -> None:
    with pytest.raises(OSError, match="no address"):
        PUBLIC_ONLY.addresses("nowhere.example", 443, lambda _host, _port: [])


@pytest.mark.parametrize(
    "url",
    [
        "",
        "//backend.example/",
        "ftp://backend.example/",
        "file:///etc/passwd",
        "gopher://backend.example/",
        "http:///path",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.0.0.1/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://127.0.0.01/",
        "http://127.0.0.1./",
        "http://backend.0x7f/",
        "http://[::1",
        "http://[fe80::1%25eth0]/",
        "http://[v1.x]/",
        "http://127%2e0.0.1/",
        "http://a b.example/",
        "http://public.exa\tmple/",
        "http://public.example\\@127.0.0.1/",
        "http://public.example:99999/",
        "http://public.example:0/",
        "http://-public.example/",
        "http://public..example/",
        f"http://{'a' * 64}.example/",
        " http://public.example/",
        "http://ⓛocalhost/",
    ],
)
def test_what_is_no_plain_web_address_is_refused(url: str) -> None:
    with pytest.raises(AddressRefusedError):
        parse_url(url)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://localhost:8000/cb?k=1", "http://localhost:8000"),
        ("https://user:secret@backend.example/cb", "https://backend.example"),
        ("https://[2001:db8::1]:444/", "https://[2001:db8::1]:444"),
        ("http://127.0.0.1/", "http://127.0.0.1"),
        ("https://bücher.example/ö", "https://xn--bcher-kva.example"),
        ("http://under_score.example/", "http://under_score.example"),
    ],
)
def test_messages_show_where_an_address_leads_and_nothing_behind_it(url: str, shown: str) -> None:
    assert origin(parse_url(url)) == shown


def test_https_may_be_demanded() -> None:
    assert parse_url("https://keys.example/", https_only=True).host == "keys.example"
    with pytest.raises(AddressRefusedError, match="must be an https address"):
        parse_url("http://keys.example/", https_only=True)
