"""The pack's blueprints, made of its workflows: ``blueprint.py`` cuts one out of a workflow, the others say which."""
