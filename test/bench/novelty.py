"""How well scores from a forest's own leaves find objects of a class that the model never saw; prints tables.

    python test/bench/novelty.py FEATURES.parquet LABELS.csv FEATURES.json [--trees 100] [--classes SNIa,QSO] [--out FILE.json]

Leaves out each class in turn. The survey's hierarchy (four balanced forests) is trained with half of the objects of the other
classes, as the full-size model of the benchmarks is: the objects, and four copies of each with noise. Then the objects of the
class are ranked among those of the other half, and the area under the ROC curve says how well. Judged twice: the objects as they
are, and one more copy of each with noise (what the training set itself is made of). `shuffled` ranks objects whose features are
each another object's among the others: nothing real looks like them. Beside it scikit-learn's IsolationForest, of the same
training rows. Seeds are fixed: the same packages give the same figures. Needs pandas, pyarrow, scikit-learn, imbalanced-learn.
"""
import argparse
import json
import warnings

import numpy as np
import pandas as pd
from imblearn.ensemble import BalancedRandomForestClassifier
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

TAXONOMY = {
    "Stochastic": ["AGN", "Blazar", "CV/Nova", "QSO", "YSO"],
    "Periodic": ["CEP", "DSCT", "E", "LPV", "Periodic-Other", "RRL"],
    "Transient": ["SLSN", "SNII", "SNIa", "SNIbc"],
}
BRANCH = {c: b for b, classes in TAXONOMY.items() for c in classes}
COPIES = 4
NOVELTY = "**novelty**: emptiness of all forests and 1 − max product"


def preprocess(x):
    x = np.where(np.isfinite(x), x, np.nan)
    x = np.where(np.isnan(x), -999.0, x)
    x[x > 1e32] = 0.0
    return x


def noisy(x, rng):
    spread = np.nan_to_num(np.nanpercentile(x, 75, axis=0) - np.nanpercentile(x, 25, axis=0), posinf=1, neginf=1)
    return x + rng.normal(0, 0.3, x.shape) * spread


def entropy(p):
    return -(p * np.log(np.maximum(p, 1e-12))).sum(-1)


def fitted(level, x, y, trees):
    share = 0.2 if level == "Stochastic" else "sqrt"
    forest = BalancedRandomForestClassifier(
        n_estimators=trees, max_features=share, min_samples_leaf=2, sampling_strategy="auto", replacement=False, bootstrap=True
    )
    forest.set_params(n_jobs=2, random_state=3)
    return forest.fit(x, y)


def depths(tree):
    depth = np.zeros(tree.node_count, int)
    for node in np.flatnonzero(tree.children_left >= 0):  # a parent's number is below its children's
        depth[[tree.children_left[node], tree.children_right[node]]] = depth[node] + 1
    return depth


def visited(forest, x):
    """What each tree's leaf says of each row: arrays of rows × trees, and fractions of rows × trees × classes."""
    x = x.astype(np.float32)
    parts = []
    for estimator in forest.estimators_:
        tree = estimator.tree_
        leaf = tree.apply(x)
        fractions = tree.value[leaf, 0]
        weights = tree.weighted_n_node_samples
        smallest = weights[tree.children_left < 0].min()
        found = weights[leaf], np.full(len(leaf), weights[0]), np.full(len(leaf), smallest), depths(tree)[leaf]
        parts.append((*found, (fractions / fractions.sum(1, keepdims=True)).astype(np.float32)))
    cover, root, smallest, depth, fractions = (np.stack(column, 1) for column in zip(*parts))
    # the forest's smallest leaf, as a share of its tree
    deepest = np.log(root / smallest).max()
    return {"cover": cover, "root": root, "depth": depth, "fractions": fractions, "deepest": deepest}


def level_scores(seen):
    """Scores of one forest, the more the stranger."""
    fractions, cover = seen["fractions"], seen["cover"]
    mean = fractions.mean(1)
    share = cover / seen["root"]
    near = (fractions * share[..., None]).mean(1)
    return {
        "emptiness": (np.log(1 / share) / seen["deepest"]).mean(1),
        "mean log of covers": -np.log(cover).mean(1),
        "mean share of covers": -share.mean(1),
        "log of cover × purity": -np.log(cover * fractions.max(2)).mean(1),
        "mean of 1 ÷ cover": (1 / cover).mean(1),
        "nearness to the nearest class (log)": -np.log(near.max(1)),
        "depth": seen["depth"].mean(1),
        "entropy of the mean": entropy(mean),
        "mean entropy of leaves": entropy(fractions).mean(1),
        "mutual information": entropy(mean) - entropy(fractions).mean(1),
        "variance of leaves": fractions.var(1).sum(1),
        "1 − max": 1 - mean.max(1),
    }


