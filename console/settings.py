"""What the console's services need to know of the installation."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from gateway.addresses import PUBLIC_ONLY, AddressPolicy

#: A server looks for a new version every 60 minutes by default (spec of scheme updates, section 3).
UPDATE_INTERVAL = timedelta(minutes=60)


@dataclass(frozen=True, slots=True)
class ConsoleSettings:
    """The settings of the console's services.

    Attributes:
        data_directory: holds repositories, published versions and the web root, unless the next names another.
        database_url: an SQLAlchemy URL.
        kek_file: the file of the key-encryption key; made on first use where the embedded default runs.
        schemes_directory: the web root: one folder (a symbolic link) per published scheme; the gateway loads schemes from it.
        public_url: where the web root's parent is served, e.g. `http://127.0.0.1:8089/`; schemes stand at `schemes/<id>/` below it.
        gateway_url: where backends and apps reach the gateway; a request for its host needs no permission.
        redis_url: carries changes to the workers at once, or None.
        redis_prefix: goes before the names of keys and channels there.
        production: demands https for fetching back and the long waiting period for every scheme.
        outbound: which hosts git addresses and public addresses may name.
        demo_waiting_period: how long a new key of a demo scheme must have been seen live before it may issue.
        waiting_period: the same for other schemes, at least two update intervals.
        modulus_bits: the size of new issuer keys.
        key_lifetime: after which a new issuer key expires.
        log_in_lifetime: after which a log-in ends.
        job_lease: after which the job of a worker that died is taken over.
    """

    data_directory: Path
    database_url: str
    kek_file: Path
    schemes_directory: Path
    public_url: str
    gateway_url: str
    redis_url: str | None = None
    redis_prefix: str = ""
    production: bool = False
    outbound: AddressPolicy = PUBLIC_ONLY
    demo_waiting_period: timedelta = timedelta(0)
    waiting_period: timedelta = 2 * UPDATE_INTERVAL
    modulus_bits: int = 2048
    key_lifetime: timedelta = timedelta(days=730)
    log_in_lifetime: timedelta = timedelta(hours=12)
    job_lease: timedelta = timedelta(seconds=30)

    def __post_init__(self) -> None:
        if self.waiting_period < 2 * UPDATE_INTERVAL:
            raise ValueError("waiting_period: must be at least two update intervals (120 minutes)")

    @property
    def gateway_host(self) -> str:
        """host[:port] of the gateway, which requests need no permission for."""
        return urlsplit(self.gateway_url).netloc

    @property
    def repositories_directory(self) -> Path:
        """One bare clone per scheme."""
        return self.data_directory / "repositories"

    @property
    def versions_directory(self) -> Path:
        """The published versions that the links of the web root point to."""
        return self.data_directory / "versions"
