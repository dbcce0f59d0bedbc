"""The register of issuer keys and their rotation."""
