"""Titles and descriptions of workflows, kept in the files for hosts that show them."""

from __future__ import annotations

from typing import Any

TITLES = {
    "0_start_here": "Start here: words to a 360 panorama",
    "controlnet_lora_views": "LoRA, ControlNet and a prompt for each view",
    "flux_panorama_depth": "Flux: a panorama over a depth map",
    "flux_wide_image": "Flux: a wide image from words",
    "illusion_custom_warp": "Illusion through a warp of your own",
    "illusion_deepfloyd": "Illusion by DeepFloyd IF",
    "illusion_flip_exemplar": "Illusion: turn the picture over",
    "illusion_hybrid": "Illusion: from near and from afar",
    "illusion_inner_circle": "Illusion: the inner circle turns",
    "illusion_latent_checkpoint": "Illusion from two prompts",
    "illusion_mirror": "Illusion in a cylinder mirror",
    "illusion_planes_jigsaw": "Illusion of planes, rearranged",
    "mesh_edit": "Mesh: change a part of a texture",
    "mesh_exemplar": "Mesh: a texture from a picture of a material",
    "mesh_reference_style": "Mesh: the style of a picture",
    "mesh_refine": "Mesh: a second, finer pass",
    "mesh_restyle": "Mesh: change what a texture is made of",
    "mesh_text_controlnet": "Mesh: a texture from words",
    "method_csd_edit": "Collaborative Score Distillation",
    "method_diffusehigh": "DiffuseHigh",
    "method_factorized": "Factorized Diffusion",
    "method_flowedit": "FlowEdit",
    "method_multidiffusion": "MultiDiffusion",
    "method_spotdiffusion": "SpotDiffusion",
    "method_stochsync": "StochSync",
    "method_syncmvd": "SyncMVD",
    "method_syncsde": "SyncSDE",
    "method_synctweedies_illusion": "SyncTweedies: illusion",
    "method_synctweedies_mesh": "SyncTweedies: mesh",
    "method_synctweedies_panorama": "SyncTweedies: panorama",
    "method_synctweedies_splats": "SyncTweedies: splats",
    "method_synctweedies_wide": "SyncTweedies: wide image",
    "method_visual_anagrams": "Visual Anagrams",
    "panorama_coherent": "Panorama of one scene",
    "panorama_composed": "Panorama: words compose, exemplars paint",
    "panorama_depth_controlnet": "Panorama over a depth map",
    "panorama_edit": "Panorama: change what a mask shows",
    "panorama_exemplar": "Panorama from a picture of a material",
    "panorama_from_picture": "Panorama around a picture",
    "panorama_instruct": "Panorama changed by an instruction",
    "panorama_kontext": "Panorama changed by Flux Kontext",
    "panorama_restyle": "Panorama: change what it is made of",
    "panorama_text": "Panorama from words",
    "panorama_text_stochastic": "Panorama from words, by StochSync",
    "panorama_upscale": "Panorama at twice the size",
    "sdxl_illusion": "SDXL: an illusion from two prompts",
    "sdxl_mesh": "SDXL: a mesh's texture from words",
    "sdxl_panorama": "SDXL: a panorama from words",
    "sdxl_splats": "SDXL: splats recoloured by words",
    "sdxl_wide_image": "SDXL: a wide image from words",
    "splats_exemplar": "Splats in a material",
    "splats_restyle": "Splats: change what they are made of",
    "splats_text_controlnet": "Splats: change a part by words",
    "video_loop": "Video: a loop along another one's motion",
    "video_panorama": "Video: a 360 video along another one's motion",
    "video_restyle": "Video: change what it is made of",
    "wan_long_video": "Wan: a longer video, by clips",
    "wide_image": "Wide image from a picture of a material",
    "wide_image_advanced": "Wide image that tiles, custom sampler",
    "wide_image_checkpoint": "Wide image from words",
    "wide_image_coherent": "Wide image of one scene",
    "wide_image_composed": "Wide image: words compose, exemplars paint",
    "wide_image_deepfloyd": "Wide image by DeepFloyd IF",
    "wide_image_journey": "Wide image: one prompt becomes another",
    "wide_image_ksampler": "Wide image through a plain KSampler",
    "wide_image_prompts": "Wide image with a prompt for each view",
    "wide_image_regions": "Wide image with a painted region",
    "wide_image_syncdiffusion": "SyncDiffusion",
    "wide_image_turning": "Wide image for a fifth of the calls",
}


def entitle(data: dict[str, Any], name: str) -> None:
    """Title and description of a workflow; the latter is the first paragraph of its note."""
    notes = [n for n in data["nodes"] if n["type"] == "MarkdownNote"]
    if name not in TITLES:
        raise KeyError(f"docs/layout/titles.py has no title for {name}")
    if not notes:
        raise ValueError(f"{name} has no note")
    parts = [part for part in str(notes[0]["widgets_values"][0]).split("\n\n") if not part.startswith("#")]
    extra = data.setdefault("extra", {})
    extra["title"], extra["description"] = TITLES[name], " ".join(parts[0].replace("**", "").split())
