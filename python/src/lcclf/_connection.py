"""A worker process and the frames to and from it: the length of a header (4 bytes, the least first), the header, its body."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import struct
import subprocess
import sys
import threading
import weakref
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
from typing import IO, Any, Deque, Dict, List, Mapping, Optional, Sequence, Tuple, Union, cast

import pyarrow as pa

from .errors import LcclfError

_PIPE_SIZE = 1024 * 1024
_SECONDS_TO_END = 5.0


@dataclass(frozen=True)
class Answer:
    """What a worker says to one request."""

    header: Dict[str, Any]
    body: pa.Buffer


class Connection:
    """One worker process. Requests may come from any thread of the process that started it; each gets a Future."""

    def __init__(self, command: Sequence[str]) -> None:
        self.pid = os.getpid()
        self._ids = itertools.count(1)
        self._writing = threading.Lock()
        self._state = threading.Lock()
        self._pending: Dict[int, "Future[Answer]"] = {}
        self._ended: Optional[LcclfError] = None
        self._is_closing = False
        self._lines: Deque[str] = deque(maxlen=40)
        try:
            # a group of its own: Ctrl-C is for the program, which may go on asking
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                **_own_group(),
            )
        except OSError as error:
            raise LcclfError(f"{command[0]} cannot be started: {error.strerror}", code="usage") from error
        self._stdin = cast(IO[bytes], self._process.stdin)
        self._stdout = cast(IO[bytes], self._process.stdout)
        self._stderr = cast(IO[bytes], self._process.stderr)
        for pipe in (self._stdin, self._stdout):
            _widen(pipe)
        self._listener = threading.Thread(target=self._keep_lines, name="lcclf-stderr", daemon=True)
        self._listener.start()
        threading.Thread(target=self._take_answers, name="lcclf-answers", daemon=True).start()
        _connections.add(self)

    @property
    def process_id(self) -> int:
        """Of the worker."""
        return self._process.pid

    @property
    def ended(self) -> Optional[LcclfError]:
        """Why no request can be answered any more, or None."""
        return self._ended

    def submit(self, header: Mapping[str, Any], body: Union[bytes, pa.Buffer] = b"") -> "Future[Answer]":
        """Sends a request. The Future raises LcclfError where it cannot be answered."""
        if self.pid != os.getpid():
            raise LcclfError(
                f"this worker belongs to process {self.pid}, of which this is a fork",
                code="usage",
                hint="Open a Worker in each process; lcclf.classify does so by itself.",
            )
        future: "Future[Answer]" = Future()
        identity = next(self._ids)
        view = memoryview(body)
        text = json.dumps({**header, "id": identity, "bytes": view.nbytes}).encode()
        with self._writing:
            with self._state:
                if self._ended:
                    raise self._ended
                if self._is_closing:
                    raise LcclfError("the worker was closed", code="usage")
                self._pending[identity] = future
            try:
                self._write(memoryview(struct.pack("<I", len(text)) + text))
                self._write(view)
            except (OSError, ValueError):
                # it has ended, and says why to whoever reads its answers
                pass
            except BaseException:
                # half a frame: nobody could tell where the next one begins
                self._kill("a request was interrupted while it was sent")
                raise
        return future

    def _write(self, view: memoryview) -> None:
        view = view.cast("B") if view.nbytes else view
        while view.nbytes > 0:
            view = view[self._stdin.write(view) :]

    def _take_answers(self) -> None:
        try:
            while True:
                head = self._read(4)
                if head is None:
                    break
                header = self._read(struct.unpack("<I", head)[0])
                if header is None:
                    break
                answer = json.loads(bytes(header))
                body = self._read(answer["bytes"])
                if body is None:
                    break
                self._resolve(answer, body)
        except (OSError, ValueError, KeyError):
            # closed by a fork, or something else than lcclf
            pass
        self._end()

    def _read(self, length: int) -> Optional[bytearray]:
        """None where the bytes end before."""
        found = bytearray(length)
        view = memoryview(found)
        while view.nbytes > 0:
            count = cast(Any, self._stdout).readinto(view)
            if not count:
                return None
            view = view[count:]
        return found

    def _resolve(self, answer: Dict[str, Any], body: bytearray) -> None:
        with self._state:
            future = self._pending.pop(answer.pop("id"), None)
        if future is None:
            return
        if answer.get("ok") is True:
            future.set_result(Answer(answer, pa.py_buffer(body)))
            return
        error = answer["error"]
        future.set_exception(
            LcclfError(error["message"], code=error["code"], hint=error["hint"], exit_code=error["exitCode"])
        )

    def _keep_lines(self) -> None:
        try:
            for line in self._stderr:
                self._lines.append(line.decode(errors="replace").rstrip("\n"))
        except (OSError, ValueError):
            pass

    def _end(self) -> None:
        """No answer will come any more."""
        try:
            code: Optional[int] = self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._listener.join(_SECONDS_TO_END)
        for pipe in (self._stdin, self._stdout, self._stderr):
            with contextlib.suppress(OSError):
                pipe.close()
        with self._state:
            if self._ended is None:
                self._ended = self._obituary(code)
            pending, self._pending = self._pending, {}
        for future in pending.values():
            future.set_exception(self._ended)

    def _obituary(self, code: Optional[int]) -> LcclfError:
        said = failure_of(self._lines)
        if code is not None and code > 0 and said:
            return LcclfError.of_exit(code, *said)
        if self._is_closing and code == 0:
            return LcclfError("the worker was closed", code="usage")
        how = f"was ended by signal {-code}" if code is not None and code < 0 else f"ended with exit code {code}"
        lines = "\n".join(self._lines)
        return LcclfError(
            f"the worker (process {self._process.pid}) {how}",
            code="worker",
            hint=f"Its last lines:\n{lines}" if lines else "It said nothing.",
        )

    def _kill(self, why: str) -> None:
        with self._state:
            if self._ended is None:
                self._ended = LcclfError(f"the worker was given up: {why}", code="worker")
        self._process.kill()

    def close(self) -> None:
        """Lets the worker answer what it was asked, and end. Harmless twice."""
        if self.pid != os.getpid():
            return
        with self._writing:
            self._is_closing = True
            with contextlib.suppress(OSError):
                self._stdin.close()
        try:
            self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def leave_to_parent(self) -> None:
        """In a forked child: the copies of the pipes would keep the worker alive after its parent."""
        for pipe in (self._stdin, self._stdout, self._stderr):
            with contextlib.suppress(OSError):
                pipe.close()


_connections: "weakref.WeakSet[Connection]" = weakref.WeakSet()


def connections() -> List[Connection]:
    """Those that were not forgotten."""
    return list(_connections)


def failure_of(lines: Sequence[str]) -> Optional[Tuple[str, Optional[str]]]:
    """The message and the hint of a command that failed, of its lines on stderr."""
    starts = [i for i, line in enumerate(lines) if line.startswith("lcclf: ")]
    if not starts:
        return None
    listed = list(lines)[starts[-1] :]
    hint = "\n".join(line.strip() for line in itertools.takewhile(lambda line: line.startswith("  "), listed[1:]))
    return listed[0][len("lcclf: ") :], hint or None


def _own_group() -> Dict[str, Any]:
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def _widen(pipe: IO[bytes]) -> None:
    """64 KiB at a time would wake both sides hundreds of times for one table."""
    if not sys.platform.startswith("linux"):
        return
    import fcntl

    try:
        fcntl.fcntl(pipe.fileno(), getattr(fcntl, "F_SETPIPE_SZ", 1031), _PIPE_SIZE)
    except OSError:
        # more than an ordinary user may have
        pass
