"""The direction between the packages, and what engine commands load."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.shared import ROOT, shared

#: A package may import those to its right and itself.
ORDER = ("irmahub", "console", "gateway", "idemix")

#: What the engine must not touch: web, database, network, files, the clock, global randomness.
ENGINE_FORBIDDEN = {
    *("flask", "werkzeug", "sqlalchemy", "alembic", "git", "redis", "psycopg", "httpx", "requests"),
    *("socket", "ssl", "urllib3", "http", "asyncio", "subprocess"),
    *("os", "shutil", "glob", "tempfile", "pathlib", "random", "secrets", "time"),
}

#: The source of randomness that the rest is given, and the hooks that empty tables and pool in a forked process.
ENGINE_EXCEPTIONS = {"idemix/arith/randomness.py": {"secrets"}, "idemix/arith/fixed_base.py": {"os"}, "idemix/cl/primes.py": {"os"}}

#: What the services that several front ends share must not know, each with the packages that hold them.
SERVICES_WITHOUT_FLASK = (
    *("gateway/archive", "gateway/audit", "gateway/custody", "gateway/jobs", "gateway/requestors", "gateway/stores", "gateway/models"),
    *("gateway/authorization.py", "gateway/changes.py", "gateway/database.py", "gateway/events.py", "gateway/inputs.py"),
    "gateway/permissions.py",
)

#: What commands of the engine must not load.
HEAVY = ("flask", "werkzeug", "sqlalchemy", "alembic", "git", "redis", "uvicorn", "playwright")


def sources(package: str) -> Iterator[Path]:
    yield from sorted((ROOT / package).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Every module that a file imports, at the top or late, as an absolute name."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                base = package[: len(package) - node.level + 1]
                assert base, f"{path} imports from outside its package"
                yield ".".join((*base, node.module) if node.module else base)
            else:
                yield node.module or ""


@pytest.mark.parametrize("package", ORDER)
def test_packages_import_only_what_is_below_them(package: str) -> None:
    above = set(ORDER[: ORDER.index(package)])
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}" for path in sources(package) for name in imported(path) if name.split(".")[0] in above
    ]
    assert not wrong


def test_engine_does_no_input_or_output() -> None:
    wrong = []
    for path in sources("idemix"):
        allowed = ENGINE_EXCEPTIONS.get(path.relative_to(ROOT).as_posix(), set())
        for name in imported(path):
            if name.split(".")[0] in ENGINE_FORBIDDEN - allowed:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong


def test_engine_tells_no_time_by_itself() -> None:
    """The clock is a parameter; only `idemix/clock.py` reads the machine's."""
    calls = []
    for path in sources("idemix"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if (
                isinstance(node, ast.Attribute)
                and ast.unparse(node) in ("datetime.now", "datetime.utcnow", "date.today")
                and path.name != "clock.py"
            ):
                calls.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not calls


def test_services_know_no_flask() -> None:
    paths = [path for part in SERVICES_WITHOUT_FLASK for path in ([ROOT / part] if part.endswith(".py") else sources(part))]
    paths += [path for path in sources("console") if path.name in ("service.py", "models.py")]
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in paths
        for name in imported(path)
        if name.split(".")[0] in ("flask", "werkzeug")
    ]
    assert not wrong


@pytest.mark.parametrize(
    "command",
    [
        ["--help"],
        ["scheme", "verify", "{shared}/schemes/mutant-base/irma-demo"],
        ["bench", "--help"],
        ["bench", "engine", "--help"],
        ["conformance", "{tmp}"],
        ["conformance", "{engine}"],
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_engine_commands_load_neither_web_nor_database(command: list[str], tmp_path: Path) -> None:
    engine = tmp_path / "engine"
    engine.mkdir()
    (engine / "cl.json").symlink_to(shared("vectors", "cl.json"))
    folder = tmp_path / "empty"
    folder.mkdir()
    arguments = [
        part.format(shared=shared(), tmp=folder, engine=engine)
        for part in (*command, *(["--schemes", "{tmp}"] if "conformance" in command else []))
    ]
    program = (
        "import json, sys\n"
        "from irmahub.cli import command_line\n"
        f"try: command_line.main({arguments!r}, prog_name='irmahub')\n"
        "except SystemExit as end: status = end.code\n"
        f"print('\\n' + json.dumps([status, sorted(set({HEAVY!r}) & set(sys.modules))]))\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, check=True)
    status, loaded = json.loads(run.stdout.splitlines()[-1])
    assert status in (0, None), run.stdout + run.stderr
    assert loaded == []
