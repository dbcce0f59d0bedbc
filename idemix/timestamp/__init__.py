"""Time stamps on attribute-based signatures, by the atum protocol.

A signature is judged at the time of its stamp, so that it stays valid when its credentials expire. The holder has the stamp
made while it signs: of a hash of the message, the randomized signatures A' and what is disclosed. The stamp's signature then
goes into the nonce of the proofs, and so neither can be exchanged without the other.

A server is asked over HTTP, which is not done here: messages are bytes in and bytes out, and the wallet hands them to a
`TimestampService`. A verifier asks nobody. It knows the keys of the servers that it trusts (`TimestampKeys`), and which server
it must be from the scheme; the address inside a stamp counts for nothing.

Stamps are signed with Ed25519, which is what IRMA apps ask for; the hash-based signatures of the protocol (XMSS^MT) are refused.

Modules: `messages` what is sent; `value` what is stamped; `keys` who is trusted, and verification; `holder` the exchange from the
holder's side; `server` a time-stamp server; `proof_of_work` what a server may ask to be left alone.

Source: go-atum `api.go`, `client.go`; atumd `main.go`; go-pow; irmago `irma/timestamp.go`.
"""

from .holder import TimestampService, request_timestamp
from .keys import NO_KEYS, TimestampKeys
from .messages import ED25519, Timestamp, TimestampSignature
from .value import Stamped, stamped_value, timestamp_server

__all__ = [
    "ED25519",
    "NO_KEYS",
    "Stamped",
    "Timestamp",
    "TimestampKeys",
    "TimestampService",
    "TimestampSignature",
    "request_timestamp",
    "stamped_value",
    "timestamp_server",
]
