"""Integers: modular arithmetic, primes, randomness."""
