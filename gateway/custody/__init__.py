"""Custody: private keys and other secrets, at rest only in envelopes under a key that comes from outside the database.

A secret is encrypted with AES-256-GCM under a data key of its own; the data key lies wrapped, by AES-256-GCM again, under the
key-encryption key (KEK). What the secret is and whose (kind, subject, counter) is bound to both as associated data, so that no
envelope can be put in the place of another. A new KEK means wrapping the data keys again; the secrets are not opened for it.
"""
