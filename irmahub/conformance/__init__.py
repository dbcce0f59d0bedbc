"""`irmahub conformance`: runs recorded vectors of the reference against the engine and the gateway."""
