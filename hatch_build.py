"""Builds the native kernel of the engine where there is a compiler of C; without it the engine computes with GMP alone."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE = Path("idemix/arith/kernel.c")
LIBRARY = SOURCE.with_name("libkernel.so")


class KernelHook(BuildHookInterface[Any]):
    """Compiles the kernel beside its source and has a wheel carry it, which is then one for this platform."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before the package is put together; `version` tells an editable installation from a wheel."""
        root = Path(self.root)
        compiler = shutil.which(os.environ.get("CC") or "cc")
        if compiler is None:
            (root / LIBRARY).unlink(missing_ok=True)
            print("there is no C compiler: the engine will compute without its native kernel", file=sys.stderr)
            return
        command = [compiler, "-O3", "-std=c11", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared"]
        subprocess.run([*command, "-o", str(root / LIBRARY), str(root / SOURCE)], check=True)  # noqa: S603 - our own arguments
        build_data["artifacts"].append(LIBRARY.as_posix())
        if version != "editable":
            platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
            build_data["tag"] = f"py3-none-{platform}"
