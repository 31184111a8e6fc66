"""How many impressions left in answers, counted in memory that outlives a killed process."""

import mmap
import os
import struct
import threading
from pathlib import Path

from paretail.data.stores.disk import FileLock

_COUNT = struct.Struct("<q")


class Promises:
    """A count in a file mapped into memory: the system keeps it when the process is killed.

    After a power cut it may be an older one, so that fewer are told as lost than were.
    """

    def __init__(self, path: Path) -> None:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            if os.fstat(handle).st_size < _COUNT.size:
                os.pwrite(handle, _COUNT.pack(0), 0)  # real bytes: a hole that a full disk cannot fill kills the writer
                os.fsync(handle)
            self._memory = mmap.mmap(handle, _COUNT.size)
        finally:
            os.close(handle)
        self._guard, self._between = threading.Lock(), FileLock(path)

    def add(self, count: int) -> None:
        """Count `count` more."""
        with self._guard:
            self._between.wait(1)
            try:
                _COUNT.pack_into(self._memory, 0, self.value + count)
            finally:
                self._between.free()

    def set(self, count: int) -> None:
        """Begin again from `count`."""
        _COUNT.pack_into(self._memory, 0, count)

    @property
    def value(self) -> int:
        """How many were promised since the store began."""
        return int(_COUNT.unpack_from(self._memory, 0)[0])

    def close(self) -> None:
        """Let go of the file."""
        self._memory.close()
        self._between.close()
