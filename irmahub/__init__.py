"""The thin shell around the packages: command line, server, worker, demo, conformance and benchmarks."""

__version__ = "0.1.0"
