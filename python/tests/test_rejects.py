"""Rows that cannot be classified are told, and cost only themselves."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Dict, List

import pandas as pd
import pyarrow as pa
import pytest

import lcclf


@pytest.fixture
def hostile(frame: pd.DataFrame) -> pd.DataFrame:
    """Three of 300: no id, an id that is no number, a text among numbers."""
    frame = frame.astype({"Amplitude_2": object, "candid": str})
    frame.loc[3, "oid"] = None
    frame.loc[5, "candid"] = "12.5"
    frame.loc[298, "Amplitude_2"] = "many"
    return frame


def test_they_are_warned_of(hostile: pd.DataFrame, worker: lcclf.Worker) -> None:
    with pytest.warns(lcclf.LcclfWarning, match="3 of 300 rows were rejected") as told:
        result = worker.classify(hostile)
    assert len(told) == 1
    assert told[0].filename == __file__
    warning = told[0].message
    assert isinstance(warning, lcclf.LcclfWarning)
    assert warning.counts is not None
    assert (warning.counts["read"], warning.counts["classified"], warning.counts["rejected"]) == (300, 297, 3)
    assert [one["where"] for one in warning.rejects] == ["the table row 4", "the table row 6", "the table row 299"]
    assert warning.rejects[2]["reason"] == "Amplitude_2 is not a number"
    assert warning.rejects[2]["value"] == "many"
    # as after dropna, so that the result can be joined
    assert result.index.tolist() == [i for i in range(300) if i not in (3, 5, 298)]
    assert result["oid"].tolist() == hostile.drop(index=[3, 5, 298])["oid"].tolist()


def test_all_of_them_can_be_had(hostile: pd.DataFrame, worker: lcclf.Worker) -> None:
    rejects: List[Dict[str, Any]] = []
    many = pd.concat([hostile] * 80, ignore_index=True)
    with pytest.warns(lcclf.LcclfWarning, match="240 of 24,000"):
        result = worker.classify(many, rejects=rejects)
    assert len(rejects) == 240
    assert rejects[-1]["where"] == "the table row 23999"
    assert result.index.tolist() == [i for i in range(24_000) if i % 300 not in (3, 5, 298)]


@pytest.mark.parametrize("allowed", [3, "3", "1%"])
def test_as_many_as_are_allowed(allowed: Any, hostile: pd.DataFrame, worker: lcclf.Worker) -> None:
    with pytest.warns(lcclf.LcclfWarning):
        assert len(worker.classify(hostile, max_rejected=allowed)) == 297


@pytest.mark.parametrize("allowed", [0, 2, "0.9%"])
def test_more_than_are_allowed(allowed: Any, hostile: pd.DataFrame, worker: lcclf.Worker) -> None:
    with pytest.raises(lcclf.LcclfError, match="3 of 300 rows were rejected") as failure:
        worker.classify(hostile, max_rejected=allowed)
    assert failure.value.code == "data"
    with pytest.raises(lcclf.LcclfError):
        list(worker.stream_batches(pa.Table.from_pandas(hostile.drop(columns="Amplitude_2")), max_rejected=allowed))


@pytest.mark.parametrize("allowed", [-1, "lots", "101%", 1.5])
def test_bounds_that_are_none(allowed: Any, frame: pd.DataFrame, worker: lcclf.Worker) -> None:
    with pytest.raises(lcclf.LcclfError, match="max_rejected"):
        worker.classify(frame, max_rejected=allowed)


def test_nothing_else(frame: pd.DataFrame, worker: lcclf.Worker) -> None:
    with pytest.raises(lcclf.LcclfError, match="300 of 300 rows were rejected: oid"):
        worker.classify(frame.assign(oid=None))


def test_of_a_path(hostile: pd.DataFrame, bundle: str, tmp_path: Path) -> None:
    path = tmp_path / "night.csv"
    hostile.to_csv(path, index=False)
    rejects: List[Dict[str, Any]] = []
    with pytest.warns(lcclf.LcclfWarning, match="3 of 300 rows were rejected"):
        result = lcclf.classify(path, model=bundle, rejects=rejects)
    assert result.num_rows == 297
    assert [one["where"] for one in rejects] == [f"{path} line {line}" for line in (5, 7, 300)]
    with pytest.raises(lcclf.LcclfError, match="3 of 300"):
        lcclf.classify(path, model=bundle, max_rejected=2)
    hostile.assign(oid=None).to_csv(path, index=False)
    with pytest.raises(lcclf.LcclfError, match="300 of 300"):
        lcclf.classify(path, model=bundle)


def test_none_are_none(frame: pd.DataFrame, worker: lcclf.Worker) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(worker.classify(frame, max_rejected=0)) == 300
