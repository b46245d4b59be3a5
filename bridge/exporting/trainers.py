"""Settings for trainers, written beside the rows: how TRL, Axolotl, LLaMA-Factory and MLX-LM read each format.

::

    DIR/sft.messages.trl.yaml        trl sft --config sft.messages.trl.yaml ...
    DIR/sft.messages.axolotl.yaml    axolotl train sft.messages.axolotl.yaml
    DIR/sft.messages.mlx.yaml        mlx_lm.lora --config sft.messages.mlx.yaml ...; it reads folders with splits only
    DIR/dataset_info.json            LLaMA-Factory's list of data sets, of all kinds in the folder

Only those trainers have an entry that prepare from a format what is meant, which benchmarks/consumers tries with their
own code. What each setting stands for is in the trainers' documentation: TRL's script arguments (``DatasetConfig``),
Axolotl's dataset formats, LLaMA-Factory's ``data/README.md``, and MLX-LM's ``LORA.md``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from bridge.exporting.row import Kind

DATASET_INFO = "dataset_info.json"

Places: TypeAlias = Mapping[str, str]
"""Split, or nothing where there are none, to the file with its rows, relative to the folder of the export."""


class Setting(NamedTuple):
    """What a trainer is told of a format: for the whole run, and for the data set; and what it does with long rows."""

    run: Mapping[str, Any]
    data: Mapping[str, Any]
    long: str = "stop the run"


_ROLES = {"role_tag": "role", "content_tag": "content"}
_ROLES |= {"user_tag": "user", "assistant_tag": "assistant", "system_tag": "system", "observation_tag": "tool"}
_CHAT = {"type": "chat_template", "roles_to_train": ["assistant"], "train_on_eos": "turn"}
_PAIR = {"prompt": "prompt", "chosen": "chosen", "rejected": "rejected"}
_PAIR_OF_MESSAGES = {"messages": "messages", "chosen": "chosen", "rejected": "rejected"}

TRL: Mapping[Kind, frozenset[str]] = {
    # Of whole conversations TRL learns the questions too; `conversational` and `plain` say what is the answer.
    "sft": frozenset({"conversational", "plain", "messages", "text"}),
    "dpo": frozenset({"conversational", "plain", "implicit"}),
    "kto": frozenset({"conversational", "plain"}),
    "reward": frozenset({"conversational", "plain", "implicit"}),
}
"""Kind to the formats that TRL knows by their columns."""

# Axolotl looks for an answer in the text of a dialogue of its own, and would find `a` in `<|im_start|>`. Without a type
# and unprepared, the rows go to the trainers of TRL as they are, which put them into the chat template whole.
_DPO = Setting({"rl": "dpo", "skip_prepare_dataset": True}, {}, "are cut, or left out")
_REWARD = {"reward_model": True, "pad_to_sequence_len": False}
_TRL_REWARD = Setting({**_REWARD, "skip_prepare_dataset": True}, {}, "are left out")
_KTO = {"rl": "kto", "remove_unused_columns": False}

AXOLOTL: Mapping[tuple[Kind, str], Setting] = {
    ("sft", "messages"): Setting({}, {**_CHAT, "field_messages": "messages"}),
    ("sft", "sharegpt"): Setting(
        {},
        {
            **_CHAT,
            "field_messages": "conversations",
            "message_property_mappings": {"role": "from", "content": "value"},
        },
    ),
    ("sft", "alpaca"): Setting({}, {"type": "alpaca_w_system.load_instruct"}),
    ("sft", "plain"): Setting(
        {},
        {
            "type": {
                "field_instruction": "prompt",
                "field_output": "completion",
                "format": "{instruction}",
                "no_input_format": "{instruction}",
            }
        },
    ),
    ("sft", "text"): Setting({}, {"type": "completion", "field": "text"}, "are cut into several"),
    ("dpo", "conversational"): _DPO,
    ("dpo", "implicit"): _DPO,
    ("dpo", "plain"): Setting(
        {"rl": "dpo"},
        {
            "type": {
                "field_prompt": "prompt",
                "field_chosen": "chosen",
                "field_rejected": "rejected",
                "prompt_format": "{prompt}",
                "chosen_format": "{chosen}",
                "rejected_format": "{rejected}",
            }
        },
    ),
    ("kto", "conversational"): Setting({**_KTO, "skip_prepare_dataset": True}, {}, "are cut, or left out"),
    ("kto", "plain"): Setting(
        _KTO,
        {
            "type": {
                "field_prompt": "prompt",
                "field_completion": "completion",
                "field_label": "label",
                "prompt_format": "{prompt}",
                "completion_format": "{completion}",
            }
        },
    ),
    ("reward", "conversational"): _TRL_REWARD,
    ("reward", "implicit"): _TRL_REWARD,
    ("reward", "plain"): _TRL_REWARD,
    # Where a row has no system message, it would add an empty one.
    ("reward", "axolotl"): Setting(
        _REWARD, {"type": "bradley_terry.chat_template", "drop_system_message": True}, "are cut"
    ),
}

LLAMA_FACTORY: Mapping[tuple[Kind, str], Mapping[str, Any]] = {
    # `formatting: openai` would add a sentence to every system message, so that roles are named one by one.
    ("sft", "messages"): {"formatting": "sharegpt", "columns": {"messages": "messages"}, "tags": _ROLES},
    ("sft", "sharegpt"): {"formatting": "sharegpt", "columns": {"messages": "conversations"}},
    ("sft", "alpaca"): {
        "columns": {"prompt": "instruction", "query": "input", "response": "output", "system": "system"}
    },
    ("sft", "plain"): {"columns": {"prompt": "prompt", "response": "completion"}},
    ("sft", "text"): {"columns": {"prompt": "text"}},
    ("dpo", "plain"): {"ranking": True, "columns": _PAIR},
    ("dpo", "llamafactory"): {
        "formatting": "sharegpt",
        "ranking": True,
        "columns": _PAIR_OF_MESSAGES,
        "tags": _ROLES,
    },
    ("kto", "plain"): {"columns": {"prompt": "prompt", "response": "completion", "kto_tag": "label"}},
    ("kto", "messages"): {
        "formatting": "sharegpt",
        "columns": {"messages": "messages", "kto_tag": "label"},
        "tags": _ROLES,
    },
    ("reward", "plain"): {"ranking": True, "columns": _PAIR},
    ("reward", "llamafactory"): {
        "formatting": "sharegpt",
        "ranking": True,
        "columns": _PAIR_OF_MESSAGES,
        "tags": _ROLES,
    },
}

MLX: Mapping[tuple[Kind, str], Setting] = {
    ("sft", "messages"): Setting({}, {"mask_prompt": True}),
    ("sft", "plain"): Setting({}, {"mask_prompt": True}),
    ("sft", "text"): Setting({}, {}),
}


def settings(kind: Kind, name: str, files: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The files of settings for one format of an export.

    Args:
        kind: what the set is for.
        name: the format.
        files: split, or nothing, and place of each file of rows.

    Returns:
        File name to text, of those trainers that read the format.

    >>> print(settings("sft", "messages", [("", "sft.messages.jsonl")])["sft.messages.trl.yaml"], end="")
    # trl sft --config sft.messages.trl.yaml --model_name_or_path MODEL --output_dir DIR
    # Run in this folder.
    datasets:
      - path: "json"
        data_files: "sft.messages.jsonl"
        split: "train"
    # Without this line rows of more than 1,024 tokens are cut, or left out.
    max_length: null
    """
    places = preferred(files)
    found = {
        "trl": _trl(kind, name, places) if name in TRL[kind] else (),
        "axolotl": _axolotl(kind, name, places),
        "mlx": _mlx(kind, name, {split: place for split, place in files if place.endswith(".jsonl")}),
    }
    texts = {trainer: "".join(f"{line}\n" for line in lines) for trainer, lines in found.items()}
    return {f"{kind}.{name}.{trainer}.yaml": text for trainer, text in texts.items() if text}


