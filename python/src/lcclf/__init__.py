"""lcclf: light-curve classification, exact in every bit, from Python.

>>> import lcclf
>>> classes = lcclf.classify(features, model="hierarchical_random_forest@1.0.0")  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from types import ModuleType

from ._classify import classify, stream_batches
from ._results import evaluate, explain, import_model
from ._shared import close_workers, shared_worker
from .errors import LcclfError, LcclfWarning
from .worker import Worker

__version__ = "0.1.0"
__all__ = [
    "LcclfError",
    "LcclfWarning",
    "Worker",
    "classify",
    "close_workers",
    "evaluate",
    "explain",
    "import_model",
    "shared_worker",
    "stream_batches",
]

#: loaded when they are used: each needs a package of its own
_PLACES = ("dask", "ray", "spark")


def __getattr__(name: str) -> ModuleType:
    if name in _PLACES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
