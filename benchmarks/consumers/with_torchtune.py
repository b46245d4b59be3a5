"""torchtune: its data sets with the message transform for each format. It has no file of settings to be written, and is
no longer maintained; it learns every answer of a conversation, and refuses those in which a tool speaks: they are left
out here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tiny import END, START, Prepared, Sets, Table, expected, run


class Letters:
    """In the place of a model's tokenizer: every byte is a token, and a message is ChatML."""

    def tokenize_messages(self, messages: Any, **_: Any) -> tuple[list[int], list[bool]]:
        """Tokens, and which of them are not learned."""
        tokens: list[int] = []
        mask: list[bool] = []
        for message in messages:
            head, body = f"{START}{message.role}\n".encode(), f"{message.text_content}{END}\n".encode()
            tokens += head + body
            mask += [True] * len(head) + [message.masked] * len(body)
        return tokens, mask

    def encode(self, text: str, **_: Any) -> list[int]:
        """Bytes of a text."""
        return list(text.encode())

    def __call__(self, sample: Mapping[str, Any], inference: bool = False) -> dict[str, Any]:
        """A sample with its tokens."""
        tokens, mask = self.tokenize_messages(sample["messages"])
        return {"tokens": tokens, "mask": mask}

    max_seq_len = None
    eos_id = 0


def check(sets: Sets, table: Table, tiny: Path) -> None:
    """Prepare every set that torchtune has a transform for."""
    for folder in sets.folders:
        for kind, shapes in json.loads((folder / "meant.json").read_text()).items():
            for shape, splits in shapes.items():
                if (kind, shape) not in (
                    ("dpo", "implicit"),
                    *(("sft", name) for name in ("messages", "sharegpt", "plain")),
                ):
                    continue
                for split, rows in splits.items():
                    if any(turn["role"] == "tool" for row in rows for turn in row["prompt"]):
                        continue
                    file = folder / (f"{kind}.{shape}/{split}.jsonl" if split else f"{kind}.{shape}.jsonl")

                    def make(file: Path = file, kind: str = kind, shape: str = shape) -> list[Prepared]:
                        return prepared(file, kind, shape)

                    wanted = [expected(row, chat=True, learns="answers") for row in rows]
                    table.attempt(folder.name, f"{kind}.{shape} {split}".strip(), wanted, make)


def prepared(file: Path, kind: str, shape: str) -> list[Prepared]:
    """What torchtune would train on."""
    from torchtune.data import (
        ChosenRejectedToMessages,
        InputOutputToMessages,
        OpenAIToMessages,
        ShareGPTToMessages,
    )
    from torchtune.datasets import PreferenceDataset, SFTDataset

    where = {"source": "json", "data_files": str(file), "split": "train"}
    if kind == "dpo":
        pairs = PreferenceDataset(message_transform=ChosenRejectedToMessages(), tokenizer=Letters(), **where)
        found = []
        for number in range(len(pairs)):
            row = pairs[number]
            sides = {
                f"{name} {part}": text(row[f"{name}_input_ids"], row[f"{name}_labels"], part)
                for name in ("chosen", "rejected")
                for part in ("text", "learned")
            }
            found.append(sides)
        return found
    transforms = {
        "messages": OpenAIToMessages,
        "sharegpt": ShareGPTToMessages,
        "plain": lambda: InputOutputToMessages(column_map={"input": "prompt", "output": "completion"}),
    }
    rows = SFTDataset(message_transform=transforms[shape](), model_transform=Letters(), **where)
    return [
        {part: text(rows[number]["tokens"], rows[number]["labels"], part) for part in ("text", "learned")}
        for number in range(len(rows))
    ]


def text(tokens: Any, labels: Any, part: str) -> str:
    """The whole text, or what of it is learned."""
    kept = [int(token) for token, label in zip(tokens, labels, strict=True) if part == "text" or label != -100]
    return bytes(kept).decode()


if __name__ == "__main__":
    run("torchtune", check)
