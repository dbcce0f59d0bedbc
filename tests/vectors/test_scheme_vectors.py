"""The mutants once more, for what the conformance runner does not look at: errors name a place and a rule, and are data."""

import json
from functools import cache
from typing import Any

import pytest

from idemix.departures import DEPARTURES
from idemix.scheme.verdict import SchemeVerdict
from idemix.scheme.verify import verify_scheme
from irmahub.conformance.schemes import mutated_folder
from tests.support.shared import shared


@cache
def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(shared("vectors", "scheme_mutants.json").read_bytes())
    return found


@cache
def verdicts() -> dict[str, SchemeVerdict]:
    base = shared("schemes", "mutant-base")
    return {
        mutant["name"]: verify_scheme(mutated_folder(mutant, base).tree(mutant["directory"]), now=document()["evaluated_at"])
        for mutant in document()["mutants"]
    }


def test_every_error_names_a_rule_and_what_it_is_about() -> None:
    refused = {name: verdict for name, verdict in verdicts().items() if not verdict.is_valid}
    assert len(refused) > 100
    for name, verdict in refused.items():
        for error in verdict.errors:
            assert error.rule, name
            assert error.error is not None, name
            assert error.path, (name, error)
            assert error.message.isprintable(), (name, error.message)
            assert error.departure is None or isinstance(error.error, DEPARTURES[error.departure].error), name
            json.dumps(error.to_json())


def test_the_first_error_is_about_the_file_that_was_changed() -> None:
    compared = 0
    for mutant in document()["mutants"]:
        errors = verdicts()[mutant["name"]].errors
        touched = {operation.get("path", "").partition("/")[2] for operation in mutant["operations"]}
        # Of one issuer's or credential type's description, or of the requestors: what those break shows there, but for logos and keys.
        if len(touched) != 1 or not next(iter(touched)).endswith(("/description.xml", "requestors.json")):
            continue
        if errors and errors[0].rule not in ("missing-file", "key-bases", "key-revocation"):
            assert errors[0].path in touched, (mutant["name"], errors[0])
            compared += 1
    assert compared > 40


@pytest.mark.parametrize(
    ("mutant", "rule"),
    [
        ("scheme-folder-renamed", "directory-name"),
        ("scheme-url-http", "scheme-url"),
        ("scheme-not-demo-with-private-keys", "private-key-in-production"),
        ("issuer-logo-is-jpeg", "logo"),
        ("issuer-logo-empty", "logo"),
        ("issuer-deprecated-since-empty", "deprecated-since-1970"),
        ("credential-folder-case-variant-added", "names-differing-in-case"),
        ("attribute-optional-yes", "attribute-markup"),
        ("attribute-randomblind-and-optional", "attribute-markup"),
        ("revocation-update-count-huge", "credential-type-markup"),
        ("dependency-empty-and", "credential-type-markup"),
        ("color-invalid-name", "credential-type-markup"),
        ("color-css-injection", "credential-type-markup"),
        ("faq-summary-only-incomplete", "empty-text"),
        ("category-missing-language", "empty-text"),
        ("private-key-counter-differs", "key-counter"),
        ("private-key-file-name", "key-counter"),
        ("hidden-file-indexed", "hidden-file"),
        ("req-hostname-with-port", "requestor"),
        ("req-hostname-wildcard", "requestor"),
        ("req-hostname-non-ascii", "requestor"),
        ("req-name-missing", "requestor"),
        ("wizard-contents-empty", "wizard"),
        ("wizard-issues-unknown-credential", "wizard"),
        ("wizard-credential-unloaded-scheme-expand", "wizard"),
        ("wizard-expand-dependencies", "wizard"),
    ],
)
def test_what_the_reference_lets_pass_is_advised_upon(mutant: str, rule: str) -> None:
    verdict = verdicts()[mutant]
    assert verdict.is_valid
    unchanged = {*verdicts()["base-unchanged"].lint, *verdicts()["base-requestors-unchanged"].lint}
    found = {finding.rule for finding in verdict.lint if finding not in unchanged}
    # That credential types of another scheme were not looked up is said of the base, too.
    assert rule in found or (rule == "wizard" and rule in {finding.rule for finding in verdict.lint})
