"""Schemes: identifiers, descriptions, index, signature, verification."""
