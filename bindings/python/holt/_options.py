"""Options of calls: from what users write to the numbers of the library."""
from __future__ import annotations

import re
from typing import Mapping, Optional, Union

from ._types import Size

DURABILITIES = {None: 0, "commit": 1, "interval": 2, "process": 3}
KINDS = {None: 0, "lsm": 1, "btree": 2}
LOG_LEVELS = {None: 0, "error": 1, "warn": 2, "info": 3, "debug": 4}

READ_ONLY, MUST_EXIST, MUST_CREATE = 1, 2, 4
FILTER_NONE = 0xFFFFFFFF

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_SIZE = re.compile(r"\s*(\d+)\s*([KMGT]?)(?:i?B)?\s*", re.IGNORECASE)


def choice(what: str, choices: Mapping[Optional[str], int], value: Optional[str]) -> int:
    """The number of one of several names."""
    if value in choices:
        return choices[value]
    names = ", ".join(repr(name) for name in choices if name is not None)
    raise ValueError(f"{what} must be one of {names}, not {value!r}")


def size(what: str, value: Optional[Size]) -> int:
    """A number of bytes: 268435456, "256M", "256 MiB" and "262144K" are the same."""
    if value is None:
        return 0
    if isinstance(value, int):
        return value
    match = _SIZE.fullmatch(value)
    if not match:
        raise ValueError(f"{what} must be a number of bytes such as 268435456 or '256M', not {value!r}")
    return int(match[1]) * _UNITS[match[2].upper()]


def milliseconds(what: str, seconds: Optional[Union[int, float]]) -> int:
    """Seconds as milliseconds; None as 0."""
    if seconds is None:
        return 0
    if seconds < 0:
        raise ValueError(f"{what} must not be negative")
    return max(1, round(seconds * 1000)) if seconds else 0
