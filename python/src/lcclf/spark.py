"""Spark DataFrames: ``lcclf.spark.classify(df, model="bundle")``.

Every Python worker of Spark keeps one lcclf with its model open, from task to task, and ends it when it ends itself. What
cannot be classified by an lcclf that was killed fails its task; Spark runs it again.
"""

from __future__ import annotations

import tarfile
from collections import Counter
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Union

import pyarrow as pa
from pyspark import SparkFiles
from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema

from ._parts import Model, check_model, model_name, options_of_parts
from ._pieces import Paths, Piece, pieces_of
from ._shared import shared_worker

#: what no feature and no id is, and not all versions of Spark can tell Arrow about
_NO_FEATURES = {"binary", "date", "interval", "map", "struct", "timestamp", "timestamp_ntz", "variant"}


class Counts:
    """What became of the rows of a DataFrame, known once an action has run: ``classify(df, …, counts=counts)``.

    ``read``, ``classified`` and ``rejected`` are numbers of rows, ``reasons`` says how many were rejected why. They are
    accumulators: only tasks that end well count, but a DataFrame that is computed twice is counted twice.
    """

    def __init__(self, spark: Any) -> None:
        self._counter = spark.sparkContext.accumulator(Counter(), _CounterParam())

    @property
    def read(self) -> int:
        """Rows that were given."""
        return int(self._counter.value["read"])

    @property
    def classified(self) -> int:
        """Rows that have a class."""
        return self.read - self.rejected

    @property
    def rejected(self) -> int:
        """Rows that were left out."""
        return sum(self.reasons.values())

    @property
    def reasons(self) -> Dict[str, int]:
        """Rejected rows by reason."""
        return {name[1]: count for name, count in self._counter.value.items() if isinstance(name, tuple)}

    def __repr__(self) -> str:
        return f"Counts(read={self.read}, classified={self.classified}, rejected={self.rejected}, reasons={self.reasons})"


class _CounterParam:
    """How Spark adds up what tasks counted."""

    def zero(self, _: Any) -> "Counter[Any]":
        return Counter()

    def addInPlace(self, sum_: "Counter[Any]", more: Mapping[Any, int]) -> "Counter[Any]":  # noqa: N802
        sum_.update(more)
        return sum_


def classify(
    df: Any,
    model: Model = None,
    *,
    layout: str = "wide",
    id_column: str = "oid",
    candid_column: str = "candid",
    max_rejected: Union[int, str, None] = None,
    counts: Optional[Counts] = None,
    ship: bool = False,
    engine: Optional[str] = None,
    threads: Optional[int] = None,
    **options: Any,
) -> Any:
    """Classifies the rows of a DataFrame, of a batch or of a stream, and answers a DataFrame; runs no job.

    ``model`` is what executors find under this name: a bundle's folder that they share, ``name@version`` in their store. With
    ``ship=True`` it is the driver's, and travels to each executor once. ``layout`` and further options are those of
    lcclf.classify; the result has its columns (join others by ``oid``).

    Rows that cannot be classified are left out, told in the executors' logs and in ``counts``; ``max_rejected`` (a number, or
    ``"1%"``) fails a partition that has more. ``threads`` of each task are those of ``spark.task.cpus`` by default.

    Raises LcclfError where columns are missing or options cannot be.
    """
    names: Dict[str, Any] = {"layout": layout, "id_column": id_column, "candid_column": candid_column, **options}
    how: Dict[str, Any] = {"engine": engine, "threads": _task_cpus(df.sparkSession) if threads is None else threads}
    asked = options_of_parts(names, max_rejected, "partition")
    with shared_worker(model, **how) as worker:
        df = _needed_columns(df, [id_column, *worker.features], candid_column, options)
        schema = worker.schema(like=to_arrow_schema(df.schema), **names)
        place = _shipped(df.sparkSession.sparkContext, worker.model) if ship else None
        tasks = _Tasks(model_name(model), place, worker.model["sha256"], how, asked, counts)
    return df.mapInArrow(tasks, from_arrow_schema(schema))


