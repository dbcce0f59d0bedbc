"""Sessions: a state machine without input and output.

`SessionEngine` takes a `Session` and a message and returns the next `Session` with the reply; the gateway does HTTP and
storage. `transitions` is the table of statuses and events.
Source: irmago `irma/server/irmaserver`.
"""
