"""Reaching nodes from code without an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Self

from collectors.reach.node import Limits, NodeSpec
from collectors.reach.result import NodeResult
from collectors.reach.runner import Connections, OnResult, ScriptFor, run_script


def run_script_blocking(
    nodes: Iterable[NodeSpec],
    script_for: ScriptFor,
    *,
    limits: Limits | None = None,
    on_result: OnResult | None = None,
) -> list[NodeResult]:
    """`run_script` for code without an event loop, in any thread, a notebook's too."""

    def run() -> list[NodeResult]:
        return asyncio.run(run_script(nodes, script_for, limits=limits, on_result=on_result))

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return run()
    return _in_thread(run)


class BlockingConnections:
    """`Connections` for code without an event loop; used by one thread, for ``with``.

    Between runs nothing is read from the connections, and one that died
    meanwhile is opened again by the next run.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits
        self._runner = asyncio.Runner()
        self._connections: Connections | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        connections, self._connections = self._connections, None
        try:
            if connections is not None:
                self._runner.run(connections.close())
        finally:
            self._runner.close()

    def run_script(
        self,
        nodes: Iterable[NodeSpec],
        script_for: ScriptFor,
        *,
        on_result: OnResult | None = None,
    ) -> list[NodeResult]:
        """As `Connections.run_script`."""
        return self._runner.run(self._run(list(nodes), script_for, on_result))

    async def _run(
        self, nodes: Sequence[NodeSpec], script_for: ScriptFor, on_result: OnResult | None
    ) -> list[NodeResult]:
        if self._connections is None:
            self._connections = Connections(self._limits)
        return await self._connections.run_script(nodes, script_for, on_result=on_result)


def _in_thread(run: Callable[[], list[NodeResult]]) -> list[NodeResult]:
    results: list[NodeResult] = []
    problems: list[BaseException] = []

    def work() -> None:
        try:
            results.extend(run())
        except BaseException as error:  # handed to the caller's thread
            problems.append(error)

    thread = threading.Thread(target=work, name="runledger-reach", daemon=True)
    thread.start()
    thread.join()
    if problems:
        raise problems[0]
    return results
