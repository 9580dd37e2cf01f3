"""Secrets never get into the ledger, and text without any stays as it is."""

from __future__ import annotations

import time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ledger.text.secrets import environment_secrets, redact, redact_value, redact_words
from tests.ledger.text.secret_forms import AROUND, NO_SECRETS, SECRET, TOKENS

# Put together here, so that no scanner takes this file for a leak.
S = "s3cr3tV4lue"
PEM = "-----{} OPENSSH PRIVATE KEY-----"


@pytest.mark.parametrize(
    "text",
    [
        f"password={S}",
        f"password: {S}",
        f"PASSWORD = '{S}'",
        f"{{'db_password': '{S} and more {S}', 'port': 5432}}",
        f'{{"api_key": "{S}", "n": 3}}',
        f'{{"api_key":"{S}","n":3}}',
        f'"{{\\"password\\": \\"{S}\\"}}"',
        f"connect(host='h', password=b'{S}', port=1)",
        f"token={S}&x=1",
        f"https://h/path?access_token={S}&page=2",
        f"https://h/path?X-Amz-Signature={S}",
        f"passphrase: {S}",
        f'client_secret="{S}',
        f"export HF_TOKEN={S}",
        f"AWS_SECRET_ACCESS_KEY={S}/x+y=",
        f"PGPASSWORD={S} psql -h db",
        f"MYSQL_PWD={S}",
        f"DB_PASS={S}",
        f"DB_PASSWORD=p,{S}(x)&{S}",
        f"Server=db;Uid=sa;Pwd={S};",
        f"private_key: {S}",
        f"X-Api-Key: {S}",
        f"Authorization: Bearer {S}.x-y_z",
        f"authorization: {S}",
        f"{{'Authorization': 'Basic {S}=='}}",
        f'Authorization: Digest username="me", response="{S}"',
        f"curl -H 'Authorization: token {S}' https://h",
        f"got Bearer {S}{S}",
        "got Bearer " + S.replace("3", "e").replace("4", "a") * 2,
        f"{{'bearer': '{S}'}}",
        f"password => '{S}'",
        f"<db:password>{S}</db:password>",
        f'os.environ["API_TOKEN"] = "{S}"',
        f"https://h/?next=%2F&token%3D{S}",
        f"AZURE_STORAGE_KEY={S}",
        f"credentials = ('me', '{S}')",
        f"http_proxy=me:{S}@proxy:3128",
        f"mysqldump -u root -p{S} study",
        f"redis-cli -h cache -a {S} ping",
        f"X-Amz-Signature={S}",
        f"Cookie: session={S}; theme=dark",
        f"Set-Cookie: id={S}; HttpOnly",
        f"Cookie: theme=dark; session={S}",
        f"cookie={S}",
        f"wget --cookie {S} https://h",
        f"{{'session_cookie': '{S}'}}",
        f"sessionid={S}",
        f"postgresql://user:{S}@db:5432/x",
        f"postgresql+psycopg://user:p@{S}/w@db/x",
        f"redis://:{S}@cache",
        f"https://{S}@github.com/me/it.git",
        f"requests.get(u, auth=('me', '{S}'))",
        f"train.py --password {S} --epochs 3",
        f"train.py --api-key={S}",
        f"['train.py', '--token', '{S}', '--epochs', '3']",
        f"train.py --token '{S} {S}'",
        f"sshpass -p {S} ssh host",
        f"['sshpass', '-p', '{S}']",
        f"curl -u me:{S} https://h",
        f"machine h login me password {S}",
        f"AccountName=x;AccountKey={S}==;",
        "AKIA" + "ABCDEFGH12345678",
        "ghp_" + S * 3,
        "github_pat_" + S * 3,
        "hf_" + S * 3,
        "sk-" + S * 3,
        "sk-proj-" + S * 3,
        "sk-ant-api03-" + S * 3,
        "glpat-" + S * 2,
        "xoxb-" + "1234567890-" + S,
        "AIza" + S * 4,
        "eyJhbGciOiJI." + "eyJzdWIiOiIx." + S,
        f"{PEM.format('BEGIN')}\n{S}\n{S}\n{PEM.format('END')}",
        f"{PEM.format('BEGIN')}\n{S}",
        f"{S}\n{S}\n{PEM.format('END')}",
        f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{S}\n-----END PGP PRIVATE KEY BLOCK-----",
    ],
)
def test_a_secret_is_taken_out(text: str) -> None:
    shown = redact(f"before {text} after" if "://" not in text and "\n" not in text else text)
    assert S not in shown
    assert "<redacted>" in shown


