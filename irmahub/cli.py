"""The command line `irmahub`: finds the command's module and runs it.

Exit status: 0 success, 1 failure, 2 wrong use.
"""

import ast
import importlib
import importlib.util
import pkgutil
from pathlib import Path
from typing import Any

import click

from irmahub import __version__, commands

#: Errors that these packages define are refusals on purpose; any other exception is a fault and shows where it arose.
_PACKAGES = frozenset({"idemix", "gateway", "console", "irmahub"})


class CommandLine(click.Group):
    """The group of all commands; a command's module is imported when the command is asked for, and not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click calls it so
        """The names of the modules of `irmahub.commands`."""
        return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(commands.__path__))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a command, or None where there is none of that name."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command = importlib.import_module(_module(cmd_name)).command
        assert isinstance(command, click.Command)  # noqa: S101 - a module without a command is a fault of ours
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands with the summaries of their modules, which are read and not imported."""
        summaries = [(name, _summary(_module(name))) for name in self.list_commands(ctx)]
        if summaries:
            with formatter.section("Commands"):
                formatter.write_dl(summaries)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what it refuses on purpose ends in its message on standard error and exit status 1."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            if type(error).__module__.partition(".")[0] in _PACKAGES:
                raise click.ClickException(str(error)) from error
            raise


def _module(command_name: str) -> str:
    return f"{commands.__name__}.{command_name.replace('-', '_')}"


def _summary(module: str) -> str:
    """The first line of a module's docstring."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        return ""
    docstring = ast.get_docstring(ast.parse(Path(spec.origin).read_bytes())) or ""
    return docstring.partition("\n")[0]


@click.command(cls=CommandLine, name="irmahub", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", message="%(prog)s %(version)s")
def command_line() -> None:
    """Run an IRMA (Yivi) system: schemes, keys, requestors and sessions."""


def main() -> None:
    """The entry point of the command `irmahub`."""
    command_line.main(prog_name="irmahub")


if __name__ == "__main__":
    main()
