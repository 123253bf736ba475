"""What Spark needs to read from Kafka, and a broker: jars of Maven's, a process of Java's."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Iterator, List

import pyspark
from conftest import ROOT

#: as test/support/kafka-jars.ts fetches them
_BROKER = ROOT / ".cache" / "kafka" / "4.1.1"
_CACHE = ROOT / ".cache" / "spark-kafka"
_JARS = [
    f"org.apache.spark:spark-sql-kafka-0-10_2.13:{pyspark.__version__}",
    f"org.apache.spark:spark-token-provider-kafka-0-10_2.13:{pyspark.__version__}",
    "org.apache.kafka:kafka-clients:3.9.1",
    "org.apache.commons:commons-pool2:2.12.1",
]
_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
_SETTINGS = """
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:{controller}
log.dirs={folder}/log
offsets.topic.replication.factor=1
"""


def missing() -> str:
    """Why there can be no stream from Kafka here; empty where there can."""
    if shutil.which("mvn") is None:
        return "Maven, which fetches Spark's source"
    return "" if _BROKER.is_dir() else f"the broker of the tests in {_BROKER}, which npm test fetches"


def source_jars() -> List[str]:
    """Spark's source for Kafka, fetched once."""
    folder = _CACHE / pyspark.__version__
    if not folder.is_dir():
        beside = folder.with_suffix(f".{os.getpid()}")
        for jar in _JARS:
            words = ["mvn", "-q", "-B", _PLUGIN, f"-Dartifact={jar}", f"-DoutputDirectory={beside}"]
            subprocess.run(words, check=True, timeout=300)
        beside.rename(folder)
    return [str(jar) for jar in folder.glob("*.jar")]


@contextlib.contextmanager
def broker(folder: Path) -> Iterator[str]:
    """A broker of its own; answers its address."""
    port, controller = _free_port(), _free_port()
    settings = folder / "server.properties"
    settings.write_text(_SETTINGS.format(port=port, controller=controller, folder=folder))
    java = ["java", "-Xmx512m", "-XX:+UseSerialGC", "-cp", f"{_BROKER}/*"]
    cluster = ["-t", "lcclf-test-cluster-0000", "-c", str(settings)]
    subprocess.run([*java, "kafka.tools.StorageTool", "format", *cluster], check=True, stdout=subprocess.DEVNULL)
    with open(folder / "broker.log", "wb") as log:
        process = subprocess.Popen([*java, "kafka.Kafka", str(settings)], stdout=log, stderr=log)
    try:
        _wait_for(port, process)
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.2)
    raise AssertionError("the broker does not answer")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
