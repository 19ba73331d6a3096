"""The rounds with a tenant's own rules, over many known people and over few; and many namesakes at once."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable

import httpx

from bench import policy, traffic
from bench.figures import Notebook
from bench.races import race
from bench.stack import BenchError, Served, Stack

ASKERS = 64


def steps(rounds: int) -> int:
    """How often `say` will be called."""
    return 1 + rounds


def rule_rounds(
    one: Stack, *, rounds: int, seconds: float, many: int, notebook: Notebook, say: Callable[[str], None]
) -> None:
    """validateUser with twelve rules and three unique attributes, over `many` known people and over a thousand."""
    say(f"making {many:,} known people on both sides")
    ours = one.hookledger("many", rules=policy.TWELVE, known=many)
    # With a naming rule on another hook, for the namesakes below.
    few = one.hookledger("few", rules=policy.NAMES, known=1000)
    bare = one.bare("bare_many", known=many)
    seed = iter(range(500, 900))
    for side in (ours, few, bare):
        race(one, "validateUser", side, next(seed), 0.3)
    for number in range(rounds):
        say(f"validateUser with rules, round {number + 1} of {rounds}")
        a, b = (race(one, "validateUser", side, next(seed), seconds) for side in (ours, bare))
        # One connection: the p50 of a queue would only tell its length.
        alone = [
            race(one, "validateUser", side, next(seed), seconds, connections=1)["p50_ms"]
            for side in (ours, few)
        ]
        size = "1m" if many == 1_000_000 else f"{many // 1000}k"
        notebook.note(
            validate_rules_vs_bare=a["hooks_per_s"] / b["hooks_per_s"],
            **{f"validate_{size}_vs_1k": alone[0] / alone[1]},
            validate_rules_hooks_per_s=a["hooks_per_s"],
            validate_rules_cpu_ms=a["cpu_ms"],
        )
    for number in range(rounds):
        equal, lost = asyncio.run(_namesakes(one, few, 900 + number))
        notebook.note(naming_equal=equal, naming_lost=lost)
    for side in (ours, few, bare):
        one.end(side)


async def _namesakes(one: Stack, side: Served, seed: int) -> tuple[int, int]:
    """How many of 64 people who ask for the same name at once share one, and how many get none."""
    tokens = traffic.Tokens(one.secret)
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{side.port}/webhook",
        trust_env=False,
        limits=httpx.Limits(max_connections=ASKERS),
    ) as client:

        async def ask(number: int) -> str | None:
            user = {k: v for k, v in traffic.person(seed, number).items() if k != "email"}
            answer = await client.post(
                "/preCreateUser",
                content=json.dumps(traffic.validate_user(user)),
                headers={"Authorization": f"Bearer {tokens.fresh()}", "Content-Type": "application/json"},
            )
            if not answer.is_success:
                raise BenchError(f"preCreateUser was answered {answer.status_code}")
            return answer.json()["response"]["data"].get("email")

        given = await asyncio.gather(*(ask(number) for number in range(ASKERS)))
    counts = Counter(name for name in given if name is not None)
    return sum(n - 1 for n in counts.values()), given.count(None)
