"""Quantiles of Student's t distribution, for any number of degrees of freedom, without a statistics library."""

from __future__ import annotations

from functools import lru_cache
from math import exp, lgamma, log, log1p, pi, sqrt
from statistics import NormalDist

_TINY = 1e-300


@lru_cache(maxsize=4096)
def reach(freedom: float, level: float = 0.95) -> float:
    """How many standard errors an interval of that level reaches to either side.

    The inverse of the distribution function, by Newton's method. That function is an incomplete beta function
    (Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.1 and 26.5.8). On this side of its middle it bends
    one way only, so that every step from the normal distribution's reach, which is less, ends before the true one.

    Args:
        freedom: degrees of freedom, 1 or more; they need not be whole.
        level: between 0 and 1.

    >>> [round(reach(freedom), 3) for freedom in (2, 18, 98)]
    [4.303, 2.101, 1.984]
    """
    t = NormalDist().inv_cdf((1 + level) / 2)
    height = 2 * exp(lgamma((freedom + 1) / 2) - lgamma(freedom / 2)) / sqrt(freedom * pi)
    for _ in range(100):
        step = (level - _within(t, freedom)) / (height * (1 + t * t / freedom) ** (-(freedom + 1) / 2))
        t += step
        if step <= 1e-12 * t:
            break
    return t


def _within(t: float, freedom: float) -> float:
    """The probability of a value between ``-t`` and ``t``."""
    return 1 - _beta(freedom / 2, 0.5, freedom / (freedom + t * t))


def _beta(a: float, b: float, x: float) -> float:
    """The incomplete beta function, regularised."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    # The fraction converges fast on one side of the mean only; the other side is its complement.
    return front * _fraction(a, b, x) / a if x < (a + 1) / (a + b + 2) else 1 - front * _fraction(b, a, 1 - x) / b


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of the incomplete beta function, evaluated forwards (Lentz's method)."""
    c, d = 1.0, 1 / _not_zero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, 1000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        before = value
        for part in (even, odd):
            d = 1 / _not_zero(1 + part * d)
            c = _not_zero(1 + part / c)
            value *= c * d
        if abs(value - before) <= 1e-15 * abs(value):
            break
    return value


def _not_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
