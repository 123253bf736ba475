"""Columns, ids and indexes of every kind."""

from __future__ import annotations

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import lcclf

HUGE = 2**53 + 1


def with_column(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, values)


@pytest.mark.parametrize(
    "kind",
    [pa.int16(), pa.int32(), pa.int64(), pa.uint32(), pa.uint64(), pa.large_string(), pa.string_view()],
    ids=str,
)
def test_oids_keep_their_type(kind: pa.DataType, table: pa.Table, worker: lcclf.Worker) -> None:
    largest = {"int64": 2**63 - 1, "uint64": 2**64 - 1, "int32": 2**31 - 1, "uint32": 2**32 - 1}.get(str(kind), 32767)
    ids = [largest - i for i in range(5)]
    given = pa.array(ids, kind) if pa.types.is_integer(kind) else pa.array([f"ZTF{i}" for i in ids]).cast(kind)
    result = worker.classify(with_column(table.slice(0, 5), "oid", given))
    assert result.column("oid").type == kind
    assert result.column("oid").to_pylist() == given.to_pylist()


def test_oids_of_a_dictionary_stay_one(table: pa.Table, worker: lcclf.Worker) -> None:
    ids = table.column("oid").dictionary_encode()
    result = worker.classify(with_column(table, "oid", ids))
    assert pa.types.is_dictionary(result.column("oid").type)
    assert result.column("oid").to_pylist() == ids.to_pylist()
    categories = table.to_pandas().astype({"oid": "category"})
    assert worker.classify(categories)["oid"].tolist() == categories["oid"].tolist()


def test_candids_beyond_2_to_the_53(table: pa.Table, worker: lcclf.Worker) -> None:
    candids = pa.array([HUGE, None, HUGE + 2, -HUGE, 2**63 - 1], pa.int64())
    given = with_column(table.slice(0, 5), "candid", candids)
    assert worker.classify(given).column("candid").to_pylist() == candids.to_pylist()
    assert worker.classify(pl.from_arrow(given))["candid"].to_list() == candids.to_pylist()
    integers = given.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    result = worker.classify(integers)
    assert result["candid"].dtype == pd.Int64Dtype()
    assert [None if one is pd.NA else int(one) for one in result["candid"]] == candids.to_pylist()
    texts = with_column(table.slice(0, 5), "candid", candids.cast(pa.string()))
    assert worker.classify(texts).column("candid").to_pylist() == candids.to_pylist()


def test_candids_that_pandas_made_floats_of_are_refused(frame: pd.DataFrame, worker: lcclf.Worker) -> None:
    broken = frame.astype({"candid": "float64"})
    with pytest.raises(lcclf.LcclfError, match="the ids are already broken") as failure:
        worker.classify(broken)
    assert failure.value.code == "data"
    assert failure.value.hint is not None


def test_a_table_without_candids(frame: pd.DataFrame, worker: lcclf.Worker) -> None:
    assert "candid" not in worker.classify(frame.drop(columns="candid")).columns


def test_no_rows(table: pa.Table, frame: pd.DataFrame, worker: lcclf.Worker) -> None:
    empty = worker.classify(table.slice(0, 0))
    assert empty.num_rows == 0
    assert empty.schema == worker.classify(table).schema == worker.schema(like=table.schema)
    assert worker.classify(frame.head(0)).columns.tolist() == worker.classify(frame).columns.tolist()
    assert worker.classify(pl.from_arrow(table).head(0)).shape == (0, table.slice(0, 0).num_rows + len(empty.schema))
    assert list(worker.stream_batches([])) == []


def test_no_columns(worker: lcclf.Worker) -> None:
    for nothing in (pd.DataFrame(), pl.DataFrame(), pa.table({})):
        with pytest.raises(lcclf.LcclfError, match="oid") as failure:
            worker.classify(nothing)
        assert failure.value.code == "data"
        assert failure.value.exit_code == 3


