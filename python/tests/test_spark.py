"""Spark: DataFrames and streams, and what is left of them when processes are killed."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, List, Tuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import SAMPLE, SAMPLES
from test_parity import differing_bits

import lcclf


def java_version() -> int:
    """0 where there is none."""
    java = os.path.join(os.environ["JAVA_HOME"], "bin", "java") if "JAVA_HOME" in os.environ else shutil.which("java")
    if java is None:
        return 0
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', said)
    return int(found[1]) if found else 0


if java_version() < 17:
    pytest.skip("skipped: the tests of Spark need Java 17 or later, which is not here", allow_module_level=True)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("pyspark", reason="skipped: the tests of Spark need the package pyspark, which is not here")
    import spark_kafka
    from pyspark.sql import SparkSession
    from pyspark.sql.functions import col, from_json, struct, to_json

    import lcclf.spark

pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]
ZTF = str(SAMPLES / "ztf-300.parquet")
FILES = 8


def session() -> Any:
    """Two cores, tasks that may fail."""
    os.environ.update(PYSPARK_PYTHON=sys.executable, PYSPARK_DRIVER_PYTHON=sys.executable, SPARK_LOCAL_IP="127.0.0.1")
    settings = {
        **{"spark.master": "local[2,8]", "spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "2"},
        **{"spark.ui.showConsoleProgress": "false", "spark.log.level": "ERROR", "spark.driver.memory": "512m"},
        **{"spark.sql.execution.arrow.maxRecordsPerBatch": "100", "spark.sql.files.openCostInBytes": "128MB"},
    }
    if not spark_kafka.missing():
        settings["spark.jars"] = ",".join(spark_kafka.source_jars())
    builder = SparkSession.builder
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    # Spark's own handler of Ctrl-C outlives its session
    handler = signal.getsignal(signal.SIGINT)
    opened = session()
    yield opened
    opened.stop()
    signal.signal(signal.SIGINT, handler)


@pytest.fixture
def model(tmp_path: Path) -> str:
    """A model at a place of its own, by which its processes are found."""
    return str(shutil.copytree(SAMPLE, tmp_path / "model-of-this-test"))


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Tuple[str, pa.Table]:
    """2,400 objects in eight files, and their classes as `lcclf classify` says them of one file."""
    folder = tmp_path_factory.mktemp("many")
    table = pq.read_table(ZTF)
    for i in range(FILES):
        oids = pa.array([f"{oid}-{i}" for oid in table.column("oid").to_pylist()])
        pq.write_table(table.set_column(0, "oid", oids), folder / f"{i}.parquet")
    return str(folder), by_the_command(pq.read_table(folder), SAMPLE, tmp_path_factory.mktemp("command")).sort_by("oid")


def by_the_command(table: pa.Table, model: str, folder: Path) -> pa.Table:
    """What `lcclf classify FILE` says."""
    with pa.OSFile(str(folder / "rows.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return lcclf.classify(folder / "rows.arrow", model=model)


def same_rows(found: pa.Table, truth: pa.Table) -> bool:
    """Each row once, every bit of it."""
    return bool(found.cast(truth.schema).sort_by("oid") == truth)


def slow() -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Lets batches pass, but no more than five a second. Made here, so that it travels as a whole."""

    def slowly(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import time

        for batch in batches:
            time.sleep(0.2)
            yield batch

    return slowly


def processes_of(model: str) -> Dict[int, int]:
    """The lcclf processes of Spark with this model, and whose children they are."""
    found: Dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if b"worker" in words and model.encode() in words and parent not in (1, os.getpid()):
            found[int(folder.name)] = parent
    return found


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


def test_equal_to_scikit_learn_and_to_the_command(
    spark: Any, golden_frame: pd.DataFrame, bundle: str, golden: Dict[str, Any], tmp_path: Path
) -> None:
    # infinities, huge and missing values among them
    path = str(tmp_path / "golden.parquet")
    golden_frame.to_parquet(path, index=False)
    spark.sparkContext.setJobGroup("nothing", "")
    given = spark.read.schema(spark.read.parquet(path).schema).parquet(path)
    jobs = len(spark.sparkContext.statusTracker().getJobIdsForGroup("nothing"))
    result = lcclf.spark.classify(given, bundle)
    assert len(spark.sparkContext.statusTracker().getJobIdsForGroup("nothing")) == jobs
    found = result.toArrow()
    assert differing_bits(found.column, golden) == 0
    truth = by_the_command(pq.read_table(path), bundle, tmp_path)
    assert found.cast(truth.schema) == truth


@pytest.mark.parametrize("layout", ["long", "nested"])
def test_other_layouts(spark: Any, layout: str) -> None:
    found = lcclf.spark.classify(spark.read.parquet(ZTF), SAMPLE, layout=layout).toArrow()
    truth = lcclf.classify(ZTF, model=SAMPLE, layout=layout)
    assert found.schema.names == truth.schema.names
    assert found.to_pylist() == truth.to_pylist()


def test_rejects_are_left_out_and_counted(spark: Any, tmp_path: Path) -> None:
    rows = pq.read_table(ZTF).to_pylist()
    for place in (0, 299):
        rows[place]["oid"] = None
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "bad.parquet")
    given = spark.read.parquet(str(tmp_path / "bad.parquet"))
    counts = lcclf.spark.Counts(spark)
    found = lcclf.spark.classify(given, SAMPLE, counts=counts).toArrow()
    assert found.column("oid").to_pylist() == [row["oid"] for row in rows[1:299]]
    assert (counts.read, counts.classified, counts.rejected) == (300, 298, 2)
    assert list(counts.reasons.values()) == [2]
    with pytest.raises(Exception, match="2 of 300 rows were rejected"):
        lcclf.spark.classify(given, SAMPLE, max_rejected=1).count()


