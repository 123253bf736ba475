"""lcclf.classify against scikit-learn in the same process, one of whose cores it uses.

python python/bench/classify.py PICKLES BUNDLE TABLE.parquet: the survey's four pickles of 2020, the bundle made of them, and rows.
"""

from __future__ import annotations

import pickle
import statistics
import sys
import time
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pandas as pd

import lcclf


def main(pickles: Path, bundle: str, table: Path) -> None:
    frame = pd.read_parquet(table)
    levels = {one: load(pickles, one) for one in ("top", "stochastic", "periodic", "transient")}
    with lcclf.Worker(bundle) as worker:
        names = worker.features

    def by_scikit_learn() -> Any:
        values = frame[names].to_numpy(dtype="float64").copy()
        values[~np.isfinite(values)] = -999
        found = {name: (model.predict_proba(values), list(model.classes_)) for name, model in levels.items()}
        top, branches = found["top"]
        return {
            one: found[name][0][:, i] * top[:, branches.index(name.capitalize())]
            for name in ("stochastic", "periodic", "transient")
            for i, one in enumerate(found[name][1])
        }

    truth, own = by_scikit_learn(), lcclf.classify(frame, model=bundle)
    wrong = sum(int((np.asarray(truth[one]) != own[one].to_numpy()).sum()) for one in truth)
    print(f"{len(frame)} rows, {len(truth)} classes: {wrong} values differ")
    theirs, ours = times(by_scikit_learn, 3), times(lambda: lcclf.classify(frame, model=bundle), 9)
    print(f"scikit-learn {theirs:.2f} s, lcclf {ours:.3f} s: {theirs / ours:.1f} times as fast (medians)")
    row = frame.head(1)
    print(f"one row: {times(lambda: lcclf.classify(row, model=bundle), 101) * 1000:.1f} ms (median)")


def load(folder: Path, level: str) -> Any:
    path = next(folder.glob(f"{level}_level_*_model.pkl"))
    with open(path, "rb") as file:
        model = pickle.load(file)
    model.n_jobs = 1
    return model


def times(work: Callable[[], Any], count: int) -> float:
    found = []
    for _ in range(count):
        begun = time.perf_counter()
        work()
        found.append(time.perf_counter() - begun)
    return statistics.median(found)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
