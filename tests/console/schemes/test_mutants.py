"""Every recorded mutant comes to the one verification service on import, too: what it refuses is not imported, and what it takes is."""

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

from console.errors import ConsoleError
from console.publishing.archive import write_archive
from console.schemes.models import SchemeImport
from console.schemes.store import SchemeStore
from gateway.actor import Actor
from gateway.inputs import InvalidInputError
from idemix.scheme.verify import verify_scheme
from irmahub.conformance.schemes import mutated_folder
from tests.console.conftest import Installation, MovingClock
from tests.support.shared import shared

DOCUMENT = json.loads(shared("vectors", "scheme_mutants.json").read_text())


def importable() -> Iterator[dict[str, Any]]:
    """The mutants that a zip can hold: no links, and files at all."""
    for mutant in DOCUMENT["mutants"]:
        tree = mutated_folder(mutant, shared("schemes", "mutant-base")).tree(mutant["directory"])
        if tree and not tree.symlinks:
            yield mutant


#: Most mutants are alike for an import: one in twenty is enough. `irmahub conformance` runs them all through the service itself.
SAMPLE = list(islice(importable(), 0, None, 20))


@pytest.mark.feature("A3.1")
@pytest.mark.parametrize("mutant", SAMPLE, ids=lambda mutant: mutant["name"])
def test_an_import_judges_as_the_verification(installation: Installation, administrator: Actor, mutant: dict[str, Any]) -> None:
    tree = mutated_folder(mutant, shared("schemes", "mutant-base")).tree(mutant["directory"])
    now = int(installation.clock().timestamp())
    verdict = verify_scheme(tree, now=now)
    services = installation.services
    refusal = ""
    try:
        services.schemes.import_scheme(administrator, SchemeImport(archive=write_archive(tree.name, tree)))
    except (ConsoleError, InvalidInputError) as error:
        refusal = str(error)
    # Beyond the verdict an import refuses what no scheme under care may be: another channel, private keys outside demo schemes.
    stricter = "channel" in refusal or "private keys" in refusal
    assert bool(refusal) == (not verdict.is_valid or stricter), refusal


def test_a_check_judges_the_tree_that_signing_made(installation: Installation, administrator: Actor) -> None:
    services = installation.services
    source = shared("schemes", "mutant-base", "irma-demo")
    services.schemes.import_scheme(administrator, SchemeImport(str(source)))
    draft = services.schemes.start_draft(administrator, "irma-demo", "Break it")
    services.schemes.save(
        administrator, "irma-demo", draft.name, {"RU/description.xml": b"<Issuer version='4'/>", "extra.xml": b"<x/>"}, "break"
    )
    result = services.schemes.check(administrator, "irma-demo", draft.name)
    store = SchemeStore(services.settings.repositories_directory, MovingClock())
    assert {finding.path for finding in result.findings if finding.level == "error"} >= {"RU/description.xml"}
    # A file that signing lists draws no warning, as it would where it lies beside the index.
    assert not any(finding.path == "extra.xml" and finding.level == "warning" for finding in result.findings)
    assert "extra.xml" in store.tree("irma-demo", services.schemes.draft(administrator, "irma-demo", draft.name).head)