def test_what_cannot_be_is_said_at_once(spark: Any) -> None:
    given = spark.read.parquet(ZTF)
    with pytest.raises(lcclf.LcclfError, match="Amplitude_1"):
        lcclf.spark.classify(given.drop("Amplitude_1"), SAMPLE)
    with pytest.raises(lcclf.LcclfError, match="limit would be one of each partition"):
        lcclf.spark.classify(given, SAMPLE, limit=3)
    with pytest.raises(lcclf.LcclfError, match="not found"):
        lcclf.spark.classify(given, "/no/model/here")
    renamed = given.withColumnRenamed("Amplitude_1", "amp")
    assert lcclf.spark.classify(renamed, SAMPLE, rename={"amp": "Amplitude_1"}).count() == 300


def test_files_are_read_by_their_tasks(
    spark: Any, golden_frame: pd.DataFrame, bundle: str, golden: Dict[str, Any], tmp_path: Path
) -> None:
    # infinities, huge and missing values among them, in many row groups, below a folder of what is no data
    for folder in ("night=1", "_temporary"):
        (tmp_path / folder).mkdir()
    golden_frame.to_parquet(tmp_path / "night=1" / "golden.parquet", index=False, row_group_size=50)
    (tmp_path / "_temporary" / "half.parquet").write_bytes(b"PAR1")
    spark.sparkContext.setJobGroup("no files", "")
    result = lcclf.spark.classify_files(spark, tmp_path, bundle)
    assert not spark.sparkContext.statusTracker().getJobIdsForGroup("no files")
    found = result.toArrow()
    assert differing_bits(found.column, golden) == 0
    read_by_spark = spark.read.parquet(str(tmp_path / "night=1" / "golden.parquet"))
    assert found == lcclf.spark.classify(read_by_spark, bundle).toArrow()


