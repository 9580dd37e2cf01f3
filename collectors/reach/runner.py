"""Run a script on all nodes at once; every node gets a result, whatever happens to it.

`run_script` opens and closes its connections. A caller that lives longer
keeps them open with `Connections`: reaching a node again then costs one round
trip. `collectors.reach.blocking` has both for code without an event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

from collectors.reach.connect import Linker
from collectors.reach.failures import Attempt, Unusable, explain
from collectors.reach.local import run_local
from collectors.reach.node import Limits, NodeSpec
from collectors.reach.result import Failure, NodeResult
from collectors.reach.session import Link, run_on_link

ScriptFor = Callable[[NodeSpec], bytes]
"""The script for a node. Where it raises, that node's result says so; the others run."""
OnResult = Callable[[NodeResult], None]
"""Told of each result as it comes, in the event loop's thread: for progress."""

_GOODBYE_S = 1.0


class Connections:
    """SSH connections that stay open between runs, for ``async with``.

    A connection found dead is opened again, once a run. Runs may overlap; on
    one node they take turns.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._linker = Linker(self._limits)
        self._links: dict[NodeSpec, Link] = {}
        self._turns: dict[NodeSpec, asyncio.Lock] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection, waiting a second at most."""
        links, self._links = list(self._links.values()), {}
        for link in links:
            link.close()
        if links:
            goodbyes = [asyncio.ensure_future(link.wait_closed()) for link in links]
            _, late = await asyncio.wait(goodbyes, timeout=_GOODBYE_S)
            for goodbye in late:
                goodbye.cancel()
        await self._linker.close()

    async def run_script(
        self,
        nodes: Iterable[NodeSpec],
        script_for: ScriptFor,
        *,
        on_result: OnResult | None = None,
        keep_open: bool = True,
    ) -> list[NodeResult]:
        """Run a script on every node; results in the order of ``nodes``.

        Returns within ``limits.total_s`` (and a second). Never raises for a
        node's sake; being cancelled stops what runs and leaves no child.
        """
        wanted = list(nodes)
        places = asyncio.Semaphore(self._limits.concurrency)
        tasks = [
            asyncio.create_task(self._run_in_turn(node, script_for, places, on_result, keep_open))
            for node in wanted
        ]
        if not tasks:
            return []
        try:
            _, late = await asyncio.wait(tasks, timeout=self._limits.total_s)
        except asyncio.CancelledError:
            await _stop(tasks)
            raise
        await _stop(late)
        return [
            self._out_of_time(node, on_result) if task.cancelled() else task.result()
            for node, task in zip(wanted, tasks, strict=True)
        ]

    async def _run_in_turn(
        self,
        node: NodeSpec,
        script_for: ScriptFor,
        places: asyncio.Semaphore,
        on_result: OnResult | None,
        keep_open: bool,
    ) -> NodeResult:
        turn = self._turns.setdefault(node, asyncio.Lock())
        async with turn, places:
            try:
                result = await self._run(node, script_for, keep_open)
            except Unusable as error:
                result = NodeResult(node=node, reachable=False, failure=error.failure)
            except Exception as error:  # one node's trouble must not cost the others theirs
                result = NodeResult(
                    node=node,
                    reachable=False,
                    failure=explain(error, Attempt(node.address, stage="preparing")),
                )
        if on_result is not None:
            on_result(result)
        return result

    async def _run(self, node: NodeSpec, script_for: ScriptFor, keep_open: bool) -> NodeResult:
        script = script_for(node)
        if node.is_local:
            return await run_local(node, script, self._limits)
        deadline = asyncio.get_running_loop().time() + self._limits.connect_s
        link = self._links.pop(node, None)
        if link is not None and link.is_open:
            try:
                # A connection lost in silence shows only by not answering. Half the
                # time goes to finding out, half to connecting again.
                result = await run_on_link(
                    node, link, script, self._limits, open_s=self._limits.connect_s / 2
                )
            except Unusable:
                pass
            else:
                self._keep(node, link, keep_open)
                return result
        link, connected_in_s = await self._linker.open(node)
        left = deadline - asyncio.get_running_loop().time()
        result = await run_on_link(
            node,
            link,
            script,
            self._limits,
            open_s=max(left, self._limits.connect_s / 4),
            connected_in_s=connected_in_s,
        )
        self._keep(node, link, keep_open)
        return result

    def _keep(self, node: NodeSpec, link: Link, keep_open: bool) -> None:
        if not link.is_open:
            return
        if keep_open:
            self._links[node] = link
        else:
            link.close()

    def _out_of_time(self, node: NodeSpec, on_result: OnResult | None) -> NodeResult:
        result = NodeResult(
            node=node,
            reachable=False,
            failure=Failure(
                "timeout",
                f"not done when the {self._limits.total_s:g} s for all nodes were over",
                "allow more time in total, or see which nodes hang",
            ),
        )
        if on_result is not None:
            on_result(result)
        return result


async def run_script(
    nodes: Iterable[NodeSpec],
    script_for: ScriptFor,
    *,
    limits: Limits | None = None,
    on_result: OnResult | None = None,
) -> list[NodeResult]:
    """Run a script on every node, all at once: one session and one round trip each.

    Results come in the order of ``nodes``; a failure is a value. See
    `Connections.run_script` for the promises.
    """
    async with Connections(limits) as connections:
        return await connections.run_script(nodes, script_for, on_result=on_result, keep_open=False)


async def _stop(tasks: Iterable[asyncio.Task[NodeResult]]) -> None:
    """Cancel and see the end of each: their own clean-up is bounded."""
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
