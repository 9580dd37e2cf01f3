"""``runledger`` and ``python -m runledger``."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line; Ctrl-C while it is still loading ends it as quietly as later."""
    try:
        from runledger.cli import main as run

        return run()
    except KeyboardInterrupt:
        print("runledger: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
