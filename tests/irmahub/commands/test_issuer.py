import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from idemix.keys.private import PrivateKey
from idemix.keys.public import PublicKey
from irmahub.cli import command_line
from irmahub.commands.issuer import _later


def run(*arguments: object, group: tuple[str, ...] = ("issuer",)) -> Result:
    return CliRunner().invoke(command_line, [*group, "keygen", "-l", "1024", *map(str, arguments)])


def test_keygen_counts_on(tmp_path: Path) -> None:
    first = run(tmp_path, "-e", "2030-01-02T03:04:05Z")
    assert first.exit_code == 0, first.output
    assert first.stdout.startswith("Generating keys (may take several minutes)\n")
    public_file, private_file = tmp_path / "PublicKeys" / "0.xml", tmp_path / "PrivateKeys" / "0.xml"
    public, private = PublicKey.from_xml(public_file.read_bytes()), PrivateKey.from_xml(private_file.read_bytes())
    assert public.N == private.N
    assert (public.counter, len(public.R), public.supports_revocation) == (0, 12, True)
    assert public.expires_at == int(datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp())
    assert stat.S_IMODE(private_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(private_file.parent.stat().st_mode) == 0o700
    assert run(tmp_path, "--attributes", 3, group=("scheme", "issuer")).exit_code == 0
    assert len(PublicKey.from_xml((tmp_path / "PublicKeys" / "1.xml").read_bytes()).R) == 5


def test_existing_files_stay(tmp_path: Path) -> None:
    assert run(tmp_path, "-c", 7).exit_code == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.xml")}
    (tmp_path / "PrivateKeys" / "7.xml").unlink()
    refused = run(tmp_path, "-c", 7)
    assert refused.exit_code == 1
    assert "already exists, not overwriting" in refused.stderr
    # No private key stays behind without its public key.
    assert not (tmp_path / "PrivateKeys" / "7.xml").exists()
    assert run(tmp_path, "-c", 7, "-f").exit_code == 0
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.xml")}.keys() == before.keys()


@pytest.mark.parametrize(
    "arguments",
    [("-e", "tomorrow"), ("-e", "2030-01-01T00:00:00"), ("-v", "1"), ("-v", "1Y"), ("-v", "999999y"), ("-a", "1"), ("-c", "-1")],
)
def test_wrong_use(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert run(tmp_path, *arguments).exit_code == 2
    assert not list(tmp_path.rglob("*.xml"))


@pytest.mark.parametrize(
    ("count", "unit", "end"),
    [
        (1, "y", datetime(2029, 1, 31, 12, tzinfo=UTC)),
        (1, "M", datetime(2028, 3, 2, 12, tzinfo=UTC)),
        (13, "M", datetime(2029, 3, 3, 12, tzinfo=UTC)),
        (2, "d", datetime(2028, 2, 2, 12, tzinfo=UTC)),
        (2, "h", datetime(2028, 1, 31, 14, tzinfo=UTC)),
        (2, "m", datetime(2028, 1, 31, 12, 2, tzinfo=UTC)),
    ],
)
def test_periods(count: int, unit: str, end: datetime) -> None:
    assert datetime.fromtimestamp(_later(datetime(2028, 1, 31, 12, tzinfo=UTC), count, unit), UTC) == end
