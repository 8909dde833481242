"""Apache Kafka: fetched by Maven, one KRaft node with a plain and a SASL_SSL listener (SCRAM-SHA-512).

The cluster id is derived from the data's stamp: a broker with other data is another cluster.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

import places
import processes
import state

VERSION = "4.3.1"
NAME = "kafka"
FOLDER = places.SOURCES / "kafka"
COPY_JARS = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
HERE = Path(__file__).parent
RECIPE = HERE / "kafka"
# The records' timestamps lie in 2017, and tests may come years later.
TOPIC_CONFIG = {"retention.ms": "-1", "retention.bytes": "-1", "message.timestamp.type": "CreateTime"}


def jars() -> Path:
    """Returns the folder with the broker's jars, fetched once and checked against `kafka/jars.sha256`."""
    cache = Path(os.environ.get("SLUICE_CACHE") or places.SOURCES).resolve() / f"kafka-{VERSION}"
    lib = cache / "lib"
    if not (cache / ".complete").is_file():
        print(f"sources: fetching Apache Kafka {VERSION} by Maven (44 MB, once)")
        shutil.rmtree(lib, ignore_errors=True)
        lib.mkdir(parents=True, exist_ok=True)
        command = ["mvn", "-q", "-B", "-f", str(RECIPE / "pom.xml"), f"-DoutputDirectory={lib}", COPY_JARS]
        done = subprocess.run(command, cwd=cache, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"sources: Maven could not fetch Kafka:\n{done.stdout}{done.stderr}")
        _check_jars(lib)
        (cache / ".complete").touch()
    return lib


def _check_jars(lib: Path) -> None:
    lines = (RECIPE / "jars.sha256").read_text().splitlines()
    wanted = {name: digest for digest, name in map(str.split, lines)}
    found = {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in lib.glob("*.jar")}
    wrong = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
    if wrong:
        raise SystemExit(f"sources: Kafka's jars are not those of kafka/jars.sha256: {', '.join(wrong)}")


def _java() -> str:
    home = os.environ.get("JAVA_HOME")
    return str(Path(home) / "bin" / "java") if home else "java"


def prepare(stamp: str) -> None:
    """Makes certificates, configuration and the empty log of a new broker, unless there is one."""
    if (FOLDER / "data" / "meta.properties").is_file():
        return
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    subprocess.run([HERE / "certificates", FOLDER / "tls"], check=True)
    _choose_ports()
    cluster = base64.urlsafe_b64encode(b"\x10" + hashlib.sha256(stamp.encode()).digest()[:15]).decode().rstrip("=")
    credentials = f"SCRAM-SHA-512=[name=alice,password={state.secret('kafka/alice')}]"
    subprocess.run(
        [_java(), "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{jars()}/*",
         "kafka.tools.StorageTool", "format", "--standalone", "-t", cluster, "-c", FOLDER / "server.properties",
         "--add-scram", credentials],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip


def _choose_ports() -> dict[str, int]:
    """Writes the configuration with free ports, the old ones if they still are."""
    before = state.ports()
    chosen = {
        name: processes.free_port(before.get(name))
        for name in ("kafka", "kafka_secure", "kafka_controller", "kafka_jmx")
    }
    if len(set(chosen.values())) < len(chosen):
        chosen = {name: processes.free_port() for name in chosen}
    state.keep_ports(chosen)
    text = (RECIPE / "server.properties.in").read_text()
    for mark, value in (("PORT", "kafka"), ("SECURE_PORT", "kafka_secure"), ("CONTROLLER_PORT", "kafka_controller")):
        text = text.replace(f"@{mark}@", str(chosen[value]))
    (FOLDER / "server.properties").write_text(text.replace("@DIR@", str(FOLDER)))
    return chosen


def start(stamp: str) -> None:
    """Starts the broker, unless it runs. The heap is small and the compiler quick: it serves a test."""
    if processes.running(NAME) is not None:
        return
    lib = jars()
    prepare(stamp)
    chosen = _choose_ports()
    processes.start(NAME, [
        _java(), "-Xmx512m", "-Xms128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true",
        f"-Dcom.sun.management.jmxremote.port={chosen['kafka_jmx']}",
        f"-Dcom.sun.management.jmxremote.rmi.port={chosen['kafka_jmx']}",
        "-Dcom.sun.management.jmxremote.host=127.0.0.1", "-Djava.rmi.server.hostname=127.0.0.1",
        "-Dcom.sun.management.jmxremote.authenticate=false", "-Dcom.sun.management.jmxremote.ssl=false",
        "-cp", f"{lib}/*", "kafka.Kafka", str(FOLDER / "server.properties"),
    ])  # fmt: skip


def bootstrap() -> str:
    """Returns the address of the plain listener."""
    return f"127.0.0.1:{state.ports()['kafka']}"


def admin() -> AdminClient:
    """Returns a client that stays quiet while the broker is not there yet."""
    return AdminClient({"bootstrap.servers": bootstrap(), "log_level": 0, "reconnect.backoff.max.ms": 200})


def wait_ready() -> None:
    """Waits until the broker answers, has the topic, and leads every partition of it."""
    client = admin()
    processes.wait_until(NAME, lambda: _brokers(client))
    if places.TOPIC not in client.list_topics(timeout=10).topics:
        topic = NewTopic(places.TOPIC, places.PARTITIONS, 1, config=TOPIC_CONFIG)
        client.create_topics([topic])[places.TOPIC].result(30)
    processes.wait_until(NAME, lambda: _marks_or_none(client) is not None)


def _brokers(client: AdminClient) -> bool:
    try:
        return bool(client.list_topics(timeout=0.5).brokers)
    except KafkaException:
        return False


def high_watermarks() -> list[int]:
    """Returns the next offset of each partition, once every partition's leader answers."""
    client = admin()
    found: list[int] = []

    def answers() -> bool:
        found[:] = _marks_or_none(client) or []
        return bool(found)

    processes.wait_until(NAME, answers)
    return found


def _marks_or_none(client: AdminClient) -> list[int] | None:
    partitions = [TopicPartition(places.TOPIC, number) for number in range(places.PARTITIONS)]
    try:
        found = client.list_offsets({partition: OffsetSpec.latest() for partition in partitions}, request_timeout=2)
        return [found[partition].result(3).offset for partition in partitions]
    except KafkaException:
        return None


def fetched() -> dict[str, int]:
    """Returns the broker's own counters, over JMX: bytes of records handed out, and fetch requests answered."""
    server = f"service:jmx:rmi:///jndi/rmi://127.0.0.1:{state.ports()['kafka_jmx']}/jmxrmi"
    names = {
        "kafka_record_bytes_fetched": f"kafka.server:type=BrokerTopicMetrics,name=BytesOutPerSec,topic={places.TOPIC}",
        "kafka_fetch_requests": f"kafka.server:type=BrokerTopicMetrics,name=TotalFetchRequestsPerSec,topic={places.TOPIC}",
    }
    command = [_java(), "-XX:TieredStopAtLevel=1", "-cp", f"{jars()}/*", "org.apache.kafka.tools.JmxTool", "--one-time",
               "--jmx-url", server, "--attributes", "Count", "--report-format", "properties"]  # fmt: skip
    # The last one is always there: without any match the tool fails, and a topic's counter begins with its first use.
    for name in (*names.values(), "kafka.server:type=BrokerTopicMetrics,name=BytesOutPerSec"):
        command += ["--object-name", name]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    values = dict(line.rsplit("=", 1) for line in found.splitlines() if "=" in line)
    return {key: int(values.get(f"{name}:Count", 0)) for key, name in names.items()}
