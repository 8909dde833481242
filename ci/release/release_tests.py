"""What the parts of the bundle promise, on small files: ci/bundle --test."""

from __future__ import annotations

import os
import subprocess
import tempfile
import unittest
import unittest.mock
from pathlib import Path

import archive
import bundle
import compiler
import elf
import go_modules
import sbom
from archive import Entry

PROGRAM = "#include <math.h>\nint main(int c, char **v) { volatile double x = c; return hypot(x, 4) > 100; }\n"
LOCK = """
[[package]]
name = "e2e"
version = "0.1.0"
[[package]]
name = "serde"
version = "1.0.0"
source = "registry"
checksum = "aa00000000000000000000000000000000000000000000000000000000000000"
[[package]]
name = "macros"
version = "1.0.0"
source = "registry"
checksum = "bb00000000000000000000000000000000000000000000000000000000000000"
[[package]]
name = "zstd-sys"
version = "2.1.3+zstd.1.5.7"
source = "registry"
checksum = "cc00000000000000000000000000000000000000000000000000000000000000"
[[package]]
name = "only-tests"
version = "1.0.0"
source = "registry"
checksum = "dd00000000000000000000000000000000000000000000000000000000000000"
"""


def package(name: str, version: str = "1.0.0", licence: str | None = "MIT/Apache-2.0", kind: str = "lib") -> dict:
    """Returns a package as `cargo metadata` shows it."""
    return {"id": name, "name": name, "version": version, "license": licence, "license_file": None, "targets": [{"kind": [kind]}]}


def edge(name: str, kind: str | None = None) -> dict:
    """Returns an edge of the resolved graph."""
    return {"pkg": name, "dep_kinds": [{"kind": kind, "target": None}]}


METADATA = {
    "packages": [
        package("e2e", "0.1.0", "Apache-2.0"), package("serde"), package("macros", kind="proc-macro"),
        package("zstd-sys", "2.1.3+zstd.1.5.7"), package("only-tests"),
    ],
    "workspace_members": ["e2e"],
    "resolve": {"nodes": [
        {"id": "e2e", "deps": [edge("serde"), edge("only-tests", "dev")]},
        {"id": "serde", "deps": [edge("macros"), edge("zstd-sys")]}, {"id": "macros", "deps": []}, {"id": "zstd-sys", "deps": []},
        {"id": "only-tests", "deps": []},
    ]},
}  # fmt: skip

OTHERS = sbom.of_driver("driver", "1.11.0", [("github.com/A/b", "v1.0.0+incompatible")], {"github.com/A/b": "MIT"}) + sbom.of_rust("1.95.0")


