"""The shape of what is printed."""

Said = list[tuple[float, str]]
"""Seconds after the hit, and text without any stamp."""
