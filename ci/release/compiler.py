"""Builds the executable so that neither the machine, the folder nor the hour leaves a mark in it.

What would, and what is done about it (each was found in the sources that are linked):
* paths in panics and debug lines: `--remap-path-prefix` for the source, the target folder and the registry. Cargo leaves these
  flags out of the names of symbols;
* `ahash` draws its keys when it is compiled (const-random): CONST_RANDOM_SEED;
* OpenSSL notes the hour (SOURCE_DATE_EPOCH) and where it would be installed, which is a folder of the build: GNUMAKEFLAGS, since
  its build script runs `make` and takes no arguments;
* aws-lc maps its own paths when it is optimised, which is the case in `release` alone;
* zlib is linked from its source, not from whatever the machine has (LIBZ_SYS_STATIC).
CFLAGS stay unset: OpenSSL writes them into itself.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

SEED = "sluice"
HERE = Path(__file__).resolve().parent
NOWHERE = "/usr/local/lib"


def registry() -> Path:
    """Returns where crates are unpacked."""
    return Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo").resolve()


def environment(source: Path, target: Path, epoch: int, linked: Path) -> dict[str, str]:
    """Returns the environment of the build."""
    # Of several prefixes that match rustc takes the last one, and the target folder may stand inside the source.
    maps = ((registry(), "/cargo"), (source, "/sluice"), (target, "/target"))
    flags = [f"--remap-path-prefix={place}={name}" for place, name in maps] + [f"-Clink-arg={linked}", "-Clink-arg=-lm"]
    unset = ("CFLAGS", "CXXFLAGS", "LDFLAGS", "RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS", "MAKEFLAGS", "RUSTC_WRAPPER")
    return {name: value for name, value in os.environ.items() if name not in unset} | {
        "CARGO_ENCODED_RUSTFLAGS": "\x1f".join(flags), "CARGO_TARGET_DIR": str(target), "CARGO_INCREMENTAL": "0",
        "CONST_RANDOM_SEED": SEED, "SOURCE_DATE_EPOCH": str(epoch), "LIBZ_SYS_STATIC": "1", "LC_ALL": "C", "TZ": "UTC",
        "GNUMAKEFLAGS": f"ENGINESDIR={NOWHERE}/engines-3 MODULESDIR={NOWHERE}/ossl-modules",
    }  # fmt: skip


def build(source: Path, target: Path, profile: str, epoch: int) -> Path:
    """Builds `all-clis` and returns it. Function names stay for backtraces; what debuggers want is left out."""
    target.mkdir(parents=True, exist_ok=True)
    linked = target / "old_math.o"
    # In the target folder and by a bare name: the compiler notes the name of its input.
    shutil.copyfile(HERE / "old_math.c", target / "old_math.c")
    subprocess.run([os.environ.get("CC", "cc"), "-O2", "-fPIC", "-c", "old_math.c", "-o", linked.name], cwd=target, check=True)
    settings = [f'profile.{profile}.strip="debuginfo"', f"profile.{profile}.debug=0"]
    command = ["cargo", "build", "--locked", "--package", "e2e", "--bin", "all-clis", "--profile", profile]
    for setting in settings:
        command += ["--config", setting]
    subprocess.run(command, cwd=source, env=environment(source, target, epoch, linked), check=True)
    return target / ("debug" if profile == "dev" else profile) / "all-clis"


def traces(executable: Path, places: list[Path]) -> list[str]:
    """Returns the strings of an executable that name one of these places."""
    found = subprocess.run(["strings", "-a", str(executable)], check=True, capture_output=True, text=True, errors="replace")
    wanted = [f"{place}{os.sep}" for place in places]
    return sorted({line for line in found.stdout.splitlines() if any(place in line for place in wanted)})
