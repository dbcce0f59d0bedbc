"""The command line: finding commands, and what it answers when they fail."""

import sys

import click
import pytest
from click.testing import CliRunner

from idemix.errors import IdemixError
from irmahub import __version__, cli


def test_version() -> None:
    result = CliRunner().invoke(cli.command_line, ["--version"])
    assert (result.exit_code, result.output) == (0, f"irmahub {__version__}\n")


def test_unknown_command_is_wrong_use() -> None:
    result = CliRunner().invoke(cli.command_line, ["nosuch"])
    assert result.exit_code == 2
    assert "No such command 'nosuch'" in result.output


def test_unknown_subcommand_is_wrong_use() -> None:
    assert CliRunner().invoke(cli.command_line, ["scheme", "nosuch"]).exit_code == 2


def test_every_command_is_listed_with_its_summary() -> None:
    context = click.Context(cli.command_line)
    output = CliRunner().invoke(cli.command_line, ["--help"]).output
    for name in cli.command_line.list_commands(context):
        assert cli._summary(f"irmahub.commands.{name.replace('-', '_')}"), name
        assert f"\n  {name} " in output
        assert cli.command_line.get_command(context, name) is not None


def test_refusals_end_in_one_line_and_status_1(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def refuse() -> None:
        raise IdemixError("Issuer: must not be empty")

    monkeypatch.setattr(cli.CommandLine, "get_command", lambda *_: refuse)
    result = CliRunner().invoke(cli.command_line, ["anything"])
    assert (result.exit_code, result.output) == (1, "Error: Issuer: must not be empty\n")


def test_help_imports_no_command() -> None:
    for module in [name for name in sys.modules if name.startswith("irmahub.commands.")]:
        del sys.modules[module]
    CliRunner().invoke(cli.command_line, ["--help"])
    assert not [name for name in sys.modules if name.startswith("irmahub.commands.")]