def classify_files(
    spark: Any,
    paths: Paths,
    model: Model = None,
    *,
    layout: str = "wide",
    id_column: str = "oid",
    candid_column: str = "candid",
    max_rejected: Union[int, str, None] = None,
    counts: Optional[Counts] = None,
    ship: bool = False,
    engine: Optional[str] = None,
    threads: Optional[int] = None,
    **options: Any,
) -> Any:
    """Classifies Parquet files that every executor can read, and answers a DataFrame; runs no job.

    As ``classify(spark.read.parquet(…))`` with the same columns and rows, but tasks read the files themselves: Spark need not
    make rows of some hundred columns and Arrow of the rows, which costs as much as the forest. ``paths`` is a file, a folder
    (its files that end in .parquet), a list of them, or their addresses (``s3://``, ``hdfs://``). A task reads whole row
    groups, some ten thousand rows at once. Folders' names are no columns (``key=value``). Options are those of ``classify``.

    Raises LcclfError where columns are missing, options cannot be, or a file cannot be read.
    """
    names: Dict[str, Any] = {"layout": layout, "id_column": id_column, "candid_column": candid_column, **options}
    how: Dict[str, Any] = {"engine": engine, "threads": _task_cpus(spark) if threads is None else threads}
    asked = options_of_parts(names, max_rejected, "piece of a file")
    pieces, like = pieces_of(paths, {"column of object ids": id_column, "column of candids": candid_column})
    with shared_worker(model, **how) as worker:
        columns = _columns_to_read(like, [id_column, *worker.features], candid_column, options)
        schema = worker.schema(like=pa.schema([like.field(name) for name in columns]), **names)
        place = _shipped(spark.sparkContext, worker.model) if ship else None
        tasks = _Tasks(model_name(model), place, worker.model["sha256"], how, asked, counts)
    many = len(pieces)
    return spark.range(0, many, 1, many).mapInArrow(_PieceTasks(pieces, columns, tasks), from_arrow_schema(schema))


class _PieceTasks:
    """What runs in a Python worker of Spark that is given numbers of pieces."""

    def __init__(self, pieces: List[Piece], columns: List[str], tasks: "_Tasks") -> None:
        self._pieces = pieces
        self._columns = columns
        self._tasks = tasks

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for number in batch.column(0).to_pylist():
                yield from self._tasks(self._pieces[number].batches(self._columns))


class _Tasks:
    """What runs in a Python worker of Spark, once for each partition."""

    def __init__(
        self,
        model: Optional[str],
        place: Optional[str],
        sha256: str,
        how: Mapping[str, Any],
        options: Mapping[str, Any],
        counts: Optional[Counts],
    ) -> None:
        self._model = model
        self._place = place
        self._sha256 = sha256
        self._how = how
        self._options = options
        self._counter: Any = None if counts is None else counts._counter

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        model = self._model if self._place is None else SparkFiles.get(self._place)
        # all of them only where somebody counts: else a few for the log
        rejects: Optional[List[Dict[str, Any]]] = None if self._counter is None else []
        with shared_worker(model, **self._how) as worker:
            check_model(worker, self._sha256)
            for batch in worker.stream_batches(self._counted(batches), rejects=rejects, **self._options):
                yield batch
                self._count_rejects(rejects)
        self._count_rejects(rejects)

    def _counted(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            if self._counter is not None:
                self._counter.add({"read": batch.num_rows})
            yield batch

    def _count_rejects(self, rejects: Optional[List[Dict[str, Any]]]) -> None:
        if rejects:
            self._counter.add(Counter(("reason", reject["reason"]) for reject in rejects))
            rejects.clear()


def _task_cpus(spark: Any) -> int:
    return int(spark.conf.get("spark.task.cpus", "1"))


def _needed_columns(df: Any, wanted: List[str], candid_column: str, options: Mapping[str, Any]) -> Any:
    """What need not be read need not travel. All of it where a column is missing: then lcclf says what is wrong."""
    is_renamed = bool(options.keys() & {"rename", "rename_map"})
    if is_renamed or not set(wanted) <= set(df.columns):
        wanted = [field.name for field in df.schema if field.dataType.typeName() not in _NO_FEATURES]
    elif candid_column in df.columns:
        wanted = [*wanted, candid_column]
    # Spark knows no case: names that differ by it only could not be told apart
    if len({name.lower() for name in df.columns}) < len(df.columns):
        return df
    return df.select(*("`" + name.replace("`", "``") + "`" for name in dict.fromkeys(wanted)))


def _columns_to_read(schema: pa.Schema, wanted: List[str], candid_column: str, options: Mapping[str, Any]) -> List[str]:
    """As _needed_columns, of a file: what is missing is left to lcclf to say, and what nobody can read stays unread."""
    has = [field.name for field in schema if not _is_no_feature(field.type)]
    if options.keys() & {"rename", "rename_map"} or not set(wanted) <= set(has):
        return has
    return [name for name in dict.fromkeys([*wanted, candid_column]) if name in has]


def _is_no_feature(type_: pa.DataType) -> bool:
    return bool(pa.types.is_nested(type_) and not pa.types.is_list(type_)) or pa.types.is_temporal(type_)


def _shipped(context: Any, model: Mapping[str, Any]) -> str:
    """Gives every executor the driver's bundle, once, and answers the name under which it is there."""
    name = f"lcclf-{model['sha256'][:16]}"
    # Spark removes it with the application
    archive = Path(SparkFiles.getRootDirectory()) / f"{name}-bundle" / f"{name}.tar.gz"
    if not archive.is_file():
        archive.parent.mkdir(exist_ok=True)
        partial = archive.with_suffix(".partial")
        with tarfile.open(partial, "w:gz", compresslevel=1) as tar:
            tar.add(model["directory"], arcname=".")
        partial.rename(archive)
        context.addArchive(f"{archive}#{name}")
    return name

