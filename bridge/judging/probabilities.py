"""Scores from the probabilities of tokens: how likely the judge was to give each level, where it gave one.

After Liu et al., G-Eval (arXiv 2303.16634): the score is ``sum(k p_k) / sum(p_k)`` over the tokens of the levels. Where
these have less than 0.8 of the probability together, the model was about to say something else, and the figures say
little: then there are none.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from math import exp

from bridge.models.replies import TokenChoice

LEAST = 0.8
"""The probability that the tokens of the levels must have together."""

_SCORE = re.compile(r'"score"\s*:\s*(\d)(?!\d)')


def level_probabilities(tokens: Sequence[TokenChoice] | None, codes: Collection[int]) -> dict[int, float] | None:
    """The probabilities of the levels at the place where the score stands, adding up to 1; None where they do not say.

    Args:
        tokens: of the answer, which is JSON with a number as ``score``.
        codes: of the levels, all of one digit.

    >>> said = [TokenChoice('{"score": ', -0.1), TokenChoice("4", -0.4, (("4", -0.4), ("5", -1.2)))]
    >>> {code: round(share, 2) for code, share in level_probabilities(said, range(1, 6)).items()}
    {4: 0.69, 5: 0.31}
    """
    if not tokens or any(not 0 <= code <= 9 for code in codes):
        return None
    text = "".join(one.token for one in tokens)
    places = [match.start(1) for match in _SCORE.finditer(text)]
    if not places:
        return None
    token = _at(tokens, places[-1])
    said = token.token.strip()
    if len(said) != 1:  # the digit is glued to other characters, and so are those that might have stood there
        return None
    if not token.top:  # what else might have stood there is not known
        return None
    digits = {str(code): code for code in codes}
    found: dict[int, float] = {}
    for other, logprob in {token.token: token.logprob, **dict(token.top)}.items():
        if (digit := other.strip()) in digits:
            found[digits[digit]] = found.get(digits[digit], 0.0) + exp(min(logprob, 0.0))
    mass = sum(found.values())
    if mass < LEAST:
        return None
    return {code: share / mass for code, share in sorted(found.items())}


def weighted(probabilities: Mapping[int, float]) -> float:
    """The mean of the levels.

    >>> weighted({4: 0.75, 5: 0.25})
    4.25
    """
    return sum(code * share for code, share in probabilities.items())


def _at(tokens: Sequence[TokenChoice], place: int) -> TokenChoice:
    end = 0
    for token in tokens:
        end += len(token.token)
        if place < end:
            return token
    return tokens[-1]
