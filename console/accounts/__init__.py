"""People and programs that use the console: users, log-ins, roles, API tokens."""
