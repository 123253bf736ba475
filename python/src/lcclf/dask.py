"""Dask DataFrames: ``lcclf.dask.classify(ddf, model="bundle")``. Each process of a cluster keeps one lcclf with its model open."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Union

import pandas as pd

from ._parts import Model, classify_part, model_name, options_of_parts
from ._shared import shared_worker

#: the column of the layout nested
_STRUCTURES = "lc_classification"


def classify(
    ddf: Any,
    model: Model = None,
    *,
    layout: str = "wide",
    id_column: str = "oid",
    candid_column: str = "candid",
    max_rejected: Union[int, str, None] = None,
    engine: Optional[str] = None,
    threads: Optional[int] = None,
    **options: Any,
) -> Any:
    """Classifies the rows of a Dask DataFrame, partition by partition, and answers one; computes nothing.

    ``model`` is what workers find under this name: a bundle's folder that they share, ``name@version`` in their store.
    Options are those of lcclf.classify. The index stays as it is; columns of text are of pandas' string type.

    Rows that cannot be classified are left out, with an LcclfWarning where the partition is computed; ``max_rejected`` (a
    number, or ``"1%"``) fails a partition that has more.

    Raises LcclfError where columns are missing or options cannot be.
    """
    worker: Dict[str, Any] = {"model": model_name(model), "engine": engine, "threads": threads}
    names = {"layout": layout, "id_column": id_column, "candid_column": candid_column}
    asked = options_of_parts({**names, **options}, max_rejected, "partition")
    with shared_worker(**worker) as warm:
        sha256 = warm.model["sha256"]
    meta = _classified(ddf._meta, worker, sha256, asked)
    return ddf.map_partitions(_classified, worker, sha256, asked, meta=meta)


def _classified(
    frame: pd.DataFrame, worker: Mapping[str, Any], sha256: str, options: Mapping[str, Any]
) -> pd.DataFrame:
    result: pd.DataFrame = classify_part(frame, worker, sha256, options)
    # objects in one partition and strings in another would be two types
    texts = [name for name in result.columns if result[name].dtype == object and name != _STRUCTURES]
    return result.astype({name: pd.StringDtype("pyarrow") for name in texts})
