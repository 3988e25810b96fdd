"""Names for the types of arguments."""
from __future__ import annotations

import datetime
import os
from typing import Any, Literal, Union

Buffer = Union[str, bytes, bytearray, memoryview]
"""A key or a value: str is encoded as UTF-8. Other objects with a contiguous buffer are accepted too."""

Data = Any
"""A key or a value that is returned: bytes, or str from a store with text=True."""

When = Union[int, float, datetime.datetime]
"""A time: seconds since 1970, as from time.time(), or a datetime."""

Seconds = Union[int, float, datetime.timedelta]
"""A duration."""

Path = Union[str, "os.PathLike[str]"]

Size = Union[int, str]
"""A number of bytes, or a string such as "256M"."""

Durability = Literal["commit", "interval", "process"]
Kind = Literal["lsm", "btree"]
