"""What the scripts in the consumers' environments share: a tokenizer and a model as small as can be, what text a row
is meant to become, and the table. Nothing of annobridge is imported here."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

START, END, PAD = "<|im_start|>", "<|im_end|>", "<|endoftext|>"


def byte_letters() -> dict[int, str]:
    """The letter that stands for each byte in byte-level BPE (GPT-2's ``bytes_to_unicode``)."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return {byte: chr(byte) for byte in shown} | {byte: chr(256 + n) for n, byte in enumerate(hidden)}


def tokenizer(folder: Path, chat_template: str) -> Path:
    """Write a tokenizer that knows every byte and three special tokens: what it decodes is what was encoded."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {letter: byte for byte, letter in sorted(byte_letters().items())}
    added = [
        {"id": 256 + number, "content": token, "special": True}
        | dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
        for number, token in enumerate((START, END, PAD))
    ]
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    whole = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": level,
        "post_processor": None,
        "decoder": level,
        "model": {"type": "BPE", "vocab": vocabulary, "merges": []},
    }
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": END,
        "pad_token": PAD,
        "chat_template": chat_template,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 100_000,
    }
    (folder / "tokenizer.json").write_text(json.dumps(whole))
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


def model(folder: Path) -> Path:
    """Write a model of two layers that nobody has trained."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    config = Qwen2Config(
        vocab_size=259,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=8192,
        eos_token_id=257,
        pad_token_id=258,
        bos_token_id=None,
    )
    Qwen2ForCausalLM(config).save_pretrained(folder)
    return folder


def chatml(messages: Iterable[dict[str, str]]) -> str:
    """A conversation as ChatML."""
    return "".join(f"{START}{m['role']}\n{m['content']}{END}\n" for m in messages)


def prompt_text(row: dict[str, Any]) -> str:
    """The prompt of a conversation as ChatML, up to where the answer begins."""
    return chatml(row["prompt"]) + f"{START}assistant\n"


def bare(text: str) -> str:
    """A text without what ends it: end tokens, padding, and line feeds after them."""
    return re.sub(rf"(({re.escape(END)}|{re.escape(PAD)})\n?)+$", "", text)


Prepared = dict[str, Any]
"""What a consumer made of a row, decoded: ``{"text": whole, "learned": part}``, or with ``chosen`` and ``rejected``
in front; ``label``, ``margin`` and ``score`` as they are."""


def expected(row: dict[str, Any], *, chat: bool, learns: str = "answer") -> Prepared:
    """What a consumer is to make of a row.

    Args:
        row: the row as it was meant.
        chat: whether the consumer puts the texts into a chat; otherwise a plain prompt stays as it is.
        learns: the ``answer``, all ``answers`` of the conversation, or ``all`` of it.
    """
    earlier = "".join(f"{turn['content']}{END}\n" for turn in row["prompt"] if turn["role"] == "assistant")
    head = prompt_text(row) if chat else row["prompt"][0]["content"]
    wanted: Prepared = {name: row[name] for name in ("label", "margin", "score") if name in row}
    for name in ("completion", "chosen", "rejected"):
        if name in row:
            prefix = "" if name == "completion" else f"{name} "
            whole = head + row[name]
            wanted[f"{prefix}text"] = whole
            wanted[f"{prefix}learned"] = {"all": whole, "answers": earlier + row[name], "answer": row[name]}[learns]
    return wanted


def decoded(kind: str, batch: Any, tokenizer: Any) -> Prepared:
    """One row of a batch as text: what the collators of TRL make, and those of Axolotl after them."""

    def text(ids: Any, mask: Any) -> str:
        return tokenizer.decode(
            [int(i) for i, on in zip(ids, mask, strict=True) if on], clean_up_tokenization_spaces=False
        )

    ids, mask = batch["input_ids"], batch["attention_mask"]
    if kind == "sft":
        labels = batch["labels"][0]
        return {"text": text(ids[0], mask[0]), "learned": text(ids[0], labels != -100)}
    if kind == "kto":
        label = batch["label"][0]
        return {"text": text(ids[0], mask[0]), "learned": text(ids[0], batch["completion_mask"][0]), "label": label}
    found: Prepared = {}
    for number, name in enumerate(("chosen", "rejected")):
        found[f"{name} text"] = text(ids[number], mask[number])
        if kind == "dpo":
            found[f"{name} learned"] = text(ids[number], batch["completion_mask"][number])
    if "margin" in batch:
        found["margin"] = float(batch["margin"][0])
    return found


