"""Workers that stay warm between calls, one for each model that this process uses."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any, Iterator, Optional, Tuple, Union

from . import _connection
from .worker import Worker

#: each holds a model in memory
_MOST_WORKERS = 3
#: what decides which lcclf is run and which model answers
_VARIABLES = ("LCCLF_BIN", "LCCLF_MODEL", "LCCLF_HOME", "XDG_DATA_HOME", "HOME", "PATH")

_Key = Tuple[Any, ...]


class _Shared:
    """A worker, how many use it now, and what its model looked like when it was opened."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.users = 0
        self.seen = _identity_of(worker)


_lock = threading.Lock()
_workers: "OrderedDict[_Key, _Shared]" = OrderedDict()


@contextlib.contextmanager
def shared_worker(
    model: Union[str, "os.PathLike[str]", None] = None,
    *,
    engine: Optional[str] = None,
    threads: Optional[int] = None,
) -> Iterator[Worker]:
    """The warm worker of this process for a model: started at the first use, ended with the process.

    One that has ended is started again at the next use, and so is one whose model is another by now.
    """
    key = _key(model, engine, threads)
    with _lock:
        shared = _workers.get(key)
        if shared and not (shared.worker.is_alive and shared.seen == _identity_of(shared.worker)):
            del _workers[key]
            if shared.users == 0:
                shared.worker.close()
            shared = None
        if shared is None:
            _make_room()
            shared = _workers[key] = _Shared(Worker(model, engine=engine, threads=threads))
        _workers.move_to_end(key)
        shared.users += 1
    try:
        yield shared.worker
    finally:
        with _lock:
            shared.users -= 1
            if shared.users == 0 and _workers.get(key) is not shared:
                shared.worker.close()


def _key(model: Union[str, "os.PathLike[str]", None], engine: Optional[str], threads: Optional[int]) -> _Key:
    # a folder's name, and lcclf.lock, mean something in the work folder only
    place = (os.getcwd(), *(os.environ.get(name) for name in _VARIABLES))
    return (None if model is None else os.fspath(model), engine, threads, place)


def _identity_of(worker: Worker) -> Optional[Tuple[int, ...]]:
    try:
        found = (Path(worker.model["directory"]) / "manifest.json").stat()
    except OSError:
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns)


def _make_room() -> None:
    idle = [key for key, shared in _workers.items() if shared.users == 0]
    for key in idle[: max(0, len(_workers) - _MOST_WORKERS + 1)]:
        _workers.pop(key).worker.close()


def close_workers() -> None:
    """Ends the warm workers of this process; the next call starts new ones."""
    with _lock:
        found = list(_workers.values())
        _workers.clear()
    for shared in found:
        if shared.users == 0:
            shared.worker.close()


def _forget_parents_workers() -> None:
    global _lock
    # whoever held it is not in this process
    _lock = threading.Lock()
    _workers.clear()
    for connection in _connection.connections():
        connection.leave_to_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_parents_workers)
