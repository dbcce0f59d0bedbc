"""Recorded checks of schemes: mutants of a small scheme, and a tiny signed scheme with its variants."""

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from gateway.scheme_files import read_tree
from idemix.errors import IdemixError, InvalidSignatureError, MalformedKeyError, MalformedSchemeError
from idemix.scheme.configuration import Configuration, Problem
from idemix.scheme.findings import SchemeStatus
from idemix.scheme.keys import print_public_key, read_private_key, read_public_key, sign, verify
from idemix.scheme.signing import sign_tree
from idemix.scheme.tree import SchemeTree, parent_directories
from idemix.scheme.verdict import SchemeVerdict
from idemix.scheme.verify import verify_scheme
from irmahub.conformance.core import Case, Context, Departed, Mismatch, judge

#: When the cases of schemesig.json were recorded; none of its keys is near its expiry.
_SCHEMESIG_NOW = 1_795_462_844


def matches(document: Mapping[str, Any]) -> bool:
    """Either file."""
    return "mutants" in document or "ecdsa_signatures" in document


def cases(document: Mapping[str, Any], context: Context) -> Iterator[Case]:
    """Of a mutant two cases: checked by itself, and in a configuration folder; of the tiny scheme one a variant."""
    if "mutants" in document:
        base = context.schemes / Path(document["base"]).name
        for mutant in document["mutants"]:
            now = document["evaluated_at"]
            yield Case("verify", mutant["name"], partial(_verify_mutant, mutant, base, now))
            yield Case("server", mutant["name"], partial(_load_mutant, mutant, base, now))
    else:
        tree = _files_tree(document["cases"][0]["directory_name"], document["cases"][0]["files"])
        for case in document["cases"]:
            yield Case("cases", case["name"], partial(_schemesig, case, tree, document))
        for case in document["ecdsa_signatures"]:
            yield Case("ecdsa_signatures", case["name"], partial(_ecdsa, case))


# Mutants ----------------------------------------------------------------------------------------------------------------


class MutantFolder:
    """A configuration folder in memory, to which the operations of a mutant are applied."""

    def __init__(self, trees: Sequence[SchemeTree]) -> None:
        self.files = {f"{tree.name}/{path}": content for tree in trees for path, content in tree.items()}
        self.directories = {f"{tree.name}/{path}" for tree in trees for path in tree.directories} | {tree.name for tree in trees}
        self.symlinks: set[str] = set()

    def apply(self, operation: Mapping[str, Any]) -> None:
        """Write, delete, rename, link or make a directory."""
        kind = operation["op"]
        if kind == "rename":
            self._rename(operation["from"], operation["to"])
            return
        path = (
            base64.b64decode(operation["path_base64"]).decode("utf-8", "surrogateescape")
            if "path_base64" in operation
            else operation["path"]
        )
        if kind == "delete":
            self._delete(path)
            return
        self.directories.update(parent_directories(path))
        if kind == "write":
            self.symlinks.discard(path)
            self.files[path] = _content(operation)
        elif kind == "symlink":
            self._delete(path)
            self.symlinks.add(path)
        elif kind == "mkdir":
            self.directories.add(path)
        else:
            raise Mismatch(f"unknown operation {kind!r}")

    def tree(self, directory: str) -> SchemeTree:
        """The scheme in one directory."""
        prefix = f"{directory}/"
        return SchemeTree(
            {path.removeprefix(prefix): content for path, content in self.files.items() if path.startswith(prefix)},
            name=directory,
            directories=[path.removeprefix(prefix) for path in self.directories if path.startswith(prefix)],
            symlinks=[path.removeprefix(prefix) for path in self.symlinks if path.startswith(prefix)],
        )

    def trees(self) -> list[SchemeTree]:
        """All schemes, in the order of their directories."""
        return [self.tree(name) for name in sorted(path for path in self.directories if "/" not in path and not path.startswith("."))]

    def _rename(self, old: str, new: str) -> None:
        def moved(path: str) -> str:
            return new + path[len(old) :] if path == old or path.startswith(f"{old}/") else path

        self.files = {moved(path): content for path, content in self.files.items()}
        self.directories = {moved(path) for path in self.directories} | set(parent_directories(new))
        self.symlinks = {moved(path) for path in self.symlinks}

    def _delete(self, path: str) -> None:
        def stays(other: str) -> bool:
            return other != path and not other.startswith(f"{path}/")

        self.files = {other: content for other, content in self.files.items() if stays(other)}
        self.directories = {other for other in self.directories if stays(other)}
        self.symlinks = {other for other in self.symlinks if stays(other)}


def _content(operation: Mapping[str, Any]) -> bytes:
    if "base64" in operation:
        return base64.b64decode(operation["base64"])
    if "repeat" in operation:
        return "".join(part["text"] * part["count"] for part in operation["repeat"]).encode()
    return str(operation["text"]).encode()


@cache
def _base(folder: Path) -> tuple[SchemeTree, ...]:
    return tuple(read_tree(path) for path in sorted(folder.iterdir()) if path.is_dir())


def mutated_folder(mutant: Mapping[str, Any], base: Path) -> MutantFolder:
    """The base, after the operations of a mutant and its signing."""
    folder = MutantFolder(_base(base))
    for operation in (*mutant["operations"], *mutant["signing"]["operations"]):
        folder.apply(operation)
    return folder


def _verify_mutant(mutant: Mapping[str, Any], base: Path, now: int) -> Departed | None:
    expected = mutant["verify"]
    verdict = verify_scheme(mutated_folder(mutant, base).tree(mutant["directory"]), now=now)
    outcome = judge(mutant, accepted=expected["verdict"] == "pass", crashed=expected["verdict"] == "crash", error=_first_error(verdict))
    if outcome is None and expected["verdict"] != "crash" and mutant["deterministic"]:
        _compare_status(verdict, expected)
        if expected["verdict"] == "pass":
            _compare_warnings(verdict, expected["warnings"])
    return outcome