class Bill(unittest.TestCase):
    """The bill of materials."""

    def setUp(self) -> None:
        self.found = sbom.document(METADATA, LOCK, "e2e", OTHERS, 1700000000)
        self.parts = {one["name"]: one for one in self.found["components"]}

    def test_it_lists_what_is_linked_and_what_only_builds_and_no_test(self) -> None:
        scopes = {name: one["scope"] for name, one in self.parts.items()}
        self.assertEqual(scopes, {
            "serde": "required", "macros": "excluded", "zstd-sys": "required", "zstd": "required", "driver": "required",
            "github.com/A/b": "required", "rust-std": "required",
        })  # fmt: skip

    def test_it_knows_the_c_library_in_a_crate(self) -> None:
        self.assertEqual(self.parts["zstd"]["version"], "1.5.7")

    def test_it_has_checksums_and_spdx(self) -> None:
        self.assertTrue(self.parts["serde"]["hashes"][0]["content"].startswith("aa"))
        self.assertEqual(self.parts["serde"]["licenses"], [{"expression": "MIT OR Apache-2.0"}])

    def parts_with(self, crate: dict, lock: str = LOCK) -> dict:
        """Returns the parts of a bill in which a crate takes the place of the one that has its id."""
        packages = [crate if one["id"] == crate["id"] else one for one in METADATA["packages"]]
        found = sbom.document({**METADATA, "packages": packages}, lock, "e2e", OTHERS, 0)
        return {one["name"]: one for one in found["components"]}

    def test_it_knows_the_go_modules_in_the_driver(self) -> None:
        module = self.parts["github.com/A/b"]
        self.assertEqual((module["purl"], module["licenses"]), ("pkg:golang/github.com/a/b@v1.0.0%2Bincompatible", [{"expression": "MIT"}]))

    def test_a_version_that_stands_in_the_sources_only_is_read_there(self) -> None:
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        header = folder / "src" / "zlib" / "zlib.h"
        header.parent.mkdir(parents=True)
        manifest = {"id": "zstd-sys", "links": "z", "manifest_path": str(folder / "Cargo.toml")}
        crate = {**package("libz-sys", "2.1.3+zstd.1.5.7"), **manifest}
        lock = LOCK.replace("zstd-sys", "libz-sys")
        header.write_text('#define ZLIB_VERSION "1.3.2"\nint a(ZLIB_VERSION);\n')
        zlib = self.parts_with(crate, lock)["zlib"]
        self.assertEqual((zlib["version"], zlib["licenses"]), ("1.3.2", [{"expression": "Zlib"}]))
        header.write_text("")
        with self.assertRaisesRegex(ValueError, "the version of zlib is not in src/zlib/zlib.h"):
            self.parts_with(crate, lock)

    def test_a_c_library_that_nobody_has_named_is_refused(self) -> None:
        with self.assertRaisesRegex(ValueError, "serde links `sqlite3`"):
            self.parts_with({**package("serde"), "links": "sqlite3"})

    def test_the_same_lock_gives_the_same_bytes(self) -> None:
        turned = {**METADATA, "packages": METADATA["packages"][::-1]}
        again = sbom.document(turned, LOCK, "e2e", OTHERS, 1700000000)
        self.assertEqual(sbom.render(again), sbom.render(self.found))

    def test_a_crate_without_a_licence_is_refused(self) -> None:
        bare = {**METADATA, "packages": [package("e2e", "0.1.0"), package("serde", licence=None), *METADATA["packages"][2:]]}
        with self.assertRaisesRegex(ValueError, "serde 1.0.0 names no licence"):
            sbom.document(bare, LOCK, "e2e", OTHERS, 0)


class GoModules(unittest.TestCase):
    """What Go's linker notes in a shared library."""

    def modules(self, *lines: str, flags: int = 2) -> list[tuple[str, str]]:
        """Returns the modules of a file with these lines."""
        release, listed = b"go1.26.1", b"<" * 16 + "\n".join(lines).encode() + b">" * 16
        length = bytes([len(listed) & 0x7F | 0x80, len(listed) >> 7])
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        file = folder / "driver.so"
        head = b"\xff Go buildinf:\x08" + bytes([flags]) + bytes(16)
        file.write_bytes(b"elf" + head + bytes([len(release)]) + release + length + listed + b"more")
        return go_modules.modules(file)

    def test_modules_come_with_their_versions_and_what_replaced_them(self) -> None:
        lines = ("path\ta.org/x", "mod\ta.org/x\t(devel)\t", "dep\tb.org/y\tv1.2.0\th1:x=", "dep\tc.org/z\tv2.0.0", "=>\td.org/z\tv2.1.0\th1:y=",
                 "build\t-compiler=gc")  # fmt: skip
        self.assertEqual(self.modules(*lines), [("std", "1.26.1"), ("b.org/y", "v1.2.0"), ("d.org/z", "v2.1.0")])

    def test_a_library_that_does_not_tell_is_refused(self) -> None:
        with self.assertRaisesRegex(ValueError, "does not tell"):
            self.modules("dep\tb.org/y\tv1.2.0\th1:x=", flags=0)
        with self.assertRaisesRegex(ValueError, "tells no Go module"):
            self.modules("path\ta.org/x" + " " * 100)

    def test_licences_are_the_wheels_words_and_none_may_be_missing(self) -> None:
        text = "b.org/y is under the MIT license.\n\nc.org/z/go is under the BSD-3-Clause license.\nc.org/zoo is under the X license.\n"
        found = go_modules.licences(text, ["b.org/y", "c.org/z", "std", "golang.org/x/net"])
        self.assertEqual(found, {"b.org/y": "MIT", "c.org/z": "BSD-3-Clause", "std": "BSD-3-Clause", "golang.org/x/net": "BSD-3-Clause"})
        with self.assertRaisesRegex(ValueError, "licence of stdlib"):
            go_modules.licences(text, ["stdlib"])


