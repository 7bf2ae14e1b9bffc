"""Attention that views share: its formula, and positions moved after the fact."""
