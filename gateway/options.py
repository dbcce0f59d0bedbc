"""The options of `irma server` from where they are given: command line, environment, configuration file; in that order of precedence.

What each value must be is told by the fields of `gateway.config.GatewayConfig`. Values keep their kind: a text that a file gives as
a date, or as a number that can be read in two ways, is refused rather than turned into something else.

Source: irmago `yivi/cli/irmacli/config.go` (`readConfig`, `handleMapOrString`, `handlePermission`), `yivi/cli/irmacli/server.go`.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from .config import PERMISSION_OPTIONS, GatewayConfig, Problem
from .configuration_text import FORMATS, Odd, UnreadableTextError, format_of, parse

ENVIRONMENT_PREFIX: Final = "IRMASERVER_"
#: Where a configuration file is looked for, and how it is called there.
FILE_STEM: Final = "irmaserver"
FOLDERS: Final = (".", "/etc/irmaserver", "~/.irmaserver")

#: What Kubernetes sets in every container beside a service that is called `irmaserver`.
_OF_KUBERNETES: Final = re.compile(r"IRMASERVER_(SERVICE|PORT)_.*")

_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_DECIMAL: Final = re.compile(r"[-+]?[0-9]{1,18}")

#: Names in these maps are lower-cased where a file gives them.
_NAMED: Final = ("requestors", "static_sessions")


class Kind(Enum):
    """What the value of an option is."""

    TEXT = "a text"
    NUMBER = "a whole number"
    FLAG = "true or false"
    LIST = "a list of texts"
    MAP = "an object, or JSON text of one"


def _kinds() -> dict[str, Kind]:
    kinds: dict[str, Kind] = {}
    for field in fields(GatewayConfig):
        declared = str(field.type)
        if field.name == "permissions":
            continue
        if field.name in ("redis_sentinel_addrs", "outbound_allow") or declared.startswith("tuple"):
            kinds[field.name] = Kind.LIST
        elif "Mapping" in declared or "TimestampKeys" in declared:
            kinds[field.name] = Kind.MAP
        else:
            kinds[field.name] = Kind.FLAG if field.type is bool else Kind.NUMBER if field.type is int else Kind.TEXT
    # Hosts of all requestors have no effect in the reference, which has no flag for them either; a file may hold them.
    return kinds | dict.fromkeys(PERMISSION_OPTIONS, Kind.LIST)


#: Every option with the kind of its value.
KINDS: Final[Mapping[str, Kind]] = MappingProxyType(_kinds())


@dataclass(frozen=True, slots=True)
class Options:
    """What was given.

    Attributes:
        values: for `GatewayConfig.from_options`.
        origins: of each value, where it was given: `--port`, `IRMASERVER_PORT`, or the path of the file.
        problems: of everything that cannot be read.
        file: the configuration file, or None.
    """

    values: Mapping[str, Any]
    origins: Mapping[str, str]
    problems: tuple[Problem, ...]
    file: Path | None = None


def collect(
    flags: Mapping[str, str | Sequence[str]], environment: Mapping[str, str], *, folders: Sequence[str | Path] = FOLDERS
) -> Options:
    """Put together what the command line, the environment and a file give.

    Args:
        flags: by option, what stood on the command line; `config` names the file.
        environment: the variables of the process.
        folders: where the file is looked for if nothing names it.
    """
    problems: list[Problem] = []
    given: dict[str, tuple[str, Any]] = {}
    file = _find_file(flags, environment, folders, problems)
    if file is not None:
        for name, value in _read_file(file, problems).items():
            _take(given, name, value, str(file), problems)
    for variable, text in environment.items():
        if variable.startswith(ENVIRONMENT_PREFIX) and text:
            name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
            if name in KINDS:
                _take(given, name, text, variable, problems)
            elif name != "config" and not _OF_KUBERNETES.fullmatch(variable):
                problems.append(Problem(name, f"is not an option ({variable})", departure="unknown-option"))
    for name, value in flags.items():
        if name != "config":
            _take(given, name, value, f"--{name.replace('_', '-')}", problems)
    values = {name: value for name, (_, value) in given.items()}
    return Options(values, {name: origin for name, (origin, _) in given.items()}, tuple(problems), file)


def read_text(content: bytes, text_format: str) -> Options:
    """Read the text of a configuration file.

    Args:
        content: the text.
        text_format: `json`, `toml` or `yaml`.
    """
    problems: list[Problem] = []
    given: dict[str, tuple[str, Any]] = {}
    for name, value in _read_content(content, text_format, "", problems).items():
        _take(given, name, value, text_format, problems)
    return Options({name: value for name, (_, value) in given.items()}, dict.fromkeys(given, text_format), tuple(problems))


def _find_file(
    flags: Mapping[str, str | Sequence[str]], environment: Mapping[str, str], folders: Sequence[str | Path], problems: list[Problem]
) -> Path | None:
    """The file that is named, which must be there, or one of the usual name in the usual folders."""
    named = str(flags.get("config") or environment.get(f"{ENVIRONMENT_PREFIX}CONFIG", ""))
    if named:
        candidates = [Path(named)] if Path(named).suffix else [Path(f"{named}.{ending}") for ending in FORMATS]
        found = next((path for path in candidates if path.exists()), None)
        if found is None:
            problems.append(Problem("config", f"specified configuration file does not exist: {named}"))
        elif found.is_dir():
            problems.append(Problem("config", f"specified configuration file is a directory: {named}"))
        else:
            return found
        return None
    paths = (Path(folder).expanduser() / f"{FILE_STEM}.{ending}" for folder in folders for ending in FORMATS)
    return next((path for path in paths if path.is_file()), None)


def _read_file(file: Path, problems: list[Problem]) -> dict[str, Any]:
    text_format = format_of(file.name)
    if text_format is None:
        problems.append(Problem("config", f"{file}: the name must end in {', '.join('.' + ending for ending in FORMATS)}"))
        return {}
    try:
        content = file.read_bytes()
    except OSError as error:
        problems.append(Problem("config", f"{file}: cannot be read: {error.strerror}"))
        return {}
    return _read_content(content, text_format, f"{file}: ", problems)


def _read_content(content: bytes, text_format: str, where: str, problems: list[Problem]) -> dict[str, Any]:
    """The options of a text by their names in lower case; names inside `requestors` and `static_sessions` likewise."""
    try:
        values = parse(content, text_format)
    except UnreadableTextError as error:
        problems.append(Problem("config", f"{where}{error}"))
        return {}
    options = _lowered("", values, problems)
    for option in _NAMED:
        if isinstance(options.get(option), dict):
            options[option] = _lowered(option, options[option], problems)
    return options


def _lowered(where: str, content: Mapping[Any, Any], problems: list[Problem]) -> dict[str, Any]:
    """An object with its keys in lower case, as the reference reads files; two keys that become one are a fault."""
    prefix = f"{where}." if where else ""
    spellings: dict[str, str] = {}
    found: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(key, bool) or not isinstance(key, (str, int)):
            problems.append(Problem(where, "holds a name that is no text; put it in quotes", departure="option-kind"))
            continue
        given = str(key)
        name = given.lower()
        if name in spellings:
            message = f"is given twice, as {spellings[name]} and {given}: upper and lower case do not count in a file"
            problems.append(Problem(f"{prefix}{name}", message, departure="duplicate-option"))
            continue
        spellings[name] = given
        found[name] = value
    return found


def _take(given: dict[str, tuple[str, Any]], name: str, value: Any, origin: str, problems: list[Problem]) -> None:
    """Note a value in place of any earlier one, turned into what its option is."""
    if value is None:
        return
    kind = KINDS.get(name)
    if kind is None:
        given[name] = (origin, value)  # GatewayConfig tells that it is no option
        return
    try:
        given[name] = (origin, _converted(name, kind, value))
    except ValueError as error:
        given.pop(name, None)
        rule = str(error) or f"must be {kind.value}"
        problems.append(Problem(name, f"{rule} ({origin})", departure="option-kind"))


def _converted(name: str, kind: Kind, value: Any) -> Any:
    """The value of an option.

    Raises:
        ValueError: it cannot be; with the rule where it is another than the kind's.
    """
    match kind:
        case Kind.TEXT:
            if isinstance(value, int) and not isinstance(value, bool):
                return str(value)
            if not isinstance(value, str):
                raise ValueError("must be a text; put it in quotes")
            return value
        case Kind.NUMBER:
            return _number(value)
        case Kind.FLAG:
            return _flag(value)
        case Kind.LIST:
            texts = _list(value)
            return " ".join(texts) if name == "redis_sentinel_addrs" else texts
        case Kind.MAP:
            return _map(name, value)


def _number(value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value) if isinstance(value, (str, int)) else ""
    if text in _TRUE | _FALSE:
        return text in _TRUE
    raise ValueError


def _list(value: Any) -> list[str]:
    if isinstance(value, str):
        return value.replace(",", " ").split()
    if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
        return list(value)
    raise ValueError


def _map(name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        if not value.strip():
            return {}
        try:
            value = parse(value.encode(), "json")
        except UnreadableTextError as error:
            raise ValueError(f"is no JSON object: {error}") from error
    if not isinstance(value, Mapping):
        raise ValueError
    plain: dict[str, Any] = _plain(value, name)
    if name != "requestors":
        return plain
    # The options of a requestor are found in any case; the requestors' own names are left as they are.
    return {key: {inner.lower(): one for inner, one in item.items()} if isinstance(item, dict) else item for key, item in plain.items()}


def _plain(value: Any, where: str) -> Any:
    """A value of JSON's kinds, with texts as keys.

    Raises:
        ValueError: there is another inside; it says where.
    """
    if isinstance(value, Mapping):
        keys = {key: str(key) for key in value if isinstance(key, (str, int)) and not isinstance(key, bool)}
        if len(keys) < len(value):
            raise ValueError(f"{where}: a name must be a text; put it in quotes")
        return {keys[key]: _plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{where}.{number}") for number, item in enumerate(value)]
    if value is None or isinstance(value, (str, int, float)):
        return value
    what = value.what if isinstance(value, Odd) else "a date or time"
    raise ValueError(f"{where} is {what}; put it in quotes if it shall be a text")


def to_json_text(value: Mapping[str, Any]) -> str:
    """A map as a flag or a variable takes it."""
    return json.dumps(value, ensure_ascii=False)
