"""Finds out what the tests miss: changes the code in small ways, one at a time, and asks whether a test fails.

`python -m tests.mutation` writes as JSON what came of a sample; `make mutants` calls it and judges the survivors. A mutant
runs in a process forked for it, which imports the changed module instead of the real one, and only the tests that reach the
changed line, the fastest first, up to the first that fails.

Most mutants do not live through the first tests, so that these run in a process of their own: fewer files of tests to import.

The sample is the mutants whose hashes are the lowest, so that a change of the code leaves most of it as it is.
"""

import ast
import copy
import hashlib
import importlib
import json
import multiprocessing
import os
import sys
import tempfile
import textwrap
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType
from typing import Any, Final

import pytest

from tests.support.shared import ROOT, shared

#: What is changed.
TARGETS: Final = ("idemix/proofs/*.py", "idemix/cl/*.py", "idemix/verification.py")

#: Where the tests are that may notice: those of the engine that are fast.
TESTS: Final = (
    *(f"tests/idemix/{name}" for name in ("cl", "credential", "issuance", "keyshare", "proofs", "rangeproof", "revocation", "session")),
    *(
        f"tests/idemix/{name}"
        for name in ("timestamp", "wallet", "test_frozen.py", "test_fuzz.py", "test_public_names.py", "test_verification.py")
    ),
    "tests/vectors/test_engine_vectors.py",
    "tests/vectors/test_verify_vectors.py",
)

SEED: Final = "irmahub"
SAMPLE: Final = 400

#: Hypothesis: the same examples in every run, none kept, none made smaller.
PROFILE: Final = "mutation"

#: How many tests run first.
_FIRST: Final = 12

#: A mutant whose tests take this many times as long as they should, and this many seconds more, hangs.
_SLOWER: Final = 4
_GRACE: Final = 40

#: How many letters of a piece of code are shown.
_SHOWN: Final = 160

#: Loaded once, since every mutant needs them. None of them may load pytest's plugins or the code that is changed.
_PRELOADED: Final = ("cryptography.hazmat.primitives.asymmetric.ec", "gmpy2", "lxml.etree", "sqlalchemy.orm", "alembic.command")

_COMPARISONS: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_OPERATORS: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Mod: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}


@dataclass(frozen=True, slots=True)
class Mutant:
    """A changed module.

    Attributes:
        path: of the module, relative to the root.
        line: where it is changed.
        name: the module, the function and the change; no other mutant has it.
        tree: the changed module.
    """

    path: str
    line: int
    name: str
    tree: ast.Module

    @property
    def rank(self) -> str:
        """Its place in the order in which mutants are taken into the sample."""
        return hashlib.sha256(f"{SEED} {self.name}".encode()).hexdigest()


def mutants(path: str) -> Iterator[Mutant]:
    """Yield all mutants of a module."""
    tree = ast.parse((ROOT / path).read_text(), path)
    seen: Counter[str] = Counter()
    for place in _places(tree, ()):
        for changed in _changes(place.node):
            before = _shown(place.shown)
            place.put(ast.copy_location(changed, place.node))
            after = _shown(changed if place.shown is place.node else place.shown)
            module = ast.fix_missing_locations(copy.deepcopy(tree))
            place.put(place.node)
            name = f"{path}: {'.'.join(place.scope) or 'module'}: {before} → {after}"
            seen[name] += 1
            yield Mutant(path, place.node.lineno, name if seen[name] == 1 else f"{name} #{seen[name]}", module)


def _shown(node: ast.AST) -> str:
    """The first line of a piece of code, as much of it as people read."""
    return textwrap.shorten(ast.unparse(node).partition("\n")[0], _SHOWN, placeholder=" …")


@dataclass(frozen=True, slots=True)
class _Place:
    """A part of a module that can be changed, and how to put another into its place.

    Attributes:
        node: the part.
        shown: what is shown of the change: the part, or where it says too little what it belongs to.
        scope: the names of the classes and functions around it.
        put: puts a node into its place.
    """

    node: ast.stmt | ast.expr
    shown: ast.AST
    scope: tuple[str, ...]
    put: Callable[[ast.AST], None]


def _places(parent: ast.AST, scope: tuple[str, ...]) -> Iterator[_Place]:
    """Walk through everything but annotations, decorators, docstrings and the texts of errors."""
    for field, value in ast.iter_fields(parent):
        if field in ("annotation", "returns", "decorator_list", "type_comment") or (field == "exc" and isinstance(parent, ast.Raise)):
            continue
        for index, node in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(node, ast.AST) or _says_nothing(node):
                continue
            if isinstance(node, ast.stmt | ast.expr):
                tells_little = isinstance(node, ast.Constant) and isinstance(parent, ast.expr | ast.keyword)
                shown = parent if tells_little and len(ast.unparse(parent)) < _SHOWN else node
                yield _Place(node, shown, scope, _putter(parent, field, index if isinstance(value, list) else None))
            named = isinstance(node, ast.FunctionDef | ast.ClassDef)
            yield from _places(node, (*scope, node.name) if named else scope)


