"""Reading and writing the XML of keys. Nothing outside the bytes is looked at: no DTD, no entity, no network.

Elements are found by name, in whatever order they stand; elements we do not know are passed over. Source: gabi
`gabikeys/keys.go` and `gabikeys/marshaling.go`.
"""

import base64
import binascii
import re
from typing import Final

from gmpy2 import mpz
from lxml import etree

from ..errors import MalformedKeyError

NAMESPACE: Final = "http://www.zurich.ibm.com/security/idemix"
MAX_KEY_FILE_BYTES: Final = 1 << 20

_HEADER: Final = '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n'
_INTEGER: Final = re.compile(r"\+?[0-9]{1,4096}")
_UNSIGNED: Final = re.compile(r"[0-9]{1,4000}")
_SIGNED: Final = re.compile(r"[+-]?[0-9]{1,4000}")


class KeyElement:
    """An element of a key file, with accessors that name the element in their errors."""

    def __init__(self, element: etree._Element, path: str) -> None:
        self._path = path
        self.attributes = {str(name): str(value) for name, value in element.attrib.items()}
        self.text = element.text or ""
        self._children: dict[str, list[etree._Element]] = {}
        self.child_elements = [child for child in element if isinstance(child.tag, str)]
        for child in self.child_elements:
            self._children.setdefault(etree.QName(child).localname, []).append(child)

    def where(self, name: str) -> str:
        return f"{self._path}/{name}" if self._path else name

    def find(self, name: str) -> "KeyElement | None":
        """Return the child of that name, or None.

        Raises:
            MalformedKeyError: there are several.
        """
        found = self._children.get(name, [])
        if len(found) > 1:
            raise MalformedKeyError(self.where(name), "occurs more than once", departure="key-structure")
        return KeyElement(found[0], self.where(name)) if found else None

    def child(self, name: str) -> "KeyElement":
        """Return the one child of that name.

        Raises:
            MalformedKeyError: it is absent or there are several.
        """
        element = self.find(name)
        if element is None:
            raise MalformedKeyError(self.where(name), "missing", departure="key-structure")
        return element

    def children(self) -> list["KeyElement"]:
        """Return all children, in document order."""
        return [KeyElement(child, self.where(etree.QName(child).localname)) for child in self.child_elements]

    def integer(self) -> mpz:
        """Read the text as a non-negative decimal integer."""
        if not _INTEGER.fullmatch(self.text):
            # The reference reads the bases without looking at the result.
            raise MalformedKeyError(self._path, "expected a decimal integer that is not negative", departure="key-structure")
        return mpz(self.text)

    def unsigned(self) -> int:
        """Read the text as an unsigned machine integer."""
        text = self.text.strip()
        if not _UNSIGNED.fullmatch(text) or int(text) >= 1 << 64:
            raise MalformedKeyError(self._path, "expected an unsigned integer", departure=self._departure())
        return int(text)

    def signed(self) -> int:
        """Read the text as a signed machine integer."""
        number = parse_signed(self.text)
        if number is None:
            raise MalformedKeyError(self._path, "expected an integer", departure=self._departure())
        return number

    def _departure(self) -> str | None:
        """The reference reads an element without text as 0, and text around other elements as one."""
        return None if self.text and not self.child_elements else "key-structure"

    def base64(self) -> bytes:
        """Read the text as base64; line breaks are allowed."""
        try:
            return base64.b64decode(self.text.replace("\r", "").replace("\n", ""), validate=True)
        except (binascii.Error, ValueError) as cause:
            raise MalformedKeyError(self._path, "not base64") from cause


def parse_signed(text: str) -> int | None:
    """Read a signed machine integer with white space around it; None where it is none."""
    word = text.strip()
    if not _SIGNED.fullmatch(word) or not -(1 << 63) <= int(word) < 1 << 63:
        return None
    return int(word)


def parse_key_xml(data: bytes, root_name: str) -> KeyElement:
    """Read the XML of a key and return its root.

    Raises:
        MalformedKeyError: it is not XML in UTF-8, or its root is not `root_name` in the namespace of keys. A document
            that is too long, has a DOCTYPE or something after its root carries the departure `xml-form`.
    """
    if len(data) > MAX_KEY_FILE_BYTES:
        raise MalformedKeyError("", f"longer than {MAX_KEY_FILE_BYTES} bytes", departure="xml-form")
    parser = etree.XMLParser(
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as cause:
        raise MalformedKeyError("", f"not XML: {cause.msg}", departure="xml-form") from cause
    document = root.getroottree().docinfo
    if document.internalDTD is not None:
        raise MalformedKeyError("", "a key has no DOCTYPE", departure="xml-form")
    if document.xml_version != "1.0" or (document.encoding or "UTF-8").upper() != "UTF-8":
        raise MalformedKeyError("", "expected XML 1.0 in UTF-8")
    if any(isinstance(element.tag, str) and max(element.tag) > "\uffff" for element in root.iter()):
        # Names of XML 1.0 before its fifth edition, as the reference reads it, end there.
        raise MalformedKeyError("", "a name of an element has a character beyond U+FFFF")
    name = etree.QName(root)
    if name.localname != root_name or name.namespace != NAMESPACE:
        raise MalformedKeyError("", f"expected the root element {root_name} in the namespace {NAMESPACE}, found {root.tag}")
    return KeyElement(root, "")


class KeyWriter:
    """Writes the XML of a key as the reference does: three spaces of indentation, no line break at the end."""

    def __init__(self, root_name: str) -> None:
        self._root_name = root_name
        self._lines = [f'<{root_name} xmlns="{NAMESPACE}">']
        self._open: list[str] = []

    def _indent(self) -> str:
        return "   " * (len(self._open) + 1)

    def element(self, name: str, text: object, attributes: str = "") -> None:
        """Write an element with text that holds no markup."""
        self._lines.append(f"{self._indent()}<{name}{attributes}>{text}</{name}>")

    def open(self, name: str, attributes: str = "") -> None:
        self._lines.append(f"{self._indent()}<{name}{attributes}>")
        self._open.append(name)

    def close(self) -> None:
        name = self._open.pop()
        self._lines.append(f"{self._indent()}</{name}>")

    def document(self) -> bytes:
        """Return the whole document."""
        return (_HEADER + "\n".join(self._lines) + f"\n</{self._root_name}>").encode()
