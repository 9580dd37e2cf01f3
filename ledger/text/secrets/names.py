"""Names that say that what they name is a secret, and names that only sound like it.

A name is judged word by word (``dbPassword``, ``DB_PASSWORD`` and ``x-api-key``
alike), so that ``token_count``, ``password_file`` and ``pad_token`` are left in
peace. The value has a say, too: a ``pass`` of 2 is a count, and ``key`` alone
names a secret only where its value looks drawn at random.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from functools import lru_cache

REDACTED = "<redacted>"

_LONGEST_NAME = 96
_LONG_NUMBER = 8
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+", re.ASCII)


def words_of(text: str) -> frozenset[str]:
    """The words of a text, for tables that are read like one."""
    return frozenset(text.split())


class Telling(Enum):
    """How much a name says: what its value must be like to be taken for a secret."""

    PASSWORD = auto()  # anything but nothing
    TOKEN = auto()  # anything but nothing and a small number
    SHORT = auto()  # a short word that means other things, too: no number, no path
    HEADER = auto()  # a header whose whole rest of the line is secret
    WEAK = auto()  # only what looks random


_PASSWORDS = (
    "password", "passwd", "passphrase", "passcode", "passwrd", "pswd", "passwort", "kennwort",
    "contrasena", "motdepasse", "seedphrase", "mnemonic", "recoverycode", "wachtwoord",
)  # fmt: skip
_TOKENS = words_of(
    """
    apikey appkey authkey creds cred credential credentials secret secrets secretkey jwt bearer
    cookie cookies psk passkey sessionid sessid phpsessid jsessionid sessiontoken otp totp
    authtoken privatekey accesskey sharedkey signingkey webhook sastoken csrf xsrf
    """
)
_SHORT = frozenset(("pass", "pwd", "pw", "psw", "passw", "pword", "pin"))
_NO_SHORT = words_of(
    """
    bypass compass trespass encompass surpass multipass singlepass lowpass highpass bandpass
    subpass renderpass allpass overpass underpass
    """
)
_WEAK = frozenset(("key", "keys", "auth", "pat", "sid", "sas", "sig", "tokens", "license"))
# "key" after one of these opens something; after others (primary, cache, sort) it finds something.
_KEYED = words_of(
    """
    access account admin api app application auth client consumer crypt cryptographic data
    deploy encrypt encryption decrypt decryption enc functions hmac host identity integration
    jwt license licence master pem personal private priv product rsa secret security server
    service session shared sign signing ssh ssl storage subscription tls webhook write ed25519
    ecdsa dsa root wallet primaryaccess secondaryaccess
    """
)
_VENDORS = words_of(
    """
    adafruit adobe airtable algolia alibaba anthropic apify asana atlassian aws azure bitbucket
    brave cerebras clearml cloudflare codecov cohere comet confluent contentful databricks
    datadog dd deepgram deepseek digitalocean discord dropbox elevenlabs exa facebook fastly
    finnhub fireworks firebase flickr gcp gemini github gitlab google grafana groq gsk heroku hf
    hubspot huggingface intercom jfrog jina jira kaggle kraken kucoin langfuse langsmith
    launchdarkly linear linkedin mailchimp mailgun mapbox mistral neptune netlify newrelic ngc
    notion npm nvidia okta openai openrouter openweather paypal perplexity pinecone plaid
    postman pypi replicate roboflow runpod segment sendgrid sentry serpapi shodan shopify slack
    snowflake sonar splunk spotify square stability stripe supabase tailscale tavily telegram
    together travis trello twilio twitch twitter vastai vault vercel voyage wandb weaviate xai
    youtube zendesk
    """
)
# What such a word is followed by where the thing itself is not meant.
_ABOUT = words_of(
    """
    age algorithm at attempts audience batch budget bytes cache char chars class classes config
    cost count counter counts created date delimiter dim dims dir directory embedding embeddings
    enabled endpoint error errors exists expired expires expiration expiry expire field fields
    file filename files format func function header headers helper helpers hint host index
    indices invalid issuer kind label lifetime len length lengths level limit loss manager mask
    max method min missing mode model module name names namespace needed num number option
    optional params path paths per policy pool port position positions prefix present prob probs
    process processor prompt provider rate ratio ref reference refresh refs regex region
    required reset rotation rotated scope scopes second seconds size sizes source speed state
    status step store strategy strength suffix throughput time timeout total ttl type types unit
    updated uri url usage use used user username valid validator vector version vocab warning
    weight weights window
    """
)
# Words of language models: their tokens are pieces of text.
_PIECES = words_of(
    """
    bos cls current dtype eos end eot first generated image input last mask max min new next num
    output pad padding per prefix prompt sep special start stop str string subword target text
    total trailing unk unexpected vocab word n
    """
)
_SECRET_IDS = frozenset(("access", "secret", "session", "sess"))
_NOTHING = words_of(
    """
    none null nil true false unset empty missing n/a na yes no on off str bytes int bool float
    string any ... *** ****** xxx
    """
)
_NUMBER = re.compile(r"[-+]?\d{1,6}(?:[.,_]\d{1,6})*%?\Z")
_HEX = re.compile(r"(?:0x)?[0-9a-fA-F]+\Z|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
_RANDOM = re.compile(r"[A-Za-z0-9+/_.~=-]{12,}\Z")
_HERE = re.compile(r"(?:[~.]{0,2}[/\\]|[A-Za-z]:\\)")


@lru_cache(maxsize=4096)
def telling(name: str) -> Telling | None:
    """How much ``name`` says about its value; None: nothing.

    >>> telling("DB_PASSWORD_2").name, telling("clientSecret").name, telling("cache_key").name
    ('PASSWORD', 'TOKEN', 'WEAK')
    >>> telling("token_count"), telling("PasswordFile"), telling("tokenizer"), telling("pad_token")
    (None, None, None, None)
    """
    words = [word.lower() for word in _WORD.findall(name[-_LONGEST_NAME:])]
    if not words:
        return None
    last, joined = words[-1], "".join(words)
    if "webhook" in joined and last in ("url", "uri", "webhook"):
        return Telling.TOKEN
    if last in _ABOUT or joined.endswith("less"):
        return None
    if any(each in joined for each in _PASSWORDS):
        return Telling.PASSWORD
    if last == "id":
        return Telling.TOKEN if _SECRET_IDS.intersection(words) or joined == "sessionid" else None
    if joined.endswith("authorization"):
        return Telling.HEADER
    if joined in ("cookie", "setcookie"):
        return Telling.HEADER
    return _of_words(words, joined)


def _of_words(words: list[str], joined: str) -> Telling | None:
    if any(_names_token(words, at) for at in range(len(words))):
        return Telling.TOKEN
    last = words[-1]
    if last in _SHORT or (last.endswith("pass") and last not in _NO_SHORT):
        return Telling.SHORT
    if last in _WEAK or last.endswith("key"):
        return None if "public" in joined or "pub" in words else Telling.WEAK
    return None


def _names_token(words: list[str], at: int) -> bool:
    word, before = words[at], words[at - 1] if at else ""
    if word in _TOKENS or word.endswith(("secret", "apikey", "passkey")):
        return True
    if word == "token":
        return not _PIECES.intersection(words[:at])
    if word.endswith("token") or word.startswith(("secretkey", "secretaccess")):
        return True
    if word == "session" and words[at + 1 : at + 2] in (["id"], ["key"]):
        return True
    if word in ("key", "pat"):
        return before in _KEYED or before in _VENDORS
    return word.endswith("key") and word[:-3] in _KEYED | _VENDORS


def is_secret(kind: Telling, value: str, *, of_variable: bool = False) -> bool:
    """Whether ``value``, without its quotes, is one that a name of this kind hides.

    ``of_variable``: the name is written as environment variables are, ``X_KEY``.

    >>> is_secret(Telling.SHORT, "2"), is_secret(Telling.TOKEN, "3"), is_secret(Telling.TOKEN, "x")
    (False, False, True)
    """
    bare = value.strip()
    if not bare or bare.lower().rstrip(",;)]}") in _NOTHING:
        return False
    if bare.startswith(REDACTED) or kind in (Telling.PASSWORD, Telling.HEADER):
        return True
    number = len(bare) < _LONG_NUMBER and bool(_NUMBER.match(bare.rstrip(",;)]}")))
    if kind is Telling.TOKEN:
        return not number
    if kind is Telling.SHORT:
        return not number and not _HERE.match(bare)
    if of_variable and not number and len(bare) >= 6 and not _HERE.match(bare):
        return True
    return looks_random(bare)


def looks_random(text: str) -> bool:
    """Whether a text looks drawn at random: of mixed letters and digits, no hash, no UUID, no path.

    >>> looks_random("q7Xv2LmZp09TtRk"), looks_random("9f86d081884c7d65"), looks_random("rig-6600")
    (True, False, False)
    """
    if not _RANDOM.match(text) or _HEX.match(text) or _HERE.match(text):
        return False
    if not re.search(r"\d", text) or len(re.findall(r"[_./~-]", text)) > max(1, len(text) // 16):
        return False
    mixed = bool(re.search(r"[a-z]", text)) and bool(re.search(r"[A-Z]", text))
    return mixed or (len(text) >= 24 and bool(re.search(r"[A-Za-z]", text)))
