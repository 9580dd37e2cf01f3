"""Reaching nodes: one script sent to each, over SSH or here, all at once, within bounds."""

from collectors.reach.blocking import BlockingConnections, run_script_blocking
from collectors.reach.node import LOCALHOST, Limits, NodeSpec
from collectors.reach.result import ErrorWord, Failure, NodeResult, ssh_probe
from collectors.reach.runner import Connections, run_script

__all__ = [
    "LOCALHOST",
    "BlockingConnections",
    "Connections",
    "ErrorWord",
    "Failure",
    "Limits",
    "NodeResult",
    "NodeSpec",
    "run_script",
    "run_script_blocking",
    "ssh_probe",
]
