"""The console's pages of requestors."""
