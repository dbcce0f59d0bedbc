"""Run the main job on a scheme of its own, step by step, in a fresh data directory.

Afterwards console, gateway and worker keep running until Ctrl-C.
"""

from pathlib import Path

import click


@click.command(name="demo")
@click.option("--exit", "exits", is_flag=True, help="End after the steps.")
@click.option(
    "--data", "folder", type=click.Path(file_okay=False, path_type=Path), help="Keep the data here; must be empty.  [default: removed]"
)
def command(exits: bool, folder: Path | None) -> None:
    """Author and publish a scheme, issue, disclose, sign and rotate a key, over real HTTP."""
    from rich.console import Console

    from irmahub.demo.runner import run

    if folder is not None and folder.exists() and any(folder.iterdir()):
        raise click.BadParameter(f"{folder} is not empty", param_hint="--data")
    run(stays=not exits, output=Console(soft_wrap=True), folder=folder)
