"""The audit: every write with who, when, from where, what before and after, and why, in a chain of hashes."""
