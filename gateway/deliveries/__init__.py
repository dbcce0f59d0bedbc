"""Results that requestors' servers are to get: which are due, who sends them, and how that ended.

A result holds attribute values, and so it is never kept here: a delivery names the session, whose result is read from the session
store each time it is sent. Once the store has forgotten it, the delivery has expired.
"""