def test_missing_columns_are_named(frame: pd.DataFrame, worker: lcclf.Worker) -> None:
    with pytest.raises(lcclf.LcclfError, match="Amplitude_1"):
        worker.classify(frame.rename(columns={"Amplitude_1": "amplitude_1"}))


def test_columns_of_other_types(table: pa.Table, worker: lcclf.Worker) -> None:
    whole = table.slice(0, 5)
    values = [1.0, 2.0, None, 0.0, 5.0]
    truth = worker.classify(with_column(whole, "Amplitude_1", pa.array(values)))
    for given in (
        pa.array([None if one is None else int(one) for one in values], pa.int8()),
        pa.array(values, pa.float32()),
        pa.array([None if one is None else str(one) for one in values], pa.large_string()),
        pa.array(values).dictionary_encode(),
        pa.array([None if one is None else int(one) for one in values], pa.decimal128(10, 0)),
    ):
        assert worker.classify(with_column(whole, "Amplitude_1", given)) == truth
    nulls = worker.classify(with_column(whole, "Amplitude_1", pa.nulls(5)))
    assert nulls == worker.classify(with_column(whole, "Amplitude_1", pa.array([float("nan")] * 5)))


def test_the_index_of_pandas_is_kept(frame: pd.DataFrame, worker: lcclf.Worker) -> None:
    frame.index = pd.Index(range(1000, 1300), name="row")
    assert worker.classify(frame).index.equals(frame.index)
    assert worker.classify(frame, layout="long").index.equals(pd.RangeIndex(300 * 33))


def test_oids_may_be_the_index(frame: pd.DataFrame, worker: lcclf.Worker) -> None:
    result = worker.classify(frame.set_index("oid"))
    assert result.index.name == "oid"
    assert result.index.tolist() == frame["oid"].tolist()
    named = frame.rename(columns={"oid": "objectId"}).set_index("objectId")
    assert worker.classify(named, id_column="objectId").index.name == "objectId"


def test_large_tables_are_cut_and_stay_in_order(frame: pd.DataFrame, worker: lcclf.Worker) -> None:
    many = pd.concat([frame] * 150, ignore_index=True)
    many["oid"] = [f"ZTF{i}" for i in range(len(many))]
    result = worker.classify(many)
    assert result["oid"].tolist() == many["oid"].tolist()
    assert result["probability"].tolist() == worker.classify(frame)["probability"].tolist() * 150


def test_options(frame: pd.DataFrame, worker: lcclf.Worker) -> None:
    renamed = frame.rename(columns={"Amplitude_1": "amp", "oid": "objectId", "candid": "alert"})
    asked = {"rename": {"amp": "Amplitude_1"}, "id_column": "objectId", "candid_column": "alert"}
    result = worker.classify(renamed, **asked)
    assert result.equals(worker.classify(frame))
    assert worker.classify(frame, limit=7).equals(worker.classify(frame.head(7)))
    twice = pd.concat([frame, frame.assign(candid=frame["candid"] + 1)], ignore_index=True)
    newest = worker.classify(twice, duplicates="newest")
    assert newest["candid"].tolist() == (frame["candid"] + 1).tolist()
    with pytest.raises(lcclf.LcclfError, match="whole table"):
        list(worker.stream_batches(pa.Table.from_pandas(twice), duplicates="newest"))
    with pytest.raises(lcclf.LcclfError, match="no option colour") as failure:
        worker.classify(frame, colour="red")
    assert "rename_map" in (failure.value.hint or "")
    with pytest.raises(lcclf.LcclfError, match="layout broad: expected wide, long, nested") as failure:
        worker.classify(frame, layout="broad")
    assert failure.value.exit_code == 2


def test_what_is_no_table(worker: lcclf.Worker) -> None:
    with pytest.raises(TypeError, match="not dict"):
        worker.classify({"oid": ["a"]})
