"""A warm lcclf: a model that is opened once and classifies tables for as long as it is needed."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import warnings
import weakref
from collections import Counter, deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Callable, Deque, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

import pyarrow as pa

from . import _tables
from ._command import command
from ._connection import Answer, Connection
from ._progress import progress_bar
from .errors import LcclfError, LcclfWarning

#: rows of one request, so that two are under way while a third is made
_ROWS_AT_ONCE = 20_000
#: so few are sent as they are
_ROWS_UNMEASURED = 64
_BYTES_AT_ONCE = 64 * 1024 * 1024
#: requests that wait for their answers
_AHEAD = 2
_REJECTS_TOLD = 5


class Worker:
    """A model, opened once: ``with lcclf.Worker("bundle") as worker: worker.classify(table)``.

    ``model`` is a bundle's folder, ``name@version`` or a name in the store (its highest version), as on the command line;
    without one ``LCCLF_MODEL``, else what ``lcclf.lock`` pins, else the sample model, of which a warning says that it is
    a demonstration. Threads may share a worker; forks may not. A worker that ends, however it ends, raises LcclfError
    from then on: it is not started again.
    """

    def __init__(
        self,
        model: Union[str, "os.PathLike[str]", None] = None,
        *,
        engine: Optional[str] = None,
        threads: Optional[int] = None,
    ) -> None:
        words = [*command(), "worker"]
        for flag, value in (("--model", model), ("--engine", engine), ("--threads", threads)):
            if value is not None:
                words += [flag, os.fspath(value) if isinstance(value, os.PathLike) else str(value)]
        self._connection = Connection(words)
        # the process ends with this object, and with Python
        self._finalizer = weakref.finalize(self, self._connection.close)
        try:
            hello = self._connection.submit({"op": "hello"}).result().header
        except BaseException:
            self.close()
            raise
        #: ``name``, ``version``, ``classifierVersion``, ``sha256``, ``directory``, ``isDemonstration``, ``levels``, ``margins``
        self.model: Dict[str, Any] = hello["model"]
        #: names of the columns that a table must have, besides its ids
        self.features: List[str] = self.model["features"]
        #: of the lcclf that answers
        self.version: str = hello["version"]
        self._options: Sequence[str] = hello["options"]
        if self.model["isDemonstration"]:
            _warn(LcclfWarning("the sample model of lcclf answers: a demonstration, not a classification; name a model"))

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the process, once it has answered what it was asked. Harmless twice."""
        self._finalizer()

    @property
    def process_id(self) -> int:
        """Of the worker's process."""
        return self._connection.process_id

    @property
    def is_alive(self) -> bool:
        """Whether requests can be answered."""
        return self._connection.ended is None and self._finalizer.alive and self._connection.pid == os.getpid()

    def classify(
        self,
        data: Any,
        *,
        layout: str = "wide",
        id_column: str = "oid",
        candid_column: str = "candid",
        max_rejected: Union[int, str, None] = None,
        rejects: Optional[List[Dict[str, Any]]] = None,
        progress: Optional[bool] = None,
        **options: Any,
    ) -> Any:
        """Classifies a table and answers the same kind of table. See lcclf.classify."""
        names = {"id_column": id_column, "candid_column": candid_column}
        if isinstance(data, pa.RecordBatchReader):
            return self._classify_reader(data, layout=layout, max_rejected=max_rejected, **names, **options)
        given = _tables.given_table(data, **names)
        run = _Run(self, {"layout": layout, **names, **options}, max_rejected, rejects)
        table = run.prepared(given.table)
        with progress_bar(progress, table.num_rows, _ROWS_AT_ONCE) as advance:
            bodies = list(run.answers(run.cut(table), advance))
        result = pa.concat_tables([_tables.table_of(body) for body in bodies])
        run.judge()
        result = _tables.with_id_type(result, run.id_type)
        return given.answer(_tables.Outcome(result, run.rows_of(result)))

    def stream_batches(
        self,
        batches: Any,
        *,
        layout: str = "wide",
        id_column: str = "oid",
        candid_column: str = "candid",
        max_rejected: Union[int, str, None] = None,
        rejects: Optional[List[Dict[str, Any]]] = None,
        progress: Optional[bool] = None,
        **options: Any,
    ) -> Iterator[pa.RecordBatch]:
        """Classifies batches as they come, two ahead. See lcclf.stream_batches."""
        asked = {"layout": layout, "id_column": id_column, "candid_column": candid_column, **options}
        run = _Run(self, asked, max_rejected, rejects)
        run.refuse_whole_tables()

        def tables() -> Iterator[pa.Table]:
            for batch in _tables.batches_of(batches):
                yield from run.cut(run.prepared(pa.Table.from_batches([batch])))

        with progress_bar(progress, None, 0) as advance:
            for body in run.answers(tables(), advance):
                table = _tables.with_id_type(_tables.table_of(body), run.id_type)
                if table.num_rows > 0:
                    yield _tables.one_batch(table)
        run.judge()

    def schema(self, layout: str = "wide", *, like: Optional[pa.Schema] = None, **options: Any) -> pa.Schema:
        """The columns of a result, without classifying anything.

        ``like`` is the schema of the table to be classified: it decides the type of ``oid`` and whether there is a
        ``candid``. Without it, ``oid`` is a string and ``candid`` an int64. Options are those of ``classify``.
        """
        if like is None:
            ids = [
                pa.field(options.get("id_column", "oid"), pa.string()),
                pa.field(options.get("candid_column", "candid"), pa.int64()),
            ]
            like = pa.schema([*ids, *(pa.field(name, pa.float64()) for name in self.features)])
        run = _Run(self, {"layout": layout, **options}, None, None)
        bodies = list(run.answers([run.prepared(like.empty_table())], _nothing))
        result: pa.Schema = _tables.with_id_type(_tables.table_of(bodies[0]), run.id_type).schema
        return result

    def _classify_reader(self, reader: pa.RecordBatchReader, **options: Any) -> pa.RecordBatchReader:
        asked = {name: value for name, value in options.items() if name not in ("max_rejected",)}
        schema = self.schema(like=reader.schema, **asked)
        return pa.RecordBatchReader.from_batches(schema, self.stream_batches(reader, **options))

    def _submit(self, table: pa.Table, header: Mapping[str, Any]) -> "Future[Answer]":
        return self._connection.submit({"op": "classify", **header}, _tables.ipc_of(table))

    def _checked(self, options: Mapping[str, Any]) -> Dict[str, Any]:
        """Options under the names that a worker knows. Raises LcclfError for one that it does not have."""
        asked = {_camel_case(name): value for name, value in options.items() if value is not None}
        for name in asked:
            if name not in self._options:
                has = ", ".join(sorted(map(_snake_case, self._options)))
                raise LcclfError(f"classify has no option {_snake_case(name)}", code="usage", hint=f"It has {has}.")
        return asked