def test_pieces_of_files_hold_every_row_once(spark: Any, many: Tuple[str, pa.Table], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lcclf._pieces._ROWS_A_PIECE", 250)
    whole = pq.read_table(many[0])
    with tempfile.TemporaryDirectory() as folder:
        pq.write_table(whole, f"{folder}/one.parquet", row_group_size=100)
        counts = lcclf.spark.Counts(spark)
        result = lcclf.spark.classify_files(spark, [f"file://{folder}/one.parquet"], SAMPLE, counts=counts)
        assert result.rdd.getNumPartitions() == 8
        assert same_rows(result.toArrow(), many[1])
    assert (counts.read, counts.classified) == (300 * FILES, 300 * FILES)


def test_files_that_cannot_be_read_are_named_at_once(spark: Any, tmp_path: Path) -> None:
    table = pq.read_table(ZTF)
    numbers = table.set_column(0, "oid", pa.array(range(300)))
    pq.write_table(numbers, tmp_path / "numbers.parquet")
    pq.write_table(table.drop_columns(["Amplitude_1"]), tmp_path / "few.parquet")
    (tmp_path / "text.parquet").write_text("no Parquet")
    for paths, message in [
        ([ZTF, tmp_path / "numbers.parquet"], "numbers.parquet: column of object ids oid is int64, and string in .*ztf-300"),
        (tmp_path / "few.parquet", "Amplitude_1"),
        (tmp_path / "text.parquet", "text.parquet: "),
        (tmp_path / "absent.parquet", "absent.parquet: no such file or folder"),
        ([], "no files"),
    ]:
        with pytest.raises(lcclf.LcclfError, match=message):
            lcclf.spark.classify_files(spark, paths, SAMPLE)


def test_processes_stay_warm_between_tasks(spark: Any, many: Tuple[str, pa.Table], model: str) -> None:
    result = lcclf.spark.classify(spark.read.parquet(many[0]), model)
    assert same_rows(result.toArrow(), many[1])
    first = processes_of(model)
    assert 1 <= len(first) <= 2
    assert len(set(first.values())) == len(first)
    assert result.count() == 300 * FILES
    assert processes_of(model).keys() >= first.keys()


def test_the_bundle_travels(spark: Any, many: Tuple[str, pa.Table], model: str) -> None:
    result = lcclf.spark.classify(spark.read.parquet(many[0]), model, ship=True)
    shutil.rmtree(model)
    assert same_rows(result.toArrow(), many[1])


def test_another_model_of_the_same_name_is_refused(spark: Any, bundle: str, model: str) -> None:
    result = lcclf.spark.classify(spark.read.parquet(ZTF), model)
    shutil.rmtree(model)
    shutil.copytree(bundle, model)
    with pytest.raises(Exception, match="is another model"):
        result.count()


def test_killed_processes_cost_no_row(
    spark: Any, many: Tuple[str, pa.Table], model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = spark.read.parquet(many[0]).mapInArrow(slow(), spark.read.parquet(many[0]).schema)
    out = str(tmp_path / "out")
    tracker = spark.sparkContext.statusTracker()

    def write() -> None:
        spark.sparkContext.setJobGroup("killed", "")
        lcclf.spark.classify(given, model).write.parquet(out)

    def failed_tasks() -> int:
        jobs = [tracker.getJobInfo(job) for job in tracker.getJobIdsForGroup("killed")]
        stages = [tracker.getStageInfo(stage) for job in jobs for stage in job.stageIds]
        return sum(stage.numFailedTasks for stage in stages if stage)

    writer = threading.Thread(target=write)
    writer.start()
    killed: List[str] = []
    for who in ("lcclf", "Python"):
        before = failed_tasks()
        while writer.is_alive() and failed_tasks() == before:
            found = processes_of(model)
            for process, parent in list(found.items())[:1]:
                os.kill(process if who == "lcclf" else parent, signal.SIGKILL)
                killed.append(who)
            time.sleep(0.7 if found else 0.02)
    failures = failed_tasks()
    assert writer.is_alive()
    writer.join(120)
    assert {"lcclf", "Python"} <= set(killed)
    assert failures >= 2
    assert same_rows(pq.read_table(out), many[1])
    with capsys.disabled():
        told = ", ".join(f"{killed.count(who)} of {who}" for who in ("lcclf", "Python"))
        print(f"\nkilled {told}; {failures} tasks failed; {300 * FILES:,} of {300 * FILES:,} rows, each once")


def stream(spark: Any, given: str, model: str, folder: str, **trigger: Any) -> Any:
    """One file at a time, from its checkpoint."""
    rows = spark.readStream.schema(spark.read.parquet(given).schema).option("maxFilesPerTrigger", 1).parquet(given)
    classes = lcclf.spark.classify(rows.mapInArrow(slow(), rows.schema), model)
    writer = classes.writeStream.format("parquet").option("checkpointLocation", f"{folder}/checkpoint")
    return (writer.trigger(**trigger) if trigger else writer).start(f"{folder}/out")


def test_a_killed_driver_goes_on_from_its_checkpoint(
    spark: Any, many: Tuple[str, pa.Table], model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commits = tmp_path / "checkpoint" / "commits"

    def done() -> int:
        return len(list(commits.glob("[0-9]*"))) if commits.is_dir() else 0

    words = json.dumps([many[0], model, str(tmp_path)])
    program = f"import test_spark as t; t.stream(t.session(), *{words}).awaitTermination()"
    with open(tmp_path / "driver.log", "wb") as log:
        driver = subprocess.Popen(
            [sys.executable, "-c", program],
            cwd=Path(__file__).parent,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        until(lambda: done() >= 2 or driver.poll() is not None, 240)
        assert driver.poll() is None, (tmp_path / "driver.log").read_text()[-2000:]
    finally:
        # Java too
        os.killpg(driver.pid, signal.SIGKILL)
        driver.wait()
    before = done()
    assert 2 <= before < FILES
    until(lambda: not processes_of(model))
    stream(spark, many[0], model, str(tmp_path), availableNow=True).awaitTermination()
    assert done() >= FILES
    # through its log, which knows what a dead driver left
    assert same_rows(spark.read.parquet(str(tmp_path / "out")).toArrow(), many[1])
    with capsys.disabled():
        print(f"\ndriver killed after {before} of {FILES} batches; all {300 * FILES:,} rows, each once")


def test_each_batch_of_a_stream(spark: Any, many: Tuple[str, pa.Table], tmp_path: Path) -> None:
    rows = spark.readStream.schema(spark.read.parquet(many[0]).schema).option("maxFilesPerTrigger", 4).parquet(many[0])

    def write(batch: Any, number: int) -> None:
        lcclf.spark.classify(batch, SAMPLE).write.mode("overwrite").parquet(str(tmp_path / f"out/batch={number}"))

    query = rows.writeStream.foreachBatch(write).option("checkpointLocation", str(tmp_path / "checkpoint"))
    query.trigger(availableNow=True).start().awaitTermination()
    found = spark.read.parquet(str(tmp_path / "out")).drop("batch")
    assert same_rows(found.toArrow(), many[1])


@pytest.mark.skipif(bool(spark_kafka.missing()), reason=f"skipped: a stream from Kafka needs {spark_kafka.missing()}")
def test_a_stream_from_kafka(spark: Any, many: Tuple[str, pa.Table], tmp_path: Path) -> None:
    features = spark.read.parquet(many[0])
    messages = features.select(col("oid").alias("key"), to_json(struct("*")).alias("value"))
    half = [messages.where(f"{'' if first else 'not '}key < 'ZTF20'") for first in (True, False)]
    with spark_kafka.broker(tmp_path) as server:
        kafka = {"kafka.bootstrap.servers": server, "topic": "features", "subscribe": "features", "startingOffsets": "earliest"}
        for part in half:
            part.write.format("kafka").options(**kafka).save()
            alerts = spark.readStream.format("kafka").options(**kafka).load()
            rows = alerts.select(from_json(col("value").cast("string"), features.schema).alias("row")).select("row.*")
            query = lcclf.spark.classify(rows, SAMPLE).writeStream.format("parquet")
            query = query.option("checkpointLocation", str(tmp_path / "checkpoint")).trigger(availableNow=True)
            # the second goes on where the first ended
            query.start(str(tmp_path / "out")).awaitTermination()
    assert min(part.count() for part in half) > 0
    assert same_rows(spark.read.parquet(str(tmp_path / "out")).toArrow(), many[1])
