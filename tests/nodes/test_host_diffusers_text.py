"""LoadDiffusersText and the folder's VAE: the host's nodes give what transformers and diffusers compute."""

import json
import shutil

import pytest
import torch
from helpers.hosting import host_module, one_line, relative_error
from syncpack.nodes.host.errors import SyncError
from syncpack.nodes.models.diffusers_nodes import LoadDiffusersText

pytest.importorskip("diffusers", reason="diffusers is not installed (extra 'diffusers')")

import diffusers
import transformers
from helpers.diffusers_models import LATENT, SD_BETAS, load, models_folder, randomised, save_unet, scheduler

pytestmark = pytest.mark.host

LIMIT = 12
WORDS = ["a", "red", "house", "by", "the", "sea", "cat"]


def clip_tokenizer(folder):
    """Whole words and single letters; 12 tokens at most."""
    letters = [chr(c) for c in range(97, 123)]
    vocabulary = [*letters, *(c + "</w>" for c in letters), *(w + "</w>" for w in WORDS if len(w) > 1)]
    merges, known = [], set(vocabulary)
    for word in WORDS:
        parts = [*word[:-1], word[-1] + "</w>"]
        while len(parts) > 1:
            merges.append(f"{parts[0]} {parts[1]}")
            parts = [parts[0] + parts[1], *parts[2:]]
            if parts[0] not in known:
                known.add(parts[0])
                vocabulary.append(parts[0])
    vocabulary += ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True)
    (folder / "vocab.json").write_text(json.dumps({w: i for i, w in enumerate(vocabulary)}))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *dict.fromkeys(merges)]) + "\n")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"model_max_length": LIMIT, "tokenizer_class": "CLIPTokenizer", "pad_token": "<|endoftext|>"})
    )
    return transformers.CLIPTokenizer.from_pretrained(folder)


def clip_encoder(folder, tokenizer, width, projection):
    config = transformers.CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        projection_dim=24,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=LIMIT,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    kind = transformers.CLIPTextModelWithProjection if projection else transformers.CLIPTextModel
    encoder = randomised(kind(config))
    encoder.save_pretrained(folder, safe_serialization=True)
    return encoder


def t5(folder):
    pieces = pytest.importorskip("sentencepiece", reason="DeepFloyd IF's tokenizer needs sentencepiece")
    (folder / "tokenizer").mkdir(parents=True)
    text = folder / "words.txt"
    text.write_text("\n".join([" ".join(WORDS), "a red house by the sea", "the cat by the red house"] * 50))
    pieces.SentencePieceTrainer.train(
        input=str(text),
        model_prefix=str(folder / "tokenizer/spiece"),
        vocab_size=40,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        hard_vocab_limit=False,
        minloglevel=9,
    )
    (folder / "tokenizer/tokenizer_config.json").write_text(json.dumps({"extra_ids": 0, "model_max_length": 512}))
    tokenizer = transformers.T5Tokenizer.from_pretrained(folder / "tokenizer")
    config = transformers.T5Config(
        vocab_size=len(tokenizer),
        d_model=24,
        d_kv=8,
        d_ff=48,
        num_layers=2,
        num_heads=3,
        feed_forward_proj="gated-gelu",
        dropout_rate=0.0,
    )
    encoder = randomised(transformers.T5EncoderModel(config))
    encoder.save_pretrained(folder / "text_encoder", safe_serialization=True)
    return tokenizer, encoder


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    root = tmp_path_factory.mktemp("diffusers")
    made = {"sd": (clip_tokenizer(root / "sd/tokenizer"),)}
    made["sd"] += (clip_encoder(root / "sd/text_encoder", made["sd"][0], 32, False),)
    one, two = clip_tokenizer(root / "xl/tokenizer"), clip_tokenizer(root / "xl/tokenizer_2")
    first = clip_encoder(root / "xl/text_encoder", one, 32, False)
    made["xl"] = (one, two, first, clip_encoder(root / "xl/text_encoder_2", two, 40, True))
    made["t5"] = t5(root / "t5")
    with models_folder(root):
        yield root, made


def encode(name, text, node="CLIPTextEncode"):
    """The host's own node."""
    nodes = host_module("nodes", "comfy.nodes.base_nodes")
    with torch.inference_mode():
        (clip,) = LoadDiffusersText().load(name)
        (conditioning,) = getattr(nodes, node)().encode(clip, text)
    return conditioning[0]


def ids(tokenizer, text, limit=LIMIT):
    return tokenizer(text, padding="max_length", max_length=limit, truncation=True, return_tensors="pt")


@pytest.mark.parametrize("text", ["a red house by the sea", "", "the cat " * 12])
def test_clip_of_stable_diffusion(texts, text):
    tokenizer, encoder = texts[1]["sd"]
    tokens, options = encode("sd", text)
    with torch.no_grad():
        expected = encoder(ids(tokenizer, text).input_ids)
    assert relative_error(tokens, expected.last_hidden_state) < 1e-5
    assert relative_error(options["pooled_output"], expected.pooler_output) < 1e-5


@pytest.mark.parametrize("text", ["a red house by the sea", ""])
def test_both_encoders_of_sdxl(texts, text):
    one, two, first, second = texts[1]["xl"]
    tokens, options = encode("xl", text)
    with torch.no_grad():
        a = first(ids(one, text).input_ids, output_hidden_states=True)
        b = second(ids(two, text).input_ids, output_hidden_states=True)
    assert relative_error(tokens, torch.cat([a.hidden_states[-2], b.hidden_states[-2]], -1)) < 1e-5
    assert relative_error(options["pooled_output"], b.text_embeds) < 1e-5


