"""What a model answered, and what is wrong with it, if anything is."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.metadata import wrote_stub

TOKENS_RAN_OUT = "truncated: the answer reached the limit of tokens"

_BROKEN_OFF = "broken off: the endpoint ended the answer early"

_PROBLEMS = {
    "length": TOKENS_RAN_OUT,
    "max_tokens": TOKENS_RAN_OUT,
    "model_length": TOKENS_RAN_OUT,
    "error": _BROKEN_OFF,
    "abort": _BROKEN_OFF,
    "insufficient_system_resource": _BROKEN_OFF,
    "safety": "refused by the endpoint's content filter",
    "content_filter": "refused by the endpoint's content filter",
    "refusal": "refused by the model",
    "tool_calls": "a call of a tool instead of an answer",
    "function_call": "a call of a tool instead of an answer",
}


@dataclass(frozen=True, slots=True)
class TokenChoice:
    """One token of an answer, and what else might have stood there.

    Args:
        token: the token's text.
        logprob: the natural logarithm of its probability.
        top: the most probable tokens at this place with theirs, as many as were asked for.
    """

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer.

    Args:
        text: what the model wrote; None where it wrote nothing.
        finish: why it ended, in the endpoint's words: ``stop``, ``length``, ``content_filter``; ``refusal`` where the
            model said that it refuses; ``missing`` where a choice that was asked for did not come.
        logprobs: the tokens with their probabilities, where these were asked for and came.

    >>> Choice("Four.", "stop").problem is None
    True
    >>> Choice("Because", "length").problem
    'truncated: the answer reached the limit of tokens'
    """

    text: str | None
    finish: str
    logprobs: tuple[TokenChoice, ...] | None = None

    @property
    def problem(self) -> str | None:
        """Why this is no answer to work with; None if it is one."""
        if self.finish.lower() in _PROBLEMS:
            return _PROBLEMS[self.finish.lower()]
        if self.finish == "missing":
            return "fewer choices came than were asked for"
        return None if self.text and self.text.strip() else "an empty answer"


@dataclass(frozen=True, slots=True)
class Usage:
    """What a reply took.

    Args:
        prompt_tokens, completion_tokens: as the endpoint counted; estimated where it did not.
        cost: by the price table, in its currency; None where that has no price for the model.
        attempts: how often the request was sent, failures included, in this run and in those before.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = None
    attempts: int = 1

    def __add__(self, other: Usage) -> Usage:
        cost = None if self.cost is None or other.cost is None else self.cost + other.cost
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            cost,
            self.attempts + other.attempts,
        )


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one request.

    Args:
        key: of the request.
        model: which model answered, by the endpoint's own word.
        choices: as many as were asked for (some may have a problem); none where nothing came at all.
        usage: what it took.
        problem: why there is nothing to work with; None if one choice at least is sound.

    >>> reply = Reply("ab12", "stub", (Choice("Four.", "stop"), Choice(None, "refusal")))
    >>> reply.text, len(reply.usable), reply.problem, reply.test_only
    ('Four.', 1, None, True)
    """

    key: str
    model: str
    choices: tuple[Choice, ...] = ()
    usage: Usage = Usage()
    problem: str | None = None

    @property
    def usable(self) -> tuple[Choice, ...]:
        """The choices that have no problem."""
        return tuple(choice for choice in self.choices if choice.problem is None)

    @property
    def text(self) -> str | None:
        """The text of the first usable choice; None if there is none."""
        return next((choice.text for choice in self.choices if choice.problem is None), None)

    @property
    def test_only(self) -> bool:
        """Whether a test double answered. Records made of this must say so: ``"test_only": true`` in the metadata."""
        return wrote_stub(self.model)


def problem_of(choices: tuple[Choice, ...]) -> str | None:
    """The problem of a reply with these choices.

    >>> problem_of((Choice("", "stop"), Choice(None, "content_filter")))
    'an empty answer'
    """
    if not choices:
        return "no choices in the reply"
    problems = [choice.problem for choice in choices]
    return None if None in problems else problems[0]
