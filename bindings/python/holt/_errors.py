"""The exceptions of Holt: one class for each status of the library, all of them subclasses of Error."""
from __future__ import annotations

import builtins
from typing import ClassVar, Optional


class Error(Exception):
    """What all exceptions of Holt have in common.

    status   the number of the status, as HOLT_NOT_FOUND in holt.h
    errno    the error number of the system call that failed; 0 or None: none did
    file     the name of the file concerned, in the directory of the database; None: none
    offset   the byte in that file; None: none

    And of a row that a table refuses:

    problem  "key exists", "unique exists", "null", "type", "length", "encoding", "count" or "size"
    table, column, index    the names of those concerned, or None
    """

    status: ClassVar[int] = 0
    file: Optional[str] = None
    offset: Optional[int] = None
    table: Optional[str] = None
    column: Optional[str] = None
    index: Optional[str] = None
    problem: Optional[str] = None

    @property
    def message(self) -> str:
        """What failed, where, and what to do about it."""
        return str(self.args[-1]) if self.args else ""

    def __str__(self) -> str:
        return self.message

    @classmethod
    def _make(cls, message: str, errno: int, file: Optional[str], offset: Optional[int]) -> Error:
        """Makes an exception that is not raised, for a failure of the library."""
        error = cls(errno, message) if issubclass(cls, OSError) and errno else cls(message)
        error.file = file
        error.offset = offset
        if not isinstance(error, OSError):
            error.errno = errno  # type: ignore[attr-defined]
        return error


class _WithoutSystemCall(Error):
    errno: int = 0


class NotFound(_WithoutSystemCall, KeyError):
    """There is no such key, collection, table or database."""

    status = 1


class Exists(_WithoutSystemCall):
    """It exists already."""

    status = 2


class Invalid(_WithoutSystemCall, ValueError):
    """An argument is invalid."""

    status = 3


class Conflict(_WithoutSystemCall):
    """A conflicting change was committed first: repeat the transaction."""

    status = 4


class Busy(_WithoutSystemCall):
    """In use, or overloaded; nothing was done. Try again later."""

    status = 5


class ReadOnly(_WithoutSystemCall):
    """A write to a read-only database or in a snapshot."""

    status = 6


class TooLarge(_WithoutSystemCall, ValueError):
    """A limit was exceeded; nothing was written."""

    status = 7


class NoSpace(Error, OSError):
    """The disk is full. Deletes are still accepted."""

    status = 8


class NoMemory(_WithoutSystemCall, MemoryError):
    """An allocation failed; nothing was lost."""

    status = 9


class IOError(Error, builtins.OSError):
    """A system call failed. If that was a commit, its outcome is unknown until the database is reopened."""

    status = 10


class Corrupt(_WithoutSystemCall):
    """Data on disk is not what was written there."""

    status = 11


class Unsupported(_WithoutSystemCall):
    """Not in this release, or a file of a newer format."""

    status = 12


class Closed(_WithoutSystemCall):
    """The object was closed, dropped or ended, or belongs to a parent process."""

    status = 13


CLASSES = (Error, NotFound, Exists, Invalid, Conflict, Busy, ReadOnly, TooLarge, NoSpace, NoMemory, IOError,
           Corrupt, Unsupported, Closed)
"""The classes by status."""
