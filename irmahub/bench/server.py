"""The server that is measured: `irmahub serve`, with two settings that only a bench may give.

Open authentication, as the reference was measured with it, and the timers of a profile.
"""

import os
from pathlib import Path
from typing import Final

from irmahub.applications import sites_of
from irmahub.bench.profile import Profile
from irmahub.server import Sites, listen, serve
from irmahub.settings import Settings

#: Variables of the environment: whether the requestor API is open, and the folder that profiles are written to.
OPEN: Final = "IRMAHUB_BENCH_OPEN"
PROFILE: Final = "IRMAHUB_BENCH_PROFILE"


def make_sites() -> Sites:
    """Console and gateway, as the environment says."""
    profile_folder = os.environ.get(PROFILE)
    profile = Profile(Path(profile_folder)) if profile_folder else None
    if profile is not None:
        profile.install()
    options = {"no_auth": True, "disclose_perms": ["*"], "issue_perms": ["*"]} if os.environ.get(OPEN) else {}
    sites = sites_of(Settings.from_environment(), **options)
    return sites if profile is None else profile.watching(sites)


def main() -> None:
    """Serve until SIGTERM."""
    settings = Settings.from_environment()
    sockets = [listen(settings.console_address), listen(settings.gateway_address)]
    serve(sockets, make_sites, workers=settings.workers)


if __name__ == "__main__":
    # Under its own name, by which the processes that serve find it.
    from irmahub.bench import server

    server.main()
