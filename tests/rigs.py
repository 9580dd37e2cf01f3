"""Rigs that are folders: fake ``sys``, ``proc``, ``dev`` and tools that behave like the real ones.

A `Rig` builds a machine below a folder: amdgpu cards in sysfs, KFD, a boot
id, a journal or a kernel ring, a ramdisk, and a ``bin`` folder that is the
*whole* PATH: the few real programs that the scripts use, and fakes. Nothing of
the real machine shows through.

    with Rig(tmp_path / "rig-6600", gpus=12).dead(10).stuck(4) as rig:
        output = rig.run(probe_script(request))
        assert rig.smu_reads <= 12

Every card's ``gpu_busy_percent`` is a FIFO served by this process, which counts
each time that *anyone* opens it for reading: that is the fake SMU. With
``count_smu=False`` it is a plain file (many rigs at once, no threads).
A stuck card's FIFO has no writer, so that reading it blocks for ever.

To reach a rig over SSH, start sshd with ``SetEnv`` of `env()`: ``RUNLEDGER_ROOT``
moves the scripts' root, PATH gives them the rig's tools.

Cards are named by their index in PCI order. ``rig.pci(3)`` is an address. Methods
that change the rig return it, so that they can be chained.
"""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType

from tests.fake_journal import JOURNALCTL, entries
from tests.fake_smu import CountingFifo

MIB = 1024 * 1024
BOOT_ID = "5b2d8f4e-0c1a-4d7e-9a53-1f6e2c7b9d10"
PREVIOUS_BOOT_ID = "c0ffee00-1111-4222-8333-444455556666"
HEALTHY_CONFIG = bytes.fromhex("0210ff73") + bytes(60)
DEAD_CONFIG = b"\xff" * 64
KERNEL_START = "Linux version 6.8.0-51-generic (buildd@lcy02-amd64-075)"

_PROGRAMS = [
    "sh", "bash", "dash", "busybox", "cat", "cp", "rm", "head", "od", "stat", "df", "mktemp",
    "sleep", "timeout", "grep", "sort", "awk", "sha256sum", "dd", "env", "ln", "ls", "touch",
    "setsid", "mkdir", "mv", "wc",
]  # fmt: skip


