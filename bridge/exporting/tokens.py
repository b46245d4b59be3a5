"""Tokens of a text: by a tokenizer that is given, or estimated."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from bridge.errors import InputError, UsageError

Tokens: TypeAlias = "Callable[[str], Sequence[Any]]"
"""From a text to its tokens, whatever they are; only their number and equality count."""

_PIECES = re.compile("(?!\\s)[\u2e80-\U0010ffff]|[^\\W\u2e80-\U0010ffff]{1,4}|[^\\w\\s]")


def estimated(text: str) -> Sequence[str]:
    """Tokens where there is no tokenizer: up to four letters or digits of one word, one sign, one ideograph or emoji.

    Of English prose that is more than a trained tokenizer usually makes (docs/gates.md), so that it is the more
    cautious one.

    >>> estimated("Don't overestimate 你好!")
    ['Don', "'", 't', 'over', 'esti', 'mate', '你', '好', '!']
    """
    return _PIECES.findall(text)


def load_tokenizer(path: str | Path) -> Tokens:
    """The tokenizer of a model: its ``tokenizer.json``, or the folder that holds it. Nothing is downloaded.

    Raises:
        UsageError: the package tokenizers is not installed.
        InputError: there is no such file, or it is none.
    """
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise UsageError(
            "reading a tokenizer needs the package tokenizers", remedy="pip install tokenizers, or leave it out"
        ) from None
    path = Path(path)
    file = path / "tokenizer.json" if path.is_dir() else path
    remedy = "give the tokenizer.json of the model that is to be trained"
    try:
        tokenizer = Tokenizer.from_str(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}", remedy=remedy) from None
    except Exception as error:  # noqa: BLE001 - the package raises nothing narrower
        raise InputError(f"{file}: no tokenizer: {str(error).splitlines()[0]:.200}", remedy=remedy) from None

    def encode(text: str) -> Sequence[int]:
        ids: Sequence[int] = tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    return encode
