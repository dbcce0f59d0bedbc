"""Where sessions live between requests: in memory or in Redis, behind one interface."""
