"""A model of the real size for `npm run bench -- --full`, trained on the sample objects.

    python train_full_model.py SAMPLES OUT [TREES]

SAMPLES holds ztf-300.parquet and ztf-300-labels.csv. Writes the pickles of four balanced forests of 500 unlimited trees
(about 1.7 million nodes), rows.parquet (8,000 objects to classify), golden_input.csv and golden.json (500 of them with
scikit-learn's own answers) into OUT. Needs scikit-learn, imbalanced-learn, pandas and pyarrow; takes some minutes.
"""

import json
import pickle
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from imblearn.ensemble import BalancedRandomForestClassifier

samples, out = Path(sys.argv[1]), Path(sys.argv[2])
trees = int(sys.argv[3]) if len(sys.argv) > 3 else 500
manifest = json.loads((samples / "model" / "manifest.json").read_text())
features, taxonomy = manifest["features"], manifest["taxonomy"]
branch_of = {leaf: branch for branch, leaves in taxonomy.items() for leaf in leaves}
rng = np.random.default_rng(1)

objects = pd.read_parquet(samples / "ztf-300.parquet")
labels = pd.read_csv(samples / "ztf-300-labels.csv").set_index("oid")["class"].loc[objects.oid].to_numpy()
values = objects[features].to_numpy()
spread = np.nan_to_num(np.nanpercentile(values, 75, axis=0) - np.nanpercentile(values, 25, axis=0), posinf=1, neginf=1)


def noisy(copies):
    """The sample objects again and again, each time moved by a third of a feature's spread."""
    return np.vstack([values + rng.normal(0, 0.35, values.shape) * spread for _ in range(copies)])


def preprocessed(x):
    x = np.where(np.isfinite(x), x, np.nan)
    x = np.where(np.isnan(x), -999.0, x)
    return np.where(x > 1e32, 0.0, x)


copies = 85
train = preprocessed(noisy(copies))
wrong = rng.random(len(train)) < 0.05
leaf = np.tile(labels, copies).astype(object)
leaf[wrong] = rng.choice(labels, wrong.sum())
top = np.array([branch_of[name] for name in leaf], dtype=object)

out.mkdir(parents=True, exist_ok=True)
forests = {}
for level, branch in [("top", None), *((name.lower(), name) for name in taxonomy)]:
    chosen = np.ones(len(train), bool) if branch is None else top == branch
    forest = BalancedRandomForestClassifier(
        n_estimators=trees,
        max_features=0.2 if level == "stochastic" else "sqrt",
        min_samples_leaf=2,
        sampling_strategy="auto",
        replacement=False,
        bootstrap=True,
        n_jobs=-1,
        random_state=3,
    )
    forest.fit(train[chosen], (top if branch is None else leaf)[chosen])
    forest.n_jobs = 1
    forests[level] = forest
    with open(out / f"{level}_level_BRF_model.pkl", "wb") as file:
        pickle.dump(forest, file, pickle.HIGHEST_PROTOCOL)
    print(level, sum(tree.tree_.node_count for tree in forest.estimators_), "nodes", file=sys.stderr, flush=True)
with open(out / "features_RF_model.pkl", "wb") as file:
    pickle.dump(pd.Index(features), file, pickle.HIGHEST_PROTOCOL)

rows = pd.DataFrame(noisy(27)[:8000], columns=features)
rows.insert(0, "oid", [f"ZTF{i:08d}" for i in range(len(rows))])
rows.insert(1, "candid", np.arange(len(rows), dtype=np.int64) + 1_200_000_000_000_000_000)
rows.to_parquet(out / "rows.parquet", compression="zstd", index=False)
golden = rows.iloc[:500]
golden.to_csv(out / "golden_input.csv", index=False)
answers = {level: forest.predict_proba(preprocessed(golden[features].to_numpy())) for level, forest in forests.items()}
column = list(forests["top"].classes_).index
flat = np.concatenate([answers[b.lower()] * answers["top"][:, [column(b)]] for b in taxonomy], axis=1)
names = [str(c) for b in taxonomy for c in forests[b.lower()].classes_]
classes = {"lc_classifier": names, **{f"lc_classifier_{k}": [str(c) for c in f.classes_] for k, f in forests.items()}}
probabilities = {"lc_classifier": flat.tolist(), **{f"lc_classifier_{k}": v.tolist() for k, v in answers.items()}}
predicted = [names[i] for i in flat.argmax(1)]
(out / "golden.json").write_text(
    json.dumps({"features": features, "predicted": predicted, "classes": classes, "probabilities": probabilities})
)
