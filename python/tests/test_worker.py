"""Warm workers: threads, forks, deaths."""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Iterator, List

import pandas as pd
import pyarrow as pa
import pytest
from conftest import SAMPLE

import lcclf


def test_a_worker_says_who_answers() -> None:
    with lcclf.Worker(SAMPLE) as worker:
        assert worker.model["name"] == "sample_forest"
        assert len(worker.features) == 152
        assert worker.version == lcclf.__version__
        assert worker.is_alive
    assert not worker.is_alive
    with pytest.raises(lcclf.LcclfError, match="closed"):
        worker.classify(pd.DataFrame())


def test_the_schema_is_known_without_a_row(worker: lcclf.Worker, table: pa.Table) -> None:
    assert worker.schema() == worker.classify(table).schema
    long = worker.schema("long", like=pa.schema([("oid", pa.uint64()), *((f, pa.float64()) for f in worker.features)]))
    assert long.field("oid").type == pa.uint64()
    assert long.names[-1] == "ranking"
    with pytest.raises(lcclf.LcclfError, match="Amplitude_1"):
        worker.schema(like=table.schema.remove(table.schema.get_field_index("Amplitude_1")))


def test_the_sample_model_is_a_demonstration() -> None:
    with pytest.warns(lcclf.LcclfWarning, match="demonstration"):
        lcclf.Worker().close()


def test_threads_share_a_worker(worker: lcclf.Worker, table: pa.Table) -> None:
    truth = worker.classify(table)
    with ThreadPoolExecutor(6) as pool:
        parts = list(pool.map(lambda i: worker.classify(table.slice(i * 10, 10)), range(30)))
    assert pa.concat_tables(parts) == truth


def test_a_killed_worker_is_an_error_and_not_silence(table: pa.Table) -> None:
    with lcclf.Worker(SAMPLE) as worker:
        stream = worker.stream_batches([table] * 50)
        next(stream)
        os.kill(worker.process_id, signal.SIGKILL)
        with pytest.raises(lcclf.LcclfError, match="was ended by signal 9") as failure:
            list(stream)
        assert failure.value.code == "worker"
        assert "model: sample_forest" in (failure.value.hint or "")
        with pytest.raises(lcclf.LcclfError, match="was ended by signal 9"):
            worker.classify(table)


def test_sigterm_lets_the_request_in_hand_be_answered(table: pa.Table) -> None:
    with lcclf.Worker(SAMPLE) as worker:
        many = pa.concat_tables([table] * 20)
        # the second is sent as a whole only once the first is in hand
        first, second = (worker._submit(many, {}) for _ in range(2))
        os.kill(worker.process_id, signal.SIGTERM)
        assert first.result().header["counts"]["classified"] == 6000
        with pytest.raises(lcclf.LcclfError, match="interrupted by SIGTERM"):
            second.result()
        with pytest.raises(lcclf.LcclfError, match="interrupted by SIGTERM") as failure:
            worker.classify(table)
        assert failure.value.code == "interrupted"


