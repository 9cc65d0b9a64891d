from collections.abc import Callable

from crawler.model import Target

def find(data: bytes, needle: bytes) -> int: ...
def is_utf8(data: bytes) -> bool: ...
def indexes(
    texts: list[str],
    known: dict[str, int],
    memories: tuple[dict[str, tuple[int, Target]], dict[str, tuple[int, Target]]],
    targets: tuple[dict[int, int], list[Target]],
    other: Callable[[int], int],
) -> list[int]: ...
