"""Ledgers of released versions, each made by the release itself and kept for ever."""
