"""What vendors' tools print about cards, one parser a file; pure, and never raising on junk."""

from __future__ import annotations

from collectors.tools.reading import CardReading, ToolReading

__all__ = ["CardReading", "ToolReading"]
