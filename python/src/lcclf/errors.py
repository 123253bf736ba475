"""What can go wrong, in the words of lcclf, and what should be known about a result."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

_CODES = {1: "bug", 2: "usage", 3: "data", 4: "model", 5: "service", 6: "balance", 130: "interrupted", 143: "interrupted"}
_EXIT_CODES = {"bug": 1, "usage": 2, "data": 3, "model": 4, "service": 5, "balance": 6}


class LcclfError(Exception):
    """An error of lcclf.

    ``message`` says what went wrong and where, ``hint`` what to do (or None). ``code`` is one of ``usage``, ``data``,
    ``model``, ``service``, ``balance``, ``worker`` (the worker process ended), ``interrupted``, ``bug``; ``exit_code`` is
    the exit code of the command line: 2 usage, 3 data, 4 model, 5 service, 6 balance, 1 everything else.
    """

    def __init__(
        self, message: str, *, code: str = "bug", hint: Optional[str] = None, exit_code: Optional[int] = None
    ) -> None:
        super().__init__(message if hint is None else f"{message}\n  {hint}")
        self.message = message
        self.code = code
        self.hint = hint
        self.exit_code = _EXIT_CODES.get(code, 1) if exit_code is None else exit_code

    def __reduce__(self) -> Tuple[Any, ...]:
        # clusters send exceptions from process to process
        return _rebuilt, (self.message, self.code, self.hint, self.exit_code)

    @classmethod
    def of_exit(cls, exit_code: int, message: str, hint: Optional[str]) -> "LcclfError":
        """The error of a command that ended with this exit code."""
        return cls(message, code=_CODES.get(exit_code, "bug"), hint=hint, exit_code=exit_code)


def _rebuilt(message: str, code: str, hint: Optional[str], exit_code: int) -> LcclfError:
    return LcclfError(message, code=code, hint=hint, exit_code=exit_code)


class LcclfWarning(UserWarning):
    """Something about a result that its rows do not say.

    ``counts`` (``read``, ``classified``, ``rejected``, ``duplicates``, ``reasons``) and ``rejects`` (the first of them:
    ``oid``, ``where``, ``reason``, ``value``) are there where rows were rejected, else None and [].
    """

    def __init__(
        self, message: str, *, counts: Optional[Dict[str, Any]] = None, rejects: Optional[List[Dict[str, Any]]] = None
    ) -> None:
        super().__init__(message)
        self.counts = counts
        self.rejects = rejects or []
