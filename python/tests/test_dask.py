"""Dask: partitions are classified one by one and are the same as the whole."""

from __future__ import annotations

import os
import signal
import warnings

import pandas as pd
import pytest
from conftest import SAMPLE, SAMPLES

import lcclf

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    dd = pytest.importorskip("dask.dataframe", reason="skipped: the tests of Dask need the package dask, which is not here")

import lcclf.dask  # noqa: E402

pytestmark = pytest.mark.filterwarnings("default")
TEXTS = {"oid": object, "class": object, "classifier_version": object}


def test_partitions_are_the_whole(frame: pd.DataFrame) -> None:
    truth = lcclf.classify(SAMPLES / "ztf-300.parquet", model=SAMPLE).to_pandas()
    given = dd.from_pandas(frame.set_index(frame.index + 7), npartitions=5)
    lazy = lcclf.dask.classify(given, SAMPLE)
    found = lazy.compute()
    assert found.dtypes.equals(lazy.dtypes)
    assert found.index.tolist() == list(range(7, 307))
    pd.testing.assert_frame_equal(found.astype(TEXTS).reset_index(drop=True), truth.astype(TEXTS), check_exact=True)


def test_rejects_are_left_out(frame: pd.DataFrame) -> None:
    frame.loc[[0, 299], "oid"] = None
    given = dd.from_pandas(frame, npartitions=300)
    with pytest.warns(lcclf.LcclfWarning, match="1 of 1 rows was rejected"):
        found = lcclf.dask.classify(given, SAMPLE).compute(scheduler="sync")
    assert found.index.tolist() == list(range(1, 299))
    with pytest.raises(lcclf.LcclfError, match="1 of 1 rows was rejected"):
        lcclf.dask.classify(given, SAMPLE, max_rejected=0).compute(scheduler="sync")


def test_what_is_missing_is_said_before(frame: pd.DataFrame) -> None:
    given = dd.from_pandas(frame.drop(columns="Amplitude_1"), npartitions=2)
    with pytest.raises(lcclf.LcclfError, match="Amplitude_1"):
        lcclf.dask.classify(given, SAMPLE)
    with pytest.raises(lcclf.LcclfError, match="limit"):
        lcclf.dask.classify(given, SAMPLE, limit=3)


def test_a_killed_worker_is_replaced(frame: pd.DataFrame) -> None:
    lazy = lcclf.dask.classify(dd.from_pandas(frame, npartitions=3), SAMPLE)
    with lcclf.shared_worker(SAMPLE) as worker:
        os.kill(worker.process_id, signal.SIGKILL)
    assert len(lazy.compute(scheduler="sync")) == 300
