"""Scripts that run on a rig: how they are composed, and how their framed output is read."""

from __future__ import annotations

from collectors.script.compose import InvalidScriptInput, compose, new_nonce
from collectors.script.frames import Frames, Section, parse_frames

__all__ = [
    "Frames",
    "InvalidScriptInput",
    "Section",
    "compose",
    "new_nonce",
    "parse_frames",
]
