"""A pocket-tts model small enough for a test: the real architecture, few layers, random weights."""

from __future__ import annotations

import itertools
import string
from pathlib import Path
from typing import Any

import pocket_tts
import safetensors.torch
import tokenizers
import torch
import yaml
from tokenizers import decoders, models, pre_tokenizers

TOKENS = 4000


def write_tokenizer(file: Path) -> None:
    """A byte-pair tokenizer with exactly the entries the models expect."""
    space, low = "\u2581", string.ascii_lowercase
    vocabulary = {
        token: number
        for number, token in enumerate(["<unk>", *string.ascii_letters, *string.digits, *" .,!?'-;:", space])
    }
    merges: list[tuple[str, str]] = []
    pairs = itertools.product([space, *low], low)
    triples = ((a + b, c) for (a, b), c in itertools.product(itertools.product([space, *low], low), low))
    for a, b in itertools.chain(pairs, triples):
        if len(vocabulary) == TOKENS:
            break
        if a + b not in vocabulary:
            vocabulary[a + b] = len(vocabulary)
            merges.append((a, b))
    tokenizer = tokenizers.Tokenizer(models.BPE(vocab=vocabulary, merges=merges, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.save(str(file))


def write_model(folder: Path, *, of: str = "english_2m_2026-10", tiny: bool = True, seed: int = 0) -> Path:
    """
    Write a model with random weights, as a user with weights of their own has it.

    Args:
        of: The published configuration it follows.
        tiny: With two layers where that has many.

    Returns:
        Its YAML file.
    """
    published = Path(pocket_tts.__file__).parent / "config" / f"{of}.yaml"
    config: dict[str, Any] = yaml.safe_load(published.read_text())
    config.pop("weights_path_without_voice_cloning", None)
    config.pop("weights_path", None)
    # Random weights never say that they are done; they speak to the estimated length.
    config["default_eos_threshold"] = 1e9
    tokenizer = folder / "tokenizer.json"
    write_tokenizer(tokenizer)
    config["flow_lm"]["lookup_table"] |= {"tokenizer": "tokenizers", "tokenizer_path": str(tokenizer)}
    if tiny:
        config["flow_lm"]["transformer"]["num_layers"] = 2
        config["mimi"]["transformer"]["num_layers"] = 1
        config["mimi"]["decoder_transformer"]["num_layers"] = 1
        config["mimi"]["seanet"]["n_filters"] = 8
    bare, whole = folder / "bare.yaml", folder / "model.yaml"
    bare.write_text(yaml.safe_dump(config))
    torch.manual_seed(seed)
    model = pocket_tts.TTSModel.load_model(config=bare)
    torch.nn.init.normal_(model.flow_lm.speaker_proj_weight, std=0.02)
    weights = folder / "model.safetensors"
    safetensors.torch.save_file(model.state_dict(), weights)
    whole.write_text(yaml.safe_dump(config | {"weights_path": str(weights)}))
    return whole
