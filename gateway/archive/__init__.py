"""The archive: who asked what when and how it ended, with a marker in place of every value.

Attribute values live in the session store until the result expires, and nowhere else. What is written here is built up from the
parts that are known to be none (identifiers, counts, times), so that a part nobody thought of stays out.
"""
