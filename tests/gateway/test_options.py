"""Options from command line, environment and file: which one counts, and what each must be."""

import json
from pathlib import Path

import pytest

from gateway.config import GatewayConfig
from gateway.configuration_text import dump
from gateway.options import KINDS, Kind, collect, read_text


def written(folder: Path, values: dict[str, object], name: str = "irmaserver.json") -> Path:
    file = folder / name
    file.write_text(dump(values, name.rpartition(".")[2]))
    return file


def problems_of(options: object) -> dict[str, str]:
    return {problem.option: problem.message for problem in options.problems}  # type: ignore[attr-defined]


def test_a_flag_goes_before_a_variable_and_that_before_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, {"port": 1, "jwt_issuer": "file", "url": "https://file.example", "sse": True, "disclose_perms": ["a"]})
    environment = {"IRMASERVER_PORT": "2", "IRMASERVER_JWT_ISSUER": "variable", "IRMASERVER_DISCLOSE_PERMS": "b c", "OTHER": "x"}
    options = collect({"config": str(file), "port": "3", "sse": "false"}, environment)
    assert not options.problems
    assert options.values == {
        "port": 3,
        "jwt_issuer": "variable",
        "url": "https://file.example",
        "sse": False,
        "disclose_perms": ["b", "c"],
    }
    assert options.origins["port"] == "--port"
    assert options.origins["jwt_issuer"] == "IRMASERVER_JWT_ISSUER"
    assert options.origins["url"] == str(file)


def test_an_empty_variable_is_none(tmp_path: Path) -> None:
    file = written(tmp_path, {"jwt_issuer": "file"})
    assert collect({"config": str(file)}, {"IRMASERVER_JWT_ISSUER": ""}).values == {"jwt_issuer": "file"}


def test_the_file_is_found_in_the_folders_in_order(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
    assert collect({}, {}, folders=(here, there)).file is None
    written(there, {"port": 2}, "irmaserver.toml")
    assert collect({}, {}, folders=(here, there)).values == {"port": 2}
    written(here, {"port": 3}, "irmaserver.yaml")
    assert collect({}, {}, folders=(here, there)).values == {"port": 3}
    written(here, {"port": 4}, "irmaserver.json")
    assert collect({}, {}, folders=(here, there)).values == {"port": 4}
    assert collect({}, {"IRMASERVER_CONFIG": str(here / "irmaserver")}, folders=()).values == {"port": 4}


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    assert "does not exist" in problems_of(collect({"config": str(tmp_path / "no.json")}, {}))["config"]
    (tmp_path / "folder.json").mkdir()
    assert "is a directory" in problems_of(collect({"config": str(tmp_path / "folder.json")}, {}))["config"]
    (tmp_path / "a.ini").touch()
    assert "must end in .json, .toml, .yaml, .yml" in problems_of(collect({"config": str(tmp_path / "a.ini")}, {}))["config"]
    (tmp_path / "b.json").write_text("{")
    assert "is no JSON" in problems_of(collect({"config": str(tmp_path / "b.json")}, {}))["config"]


REQUESTORS = {"MyApp": {"Auth_Method": "token", "key": "x"}}


def test_maps_are_json_in_flags_and_variables_and_keep_their_case() -> None:
    options = collect({"requestors": json.dumps(REQUESTORS)}, {"IRMASERVER_STATIC_SESSIONS": '{"Door": {"request": {}}}'})
    assert options.values == {"requestors": {"MyApp": {"auth_method": "token", "key": "x"}}, "static_sessions": {"Door": {"request": {}}}}
    for wrong in ("[]", "{", '{"a": 1, "a": 2}'):
        assert set(problems_of(collect({"requestors": wrong}, {}))) == {"requestors"}


@pytest.mark.parametrize("text_format", ["json", "toml", "yaml"])
def test_names_in_a_file_are_lower_cased(text_format: str) -> None:
    text = dump({"PORT": 1, "requestors": REQUESTORS, "static_sessions": {"Door": {"callbackUrl": "https://A"}}}, text_format)
    options = read_text(text.encode(), text_format)
    assert options.values == {
        "port": 1,
        "requestors": {"myapp": {"auth_method": "token", "key": "x"}},
        "static_sessions": {"door": {"callbackUrl": "https://A"}},
    }
    options = read_text(dump({"requestors": {"MyApp": {}, "myapp": {}}, "port": 1, "Port": 2}, text_format).encode(), text_format)
    assert problems_of(options) == {
        "port": "is given twice, as port and Port: upper and lower case do not count in a file",
        "requestors.myapp": "is given twice, as MyApp and myapp: upper and lower case do not count in a file",
    }


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("port", "8.0", 8),
        ("port", "'8'", 8),
        ("redis_pw", "12345", "12345"),
        ("sse", "'T'", True),
        ("sse", "0", False),
        ("disclose_perms", "'*'", ["*"]),
        ("redis_sentinel_addrs", "[a:1, b:2]", "a:1 b:2"),
        ("requestors", "{1: {key: x}}", {"1": {"key": "x"}}),
    ],
)
def test_values_that_the_reference_turns_into_what_is_meant(name: str, text: str, value: object) -> None:
    options = read_text(f"{name}: {text}".encode(), "yaml")
    assert not options.problems
    assert options.values == {name: value}


@pytest.mark.parametrize(
    ("text", "text_format", "where"),
    [
        ("redis_pw: 2020-01-01", "yaml", "redis_pw"),
        ("redis_pw: 0123", "yaml", "redis_pw"),
        ("redis_pw: 1.5", "yaml", "redis_pw"),
        ("redis_pw: true", "yaml", "redis_pw"),
        ("redis_pw = 2020-01-01", "toml", "redis_pw"),
        ("port: 8.5", "yaml", "port"),
        ("port: 0123", "yaml", "port"),
        ("port: true", "yaml", "port"),
        ("port: '0x10'", "yaml", "port"),
        ("sse: yes", "yaml", "sse"),
        ("sse: 2", "yaml", "sse"),
        ("disclose_perms: [1]", "yaml", "disclose_perms"),
        ("disclose_perms: {a: b}", "yaml", "disclose_perms"),
        ("requestors: [a]", "yaml", "requestors"),
        ("requestors: {a: {key: 2020-01-01}}", "yaml", "requestors"),
        ("[requestors.a]\nkey = 10:00:00", "toml", "requestors"),
        ("2020-01-01: x", "yaml", ""),
    ],
)
def test_values_of_another_kind_are_refused(text: str, text_format: str, where: str) -> None:
    options = read_text(text.encode(), text_format)
    assert set(problems_of(options)) == {where}
    assert where not in options.values


def test_what_is_no_option_is_told_wherever_it_is_given() -> None:
    options = collect({}, {"IRMASERVER_PROT": "1", "IRMASERVER_SERVICE_HOST": "10.0.0.1", "IRMASERVER_PORT_8088_TCP": "tcp://x"})
    assert problems_of(options) == {"prot": "is not an option (IRMASERVER_PROT)"}
    _, problems = GatewayConfig.read_options(read_text(b"prot: 1", "yaml").values)
    assert [problem.option for problem in problems] == ["prot"]


def test_every_option_has_a_kind() -> None:
    assert (KINDS["port"], KINDS["sse"], KINDS["url"], KINDS["schemes_path"]) == (Kind.NUMBER, Kind.FLAG, Kind.TEXT, Kind.TEXT)
    assert (KINDS["requestors"], KINDS["timestamp_keys"], KINDS["host_perms"], KINDS["trusted_proxies"]) == (
        Kind.MAP,
        Kind.MAP,
        Kind.LIST,
        Kind.LIST,
    )
