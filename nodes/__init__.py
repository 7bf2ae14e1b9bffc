"""Everything that ComfyUI sees. Node ids, inputs and outputs never change meaning; new inputs go to the end."""

from . import (
    attention_nodes,
    background_nodes,
    control_nodes,
    diffusers_nodes,
    exemplar_nodes,
    illusion_hybrid_nodes,
    illusion_nodes,
    illusion_output_nodes,
    mesh_bake_nodes,
    mesh_file_nodes,
    mesh_nodes,
    orbit_nodes,
    panorama_file_nodes,
    panorama_nodes,
    plane_nodes,
    prompt_nodes,
    rig_nodes,
    sampling_nodes,
    space_nodes,
    splat_file_nodes,
    splat_nodes,
    splat_view_nodes,
    view_image_nodes,
    viewer_nodes,
)
from .inputs import with_checked_inputs

_TOPICS = (
    space_nodes,
    rig_nodes,
    background_nodes,
    sampling_nodes,
    plane_nodes,
    panorama_nodes,
    panorama_file_nodes,
    viewer_nodes,
    illusion_nodes,
    illusion_hybrid_nodes,
    illusion_output_nodes,
    exemplar_nodes,
    diffusers_nodes,
    prompt_nodes,
    control_nodes,
    view_image_nodes,
    attention_nodes,
    splat_file_nodes,
    splat_nodes,
    splat_view_nodes,
    mesh_file_nodes,
    mesh_nodes,
    orbit_nodes,
    mesh_bake_nodes,
)

NODE_CLASS_MAPPINGS = {
    node_id: with_checked_inputs(node_id, node) for topic in _TOPICS for node_id, node in topic.NODES.items()
}
NODE_DISPLAY_NAME_MAPPINGS = {node_id: name for topic in _TOPICS for node_id, name in topic.NAMES.items()}

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]
