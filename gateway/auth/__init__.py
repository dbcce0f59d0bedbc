"""Who sent a request: one authenticator per method, chosen by the headers alone."""
