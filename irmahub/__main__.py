"""`python -m irmahub` is the command `irmahub`."""

from irmahub.cli import main

main()