class Packed(unittest.TestCase):
    """The archive."""

    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def pack(self, name: str, entries: list[Entry]) -> str:
        """Packs and returns the hash."""
        archive.write(self.folder / name, entries, 1700000000)
        return archive.digest(self.folder / name)

    def test_order_time_and_place_leave_no_trace(self) -> None:
        file = self.folder / "file"
        file.write_text("content")
        entries = [Entry("bin/b", link="a"), Entry("bin/a", file=file, mode=0o755), Entry("note", content=b"x")]
        first = self.pack("one.tar.gz", entries)
        os.utime(file, (1, 1))
        file.chmod(0o600)
        self.assertEqual(self.pack("deeper/another.tar.gz", entries[::-1]), first)
        file.write_text("Content")
        self.assertNotEqual(self.pack("third.tar.gz", entries), first)

    def test_the_manifest_is_what_sha256sum_reads_links_included(self) -> None:
        self.pack("one.tar.gz", [Entry("bin/b", link="a"), Entry("bin/a", content=b"x")])
        subprocess.run(["tar", "xzf", "one.tar.gz"], cwd=self.folder, check=True)
        subprocess.run(["sha256sum", "--check", "--quiet", "MANIFEST"], cwd=self.folder, check=True)
        (self.folder / "bin" / "a").write_text("y")
        done = subprocess.run(["sha256sum", "--check", "--quiet", "MANIFEST"], cwd=self.folder, check=False, capture_output=True)
        self.assertNotEqual(done.returncode, 0)

    def test_two_entries_of_one_name_are_refused(self) -> None:
        with self.assertRaises(ValueError):
            self.pack("one.tar.gz", [Entry("a", content=b"x"), Entry("a", content=b"y")])


class Commit(unittest.TestCase):
    """What the archive says it is made of."""

    def test_what_is_changed_is_not_called_the_commit(self) -> None:
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.enterContext(unittest.mock.patch.object(bundle, "REPOSITORY", folder))
        names = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a"}
        self.enterContext(unittest.mock.patch.dict(os.environ, names))
        bundle.git("init", "--quiet")
        bundle.git("commit", "--quiet", "--allow-empty", "--message", "first")
        self.assertNotIn("changed", bundle.commit())
        for path in ("crates/a.rs", "ci/release/old_math.c", "rust-toolchain.toml", ".cargo/config.toml"):
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("x")
            self.assertTrue(bundle.commit().endswith("-changed"), path)
            file.unlink()


class Needs(unittest.TestCase):
    """What an executable needs."""

    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        (self.folder / "main.c").write_text(PROGRAM)

    def link(self, *more: str) -> elf.Needs:
        """Links the small program and reads what it needs."""
        command = ["cc", "-O1", "-fno-builtin", "main.c", *more, "-o", "main", "-Wl,--no-as-needed", "-lm"]
        subprocess.run(command, cwd=self.folder, check=True)
        return elf.read(self.folder / "main")

    def test_what_is_newer_than_the_system_is_named_with_its_symbol(self) -> None:
        needs = elf.Needs(frozenset({"libc.so.6", "libssl.so.3"}), {"GLIBC": {(2, 34), (2, 38)}}, {"GLIBC_2.38": {"__isoc23_strtol"}})
        said = elf.problems(needs)
        self.assertEqual(len(said), 2)
        self.assertIn("libssl.so.3", said[0])
        self.assertIn("GLIBC_2.38 is needed by __isoc23_strtol", said[1])

    def test_a_version_without_a_number_is_seen(self) -> None:
        # What a linker asks for that packs relocations: no symbol bears it, and glibc 2.34 does not know it.
        needs = self.link("-Wl,-z,pack-relative-relocs")
        self.assertEqual(needs.unnumbered, {"GLIBC_ABI_DT_RELR"})
        self.assertIn("GLIBC_ABI_DT_RELR is needed, and Amazon Linux 2023 is not known to have it", elf.problems(needs))

    def test_the_old_hypot_is_linked_and_works(self) -> None:
        needs = self.link("-fPIC", str(compiler.HERE / "old_math.c"))
        subprocess.run([self.folder / "main"], check=True)
        self.assertIn("libm.so.6", needs.libraries)
        self.assertLess(max(needs.versions["GLIBC"]), (2, 35))
        self.assertEqual(elf.problems(needs), [])
        self.assertTrue(any("hypot" in names for names in needs.symbols.values()))


if __name__ == "__main__":
    unittest.main()
