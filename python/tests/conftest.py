from __future__ import annotations

import gzip
import json
import shutil
import warnings
from pathlib import Path
from typing import Any, Dict, Iterator

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import lcclf

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples"
# scikit-learn 1.5.2's pickles and its own answers to 240 rows, the hostile ones included (test/fixtures/model/README.md)
HIERARCHY = ROOT / "test" / "fixtures" / "model" / "sklearn-1.5.2"


@pytest.fixture(scope="session")
def hierarchy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hierarchy")
    for packed in HIERARCHY.glob("*.gz"):
        with gzip.open(packed) as source, open(folder / packed.stem, "wb") as target:
            shutil.copyfileobj(source, target)
    return folder


@pytest.fixture(scope="session")
def bundle(hierarchy: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("bundles") / "hrf"
    lcclf.import_model(hierarchy, "hrf", "1.0.0", out=out, golden=hierarchy)
    return str(out)


@pytest.fixture(scope="session")
def golden(hierarchy: Path) -> Dict[str, Any]:
    found: Dict[str, Any] = json.loads((hierarchy / "golden.json").read_text())
    return found


@pytest.fixture(scope="session")
def golden_frame(hierarchy: Path) -> pd.DataFrame:
    # every digit counts: not every reader of CSV reads numbers exactly
    texts = pd.read_csv(hierarchy / "golden_input.csv", dtype=str, keep_default_na=False)
    numbers = {name: [float(text or "nan") for text in texts[name]] for name in texts.columns[2:]}
    return pd.DataFrame({"oid": texts["oid"], "candid": texts["candid"].astype("int64"), **numbers})


@pytest.fixture(scope="session")
def table() -> pa.Table:
    return pq.read_table(SAMPLES / "ztf-300.parquet")


@pytest.fixture
def frame(table: pa.Table) -> pd.DataFrame:
    return table.to_pandas()


@pytest.fixture(scope="session")
def worker() -> Iterator[lcclf.Worker]:
    """With the sample model."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lcclf.LcclfWarning)
        opened = lcclf.Worker()
    with opened:
        yield opened


SAMPLE = str(SAMPLES / "model")
