"""The audit, to read: every write with who, when, what before and after, and why."""

from typing import Final

from flask import Blueprint, render_template, request

from console.authentication import actor, services
from console.input_guard import row_number

audit = Blueprint("audit", __name__, url_prefix="/audit")

PAGE: Final = 50


@audit.get("/")
def list_entries() -> str:
    """The newest entries, filtered by who, what and to what; and whether the chain of hashes holds."""
    who, action, subject = (request.args.get(name, "").strip() for name in ("actor", "action", "object"))
    before = request.args.get("before", type=row_number)
    found = services().audit.entries(
        actor(), actor_name=who or None, action=action or None, object=subject or None, before_sequence=before, limit=PAGE + 1
    )
    return render_template(
        "audit/list.html",
        entries=found[:PAGE],
        older=found[PAGE - 1].sequence if len(found) > PAGE else None,
        who=who,
        action=action,
        subject=subject,
        verdict=services().audit.verify(actor()) if before is None else None,
    )