def dataset_info(kind: Kind, name: str, files: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """What LLaMA-Factory's ``dataset_info.json`` says of one format of an export; nothing where it cannot read it.

    >>> dataset_info("dpo", "plain", [("train", "dpo.plain/train.jsonl")])
    {'dpo.plain.train': {'file_name': 'dpo.plain/train.jsonl', 'ranking': True,
                         'columns': {'prompt': 'prompt', 'chosen': 'chosen', 'rejected': 'rejected'}}}
    """
    entry = LLAMA_FACTORY.get((kind, name))
    if entry is None:
        return {}
    return {
        ".".join(filter(None, (kind, name, split))): {"file_name": place, **entry}
        for split, place in preferred(files).items()
    }


def merged_info(kinds: Iterable[Kind], before: str, entries: Mapping[str, Any]) -> str:
    """``dataset_info.json`` with new entries in the place of all old ones of some kinds; empty where none is left.

    Raises:
        ValueError: what was there is no JSON.

    >>> merged_info(["sft"], '{"sft.plain": {}, "dpo.plain": {}}', {"sft.messages": {}})
    '{\\n  "dpo.plain": {},\\n  "sft.messages": {}\\n}\\n'
    """
    old = tuple(f"{kind}." for kind in kinds)
    kept = {name: entry for name, entry in json.loads(before or "{}").items() if not name.startswith(old)}
    merged = dict(sorted({**kept, **entries}.items()))
    return json.dumps(merged, ensure_ascii=False, indent=2) + "\n" if merged else ""


def _trl(kind: Kind, name: str, places: Places) -> Iterator[str]:
    yield f"# trl {kind} --config {kind}.{name}.trl.yaml --model_name_or_path MODEL --output_dir DIR"
    yield "# Run in this folder."
    if "" in places:
        builder = "parquet" if places[""].endswith(".parquet") else "json"
        yield from _yaml({"datasets": [{"path": builder, "data_files": places[""], "split": "train"}]})
    else:
        # `datasets` finds the splits of a folder by the names of its files, and calls `valid` validation.
        folder = next(iter(places.values())).partition("/")[0]
        held_back = {"dataset_test_split": "validation" if "valid" in places else "test"} if len(places) > 1 else {}
        yield from _yaml({"dataset_name": f"./{folder}", "dataset_train_split": "train", **held_back})
    yield "# Without this line rows of more than 1,024 tokens are cut, or left out."
    yield "max_length: null"


def _axolotl(kind: Kind, name: str, places: Places) -> Iterator[str]:
    setting = AXOLOTL.get((kind, name))
    if setting is None:
        return

    def entry(place: str) -> dict[str, Any]:
        ds_type = "parquet" if place.endswith(".parquet") else "json"
        return {"path": place, "ds_type": ds_type, "split": "train", **setting.data}

    yield f"# Add base_model, and: axolotl train {kind}.{name}.axolotl.yaml"
    yield "# Run in this folder." + (" KTO wants a micro_batch_size of 2 or more." if kind == "kto" else "")
    told: dict[str, Any] = {**setting.run, "datasets": [entry(places.get("") or places.get("train") or _first(places))]}
    held_back = places.get("valid") or places.get("test")
    yield from _yaml(told | ({"test_datasets": [entry(held_back)]} if held_back else {"val_set_size": 0}))
    yield f"# As many tokens as the model reads; longer rows {setting.long}. Without these lines the limit is 512."
    yield from _yaml({"sequence_len": 8192, "excess_length_strategy": "raise"})


def _mlx(kind: Kind, name: str, places: Places) -> Iterator[str]:
    setting = MLX.get((kind, name))
    if setting is None or not {"train", "valid"} <= set(places):
        return
    yield f"# mlx_lm.lora --config {kind}.{name}.mlx.yaml --model MODEL"
    yield "# Run in this folder."
    yield from _yaml({"train": True, "data": places["train"].partition("/")[0], **setting.data})
    yield "# Of larger batches it leaves out the rows that fill none, always the same ones."
    yield from _yaml({"batch_size": 1, "grad_accumulation_steps": 4})
    yield "# Without this line rows of more than 2,048 tokens are cut."
    yield from _yaml({"max_seq_length": 1_000_000})


def _first(places: Places) -> str:
    return next(iter(places.values()))


def _yaml(value: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """Mappings and lists as YAML blocks, all else as JSON, which YAML is a superset of."""
    for name, entry in value.items():
        if isinstance(entry, Mapping):
            yield f"{indent}{name}:"
            yield from _yaml(entry, f"{indent}  ")
        elif isinstance(entry, list) and entry and isinstance(entry[0], Mapping):
            yield f"{indent}{name}:"
            for one in entry:
                first, *rest = _yaml(one)
                yield f"{indent}  - {first}"
                yield from (f"{indent}    {line}" for line in rest)
        else:
            yield f"{indent}{name}: {json.dumps(entry, ensure_ascii=False)}"


def preferred(files: Iterable[tuple[str, str]]) -> Places:
    """Split to the file that trainers are pointed at: Parquet where there is one, because types are sure there.

    >>> preferred([("", "sft.plain.jsonl"), ("", "sft.plain.parquet")])
    {'': 'sft.plain.parquet'}
    """
    places: dict[str, str] = {}
    for split, place in files:
        if split not in places or place.endswith(".parquet"):
            places[split] = place
    return places
