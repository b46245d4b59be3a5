"""Which orders of roles every trainer and chat template understands.

Some chat templates refuse two turns of the user behind each other, others a conversation that the assistant opens;
LLaMA-Factory drops what does not alternate. So an optional system message comes first, and then user and assistant
take turns. What a tool says stands behind the assistant's turn that called it, or behind another tool's.
"""

from __future__ import annotations

from functools import lru_cache

from bridge.records import ROLES

_BEFORE = {"user": ("", "assistant"), "assistant": ("user", "tool"), "tool": ("assistant", "tool")}


@lru_cache(maxsize=4096)
def order_fault(roles: tuple[str, ...], *, answered: bool) -> str:
    """What is wrong with the order of roles, or an empty text. Where system messages stand is not looked at.

    Args:
        roles: of all messages.
        answered: whether the conversation is to end with the assistant's answer, or right before it.

    >>> order_fault(("system", "user", "assistant"), answered=True)
    ''
    >>> order_fault(("user", "user"), answered=False)
    'message 2: the user speaks after the user'
    >>> order_fault(("user",), answered=True)
    "the last message is the user's, and no answer"
    """
    before = ""
    for number, role in enumerate(roles, 1):
        if role not in ROLES:
            return f"message {number}: the role {role!r:.60} is none of {', '.join(ROLES)}"
        if role == "system":
            continue
        if before not in _BEFORE[role]:
            return f"message {number}: the {role} speaks {f'after the {before}' if before else 'first'}"
        before = role
    if answered and before != "assistant":
        return f"the last message is the {before or 'system'}'s, and no answer" if roles else "there are no messages"
    if not answered and before not in ("user", "tool"):
        return "no turn of the user stands before the answer"
    return ""


@lru_cache(maxsize=4096)
def system_fault(roles: tuple[str, ...]) -> str:
    """What is wrong with the place of system messages, or an empty text.

    >>> system_fault(("system", "user")), system_fault(("user", "system"))
    ('', 'message 2: the system speaks, and may only speak first')
    """
    late = next((number for number, role in enumerate(roles, 1) if role == "system" and number > 1), 0)
    return f"message {late}: the system speaks, and may only speak first" if late else ""