def _says_nothing(node: ast.AST) -> bool:
    """Whether a node is a docstring, a text put together for people, or a type."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.AnnAssign):
        return ast.unparse(node.annotation) == "TypeAlias"
    return isinstance(node, ast.JoinedStr | ast.Import | ast.ImportFrom)


def _putter(parent: ast.AST, field: str, index: int | None) -> Callable[[ast.AST], None]:
    def put(node: ast.AST) -> None:
        if index is None:
            setattr(parent, field, node)
        else:
            getattr(parent, field)[index] = node

    return put


def _changes(node: ast.stmt | ast.expr) -> Iterator[ast.stmt | ast.expr]:
    """Yield what a statement or expression may be changed into."""
    match node:
        case ast.Raise() | ast.Expr(value=ast.Call()) | ast.AugAssign():
            yield ast.Pass()
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield ast.Return(ast.Constant(None))
        case ast.Break():
            yield ast.Continue()
        case ast.Continue():
            yield ast.Break()
        case ast.If(test=test, body=body, orelse=orelse) if not _turns(test):
            yield ast.If(_not(test), body, orelse)
        case ast.For(target=target, body=body, orelse=orelse):
            yield ast.For(target, ast.Tuple([], ast.Load()), body, orelse)
        case ast.IfExp(test=test, body=body_value, orelse=other_value) if not _turns(test):
            yield ast.IfExp(_not(test), body_value, other_value)
        case ast.Compare(left=left, ops=[operator, *rest], comparators=comparators):
            yield ast.Compare(left, [_COMPARISONS[type(operator)](), *rest], comparators)
            for position, other in enumerate(rest):
                replaced = [*rest[:position], _COMPARISONS[type(other)](), *rest[position + 1 :]]
                yield ast.Compare(left, [operator, *replaced], comparators)
        case ast.BoolOp(op=both, values=values):
            yield ast.BoolOp(ast.Or() if isinstance(both, ast.And) else ast.And(), values)
        case ast.BinOp(left=left, op=operation, right=right) if type(operation) in _OPERATORS:
            yield ast.BinOp(left, _OPERATORS[type(operation)](), right)
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield operand
        case ast.GeneratorExp() | ast.ListComp() | ast.SetComp() | ast.DictComp():
            for position, generator in enumerate(node.generators):
                for condition, test in enumerate(generator.ifs):
                    if not _turns(test):
                        changed = copy.deepcopy(node)
                        changed.generators[position].ifs[condition] = _not(test)
                        yield changed
        case ast.Constant(value=bool() as truth):
            yield ast.Constant(not truth)
        case ast.Constant(value=int() as number):
            yield ast.Constant(number + 1)
        case ast.Constant(value=str() as text):
            yield ast.Constant(f"{text}~")


def _turns(test: ast.expr) -> bool:
    """Whether a condition is turned into its opposite by a change of its own."""
    match test:
        case ast.UnaryOp(op=ast.Not()):
            return True
        case ast.Compare(ops=[ast.Eq() | ast.NotEq() | ast.Is() | ast.IsNot() | ast.In() | ast.NotIn()]):
            return True
    return False


def _not(test: ast.expr) -> ast.expr:
    return ast.UnaryOp(ast.Not(), test)


class _MutatedModule(MetaPathFinder):
    """Imports one module from the code given."""

    def __init__(self, path: str, code: CodeType) -> None:
        self._path = ROOT / path
        self._name = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        self._code = code

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        loader = _GivenCode(fullname, str(self._path), self._code)
        package = [str(self._path.parent)] if self._path.name == "__init__.py" else None
        return spec_from_file_location(fullname, self._path, loader=loader, submodule_search_locations=package)


class _GivenCode(SourceFileLoader):
    def __init__(self, fullname: str, path: str, code: CodeType) -> None:
        super().__init__(fullname, path)
        self._code = code

    def get_code(self, fullname: str) -> CodeType:
        return self._code


class _Selected:
    """A plugin of pytest that runs the tests given, in their order; `None` runs all and notes what each takes and reaches."""

    def __init__(self, wanted: Sequence[str] | None = None) -> None:
        self._wanted = wanted
        self.durations: dict[str, float] = defaultdict(float)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if self._wanted is not None:
            # Where a file of tests cannot be imported, its tests are not there, and pytest fails for that.
            found = {item.nodeid: item for item in items}
            items[:] = [found[name] for name in self._wanted if name in found]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        if self._wanted is None:
            from coverage import Coverage

            Coverage.current().switch_context(item.nodeid)
        return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.durations[report.nodeid] += report.duration


def _run_tests(files: Sequence[str], plugin: _Selected) -> int:
    options = ["-x", "-q", "-m", "not long", "-p", "no:cacheprovider", f"--hypothesis-profile={PROFILE}", f"--rootdir={ROOT}"]
    return int(pytest.main([*options, *(str(ROOT / file) for file in files)], plugins=[plugin]))


def _silence() -> None:
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)


def _measure(answer: Path) -> None:
    """Run all tests on the code as it is, and write what each takes, in seconds, and which lines it reaches."""
    from coverage import Coverage

    _silence()
    coverage = Coverage(data_file=None, include=[str(ROOT / target) for target in TARGETS], config_file=False)
    plugin = _Selected()
    with coverage.collect():
        status = _run_tests(TESTS, plugin)
    if status:
        raise SystemExit(status)
    data = coverage.get_data()
    reached = {
        Path(file).relative_to(ROOT).as_posix(): {
            line: [name for name in names if name] for line, names in data.contexts_by_lineno(file).items()
        }
        for file in data.measured_files()
    }
    answer.write_text(json.dumps({"durations": plugin.durations, "reached": reached}))


def _run_mutant(mutant: Mutant, wanted: Sequence[str]) -> None:
    """Import the mutant wherever its module is asked for, run its tests and leave with pytest's status."""
    _silence()
    sys.meta_path.insert(0, _MutatedModule(mutant.path, compile(mutant.tree, str(ROOT / mutant.path), "exec")))
    files = list(dict.fromkeys(name.partition("::")[0] for name in wanted))
    os._exit(_run_tests(files, _Selected(wanted)))


