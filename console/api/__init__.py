"""The JSON API `/api/v1`: every action of the console's pages, over the same services."""
