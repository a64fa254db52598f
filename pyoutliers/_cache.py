"""What is known of the processor's caches."""

from __future__ import annotations

from pathlib import Path

_SECOND_LEVEL = Path("/sys/devices/system/cpu/cpu0/cache/index2/size")


def second_level_cache() -> int:
    """Return the bytes of a core's second-level cache.

    Returns
    -------
    int
        As Linux has it, of the first core; 0 if it does not tell.
    """
    try:
        return 1024 * int(_SECOND_LEVEL.read_text().strip().removesuffix("K"))
    except (OSError, ValueError):
        return 0
