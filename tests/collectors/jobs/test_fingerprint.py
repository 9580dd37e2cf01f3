"""The same fault has the same fingerprint on every machine; another fault another one."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.jobs.capture import capture
from collectors.jobs.fingerprint import fingerprint

TRACEBACK = """Traceback (most recent call last):
  File "{folder}/train.py", line {line}, in main
    run(step)
  File "{folder}/lib/kernels.py", line {line}3, in run
    launch()
RuntimeError: HIP error
"""


def of(message: str, folder: str = "/srv/a", line: int = 1, **options: object) -> str:
    text = TRACEBACK.format(folder=folder, line=line)
    return fingerprint("RuntimeError", message, text, **options)  # type: ignore[arg-type]


@given(
    number=st.integers(0, 10**12),
    address=st.integers(0, 2**64),
    line=st.integers(1, 10**6),
    folder=st.lists(st.text(string.ascii_letters + string.digits + "._-", min_size=1), min_size=1),
)
def test_lines_addresses_paths_numbers_and_process_ids_make_no_difference(
    number: int, address: int, line: int, folder: list[str]
) -> None:
    path = "/" + "/".join(folder)
    message = (
        f"HIP error {number} in process {number + 1} at {address:#x}, see {path}/out.log "
        f"and '{path}/my file', {number}.5e-3 s, [{number}, {number}]"
    )
    usual = "HIP error 7 in process 8 at 0x7f, see /tmp/x and '/tmp/y', 1.5 s, [1, 2, 3]"
    assert of(message, path, line) == of(usual)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("shape (3, 4) is wrong", "shape (3, 4, 5) is wrong"),
        ("C:\\Users\\me\\x.txt is gone", "/home/me/x.txt is gone"),
        ("run 2c1f7a9e-3b1d-4c7e-9a53-1f6e2c7b9d10", "run 5b2d8f4e-0c1a-4d7e-9a53-1f6e2c7b9d11"),
        ("lost 192.168.3.120:22", "lost 10.0.0.7:2222"),
        ("\x1b[31mlost\x1b[0m card", "lost   card"),
        ("bad checksum deadbeef01234567", "bad checksum 0123456789abcdef"),
        ("first line\nsecond 1", "first line\nquite another"),
        ("-5 is negative", "5 is negative"),
    ],
)
def test_what_varies_in_a_message_does_not_count(one: str, other: str) -> None:
    assert of(one) == of(other)


@pytest.mark.parametrize(
    ("one", "other"), [("HIP error", "CUDA error"), ("no such key", "no such file"), ("", "x")]
)
def test_other_words_are_another_fault(one: str, other: str) -> None:
    assert of(one) != of(other)


def test_another_exception_function_or_place_is_another_fault() -> None:
    text = TRACEBACK.format(folder="/srv", line=7)
    base = fingerprint("A", "m", text)
    assert base != fingerprint("B", "m", text)
    assert base != fingerprint("A", "m", text.replace("in run", "in walk"))
    assert base != fingerprint("A", "m", text.replace("kernels.py", "memory.py"))
    assert fingerprint("A", "m", place="x") != fingerprint("A", "m", place="y")


def test_the_names_of_node_and_job_are_no_part_of_it() -> None:
    one = of("step3-0007 failed on rig-6600", names=["rig-6600", "step3-0007"])
    assert one == of("last-job failed on zeus", names=["zeus", "last-job"])


def test_how_deep_a_recursion_went_is_no_part_of_it() -> None:
    def down(depth: int) -> None:
        if depth == 0:
            raise ValueError("bottom")
        down(depth - 1)

    def at(depth: int) -> str:
        try:
            down(depth)
        except ValueError as error:
            return capture(error).fingerprint
        raise AssertionError

    assert at(1) == at(2) == at(500)


def test_the_same_program_elsewhere_and_edited_above_has_the_same_one(tmp_path: Path) -> None:
    def run(folder: str, lines_above: int) -> str:
        file = tmp_path / folder / "job.py"
        file.parent.mkdir(parents=True)
        file.write_text(
            "\n" * lines_above + "def work():\n    raise OSError(5, 'gone', __file__)\n"
        )
        space: dict[str, object] = {"__file__": str(file)}
        exec(compile(file.read_text(), str(file), "exec"), space)
        try:
            space["work"]()  # type: ignore[operator]
        except OSError as error:
            return capture(error).fingerprint
        raise AssertionError

    assert run("a", 0) == run("b/c d", 40)


@given(st.text(), st.text(), st.text())
def test_it_is_sixteen_hexadecimal_digits_whatever_the_text(
    exception: str, message: str, traceback: str
) -> None:
    value = fingerprint(exception, message, traceback)
    assert len(value) == 16
    assert set(value) <= set("0123456789abcdef")


def test_it_does_not_change_between_versions_unnoticed() -> None:
    """Stored fingerprints are compared to new ones: a changed recipe needs a new number in it."""
    assert of("HIP error 5 at /x/y") == "63b169e0fea6e213"
