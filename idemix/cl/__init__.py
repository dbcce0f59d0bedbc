"""Camenisch-Lysyanskaya signatures on lists of integers, and commitments to such integers.

A signature on m_0 … m_k is (A, e, v) with A^e · S^v · ∏ R_i^{m_i} = Z (mod N) and e prime. Whoever holds one can
randomize it and prove, in zero knowledge, to have it, which is what a disclosure does.

Source: Camenisch and Lysyanskaya, "A Signature Scheme with Efficient Protocols", SCN 2002, sections 3 and 4.
"""
