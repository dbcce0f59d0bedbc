"""Drafts: their documents in forms, what they change, and bringing them together with what others did meanwhile."""
