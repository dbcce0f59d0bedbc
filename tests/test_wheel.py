"""The wheel is the whole product: installed into an empty environment, far from the checkout, it runs the demo."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.support.kernel import EXPECTED
from tests.support.shared import ROOT


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment that holds the wheel and the locked dependencies, and nothing else."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder], cwd=ROOT, check=True)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "empty", with_pip=True)
    programs = folder / "empty" / "bin"
    pip = [programs / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--require-hashes", "--requirement", ROOT / "requirements" / "runtime.txt"], check=True, cwd=folder)
    subprocess.run([*pip, "--no-deps", wheel], check=True, cwd=folder)
    return programs


def run(programs: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "IRMAHUB_", "VIRTUAL_ENV"))}
    return subprocess.run(
        [programs / "irmahub", *arguments], cwd=cwd, env=environment | {"HOME": str(cwd)}, capture_output=True, text=True, timeout=300
    )


def test_the_wheel_carries_the_native_kernel(installed: Path, tmp_path: Path) -> None:
    program = "from idemix.arith import kernel; print(kernel.library is not None)"
    result = subprocess.run([installed / "python", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == str(EXPECTED)


def test_every_command_loads_without_the_checkout(installed: Path, tmp_path: Path) -> None:
    listing = run(installed, "--help", cwd=tmp_path).stdout.partition("Commands:\n")[2]
    commands = [line.split()[0] for line in listing.splitlines() if line.startswith("  ") and not line.startswith("   ")]
    assert {"demo", "serve", "worker", "scheme"} <= set(commands)
    for command in commands:
        result = run(installed, command, "--help", cwd=tmp_path)
        assert result.returncode == 0, result.stderr


def test_demo_runs_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    result = run(installed, "demo", "--exit", cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