class Rig:
    """One machine below ``folder``, with ``gpus`` healthy RX 6600."""

    def __init__(
        self,
        folder: Path,
        gpus: int = 12,
        *,
        boot_id: str = BOOT_ID,
        uptime_s: float = 86_400.5,
        count_smu: bool = True,
        shell: str = "sh",
    ) -> None:
        self.folder = folder
        self.root = folder / "root"
        self.bin = folder / "bin"
        self.home = folder / "home"
        self.tmp = folder / "tmp"
        self.shell = shell
        self.count_smu = count_smu
        self._servers: dict[int, CountingFifo] = {}
        self._errors: dict[str, str] = {}
        for path in (
            self.bin,
            self.home,
            self.tmp,
            self.root / "dev/shm",
            self.root / "sys/class/drm",
        ):
            path.mkdir(parents=True)
        for program in _PROGRAMS:
            if found := shutil.which(program):
                (self.bin / program).symlink_to(found)
        self.write("proc/uptime", f"{uptime_s:.2f} 12345.67\n")
        self.write("proc/sys/kernel/hostname", folder.name + "\n")
        self.reboot(boot_id)
        for index in range(gpus):
            self._add_card(index)
        self.journal([KERNEL_START])

    def write(self, path: str, content: str | bytes) -> Rig:
        """A file below the rig's root, its folders made."""
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_fifo() or target.is_symlink():
            target.unlink()
        target.write_bytes(content.encode() if isinstance(content, str) else content)
        return self

    def reboot(self, boot_id: str, *, lose_ramdisk: bool = False) -> Rig:
        """Another boot id; with ``lose_ramdisk`` /dev/shm is empty afterwards."""
        self.boot_id = boot_id
        if lose_ramdisk:
            shutil.rmtree(self.root / "dev/shm")
            (self.root / "dev/shm").mkdir()
        return self.write("proc/sys/kernel/random/boot_id", boot_id + "\n")

    def pci(self, index: int) -> str:
        """The address of a card; card 10 is at 0000:22:00.0."""
        return f"0000:{0x04 + index * 3:02x}:00.0"

    def card_dir(self, index: int) -> Path:
        """The card's PCI device folder. DRM numbers cards in another order than PCI, and from 1."""
        return self.root / "sys/devices/pci0000:00" / self.pci(index)

    def drm_name(self, index: int) -> str:
        """``cardN`` of a card: reversed, so that nothing can take N for the index."""
        return f"card{30 - index}"

    def dead(self, *indices: int) -> Rig:
        """Off the bus: config reads ff, the SMU answers EIO."""
        for index in indices:
            (self.card_dir(index) / "config").write_bytes(DEAD_CONFIG)
            self.smu_error(index, "Input/output error")
        return self

    def stuck(self, *indices: int) -> Rig:
        """The SMU never answers: a read of it blocks for ever."""
        for index in indices:
            self._stop(index)
            os.mkfifo(self.card_dir(index) / "gpu_busy_percent")
        return self

    def blocked(self, index: int, file: str) -> Rig:
        """A file that needs no SMU blocks for ever all the same, as below a driver in trouble."""
        (self.card_dir(index) / file).unlink()
        os.mkfifo(self.card_dir(index) / file)
        return self

    def smu_error(self, index: int, words: str) -> Rig:
        """A read through the SMU fails with these words, such as ``Timer expired``."""
        self._stop(index)
        (self.card_dir(index) / "gpu_busy_percent").write_text("")
        self._errors[self.drm_name(index)] = words
        log = shlex.quote(str(self.folder / "smu.log"))
        cases = "\n".join(
            f'*/{name}/device/gpu_busy_percent) echo "$1" >>{log}; '
            f'echo "cat: $1: {text}" >&2; code=1;;'
            for name, text in self._errors.items()
        )
        real = shutil.which("cat")
        return self.tool(
            "cat",
            f'[ $# -gt 0 ] || exec {real}\ncode=0\n[ "$1" != -- ] || shift\n'
            f'while [ $# -gt 0 ]; do case $1 in\n{cases}\n*) {real} "$1" || code=1;; '
            "esac; shift; done\nexit $code",
        )

    def smu_read_error(self, index: int) -> Rig:
        """A read through the SMU really fails with EIO."""
        self._stop(index)
        (self.card_dir(index) / "gpu_busy_percent").symlink_to("/proc/self/mem")
        return self

    def gone(self, index: int) -> Rig:
        """The card's folder has disappeared from sysfs."""
        self._stop(index)
        (self.root / "sys/class/drm" / self.drm_name(index)).unlink()
        (self.root / "sys/bus/pci/devices" / self.pci(index)).unlink()
        shutil.rmtree(self.card_dir(index))
        return self

    def undriven(self, index: int) -> Rig:
        """The driver gave the card up at boot: on the bus, but nothing in /sys/class/drm."""
        self._stop(index)
        (self.root / "sys/class/drm" / self.drm_name(index)).unlink()
        (self.card_dir(index) / "driver").unlink()
        return self

    def behind(self, index: int, *bridges: str) -> Rig:
        """The card is reached by these PCI bridges, the one nearest to the processor first."""
        way = Path("sys/devices/pci0000:00")
        for bridge in bridges:
            way /= bridge
            self.write(str(way / "class"), "0x060400\n")
            on_bus = self.root / "sys/bus/pci/devices" / bridge
            if not on_bus.exists():
                on_bus.symlink_to(self.root / way)
        self._stop(index)
        moved = self.root / way / self.pci(index)
        self.card_dir(index).rename(moved)
        self.card_dir(index).symlink_to(moved)
        for link in (
            self.root / "sys/bus/pci/devices" / self.pci(index),
            moved / "drm" / self.drm_name(index) / "device",
        ):
            link.unlink()
            link.symlink_to(moved)
        (moved / "gpu_busy_percent").write_text("0\n")
        return self

    def set(self, index: int, file: str, content: str | bytes) -> Rig:
        """A file of a card, such as ``mem_info_vram_used``."""
        return self.write(str((self.card_dir(index) / file).relative_to(self.root)), content)

    def bmc(self) -> Rig:
        """card0 is the VGA of a management controller, and card1 has connectors."""
        device = self.root / "sys/devices/pci0000:00/0000:02:00.0"
        device.mkdir(parents=True)
        (device / "uevent").write_text(
            "DRIVER=ast\nPCI_CLASS=30000\nPCI_ID=1A03:2000\nPCI_SLOT_NAME=0000:02:00.0\n"
        )
        (device / "config").write_bytes(DEAD_CONFIG)
        drm = self.root / "sys/class/drm"
        for name in ("card0", "card0-VGA-1", "card30-DP-1", "card30-HDMI-A-1"):
            (drm / name).mkdir()
        (drm / "card0/device").symlink_to(device)
        return self

    def kfd(self, pid: int, index: int, mib: int, state: str | None = "S") -> Rig:
        """A compute process with memory on a card; ``state`` as in /proc, None where it is gone."""
        self.write(f"sys/class/kfd/kfd/proc/{pid}/vram_{self._gpu_id(index)}", f"{mib * MIB}\n")
        if state is not None:
            # A name may hold anything, even what looks like the field after it.
            self.write(f"proc/{pid}/stat", f"{pid} (python) Z (x) {state} 1 {pid} {pid} 0 -1\n")
        return self

    def journal(self, lines: Iterable[str], previous: Iterable[str] | None = None) -> Rig:
        """A journal with kernel lines of this boot, and of the one before where given."""
        (self.folder / "journal.0").write_text(entries(lines, self.boot_id))
        if previous is not None:
            (self.folder / "journal.1").write_text(entries(previous, PREVIOUS_BOOT_ID))
        return self.tool("journalctl", JOURNALCTL.replace("FOLDER", shlex.quote(str(self.folder))))

    def no_journal(self) -> Rig:
        """A machine without journalctl."""
        (self.bin / "journalctl").unlink()
        return self

    def journal_forbidden(self) -> Rig:
        """journalctl is there, succeeds, and shows nothing for want of permission."""
        return self.tool(
            "journalctl",
            "echo 'Hint: You are currently not seeing messages from other users and the system.'"
            " >&2",
        )

    def kmsg(self, lines: Iterable[str]) -> Rig:
        """Records in /dev/kmsg."""
        records = (
            f"4,{100 + at},{at * 1_000_000},-;{line}\n SUBSYSTEM=pci\n"
            for at, line in enumerate(lines, 1)
        )
        return self.write("dev/kmsg", "".join(records))

    def dmesg(self, lines: Iterable[str]) -> Rig:
        """A dmesg that may be read; the lines are one second apart."""
        text = "".join(
            f"kern  :warn  : [{at:5d}.000000] {line}\n" for at, line in enumerate(lines, 1)
        )
        (self.folder / "dmesg").write_text(text)
        return self.tool("dmesg", f"exec cat {shlex.quote(str(self.folder / 'dmesg'))}")

    def dmesg_forbidden(self) -> Rig:
        """kernel.dmesg_restrict is set."""
        return self.tool(
            "dmesg", "echo 'dmesg: read kernel buffer failed: Operation not permitted' >&2; exit 1"
        )

    def tool(self, name: str, script: str) -> Rig:
        """An executable of this name on the rig, a shell script."""
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return self

    def printing_tool(
        self, name: str, output: str, *, exit_code: int = 0, to_stderr: str = ""
    ) -> Rig:
        """A tool that prints this text, whatever it is asked; its calls are in `calls`."""
        (self.folder / f"{name}.out").write_text(output)
        (self.folder / f"{name}.err").write_text(to_stderr)
        base = shlex.quote(str(self.folder / name))
        return self.tool(
            name, f'echo "$*" >>{base}.calls\ncat {base}.out\ncat {base}.err >&2\nexit {exit_code}'
        )

    def calls(self, name: str) -> list[str]:
        """The arguments of each call of a `printing_tool`."""
        path = self.folder / f"{name}.calls"
        return path.read_text().splitlines() if path.exists() else []

    def slow_tool(self, name: str, seconds: float) -> Rig:
        """A tool that says nothing for this long."""
        return self.tool(name, f"sleep {seconds}")

    def stubborn_tool(self, name: str) -> Rig:
        """A tool that ignores every signal but KILL, and never ends by itself."""
        return self.tool(name, "trap '' TERM HUP INT\nwhile :; do sleep 1; done")

    def unkillable_tool(self, name: str, seconds: float = 8) -> Rig:
        """As in state D: no kill reaches the tool, and ``timeout`` waits for it in vain.

        A process that really cannot be killed takes a broken driver; here ``timeout``
        starts the tool in a session of its own and does nothing more.
        """
        self.tool("timeout", f'shift 3\ncase $1 in {name}) exec setsid "$@";; esac\nexec "$@"')
        return self.slow_tool(name, seconds)

    def endless_tool(self, name: str) -> Rig:
        """A tool that prints for ever."""
        return self.tool(name, "while :; do echo 'WARNING: 0123456789abcdef0123456789abcdef'; done")

    def no_timeout(self) -> Rig:
        """A machine without coreutils' timeout."""
        (self.bin / "timeout").unlink()
        return self

    def env(self) -> dict[str, str]:
        """The whole environment for a session on this rig."""
        return {
            "RUNLEDGER_ROOT": str(self.root),
            "PATH": str(self.bin),
            "HOME": str(self.home),
            "TMPDIR": str(self.tmp),
        }

    def run(
        self, script: bytes, *, timeout_s: float = 60, env: Mapping[str, str] | None = None
    ) -> bytes:
        """What the rig sends back for this input to ``sh -s``."""
        done = subprocess.run(
            [*shlex.split(self.shell), "-s"],
            input=script,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**self.env(), **(env or {})},
            cwd=self.home,
            timeout=timeout_s,
            check=False,
        )
        return done.stdout

    @property
    def smu_reads(self) -> int:
        """How many reads the SMUs of this rig have seen."""
        log = self.folder / "smu.log"
        logged = len(log.read_text().splitlines()) if log.exists() else 0
        return logged + sum(server.reads for server in self._servers.values())

    @property
    def leftovers(self) -> list[str]:
        """What scripts have left in the rig's folder for temporary files."""
        return sorted(path.name for path in self.tmp.iterdir())

    def close(self) -> None:
        """Stops the fake SMUs."""
        for server in self._servers.values():
            server.close()

    def __enter__(self) -> Rig:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _gpu_id(self, index: int) -> int:
        return 40_000 + index

    def _add_card(self, index: int) -> None:
        device, pci = self.card_dir(index), self.pci(index)
        (device / "power").mkdir(parents=True)
        files = {
            "uevent": f"DRIVER=amdgpu\nPCI_CLASS=30000\nPCI_ID=1002:73FF\nPCI_SUBSYS_ID=1DA2:E447\n"
            f"PCI_SLOT_NAME={pci}\nMODALIAS=pci:v00001002d000073FFsv00001DA2sd0000E447bc03sc00i00\n",
            "vendor": "0x1002\n",
            "device": "0x73ff\n",
            "class": "0x030000\n",
            "mem_info_vram_total": f"{8176 * MIB}\n",
            "mem_info_vram_used": f"{17 * MIB}\n",
            "power_dpm_force_performance_level": "auto\n",
        }
        for file, content in files.items():
            (device / file).write_text(content)
        (device / "config").write_bytes(HEALTHY_CONFIG)
        driver = self.root / "sys/bus/pci/drivers/amdgpu"
        driver.mkdir(parents=True, exist_ok=True)
        (device / "driver").symlink_to(driver)
        on_bus = self.root / "sys/bus/pci/devices" / pci
        on_bus.parent.mkdir(parents=True, exist_ok=True)
        on_bus.symlink_to(device)
        drm = self.root / "sys/class/drm" / self.drm_name(index)
        (device / "drm" / drm.name).mkdir(parents=True)
        (device / "drm" / drm.name / "device").symlink_to(device)
        drm.symlink_to(device / "drm" / drm.name)
        bus = int(pci[5:7], 16)
        self.write(
            f"sys/class/kfd/kfd/topology/nodes/{index + 1}/properties",
            f"cpu_cores_count 0\nsimd_count 56\nvendor_id 4098\ndevice_id 29695\n"
            f"location_id {bus << 8}\ndomain 0\n",
        )
        self.write(
            f"sys/class/kfd/kfd/topology/nodes/{index + 1}/gpu_id", f"{self._gpu_id(index)}\n"
        )
        self.write("sys/class/kfd/kfd/topology/nodes/0/gpu_id", "0\n")
        busy = device / "gpu_busy_percent"
        if self.count_smu:
            self._servers[index] = CountingFifo(busy, b"0\n")
        else:
            busy.write_text("0\n")

    def _stop(self, index: int) -> None:
        if index in self._servers:
            self._servers.pop(index).close()
        (self.card_dir(index) / "gpu_busy_percent").unlink(missing_ok=True)