def _load_mutant(mutant: Mapping[str, Any], base: Path, now: int) -> Departed | None:
    expected = mutant["server"]
    folder = mutated_folder(mutant, base)
    trees = folder.trees()
    if expected["configuration_folder"] != "both schemes":
        trees = [tree for tree in trees if tree.name == mutant["directory"]]
    configuration, problems = Configuration.load(trees, now=now)
    starts = expected["verdict"] == "starts"
    # Of a scheme whose head cannot be read the reference writes a line in its log and goes on without it.
    passed_over = expected["mutated_scheme_status"] == "(not loaded)"
    problems = (
        *(problem for problem in problems if problem.known or not (passed_over and problem.directory == mutant["directory"])),
        *configuration.check_private_keys(),
    )
    error = problems[0].finding.error if problems else None
    outcome = judge(mutant, accepted=starts, crashed=expected["verdict"] == "crash", error=error)
    if outcome is None and expected["verdict"] != "crash" and mutant["deterministic"]:
        _compare_configuration(configuration, problems, expected)
    return outcome


def _compare_configuration(configuration: Configuration, problems: Sequence[Problem], expected: Mapping[str, Any]) -> None:
    if not any(problem.finding.departure for problem in problems):
        _equal("statuses", {name: status.value for name, status in configuration.statuses.items()}, expected["scheme_status"])
        disabled = {name for name, status in configuration.statuses.items() if status is not SchemeStatus.VALID}
        _equal("disabled schemes", disabled, set(expected.get("disabled", ())))
    if expected["verdict"] != "starts":
        return
    _equal("issuers", sorted(map(str, configuration.issuers)), expected["issuers"])
    _equal("credential types", sorted(map(str, configuration.credential_types)), expected["credential_types"])
    _equal("hostnames", sorted(configuration.requestors), expected["requestor_hostnames"])
    _equal("wizards", sorted(map(str, configuration.wizards)), expected["wizards"])
    attributes = {(kind.id, attribute.attribute_id) for kind in configuration.credential_types.values() for attribute in kind.attributes}
    _equal("number of attributes", len(attributes), expected["attribute_type_count"])


# The tiny scheme --------------------------------------------------------------------------------------------------------


def _files_tree(name: str, files: Mapping[str, Any]) -> SchemeTree:
    return SchemeTree({path: _content(value) for path, value in files.items()}, name=name)


def _schemesig(case: Mapping[str, Any], base: SchemeTree, document: Mapping[str, Any]) -> Departed | None:
    expected = case["expected"]
    changed = {path: _content(value) for path, value in (case.get("files") or case.get("changed_files") or {}).items()}
    tree = base.with_files(changed, remove=case.get("removed_files") or (), name=case["directory_name"])
    # Directories are not recorded: those that lost their last file are gone.
    tree = SchemeTree(dict(tree), name=tree.name)
    if expected["verdict"] == "sign_error":
        return _schemesig_refused(case, tree, document)
    # What was recorded is the reading of the scheme, without the check of its keys.
    verdict = verify_scheme(tree, now=_SCHEMESIG_NOW, check_keys=False)
    outcome = judge(case, accepted=expected["verdict"] == "valid", crashed=expected["verdict"] == "panic", error=_first_error(verdict))
    if outcome is None:
        _compare_status(verdict, expected)
        if expected["verdict"] == "valid":
            _compare_warnings(verdict, expected["warnings"] or [])
            types = verdict.contents.credential_types if verdict.contents else ()
            _equal("credential types", sorted(map(str, types)), expected["credential_types"])
    return outcome


def _schemesig_refused(case: Mapping[str, Any], tree: SchemeTree, document: Mapping[str, Any]) -> Departed | None:
    key = read_private_key(document["private_key_pem"].encode())
    if windows := re.search(r"(\S+) contains CRLF", case["sign_error"]):
        # The record names the file with the line ends of Windows and does not hold it.
        path = windows[1].partition("/")[2]
        tree = tree.with_files({path: tree[path].replace(b"\n", b"\r\n")})
    try:
        sign_tree(tree, partial(sign, key), print_public_key(key.public_key()), now=_SCHEMESIG_NOW)
    except MalformedSchemeError as error:
        return judge(case, accepted=False, error=error)
    raise Mismatch("signed what the reference refuses to sign")


def _ecdsa(case: Mapping[str, Any]) -> Departed | None:
    error: IdemixError | None = None
    try:
        key = read_public_key(case["public_key_pem"].encode())
        verify(key, base64.b64decode(case["message_base64"]), bytes.fromhex(case["signature_hex"]))
    except (InvalidSignatureError, MalformedKeyError) as refusal:
        error = refusal
    verdict = case["expected"]["verdict"]
    return judge(case, accepted=verdict == "valid", crashed=verdict == "panic", error=error)


# Comparisons ------------------------------------------------------------------------------------------------------------


def _first_error(verdict: SchemeVerdict) -> IdemixError | None:
    return verdict.errors[0].error if verdict.errors else None


def _compare_status(verdict: SchemeVerdict, expected: Mapping[str, Any]) -> None:
    if not any(error.departure for error in verdict.errors):
        _equal("status", verdict.status.value, expected["status"])


def _compare_warnings(verdict: SchemeVerdict, expected: Sequence[str]) -> None:
    _equal("warnings", {warning.message for warning in verdict.warnings}, set(expected))


def _equal(what: str, ours: object, theirs: object) -> None:
    if ours != theirs:
        raise Mismatch(f"{what}: ours {ours!r}, recorded {theirs!r}")
