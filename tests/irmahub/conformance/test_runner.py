"""The conformance runner counts everything and leaves nothing out in silence."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from irmahub.cli import command_line
from irmahub.conformance import runner
from irmahub.conformance.core import Case, Context, Departed, Mismatch


class Numbers:
    """A shape of this test: a list of named cases, each with the outcome it wants."""

    def matches(self, document: dict) -> bool:
        return "numbers" in document

    def cases(self, document: dict, context: Context):
        def outcome(wanted: str):
            if wanted == "departed":
                return Departed("some-rule")
            if wanted == "mismatch":
                raise Mismatch("differs")
            if wanted == "crash":
                raise KeyError("field")
            return None

        if document.get("broken"):
            raise ValueError("no cases")
        for case in document["numbers"]:
            yield Case("numbers", case["name"], lambda wanted=case["wanted"]: outcome(wanted), case.get("row"))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(runner, "_shapes", lambda: [Numbers()])

    def run_document(text: str) -> runner.FileReport:
        path = tmp_path / "file.json"
        path.write_text(text)
        return runner.run_file(path, Context(tmp_path, tmp_path))

    return run_document


def test_each_outcome_is_counted(run) -> None:
    names = ["agreed", "departed", "mismatch", "crash"]
    document = {"numbers": [{"name": name, "wanted": name} for name in names] + [{"name": "later", "wanted": "", "row": "I9"}]}
    report = run(json.dumps(document))
    assert report.passed == 2
    assert report.departed == {"some-rule": 1}
    assert report.skipped == {"I9": 1}
    assert [name for name, _ in report.failures] == ["numbers/mismatch", "numbers/crash"]
    assert report.failures[1][1].startswith("KeyError: 'field'")
    assert runner.Report((report,)).summary() == "2 passed, 2 failed, 1 skipped"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "cannot be read"),
        ("[]", "shape is unknown"),
        ('{"cases": []}', "shape is unknown"),
        ('{"numbers": [], "broken": true}', "cases cannot be read: ValueError: no cases"),
        ('{"numbers": [], "others": [{"name": "x"}]}', "no module takes this list"),
    ],
)
def test_what_cannot_be_run_is_a_failure(run, text: str, reason: str) -> None:
    report = run(text)
    assert report.passed == 0
    assert [reason in why for _, why in report.failures] == [True]


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_command_fails_when_a_case_fails(tmp_path: Path, options: list[str]) -> None:
    (tmp_path / "unknown.json").write_text("{}")
    result = CliRunner().invoke(command_line, ["conformance", str(tmp_path), "--schemes", str(tmp_path), *options])
    assert result.exit_code == 1
    if options:
        assert json.loads(result.output)["failed"] == 1
    else:
        assert result.output.splitlines()[-1] == "0 passed, 1 failed, 0 skipped"
