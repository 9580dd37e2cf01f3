"""A fake SMU: a file that counts how often anyone reads it."""

from __future__ import annotations

import contextlib
import os
import threading
import uuid
from pathlib import Path


class CountingFifo:
    """A file that counts how often it was opened for reading, and answers with one text.

    For each reader a fresh FIFO takes the path before the reader gets its answer, so
    that the next reader can never share one with the last.
    """

    def __init__(self, path: Path, answer: bytes) -> None:
        self.path, self.answer, self.reads = path, answer, 0
        self._closing = False
        os.mkfifo(path)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                writer = os.open(self.path, os.O_WRONLY)  # waits for a reader
            except FileNotFoundError:
                return
            if self._closing:
                os.close(writer)
                return
            self.reads += 1
            fresh = self.path.with_name(f".{uuid.uuid4().hex}")
            os.mkfifo(fresh)
            fresh.rename(self.path)
            with contextlib.suppress(BrokenPipeError):  # the reader only looked
                os.write(writer, self.answer)
            os.close(writer)

    def close(self) -> None:
        """Ends the thread; the FIFO stays, without a writer."""
        self._closing = True
        with contextlib.suppress(OSError):
            os.close(os.open(self.path, os.O_RDONLY | os.O_NONBLOCK))
        self._thread.join(timeout=5)
