"""Publishing: check, sign, commit, push, serve, fetch back."""
