"""Configuration texts in JSON, TOML and YAML, both ways, with nothing changed in kind on the way.

YAML is read by its newer, smaller rules: only `true` and `false` are flags, only plain decimal numbers are numbers. What older
and other readers take for dates, octal numbers and the like becomes an `Odd`, which no option accepts: in quotes it is a text.
"""

import json
import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import tomli_w
import yaml

#: Ending of a file's name -> format.
FORMATS: Final[Mapping[str, str]] = {"json": "json", "toml": "toml", "yaml": "yaml", "yml": "yaml"}

MAX_BYTES: Final = 8 * 1024 * 1024
#: Values after every alias of YAML was followed; more is an attack or a slip.
MAX_VALUES: Final = 1_000_000


class UnreadableTextError(ValueError):
    """A text is not of its format. The message tells where, and quotes nothing of the text: it may hold secrets."""


@dataclass(frozen=True, slots=True)
class Odd:
    """A value that readers of the format do not agree on.

    Attributes:
        what: what it looks like, with its line.
    """

    what: str


def format_of(name: str) -> str | None:
    """The format that a file's name tells, or None."""
    return FORMATS.get(name.rpartition(".")[2].lower()) if "." in name else None


def parse(content: bytes, text_format: str) -> dict[str, Any]:
    """Read a text whose root is an object.

    Args:
        content: UTF-8, with or without a byte order mark.
        text_format: `json`, `toml` or `yaml`.

    Raises:
        UnreadableTextError: it is not of its format, has a name twice, is too large, or is no object.
    """
    if len(content) > MAX_BYTES:
        raise UnreadableTextError(f"has more than {MAX_BYTES} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableTextError("is not UTF-8") from error
    try:
        value = _parse_json(text) if text_format == "json" else tomllib.loads(text) if text_format == "toml" else _parse_yaml(text)
    except RecursionError as error:
        raise UnreadableTextError("is nested too deep") from error
    except json.JSONDecodeError as error:
        raise UnreadableTextError(f"is no JSON: line {error.lineno}, column {error.colno}: {error.msg}") from error
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at [^)]*\)$", str(error))
        raise UnreadableTextError(f"is no TOML {place[0] if place else ''}".rstrip()) from error
    except yaml.MarkedYAMLError as error:
        where = f"line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UnreadableTextError(f"is no YAML: {where}: {_without_quotes(error.problem or error.context or '')}") from error
    except yaml.YAMLError as error:
        raise UnreadableTextError("is no YAML: it has characters that may not stand there") from error
    if value is None and text_format == "yaml":
        return {}
    if not isinstance(value, dict):
        raise UnreadableTextError("must be an object: names with their values")
    return value


def dump(value: Mapping[str, Any], text_format: str) -> str:
    """Write an object of texts, whole numbers, flags, lists and objects, so that `parse` gives the same.

    Args:
        value: the object.
        text_format: `json`, `toml` or `yaml`.
    """
    match text_format:
        case "json":
            return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
        case "toml":
            return tomli_w.dumps(value)
        case _:
            return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)


def _parse_json(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_pairs, parse_constant=_refuse_constant)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise UnreadableTextError(f"has the name {name[:80]} twice in one object")
        found[name] = value
    return found


def _refuse_constant(name: str) -> Any:
    raise UnreadableTextError(f"holds {name}, which is no number of JSON")


def _without_quotes(problem: str) -> str:
    """A parser's words without what they quote of the text."""
    return re.sub(r"(['\"]).*\1", "…", problem)


def _parse_yaml(text: str) -> Any:
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _weigh(node, {}, set())
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _weigh(node: yaml.Node, known: dict[int, int], above: set[int]) -> int:
    """How many values a node stands for; aliases count as what they name.

    Raises:
        UnreadableTextError: there are too many, or a value holds itself.
    """
    if id(node) in known:
        return known[id(node)]
    if id(node) in above:
        raise UnreadableTextError("holds a value inside itself")
    above.add(id(node))
    weight = 1
    if isinstance(node, yaml.MappingNode):
        weight += sum(_weigh(part, known, above) for pair in node.value for part in pair)
    elif isinstance(node, yaml.SequenceNode):
        weight += sum(_weigh(part, known, above) for part in node.value)
    above.discard(id(node))
    if weight > MAX_VALUES:
        raise UnreadableTextError(f"stands for more than {MAX_VALUES} values")
    known[id(node)] = weight
    return weight


