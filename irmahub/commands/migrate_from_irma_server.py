"""Take over the requestors and issuer keys of an irma server."""

import os
from dataclasses import asdict
from pathlib import Path

import click

from console.publishing.web_root import WebRoot
from console.schemes.served import ServedConfiguration
from gateway.options import collect
from gateway.requestors.irma_config import Standing
from gateway.takeover import Findings, Takeover
from idemix.clock import system_clock
from irmahub.installation import caller, data_option, json_option, opened, print_json, reason_option, settings_of
from irmahub.requestor_files import print_comparison


@click.command(name="migrate-from-irma-server")
@click.option("-c", "--config", "file", metavar="FILE", help="Its configuration file.  [default: found as irma server finds it]")
@click.option("-k", "--privkeys", metavar="FOLDER", help="Its folder of private keys.  [default: as the configuration says]")
@click.option("--apply", "is_applied", is_flag=True, help="Write it; without this nothing is changed.")
@click.option("--without-global-permissions", is_flag=True, help="Leave the permissions of every requestor as they are.")
@reason_option(required=False)
@data_option
@json_option
def command(
    file: str | None,
    privkeys: str | None,
    is_applied: bool,
    without_global_permissions: bool,
    reason: str | None,
    data_directory: Path | None,
    as_json: bool,
) -> None:
    """Take over what an irma server holds.

    First everything that would be done is told, without a secret; with --apply it is done, and a second run finds it done. Requestors
    become active, private keys go into custody, active. Its variables IRMASERVER_… count here too.
    """
    flags = {name: value for name, value in (("config", file), ("privkeys", privkeys)) if value}
    options = collect(flags, os.environ)
    settings = settings_of(data_directory)
    schemes = ServedConfiguration(WebRoot(settings.schemes_directory, settings.data_directory / "versions"), system_clock)
    with opened(data_directory) as services:
        takeover = Takeover(services.requestors, services.custody, schemes())
        findings = takeover.look(caller(), options)
        if is_applied and not findings.all_problems:
            takeover.take_over(caller(), options, global_permissions=not without_global_permissions, reason=reason)
    done = is_applied and not findings.all_problems
    if as_json:
        print_json(asdict(findings) | {"configuration_file": None if options.file is None else str(options.file), "applied": done})
    else:
        _print(findings, with_global=not without_global_permissions)
        if findings.all_problems:
            click.echo("Nothing was written, since not everything can be taken over.")
        else:
            click.echo("All was taken over." if done else "Nothing was written; --apply writes it.")
    if findings.all_problems:
        raise click.exceptions.Exit(1)


def _print(findings: Findings, *, with_global: bool) -> None:
    for problem in findings.problems:
        click.echo(f"problem  {problem.option}: {problem.message}")
    for key in findings.keys:
        number = "" if key.counter is None else f"-{key.counter}"
        told = key.reason if key.standing is Standing.REFUSED else f"fingerprint {key.fingerprint[:16]}"
        click.echo(f"{key.standing.value}  key {key.issuer_id}{number}  {told} ({key.file})")
    print_comparison(findings.requestors, with_global=with_global)
    for note in findings.notes:
        click.echo(f"note  {note}")
    if findings.remaining:
        click.echo(f"stays in the configuration, for irmahub gateway --database: {', '.join(findings.remaining)}")
