"""Classifying without thinking of workers."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, Iterator, List, Optional, Union

import pyarrow as pa
import pyarrow.parquet as pq

from . import _cli, _tables
from ._command import is_bundled
from ._shared import shared_worker
from .errors import LcclfError
from .worker import Counts, judge

Model = Union[str, "os.PathLike[str]", None]


def classify(
    data: Any,
    model: Model = None,
    *,
    layout: str = "wide",
    id_column: str = "oid",
    candid_column: str = "candid",
    max_rejected: Union[int, str, None] = None,
    rejects: Optional[List[Dict[str, Any]]] = None,
    progress: Optional[bool] = None,
    engine: Optional[str] = None,
    threads: Optional[int] = None,
    **options: Any,
) -> Any:
    """Classifies objects by their light-curve features.

    ``data`` is a pandas, Polars or pyarrow table, anything with ``__arrow_c_stream__``, or a path or address that lcclf
    reads itself (a file, a folder, ``s3://…``). The answer is the same kind of table; of a path, and of what has only
    ``__arrow_c_stream__``, a pyarrow Table; of a RecordBatchReader, a RecordBatchReader that classifies as it is read.
    It has the classified rows, in their order. A pandas table keeps its index; ids that are the index stay the index.

    ``model`` is a bundle's folder, ``name@version``, or a name in the store. ``layout`` is ``wide`` (one row an object),
    ``long`` (the rows of the Probability table) or ``nested``. Rows that cannot be classified are told in an LcclfWarning;
    ``max_rejected`` (a number, or ``"1%"``) makes it an LcclfError if there are more; a list given as ``rejects`` gets all
    of them. Further options are flags of ``lcclf classify``: ``rename={"old": "new"}``, ``rename_map``, ``margins``,
    ``duplicates``, ``limit``, … . The model stays open in a process of its own for the next call.

    Raises LcclfError, with ``code`` and ``hint``; TypeError for what is no table.
    """
    if _tables.is_path(data) and _is_for_pyarrow(data, options):
        data = pq.read_table(data)
    if _tables.is_path(data):
        flags = {"model": model, "layout": layout, "id_column": id_column, "candid_column": candid_column}
        return _classify_path(
            os.fspath(data), {**flags, "engine": engine, "threads": threads, **options}, max_rejected, rejects
        )
    asked = {
        **{"layout": layout, "id_column": id_column, "candid_column": candid_column},
        **{"max_rejected": max_rejected, "rejects": rejects, "progress": progress},
        **options,
    }
    if isinstance(data, pa.RecordBatchReader):
        with shared_worker(model, engine=engine, threads=threads) as worker:
            names = {"layout": layout, "id_column": id_column, "candid_column": candid_column}
            schema = worker.schema(like=data.schema, **names, **options)
        batches = stream_batches(data, model, engine=engine, threads=threads, **asked)
        return pa.RecordBatchReader.from_batches(schema, batches)
    with shared_worker(model, engine=engine, threads=threads) as worker:
        return worker.classify(data, **asked)


def stream_batches(
    batches: Any,
    model: Model = None,
    *,
    engine: Optional[str] = None,
    threads: Optional[int] = None,
    **options: Any,
) -> Iterator[pa.RecordBatch]:
    """Classifies batches as they come, for more rows than memory holds.

    ``batches`` gives pyarrow RecordBatches or tables of any kind, or is a RecordBatchReader. At most two batches are ahead
    of what was taken. Options are those of ``classify``; rejects are judged at the end.
    """
    with shared_worker(model, engine=engine, threads=threads) as worker:
        yield from worker.stream_batches(batches, **options)


def _is_for_pyarrow(path: Any, options: Dict[str, Any]) -> bool:
    """A Parquet file that the lcclf in this package cannot read, because DuckDB is not in it."""
    return os.fspath(path).endswith(".parquet") and os.path.isfile(path) and "where" not in options and is_bundled()


def _classify_path(
    path: str,
    options: Dict[str, Any],
    max_rejected: Union[int, str, None],
    rejects: Optional[List[Dict[str, Any]]],
) -> pa.Table:
    """By the command itself, which knows every format and every address."""
    with _cli.temporary_folder() as folder:
        receipt, refused, result = folder / "receipt.json", folder / "rejects.ndjson", folder / "result.arrow"
        flags = {**options, "to": result, "receipt": receipt, "rejects": refused, "quiet": True}
        code, _, lines = _cli.run(["classify", path, *_cli.flags_of(flags)])
        if not result.exists() or not receipt.exists():
            raise _cli.failed(code, lines)
        found = json.loads(receipt.read_text())
        with pa.memory_map(str(result)) as source:
            table = pa.ipc.open_file(source).read_all()
        told = [json.loads(line) for line in refused.read_text().splitlines()]
    counts = Counts()
    for one in found["inputs"]:
        counts.add(one)
    if rejects is not None:
        rejects.extend(told)
    judge(counts, told, max_rejected)
    if code not in (0, 3):
        raise LcclfError.of_exit(code, *(_cli.failed(code, lines).message, None))
    return table
