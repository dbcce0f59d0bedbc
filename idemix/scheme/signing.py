"""Signing a scheme: a new timestamp, index, signature and public key over the files of a tree.

Nothing is changed in place: the result is another tree, to be written and swapped in as a whole. The private key stays
with the caller, who gives a function that signs.

Source: irmago `yivi/cli/irmacli/sign.go` signScheme.
"""

from collections.abc import Callable

from ..errors import InvalidSignatureError, MalformedSchemeError, TimestampRollbackError
from .descriptions import scheme_type
from .index import SchemeIndex
from .keys import read_public_key, verify
from .timestamp import parse_timestamp, print_timestamp
from .tree import SchemeTree


def description_path(tree: SchemeTree) -> str:
    """The description file of a scheme: `description.xml`, else `description.json`.

    Raises:
        MalformedSchemeError: there is neither.

    Source: irmago `internal/common/common.go` SchemeFilename.
    """
    for path in ("description.xml", "description.json"):
        if tree.exists(path):
            return path
    raise MalformedSchemeError("description.xml", "no description of a scheme found")


def sign_tree(
    tree: SchemeTree,
    sign: Callable[[bytes], bytes],
    public_key_pem: bytes,
    *,
    now: int,
    previous: int | None = None,
) -> SchemeTree:
    """Sign a scheme.

    Args:
        tree: the scheme; its `timestamp`, `index`, `index.sig` and `pk.pem` are made new.
        sign: gives the DER signature over SHA-256 of its argument.
        public_key_pem: the content of `pk.pem`, belonging to `sign`.
        now: Unix seconds, for the timestamp.
        previous: the timestamp of the last publication, which the new one must exceed. Installations fetch a scheme only when
            its timestamp rises, and it has a resolution of a second. None where nothing was published.

    Returns:
        The signed tree.

    Raises:
        MalformedSchemeError: the description cannot be read, or a file cannot be indexed (Windows line ends, a blank in its name).
        TimestampRollbackError: `now` is not after `previous`.
        InvalidSignatureError: what `sign` gave does not fit `public_key_pem`.
    """
    path = description_path(tree)
    if path not in tree:
        raise MalformedSchemeError(path, "must be a file")
    scheme_id, kind = scheme_type(tree[path], path)
    if not scheme_id:
        raise MalformedSchemeError(path, "a scheme has an id", field="<Id>" if path.endswith(".xml") else "id")
    if previous is not None and now <= previous:
        raise TimestampRollbackError(f"timestamp: {now} is not after {previous}, the time of the last publication")
    stamped = tree.with_files({"timestamp": print_timestamp(now)})
    index = SchemeIndex.of(stamped, scheme_id, kind).print()
    signature = sign(index)
    try:
        verify(read_public_key(public_key_pem), index, signature)
    except InvalidSignatureError as error:
        raise InvalidSignatureError("index.sig: the private key does not belong to the public key given") from error
    return stamped.with_files({"index": index, "index.sig": signature, "pk.pem": public_key_pem})


def previous_timestamp(tree: SchemeTree) -> int | None:
    """The timestamp that a tree carries, None where it has none that can be read."""
    try:
        return parse_timestamp(tree["timestamp"])
    except (KeyError, MalformedSchemeError):
        return None
