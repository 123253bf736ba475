"""One command of lcclf, run to its end."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Sequence, Tuple

import pyarrow as pa

from . import _tables
from ._command import command
from ._connection import failure_of
from .errors import LcclfError


@dataclass(frozen=True)
class Given:
    """What a command is given to read, and what it is called."""

    path: str
    name: str


def run_json(words: Sequence[str], files: Sequence[Given] = ()) -> Dict[str, Any]:
    """Runs a command with --json and answers its object. Raises LcclfError as the command says it."""
    code, out, lines = run([*words, "--json"])
    text = out.decode()
    for file in files:
        text = text.replace(file.path, file.name)
    try:
        found: Dict[str, Any] = json.loads(text)
    except ValueError:
        raise failed(code, lines) from None
    error = found.get("error") if code != 0 else None
    if error:
        raise LcclfError(error["message"], code=error["code"], hint=error["hint"], exit_code=code)
    return found


def run(words: Sequence[str]) -> Tuple[int, bytes, List[str]]:
    """Runs a command and answers its exit code, its output, its lines for people."""
    done = subprocess.run([*command(), *words], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return done.returncode, done.stdout, done.stderr.decode(errors="replace").splitlines()


def failed(code: int, lines: Sequence[str]) -> LcclfError:
    """The error of a command that failed without saying why in JSON."""
    message, hint = failure_of(lines) or (f"lcclf ended with exit code {code}", "\n".join(lines[-20:]) or None)
    return LcclfError.of_exit(code, message, hint)


def flags_of(options: Mapping[str, Any]) -> List[str]:
    """``id_column="x"`` is ``--id-column x``; True is the flag alone, a list is the flag again and again."""
    words: List[str] = []
    for name, value in options.items():
        flag = "--" + name.rstrip("_").replace("_", "-")
        if value is None or value is False:
            continue
        if value is True:
            words.append(flag)
        elif isinstance(value, Mapping):
            for old, new in value.items():
                words += [flag, f"{old}={new}"]
        elif isinstance(value, (list, tuple)):
            for one in value:
                words += [flag, str(one)]
        else:
            words += [flag, os.fspath(value) if isinstance(value, os.PathLike) else str(value)]
    return words


@contextlib.contextmanager
def as_file(data: Any, name: str, *, id_column: str = "oid") -> Iterator[Given]:
    """A path or an address as it is; a table as a file that goes when it has been read."""
    if _tables.is_path(data):
        yield Given(os.fspath(data), os.fspath(data))
        return
    table = _tables.plain_columns(_tables.given_table(data, id_column=id_column, candid_column="candid").table)
    with temporary_folder() as folder:
        path = str(folder / "table.arrow")
        with pa.OSFile(path, "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        yield Given(path, name)


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder that goes with its block."""
    with tempfile.TemporaryDirectory(prefix="lcclf-") as name:
        yield Path(name)
