"""${message}

Works while the previous version of the code still runs: it only adds, or removes what that version no longer reads.
"""

import sqlalchemy as sa
from alembic import op
from gateway.models import UtcDateTime
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}