def same(prepared: Prepared, wanted: Prepared) -> bool:
    """Whether a consumer's row says what was meant; it may say less of labels and margins, which not all take."""
    for name, value in wanted.items():
        found = prepared.get(name)
        if isinstance(value, str):
            if found is not None and bare(found) != value:
                return False
        elif found is not None and abs(float(found) - float(value)) > 1e-6:
            return False
    return bool(prepared) and all(name in wanted for name in prepared)


def paired(prepared: Sequence[Prepared], meant: Sequence[Prepared]) -> tuple[list[Prepared], list[Prepared]]:
    """Both in one order, of a consumer that shuffles: first the rows that say what was meant, then all others."""
    left, found, strange = list(meant), [], []
    for made in prepared:
        place = next((number for number, row in enumerate(left) if same(made, row)), None)
        if place is None:
            strange.append(made)
        else:
            found.append((made, left.pop(place)))
    return [*(made for made, _ in found), *strange], [*(row for _, row in found), *left]


class Table:
    """Rows in, rows kept and contents equal, of each format that a consumer is tried on."""

    def __init__(self, consumer: str) -> None:
        self._consumer = consumer
        self.lines: list[dict[str, Any]] = []

    def add(
        self, where: str, shape: str, meant: Sequence[Any], prepared: Sequence[Prepared], *, ordered: bool = True
    ) -> None:
        """Compare what was prepared with what was meant, in order or not; ``meant`` are :func:`expected` rows."""
        if not ordered:
            prepared, meant = paired(prepared, meant)
        equal = sum(same(made, row) for made, row in zip(prepared, meant, strict=False))
        self.lines.append(
            {
                "consumer": self._consumer,
                "set": where,
                "format": shape,
                "given": len(meant),
                "kept": len(prepared),
                "equal": equal,
            }
        )
        for made, row in zip(prepared, meant, strict=False):
            if not same(made, row):
                print(f"{where} {shape}:\n  made {made!r:.900}\n  want {row!r:.900}", file=sys.stderr)
                break

    def attempt(
        self,
        where: str,
        shape: str,
        meant: Sequence[Any],
        make: Callable[[], Sequence[Prepared]],
        *,
        ordered: bool = True,
    ) -> None:
        """The same, of a consumer that may refuse; its words stand in the table then."""
        try:
            prepared = make()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it is, the consumer did not take the set
            traceback.print_exc()
            line = {
                "consumer": self._consumer,
                "set": where,
                "format": shape,
                "given": len(meant),
                "kept": 0,
                "equal": 0,
            }
            self.lines.append({**line, "error": f"{type(error).__name__}: {error}"[:300]})
        else:
            self.add(where, shape, meant, prepared, ordered=ordered)


class Sets:
    """The exports that a script was given."""

    def __init__(self, folders: Sequence[str], work: Path) -> None:
        self.folders = [Path(folder).resolve() for folder in folders]
        self.work = work

    def settings(self, trainer: str) -> Iterator[tuple[Path, str, str, Path, dict[str, list[dict[str, Any]]]]]:
        """Folder, kind, format, file of settings and the rows that were meant by split, for each such file."""
        for folder in self.folders:
            meant = json.loads((folder / "meant.json").read_text())
            for path in sorted(folder.glob(f"*.{trainer}.yaml")):
                kind, shape = path.name.split(".")[:2]
                yield folder, kind, shape, path, meant[kind][shape]


def run(consumer: str, check: Callable[[Sets, Table, Path], None]) -> None:
    """The main program of a script: ``with_NAME.py WORK FOLDER...``; prints its table as JSON on the last line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("work", type=Path)
    parser.add_argument("folders", nargs="+")
    options = parser.parse_args()
    work = options.work.resolve()
    os.environ |= {
        "HF_HOME": str(work / "hf"),
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "CUDA_VISIBLE_DEVICES": "",
        "WANDB_DISABLED": "true",
    }
    template = (Path(options.folders[0]).parent / "chatml.jinja").read_text()
    made = tokenizer(work / "tiny", template)
    table = Table(consumer)
    check(Sets(options.folders, work), table, made)
    print(json.dumps(table.lines))
