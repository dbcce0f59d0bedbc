"""Issuing a credential: the holder commits (ProofU), the issuer signs (ProofS), the holder checks and completes.

Source: Camenisch and Lysyanskaya, SCN 2002, section 4.1; Identity Mixer specification 2.3.40, section 6.1; gabi `issuer.go`
and `builder.go`.
"""
