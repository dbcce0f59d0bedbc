"""Faults of the machine under the real server: what is answered meanwhile, what is kept, and that all goes on by itself."""
