"""How good calibrated probabilities and sets are on objects that the calibration did not see; prints a table.

    python test/bench/calibration.py BUNDLE FEATURES.parquet LABELS.csv [--label-column classALeRCE]

Five random halves of the labels: one half for `lcclf calibrate`, judged on the other. `lcclf` runs as a user runs it. Beside it
scikit-learn's CalibratedClassifierCV on the same scores, level by level, and MAPIE's sets (LAC, which promises over all classes
together) where MAPIE is installed. Needs pandas, pyarrow, scikit-learn.
"""
import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV

LCCLF = ["node", str(Path(__file__).parents[2] / "bin/run.js")]


def lcclf(*args):
    began = time.perf_counter()
    run = subprocess.run([*LCCLF, *map(str, args)], capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(run.stderr)
    return run.stdout, time.perf_counter() - began


class Given(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return X

    def predict(self, X):
        return self.classes_[X.argmax(1)]


def log_loss(p, truth):
    return -np.log(np.clip(p[np.arange(len(truth)), truth], 2.2e-16, 1)).mean()


def calibration_error(p, truth, bins=10):
    confidence, right = p.max(1), p.argmax(1) == truth
    place = np.clip(np.ceil(confidence * bins) - 1, 0, bins - 1)
    shares = [(place == b) for b in range(bins) if (place == b).any()]
    return sum(s.mean() * abs(right[s].mean() - confidence[s].mean()) for s in shares)


def coverage(members, truth, classes, fewest=30):
    hits = members[np.arange(len(truth)), truth]
    each = {c: hits[truth == k].mean() for k, c in enumerate(classes) if (truth == k).sum() >= fewest}
    sizes = members.sum(1)
    return hits.mean(), min(each.values()), sizes.mean(), (sizes == 1).mean(), (sizes == 0).mean()


def scores(p, truth):
    return calibration_error(p, truth), log_loss(p, truth), (p.argmax(1) == truth).mean()


def sklearn_gap(raw, labelled, bundle, results, half, method, work):
    """The largest difference of a calibrated level from scikit-learn's, over all objects and levels."""
    out = work / f"by-{method}"
    lcclf("calibrate", results, "--labels", half, "--model", bundle, "--out", out, "--method", method)
    parameters = json.loads((out / "calibration.json").read_text())["levels"]
    manifest = json.loads((out / "manifest.json").read_text())
    branch_of = {c: b for b, cs in (manifest["taxonomy"] or {}).items() for c in cs}
    gap = 0.0
    for level, found in zip(manifest["levels"], parameters):
        classes = level["classes"]
        names = [f"{level['name']}/{c}" for c in classes]
        own = labelled.map(branch_of) if level["branch"] is None else labelled
        y = own.reindex(raw.index)
        rows = y.isin(classes).values
        order = np.argsort(classes)
        X = raw[names].values[:, order]
        theirs = CalibratedClassifierCV(Given().fit(X, np.sort(classes)), method=method, cv="prefit")
        answer = theirs.fit(X[rows], y[rows].values).predict_proba(X)[:, np.argsort(order)]
        ours = apply(found["parameters"], raw[names].values)
        gap = max(gap, np.abs(ours - answer).max())
    return gap


def apply(parameters, p):
    """The calibration of a level, from the bundle's own numbers."""
    if parameters["kind"] == "isotonic":
        q = np.stack([np.interp(p[:, k], x, y) for k, (x, y) in enumerate(zip(parameters["x"], parameters["y"]))], 1)
    else:
        q = 1 / (1 + np.exp(p * np.array(parameters["a"]) + np.array(parameters["b"])))
    total = q.sum(1, keepdims=True)
    return np.where(total == 0, 1 / p.shape[1], q / np.where(total == 0, 1, total))


def mapie_sets(fit, truth, judged, level):
    from mapie.classification import MapieClassifier

    model = MapieClassifier(Given().fit(fit, truth), method="lac", cv="prefit").fit(fit, truth)
    return model.predict(judged, alpha=1 - level)[1][:, :, 0]


def one_half(seed, raw, labels, args, work, results):
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(labels))
    used, judged = labels.iloc[order[: len(labels) // 2]], labels.iloc[order[len(labels) // 2 :]]
    half = work / "half.csv"
    used.rename("class").to_csv(half, index_label="oid")
    out = work / "calibrated"
    lcclf("calibrate", results, "--labels", half, "--model", args.bundle, "--out", out, "--overwrite")
    methods = [level["parameters"]["kind"] for level in json.loads((out / "calibration.json").read_text())["levels"]]
    answers = work / "answers.parquet"
    lcclf("classify", args.features, "--model", out, "--calibrated", "--sets", 0.9, "--to", answers, "--overwrite", "-q")
    found = pd.read_parquet(answers).set_index("oid")
    classes = [c.removeprefix("calibrated/") for c in found.columns if c.startswith("calibrated/")]
    place = {c: k for k, c in enumerate(classes)}
    truth = judged.map(place).values
    own = found.loc[judged.index]
    before, after = own[classes].values, own[[f"calibrated/{c}" for c in classes]].values
    members = np.array([[c in s for c in classes] for s in map(set, own["set"])])
    row = {"methods": methods, "before": scores(before, truth), "after": scores(after, truth)}
    row["sets"] = coverage(members, truth, classes)
    for method in ["sigmoid", "isotonic"]:
        row[method] = sklearn_gap(raw, used, args.bundle, results, half, method, work / str(seed))
    try:
        theirs = mapie_sets(found.loc[used.index, classes].values, used.map(place).values, before, 0.9)
        row["mapie"] = coverage(theirs, truth, classes)
    except ImportError:
        pass
    return row


def cost(args, work, results):
    """Seconds of a run without and with what is asked for; the least of five."""
    out = work / "all"
    lcclf("calibrate", results, "--labels", args.labels, "--label-column", args.label_column, "--model", args.bundle, "--out", out)
    plain = ["classify", args.features, "--model", out, "--to", work / "cost.parquet", "--overwrite", "-q"]
    both = [[lcclf(*plain)[1], lcclf(*plain, "--calibrated", "--sets", 0.9)[1]] for _ in range(5)]
    return np.min(both, 0)


def told(name, values):
    values = np.array(values)
    print(f"{name:48} {values.mean():8.4f} ± {values.std():.4f}   worst {values.min():.4f} … {values.max():.4f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bundle")
    parser.add_argument("features")
    parser.add_argument("labels")
    parser.add_argument("--label-column", default="classALeRCE")
    args = parser.parse_args()
    labels = pd.read_csv(args.labels).set_index("oid")[args.label_column]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        results = work / "raw.parquet"
        lcclf("classify", args.features, "--model", args.bundle, "--to", results, "-q")
        raw = pd.read_parquet(results).set_index("oid")
        for seed in range(5):
            (work / str(seed)).mkdir()
        rows = [one_half(seed, raw, labels, args, work, results) for seed in range(5)]
        print("five random halves; the labels are of synthetic objects close to the training set")
        for row in rows:
            print("methods of the levels:", ", ".join(row["methods"]))
        for i, name in enumerate(["expected calibration error", "log loss", "accuracy"]):
            told(f"{name}, before", [row["before"][i] for row in rows])
            told(f"{name}, after", [row["after"][i] for row in rows])
        told("accuracy, after − before", [row["after"][2] - row["before"][2] for row in rows])
        names = ["coverage of 90 % sets, overall", "… worst class of 30 or more labels", "mean size of a set", "sets of one class", "empty sets"]
        for key in ["sets", "mapie"]:
            if key in rows[0]:
                for i, name in enumerate(names):
                    told(f"{name}{' (MAPIE, LAC)' if key == 'mapie' else ''}", [row[key][i] for row in rows])
        for method in ["sigmoid", "isotonic"]:
            print(f"largest difference from scikit-learn, {method}: {max(row[method] for row in rows):.1e}")
        plain, asked = cost(args, work, results)
        print(f"cost: {plain:.2f} s → {asked:.2f} s, {100 * (asked / plain - 1):+.1f} %")


main()
