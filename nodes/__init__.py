"""Everything that ComfyUI sees. Node ids, inputs and outputs never change meaning; new inputs go to the end."""

from .illusions import hybrid_nodes as illusion_hybrid_nodes
from .illusions import nodes as illusion_nodes
from .illusions import output_nodes as illusion_output_nodes
from .inputs import with_checked_inputs
from .mesh import bake_nodes as mesh_bake_nodes
from .mesh import file_nodes as mesh_file_nodes
from .mesh import nodes as mesh_nodes
from .models import diffusers_nodes, exemplar_nodes
from .panorama import file_nodes as panorama_file_nodes
from .panorama import nodes as panorama_nodes
from .said import readable
from .sampling import attention as attention_nodes
from .sampling import backgrounds as background_nodes
from .sampling import controlnets as control_nodes
from .sampling import sampler as sampling_nodes
from .splats import file_nodes as splat_file_nodes
from .splats import nodes as splat_nodes
from .splats import view_nodes as splat_view_nodes
from .viewers import nodes as viewer_nodes
from .views import orbit_nodes, prompt_nodes
from .views import picture_nodes as view_image_nodes
from .views import report as rig_nodes
from .views import spaces as space_nodes
from .views import stitch_nodes as plane_nodes

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
    node_id: with_checked_inputs(node_id, readable(node)) for topic in _TOPICS for node_id, node in topic.NODES.items()
}
NODE_DISPLAY_NAME_MAPPINGS = {node_id: name for topic in _TOPICS for node_id, name in topic.NAMES.items()}

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]
