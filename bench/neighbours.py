"""`python -m bench.neighbours`: one tenant's validates alone, and while another sends 64 events at a time."""

import json
import secrets
import statistics
import subprocess
import sys
from typing import Any

from bench import traffic
from bench.stack import ROOT, Served, Stack, stack

NEIGHBOUR = "as200"
CONNECTIONS = 64
SECONDS = 4.0
ROUNDS = 3

_MORE = """
[tenants.as200.token]
keys = [{ secret = { env = "BENCH_NEIGHBOUR" } }]
[tenants.as200.deprovision]
answer = "always"
"""


def main(more: str = "") -> None:
    """Prints one JSON object: medians over the rounds, ratios within each. `more` is configuration, such as limits."""
    with stack() as one:
        secret = secrets.token_urlsafe(32)
        one.environment["BENCH_NEIGHBOUR"] = secret
        api = one.hookledger("neighbours", _MORE + more)
        seed = iter(range(1, 900))
        _validates(one, api, secret, next(seed), 0.5)
        rounds: list[dict[str, float]] = []
        for _ in range(ROUNDS):
            rounds.append(_round(one, api, secret, seed))
            api = one.restarted(api)  # what it still had to ring for would be heard in the next round
    names = rounds[0].keys()
    print(json.dumps({name: round(statistics.median(r[name] for r in rounds), 3) for name in names}))


def _round(one: Stack, api: Served, secret: str, seed: Any) -> dict[str, float]:
    one.wait_until_quiet()
    alone = _validates(one, api, secret, next(seed), SECONDS)
    storm = _load(one, "postProvision", api, next(seed), SECONDS + 2, connections=CONNECTIONS)
    beside = _validates(one, api, secret, next(seed), SECONDS)
    events = _figures(storm)
    return {
        "neighbour_p50_ratio": beside["p50_ms"] / alone["p50_ms"],
        "neighbour_p99_ratio": beside["p99_ms"] / alone["p99_ms"],
        "alone_p50_ms": alone["p50_ms"],
        "alone_p99_ms": alone["p99_ms"],
        "beside_p50_ms": beside["p50_ms"],
        "beside_p99_ms": beside["p99_ms"],
        "beside_turned_away": beside["refused"] + beside["non_2xx"],
        "storm_hooks_per_s": events["hooks_per_s"],
        "storm_p50_ms": events["p50_ms"],
        "storm_non_2xx": events["non_2xx"],
    }


def _validates(one: Stack, api: Served, secret: str, seed: int, seconds: float) -> dict[str, Any]:
    """Two callers with a pause between calls: a tenant at work, not a race."""
    return _figures(_load(one, "validateUser", api, seed, seconds, secret=secret, tenant=NEIGHBOUR))


def _load(
    one: Stack,
    what: str,
    api: Served,
    seed: int,
    seconds: float,
    *,
    connections: int = 2,
    secret: str | None = None,
    tenant: str = traffic.TENANT,
) -> "subprocess.Popen[str]":
    pause = ("--pause", "0.01") if tenant == NEIGHBOUR else ()
    options = ("--seconds", str(seconds), "--seed", str(seed), "--connections", str(connections), *pause)
    command = one.load_command(what, api.port, "--tenant", tenant, "--count", "20000", *options)
    environment = one.environment | ({"BENCH_SECRET": secret} if secret else {})
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


def _figures(load: "subprocess.Popen[str]") -> dict[str, Any]:
    said, _ = load.communicate(timeout=120)
    return json.loads(said.strip().splitlines()[-1])


if __name__ == "__main__":
    main("\n".join(sys.argv[1:]))
