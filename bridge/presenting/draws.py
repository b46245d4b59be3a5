"""Draws by lot that come out the same whenever they are repeated: keyed hashes of a seed and of what is drawn for."""

from __future__ import annotations

from hashlib import blake2b


def drawn(seed: int, use: str, *about: object) -> bytes:
    """Sixteen bytes that only somebody who has the seed can foretell.

    Args:
        seed: the secret; a large one cannot be guessed.
        use: what the draw is for, at most 16 characters, so that two draws for one record have nothing in common.
        about: what it is drawn for.

    >>> drawn(1, "order", "r1") == drawn(1, "order", "r1"), drawn(1, "order", "r1") == drawn(2, "order", "r1")
    (True, False)
    """
    text = "\0".join(map(str, about))
    return blake2b(text.encode(), key=str(seed).encode(), person=use.encode(), digest_size=16).digest()


def share(seed: int, use: str, *about: object) -> float:
    """A number from 0 to below 1, all equally likely.

    >>> 0 <= share(1, "suggestions", "r1") < 1
    True
    """
    return int.from_bytes(drawn(seed, use, *about)[:6]) / 2**48


def order(seed: int, count: int, *about: object) -> list[int]:
    """The numbers from 0 to below ``count`` in an order drawn by lot, all orders equally likely.

    >>> sorted(order(1, 4, "r1"))
    [0, 1, 2, 3]
    """
    return sorted(range(count), key=lambda number: drawn(seed, "order", *about, number))
