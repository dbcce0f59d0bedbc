"""Requestors: who may start sessions, with which keys, and what each may ask."""
