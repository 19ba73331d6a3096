"""How a secret may be written where somebody repeats it: in an address, in JSON, by Python, in HTML, in base64."""

import base64
import html
import json
import re
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import quote

from hooks.secrets import CUT

_LEFT_ALONE = (
    "",  # urllib's and httpx's parameters, forms
    "/",  # urllib's paths
    "!'()*",  # browsers' encodeURIComponent
    "!$&'()*+,;=:@/?",  # RFC 3986, in paths and queries
    *("!$&'()*+,;=:@/[]\\^|", "!$&'()*+,;=:@/[]\\^|%"),  # WHATWG's paths, as httpx has them
    *("!$&'()*+,;=:@/[]\\^|?`{}", "!$&'()*+,;=:@/[]\\^|?`{}%"),  # and its queries
)
"""Punctuation that is not escaped in an address: nobody agrees on it."""
_ESCAPED = re.compile("%[0-9A-F]{2}")
_BESIDE = "[A-Za-z0-9+/_-]{0,3}"
_SHORTEST = 4
"""Characters of base64 that are not in a text by chance."""


def spellings(secret: str) -> frozenset[str]:
    """The secret itself, each other way to write it, each of those written so once more, and what base64 makes of it."""
    once = frozenset(_written(secret)) | {secret}
    twice = {again for spelt in once for again in _written(spelt)}
    return once | twice | in_base64(secret)


def cutting(secrets: Iterable[str]) -> Callable[[str], str]:
    """What takes these out of a text in each of their spellings, the longest first, so that none leaves a part of another."""
    known = list(secrets)
    written = sorted({spelt for secret in known for spelt in spellings(secret)}, key=len, reverse=True)
    coded = {spelt for secret in known for spelt in in_base64(secret)}

    def cut_from(text: str) -> str:
        for spelt in written:
            if spelt in text:
                # In base64 the characters beside it may hold some bits of it.
                pattern = f"{_BESIDE}{re.escape(spelt)}{_BESIDE}=*" if spelt in coded else re.escape(spelt)
                text = re.sub(pattern, CUT, text)
        return text

    return cut_from


def in_base64(secret: str) -> frozenset[str]:
    """As it is coded alone, and what is the same at each of the three places where it may begin within more."""
    raw = secret.encode(errors="surrogatepass")
    found = {base64.b64encode(raw).decode().rstrip("=")}
    for phase in range(3):
        coded = base64.b64encode(b"\0" * phase + raw).decode().rstrip("=")
        found.add(coded[(phase + 2) // 3 * 4 : -2])
    both = found | {coded.translate(str.maketrans("+/", "-_")) for coded in found}
    return frozenset(coded for coded in both if len(coded) >= _SHORTEST)


def _written(text: str) -> Iterator[str]:
    for left in _LEFT_ALONE:
        escaped = quote(text, safe=left, errors="surrogatepass")
        for spaced in (escaped, escaped.replace("%20", "+")):
            yield spaced
            yield _ESCAPED.sub(lambda found: found[0].lower(), spaced)
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    for shown in (repr(text)[1:-1], ascii(text)[1:-1], repr(text.encode(errors="surrogatepass"))[2:-1]):
        # Python escapes an apostrophe only where there is a quotation mark, too: elsewhere in the same text, maybe.
        bare = shown.replace("\\'", "'")
        yield bare
        yield bare.replace("'", "\\'")
    bare = html.escape(text, quote=False)
    yield bare
    yield html.escape(text)
    yield bare.replace('"', "&#34;").replace("'", "&#39;")
