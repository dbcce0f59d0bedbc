"""Reads the small XML files of a scheme into elements, safe against hostile input.

Built on expat, which reports positions and lets every event be refused: no document type with declarations, no
entities, nothing fetched, bounded depth and number of elements. What is read, and how, follows the reference's
decoder (Go `encoding/xml`): names without their namespace, comments do not cut texts, unknown parts are skipped.
"""

import re
from collections.abc import Iterator
from typing import Final
from xml.parsers import expat

from ..errors import MalformedSchemeError
from .translations import TranslatedString
from .tree import MAX_FILE_BYTES

MAX_DEPTH: Final = 64
MAX_ELEMENTS: Final = 50_000

_TRUE: Final = frozenset(("1", "t", "T", "TRUE", "true", "True"))
_FALSE: Final = frozenset(("0", "f", "F", "FALSE", "false", "False"))
#: Leading zeros are allowed; `int` refuses to read more than 4300 digits.
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,4000}", re.ASCII)
_UNSIGNED: Final = re.compile(r"[0-9]{1,4000}", re.ASCII)


class Element:
    """An XML element.

    Attributes:
        name: without namespace and prefix.
        attributes: local name → value.
        children: the child elements in order.
        text: the character data directly inside, joined.
        start: where the element begins in the file, at its `<`, in bytes.
        close: where its closing tag begins, in bytes; for `<element/>` where the tag ends.
    """

    __slots__ = ("attributes", "children", "close", "name", "path", "start", "text")

    def __init__(self, path: str, name: str, attributes: dict[str, str]) -> None:
        self.path = path
        self.name = name
        self.attributes = attributes
        self.children: list[Element] = []
        self.text = ""
        self.start = self.close = 0

    def all(self, *names: str) -> Iterator["Element"]:
        """The elements below by a chain of names, over all repetitions of each."""
        for child in self.children:
            if child.name == names[0]:
                if len(names) == 1:
                    yield child
                else:
                    yield from child.all(*names[1:])

    def string(self, name: str) -> str:
        """The text of the last child of that name, `""` where there is none. White space is kept."""
        found = ""
        for child in self.children:
            if child.name == name:
                found = child.text
        return found

    def strings(self, *names: str) -> tuple[str, ...]:
        """The texts of all elements below by a chain of names."""
        return tuple(child.text for child in self.all(*names))

    def boolean(self, name: str) -> bool:
        """A child read as a boolean; absent or empty is false.

        Raises:
            MalformedSchemeError: neither a true nor a false.
        """
        value = False
        for child in self.all(name):
            value = self._boolean(child.text, f"<{name}>")
        return value

    def boolean_attribute(self, name: str) -> bool:
        """An attribute read as a boolean; absent or empty is false."""
        return self._boolean(self.attributes.get(name, ""), f"attribute {name} of <{self.name}>")

    def integer(self, name: str) -> int:
        """A child read as a signed 64-bit integer; absent or empty is 0."""
        return self.optional_integer(name) or 0

    def optional_integer(self, name: str) -> int | None:
        """A child read as a signed 64-bit integer; None where absent, 0 where empty."""
        values = [self._integer(child.text, f"<{name}>") for child in self.all(name)]
        return values[-1] if values else None

    def unsigned(self, name: str) -> int:
        """A child read as an unsigned 64-bit integer; absent or empty is 0."""
        value = 0
        for child in self.all(name):
            text = child.text.strip() if child.text else "0"
            if not _UNSIGNED.fullmatch(text) or int(text) >= 1 << 64:
                raise MalformedSchemeError(self.path, "must be a non-negative integer", field=f"<{name}>")
            value = int(text)
        return value

    def integer_attribute(self, name: str) -> int | None:
        """An attribute read as a signed 64-bit integer; None where absent, 0 where empty."""
        if name not in self.attributes:
            return None
        return self._integer(self.attributes[name], f"attribute {name} of <{self.name}>")

    def translated(self, name: str) -> TranslatedString | None:
        """A child with one text a language; repeated elements are merged; None where there is no such child."""
        texts: dict[str, str] | None = None
        for child in self.all(name):
            texts = {**(texts or {}), **{language.name: language.text for language in child.children}}
        return None if texts is None else TranslatedString(texts)

    def _boolean(self, text: str, field: str) -> bool:
        if not text:
            return False
        word = text.strip()
        if word not in _TRUE and word not in _FALSE:
            raise MalformedSchemeError(self.path, "must be true or false", field=field)
        return word in _TRUE

    def _integer(self, text: str, field: str) -> int:
        word = text.strip() if text else "0"
        if not _INTEGER.fullmatch(word) or not -(1 << 63) <= int(word) < 1 << 63:
            raise MalformedSchemeError(self.path, "must be an integer", field=field)
        return int(word)


