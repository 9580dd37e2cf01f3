"""Opening what a command works on, from its options."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runledger.api.facade import Runledger
    from runledger.config.settings import Settings


def settings_of(arguments: argparse.Namespace) -> Settings:
    """The settings a command goes by; says in text which file, where it is in another folder."""
    from runledger.config.settings import load_settings
    from runledger.terminal.output import talk

    settings = load_settings(ledger=arguments.ledger, config=arguments.config)
    path = settings.config_path
    elsewhere = path is not None and path.parent.absolute() != Path.cwd()
    if elsewhere and not arguments.config and not arguments.json:
        talk(f"note: by {path}")
    return settings


def opened(
    arguments: argparse.Namespace,
    *,
    write: bool = False,
    create: bool | None = False,
    settings: Settings | None = None,
) -> Runledger:
    """The ledger a command names; one that only looks changes no byte.

    ``write`` is for those that store something, ``create`` for those that make a
    missing ledger (None: by what they store first): no command that judges does.
    """
    from runledger.api.facade import open_with

    settings = settings_of(arguments) if settings is None else settings
    return open_with(settings, create=create, readonly=not (write or create))