@pytest.mark.parametrize(
    "text",
    [
        "KeyError: 'token'",
        "RuntimeError: HIP error: invalid device function",
        "Can't load tokenizer for 'gpt2', tokenizer=GPT2Tokenizer",
        "max_tokens=4096, prompt_tokens: 12",
        "PWD=/home/me OLDPWD=/",
        "key = cache.get(name)",
        "see https://host:8080/path?page=2#top",
        "git@github.com:me/it.git",
        "basic information about the bearer",
        "pulling ghcr.io/me/image:latest@sha256:abc0123",
        "cookiecutter: no template",
        "make -C mysql -j4 PRIMARY=1, sort by key=name, KEY=VALUE",
        "Bearer authentication failed for me@host",
        'File "/srv/secrets/train.py", line 3, in author',
        "3 passed, 2 failed",
        "amdgpu 0000:22:00.0: amdgpu: SMU: response:0xFFFFFFFF for index:18",
        "",
    ],
)
def test_other_text_is_left_as_it_is(text: str) -> None:
    assert redact(text) == text


def test_what_stands_around_a_secret_stays() -> None:
    text = f"connect(password='{S}', port=5432) failed: {{'token': {S}}} at postgres://u:{S}@db/x"
    assert redact(text) == (
        "connect(password=<redacted>, port=5432) failed: {'token': <redacted>} "
        "at postgres://u:<redacted>@db/x"
    )


def test_every_password_behind_one_command_is_taken_out() -> None:
    assert S not in redact(f"mysql -p{S} -h db -p{S} && mysqldump -p{S}")
    assert S not in redact(f"redis-cli -a {S} -h db -a {S}")


@given(st.text())
def test_redacting_again_changes_nothing(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


_PIECES = st.sampled_from(
    ["password", "token", "=", ":", " ", "'", '"', "\\", "://", "@", "a", "<redacted>", "--", ",",
     "(", ")", "}", "\n", "Authorization", "Bearer ", "digest ", "cookie", "pwd", "auth", "&", "?",
     "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "sk-aaaaaaaaaaaaaaaaaaa", ";",
     "=>", "<token>", "</token>", "%3D", "A_KEY=", "mysql", " -p", "redis-cli", " -a ", "]"]
)  # fmt: skip


@given(st.lists(_PIECES, max_size=12).map("".join))
def test_redacting_again_changes_nothing_where_it_matters(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


_VALUES = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="'\"\\<>"),
    min_size=8, max_size=40,
).filter(lambda value: value[-1] not in ",;)]}" and value[0] not in "-/")  # fmt: skip


@given(
    value=_VALUES,
    name=st.sampled_from(
        ["password", "DB_PASSWORD", "api_key", "secret", "auth-token", "HF_TOKEN"]
    ),
    form=st.sampled_from(["{}={}", "{}: {}", "'{}': '{}'", '"{}":"{}"', "--{} {}", "--{}={}"]),
)
def test_no_value_beside_a_telling_name_survives(value: str, name: str, form: str) -> None:
    assert value not in redact("x " + form.format(name, value) + " y")


@given(value=_VALUES.filter(lambda value: not set(value) & set("@/")))
def test_no_password_in_a_url_survives(value: str) -> None:
    around = "could not reach postgresql://me:{}@host:5432/db today"
    assume(value not in around.format("<redacted>"))
    assert value not in redact(around.format(value))


@given(value=st.text(min_size=6), before=st.text(), after=st.text())
def test_a_value_known_to_be_secret_is_taken_out_wherever_it_stands(
    value: str, before: str, after: str
) -> None:
    if value not in "<redacted>" * 3:
        shown = redact(before + value + after, [value])
        assert value not in shown.replace("<redacted>", "\x00")


def test_the_environment_says_which_values_are_secret() -> None:
    environ = {
        "DB_PASSWORD": "hunter2hunter2",
        "API_TOKEN": "abc",  # too short to be looked for everywhere
        "SSH_KEY_FILE": "/home/me/.ssh/id",
        "HOME": "/home/me",
        "SESSION_ID": "31",
        "WANDB_API_KEY": "0123abcd" * 5,
    }
    assert environment_secrets(environ) == ("0123abcd" * 5, "hunter2hunter2")