def parse_xml(content: bytes, path: str) -> Element:
    """Read an XML document.

    Args:
        content: the bytes of the file.
        path: its path in the scheme, for errors.

    Raises:
        MalformedSchemeError: not one well-formed XML 1.0 document in UTF-8, or beyond our bounds.
    """
    if len(content) > MAX_FILE_BYTES:
        raise MalformedSchemeError(path, f"a file of a scheme has at most {MAX_FILE_BYTES} bytes", departure="scheme-limits")
    # The parser would also take UTF-16, which it knows by its byte order mark or its zero bytes.
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedSchemeError(path, f"must be UTF-8 (byte {error.start})", departure="xml-well-formed") from error
    if b"\0" in content:
        raise MalformedSchemeError(path, "must not hold zero bytes", departure="xml-well-formed")
    return _Reader(path).read(content)


class _Reader:
    """Collects expat's events into elements."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._root: Element | None = None
        self._open: list[Element] = []
        self._texts: list[list[str]] = []
        self._count = 0
        self._parser = parser = expat.ParserCreate("UTF-8", "\x01")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._data
        parser.XmlDeclHandler = self._declaration
        parser.StartDoctypeDeclHandler = self._doctype
        parser.SkippedEntityHandler = self._entity

    def read(self, content: bytes) -> Element:
        try:
            self._parser.Parse(content, True)
        except expat.ExpatError as error:
            # The reference reads over many violations: of declarations, namespaces, comments, and outside the root element.
            raise MalformedSchemeError(
                self._path,
                f"not well-formed XML: {expat.ErrorString(error.code)} (line {error.lineno})",
                departure="xml-well-formed",
            ) from error
        if self._root is None:
            raise MalformedSchemeError(self._path, "not well-formed XML: no element found")
        return self._root

    def _refuse(self, rule: str, departure: str | None = None) -> MalformedSchemeError:
        return MalformedSchemeError(self._path, f"{rule} (line {self._parser.CurrentLineNumber})", departure=departure)

    def _declaration(self, version: str, encoding: str | None, _standalone: int) -> None:
        if version != "1.0":
            raise self._refuse(f"XML version {version} is not supported")
        if encoding is not None and encoding.lower() != "utf-8":
            raise self._refuse(f"the encoding must be UTF-8, {encoding} is declared")

    def _doctype(self, _name: str, _system_id: str | None, _public_id: str | None, has_internal_subset: int) -> None:
        if has_internal_subset:
            raise self._refuse("a document type may not declare anything", "document-type")

    def _entity(self, name: str, _is_parameter_entity: bool) -> None:
        raise self._refuse(f"undeclared entity &{name};")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if len(self._open) >= MAX_DEPTH:
            raise self._refuse(f"elements are nested at most {MAX_DEPTH} deep", "scheme-limits")
        if self._count > MAX_ELEMENTS:
            raise self._refuse(f"a document has at most {MAX_ELEMENTS} elements", "scheme-limits")
        local = {key.rpartition("\x01")[2]: value for key, value in attributes.items()}
        element = Element(self._path, name.rpartition("\x01")[2], local)
        element.start = self._parser.CurrentByteIndex
        if self._open:
            self._open[-1].children.append(element)
        else:
            self._root = element
        self._open.append(element)
        self._texts.append([])

    def _end(self, _name: str) -> None:
        element = self._open.pop()
        element.text = "".join(self._texts.pop())
        element.close = self._parser.CurrentByteIndex

    def _data(self, text: str) -> None:
        self._texts[-1].append(text)
