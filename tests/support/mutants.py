"""Mutants of a message: changed by bytes, or by the fields of its JSON or XML."""

import copy
import json
import re
from collections.abc import Callable
from random import Random
from typing import Any

#: Bytes at which parsers change their mind.
_TELLING = b'"\\{}[],:0-9aA+/=<>&;.eE \n\r\t\x00\xff\xc3'
_LARGE = 10**1300
_XML_ELEMENT = re.compile(rb"<(\w+)[^<>]*>([^<>]*)</\1>")


def by_bytes(original: bytes, random: Random) -> bytes:
    """Change one to three places: replace, flip, insert, take out, double, or cut off."""
    changed = bytearray(original)
    for _ in range(random.randint(1, 3)):
        start = random.randrange(len(changed)) if changed else 0
        end = min(len(changed), start + random.choice((1, 1, 2, 8, 40)))
        piece = bytes(changed[start:end])
        replacement = random.choice(
            (
                bytes([random.choice(_TELLING)]),
                bytes([random.randrange(256)]),
                bytes(byte ^ 1 << random.randrange(8) for byte in piece),
                piece + piece,
                bytes([random.choice(_TELLING)]) + piece,
                b"",
            )
        )
        changed[start:end] = replacement
        if random.random() < 0.02:
            del changed[start:]
    return bytes(changed)


def by_json_field(original: bytes, random: Random) -> bytes:
    """Change one to three fields of a JSON message."""
    value = json.loads(original)
    for _ in range(random.randint(1, 3)):
        places = list(_places(value))
        if not places:
            break
        holder, key = random.choice(places)
        random.choice(_FIELD_CHANGES)(holder, key, random)
    text = json.dumps(value, separators=(",", ":"))
    if random.random() < 0.1:
        text = _with_doubled_key(text, random)
    return text.encode()


def by_xml_element(original: bytes, random: Random) -> bytes:
    """Change one element of an XML message: its number, its name, its presence, or its place."""
    elements = list(_XML_ELEMENT.finditer(original))
    element, other = random.choice(elements), random.choice(elements)
    name, text = element[1], element[2]
    number = int(text) if text.isdigit() else 0
    replacement = random.choice(
        (
            b"",
            element[0] * 2,
            other[0],
            element[0].replace(text, other[2]) if text else b"",
            element[0].replace(name, name + b"x"),
            element[0].replace(name, name.swapcase()),
            *(element[0].replace(text, str(changed).encode()) for changed in _other_numbers(number, random) if text),
            element[0].replace(text, b" " + text + b"\n"),
            element[0].replace(text, b"0" + text),
            element[0].replace(text, text[:-1]),
        )
    )
    return original[: element.start()] + replacement + original[element.end() :]


def _places(value: Any) -> Any:
    """Every holder (object or list) with each of its keys."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])


def _other_numbers(number: int, random: Random) -> list[int]:
    return [number + 1, number - 1, 2 * number, -number, number ^ 1 << random.randrange(number.bit_length() + 1), 0, 1, _LARGE]


def _remove(holder: Any, key: Any, random: Random) -> None:
    del holder[key]


def _replace(holder: Any, key: Any, random: Random) -> None:
    replacements = (None, True, "", "AQ==", "-1", 0, 1, -1, 1.5, [], {}, [[]], "\u0000", "é", _LARGE, [holder[key]], {"A": holder[key]})
    holder[key] = random.choice(replacements)


def _exchange(holder: Any, key: Any, random: Random) -> None:
    other = random.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    holder[key], holder[other] = holder[other], holder[key]


def _change_number(holder: Any, key: Any, random: Random) -> None:
    """Change an integer, in decimals or in base64, as a number of the same kind."""
    value = holder[key]
    if isinstance(value, int) and not isinstance(value, bool):
        holder[key] = random.choice(_other_numbers(value, random))
    elif isinstance(value, str) and value:
        position = random.randrange(len(value))
        holder[key] = value[:position] + random.choice("AZaz09+/=.-_é") + value[position + 1 :]
    elif isinstance(value, dict) and value:
        _change_number(value, random.choice(list(value)), random)


def _rename(holder: Any, key: Any, random: Random) -> None:
    if isinstance(holder, dict):
        name = random.choice((key.swapcase(), key + " ", "x" + key, "0" + key, "-" + key, "1", "7", "9999", str(random.randrange(12))))
        holder[name] = holder.pop(key)


def _add(holder: Any, key: Any, random: Random) -> None:
    extra = copy.deepcopy(holder[key])
    if isinstance(holder, dict):
        holder[random.choice(("x", "U", "A", "0", "1", "2", "6", "-1", "99", key.swapcase(), "nonrev_proof", "rangeproofs"))] = extra
    else:
        holder.insert(random.randrange(len(holder) + 1), extra)


_FIELD_CHANGES: tuple[Callable[[Any, Any, Random], None], ...] = (
    _remove,
    _replace,
    _exchange,
    _change_number,
    _change_number,
    _rename,
    _add,
)


def _with_doubled_key(text: str, random: Random) -> str:
    """Write a member of an object twice."""
    members = list(re.finditer(r'"[^"]*":("[^"]*"|\d+|null)', text))
    if not members:
        return text
    member = random.choice(members)
    return text[: member.end()] + "," + member[0] + text[member.end() :]
