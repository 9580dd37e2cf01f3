"""Secrets that need no name in front of them: each is known by its own form.

The forms of tokens follow what their issuers publish and the rule names of
gitleaks and detect-secrets; a body may be shorter than the issuer's, since a
secret that was cut is one still. A form is never so wide that a hash, a UUID
or a PCI address fits it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_WORDS = r"[A-Za-z0-9_-]"
_ALNUM = r"[A-Za-z0-9]"
_HEX = r"[0-9a-fA-F]"

# Prefix, and the body that must follow. Grouped by who issues them.
_TOKENS: tuple[str, ...] = (
    # clouds
    r"(?:AKIA|ASIA|ABIA|ACCA|AROA|AIDA|A3T[A-Z0-9])[A-Z0-9]{16}",
    rf"ABSK[A-Za-z0-9+/]{{40,}}={{0,2}}|bedrock-api-key-{_WORDS}{{16,}}",
    rf"AIza{_WORDS}{{30,}}|ya29\.{_WORDS}{{16,}}|GOCSPX-{_WORDS}{{16,}}|1//0{_WORDS}{{28,}}",
    rf"do[opr]_v1_{_HEX}{{32,}}|LTAI{_ALNUM}{{16,}}|AKID{_ALNUM}{{28,}}|AQVN{_WORDS}{{30,}}",
    rf"HRKU-{_WORDS}{{30,}}|fo1_{_WORDS}{{30,}}|fm[12][ar]?_[A-Za-z0-9+/=]{{40,}}",
    rf"v1\.0-{_HEX}{{24}}-{_HEX}{{64,}}|tk-us-{_WORDS}{{40,}}|nfp_{_ALNUM}{{30,}}",
    rf"sbp_{_HEX}{{32,}}|sb_secret_{_WORDS}{{16,}}|rnd_{_ALNUM}{{24,}}|napi_{_ALNUM}{{30,}}",
    rf"pscale_(?:tkn|oauth|pw)_[\w=.-]{{24,}}|vercel_blob_rw_{_WORDS}{{20,}}",
    # code and packages
    rf"gh[pousr]_{_ALNUM}{{16,}}|github_pat_\w{{16,}}",
    rf"gl(?:pat|rt|dt|cbt|ptt|ft|imt|agent|oas|soat|ffct|wt)-[\w.-]{{16,}}|GR1348941{_WORDS}{{16,}}",
    rf"npm_{_ALNUM}{{30,}}|pypi-{_WORDS}{{40,}}|rubygems_{_HEX}{{32,}}|CLOJARS_[a-z0-9]{{40,}}",
    rf"dckr_(?:pat|oat)_{_WORDS}{{16,}}|AKCp{_ALNUM}{{60,}}|cmVmd{_ALNUM}{{50,}}",
    rf"AT(?:ATT3|CTT3|BB){_WORDS}{{24,}}=?{_HEX}*|CCIPAT_\w{{20,}}|bk[urc]a_{_HEX}{{30,}}",
    rf"sq[upa]_{_HEX}{{32,}}|sgp_(?:(?:{_HEX}{{16}}|local)_)?{_HEX}{{40}}|API-[A-Z0-9]{{26}}",
    rf"pul-{_HEX}{{40}}|PMAK-{_HEX}{{24}}-{_HEX}{{20,}}|rdme_[a-z0-9]{{60,}}|oy2[a-z0-9]{{43}}",
    # models
    rf"sk-(?={_WORDS}{{0,80}}\d){_WORDS}{{16,}}|sk_{_HEX}{{40,}}|[srp]k_(?:live|test|prod)_{_ALNUM}{{10,}}",
    rf"(?:hf|api_org)_{_ALNUM}{{16,}}|nvapi-{_WORDS}{{16,}}|gsk_{_ALNUM}{{30,}}|r8_{_ALNUM}{{30,}}",
    rf"xai-{_WORDS}{{16,}}|pplx-{_WORDS}{{16,}}|lsv2_(?:pt|sk)_{_WORDS}{{16,}}|ls__{_ALNUM}{{24,}}",
    rf"pcsk_{_WORDS}{{24,}}|tvly-{_WORDS}{{20,}}|fw_{_ALNUM}{{20,}}|tgp_v1_{_WORDS}{{20,}}",
    rf"jina_{_WORDS}{{30,}}|llx-{_WORDS}{{24,}}|KGAT_{_ALNUM}{{20,}}|wandb_v1_{_WORDS}{{20,}}",
    rf"e2b_{_HEX}{{24,}}|fc-{_HEX}{{32}}|csk-{_ALNUM}{{24,}}|a[ks]-{_ALNUM}{{22}}",
    # data and operations
    rf"dapi{_HEX}{{16,}}(?:-\d)?|dose{_HEX}{{32,}}|hv[sbr]\.{_WORDS}{{16,}}|4b1d{_ALNUM}{{38}}",
    rf"tskey-[a-z]+-{_WORDS}{{10,}}|dp\.(?:pt|st|ct|sa|scim|audit)\.[\w.-]{{20,}}",
    rf"[A-Za-z0-9]{{14}}\.atlasv1\.{_WORDS}{{40,}}|dt0[a-z]\d\d\.[A-Z0-9]{{8,}}(?:\.[A-Z0-9]{{20,}})?",
    r"gl(?:c|sa)_[A-Za-z0-9+/_]{24,}={0,3}|NR(?:AK|II|JS|AL|RA)-[A-Za-z0-9-]{16,}",
    rf"sntry[su]_[A-Za-z0-9+/_=]{{24,}}|lin_(?:api|oauth)_{_ALNUM}{{24,}}|ico-{_ALNUM}{{32}}",
    rf"pn[ub]_{_ALNUM}{{30,}}|sha256~{_WORDS}{{40,}}|[ps]at\.{_WORDS}{{22}}\.{_ALNUM}{{24}}\.{_ALNUM}{{20}}",
    r"ops_eyJ[A-Za-z0-9+/=]{40,}|A3-[A-Z0-9]{6}-[A-Z0-9-]{20,}",
    r"AGE-SECRET-KEY-1[0-9A-Z]{30,}|AGE-PLUGIN-[0-9A-Z-]{30,}",
    # messages, shops and the rest
    r"xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{10,}|xwfp-[A-Za-z0-9-]{10,}",
    rf"[MNO]{_WORDS}{{23,27}}\.{_WORDS}{{6}}\.{_WORDS}{{27,}}|\d{{5,16}}:A[A-Za-z0-9_-]{{33,}}",
    rf"SG\.{_WORDS}{{16,}}\.{_WORDS}{{16,}}|xkeysib-[\w-]{{30,}}|xsmtpsib-[\w-]{{30,}}",
    rf"key-{_HEX}{{32}}|{_HEX}{{32}}-us\d{{1,2}}|SK{_HEX}{{32}}|re_{_ALNUM}{{8}}_{_ALNUM}{{20,}}",
    rf"shp(?:at|ca|pa|ss|tka|ua)_{_HEX}{{24,}}|sq0[a-z]{{3}}-{_WORDS}{{20,}}|EAAA{_WORDS}{{40,}}",
    r"EAA[A-Za-z0-9]{90,}|whsec_[A-Za-z0-9+/=]{24,}|access-(?:sandbox|development|production)-[0-9a-f-]{36}",
    rf"EZ[AT]K{_ALNUM}{{50,}}|FLWSECK(?:_TEST)?-{_ALNUM}{{12,}}(?:-X)?|shippo_(?:live|test)_{_HEX}{{24,}}",
    rf"figd_{_WORDS}{{24,}}|ntn_{_ALNUM}{{30,}}|secret_{_ALNUM}{{40,}}|CFPAT-{_WORDS}{{24,}}",
    r"tfp_[\w.=-]{30,}|fio-u-[\w=-]{40,}|duffel_(?:test|live)_[\w=-]{24,}|p8e-[a-z0-9]{32}",
    rf"pat{_ALNUM}{{14}}\.{_HEX}{{40,}}|sm_[aps]at_{_ALNUM}{{16,}}|{_ALNUM}{{6}}_{_ALNUM}{{29}}_mmk",
    rf"s-s4t2(?:ud|af)-{_HEX}{{40,}}|[sp]k\.eyJ{_WORDS}{{20,}}\.{_WORDS}{{16,}}|y[01]_{_WORDS}{{40,}}",
    r"[A-Za-z0-9_~.]{3}\dQ~[A-Za-z0-9_~.-]{24,}|(?:sc|ext|scauth|authress)_[a-z0-9]{5,30}\.[a-z0-9]{4,6}\.acc[_-][\w.+/=-]{30,}",
    r"\d{15,16}\|[A-Za-z0-9_-]{24,}|t1\.[A-Za-z0-9_-]{8,}={0,2}\.[A-Za-z0-9_-]{60,}={0,2}",
    # hashes of passwords, and what carries its name in base64
    r"eyJrIjoi[A-Za-z0-9+/=]{24,}",
    r"\$(?:apr1|1|5|6|y|2[abxy]?|argon2(?:id|i|d)|scrypt|pbkdf2[\w-]*)\$[A-Za-z0-9./$=,+-]{16,}",
)
# Only where a word begins and is long enough: most of a text is passed over at once.
_TOKEN = re.compile(
    r"(?<![A-Za-z0-9])(?=[A-Za-z0-9$][\w~.:+/=|$,-]{15})(?:" + "|".join(_TOKENS) + ")", re.ASCII
)
# A signed statement; its first part is taken whole, so that each run is read once.
_SIGNED = re.compile(r"(?<![\w-])[\w-]*+(?<=[\w-]{10})\.ey[\w-]{8,}(?:\.[\w-]*){0,3}", re.ASCII)

# Keys in armour, also where the text begins or ends within one.
_ARMOURED = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----.*?"
    r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)",
    re.DOTALL,
)
_ARMOUR_CUT = re.compile(
    r"\A[A-Za-z0-9+/=\s\\>|:]{0,65536}?-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
)
_PUTTY = re.compile(
    r"PuTTY-User-Key-File-\d:[^\n]{0,200}\n(?P<secret>.*?)(?=Private-MAC|\Z)", re.DOTALL
)

# Credentials in URLs; a password may hold anything but white space and quotes, and
# digits before a slash are a port.
_USERINFO = re.compile(
    r"://(?![\[])[^\s/@:'\"<>?#]{0,256}:(?!\d{1,5}/)(?P<secret>[^\s'\"<>]{1,400})@"
)
_TOKEN_AS_USER = re.compile(
    r"\b(?:https?|ftps?|wss?|git\+https)://(?!(?:git|hg|svn|anonymous)@)"
    r"(?P<secret>[^\s/@:'\"<>?#]{1,400})@",
    re.IGNORECASE,
)
_ENCODED_USERINFO = re.compile(
    r"%3A%2F%2F[^\s%&'\"]{0,256}%3A(?P<secret>[^\s&'\"]{1,512}?)%40", re.IGNORECASE
)
# user:password@host without a scheme, as proxies are named; not image:tag@sha256:…
_BARE_USERINFO = re.compile(
    r"(?<![\w./:@-])[A-Za-z][\w.-]{0,63}:(?!\d+@)(?P<secret>[^\s/:@'\"<>()]{3,256})"
    r"@(?!sha\d+:)(?=[A-Za-z0-9])"
)
_ORACLE = re.compile(
    r"(?:\bsqlplus\s+(?:-\w\s+)?|:thin:|:oci:)[\w$#]{1,64}/(?P<secret>[^\s@'\"]{1,256})@"
)
_HOOKS = re.compile(
    r"\b(?:hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)"
    r"|(?:[a-z]+\.)?discord(?:app)?\.com/api(?:/v\d+)?/webhooks"
    r"|[\w-]+\.webhook\.office\.com/webhookb2|outlook\.office(?:365)?\.com/webhook"
    r"|hooks\.zapier\.com/hooks/catch|maker\.ifttt\.com/trigger/\w{1,64}/with/key"
    r"|[\w.-]{1,100}\.logic\.azure\.com(?::443)?/workflows|open\.feishu\.cn/open-apis/bot/v2/hook"
    r"|hc-ping\.com|api\.telegram\.org(?=/bot))/(?P<secret>[^\s'\"<>`),;\]}]+)",
    re.IGNORECASE,
)

# After a scheme of HTTP. A word of letters alone may be prose ("basic authentication").
_BEARER = re.compile(
    r"\b(?:bearer['\"]?(?:\s*[:=]\s*|\s+)['\"]?|basic\s+|negotiate\s+)"
    r"(?P<secret>(?=[A-Za-z_~+/-]{0,256}[0-9=.])[A-Za-z0-9._~+/=-]{8,})",
    re.IGNORECASE,
)
_LONG_BEARER = re.compile(r"\bbearer\s+(?P<secret>[A-Za-z0-9._~+/=-]{16,})", re.IGNORECASE)
_AUTH_LINE = re.compile(
    r"\bAUTH (?:PLAIN|LOGIN|XOAUTH2|CRAM-MD5) (?P<secret>[A-Za-z0-9+/=]{4,})"
    r"|^(?:PASS|AUTH|requirepass|masterauth) (?P<line>\S+(?: \S+)?)$",
    re.MULTILINE,
)
# host:port:database:user:password
_PGPASS = re.compile(
    r"^[\w.*/-]{1,253}:(?:\d{2,5}|\*):[^\s:]{1,63}:[^\s:]{1,63}:(?P<secret>\S{1,256})$",
    re.MULTILINE,
)
_NETRC = re.compile(
    r"\b(?:login\s{1,20}\S{1,256}\s{1,20}(?:account\s{1,20}\S{1,256}\s{1,20})?"
    r"|(?:machine\s{1,20}\S{1,256}|default)\s{1,20})password\s{1,20}(?P<secret>\S+)"
)
_SQL = re.compile(
    r"\b(?:password|convertto-securestring(?:\s{1,9}-string)?|identified\s{1,9}by(?:\s{1,9}password)?|passphrase)(?:\s{1,9}|\s{0,9}\(\s{0,9})"
    r"(?P<secret>'[^'\n]*'?|\"[^\"\n]+\")",
    re.IGNORECASE,
)
_PROSE = re.compile(
    r"\b(?:password|passphrase|passcode|secret|token|api key|access key)\s{1,9}(?:is|was|set to)"
    r"\s{0,9}:?\s{1,9}(?P<secret>['\"`][^'\"`\n]+['\"`]|(?=[^\s\d]{0,64}\d)[^\s,;]{6,})",
    re.IGNORECASE,
)
# A line of a file of settings that joins name and value by a blank.
_ALONE = re.compile(
    r"^[ \t]{0,40}(?:password|passwd|passphrase|secret|token)[ \t]{1,20}"
    r"(?P<secret>(?=[^\s\d]{0,200}\d)\S{6,1000})[ \t]{0,20}$",
    re.IGNORECASE | re.MULTILINE,
)
_LOGIN = re.compile(
    r"\blogin\([^()\n]{0,200}?\b(?:api_?)?key\s{0,9}=\s{0,9}(?P<secret>\"[^\"\n]+\"|'[^'\n]+'|[^\s,)]+)"
)
_PIPED = re.compile(
    r"\b(?:echo|printf)\s+(?:-\w+\s+)?(?P<secret>'[^'\n]{1,500}'|\"[^\"\n]{1,500}\"|[^\s|'\"]{1,500})"
    r"\s*\|\s*(?:sudo\s+(?:-\w+\s+)*-S|sudo\s+chpasswd|chpasswd|passwd|cryptsetup"
    r"|[^\n|]{0,200}--(?:password|token|passphrase)-?(?:stdin|fd)|[^\n|]{0,200}--with-token)"
)

# Each with words of which one must be in the text, in lower case: most texts skip most forms.
_FORMS: tuple[tuple[tuple[str, ...], re.Pattern[str]], ...] = (
    (("private key",), _ARMOURED),
    (("private key",), _ARMOUR_CUT),
    (("putty-user-key",), _PUTTY),
    (("@",), _USERINFO),
    (("@",), _TOKEN_AS_USER),
    (("%3a%2f%2f",), _ENCODED_USERINFO),
    (("@",), _BARE_USERINFO),
    (("sqlplus", ":thin:", ":oci:"), _ORACLE),
    (("hook", "/workflows/", "ifttt", "hc-ping", "telegram"), _HOOKS),
    (("bearer", "basic", "negotiate"), _BEARER),
    (("bearer",), _LONG_BEARER),
    (("auth ", "pass "), _AUTH_LINE),
    ((":",), _PGPASS),
    (("password",), _NETRC),
    (("pass", "identified", "securestring"), _SQL),
    (("password", "passphrase", "secret", "token"), _ALONE),
    (("login(",), _LOGIN),
    ((" is ", " was ", " is:", "set to"), _PROSE),
    (("echo", "printf"), _PIPED),
    ((".ey",), _SIGNED),
    (("",), _TOKEN),
)


def known_by_form(text: str, lower: str) -> Iterator[tuple[int, int]]:
    """Where secrets of a known form stand; ``lower`` is the text in lower case."""
    for words, pattern in _FORMS:
        if any(word in lower for word in words):
            for match in pattern.finditer(text):
                yield match.span(_group(match))


def _group(match: re.Match[str]) -> str | int:
    return match.lastgroup if match.lastgroup in ("secret", "line") else 0
