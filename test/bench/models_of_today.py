"""Models of today for `npm run bench -- --models-of-today --python PATH`, and what their own libraries take.

    python models_of_today.py train OUT FEATURES    XGBoost, LightGBM and ExtraTrees of 15 classes, and 8,000 rows
    python models_of_today.py time OUT MODEL        seconds of predict for all rows, one thread (best of three)

Needs xgboost, lightgbm, scikit-learn, pandas and pyarrow; prints one JSON object.
"""

import json
import pickle
import sys
import time
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
import xgboost
from sklearn.ensemble import ExtraTreesClassifier

mode, out, what = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
classes = 15


def train(features):
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(classes, features)) * 0.5
    y = rng.integers(0, classes, size=6000)
    x = centres[y] + rng.normal(size=(6000, features))
    x[rng.random(x.shape) < 0.1] = np.nan
    names = [f"f{i}" for i in range(features)]
    rows = pd.DataFrame(centres[rng.integers(0, classes, size=8000)] + rng.normal(size=(8000, features)), columns=names)
    rows = rows.mask(rng.random(rows.shape) < 0.1).astype(np.float32).astype(np.float64)
    out.mkdir(parents=True, exist_ok=True)
    frame = pd.DataFrame(x, columns=names)
    booster = {"objective": "multi:softprob", "num_class": classes, "max_depth": 6, "tree_method": "hist"}
    xgboost.train(booster, xgboost.DMatrix(frame, y), 100).save_model(out / "xgboost.json")
    leaves = {"objective": "multiclass", "num_class": classes, "num_leaves": 31, "verbose": -1}
    lightgbm.train(leaves, lightgbm.Dataset(frame, y), 100).save_model(out / "lightgbm.txt")
    forest = ExtraTreesClassifier(200, min_samples_leaf=2, n_jobs=-1, random_state=1).fit(frame.fillna(-999), y)
    forest.n_jobs = 1
    (out / "extra-trees.pkl").write_bytes(pickle.dumps(forest, protocol=4))
    rows.insert(0, "oid", [f"ZTF{i}" for i in range(len(rows))])
    # ExtraTrees here take no missing values
    rows.to_parquet(out / "rows.parquet", index=False)
    rows.fillna(-999).to_parquet(out / "rows-filled.parquet", index=False)
    print(json.dumps({"rows": len(rows)}))


def measure(model):
    table = pd.read_parquet(out / ("rows-filled.parquet" if model == "extra-trees" else "rows.parquet"))
    x = table.drop(columns="oid").to_numpy()
    if model == "xgboost":
        booster = xgboost.Booster(model_file=out / "xgboost.json")
        booster.set_param({"nthread": 1})
        booster.feature_names = None
        single = x.astype(np.float32)
        predict = lambda: booster.inplace_predict(single)
    elif model == "lightgbm":
        booster = lightgbm.Booster(model_file=out / "lightgbm.txt")
        predict = lambda: booster.predict(x, num_threads=1)
    else:
        forest = pickle.loads((out / "extra-trees.pkl").read_bytes())
        predict = lambda: [forest.predict_proba(x[i : i + 1000]) for i in range(0, len(x), 1000)]
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        predict()
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"seconds": min(seconds), "rows": len(x)}))


train(int(what)) if mode == "train" else measure(what)
