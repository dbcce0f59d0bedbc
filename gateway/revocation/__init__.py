"""Revocation of credentials: the three roles of a server, without HTTP and without Flask.

    authority        has the issuer's private key: issues credentials with a witness, keeps records of them, and revokes
    server           gives accumulators and events to apps and verifiers; every authority is one, others follow one
    verifier         has the newest accumulators by fetching them, so that it can tell how fresh a proof is

    settings.py      which role the server has for which credential type
    tables.py        accumulators, events and records in SQL; nothing is appended to a chain but under the lock of its accumulator
    servers.py       other servers, over HTTP
    service.py       the rules
    events.py        the stream of updates for those who follow this server

Source: irmago `irma/revocation.go`, `irma/revocation_db.go`.
"""
