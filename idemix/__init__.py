"""The IRMA (Idemix) engine: keys, CL signatures, proofs, schemes, requests, verification, sessions and the wallet.

Bytes and values in, bytes and values out. Nothing here opens a file, a socket or a database, and the clock and the
source of randomness are parameters.
"""
