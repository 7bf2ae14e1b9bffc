"""A small model of the pack's own, trained on the pictures of assets/toy_world."""
