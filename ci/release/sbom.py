"""The bill of materials (CycloneDX 1.6): every crate that is linked, what C library it brings, the Snowflake driver and its parts.

From `cargo metadata` (what is linked, licences), Cargo.lock (checksums) and the sources of crates, which the checksums hold; so the
same lock gives the same bytes. What only builds (build scripts, macros) is listed with the scope `excluded`.
"""

from __future__ import annotations

import json
import re
import tomllib
import uuid
from datetime import UTC, datetime
from pathlib import Path

SPEC = "1.6"
# A crate that compiles a C library into the executable -> the library, its licence, where its version stands in the crate's, or
# else in which of its files.
C_LIBRARIES = {
    "rdkafka-sys": ("librdkafka", "BSD-2-Clause", r"\+(.+)", None),
    "openssl-src": ("openssl", "Apache-2.0", r"\+(.+)", None),
    "zstd-sys": ("zstd", "BSD-3-Clause", r"\+zstd\.(.+)", None),
    "lz4-sys": ("lz4", "BSD-2-Clause", r"\+lz4-(.+)", None),
    "libz-sys": ("zlib", "Zlib", r'#define ZLIB_VERSION "(.+)"', "src/zlib/zlib.h"),
    "liblzma-sys": (
        "xz", "0BSD", r"#define LZMA_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", "xz/src/liblzma/api/lzma/version.h",
    ),
    # The licence is the crate's, which names those of all the code that it compiles.
    "aws-lc-sys": ("aws-lc", None, r'#define AWSLC_VERSION_NUMBER_STRING "(.+)"', "aws-lc/include/openssl/base.h"),
}  # fmt: skip
# What claims a library's name (`links`) and brings none: its code is its own, or another crate's here.
NO_LIBRARY = frozenset({"aws-lc-rs", "openssl-sys", "rayon-core", "ring"})


def document(metadata: dict, lock: str, root: str, others: list[dict], epoch: int) -> dict:
    """Returns the bill of `root`, the workspace's package that is shipped; `others` are what `of_driver` and `of_rust` return."""
    checksums = {
        (package["name"], package["version"]): package.get("checksum") for package in tomllib.loads(lock)["package"]
    }
    packages = {package["id"]: package for package in metadata["packages"]}
    start = next(identity for identity, package in packages.items() if package["name"] == root)
    edges = {node["id"]: node["deps"] for node in metadata["resolve"]["nodes"]}
    linked = _reached(start, edges, packages, {None})
    built = _reached(start, edges, packages, {None, "build"}, through_macros=True)
    members = set(metadata["workspace_members"])
    components = [
        _component(packages[identity], checksums, identity in linked, identity in members) for identity in built - {start}
    ]
    components += [part for identity in built for part in _c_library(packages[identity])]
    components += others
    components.sort(key=lambda one: one["bom-ref"])
    own = packages[start]
    body = {
        "bomFormat": "CycloneDX", "specVersion": SPEC, "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {
                "type": "application", "bom-ref": "sluice", "name": "sluice", "version": own["version"],
                "licenses": _licenses(own),
            },
        },
        "components": components,
    }  # fmt: skip
    # Named by its content, so that the same content has the same name.
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(body, sort_keys=True))
    return {**body, "serialNumber": f"urn:uuid:{serial}"}


def render(found: dict) -> bytes:
    """Returns the document's bytes."""
    return (json.dumps(found, indent=1, sort_keys=True) + "\n").encode()


def _reached(start: str, edges: dict, packages: dict, kinds: set, *, through_macros: bool = False) -> set[str]:
    found, open_ends = {start}, [start]
    while open_ends:
        for edge in edges[open_ends.pop()]:
            if not kinds & {kind["kind"] for kind in edge["dep_kinds"]} or edge["pkg"] in found:
                continue
            # A macro runs in the compiler: neither it nor what it is made from is linked.
            if not through_macros and any("proc-macro" in target["kind"] for target in packages[edge["pkg"]]["targets"]):
                continue
            found.add(edge["pkg"])
            open_ends.append(edge["pkg"])
    return found


def _component(package: dict, checksums: dict, linked: bool, own: bool) -> dict:
    name, version = package["name"], package["version"]
    reference = f"sluice/{name}@{version}" if own else f"pkg:cargo/{name}@{version.replace('+', '%2B')}"
    found = {
        "type": "library", "bom-ref": reference, "name": name, "version": version, "licenses": _licenses(package),
        "scope": "required" if linked else "excluded",
    }  # fmt: skip
    if not own:
        found["purl"] = reference
        checksum = checksums.get((name, version))
        if not checksum:
            raise ValueError(f"Cargo.lock has no checksum of {name} {version}")
        found["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    return found


def _licenses(package: dict) -> list[dict]:
    """Returns the licence as an SPDX expression; `/` between licences is how crates wrote OR before there was one."""
    if package.get("license"):
        return [{"expression": package["license"].replace("/", " OR ")}]
    if package.get("license_file"):
        return [{"license": {"name": f"see {package['license_file']} of the crate"}}]
    raise ValueError(f"{package['name']} {package['version']} names no licence")


def _c_library(package: dict) -> list[dict]:
    if package["name"] not in C_LIBRARIES:
        if package.get("links") and package["name"] not in NO_LIBRARY:
            raise ValueError(f"{package['name']} links `{package['links']}`: say in {Path(__file__).name} which C library that is")
        return []
    name, license_, pattern, file = C_LIBRARIES[package["name"]]
    text = (Path(package["manifest_path"]).parent / file).read_text() if file else package["version"]
    version = ".".join(re.findall(pattern, text))
    if not version:
        raise ValueError(f"the version of {name} is not in {file or 'that'} of {package['name']} {package['version']}")
    licenses = [{"expression": license_}] if license_ else _licenses(package)
    reference = f"sluice/c/{name}@{version}"
    return [{
        "type": "library", "bom-ref": reference, "name": name, "version": version, "licenses": licenses,
        "scope": "required", "description": f"C source inside the crate {package['name']}, linked statically",
    }]  # fmt: skip


def of_rust(release: str) -> list[dict]:
    """Returns Rust's own library, which no lock names and every executable holds."""
    reference = f"pkg:generic/rust-std@{release}"
    return [{
        "type": "library", "bom-ref": reference, "purl": reference, "name": "rust-std", "version": release,
        "licenses": [{"expression": "MIT OR Apache-2.0"}], "scope": "required", "description": "linked statically",
    }]  # fmt: skip


def of_driver(name: str, version: str, modules: list[tuple[str, str]], licences: dict[str, str]) -> list[dict]:
    """Returns the driver of a wheel from PyPI, and the Go modules that are linked into it."""
    reference = f"pkg:pypi/{name}@{version}"
    found = [{
        "type": "library", "bom-ref": reference, "purl": reference, "name": name, "version": version,
        "licenses": [{"expression": "Apache-2.0"}], "scope": "required",
        "description": "shared library of the wheel, loaded by ingest-snowflake",
    }]  # fmt: skip
    for module, release in modules:
        reference = f"pkg:golang/{module.lower()}@{release.replace('+', '%2B')}"
        found.append({
            "type": "library", "bom-ref": reference, "purl": reference, "name": module, "version": release,
            "licenses": [{"expression": licences[module]}], "scope": "required", "description": f"Go module in {name}",
        })  # fmt: skip
    return found
