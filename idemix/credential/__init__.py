"""Credentials: the metadata attribute, attributes as integers, and what a holder keeps.

A credential is a CL signature on m_0 … m_k: the holder's secret key, the metadata attribute, then the attributes of the
credential type in the order of its description.
"""
