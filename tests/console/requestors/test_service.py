"""What the pages of requestors show beside what the service gives."""

from console.requestors.service import permission_rows
from gateway.permissions import Permissions


def test_the_rows_of_the_permission_table_tell_where_each_pattern_stands() -> None:
    own = Permissions(disclose=("a.b.*",), issue=("a.b.c",))
    rows = permission_rows(own, Permissions(disclose=("z.*",), sign=("a.b.*",)))
    assert [(pattern, depth) for pattern, depth, _ in rows] == [("a.b.*", 2), ("a.b.c", 2), ("z.*", 1)]
    assert rows[0][2] == {"disclose": "here", "sign": "everyone", "issue": None, "revoke": None}
