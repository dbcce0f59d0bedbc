"""Settings from the environment."""

from pathlib import Path

import pytest

from gateway.addresses import PUBLIC_ONLY, WITH_PRIVATE, AddressPolicy
from irmahub.settings import Address, Settings, SettingsError


def test_embedded_default_needs_nothing(tmp_path: Path) -> None:
    settings = Settings.from_environment({"XDG_DATA_HOME": str(tmp_path)})
    assert settings.data_directory == tmp_path / "irmahub"
    assert settings.database_url == f"sqlite:///{tmp_path}/irmahub/irmahub.db"
    assert settings.redis_url is None
    assert settings.gateway_url == "http://127.0.0.1:8088/"


def test_a_relative_xdg_data_home_is_ignored() -> None:
    assert Settings.from_environment({"XDG_DATA_HOME": "data"}).data_directory == Path.home() / ".local/share/irmahub"


def test_wrong_settings_are_reported_together() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment(
            {
                "IRMAHUB_DATABASE_URL": "mysql://x",
                "IRMAHUB_REDIS_URL": "http://x",
                "IRMAHUB_GATEWAY_ADDRESS": "nowhere",
                "IRMAHUB_CONSOLE_ADDRESS": "host:99999",
                "IRMAHUB_GATEWAY_URL": "ftp://x",
                "IRMAHUB_WORKERS": "0",
                "IRMAHUB_TRUSTED_PROXIES": "10.0.0.1/8",
                "IRMAHUB_TIMESTAMP_KEYS": "https://a.example",
                "IRMAHUB_CLOCK_SKEW": "301",
                "IRMAHUB_TABLES_MIB": "lots",
                "IRMAHUB_OUTBOUND_ALLOW": "10.0.0.0/8,*",
                "IRMAHUB_LOG_LEVEL": "loud",
                "IRMAHUB_PRODUCTION": "perhaps",
            }
        )
    assert set(caught.value.errors) == {
        "IRMAHUB_DATABASE_URL",
        "IRMAHUB_REDIS_URL",
        "IRMAHUB_GATEWAY_ADDRESS",
        "IRMAHUB_CONSOLE_ADDRESS",
        "IRMAHUB_GATEWAY_URL",
        "IRMAHUB_WORKERS",
        "IRMAHUB_TRUSTED_PROXIES",
        "IRMAHUB_TIMESTAMP_KEYS",
        "IRMAHUB_CLOCK_SKEW",
        "IRMAHUB_TABLES_MIB",
        "IRMAHUB_OUTBOUND_ALLOW",
        "IRMAHUB_LOG_LEVEL",
        "IRMAHUB_PRODUCTION",
    }


def test_keys_of_time_stamp_servers() -> None:
    one, other = (f"ed25519-{letter * 43}=" for letter in "AE")
    text = f"https://a.example/ {one}, https://b.example {other},https://a.example/ {other}"
    keys = Settings.from_environment({"IRMAHUB_TIMESTAMP_KEYS": text}).timestamp_keys
    assert keys == {"https://a.example/": (one, other), "https://b.example": (other,)}
    for wrong in ("https://a.example x", f"a.example {one}", f"https://a.example {one},", one):
        with pytest.raises(SettingsError) as caught:
            Settings.from_environment({"IRMAHUB_TIMESTAMP_KEYS": wrong})
        assert set(caught.value.errors) == {"IRMAHUB_TIMESTAMP_KEYS"}


@pytest.mark.parametrize(
    ("environment", "variables"),
    [
        ({"IRMAHUB_WORKERS": "2"}, {"IRMAHUB_WORKERS"}),
        ({"IRMAHUB_PRODUCTION": "true"}, {"IRMAHUB_CONSOLE_URL", "IRMAHUB_GATEWAY_URL"}),
        ({"IRMAHUB_PRODUCTION": "true", "IRMAHUB_GATEWAY_URL": "https://x"}, {"IRMAHUB_CONSOLE_URL"}),
    ],
)
def test_settings_that_do_not_go_together(environment: dict[str, str], variables: set[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment(environment)
    assert set(caught.value.errors) == variables


@pytest.mark.parametrize(
    ("text", "address"),
    [("127.0.0.1:80", Address("127.0.0.1", 80)), ("[::1]:80", Address("::1", 80)), (":0", Address("0.0.0.0", 0))],
)
def test_addresses(text: str, address: Address) -> None:
    assert Address.parse(text) == address
    assert Address.parse(str(address)) == address


def test_what_may_be_called() -> None:
    assert Settings.from_environment({}).outbound_policy == WITH_PRIVATE
    assert Settings.from_environment({"IRMAHUB_OUTBOUND_ALLOW": "none"}).outbound_policy == PUBLIC_ONLY
    found = Settings.from_environment({"IRMAHUB_OUTBOUND_ALLOW": "10.0.0.0/8, backend"}).outbound_policy
    assert found == AddressPolicy.parse(["10.0.0.0/8", "backend"])
