"""A bar for people, where there are some and tqdm is installed."""

from __future__ import annotations

import contextlib
import sys
from typing import Any, Callable, Iterator, Optional


@contextlib.contextmanager
def progress_bar(asked: Optional[bool], rows: Optional[int], fewest: int) -> Iterator[Callable[[int], None]]:
    """Tells rows as they are done. ``asked`` None: in notebooks and on terminals, for more than ``fewest`` rows."""
    tqdm = _tqdm() if asked is True or (asked is None and _is_watched() and (rows is None or rows > fewest)) else None
    if tqdm is None:
        yield lambda _: None
        return
    with tqdm(total=rows, unit=" objects", unit_scale=True, desc="lcclf") as bar:
        yield lambda done: void(bar.update(done))


def void(_: object) -> None:
    """Nothing of it."""


def _tqdm() -> Any:
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return None
    return tqdm


def _is_watched() -> bool:
    shell = sys.modules.get("IPython")
    current = shell.get_ipython() if shell is not None and hasattr(shell, "get_ipython") else None
    return type(current).__name__ == "ZMQInteractiveShell" or sys.stderr is not None and sys.stderr.isatty()
