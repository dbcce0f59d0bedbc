"""An XML document that is changed in place: what nobody touched keeps its bytes.

The document is kept as the pieces it was written in: of each element its opening tag, its content and its closing tag. A change
replaces the pieces it is about; comments, order, indentation, line ends and unknown elements stay.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from ...errors import MalformedSchemeError
from ..xml_reader import Element, parse_xml

_TAG: Final = re.compile(rb"""<(?P<name>[^\s/>"']+)(?:[^"'>]|"[^"]*"|'[^']*')*>""")
_MARKUP: Final = re.compile(rb"""(\s+)([^\s=/>"']+)(\s*=\s*)("[^"]*"|'[^']*')""")
#: What of a text survives a change of it.
_KEPT: Final = re.compile(rb"<!\[CDATA\[.*?\]\]>|(<!--.*?-->|<\?.*?\?>)", re.DOTALL)
_ILLEGAL: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class XmlNode:
    """An element as it is written.

    Attributes:
        element: what was read; None for an element made here.
        name: without prefix.
        opening, closing: its tags; `closing` is empty for `<element/>`.
        content: text as it is written, and elements.
    """

    __slots__ = ("closing", "content", "element", "name", "opening")

    def __init__(
        self, name: str, opening: bytes, content: "Sequence[bytes | XmlNode]" = (), closing: bytes = b"", element: Element | None = None
    ) -> None:
        self.name = name
        self.opening = opening
        self.content: list[bytes | XmlNode] = list(content)
        self.closing = closing
        self.element = element

    def __bytes__(self) -> bytes:
        return b"".join((self.opening, *map(bytes, self.content), self.closing))

    def children(self, name: str | None = None) -> "list[XmlNode]":
        """The elements directly inside, of one name or all."""
        return [piece for piece in self.content if isinstance(piece, XmlNode) and name in (None, piece.name)]

    def set_text(self, text: str) -> None:
        """Replace the text; comments inside, and elements, stay behind it."""
        kept: list[bytes | XmlNode] = []
        for piece in self.content:
            if isinstance(piece, XmlNode):
                kept.append(piece)
            else:
                kept += [found[1] for found in _KEPT.finditer(piece) if found[1]]
        self.open_up()
        self.content = [escaped(text, self.name).encode(), *kept]

    def open_up(self) -> None:
        """Make `<element/>` into `<element></element>`."""
        if not self.closing:
            found = _TAG.match(self.opening)
            assert found is not None  # noqa: S101 - it was read as a tag
            self.opening = self.opening[:-2].rstrip() + b">"
            self.closing = b"</" + found["name"] + b">"

    def set_markup(self, name: str, value: str | None) -> None:
        """Set an attribute in the opening tag; None removes it."""
        quoted = None if value is None else quoted_text(value, name).encode()
        # Readers know attributes by their names without prefix, and of several the last; `xmlns:` declares a prefix.
        present = [
            found
            for found in _MARKUP.finditer(self.opening)
            if found[2].rpartition(b":")[2] == name.encode() and not found[2].startswith(b"xmlns:")
        ]
        for found in reversed(present if quoted is None else present[-1:]):
            written = b"" if quoted is None else b"".join((found[1], found[2], found[3], b'"', quoted, b'"'))
            self.opening = self.opening[: found.start()] + written + self.opening[found.end() :]
        if quoted is not None and not present:
            last = max((found.end() for found in _MARKUP.finditer(self.opening)), default=_name_end(self.opening))
            self.opening = b"".join((self.opening[:last], b" ", name.encode(), b'="', quoted, b'"', self.opening[last:]))


class XmlDocument:
    """A document whose elements can be changed.

    Args:
        content: the file.
        path: its path in the scheme, for errors.

    Raises:
        MalformedSchemeError: it cannot be read.
    """

    def __init__(self, content: bytes, path: str) -> None:
        element = parse_xml(content, path)
        self.path = path
        self.root, end = _node(content, element)
        self._before, self._after = content[: element.start], content[end:]
        first = content.find(b"\n")
        self._newline = b"\r\n" if first > 0 and content[first - 1 : first] == b"\r" else b"\n"
        inner = next(iter(self.root.children()), None)
        self._step = (self._indentation(self.root, inner) if inner is not None else None) or b"\t"

    def __bytes__(self) -> bytes:
        return self._before + bytes(self.root) + self._after

    def insert(self, parent: XmlNode, child: XmlNode, order: Sequence[str] = ()) -> None:
        """Put a new element into another, behind those that come before it.

        Args:
            parent: where.
            child: the new element; it is laid out as its neighbours are.
            order: the names of elements in the order they are written; the child stands behind the last one that is not after it.
                Without an order, and where it names none of them, it stands last.
        """
        parent.open_up()
        siblings = parent.children()
        if not siblings:
            outer = self._indentation_of(parent)
            text = b"".join(piece for piece in parent.content if isinstance(piece, bytes))
            if outer is None:
                self._lay_out(child, None)
                parent.content = [text, child]
            else:
                self._lay_out(child, outer + self._step)
                parent.content = [text.rstrip() + self._newline + outer + self._step, child, self._newline + outer]
            return
        rank = {name: number for number, name in enumerate(order)}
        here = rank.get(child.name, len(order))
        earlier = [sibling for sibling in siblings if not order or rank.get(sibling.name, -1) <= here]
        # Names that the order does not have stay where they are, behind what they follow.
        while order and earlier and earlier[-1].name not in rank:
            earlier.pop()
        neighbour = earlier[-1] if earlier else siblings[0]
        indentation = self._indentation(parent, neighbour)
        self._lay_out(child, indentation)
        gap = b"" if indentation is None else self._newline + indentation
        position = parent.content.index(neighbour)
        if earlier:
            parent.content[position + 1 : position + 1] = [gap, child]
        else:
            parent.content[position:position] = [child, gap]

    def replace(self, parent: XmlNode, old: XmlNode, new: XmlNode) -> None:
        """Put a new element where another stands."""
        self._lay_out(new, self._indentation(parent, old))
        parent.content[parent.content.index(old)] = new

    def remove(self, parent: XmlNode, child: XmlNode) -> None:
        """Take an element out, with the line it stands on."""
        position = parent.content.index(child)
        before = parent.content[position - 1] if position else b""
        behind = b"".join(piece if isinstance(piece, bytes) else b"<" for piece in parent.content[position + 1 :])
        if isinstance(before, bytes) and position and behind.lstrip(b" \t")[:1] in (b"\n", b"\r", b""):
            line = before.rstrip(b" \t")
            if line.endswith(b"\n"):
                parent.content[position - 1] = line[:-2] if line.endswith(b"\r\n") else line[:-1]
        parent.content.remove(child)

    def _lay_out(self, node: XmlNode, indentation: bytes | None) -> None:
        """Give the elements inside a new one their lines."""
        children = node.children()
        if not children:
            return
        inner = None if indentation is None else indentation + self._step
        content: list[bytes | XmlNode] = []
        for child in children:
            self._lay_out(child, inner)
            content += [b"" if inner is None else self._newline + inner, child]
        node.content = [*content, b"" if indentation is None else self._newline + indentation]

    def _indentation_of(self, node: XmlNode) -> bytes | None:
        """The blanks before an element, wherever it is; empty for the root, None where it shares its line."""
        waiting = [self.root]
        while waiting:
            parent = waiting.pop()
            for child in parent.children():
                if child is node:
                    return self._indentation(parent, node)
                waiting.append(child)
        return b""

    def _indentation(self, parent: XmlNode, child: XmlNode) -> bytes | None:
        """The blanks between the beginning of the line and an element; None where it shares its line."""
        position = parent.content.index(child)
        before = parent.content[position - 1] if position else b""
        if not isinstance(before, bytes):
            return None
        line = before[before.rfind(b"\n") + 1 :]
        return line if b"\n" in before and not line.strip() else None


def make(name: str, content: "str | Sequence[XmlNode]" = "", markup: Mapping[str, str] | None = None) -> XmlNode:
    """A new element with a text, or with elements; without either it is `<element/>`.

    Raises:
        MalformedSchemeError: the text holds a character that XML cannot hold.
    """
    node = XmlNode(name, f"<{name}/>".encode())
    for key, value in (markup or {}).items():
        node.set_markup(key, value)
    if isinstance(content, str):
        node.set_text(content)
    elif content:
        node.open_up()
        node.content = list(content)
    return node


def escaped(text: str, where: str) -> str:
    """A text as XML writes it.

    Raises:
        MalformedSchemeError: it holds a character that XML cannot hold.
    """
    if _ILLEGAL.search(text):
        raise MalformedSchemeError("", "holds a character that XML cannot hold", field=f"<{where}>")
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def quoted_text(text: str, where: str) -> str:
    """A text as XML writes it between quotes."""
    return escaped(text, where).replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;")


def is_legal(text: str) -> bool:
    """Whether XML can hold a text."""
    return not _ILLEGAL.search(text)


def _node(content: bytes, element: Element) -> tuple[XmlNode, int]:
    """An element as it is written, and where it ends."""
    tag = _TAG.match(content, element.start)
    assert tag is not None  # noqa: S101 - expat read it as one
    if tag[0].endswith(b"/>"):
        return XmlNode(element.name, tag[0], element=element), tag.end()
    pieces: list[bytes | XmlNode] = []
    position = tag.end()
    for child in element.children:
        node, end = _node(content, child)
        pieces += [content[position : child.start], node]
        position = end
    end = content.index(b">", element.close) + 1
    pieces.append(content[position : element.close])
    return XmlNode(element.name, tag[0], pieces, content[element.close : end], element), end


def _name_end(opening: bytes) -> int:
    found = _TAG.match(opening)
    assert found is not None  # noqa: S101 - it was read, or made, as a tag
    return found.end("name")


def descendants(node: XmlNode, *names: str) -> Iterator[tuple[XmlNode, XmlNode]]:
    """Pairs of parent and element below a node by a chain of names, over all repetitions of each."""
    for child in node.children(names[0]):
        if len(names) == 1:
            yield node, child
        else:
            yield from descendants(child, *names[1:])
