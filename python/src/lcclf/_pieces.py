"""Parquet files in pieces: some row groups of a file each, for tasks that read them themselves."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Iterator, List, Mapping, Sequence, Tuple, Union

import pyarrow as pa
import pyarrow.fs as fs
import pyarrow.parquet as pq

from .errors import LcclfError

Paths = Union[str, "os.PathLike[str]", Sequence[Union[str, "os.PathLike[str]"]]]

#: a piece has so many rows, or the rest of a file; row groups are not cut
_ROWS_A_PIECE = 100_000
#: what a task has in memory of a file
_ROWS_AT_ONCE = 10_000
_FOOTERS_AT_ONCE = 16


@dataclass(frozen=True)
class Piece:
    """Row groups ``first`` to ``last``, without the last, of one file."""

    file: str
    first: int
    last: int

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Its rows, some thousands at once."""
        filesystem, path = _opened(self.file)
        with filesystem.open_input_file(path) as source:
            file = pq.ParquetFile(source)
            groups = range(self.first, self.last)
            yield from file.iter_batches(_ROWS_AT_ONCE, row_groups=groups, columns=list(columns), use_threads=False)


def pieces_of(paths: Paths, types_of: Mapping[str, str]) -> Tuple[List[Piece], pa.Schema]:
    """The pieces of files and folders, and the columns of the first file. Reads footers only.

    ``types_of`` says what the columns are called whose types decide those of the result: they must be the same everywhere.

    Raises LcclfError where there is no file, one is no Parquet file, or one has other types than the first.
    """
    files = _files(paths)
    with ThreadPoolExecutor(_FOOTERS_AT_ONCE) as pool:
        footers = list(pool.map(_footer, files))
    schema: pa.Schema = footers[0].schema.to_arrow_schema()
    for file, footer in zip(files, footers):
        found = footer.schema.to_arrow_schema()
        for what, name in types_of.items():
            types = [one.field(name).type if name in one.names else None for one in (schema, found)]
            if types[0] != types[1]:
                hint = "Classify them apart, or write one of them again."
                raise LcclfError(
                    f"{file}: {what} {name} is {types[1] or 'missing'}, and {types[0] or 'missing'} in {files[0]}",
                    code="data",
                    hint=hint,
                )
    return [piece for file, footer in zip(files, footers) for piece in _cut(file, footer)], schema


def _cut(file: str, footer: pq.FileMetaData) -> Iterator[Piece]:
    first, rows = 0, 0
    for group in range(footer.num_row_groups):
        rows += footer.row_group(group).num_rows
        if rows >= _ROWS_A_PIECE or group + 1 == footer.num_row_groups:
            yield Piece(file, first, group + 1)
            first, rows = group + 1, 0


def _files(paths: Paths) -> List[str]:
    """Files as they are, of a folder those that end in .parquet, in the order of their names."""
    listed = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    files: List[str] = []
    for given in [os.fspath(one) for one in listed]:
        filesystem, path = _opened(given)
        info = filesystem.get_file_info(path)
        if info.type == fs.FileType.NotFound:
            raise LcclfError(f"{given}: no such file or folder", code="data")
        if info.type == fs.FileType.Directory:
            inside = filesystem.get_file_info(fs.FileSelector(path, recursive=True))
            # Spark and others keep what is no data under such names
            named = [one.path for one in inside if one.is_file and one.path.endswith(".parquet") and not _is_hidden(one, path)]
            start = given[: len(given) - len(path)] if "://" in given else ""
            files += [start + name for name in sorted(named)]
        else:
            files.append(given if "://" in given else os.path.abspath(given))
    if not files:
        where = f" in {', '.join(os.fspath(one) for one in listed)}" if listed else ""
        raise LcclfError(f"no files{where}", code="data", hint="Of a folder, files that end in .parquet are read.")
    return files


def _is_hidden(info: Any, folder: str) -> bool:
    return any(part.startswith(("_", ".")) for part in info.path[len(folder) :].split("/"))


def _opened(file: str) -> Tuple[fs.FileSystem, str]:
    if "://" not in file:
        return fs.LocalFileSystem(), os.path.abspath(file)
    opened: Tuple[fs.FileSystem, str] = fs.FileSystem.from_uri(file)
    return opened


def _footer(file: str) -> pq.FileMetaData:
    filesystem, path = _opened(file)
    try:
        with filesystem.open_input_file(path) as source:
            return pq.ParquetFile(source).metadata
    except (OSError, pa.ArrowException) as error:
        raise LcclfError(f"{file}: {str(error).splitlines()[0]}", code="data") from error
