"""explain, evaluate and import_model: thin covers of commands."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from conftest import ROOT, SAMPLE, SAMPLES

import lcclf


def test_explain(frame: pd.DataFrame, table: pa.Table, worker: lcclf.Worker) -> None:
    oid = frame["oid"][3]
    found = lcclf.explain(frame, oid, model=SAMPLE, top=4)
    assert found["oid"] == oid
    assert found["predicted_class"] == worker.classify(frame)["class"][3]
    assert abs(found["additivity_error"]) < 1e-9
    assert found == lcclf.explain(table, oid, model=SAMPLE, top=4)
    with pytest.raises(lcclf.LcclfError, match="nobody") as failure:
        lcclf.explain(frame, "nobody", model=SAMPLE)
    assert failure.value.code == "data"


def test_evaluate(frame: pd.DataFrame, worker: lcclf.Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    result = worker.classify(frame)
    labels = pd.read_csv(SAMPLES / "ztf-300-labels.csv")
    # DuckDB, which evaluate needs, is in the repository's lcclf and not in the package's
    monkeypatch.setenv("LCCLF_BIN", str(ROOT / "bin" / "run.js"))
    found = lcclf.evaluate(result, labels, label_column=labels.columns[1])
    again = lcclf.evaluate(pa.Table.from_pandas(result), SAMPLES / "ztf-300-labels.csv")
    assert found["labels"].pop("address") == "the labels"
    assert again["labels"].pop("address").endswith("ztf-300-labels.csv")
    assert found == again
    with pytest.raises(lcclf.LcclfError) as failure:
        lcclf.evaluate(result, labels, label_column="nothing")
    assert failure.value.code in ("data", "usage")


def test_import_model(hierarchy: Path, tmp_path: Path) -> None:
    found = lcclf.import_model(hierarchy, "mine", "2", out=tmp_path / "bundle")
    assert (found["name"], found["version"]) == ("mine", "2")
    with pytest.raises(lcclf.LcclfError, match="exists") as failure:
        lcclf.import_model(hierarchy, "mine", "2", out=tmp_path / "bundle")
    assert failure.value.code == "usage"
