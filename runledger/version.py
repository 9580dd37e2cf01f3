"""The version, in the one place that needs no installed package to tell it."""

__version__ = "0.1.0"
