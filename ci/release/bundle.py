"""Makes, checks and rebuilds the archive that is released: `ci/bundle` says how it is called."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import archive
import compiler
import elf
import go_modules
import sbom
from archive import EXECUTABLE, Entry

REPOSITORY = Path(__file__).resolve().parents[2]
HOME = Path(os.environ.get("SLUICE_HOME") or REPOSITORY / ".sluice").resolve()
PLACE = HOME / "bundle"
DRIVER = "adbc-driver-snowflake"
DRIVER_FILE = "lib/libadbc_driver_snowflake.so"
# What the licences of the driver and its parts ask to be handed on.
DRIVER_TEXTS = ("LICENSE.txt", "NOTICE.txt")
SBOM = "sbom.cdx.json"
RELEASE = "release.json"
# What decides what is in the archive.
INPUTS = (".cargo", "Cargo.lock", "Cargo.toml", "ci", "contracts", "crates", "dags", "rust-toolchain.toml")
# What must be in the archive whatever else is.
WANTED = ("MANIFEST", RELEASE, SBOM, DRIVER_FILE, "bin/all-clis", "bin/run-pipeline", "jobs/launcher.py", "jobs/launcher_turns.py", "contracts/policy.yaml")


class Refused(Exception):
    """Why there is no archive, and what to do."""


def say(text: str) -> None:
    """Tells the caller how far it is."""
    print(f"bundle: {text}", flush=True)


def git(*arguments: str) -> str:
    """Returns what git says."""
    return subprocess.run(["git", *arguments], cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout


def commit() -> str:
    """Returns what is packed: the commit, and whether files differ from it."""
    changed = git("status", "--porcelain", "--", *INPUTS).strip()
    return git("rev-parse", "HEAD").strip() + ("-changed" if changed else "")


def epoch() -> int:
    """Returns the time of everything in the archive: the commit's."""
    return int(os.environ.get("SOURCE_DATE_EPOCH") or git("log", "-1", "--format=%ct"))


def driver() -> tuple[Path, str]:
    """Returns the Snowflake driver of the locked wheel, and its version."""
    found = sorted(HOME.glob("venv/lib/python*/site-packages/adbc_driver_snowflake/libadbc_driver_snowflake.so"))
    lock = (REPOSITORY / "ci" / "requirements.txt").read_text()
    if not found:
        raise Refused("the Snowflake driver is not installed: run ci/lib/venv")
    version = lock.partition(f"{DRIVER}==")[2].split()[0]
    return found[0], version


def driver_texts() -> dict[str, Path]:
    """Returns licence and notice of the driver's wheel, by their names in the archive."""
    library, version = driver()
    folder = library.parents[1] / f"{DRIVER.replace('-', '_')}-{version}.dist-info" / "licenses"
    texts = {f"lib/{DRIVER}/{name}": folder / name for name in DRIVER_TEXTS}
    missing = [str(text) for text in texts.values() if not text.is_file()]
    if missing:
        raise Refused(f"the wheel of the Snowflake driver, {version} by the lock, lacks {', '.join(missing)}: run ci/lib/venv")
    return texts


def fits(file: Path) -> None:
    """Fails when a file needs what Amazon Linux 2023 does not have."""
    needs = elf.read(file)
    broken = elf.problems(needs)
    if broken:
        raise Refused("\n  ".join([f"{file} does not run on Amazon Linux 2023:", *broken]))
    say(f"{file.name} needs glibc {needs.newest('GLIBC')} and {', '.join(sorted(needs.libraries))}")


