"""Intervals for shares: what may lie behind "7 of 10". Exact, and without a statistics library."""

from __future__ import annotations

from collections.abc import Iterable
from math import exp, lgamma, log, log1p, sqrt
from statistics import NormalDist

from bridge.errors import UsageError

STRICT = 0.999
"""The level at which people are named in warnings: chance does the same to less than one of a thousand."""


def exact(successes: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """The exact interval for a share, after Clopper and Pearson (Biometrika 26, 1934).

    Its ends are the shares at which so many successes, or so few, would come about with a probability of only half of
    what ``level`` leaves out. It holds the true share at least as often as ``level`` says, however few cases there
    are. Of no cases nothing is known: 0 to 1.

    Raises:
        UsageError: there are more successes than cases, a negative number of them, or the level is not between 0 and 1.

    >>> [round(end, 4) for end in exact(7, 10)]
    [0.3475, 0.9333]
    >>> exact(0, 0)
    (0.0, 1.0)
    """
    _check(successes, n, level)
    tail = (1 - level) / 2
    return _lowest(successes, n, tail), 1 - _lowest(n - successes, n, tail)


def wilson(successes: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """The score interval for a share, after Wilson (Journal of the American Statistical Association 22, 1927).

    Narrower than :func:`exact`, and right on average instead of at least; :func:`difference` is made of two of them.
    Counts need not be whole: see :func:`effective`.

    Raises:
        UsageError: as in :func:`exact`.

    >>> [round(end, 4) for end in wilson(7, 10)]
    [0.3968, 0.8922]
    """
    _check(successes, n, level)
    if not n:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = successes / n
    middle = share + z * z / (2 * n)
    reach = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    whole = 1 + z * z / n
    low = max(0.0, (middle - reach) / whole) if successes else 0.0  # rounding would leave it near these
    return low, min(1.0, (middle + reach) / whole) if successes < n else 1.0


def difference(first: tuple[float, float], second: tuple[float, float], level: float = 0.95) -> tuple[float, float]:
    """The interval for the difference of two independent shares, each given as ``(successes, n)``.

    Method 10 of Newcombe (Statistics in Medicine 17, 1998): it never leaves -1 to 1, and holds for few cases too.

    Raises:
        UsageError: as in :func:`exact`.

    >>> [round(end, 4) for end in difference((56, 70), (48, 80))]
    [0.0524, 0.3339]
    """
    (low_1, high_1), (low_2, high_2) = wilson(*first, level), wilson(*second, level)
    if not first[1] or not second[1]:
        return low_1 - high_2, high_1 - low_2
    share_1, share_2 = first[0] / first[1], second[0] / second[1]
    down = sqrt((share_1 - low_1) ** 2 + (high_2 - share_2) ** 2)
    up = sqrt((high_1 - share_1) ** 2 + (share_2 - low_2) ** 2)
    # Rounding may take it past the ends by a last bit.
    return max(-1.0, share_1 - share_2 - down), min(1.0, share_1 - share_2 + up)


def effective(clusters: Iterable[tuple[int, int]]) -> tuple[float, float]:
    """What cases that hang together are worth as independent ones: ``(successes, n)``, both smaller, in proportion.

    Answers of several people to one record hang together, so that 300 answers to 100 records tell less than 300
    answers to as many records. After Rao and Scott (Biometrics 48, 1992): both counts are divided by the factor by
    which the variance of the share is larger than it would be otherwise. Where all or none succeed, no variance can
    be seen, and a cluster counts as one case.

    Args:
        clusters: of each its ``(successes, n)``.

    >>> effective([(1, 1), (0, 1), (1, 1), (0, 1)])
    (2.0, 4.0)
    >>> [round(count, 1) for count in effective([(3, 3), (0, 3)] * 50)]
    [49.5, 99.0]
    """
    given = [(successes, n) for successes, n in clusters if n]
    successes, cases = sum(s for s, _ in given), sum(n for _, n in given)
    if len(given) == cases or not cases:
        return float(successes), float(cases)
    share, count = successes / cases, len(given)
    if share in (0, 1) or count == 1:
        return share * count, float(count)
    variance = count / (count - 1) * sum((s - share * n) ** 2 for s, n in given) / cases**2
    factor = max(1.0, variance * cases / (share * (1 - share)))
    return successes / factor, cases / factor


def _check(successes: float, n: float, level: float) -> None:
    if not 0 <= successes <= n:
        raise UsageError(f"{successes} successes of {n} cases", remedy="count from 0 to the number of cases")
    if not 0 < level < 1:
        raise UsageError(f"a level of {level} is none", remedy="use a number between 0 and 1, such as 0.95")


def _lowest(successes: int, n: int, tail: float) -> float:
    """The share at which this many successes or more have the probability ``tail``: the lower end of the interval."""
    if not successes:
        return 0.0
    low, high = 0.0, successes / n  # at the upper end the probability is a half or more
    while high - low > 1e-11 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if at_least(successes, n, middle) > tail else (middle, high)
    return low


def at_least(successes: int, n: int, share: float) -> float:
    """The probability of so many successes or more, if each case succeeds with a chance of ``share``.

    Only for a share not above ``successes / n``: there every term of the sum is smaller than the one before.

    >>> round(at_least(9, 10, 0.5), 4)
    0.0107
    """
    if share == 1:
        return 1.0
    ways = lgamma(n + 1) - lgamma(successes + 1) - lgamma(n - successes + 1)
    term = total = exp(ways + successes * log(share) + (n - successes) * log1p(-share))
    odds = share / (1 - share)
    for more in range(successes, n):
        term *= (n - more) / (more + 1) * odds
        total += term
        if term < total * 1e-17:
            break
    return total
