"""Tables of every kind → Arrow, and results back to the same kind."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Callable, Iterable, Iterator, List, Optional, Sequence, Union

import pyarrow as pa

from .errors import LcclfError


@dataclass(frozen=True)
class Outcome:
    """A result and which rows it has."""

    table: pa.Table
    #: places of the classified rows in the input, or None where they are unknown or more than one
    rows: Optional[Sequence[int]]


@dataclass(frozen=True)
class GivenTable:
    """A table that was given, as Arrow."""

    table: pa.Table
    #: makes the kind of table that was given of a result
    answer: Callable[[Outcome], Any]


def is_path(data: Any) -> bool:
    """A path or an address that lcclf reads itself."""
    return isinstance(data, (str, os.PathLike))


def given_table(data: Any, *, id_column: str, candid_column: str) -> GivenTable:
    """Reads a table of any kind.

    Raises TypeError for what is no table, LcclfError for columns that no table of Arrow can hold.
    """
    kind = type(data).__module__.partition(".")[0]
    if kind == "pandas" and type(data).__name__ == "DataFrame":
        return _given_pandas(data, id_column, candid_column)
    if kind == "polars" and type(data).__name__ in ("DataFrame", "LazyFrame"):
        return _given_polars(data)
    if isinstance(data, pa.Table):
        return GivenTable(data, lambda outcome: outcome.table)
    if isinstance(data, pa.RecordBatch):
        return GivenTable(pa.Table.from_batches([data]), lambda outcome: one_batch(outcome.table))
    if hasattr(data, "__arrow_c_stream__"):
        return GivenTable(pa.table(data), lambda outcome: outcome.table)
    raise TypeError(
        f"expected a pandas, Polars or pyarrow table, anything with __arrow_c_stream__, or a path, not {type(data).__name__}"
    )


def _given_polars(data: Any) -> GivenTable:
    import polars

    if isinstance(data, polars.LazyFrame):
        return GivenTable(
            data.collect().to_arrow(), lambda outcome: polars.DataFrame(polars.from_arrow(outcome.table)).lazy()
        )
    return GivenTable(data.to_arrow(), lambda outcome: polars.from_arrow(outcome.table))


def one_batch(table: pa.Table) -> pa.RecordBatch:
    """A table as a single batch."""
    batches = table.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)


# pandas: the index, object columns, integers with nulls


def _given_pandas(frame: Any, id_column: str, candid_column: str) -> GivenTable:
    import pandas

    is_id_index = id_column not in frame.columns and id_column in frame.index.names
    columns = frame.reset_index(level=id_column) if is_id_index else frame
    table = _pandas_to_arrow(columns)
    has_integer_nulls = candid_column in columns.columns and isinstance(
        columns[candid_column].dtype, pandas.Int64Dtype
    )

    def answer(outcome: Outcome) -> Any:
        result = _arrow_to_pandas(outcome.table, has_integer_nulls)
        if is_id_index:
            return result.set_index(pandas.Index(result.pop("oid"), name=id_column))
        if outcome.rows is not None:
            result.index = frame.index if len(outcome.rows) == len(frame) else frame.index.take(outcome.rows)
        return result

    return GivenTable(table, answer)


def _pandas_to_arrow(frame: Any) -> pa.Table:
    # names that are no text (0, 1, 2 …) are their text, as pandas writes them into files
    names = [str(name) for name in frame.columns]
    types = frame.dtypes.tolist()
    arrays: List[Any] = [None] * len(names)
    # plain numbers at once and as they are: NaN is a missing value to lcclf
    for plain in ("float64", "float32"):
        places = [i for i, one in enumerate(types) if one == plain]
        if places:
            block = frame.iloc[:, places].to_numpy().T
            for i, row in zip(places, block):
                arrays[i] = pa.array(row, from_pandas=False)
    for i, name in enumerate(names):
        if arrays[i] is None:
            arrays[i] = _pandas_column(name, frame.iloc[:, i])
    return pa.Table.from_arrays(arrays, names=names)


def _pandas_column(name: str, series: Any) -> Union[pa.Array, pa.ChunkedArray]:
    try:
        return pa.array(series, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        if series.dtype != object:
            raise LcclfError(f"the table: column {name} cannot be read: {error}", code="data") from error
        # numbers and texts in one column: as in a CSV file, so that one value costs one row
        return pa.array([_text_of(value) for value in series], pa.string())


def _text_of(value: Any) -> Optional[str]:
    if value is None or value != value or type(value).__name__ == "NAType":
        return None
    if isinstance(value, bool):
        return str(int(value))
    return repr(float(value)) if isinstance(value, float) else str(value)


def _arrow_to_pandas(table: pa.Table, has_integer_nulls: bool) -> Any:
    import pandas

    result = table.to_pandas()
    place = table.schema.get_field_index("candid")
    if place >= 0 and (has_integer_nulls or table.column(place).null_count > 0):
        # pandas would make floats of them, which cannot hold a candid
        whole = {pa.int64(): pandas.Int64Dtype()}
        result["candid"] = table.select(["candid"]).to_pandas(types_mapper=whole.get)["candid"]
    return result


# what a worker is sent


def needed_columns(table: pa.Table, names: Iterable[str], others: Iterable[str]) -> pa.Table:
    """Only columns of these names and those of the others that are there: what nobody reads need not travel.

    The whole table where one is missing or there twice: then lcclf says what is wrong.
    """
    found = {name: i for i, name in enumerate(table.column_names)}
    places = [found.get(name, -1) for name in names]
    if -1 in places or len(found) < table.num_columns:
        return table
    places += [found[name] for name in others if name in found]
    return table.select(sorted(set(places)))


def plain_columns(table: pa.Table) -> pa.Table:
    """The values of extension types instead of these."""
    for i, field in enumerate(table.schema):
        if isinstance(field.type, pa.BaseExtensionType):
            column = table.column(i)
            values = pa.chunked_array([chunk.storage for chunk in column.chunks], field.type.storage_type)
            table = table.set_column(i, pa.field(field.name, field.type.storage_type), values)
    return table


def id_type(schema: pa.Schema, id_column: str) -> Optional[pa.DataType]:
    """The type that ids were given in, where a result can have it; None: as lcclf gives it."""
    place = schema.get_field_index(id_column)
    if place < 0:
        return None
    given = schema.field(place).type
    if pa.types.is_dictionary(given):
        return given if _is_id(given.value_type) else None
    return given if _is_id(given) else None


def _is_id(given: pa.DataType) -> bool:
    is_view = getattr(pa.types, "is_string_view", lambda _: False)
    return bool(
        pa.types.is_integer(given) or pa.types.is_string(given) or pa.types.is_large_string(given) or is_view(given)
    )


def with_id_type(table: pa.Table, given: Optional[pa.DataType]) -> pa.Table:
    """The result with its ids in the type in which they were given."""
    field = table.schema.field("oid")
    if given is None or field.type == given:
        return table
    column = table.column("oid")
    if pa.types.is_dictionary(given):
        column = column.cast(given.value_type).dictionary_encode().cast(given)
    else:
        column = column.cast(given)
    place = table.schema.get_field_index("oid")
    return table.set_column(place, pa.field("oid", given, nullable=field.nullable), column)


def ipc_of(table: pa.Table) -> pa.Buffer:
    """A table as an IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def table_of(body: pa.Buffer) -> pa.Table:
    """A table of an IPC stream."""
    with pa.ipc.open_stream(body) as reader:
        return reader.read_all()


def batches_of(data: Any) -> Iterator[pa.RecordBatch]:
    """Batches of anything that gives tables: one table after the other, a reader, or a table itself."""
    if isinstance(data, (pa.RecordBatchReader, pa.Table)):
        yield from _batches(data)
        return
    if hasattr(data, "__arrow_c_stream__"):
        yield from pa.RecordBatchReader.from_stream(data)
        return
    tables: Iterable[Any] = data
    for one in tables:
        if isinstance(one, pa.RecordBatch):
            yield one
        else:
            yield from given_table(one, id_column="", candid_column="").table.to_batches()


def _batches(data: Union[pa.RecordBatchReader, pa.Table]) -> Iterator[pa.RecordBatch]:
    yield from data.to_batches() if isinstance(data, pa.Table) else data
