"""Recorded decisions made again: as they were, or under a change."""
