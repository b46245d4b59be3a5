"""What became of one request that was sent: an answer, or one of a few kinds of failure. Pure functions of the reply.

No text of an endpoint gets into a reason: it may quote the prompt or the key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal, TypeAlias, TypeGuard

from pydantic_core import from_json

from bridge.models.budget import Tokens
from bridge.models.replies import Choice, TokenChoice
from bridge.waits import A_DAY_S, asked_wait

Kind: TypeAlias = Literal["unreachable", "busy", "broken", "unclear", "refused", "fatal"]
"""``unreachable``: nothing was sent. ``busy``: asked to wait. ``broken``: an error of the endpoint's, 5xx.
``unclear``: sent, and no answer came. ``refused``: this request, whoever sends it. ``fatal``: any request would be."""


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer.

    Args:
        model: by the endpoint's own word.
        choices: in their order.
        tokens: as counted by the endpoint; None where it did not.
    """

    model: str
    choices: tuple[Choice, ...]
    tokens: Tokens | None


@dataclass(frozen=True, slots=True)
class Failed:
    """No answer.

    Args:
        kind: see :data:`Kind`.
        reason: why, in words of ours.
        asked_s: for how long the endpoint asks to wait.
        remedy: what to do about it, where it is fatal.
        own: whether the reason lies in this request alone, such as a prompt that is too long.
    """

    kind: Kind
    reason: str
    asked_s: float = 0.0
    remedy: str = ""
    own: bool = False


Outcome: TypeAlias = "Answered | Failed"

_CODE = re.compile(r"[A-Za-z_]{2,60}")
"""A name such as ``invalid_api_key``; without digits, so that it is no key."""

_TOO_LONG = re.compile(
    r"context_length_exceeded|exceed_context_size|context.{0,20}(length|size|window)|too many tokens|too large to proc",
    re.IGNORECASE,
)
_TOO_LARGE = re.compile(r"request too large|must be reduced in order to run", re.IGNORECASE)
_FILTERED = re.compile(r"content_filter|content_policy|moderation|ResponsibleAI", re.IGNORECASE)
_NO_COUNT = 10**9  # no reply takes so many tokens
SETTINGS = "check the model's address: it usually ends in /v1"


