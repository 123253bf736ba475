"""Equal to scikit-learn in every bit, whatever kind of table brings the rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import lcclf

LEVELS = {
    "lc_classifier": "",
    "lc_classifier_top": "top/",
    "lc_classifier_stochastic": "stochastic/",
    "lc_classifier_periodic": "periodic/",
    "lc_classifier_transient": "transient/",
}


def differing_bits(found: Callable[[str], Any], golden: Dict[str, Any]) -> int:
    count = 0
    for classifier, prefix in LEVELS.items():
        truth = np.array(golden["probabilities"][classifier])
        for i, name in enumerate(golden["classes"][classifier]):
            own = np.asarray(found(prefix + name), dtype="float64")
            count += int((own.view("int64") != truth[:, i].copy().view("int64")).sum())
    return count


def test_pandas(golden_frame: pd.DataFrame, bundle: str, golden: Dict[str, Any]) -> None:
    result = lcclf.classify(golden_frame, model=bundle)
    assert isinstance(result, pd.DataFrame)
    assert differing_bits(lambda name: result[name], golden) == 0
    assert result["class"].tolist() == golden["predicted"]
    assert result["oid"].tolist() == golden_frame["oid"].tolist()
    assert result["candid"].dtype == "int64"
    assert result["candid"].tolist() == golden_frame["candid"].tolist()


def test_polars(golden_frame: pd.DataFrame, bundle: str, golden: Dict[str, Any]) -> None:
    given = pl.from_pandas(golden_frame)
    result = lcclf.classify(given, model=bundle)
    assert isinstance(result, pl.DataFrame)
    assert differing_bits(lambda name: result[name].to_numpy(), golden) == 0
    lazy = lcclf.classify(given.lazy(), model=bundle)
    assert isinstance(lazy, pl.LazyFrame)
    assert lazy.collect().equals(result)


@pytest.mark.parametrize("rows", [1, 7, 240])
def test_pyarrow_in_chunks(rows: int, golden_frame: pd.DataFrame, bundle: str, golden: Dict[str, Any]) -> None:
    whole = pa.Table.from_pandas(golden_frame, preserve_index=False)
    given = pa.concat_tables([whole.slice(start, rows) for start in range(0, 240, rows)])
    result = lcclf.classify(given, model=bundle)
    assert isinstance(result, pa.Table)
    assert differing_bits(result.column, golden) == 0


def test_stream_of_batches(golden_frame: pd.DataFrame, bundle: str, golden: Dict[str, Any]) -> None:
    given = pa.Table.from_pandas(golden_frame, preserve_index=False)
    batches = list(lcclf.stream_batches(given.to_batches(max_chunksize=11), model=bundle))
    assert [batch.num_rows for batch in batches] == [11] * 21 + [9]
    assert differing_bits(pa.Table.from_batches(batches).column, golden) == 0


def test_record_batch_and_reader(golden_frame: pd.DataFrame, bundle: str, golden: Dict[str, Any]) -> None:
    batch = pa.RecordBatch.from_pandas(golden_frame, preserve_index=False)
    result = lcclf.classify(batch, model=bundle)
    assert isinstance(result, pa.RecordBatch)
    assert differing_bits(result.column, golden) == 0
    reader = lcclf.classify(pa.RecordBatchReader.from_batches(batch.schema, [batch, batch]), model=bundle)
    assert isinstance(reader, pa.RecordBatchReader)
    assert reader.read_all() == pa.Table.from_batches([result, result])


def test_anything_with_an_arrow_stream(golden_frame: pd.DataFrame, bundle: str, golden: Dict[str, Any]) -> None:
    class Foreign:
        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            return pa.Table.from_pandas(golden_frame, preserve_index=False).__arrow_c_stream__(requested_schema)

    result = lcclf.classify(Foreign(), model=bundle)
    assert isinstance(result, pa.Table)
    assert differing_bits(result.column, golden) == 0


@pytest.mark.parametrize("suffix", ["csv", "parquet", "arrow"])
def test_path(
    suffix: str, golden_frame: pd.DataFrame, hierarchy: Path, bundle: str, golden: Dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / f"golden.{suffix}"
    if suffix == "csv":
        path = hierarchy / "golden_input.csv"
    elif suffix == "parquet":
        golden_frame.to_parquet(path, index=False)
    else:
        golden_frame.to_feather(path)
    result = lcclf.classify(path, model=bundle)
    assert isinstance(result, pa.Table)
    assert differing_bits(result.column, golden) == 0


def test_long_and_nested(golden_frame: pd.DataFrame, bundle: str, golden: Dict[str, Any]) -> None:
    given = golden_frame.head(50)
    long = lcclf.classify(given, model=bundle, layout="long")
    assert len(long) == 50 * 33
    assert long.columns.tolist() == [
        *("oid", "classifier_name", "classifier_version", "class_name", "probability", "ranking")
    ]
    top = long[long.classifier_name == "lc_classifier_top"].pivot(index="oid", columns="class_name", values="probability")
    truth = np.array(golden["probabilities"]["lc_classifier_top"])[:50]
    own = top.loc[given["oid"], golden["classes"]["lc_classifier_top"]].to_numpy()
    assert (own == truth).all()
    nested = lcclf.classify(given, model=bundle, layout="nested")
    assert [one["class"] for one in nested["lc_classification"]] == golden["predicted"][:50]