_NULL: Final = ("tag:yaml.org,2002:null", r"~|null|Null|NULL|", [*"~nN", ""])
_BOOL: Final = ("tag:yaml.org,2002:bool", r"true|True|TRUE|false|False|FALSE", [*"tTfF"])
_INT: Final = ("tag:yaml.org,2002:int", r"[-+]?(?:0|[1-9][0-9]*)", [*"-+0123456789"])
_FLOAT: Final = (
    "tag:yaml.org,2002:float",
    r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?|\.[0-9]+(?:[eE][-+]?[0-9]+)?)",
    [*"-+0123456789."],
)
_DATE: Final = ("!date", r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt \t].*)?", [*"0123456789"])
_ODD_NUMBER: Final = (
    "!number",
    r"[-+]?0[0-9_]+|[-+]?0[xX][0-9a-fA-F_]+|[-+]?0[oO][0-7_]+|[-+]?0[bB][01_]+|[-+]?[0-9][0-9_]*_[0-9_.]*|[-+]?[0-9]+(?::[0-5]?[0-9])+|"
    r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
    [*"-+0123456789."],
)
_MERGE: Final = ("tag:yaml.org,2002:merge", r"<<", ["<"])


class _Loader(yaml.SafeLoader):
    """Reads YAML by these rules; tags in the text are not followed."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - filled below, by the library's own way

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """An object; a name that it has twice is refused, which the library does not."""
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == _MERGE[0]:
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                raise UnreadableTextError(f"line {key_node.start_mark.line + 1}: a name must be a text")
            if (key_node.tag, key_node.value) in seen:
                raise UnreadableTextError(f"line {key_node.start_mark.line + 1}: the name {key_node.value[:80]} stands twice in one object")
            seen.add((key_node.tag, key_node.value))
        return super().construct_mapping(node, deep=deep)

    def construct_plain_int(self, node: yaml.ScalarNode) -> int | Odd:
        """A whole number; of a length that nobody means as one is left out."""
        return int(node.value) if len(node.value) < 20 else Odd(f"a number with too many digits (line {node.start_mark.line + 1})")

    def construct_plain_float(self, node: yaml.ScalarNode) -> float | Odd:
        """A number with a fraction or an exponent."""
        number = float(node.value)
        return number if math.isfinite(number) else Odd(f"a number that is too large (line {node.start_mark.line + 1})")

    def construct_date(self, node: yaml.ScalarNode) -> Odd:
        """What other readers take for a date."""
        return Odd(f"a date or time (line {node.start_mark.line + 1})")

    def construct_number(self, node: yaml.ScalarNode) -> Odd:
        """What other readers take for an octal, hexadecimal or other number."""
        return Odd(f"a number that is not written plainly (line {node.start_mark.line + 1})")


_Loader.add_constructor(_INT[0], _Loader.construct_plain_int)
_Loader.add_constructor(_FLOAT[0], _Loader.construct_plain_float)
_Loader.add_constructor(_DATE[0], _Loader.construct_date)
_Loader.add_constructor(_ODD_NUMBER[0], _Loader.construct_number)


class _Dumper(yaml.SafeDumper):
    """Writes YAML that `_Loader` reads as it was; every text that other readers might take for something else is quoted too."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - filled below, by the library's own way

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the library asks
        """Equal lists are written out each time: a configuration is read by people."""
        return True

    def represent_text(self, text: str) -> yaml.ScalarNode:
        """A text; quoted where the older rules of YAML read it as something else (`yes`, `on`, `12:30`)."""
        older = yaml.SafeDumper.yaml_implicit_resolvers.get(text[:1], []) if text else []
        style = "'" if any(pattern.match(text) for _, pattern in older) else "|" if _is_block(text) else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _is_block(text: str) -> bool:
    """Whether a text is several whole lines, such as a PEM, that can stand as a block."""
    *lines, last = text.split("\n")
    return last == "" and len(lines) > 1 and all(line and line.isprintable() and line == line.strip() for line in lines)


for _tag, _pattern, _first in (_NULL, _BOOL, _INT, _FLOAT, _DATE, _ODD_NUMBER, _MERGE):
    for _kind in (_Loader, _Dumper):
        _kind.add_implicit_resolver(_tag, re.compile(f"(?:{_pattern})$", re.DOTALL), _first)
_Dumper.add_representer(str, _Dumper.represent_text)