def test_warm_workers_are_reused_and_replaced(table: pa.Table, tmp_path: Path) -> None:
    bundle = tmp_path / "model"
    shutil.copytree(SAMPLE, bundle)
    with lcclf.shared_worker(bundle) as worker:
        first = worker.process_id
    with lcclf.shared_worker(bundle) as worker:
        assert worker.process_id == first
        os.kill(first, signal.SIGKILL)
        with pytest.raises(lcclf.LcclfError, match="signal 9"):
            worker.classify(table)
    assert lcclf.classify(table, model=bundle).num_rows == 300
    with lcclf.shared_worker(bundle) as worker:
        second = worker.process_id
    assert second != first
    # another model in the same place
    os.utime(bundle / "manifest.json", (1, 1))
    with lcclf.shared_worker(bundle) as worker:
        assert worker.process_id not in (first, second)
    lcclf.close_workers()
    assert not is_running(second)


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_has_workers_of_its_own(table: pa.Table) -> None:
    # in a process without other threads of ours, as a fork server is
    program = f"""
import os, sys, pyarrow.parquet as pq, lcclf
table = pq.read_table({str(Path(SAMPLE).parent / 'ztf-300.parquet')!r})
truth = lcclf.classify(table, model={SAMPLE!r})
own = lcclf.Worker({SAMPLE!r})
with lcclf.shared_worker({SAMPLE!r}) as shared:
    process = shared.process_id
child = os.fork()
if child == 0:
    assert lcclf.classify(table, model={SAMPLE!r}) == truth
    with lcclf.shared_worker({SAMPLE!r}) as shared:
        assert shared.process_id != process
    try:
        own.classify(table)
    except lcclf.LcclfError as error:
        assert 'belongs to process' in str(error)
        lcclf.close_workers()
        os._exit(7)
    os._exit(1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert own.classify(table) == truth
assert lcclf.classify(table, model={SAMPLE!r}) == truth
print('both')
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout == "both\n", done.stderr


def test_a_worker_ends_with_its_program(tmp_path: Path) -> None:
    program = f"import lcclf, os, time; print(lcclf.Worker({SAMPLE!r}).process_id, flush=True); "
    program += f"w = lcclf.Worker({SAMPLE!r}); print(w.process_id, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        forgotten, held = int(process.stdout.readline()), int(process.stdout.readline())
        assert not is_running(forgotten)
        process.kill()
    deadline = time.monotonic() + 10
    while is_running(held) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(held)


def test_ctrl_c_does_not_end_the_worker(table: pa.Table) -> None:
    with lcclf.Worker(SAMPLE) as worker:

        def slowly() -> Iterator[pa.Table]:
            yield table
            signal.raise_signal(signal.SIGINT)
            yield table

        with pytest.raises(KeyboardInterrupt):
            list(worker.stream_batches(slowly()))
        assert worker.classify(table).num_rows == 300


def test_a_stream_stays_two_ahead(worker: lcclf.Worker, table: pa.Table) -> None:
    taken: List[int] = []

    def batches() -> Iterator[pa.Table]:
        for i in range(20):
            taken.append(i)
            yield table

    stream = worker.stream_batches(batches())
    for done in range(1, 15):
        next(stream)
        assert len(taken) <= done + 2
    stream.close()
    assert worker.classify(table).num_rows == 300


def test_errors_travel_between_processes() -> None:
    error = lcclf.LcclfError("lost", code="data", hint="look")
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.message, copy.code, copy.hint, copy.exit_code, str(copy)) == ("lost", "data", "look", 3, "lost\n  look")


def test_one_row_is_quick(worker: lcclf.Worker, frame: pd.DataFrame, capsys: pytest.CaptureFixture[str]) -> None:
    row = frame.head(1)
    times = []
    for _ in range(60):
        begun = time.perf_counter()
        worker.classify(row)
        times.append(time.perf_counter() - begun)
    with capsys.disabled():
        print(f"\none row: {sorted(times)[30] * 1000:.1f} ms (median of 60)")


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(lcclf.LcclfError, match="not found") as failure:
        lcclf.Worker(tmp_path / "nothing")
    assert failure.value.code == "model"
    assert failure.value.exit_code == 4
    assert "lcclf model import" in (failure.value.hint or "")


def test_another_engine_that_is_none() -> None:
    with pytest.raises(lcclf.LcclfError, match="--engine") as failure:
        lcclf.Worker(SAMPLE, engine="steam")
    assert failure.value.code == "usage"


def test_which_lcclf(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LCCLF_BIN", str(tmp_path / "nowhere"))
    with pytest.raises(lcclf.LcclfError, match="there is no such program"):
        lcclf.Worker(SAMPLE)
    program = tmp_path / "not-lcclf"
    program.write_text("#!/bin/sh\necho 'lcclf: I am another' >&2\necho '  ask me not' >&2\nexit 5\n")
    program.chmod(0o755)
    monkeypatch.setenv("LCCLF_BIN", str(program))
    with pytest.raises(lcclf.LcclfError, match="I am another") as failure:
        lcclf.Worker(SAMPLE)
    assert (failure.value.code, failure.value.hint) == ("service", "ask me not")
    program.write_text("#!/bin/sh\nhead -c 20 >/dev/null; echo garbage in place of an answer\n")
    with pytest.raises(lcclf.LcclfError) as failure:
        lcclf.Worker(SAMPLE)
    assert failure.value.code == "worker"


def test_no_lcclf_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    from lcclf import _command

    monkeypatch.delenv("LCCLF_BIN", raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(_command, "_SCRIPT", Path("nowhere"))
    with pytest.raises(lcclf.LcclfError, match="lcclf was not found") as failure:
        lcclf.classify(pd.DataFrame(), model=SAMPLE)
    assert 'pip install "lcclf[node]"' in (failure.value.hint or "")


def test_nothing_is_left_behind_by_many_threads(table: pa.Table) -> None:
    before = threading.active_count()
    for _ in range(3):
        with lcclf.Worker(SAMPLE) as worker:
            worker.classify(table.slice(0, 1))
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert threading.active_count() <= before


