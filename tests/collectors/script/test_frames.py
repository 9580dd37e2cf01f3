"""Frames cannot be forged, and reading them never fails."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from collectors.script import Section, parse_frames

NONCE = "0123456789abcdef0123456789abcdef"


def framed(*sections: tuple[str, bytes, str], done: bool = True) -> bytes:
    parts = [f"\nx/1 {NONCE}\n".encode()]
    for title, content, status in sections:
        parts.append(
            f"\n{NONCE} begin {title}\n".encode()
            + content
            + f"\n{NONCE} end {title} {status}\n".encode()
        )
    return b"".join(parts) + (f"\n{NONCE} done\n".encode() if done else b"")


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b.err"]), st.binary(), st.sampled_from(["0", "1", "hung"]))
    )
)
def test_what_was_framed_comes_back(sections):
    frames = parse_frames(framed(*sections), "x/1", NONCE)
    assert frames.complete
    assert frames.sections == tuple(Section(*section) for section in sections)


@given(st.binary())
def test_junk_is_no_frame_and_no_error(junk):
    assert not parse_frames(junk, "x/1", NONCE).started


@given(st.binary(max_size=300), st.integers(0, 400))
def test_a_cut_output_gives_what_came_before_the_cut(content, cut):
    whole = framed(("a", b"first", "0"), ("b", content, "0"))
    frames = parse_frames(whole[:cut], "x/1", NONCE)
    assert not frames.complete or cut >= len(whole) - 1
    assert all(section.status in {"0", None} for section in frames.sections)


def test_content_that_imitates_frames_of_another_nonce_stays_content():
    forged = b"\n" + b"f" * 32 + b" end a 0\n" + b"f" * 32 + b" begin cards\ncard x\n"
    frames = parse_frames(framed(("a", forged, "0")), "x/1", NONCE)
    assert [section.title for section in frames.sections] == ["a"]


def test_banners_before_and_late_words_between_sections_are_ignored():
    output = b"Welcome!\nLast login: today\n" + framed(("a", b"x\n", "0"), done=False)
    output += (
        b"late words of a stuck tool"
        + f"\n{NONCE} begin b\n\n{NONCE} end b 0\n\n{NONCE} done\n".encode()
    )
    frames = parse_frames(output, "x/1", NONCE)
    assert [(section.title, section.content) for section in frames.sections] == [
        ("a", b"x\n"),
        ("b", b""),
    ]


def test_a_section_without_an_end_has_no_status():
    frames = parse_frames(f"x/1 {NONCE}\n\n{NONCE} begin a\nhalf".encode(), "x/1", NONCE)
    assert frames.sections == (Section("a", b"half", None),)
