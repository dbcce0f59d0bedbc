"""What a gateway does without being asked: one thread that calls a few functions again and again."""

import threading
import traceback
from collections.abc import Callable
from typing import Final

import structlog

log = structlog.get_logger(__name__)

INTERVAL_SECONDS: Final = 1.0


class Background:
    """Calls functions every second until it is stopped. One that fails is logged and called again.

    Args:
        functions: what is called, in this order.
    """

    def __init__(self, *functions: Callable[[], None]) -> None:
        self._functions = functions
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread. Call it after a fork."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="background", daemon=True)
            self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def stop(self) -> None:
        """Stop the thread, and wait for what runs."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while not self._stopping.wait(INTERVAL_SECONDS):
            for function in self._functions:
                try:
                    function()
                except Exception as error:
                    # The store or the database may be away for a while.
                    log.error("background.failed", function=function.__qualname__, **fault(error))


def fault(error: Exception) -> dict[str, str]:
    """What is logged of an unexpected error: its kind and where it was raised. Its text may quote values, so it is left out."""
    return {"error": type(error).__name__, "traceback": "".join(traceback.format_tb(error.__traceback__))}
