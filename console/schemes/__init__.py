"""Schemes in the console: import, list, browse, author."""