def entries(executable: Path) -> list[Entry]:
    """Returns what goes into the archive."""
    library, _ = driver()
    programs = subprocess.run([executable, "programs"], check=True, capture_output=True, text=True).stdout.split()
    # Its parts, too: the service is handed the launcher alone.
    launcher = sorted((REPOSITORY / "dags" / "jobs").glob("launcher*.py"))
    if not launcher:
        raise Refused("there is no launcher in dags/jobs")
    found = [
        Entry("bin/all-clis", file=executable, mode=EXECUTABLE),
        Entry(DRIVER_FILE, file=library, mode=EXECUTABLE),
        *(Entry(f"jobs/{file.name}", file=file, mode=EXECUTABLE) for file in launcher),
        Entry(RELEASE, content=(json.dumps({"commit": commit(), "programs": programs}, sort_keys=True) + "\n").encode()),
        Entry(SBOM, content=sbom.render(_bill())),
    ]
    found += [Entry(path, file=text) for path, text in driver_texts().items()]
    found += [Entry(f"bin/{program}", link="all-clis") for program in programs]
    # What git knows, so that nothing that lies about gets in.
    tracked = git("ls-files", "-z", "--", "contracts").split("\0")
    found += [Entry(path, file=REPOSITORY / path) for path in filter(None, tracked)]
    return found


def _bill() -> dict:
    library, version = driver()
    modules = go_modules.modules(library)
    text = driver_texts()[f"lib/{DRIVER}/{DRIVER_TEXTS[0]}"].read_text()
    parts = sbom.of_driver(DRIVER, version, modules, go_modules.licences(text, [name for name, _ in modules]))
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", _rustc("host")]
    said = subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True).stdout
    lock = (REPOSITORY / "Cargo.lock").read_text()
    return sbom.document(json.loads(said), lock, "e2e", parts + sbom.of_rust(_rustc("release")), epoch())


def _rustc(what: str) -> str:
    said = subprocess.run(["rustc", "-vV"], cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout
    return next(line.removeprefix(f"{what}: ") for line in said.splitlines() if line.startswith(f"{what}: "))


def pack(executable: Path, out: Path, here: bool = False) -> str:
    """Writes the archive and returns its hash; one for here need not run on Amazon Linux 2023."""
    if not here:
        fits(executable)
        fits(driver()[0])
    archive.write(out, entries(executable), epoch(), level=1 if here else 6)
    return archive.digest(out)


def check(executable: Path) -> None:
    """Packs twice under other circumstances, and looks at what was packed as a worker would."""
    with tempfile.TemporaryDirectory(dir=PLACE) as scratch:
        first, second = Path(scratch) / "first.tar.gz", Path(scratch) / "elsewhere" / "second.tar.gz"
        digest = pack(executable, first)
        before = os.umask(0o077)
        copy = Path(scratch) / "all-clis"
        shutil.copy(executable, copy)
        os.utime(copy, (0, 0))
        again = pack(copy, second)
        os.umask(before)
        if digest != again:
            raise Refused(f"packed twice, the archive differs: {digest} and {again}")
        say(f"packed twice from one executable: {digest}")
        _look_inside(first, Path(scratch) / "unpacked")


def _look_inside(packed: Path, folder: Path) -> None:
    with tarfile.open(packed) as opened:
        members = opened.getmembers()
        opened.extractall(folder, filter="data")
    names = [member.name for member in members]
    if names != sorted(names) or any(member.uid or member.gid or member.uname for member in members):
        raise Refused("the archive's members are not sorted, or have an owner")
    missing = [name for name in WANTED if name not in names]
    if missing:
        raise Refused(f"the archive lacks {', '.join(missing)}")
    subprocess.run(["sha256sum", "--check", "--quiet", "--strict", "MANIFEST"], cwd=folder, check=True)
    listed = {line.split("  ", 1)[1] for line in (folder / "MANIFEST").read_text().splitlines()}
    if listed != set(names) - {"MANIFEST"}:
        raise Refused("the MANIFEST does not list the archive's files")
    programs = json.loads((folder / RELEASE).read_text())["programs"]
    for program in programs:
        subprocess.run([folder / "bin" / program, "--help"], env={}, check=True, stdout=subprocess.DEVNULL)
    say(f"{len(names)} files, {packed.stat().st_size / 1e6:.0f} MB; the MANIFEST holds, {len(programs)} programs start")
    # The schema is that of the standard's own library, in an environment of its own.
    venv = subprocess.run([REPOSITORY / "ci" / "lib" / "venv", "sbom"], check=True, stdout=subprocess.PIPE, text=True)
    python = Path(venv.stdout.strip()) / "bin" / "python"
    subprocess.run([python, Path(__file__).parent / "validate.py", folder / SBOM], check=True)


def built_in(source: Path, target: Path, profile: str) -> Path:
    """Builds the executable and returns it; fails when it names a folder of this machine."""
    executable = compiler.build(source, target, profile, epoch())
    # Not optimised, aws-lc names its sources, which are in the registry.
    places = [source, target] + ([compiler.registry()] if profile == "release" else [])
    left = compiler.traces(executable, places)
    if left:
        raise Refused("\n  ".join(["the executable names folders of this machine:", *left[:20]]))
    return executable


def rebuild(profile: str) -> None:
    """Builds the executable twice, in two folders with two clones, and compares."""
    digests, built = [], []
    for name in ("one", "another/and-deeper"):
        folder = PLACE / "rebuild" / name
        shutil.rmtree(folder, ignore_errors=True)
        source, target = folder / "source", folder / "target"
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(REPOSITORY), str(source)], check=True)
        say(f"building {profile} in {folder} from nothing")
        executable = built_in(source, target, profile)
        kept = PLACE / "rebuild" / f"all-clis-{len(built)}"
        shutil.move(executable, kept)
        shutil.rmtree(folder)
        built.append(kept)
        digests.append(Entry("", file=kept).digest())
        say(f"{digests[-1]}  {kept}")
    if digests[0] != digests[1]:
        raise Refused("\n  ".join(["two builds differ, in these sections:", *_differing(*built)]))
    fits(built[0])
    say(f"two builds in two folders are one executable: {digests[0]}")


