"""What people use today, timed for `npm run bench -- --python PATH`.

    python reference.py batch PICKLES ROWS    seconds of predict_proba, four forests, 1,000 rows at a time, n_jobs=1, by
                                              the clock and of the processor
    python reference.py single PICKLES ROWS   seconds of predict_proba of one row, four forests, n_jobs=1 (median of 20)
    python reference.py process PICKLES ROWS OUT    a whole process: load, read, classify with n_jobs=2, write

Prints one JSON object. The caller times the whole process itself.
"""

import json
import pickle
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

mode, folder, rows = sys.argv[1], Path(sys.argv[2]), sys.argv[3]


def load(name):
    for kind in ("BRF", "RF"):
        path = folder / f"{name}_level_{kind}_model.pkl"
        if path.exists():
            return pickle.loads(path.read_bytes())
    return pickle.loads((folder / "hierarchical_level_RF_model.pkl").read_bytes())


levels = ["top", "stochastic", "periodic", "transient"]
forests = {level: load(level) for level in levels}
features = list(pickle.loads((folder / "features_RF_model.pkl").read_bytes()))
table = pd.read_parquet(rows)


def preprocessed(x):
    x = np.where(np.isfinite(x), x, np.nan)
    x = np.where(np.isnan(x), -999.0, x)
    return np.where(x > 1e32, 0.0, x)


def classify(x):
    return {level: forest.predict_proba(x) for level, forest in forests.items()}


for forest in forests.values():
    forest.n_jobs = 2 if mode == "process" else 1
if mode == "batch":
    x = preprocessed(table[features].to_numpy())
    start, processor = time.perf_counter(), time.process_time()
    for i in range(0, len(x), 1000):
        classify(x[i : i + 1000])
    seconds = {"seconds": time.perf_counter() - start, "processor": time.process_time() - processor}
    print(json.dumps({**seconds, "rows": len(x)}))
elif mode == "single":
    x = preprocessed(table[features].to_numpy())
    seconds = []
    for i in range(20):
        start = time.perf_counter()
        classify(x[i : i + 1])
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"seconds": float(np.median(seconds))}))
else:
    answers = classify(preprocessed(table[features].to_numpy()))
    result = table[["oid", "candid"]].copy()
    column = list(forests["top"].classes_).index
    for branch in ("Stochastic", "Periodic", "Transient"):
        forest = forests[branch.lower()]
        for i, name in enumerate(forest.classes_):
            result[str(name)] = answers[branch.lower()][:, i] * answers["top"][:, column(branch)]
    for level, forest in forests.items():
        for i, name in enumerate(forest.classes_):
            result[f"{level}/{name}"] = answers[level][:, i]
    result.to_parquet(sys.argv[4], compression="zstd", index=False)
    print(json.dumps({"rows": len(result)}))