@dataclass
class Counts:
    """What became of the rows."""

    read: int = 0
    classified: int = 0
    rejected: int = 0
    duplicates: int = 0
    reasons: "Counter[str]" = field(default_factory=Counter)

    def add(self, counts: Mapping[str, Any]) -> None:
        """Those of one request, or of one input of a receipt."""
        self.read += counts["read"]
        self.classified += counts["classified"]
        self.rejected += counts["rejected"]
        self.duplicates += counts["duplicates"]
        self.reasons.update(counts["reasons"])


class _Run:
    """One table, or one stream of batches: its requests, its counts, what is said about it at the end."""

    def __init__(
        self,
        worker: Worker,
        options: Mapping[str, Any],
        max_rejected: Union[int, str, None],
        rejects: Optional[List[Dict[str, Any]]],
    ) -> None:
        self._worker = worker
        self._options = worker._checked(options)
        # a bound that is none is told before the work
        _bound(max_rejected)
        self._max_rejected = max_rejected
        self._kept = rejects
        self._told: List[Dict[str, Any]] = []
        self._counts = Counts()
        self._rows_before = 0
        #: places of rejected rows, or None where they are not known
        self._rejected_rows: Optional[List[int]] = []
        self._id_column = str(self._options.get("idColumn", "oid"))
        self._candid_column = str(self._options.get("candidColumn", "candid"))
        self._left: Optional[int] = self._options.pop("limit", None)
        self.id_type: Optional[pa.DataType] = None

    def refuse_whole_tables(self) -> None:
        """Raises LcclfError for options that need all rows at once."""
        if self._options.get("duplicates") == "newest":
            raise LcclfError('duplicates="newest" needs the whole table', code="usage", hint="Use classify.")

    def prepared(self, table: pa.Table) -> pa.Table:
        """What is sent of a table."""
        self.id_type = _tables.id_type(table.schema, self._id_column)
        if not self._options.keys() & {"rename", "renameMap"}:
            wanted = [self._id_column, *self._worker.features]
            table = _tables.needed_columns(table, wanted, [self._candid_column])
        if self._left is not None:
            table = table.slice(0, self._left)
            self._left -= table.num_rows
        return _tables.plain_columns(table)

    def cut(self, table: pa.Table) -> Iterator[pa.Table]:
        """Tables of so many rows that they travel well; one of no rows too."""
        rows = table.num_rows
        if self._options.get("duplicates") == "newest" or rows <= _ROWS_UNMEASURED:
            yield table
            return
        at_once = max(1, min(_ROWS_AT_ONCE, _BYTES_AT_ONCE * rows // max(1, table.nbytes)))
        for start in range(0, rows, at_once):
            yield table.slice(start, at_once)

    def answers(self, tables: Iterable[pa.Table], advance: Callable[[int], None]) -> Iterator[pa.Buffer]:
        """Results in the order of the tables; no more than some are under way."""
        waiting: Deque[Tuple[int, Future[Answer]]] = deque()
        for table in tables:
            while len(waiting) >= _AHEAD:
                yield self._taken(waiting.popleft(), advance)
            # room for the rows that there are: one row need not wait for the room of a thousand
            options = {"batchSize": min(1000, max(1, table.num_rows)), **self._options}
            header = {"options": options, "rowsBefore": self._rows_before, "rejects": self._wanted_rejects()}
            waiting.append((self._rows_before, self._worker._submit(table, header)))
            self._rows_before += table.num_rows
        while waiting:
            yield self._taken(waiting.popleft(), advance)

    def _wanted_rejects(self) -> int:
        return 2**31 if self._kept is not None else _REJECTS_TOLD

    def _taken(self, waiting: Tuple[int, "Future[Answer]"], advance: Callable[[int], None]) -> pa.Buffer:
        before, future = waiting
        answer = future.result()
        header = answer.header
        self._counts.add(header["counts"])
        advance(header["counts"]["read"])
        self._told = (self._told + header["rejects"])[:_REJECTS_TOLD]
        if self._kept is not None:
            self._kept.extend(header["rejects"])
        places = header["rejectedRows"]
        if places is None or self._rejected_rows is None:
            self._rejected_rows = None
        else:
            self._rejected_rows.extend(before + place for place in places)
        return answer.body

    def rows_of(self, result: pa.Table) -> Optional[Sequence[int]]:
        """Which rows of the input the result has, one each."""
        read, classified, rejected = self._counts.read, self._counts.classified, self._counts.rejected
        if result.num_rows != classified or self._options.get("layout") == "long" or read != classified + rejected:
            return None
        if rejected == 0:
            return range(read)
        if self._rejected_rows is None or len(set(self._rejected_rows)) != rejected:
            return None
        gone = set(self._rejected_rows)
        return [row for row in range(read) if row not in gone]

    def judge(self) -> None:
        """As the function."""
        judge(self._counts, self._told, self._max_rejected)


def judge(counts: Counts, rejects: Sequence[Dict[str, Any]], max_rejected: Union[int, str, None]) -> None:
    """Warns of rejects. Raises LcclfError if there are more than were allowed, or nothing else."""
    bound = _bound(max_rejected)
    if counts.rejected == 0:
        return
    message = _rejected_text(counts, rejects)
    if counts.rejected > (counts.read - 1 if bound is None else bound(counts.read)):
        raise LcclfError(message, code="data", hint=None if bound is None else "max_rejected allows more.")
    told = {**vars(counts), "reasons": dict(counts.reasons)}
    _warn(LcclfWarning(message, counts=told, rejects=list(rejects[:_REJECTS_TOLD])))


def _rejected_text(counts: Counts, rejects: Sequence[Mapping[str, Any]]) -> str:
    of = f"{counts.rejected:,} of {counts.read:,} rows {'was' if counts.rejected == 1 else 'were'} rejected"
    reasons = "; ".join(f"{reason} ({count:,})" for reason, count in counts.reasons.most_common(3))
    more = "; …" if len(counts.reasons) > 3 else ""
    first = f"; the first: {rejects[0]['where']}, oid {rejects[0]['oid']}" if rejects else ""
    return f"{of}: {reasons}{more}{first}"


def _bound(asked: Union[int, str, None]) -> Optional[Callable[[int], float]]:
    """How many of so many rows may be rejected: a number, or a percentage as text (``1.5%``)."""
    if asked is None:
        return None
    if isinstance(asked, int) and not isinstance(asked, bool) and asked >= 0:
        return lambda _: asked
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(%?)", str(asked))
    if not found or (found[2] == "" and not found[1].isdigit()) or (found[2] and float(found[1]) > 100):
        raise LcclfError(
            f"max_rejected {asked}: expected a number of rows or a percentage, for example 100 or '1%'", code="usage"
        )
    value = float(found[1])
    return (lambda rows: rows * value / 100) if found[2] else (lambda _: value)


def _camel_case(name: str) -> str:
    return re.sub(r"_(.)", lambda found: found[1].upper(), name)


def _snake_case(name: str) -> str:
    return re.sub(r"[A-Z]", lambda found: f"_{found[0].lower()}", name)


def _nothing(_: int) -> None:
    return None


def _warn(warning: Warning) -> None:
    """Warns of the line that called this package."""
    passed = (os.path.dirname(__file__), os.path.dirname(contextlib.__file__) + os.sep + "contextlib")
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(passed):
        frame, level = frame.f_back, level + 1
    warnings.warn(warning, stacklevel=level)
