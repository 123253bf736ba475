"""What lcclf says about results and models, as dictionaries: thin covers of its commands."""

from __future__ import annotations

import contextlib
import os
from typing import Any, Dict, Union

from . import _cli

Model = Union[str, "os.PathLike[str]", None]


def explain(data: Any, oid: Union[str, int], model: Model = None, *, id_column: str = "oid", **options: Any) -> Dict[str, Any]:
    """Which features make an object what the model says it is: ``lcclf explain``.

    ``data`` is a table or a path that has the object. Options are its flags: ``top=10``, ``class_="RRL"``,
    ``approximate=True``, … . Answers the object that ``--json`` prints: exact Shapley values for every class.
    """
    with _cli.as_file(data, "the table", id_column=id_column) as file:
        flags = _cli.flags_of({"oid": oid, "model": model, "id_column": id_column, **options})
        return _cli.run_json(["explain", file.path, *flags], [file])


def evaluate(predictions: Any, labels: Any, *, label_column: str = "class", **options: Any) -> Dict[str, Any]:
    """How good results are, by labels: ``lcclf evaluate``.

    Both are tables (``labels`` with ``oid`` and ``label_column``) or paths. Options are its flags:
    ``rename_class={"OLD": "NEW"}``, ``report="report.html"``, … . Answers the object that ``--json`` prints.
    """
    with contextlib.ExitStack() as stack:
        results = stack.enter_context(_cli.as_file(predictions, "the predictions"))
        truths = stack.enter_context(_cli.as_file(labels, "the labels"))
        flags = _cli.flags_of({"labels": truths.path, "label_column": label_column, **options})
        return _cli.run_json(["evaluate", results.path, *flags], [results, truths])


def import_model(
    source: Union[str, "os.PathLike[str]"], name: str, version: str, **options: Any
) -> Dict[str, Any]:
    """Makes a bundle of pickles, ONNX or a booster's file: ``lcclf model import``.

    Options are its flags: ``out="bundle"`` (else into the store), ``golden=…``, ``overwrite=True``, … .
    """
    flags = _cli.flags_of({"name": name, "version": version, **options})
    return _cli.run_json(["model", "import", os.fspath(source), *flags])
