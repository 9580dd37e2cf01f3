"""Opening what a command works on, from its options."""

from __future__ import annotations

import argparse

from runledger.api.facade import Runledger, open


def opened(arguments: argparse.Namespace, *, create: bool) -> Runledger:
    """The ledger a command names; ``create`` for those that write: others change no byte."""
    return open(arguments.ledger, config=arguments.config, create=create, readonly=not create)
