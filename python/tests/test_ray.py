"""Ray: actors classify batches, which are the same as the whole."""

from __future__ import annotations

import warnings
from typing import Any, Iterator

import pyarrow as pa
import pytest
from conftest import SAMPLE, SAMPLES

import lcclf

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    ray = pytest.importorskip("ray", reason="skipped: the tests of Ray need the package ray, which is not here")
    import ray.data

    import lcclf.ray

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ray.init(num_cpus=2, include_dashboard=False, object_store_memory=100_000_000, logging_level="ERROR")
    yield
    ray.shutdown()


def rows_of(ds: Any) -> pa.Table:
    return pa.concat_tables(ray.get(ds.to_arrow_refs())).sort_by("oid")


def test_batches_are_the_whole(cluster: None, table: pa.Table) -> None:
    truth = lcclf.classify(SAMPLES / "ztf-300.parquet", model=SAMPLE).sort_by("oid")
    # a row without an id costs only itself
    bad = table.slice(0, 1).to_pylist()[0]
    bad.update(oid=None)
    given = pa.concat_tables([table, pa.Table.from_pylist([bad], schema=table.schema)])
    found = rows_of(lcclf.ray.classify(ray.data.from_arrow(given), SAMPLE, batch_size=50))
    assert found.schema.names == truth.schema.names
    assert found.cast(truth.schema) == truth


def test_options_of_whole_tables_are_refused(cluster: None, table: pa.Table) -> None:
    with pytest.raises(lcclf.LcclfError, match="limit would be one of each batch"):
        lcclf.ray.classify(ray.data.from_arrow(table), SAMPLE, limit=3)