def _in_process(work: Callable[..., None], *arguments: object, seconds: float | None = None) -> int | None:
    """Run work in a forked process and return its exit status, None where it had to be stopped."""
    process = multiprocessing.get_context("fork").Process(target=work, args=arguments)
    process.start()
    process.join(seconds)
    if process.exitcode is None:
        process.kill()
        process.join()
        return None
    return process.exitcode


class Tests:
    """What the tests take, and which of them reach a line."""

    def __init__(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            answer = Path(folder) / "tests.json"
            if _in_process(_measure, answer) != 0:
                raise SystemExit("the tests fail on the code as it is: run them")
            measured = json.loads(answer.read_text())
        self.durations: dict[str, float] = measured["durations"]
        self._reached: dict[str, dict[str, list[str]]] = measured["reached"]

    def reaching(self, path: str, line: int) -> list[str]:
        """The tests that reach a line, the fastest first.

        Of a line that is run on import alone, those that reach its module; of a module that is nothing else, all.
        """
        lines = self._reached.get(path, {})
        names = set(lines.get(str(line), ())) or {name for names in lines.values() for name in names} or set(self.durations)
        return sorted(names, key=lambda name: (self.durations[name], name))

    def for_mutant(self, mutant: Mutant) -> list[tuple[list[str], float]]:
        """The tests that may notice a mutant, those that run first and the rest, each with the seconds that they may take."""
        wanted = self.reaching(mutant.path, mutant.line)
        parts = filter(None, (wanted[:_FIRST], wanted[_FIRST:]))
        return [(part, _GRACE + _SLOWER * sum(self.durations[name] for name in part)) for part in parts]


def _outcome(mutant: Mutant, parts: Sequence[tuple[Sequence[str], float]]) -> str:
    """Run a mutant's tests, and return whether it is killed, hanging or among the survivors."""
    for names, seconds in parts:
        status = _in_process(_run_mutant, mutant, names, seconds=seconds)
        if status is None:
            return "hanging"
        if status in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED):
            return "killed"
        if status != pytest.ExitCode.OK:
            raise SystemExit(f"{mutant.name}: pytest ended with {status}")
    return "survivors"


def run(count: int = SAMPLE) -> dict[str, Any]:
    """Run a sample and return what came of it."""
    shared("vectors")  # Without them most tests would be skipped, and their mutants seem to survive.
    start = time.monotonic()
    for name in _PRELOADED:
        importlib.import_module(name)
    every = [mutant for target in TARGETS for file in sorted(ROOT.glob(target)) for mutant in mutants(file.relative_to(ROOT).as_posix())]
    sample = sorted(every, key=lambda mutant: mutant.rank)[:count]
    tests = Tests()
    outcomes: dict[str, list[str]] = {"killed": [], "hanging": [], "survivors": []}
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("fork")) as pool:  # One for each core.
        for number, (mutant, outcome) in enumerate(zip(sample, pool.map(_outcome, sample, map(tests.for_mutant, sample)), strict=True), 1):
            outcomes[outcome].append(mutant.name)
            print(f"{number}/{len(sample)} {outcome} {time.monotonic() - start:.0f} s {mutant.name}", file=sys.stderr, flush=True)
    return {
        "seed": SEED,
        "mutants": len(every),
        "sample": len(sample),
        "killed": len(outcomes["killed"]),
        "hanging": outcomes["hanging"],
        "survivors": outcomes["survivors"],
        "seconds": round(time.monotonic() - start),
    }


if __name__ == "__main__":
    print(json.dumps(run(*map(int, sys.argv[1:])), indent=2, ensure_ascii=False))