def outcome(status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> Outcome:
    """What a reply to a chat completion means.

    >>> outcome(429, {"retry-after": "180"}, b"{}", now=0.0)
    Failed(kind='busy', reason='the endpoint asks to wait (429)', asked_s=180.0, remedy='', own=False)
    >>> outcome(200, {}, b"<html>Sign in</html>", now=0.0).reason
    'it answers 200 with something that is not JSON'
    """
    said = parsed(body)
    if 200 <= status < 300:
        answered = read_completion(said)
        if answered is not None:
            return answered
        hidden = _hidden_status(said)
        if hidden is not None:
            return failure(hidden, headers, body, now=now)
        what = "something that is not JSON" if said is None else "JSON that is no chat completion"
        return Failed("fatal", f"it answers {status} with {what}", remedy=SETTINGS)
    return failure(status, headers, body, now=now)


def _hidden_status(said: Any) -> int | None:
    """The status of an error that some gateways send with a 200."""
    error = said.get("error") if isinstance(said, dict) else None
    if not isinstance(error, dict):
        return None
    code = error.get("code")
    return code if isinstance(code, int) and not isinstance(code, bool) and 400 <= code <= 599 else 500


def failure(status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> Failed:
    """What a reply means whose status is no success, to whatever was asked.

    >>> failure(503, {"retry-after": "20"}, b"", now=0.0)
    Failed(kind='broken', reason='an error of the endpoint (503)', asked_s=20.0, remedy='', own=False)
    """
    said = parsed(body)
    code = _code(said)
    asked = _asked(headers, now)
    told = f"{status} {code}".strip()
    match status:
        case 401:
            return Failed("fatal", f"the key is missing or wrong ({told})", remedy="check the key: docs/models.md#keys")
        case 402:
            return Failed("fatal", f"the account has no credit left ({told})", remedy="see the provider's account page")
        case 403 if not _FILTERED.search(code):
            return Failed("fatal", f"the key may not do this ({told})", remedy="check what the key may use")
        case 400 if code in ("invalid_model", "model_not_found"):  # as Mistral has it
            return Failed("fatal", f"there is no such model ({told})", remedy="check the model's name")
        case 404 | 405 if said is None:
            return Failed("fatal", f"there is no such address ({told})", remedy=SETTINGS)
        case 404:
            return Failed("fatal", f"there is no such model, or no such address ({told})", remedy="check both names")
        case 429 if "quota" in code or "billing" in code:
            return Failed("fatal", f"the account's quota is used up ({told})", remedy="see the provider's account page")
        case 429 if _TOO_LARGE.search(_start(body)):  # what waiting does not help against
            return Failed("refused", f"the request is larger than the account's limit of tokens ({told})", own=True)
        case 429:
            return Failed("busy", f"the endpoint asks to wait ({told})", asked)
        case 408 | 409 | 425:
            return Failed("broken", f"the endpoint gave up ({told})", asked)
    if 300 <= status < 400:
        return Failed(
            "fatal", f"it redirects ({status}), which is not followed", remedy="give the address that it redirects to"
        )
    if _TOO_LONG.search(_start(body)):
        return Failed("refused", f"the prompt is longer than the model's context ({told})", own=True)
    if status >= 500:
        return Failed("broken", f"an error of the endpoint ({told})", asked)
    if _FILTERED.search(_start(body)):
        return Failed("refused", f"refused by the endpoint's content filter ({told})", own=True)
    return Failed("refused", f"the endpoint refuses the request ({told})")


def _start(body: bytes) -> str:
    return body[:4000].decode("utf-8", "replace")


def read_completion(said: Any) -> Answered | None:
    """A chat completion; None if this is none.

    >>> read_completion({"model": "m", "choices": [{"message": {"content": "Four."}, "finish_reason": "stop"}]})
    Answered(model='m', choices=(Choice(text='Four.', finish='stop', logprobs=None),), tokens=None)
    """
    if not isinstance(said, dict) or not isinstance(said.get("choices"), list):
        return None
    given = [one for one in said["choices"] if isinstance(one, dict) and isinstance(one.get("message"), dict)]
    if len(given) < len(said["choices"]):
        return None
    given.sort(key=_index)
    model = said.get("model")
    return Answered(
        whole(model) if isinstance(model, str) else "", tuple(_choice(one) for one in given), _tokens(said.get("usage"))
    )


def _index(choice: Mapping[str, Any]) -> int:
    index = choice.get("index")
    return index if isinstance(index, int) else 0


def _choice(given: Mapping[str, Any]) -> Choice:
    message = given["message"]
    text = message.get("content")
    if isinstance(text, list):  # parts, as some endpoints answer
        parts = [part.get("text") for part in text if isinstance(part, dict)]
        text = "".join(part for part in parts if isinstance(part, str))
    finish = given.get("finish_reason")
    finish = finish if isinstance(finish, str) and _CODE.fullmatch(finish) else "stop"
    if isinstance(message.get("refusal"), str) and message["refusal"]:
        text, finish = None, "refusal"
    return Choice(whole(text) if isinstance(text, str) else None, finish, _logprobs(given.get("logprobs")))


def _logprobs(given: Any) -> tuple[TokenChoice, ...] | None:
    content = given.get("content") if isinstance(given, dict) else None
    if not isinstance(content, list) or not content:
        return None
    tokens = []
    for one in content:
        pair = _pair(one)
        if pair is None:
            return None
        others = one.get("top_logprobs")
        top = [_pair(other) for other in others] if isinstance(others, list) else []
        tokens.append(TokenChoice(*pair, tuple(other for other in top if other is not None)))
    return tuple(tokens)


def _pair(given: Any) -> tuple[str, float] | None:
    token, logprob = (given.get("token"), given.get("logprob")) if isinstance(given, dict) else (None, None)
    if not isinstance(token, str) or not isinstance(logprob, int | float):
        return None
    if not isfinite(logprob):
        return None
    return whole(token), max(float(logprob), -9999.0)  # what endpoints write for a token that cannot be


def _tokens(usage: Any) -> Tokens | None:
    if not isinstance(usage, dict):
        return None
    prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if not _is_count(prompt):
        return None
    return Tokens(prompt, completion if _is_count(completion) else 0)


def _is_count(given: Any) -> TypeGuard[int]:
    return isinstance(given, int) and not isinstance(given, bool) and 0 <= given < _NO_COUNT


def whole(text: str) -> str:
    """A text without halves of surrogate pairs, which no file can hold; U+FFFD stands for each.

    >>> whole("a\\ud83d")
    'a\ufffd'
    """
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def parsed(body: bytes) -> Any:
    """The JSON of a body; None if it is none."""
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError:
        pass
    try:
        return json.loads(body)  # which takes halves of surrogate pairs
    except (ValueError, RecursionError):
        return None


def _code(said: Any) -> str:
    """The error's code in an endpoint's own words, where it is a mere name."""
    error = said.get("error", said) if isinstance(said, dict) else None
    for name in ("code", "type"):
        code = error.get(name) if isinstance(error, dict) else None
        if isinstance(code, str) and _CODE.fullmatch(code):
            return code
    return ""


def _asked(headers: Mapping[str, str], now: float) -> float:
    milliseconds = headers.get("retry-after-ms", "")
    if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,6})?", milliseconds):
        return min(float(milliseconds) / 1000, A_DAY_S)
    return asked_wait(headers.get("retry-after", ""), headers.get("date", ""), now)
