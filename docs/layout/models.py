"""Public files behind the names that workflows use, written into their loaders so that a host offers the download."""

from __future__ import annotations

from typing import Any

_HF = "https://huggingface.co"
_WAN = f"{_HF}/Comfy-Org/Wan_2.1_ComfyUI_repackaged/resolve/main/split_files"
# name: (folder of ComfyUI's models, where the file is)
FILES: dict[str, tuple[str, str]] = {
    "v1-5-pruned-emaonly.safetensors": (
        "checkpoints",
        f"{_HF}/stable-diffusion-v1-5/stable-diffusion-v1-5/resolve/main/v1-5-pruned-emaonly.safetensors",
    ),
    "sd_xl_base_1.0.safetensors": (
        "checkpoints",
        f"{_HF}/stabilityai/stable-diffusion-xl-base-1.0/resolve/main/sd_xl_base_1.0.safetensors",
    ),
    "flux1-dev-fp8.safetensors": ("checkpoints", f"{_HF}/Comfy-Org/flux1-dev/resolve/main/flux1-dev-fp8.safetensors"),
    "sd3_medium_incl_clips_t5xxlfp8.safetensors": (
        "checkpoints",
        f"{_HF}/stabilityai/stable-diffusion-3-medium/resolve/main/sd3_medium_incl_clips_t5xxlfp8.safetensors",
    ),
    "instruct-pix2pix-00-22000.safetensors": (
        "checkpoints",
        f"{_HF}/timbrooks/instruct-pix2pix/resolve/main/instruct-pix2pix-00-22000.safetensors",
    ),
    "control_v11f1p_sd15_depth_fp16.safetensors": (
        "controlnet",
        f"{_HF}/comfyanonymous/ControlNet-v1-1_fp16_safetensors/resolve/main/"
        "control_v11f1p_sd15_depth_fp16.safetensors",
    ),
    "control-lora-depth-rank256.safetensors": (
        "controlnet",
        f"{_HF}/stabilityai/control-lora/resolve/main/control-LoRAs-rank256/control-lora-depth-rank256.safetensors",
    ),
    "flux-depth-controlnet-v3.safetensors": (
        "controlnet",
        f"{_HF}/XLabs-AI/flux-controlnet-depth-v3/resolve/main/flux-depth-controlnet-v3.safetensors",
    ),
    "flux1-dev-kontext_fp8_scaled.safetensors": (
        "diffusion_models",
        f"{_HF}/Comfy-Org/flux1-kontext-dev_ComfyUI/resolve/main/split_files/diffusion_models/"
        "flux1-dev-kontext_fp8_scaled.safetensors",
    ),
    "wan2.1_t2v_1.3B_fp16.safetensors": (
        "diffusion_models",
        f"{_WAN}/diffusion_models/wan2.1_t2v_1.3B_fp16.safetensors",
    ),
    "umt5_xxl_fp8_e4m3fn_scaled.safetensors": (
        "text_encoders",
        f"{_WAN}/text_encoders/umt5_xxl_fp8_e4m3fn_scaled.safetensors",
    ),
    "wan_2.1_vae.safetensors": ("vae", f"{_WAN}/vae/wan_2.1_vae.safetensors"),
    "clip_l.safetensors": (
        "text_encoders",
        f"{_HF}/comfyanonymous/flux_text_encoders/resolve/main/clip_l.safetensors",
    ),
    "t5xxl_fp8_e4m3fn_scaled.safetensors": (
        "text_encoders",
        f"{_HF}/comfyanonymous/flux_text_encoders/resolve/main/t5xxl_fp8_e4m3fn_scaled.safetensors",
    ),
    "ae.safetensors": (
        "vae",
        f"{_HF}/Comfy-Org/Lumina_Image_2.0_Repackaged/resolve/main/split_files/vae/ae.safetensors",
    ),
}
ENDINGS = (".safetensors", ".ckpt", ".pth", ".sft")


def named(node: dict[str, Any]) -> list[str]:
    """Model files that a node's widgets name. ``your_...`` stands for a file of the user's."""
    values = [v for v in node.get("widgets_values") or [] if isinstance(v, str)]
    return [v for v in values if v.endswith(ENDINGS) and not v.startswith("your_")]


def need(node: dict[str, Any]) -> None:
    """Write the files that a loader names into its properties."""
    unknown = [name for name in named(node) if name not in FILES]
    if unknown:
        raise KeyError(f"docs/layout/models.py does not know where {unknown[0]} is")
    found = [{"name": name, "url": FILES[name][1], "directory": FILES[name][0]} for name in named(node)]
    if found:
        node["properties"]["models"] = found
    else:
        node["properties"].pop("models", None)