def test_values_are_redacted_all_the_way_down() -> None:
    value = {"a": [f"token={S}", {"password": S, "n": 3}], "ok": True, "x": None}
    assert redact_value(value) == {
        "a": ["token=<redacted>", {"password": "<redacted>", "n": 3}],
        "ok": True,
        "x": None,
    }


def test_words_of_a_command_line_are_redacted_one_by_one() -> None:
    words = [
        "train.py",
        "--token",
        f"{S} with spaces",
        "--api-key=" + S,
        "-v",
        f"--dsn=pg://u:{S}@h",
    ]
    assert redact_words(words) == [
        "train.py",
        "--token",
        "<redacted>",
        "--api-key=<redacted>",
        "-v",
        "--dsn=pg://u:<redacted>@h",
    ]


@pytest.mark.parametrize(
    "piece",
    ["a", "token", "-", "://a:", "password=", "a.b-", "'", "authorization:", "\\", "machine ",
     " ", "-----BEGIN PRIVATE KEY-----", "AAAA\n", "ey", "--token ", "cookie: ", "?key=", "mysql ",
     "redis-cli", "<token>", "A_", "a:a", "wandb login ", "\x1b[1m", "\u200b", "token: |\n",
     "('token', ", "'--token', ", "kind: Secret\ndata:\n", "name: token ", "api key ", "sk-"],
)  # fmt: skip
def test_no_text_takes_long(piece: str) -> None:
    text = piece * (256 * 1024 // len(piece))
    began = time.process_time()
    redact(text)
    assert time.process_time() - began < 4


@pytest.mark.parametrize(("name", "token"), TOKENS, ids=[name for name, _ in TOKENS])
def test_a_token_is_known_by_its_form(name: str, token: str) -> None:
    for text in (token, f"using {token} now", f'"{token}",', f"x={token}", f"({token})"):
        shown = redact(text)
        assert token[:-4] not in shown
        assert "<redacted>" in shown


def _form(name: str) -> str:
    return AROUND[name].replace("{S}", SECRET).replace("{K}", "PRIVATE" + " KEY")


@pytest.mark.parametrize("name", AROUND)
def test_a_secret_is_known_by_what_stands_around_it(name: str) -> None:
    text = _form(name)
    texts = [text] if "cut at its start" in name else [text, f"one line\n{text}\nanother"]
    for each in texts:
        shown = redact(each)
        assert SECRET not in shown
        assert "<redacted>" in shown
        assert redact(shown) == shown


def test_the_catalogue_is_as_long_as_it_says() -> None:
    assert len(TOKENS) + len(AROUND) >= 250
    assert len(NO_SECRETS) >= 110


@pytest.mark.parametrize("text", NO_SECRETS)
def test_what_only_looks_like_a_secret_stays(text: str) -> None:
    assert redact(text) == text


def test_lines_below_a_block_stay() -> None:
    shown = redact(f"password: |\n  {S}\n  {S}\nport: 5432\n")
    assert shown == "password: |\n  <redacted>\nport: 5432\n"


def test_colours_around_a_secret_stay() -> None:
    assert redact(f"\x1b[1mtoken\x1b[0m=\x1b[33m{S}\x1b[0m done") == (
        "\x1b[1mtoken\x1b[0m=\x1b[33m<redacted>\x1b[0m done"
    )


def test_a_command_line_is_judged_as_a_whole() -> None:
    assert redact_words(["wandb", "login", S]) == ["wandb", "login", "<redacted>"]
    assert redact_words(["sudo", "mysql", f"-p{S}"]) == ["sudo", "mysql", "-p<redacted>"]
    assert redact_words(["x", "--token", "--", S, "y"]) == ["x", "--token", "--", "<redacted>", "y"]
    assert redact_words(["curl", f"--user=me:{S}"]) == ["curl", "--user=me:<redacted>"]
    assert redact_words(["ssh", "-p", "2222", "rig"]) == ["ssh", "-p", "2222", "rig"]


def test_items_of_name_and_value_are_redacted() -> None:
    value = {"env": [{"name": "DB_PASSWORD", "value": S}, {"name": "EPOCHS", "value": "3"}]}
    assert redact_value(value) == {
        "env": [{"name": "DB_PASSWORD", "value": "<redacted>"}, {"name": "EPOCHS", "value": "3"}]
    }


def test_a_long_text_without_blanks_takes_no_time() -> None:
    text = "a" * (1024 * 1024)
    began = time.process_time()
    assert redact(text) == text
    assert time.process_time() - began < 0.5
