"""Ray Datasets: ``lcclf.ray.classify(ds, model="bundle")``. Each actor keeps one lcclf with its model open."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Union

import pyarrow as pa
from ray.data import ActorPoolStrategy

from ._parts import Model, classify_part, model_name, options_of_parts
from ._shared import shared_worker


def classify(
    ds: Any,
    model: Model = None,
    *,
    layout: str = "wide",
    id_column: str = "oid",
    candid_column: str = "candid",
    max_rejected: Union[int, str, None] = None,
    engine: Optional[str] = None,
    actors: int = 1,
    cpus: int = 1,
    batch_size: int = 8192,
    **options: Any,
) -> Any:
    """Classifies the rows of a Ray Dataset, batch by batch, and answers one; runs nothing.

    ``actors`` of ``cpus`` each do it. ``model`` is what they find under this name: a bundle's folder on every machine,
    ``name@version`` in their store. Options are those of lcclf.classify.

    Rows that cannot be classified are left out, with an LcclfWarning in the actor's log; ``max_rejected`` (a number, or
    ``"1%"``) fails a batch that has more.

    Raises LcclfError for options that cannot be; columns that are missing fail the first batch.
    """
    worker: Dict[str, Any] = {"model": model_name(model), "engine": engine, "threads": cpus}
    names = {"layout": layout, "id_column": id_column, "candid_column": candid_column}
    asked = options_of_parts({**names, **options}, max_rejected, "batch")
    return ds.map_batches(
        _Classifier,
        fn_constructor_args=(worker, asked),
        batch_size=batch_size,
        batch_format="pyarrow",
        compute=ActorPoolStrategy(size=actors),
        num_cpus=cpus,
    )


class _Classifier:
    """What runs in an actor."""

    def __init__(self, worker: Mapping[str, Any], options: Mapping[str, Any]) -> None:
        self._how = worker
        self._options = options
        # an actor is ready when its model is
        with shared_worker(**worker):
            pass

    def __call__(self, batch: pa.Table) -> pa.Table:
        result: pa.Table = classify_part(batch, self._how, None, self._options)
        return result