def hierarchy_scores(seen, levels):
    """Scores of the hierarchy: each level's summed over the four forests, and over the top and the branches by their probability."""
    each = {name: level_scores(found) for name, found in seen.items()}
    mean = {name: found["fractions"].mean(1) for name, found in seen.items()}
    top = {b: mean["Top"][:, levels["Top"].tolist().index(b)] for b in TAXONOMY}
    scores = {}
    for score in each["Top"]:
        scores[f"{score}, all forests"] = sum(each[name][score] for name in each)
        likely = sum(top[b] * each[b][score] for b in TAXONOMY)
        scores[f"{score}, top and likely branches"] = each["Top"][score] + likely
        scores[f"{score}, top alone"] = each["Top"][score]
    product = np.concatenate([top[b][:, None] * mean[b] for b in TAXONOMY], 1)
    names = [c for b in TAXONOMY for c in levels[b]]
    scores["1 − max product"] = 1 - product.max(1)
    scores["entropy of the product"] = entropy(product)
    # what lcclf writes
    scores[NOVELTY] = (scores["emptiness, all forests"] + scores["1 − max product"]) / 5
    return scores, np.array(names)[product.argmax(1)]


def by_class(score, winner, known_score, known_winner):
    """The share of known objects of the same predicted class that are less strange."""
    place = np.ones(len(score))
    for name in np.unique(winner):
        own = np.sort(known_score[known_winner == name])
        if len(own) >= 10:
            place[winner == name] = np.searchsorted(own, score[winner == name]) / len(own)
    return place


def leave_out(name, data, labels, trees):
    """AUC of each score for the objects of one class; data: the objects, copies for training, one more copy to judge."""
    objects, copies, extra = data
    rng = np.random.default_rng(7)
    in_training = rng.random(len(labels)) < 0.5
    known = labels != name
    fit, judged = known & in_training, (known & ~in_training) | ~known
    x, y = np.concatenate([part[fit] for part in (objects, *copies)]), np.tile(labels[fit], 1 + COPIES)
    top = np.array([BRANCH[c] for c in y], dtype=object)
    strange = objects[known & ~in_training]
    shuffled = np.stack([rng.permutation(column) for column in strange.T], 1)
    is_novel = ~known[judged]
    sets = {"objects": objects[judged], "with noise": extra[judged], "shuffled": np.concatenate([strange, shuffled])}
    truth = {"objects": is_novel, "with noise": is_novel, "shuffled": np.arange(2 * len(strange)) >= len(strange)}
    seen, levels = {s: {} for s in sets}, {}
    for level in ("Top", *TAXONOMY):
        rows = np.ones(len(y), bool) if level == "Top" else top == level
        forest = fitted(level, x[rows], (top if level == "Top" else y)[rows], trees)
        levels[level] = forest.classes_
        for s in sets:
            seen[s][level] = visited(forest, sets[s])
    isolation = {
        "IsolationForest, 100 trees (default)": IsolationForest(random_state=3, n_jobs=2).fit(x),
        "IsolationForest, 500 trees": IsolationForest(n_estimators=500, random_state=3, n_jobs=2).fit(x),
        "IsolationForest, 500 trees, no copies": IsolationForest(n_estimators=500, random_state=3, n_jobs=2).fit(objects[fit]),
    }
    found = {}
    for s in sets:
        scores, winner = hierarchy_scores(seen[s], levels)
        scores |= {n: -forest.score_samples(sets[s]) for n, forest in isolation.items()}
        found[s] = {n: roc_auc_score(truth[s], score) for n, score in scores.items()}
        # the table is made of every second known object and judged on the rest
        table = ~truth[s] & (np.arange(len(winner)) % 2 == 0)
        rest = ~table
        place = by_class(scores[NOVELTY][rest], winner[rest], scores[NOVELTY][table], winner[table])
        found[s]["novelty among those of its predicted class"] = roc_auc_score(truth[s][rest], place)
    return found


def show(results, judged):
    classes = list(results)
    names = list(results[classes[0]][judged])
    mean = {n: np.mean([results[c][judged][n] for c in classes]) for n in names}
    print(f"\n### {judged}\n\n| score | mean | " + " | ".join(classes) + " |")
    print("|---|---|" + "---|" * len(classes))
    for n in sorted(names, key=lambda n: -mean[n]):
        print(f"| {n} | {mean[n]:.3f} | " + " | ".join(f"{results[c][judged][n]:.2f}" for c in classes) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("features")
    parser.add_argument("labels")
    parser.add_argument("names", help="JSON: the model's features")
    parser.add_argument("--trees", type=int, default=100)
    parser.add_argument("--classes", help="only these, with commas")
    parser.add_argument("--out", help="all figures as JSON")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    table = pd.read_parquet(args.features)
    labels = pd.read_csv(args.labels).set_index("oid").iloc[:, 0].loc[table.oid].values.astype(object)
    x = table[json.load(open(args.names))].values
    rng = np.random.default_rng(1)
    copies = [preprocess(noisy(x, rng)) for _ in range(COPIES)]
    data = preprocess(x), copies, preprocess(noisy(x, rng))
    results = {}
    for name in args.classes.split(",") if args.classes else sorted(set(labels)):
        results[name] = leave_out(name, data, labels, args.trees)
        best = {n: f"{results[name]['objects'][n]:.3f}" for n in (NOVELTY, "IsolationForest, 500 trees")}
        print(name, best, flush=True)
        if args.out:
            json.dump(results, open(args.out, "w"))
    for judged in ("objects", "with noise", "shuffled"):
        show(results, judged)


main()
