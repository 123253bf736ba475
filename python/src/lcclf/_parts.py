"""What holds for parts of tables on clusters: partitions, batches. Each is classified by itself, wherever it is."""

from __future__ import annotations

import os
import socket
from typing import Any, Dict, Mapping, Optional, Union

from ._shared import shared_worker
from .errors import LcclfError
from .worker import Worker

Model = Union[str, "os.PathLike[str]", None]


def model_name(model: Model) -> Optional[str]:
    """What travels to other machines, whose work folder is another one."""
    if model is None:
        return None
    # as lcclf does: a folder with a manifest wins over a name
    is_here = os.path.isfile(os.path.join(model, "manifest.json")) or os.path.isfile(model)
    return os.path.abspath(model) if is_here else os.fspath(model)


def options_of_parts(options: Mapping[str, Any], max_rejected: Union[int, str, None], part: str) -> Dict[str, Any]:
    """Options of classify, for parts. Raises LcclfError for what only a whole table can be asked.

    Without a bound no number of rejects fails a part: it might have one row.
    """
    if options.get("duplicates") == "newest":
        hint = "Sort by candid, the newest first, and drop duplicates of oid before."
        raise LcclfError(f'duplicates="newest" needs all rows, and a {part} has some', code="usage", hint=hint)
    if options.get("limit") is not None:
        raise LcclfError(f"limit would be one of each {part}", code="usage", hint="Limit the table before.")
    return {**options, "max_rejected": "100%" if max_rejected is None else max_rejected}


def check_model(worker: Worker, sha256: Optional[str]) -> None:
    """Raises LcclfError where a name means another model on this machine than where the table was asked for."""
    found = worker.model["sha256"]
    if sha256 is not None and sha256 != found:
        raise LcclfError(
            f"{socket.gethostname()}: {worker.model['directory']} is another model (sha256 {found[:16]}…) than on the machine "
            f"that asks for it (sha256 {sha256[:16]}…)",
            code="model",
            hint="Give the same bundle to all machines, or name it by name@version.",
        )


def classify_part(table: Any, worker: Mapping[str, Any], sha256: Optional[str], options: Mapping[str, Any]) -> Any:
    """Classifies by the warm worker of this process; by another one if it ends meanwhile, once."""
    for is_last in (False, True):
        try:
            with shared_worker(**worker) as warm:
                check_model(warm, sha256)
                return warm.classify(table, progress=False, **options)
        except LcclfError as error:
            if is_last or error.code != "worker":
                raise
    raise AssertionError("unreachable")
