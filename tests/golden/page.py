"""Takes the platform's page apart: each curl with its address, body and the answer that the page shows."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

TEXT = Path(__file__).with_name("webhooks.txt").read_text(encoding="utf-8")

_CURL = re.compile(
    r"curl --location --request POST '(?P<url>[^']+)' \\\n"
    r"--header 'Authorization: Bearer (?P<token>[^']+)' \\\n"
    r"--header 'Content-Type: (?P<type>[^']+)' \\\n"
    r"--data-raw '(?P<body>[^']*)'\s*"
    r"Response\s*:?\s*(?P<answer>NA|\{.*?)(?=\n[A-Z]|\Z)",
    re.DOTALL,
)
_SAMPLE = re.compile(r"Input [Nn]eeded ?:\n(?P<sample>.*?)\nCurl", re.DOTALL)


@dataclass(frozen=True)
class Example:
    """One curl of the page. `answer` is None where the page says NA."""

    path: str
    token: str
    content_type: str
    body: str
    answer: Any

    @property
    def hook(self) -> str:
        """The last part of the address, as the page spells it."""
        return self.path.rsplit("/", 1)[1]


def examples() -> list[Example]:
    """Every curl, in the page's order."""
    return [
        Example(
            path=urlsplit(found["url"]).path,
            token=found["token"],
            content_type=found["type"],
            body=found["body"],
            answer=None if found["answer"].strip() == "NA" else json.loads(found["answer"]),
        )
        for found in _CURL.finditer(TEXT)
    ]


def samples() -> list[str]:
    """The JSON under "Input needed", as the page has it."""
    return [found["sample"] for found in _SAMPLE.finditer(TEXT)]


def repaired(sample: str) -> str:
    """Two samples lack their first brace (CONTRACT B1.1)."""
    return sample if sample.lstrip().startswith("{") else "{" + sample
