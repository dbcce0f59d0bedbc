"""What can go wrong in custody."""

from collections.abc import Mapping


class CustodyError(Exception):
    """Base of the errors of custody."""


class MalformedKekError(CustodyError):
    """A key-encryption key cannot be read. `where` names the file or variable."""

    def __init__(self, where: str, rule: str) -> None:
        super().__init__(f"{where}: {rule}")
        self.where = where
        self.rule = rule


class MissingKekError(CustodyError):
    """Envelopes lie under key-encryption keys that this process does not have.

    Attributes:
        missing: KEK id to the number of envelopes under it.
    """

    def __init__(self, missing: Mapping[str, int]) -> None:
        listing = ", ".join(f"{kek_id} ({count} envelopes)" for kek_id, count in sorted(missing.items()))
        super().__init__(f"missing key-encryption keys: {listing}; add them to the key file or IRMAHUB_KEK, after the current one")
        self.missing = dict(missing)


class BrokenEnvelopeError(CustodyError):
    """An envelope does not open: it was changed, or put in the place of another."""


class UnknownKeyError(CustodyError):
    """Custody does not have this key."""


class WrongSchemeKeyError(CustodyError):
    """The scheme key in custody is not the one that the scheme's clients know; nothing was signed."""
