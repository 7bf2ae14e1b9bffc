"""Edits: two pairs of prompts, and what stands in for the model."""
