"""Trino 476 over Glue on moto and S3 on SeaweedFS: the engine behind Athena, as a reader that shares no code with the writers.

Fetched by Maven once (821 MB; 394 MB are kept: the server and the delta_lake plugin). Needs Java 22 or newer.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tarfile
import urllib.request
from pathlib import Path

import trino

import places
import processes

VERSION = "476"
NAME = "trino"
JAVA_MIN = 22
# A machine that is busy with other engines takes many times the usual 15 s.
START_SECONDS_MAX = 600
KEPT = ("bin/", "lib/", "plugin/delta-lake/")
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"
CATALOG = "delta"


class NotHere(Exception):
    """Why Trino cannot run on this machine."""


def java() -> Path:
    """Returns the home of a Java that is new enough."""
    candidates = [os.environ.get("JAVA_HOME", ""), *sorted(map(str, Path("/usr/lib/jvm").glob("*")), reverse=True)]
    for home in filter(None, candidates):
        program = Path(home) / "bin" / "java"
        if not program.is_file():
            continue
        said = subprocess.run([program, "-version"], capture_output=True, text=True, check=False).stderr
        version = re.search(r'version "(\d+)', said)
        if version and int(version[1]) >= JAVA_MIN:
            return Path(home)
    raise NotHere(f"Trino {VERSION} needs Java {JAVA_MIN} or newer: set JAVA_HOME to one")


def server() -> Path:
    """Returns the server's folder, fetched when it is missing."""
    cache = Path(os.environ.get("SLUICE_CACHE") or places.AWS).resolve() / f"trino-{VERSION}"
    if (cache / ".complete").is_file():
        return cache
    print(f"aws-local: fetching Trino {VERSION} by Maven (821 MB, once)", flush=True)
    shutil.rmtree(cache, ignore_errors=True)
    cache.mkdir(parents=True)
    command = ["mvn", "-q", "-B", COPY, f"-Dartifact=io.trino:trino-server:{VERSION}:tar.gz", f"-DoutputDirectory={cache}"]
    done = subprocess.run(command, cwd=cache, capture_output=True, text=True, check=False)
    archive = cache / f"trino-server-{VERSION}.tar.gz"
    if done.returncode != 0 or not archive.is_file():
        raise NotHere(f"Maven could not fetch Trino: {(done.stdout + done.stderr).strip()[-500:]}")
    _unpack(archive, cache)
    archive.unlink()
    (cache / ".complete").touch()
    return cache


def _unpack(archive: Path, cache: Path) -> None:
    """Unpacks what is kept. Jars that plugins share stand once, in whichever comes first, and are links in the others."""
    with tarfile.open(archive) as opened:
        links = {_inside(one.name): _inside(one.linkname) for one in opened if one.islnk()}
    wanted: dict[str, list[str]] = {}
    for name, target in links.items():
        if name.startswith(KEPT):
            wanted.setdefault(target, []).append(name)
    # A second reading, so that each file is met in its order: going back in a packed file means to begin anew.
    with tarfile.open(archive, "r|gz") as opened:
        for member in opened:
            name = _inside(member.name)
            names = [name] if name.startswith(KEPT) else []
            if member.isreg():
                names += wanted.get(name, [])
            if names and not member.islnk():
                member.name = names[0]
                opened.extract(member, cache, filter="tar")
                for other in names[1:]:
                    (cache / other).parent.mkdir(parents=True, exist_ok=True)
                    os.link(cache / names[0], cache / other)


def _inside(name: str) -> str:
    return name.removeprefix(f"trino-server-{VERSION}/")


def configure(known: dict[str, str], port: int) -> Path:
    """Writes the configuration and returns its folder."""
    etc = places.TRINO / "etc"
    (etc / "catalog").mkdir(parents=True, exist_ok=True)
    key, secret = known["AWS_ACCESS_KEY_ID"], known["AWS_SECRET_ACCESS_KEY"]
    files = {
        "config.properties": [
            "coordinator=true", "node-scheduler.include-coordinator=true", f"http-server.http.port={port}",
            "node.internal-address=127.0.0.1", "node.bind-ip=127.0.0.1", f"discovery.uri=http://127.0.0.1:{port}",
            "query.max-memory=256MB", "query.max-memory-per-node=256MB", "memory.heap-headroom-per-node=128MB",
            "catalog.management=static",
        ],
        "node.properties": ["node.environment=local", "node.id=local", f"node.data-dir={places.TRINO / 'data'}"],
        "jvm.config": [
            "-server", "-Xmx768M", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError",
            "-XX:-OmitStackTraceInFastThrow", "-XX:ReservedCodeCacheSize=256M", "-Djdk.attach.allowAttachSelf=true",
            "-Dfile.encoding=UTF-8", "--enable-native-access=ALL-UNNAMED", "--add-modules=jdk.incubator.vector",
        ],
        f"catalog/{CATALOG}.properties": [
            "connector.name=delta_lake", "hive.metastore=glue", f"hive.metastore.glue.region={places.REGION}",
            f"hive.metastore.glue.endpoint-url={known['AWS_ENDPOINT_URL_GLUE']}", f"hive.metastore.glue.aws-access-key={key}",
            f"hive.metastore.glue.aws-secret-key={secret}", "fs.native-s3.enabled=true",
            f"s3.endpoint={known['AWS_ENDPOINT_URL_S3']}", f"s3.region={places.REGION}", "s3.path-style-access=true",
            f"s3.aws-access-key={key}", f"s3.aws-secret-key={secret}",
        ],
    }  # fmt: skip
    for name, lines in files.items():
        file = etc / name
        file.touch(mode=0o600)
        file.write_text("\n".join(lines) + "\n")
    return etc


def start(known: dict[str, str], port: int) -> None:
    """Starts Trino unless it runs, and waits until it answers a query."""
    if processes.running(NAME) is None:
        home, folder = java(), server()
        etc = configure(known, port)
        environment = {"PATH": f"{home / 'bin'}:{os.environ['PATH']}", "JAVA_HOME": str(home), "HOME": str(places.TRINO)}
        processes.start(NAME, [str(folder / "bin" / "launcher"), "run", f"--etc-dir={etc}"], environment)
    processes.wait_until(NAME, lambda: _started(port) and _asked(port), START_SECONDS_MAX)


def _started(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/info", timeout=5) as answer:
            return json.load(answer)["starting"] is False
    except (OSError, ValueError, KeyError):
        return False


def _asked(port: int) -> bool:
    """A server that says it has started may still have no node to run a query on."""
    try:
        return query(port, "SHOW CATALOGS") is not None
    except trino.exceptions.Error:
        return False


def query(port: int, text: str) -> list[list]:
    """Runs a query and returns its rows."""
    cursor = trino.dbapi.connect(host="127.0.0.1", port=port, user="local", catalog=CATALOG, max_attempts=1).cursor()
    cursor.execute(text)
    return cursor.fetchall()
