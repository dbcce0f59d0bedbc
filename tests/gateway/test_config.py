"""Configurations: defaults, addresses, and every fault at once."""

import pytest

from gateway.addresses import PUBLIC_ONLY, WITH_PRIVATE, AddressPolicy
from gateway.config import ConfigurationError, GatewayConfig
from gateway.permissions import Permissions
from gateway.startup import decode_secret, read_public_key
from idemix.timestamp import TimestampKeys


def test_defaults_of_the_command() -> None:
    development = GatewayConfig.from_options({})
    assert development.no_auth
    assert development.permissions == Permissions(disclose=("*",), sign=("*",), issue=("*",))
    production = GatewayConfig.from_options({"production": True})
    assert not production.no_auth
    assert production.permissions == Permissions(disclose=("*",), sign=("*",))
    assert GatewayConfig.from_options({}, command_defaults=False).permissions == Permissions()


def test_every_fault_is_reported() -> None:
    with pytest.raises(ConfigurationError) as caught:
        GatewayConfig.from_options(
            {
                "port": 0,
                "client_listen_addr": "127.0.0.1",
                "no_auth": True,
                "requestors": {"shop": {"auth_method": "token", "key": 5, "disclose_perms": "*", "colour": "red"}},
                "store_type": "redis",
                "tls_cert": "x",
                "unknown": 1,
                "static_sessions": {"no good": {}},
                "max_session_lifetime": "long",
                "session_result_lifetime": 0,
            }
        )
    assert {problem.option for problem in caught.value.problems} == {
        "port",
        "client_listen_addr",
        "no_auth",
        "requestors.shop.key",
        "requestors.shop.disclose_perms",
        "requestors.shop.colour",
        "redis_addr",
        "redis_pw",
        "tls_cert",
        "unknown",
        "static_sessions.no good",
        "max_session_lifetime",
        "session_result_lifetime",
    }


def test_names_of_a_file_are_lowered() -> None:
    options = {"no_auth": False, "requestors": {"MyApp": {"auth_method": "token", "key": "x"}}}
    assert set(GatewayConfig.from_options(options, lower_case_names=True).requestors) == {"myapp"}
    assert set(GatewayConfig.from_options(options).requestors) == {"MyApp"}
    options["requestors"] = {"MyApp": {}, "myapp": {}}
    with pytest.raises(ConfigurationError, match=r"requestors\.myapp: is given twice"):
        GatewayConfig.from_options(options, lower_case_names=True)


@pytest.mark.parametrize(
    ("options", "url"),
    [
        ({"url": "https://a.example"}, "https://a.example/irma/"),
        ({"url": "https://a.example/irma"}, "https://a.example/irma/"),
        ({"url": "http://localhost:port", "port": 9000}, "http://localhost:9000/irma/"),
        ({"url": "http://localhost:port", "port": 9000, "client_port": 9001}, "http://localhost:9001/irma/"),
        ({"url": "http://a.example", "tls_cert": "c", "tls_privkey": "k"}, "https://a.example/irma/"),
        ({"url": "http://a.example", "tls_cert": "c", "tls_privkey": "k", "client_port": 9}, "http://a.example/irma/"),
        ({"url": ""}, ""),
    ],
)
def test_server_url(options: dict[str, object], url: str) -> None:
    assert GatewayConfig.from_options(options).server_url == url


def test_secrets_do_not_show() -> None:
    config = GatewayConfig.from_options(
        {"no_auth": False, "jwt_privkey": "hidden1", "redis_pw": "hidden2", "requestors": {"a": {"auth_method": "token", "key": "hidden3"}}}
    )
    assert "hidden" not in repr(config)


@pytest.mark.parametrize("text", ["c2VjcmV0cw==", "c2VjcmV0cw", "c2VjcmV0cw==\n", "c2Vj\r\ncmV0cw=="])
def test_secrets_in_base64(text: str) -> None:
    assert decode_secret(text) == b"secrets"
    assert decode_secret("-_8") == decode_secret("+/8=")


@pytest.mark.parametrize("text", [" c2VjcmV0cw==", "c2VjcmV0cw=", "not base64!!", "+_8=", "a"])
def test_what_is_no_base64(text: str) -> None:
    with pytest.raises(ValueError, match="base64"):
        decode_secret(text)


@pytest.mark.parametrize("pem", ["garbage", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_what_is_no_public_key(pem: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the library's words
        read_public_key(pem)


def test_keys_of_time_stamp_servers() -> None:
    key = "ed25519-" + "A" * 43 + "="
    config = GatewayConfig.from_options({"timestamp_keys": {"https://a.example": [key]}})
    assert config.timestamp_keys == TimestampKeys(frozenset({("https://a.example/", bytes(32))}))
    assert GatewayConfig.from_options({}).timestamp_keys == TimestampKeys()
    for value, option in (
        ({"https://a.example": ["x"]}, "timestamp_keys.https://a.example"),
        ({"https://a.example": key}, "timestamp_keys"),
        ({"https://a.example": [1]}, "timestamp_keys"),
        ([key], "timestamp_keys"),
    ):
        with pytest.raises(ConfigurationError) as caught:
            GatewayConfig.from_options({"timestamp_keys": value})
        assert [problem.option for problem in caught.value.problems] == [option]


def test_options_without_effect_are_told() -> None:
    assert GatewayConfig().options_without_effect == ()
    config = GatewayConfig.from_options({"tls_cert": "x", "tls_privkey": "y", "static_path": "/srv"})
    assert config.options_without_effect == ("static_path", "tls_cert")


def test_what_may_be_called_is_listed() -> None:
    assert GatewayConfig.from_options({}).outbound_policy == WITH_PRIVATE
    assert GatewayConfig.from_options({"production": True, "no_tls": True, "no_auth": False}).outbound_policy == PUBLIC_ONLY
    expected = AddressPolicy.parse(["10.0.0.0/8", "backend"])
    for value in (["10.0.0.0/8", "backend"], "10.0.0.0/8, backend"):
        assert GatewayConfig.from_options({"outbound_allow": value}).outbound_policy == expected
    for empty in ([], ""):
        assert GatewayConfig.from_options({"outbound_allow": empty}).outbound_policy == PUBLIC_ONLY
    for wrong in ([1], {"a": "b"}, ["http://backend"], "10.0.0.1/8"):
        with pytest.raises(ConfigurationError, match="outbound_allow"):
            GatewayConfig.from_options({"outbound_allow": wrong})