@pytest.mark.parametrize("text", ["  A red House by the sea ", "", "the cat " * 60])
def test_t5_of_deepfloyd(texts, text):
    tokenizer, encoder = texts[1]["t5"]
    tokens, options = encode("t5", text)
    given = ids(tokenizer, text.lower().strip(), 77)
    with torch.no_grad():
        expected = encoder(given.input_ids, attention_mask=given.attention_mask)[0]
    assert tokens.shape == (1, 77, 24) and options["pooled_output"] is None
    assert relative_error(tokens, expected) < 1e-5


def test_weights_of_words(texts):
    """The host's rule: a token's encoding moves away from that of the empty prompt."""
    plain, empty = encode("sd", "a red house")[0], encode("sd", "")[0]
    weighted = encode("sd", "a (red:1.5) house")[0]
    expected = plain.clone()
    expected[:, 2] = empty[:, 2] + 1.5 * (plain[:, 2] - empty[:, 2])
    assert relative_error(weighted, expected) < 1e-5 < 0.01 < relative_error(weighted, plain)


def test_clip_skip(texts):
    nodes = host_module("nodes", "comfy.nodes.base_nodes")
    tokenizer, encoder = texts[1]["sd"]
    with torch.inference_mode():
        (clip,) = LoadDiffusersText().load("sd")
        (skipped,) = nodes.CLIPSetLastLayer().set_last_layer(clip, -2)
        (conditioning,) = nodes.CLIPTextEncode().encode(skipped, "a cat")
        (t5_clip,) = LoadDiffusersText().load("t5")
        (no_layers,) = nodes.CLIPSetLastLayer().set_last_layer(t5_clip, -2)
        with pytest.raises(ValueError) as error:
            nodes.CLIPTextEncode().encode(no_layers, "a cat")
    one_line(error.value, "LoadDiffusersText", "CLIPSetLastLayer")
    with torch.no_grad():
        hidden = encoder(ids(tokenizer, "a cat").input_ids, output_hidden_states=True).hidden_states[-2]
        expected = encoder.text_model.final_layer_norm(hidden)
    assert relative_error(conditioning[0][0], expected) < 1e-5


def test_a_lora_reaches_the_text_encoder(texts):
    from comfy import sd

    nodes = host_module("nodes", "comfy.nodes.base_nodes")
    layer = "text_model.encoder.layers.1.mlp.fc1"
    flat = "lora_te_" + layer.replace(".", "_")
    up, down = torch.randn(64, 2) * 0.3, torch.randn(2, 32) * 0.3
    lora = {f"{flat}.lora_up.weight": up, f"{flat}.lora_down.weight": down, f"{flat}.alpha": torch.tensor(2.0)}
    with torch.inference_mode():
        (clip,) = LoadDiffusersText().load("sd")
        _, patched = sd.load_lora_for_models(None, clip, lora, 0.0, 1.0)
        (conditioning,) = nodes.CLIPTextEncode().encode(patched, "a cat")
        (plain,) = nodes.CLIPTextEncode().encode(clip, "a cat")
    tokenizer, encoder = texts[1]["sd"]
    weight = encoder.get_submodule(layer).weight
    original = weight.data.clone()
    with torch.no_grad():
        without = encoder(ids(tokenizer, "a cat").input_ids).last_hidden_state
        weight.data += up @ down
        expected = encoder(ids(tokenizer, "a cat").input_ids).last_hidden_state
        weight.data = original
    assert relative_error(conditioning[0][0], expected) < 1e-5
    assert relative_error(plain[0][0], without) < 1e-5


def refused(name, *parts):
    with pytest.raises(SyncError) as error:
        LoadDiffusersText().load(name)
    assert "/tmp" not in one_line(error.value, "LoadDiffusersText", *parts)


def test_bad_text_folders(texts):
    root, _ = texts
    refused("../sd", "is not the name of a folder")
    broken = root / "broken"
    shutil.copytree(root / "sd", broken)
    weights = broken / "text_encoder/model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-500])
    refused("broken", "text_encoder cannot be loaded")
    weights.rename(broken / "text_encoder/pytorch_model.bin")
    refused("broken", "only as .bin")
    (broken / "text_encoder/pytorch_model.bin").unlink()
    refused("broken", "no model.safetensors")
    weights.write_bytes(whole)
    shutil.rmtree(broken / "tokenizer")
    refused("broken", "tokenizer is missing")
    config = broken / "text_encoder/config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "architectures": ["BertModel"]}))
    refused("broken", "BertModel", "T5EncoderModel")
    shutil.rmtree(broken)


def test_the_vae_is_that_of_the_folder(tmp_path):
    config = dict(
        block_out_channels=(32, 32, 64, 64),
        layers_per_block=2,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        scaling_factor=0.18215,
    )
    own = randomised(diffusers.AutoencoderKL(**config))
    save_unet(tmp_path / "model", LATENT, scheduler(**SD_BETAS))
    own.save_pretrained(tmp_path / "model/vae", safe_serialization=True)
    picture = torch.rand(1, 64, 64, 3, generator=torch.Generator().manual_seed(0))
    with models_folder(tmp_path), torch.inference_mode():
        _, vae = load("model")
        latent = vae.encode(picture)
        decoded = vae.decode(latent)
        moments = own.encode(picture.movedim(-1, 1) * 2 - 1).latent_dist
        shown = (own.decode(latent).sample.movedim(1, -1) / 2 + 0.5).clamp(0, 1)
    # The host draws a sample of the posterior, or takes its mean.
    assert float((latent - moments.mean).abs().max()) < 6.0 * float(moments.std.max()) + 1e-4
    assert float((decoded - shown).abs().max()) < 1e-4
    assert float(shown.std()) > 0.05
