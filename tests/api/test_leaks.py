"""The look-out for leaks: one that finds nothing proves nothing unless it can find something."""

import base64
import json

from tests.api.leaks import PASSWORD, found


def test_the_look_out_sees_every_spelling() -> None:
    raw = f"before {PASSWORD} after".encode()
    for text in (raw.decode(), json.dumps([PASSWORD]), raw.hex(), base64.b64encode(raw[:-1]).decode()):
        assert found({"table": text}) == [f"table: {PASSWORD}"]
    for phase in range(3):
        assert found({"log": base64.b64encode(raw[phase:]).decode()}) == [f"log: {PASSWORD}"]
