"""lcclf against scikit-learn: in one process (bench/classify.py), then under Spark, Parquet → Parquet.

    python python/bench/spark_against_sklearn.py --pickles FOLDER --bundle FOLDER --rows ztf-8k.parquet [--count 200000]

FOLDER has the five pickles of the model, as test/bench/train_full_model.py makes them; the bundle is `lcclf model import` of
them. Needs pyspark, Java 17, pandas, and the scikit-learn and imbalanced-learn that made the pickles. Both sides read the
same rows and write the same columns; every probability is compared, bit by bit. Rounds alternate; medians are told.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark import cloudpickle

import lcclf.spark
from classify import load, main as bench_in_one_process

# in the order of the survey's columns, which decides ties
BRANCHES = {"stochastic": "Stochastic", "periodic": "Periodic", "transient": "Transient"}
TEXTS = ("oid", "class")


class ScikitLearn:
    """The classifier as the survey runs it, one thread: the leaves' columns of lcclf.classify."""

    def __init__(self, folder):
        with open(Path(folder) / "features_RF_model.pkl", "rb") as file:
            self.features = list(pickle.load(file))
        self.forests = {}
        for level in ("top", *BRANCHES):
            self.forests[level] = load(Path(folder), level)

    def classify(self, frame):
        values = frame[self.features].to_numpy()
        values = np.where(np.isfinite(values), values, -999.0)
        values = np.where(values > 1e32, 0.0, values)
        top = self.forests["top"]
        tops = dict(zip(top.classes_, top.predict_proba(values).T))
        columns = {}
        for level, branch in BRANCHES.items():
            # the product of the survey: leaf times branch
            forest = self.forests[level]
            for name, share in zip(forest.classes_, forest.predict_proba(values).T):
                columns[name] = share * tops[branch]
        result = pd.DataFrame(columns)
        best = result.to_numpy().argmax(axis=1)
        result.insert(0, "oid", frame["oid"].to_numpy())
        result.insert(1, "class", np.array(list(columns))[best])
        return result


def sklearn_in_spark(df, folder):
    """`mapInPandas` with the model loaded once in each worker."""
    cloudpickle.register_pickle_by_value(sys.modules["classify"])
    names = list(ScikitLearn(folder).classify(df.limit(1).toPandas()).columns)

    def classify(frames):
        import builtins

        # of the process, which Spark keeps between tasks
        model = vars(builtins).get("bench_model") or ScikitLearn(folder)
        builtins.bench_model = model
        for frame in frames:
            yield model.classify(frame)

    schema = ", ".join(f"`{name}` {'string' if name in TEXTS else 'double'}" for name in names)
    return df.mapInPandas(classify, schema)


def median_times(rounds, **runs):
    """Seconds of each, one after the other, again and again."""
    times = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            begun = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - begun)
    return {name: {"median": statistics.median(all_), "all": [round(one, 4) for one in all_]} for name, all_ in times.items()}


def differing_bits(own, reference):
    """Values that are not the same to the last bit, or classes that differ."""
    own, reference = own.sort_by("oid"), reference.sort_by("oid")
    assert own.column("oid").to_pylist() == reference.column("oid").to_pylist()
    count = sum(a != b for a, b in zip(own.column("class").to_pylist(), reference.column("class").to_pylist()))
    for name in reference.column_names:
        if name not in TEXTS:
            left, right = (table.column(name).to_numpy().view("int64") for table in (own, reference))
            count += int((left != right).sum())
    return count


def repeated_rows(path, count, files, folder):
    """So many objects with oids of their own, in so many files."""
    table = pq.read_table(path)
    written = 0
    for i in range(files):
        wanted = (i + 1) * count // files - written
        part = pa.concat_tables([table] * (wanted // table.num_rows + 1)).slice(0, wanted)
        oids = pa.array([f"o{written + row}" for row in range(wanted)])
        pq.write_table(part.set_column(part.column_names.index("oid"), "oid", oids), Path(folder) / f"{i}.parquet")
        written += wanted
    return str(folder)


def spark_session(cores):
    from pyspark.sql import SparkSession

    os.environ.update(PYSPARK_PYTHON=sys.executable, PYSPARK_DRIVER_PYTHON=sys.executable, SPARK_LOCAL_IP="127.0.0.1")
    builder = SparkSession.builder.master(f"local[{cores}]").config("spark.ui.enabled", "false")
    builder = builder.config("spark.ui.showConsoleProgress", "false").config("spark.log.level", "ERROR")
    return builder.config("spark.driver.memory", "3g").getOrCreate()


def bench_spark(asked, folder):
    spark = spark_session(asked.cores)
    rows = repeated_rows(asked.rows, asked.count, asked.files, tempfile.mkdtemp(dir=folder))
    df = spark.read.parquet(rows)
    classified = lcclf.spark.classify(df, asked.bundle)
    of_files = lcclf.spark.classify_files(spark, rows, asked.bundle)
    reference = sklearn_in_spark(df, asked.pickles)
    outs = {name: str(Path(folder) / name) for name in ("lcclf", "lcclf, files", "scikit-learn")}

    def writer(result, name):
        return lambda: result.write.mode("overwrite").parquet(outs[name])

    # models are opened before the clock runs: a hundredth of the rows through each worker
    few = df.limit(asked.cores * 100).repartition(asked.cores)
    lcclf.spark.classify(few, asked.bundle).count()
    sklearn_in_spark(few, asked.pickles).count()
    results = dict(zip(outs, (classified, of_files, reference)))
    runs = {name: writer(result, name) for name, result in results.items()}
    told = {"rows": asked.count, "cores": asked.cores, **median_times(asked.rounds, **runs)}
    tables = {name: pq.read_table(out) for name, out in outs.items()}
    truth = tables.pop("scikit-learn")
    told["differing bits"] = sum(differing_bits(table, truth) for table in tables.values())
    spark.stop()
    return told


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pickles", required=True)
    parser.add_argument("--bundle", required=True)
    parser.add_argument("--rows", required=True, help="a Parquet file with oid and the features")
    parser.add_argument("--count", type=int, default=200_000, help="rows through Spark")
    parser.add_argument("--files", type=int, default=8)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only-spark", action="store_true")
    asked = parser.parse_args()
    if not asked.only_spark:
        bench_in_one_process(Path(asked.pickles), asked.bundle, Path(asked.rows))
    asked.bundle, asked.pickles = (str(Path(one).resolve()) for one in (asked.bundle, asked.pickles))
    folder = tempfile.mkdtemp(prefix="lcclf-bench-")
    try:
        told = bench_spark(asked, folder)
    finally:
        shutil.rmtree(folder)
    slow = told["scikit-learn"]["median"]
    told["times as fast"] = {name: round(slow / told[name]["median"], 2) for name in ("lcclf", "lcclf, files")}
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