def _differing(first: Path, second: Path) -> list[str]:
    """Returns the names of the sections whose content differs: where to look."""
    found = []
    said = subprocess.run(["readelf", "--wide", "--section-headers", str(first)], check=True, capture_output=True, text=True)
    names = [line.partition("] ")[2].split()[0] for line in said.stdout.splitlines() if "] ." in line]
    for name in names:
        contents = [
            subprocess.run(["objcopy", "-O", "binary", f"--only-section={name}", str(file), "/dev/stdout"], capture_output=True).stdout
            for file in (first, second)
        ]
        if contents[0] != contents[1]:
            found.append(f"{name} ({len(contents[0])} and {len(contents[1])} bytes)")
    return found or ["none that readelf names: compare the headers"]


def main() -> int:
    """Runs one of the three."""
    parser = argparse.ArgumentParser(prog="ci/bundle", description=__doc__)
    parser.add_argument("--executable", type=Path, help="take this all-clis and build none")
    parser.add_argument("--here", action="store_true", help="for jobs on this machine alone: do not ask where else it would run")
    parser.add_argument("--profile", default="release", help="of Cargo.toml; dev is quick, for trying it")
    parser.add_argument("--out", type=Path, default=PLACE / "sluice.tar.gz")
    parser.add_argument("--check", action="store_true", help="pack twice, and look inside")
    parser.add_argument("--rebuild", action="store_true", help="build the executable twice, in two folders (hours)")
    options = parser.parse_args()
    PLACE.mkdir(parents=True, exist_ok=True)
    try:
        if options.rebuild:
            rebuild(options.profile)
            return 0
        executable = options.executable
        if executable is None:
            executable = built_in(REPOSITORY, PLACE / "target", options.profile)
        executable = executable.resolve()
        if options.check:
            check(executable)
        else:
            say(f"{pack(executable, options.out, options.here)}  {options.out}")
    except Refused as why:
        say(f"FAILED: {why}")
        return 1
    except subprocess.CalledProcessError as error:
        say(f"FAILED: {' '.join(map(str, error.cmd))} ended with {error.returncode}\n{error.stderr or ''}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
