"""The command `simulate`: options in, closing table or JSON out, an exit code that means something."""

import asyncio
import json
import os
import secrets
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
import uvloop
from rich.console import Console

from dev.simulate import CannotPlayError, Options, OptionsError, Report, screen
from dev.simulate import simulate as play
from dev.simulate.options import SEEDS, SHAPES, STORIES, Shape, decode_secret, parse_stories
from dev.simulate.platform import Users, after_stories, serving


def simulate(
    url: Annotated[
        str, typer.Option(help="The receiver, with its prefix.")
    ] = "http://127.0.0.1:8080/webhook",
    ca: Annotated[Path | None, typer.Option(help="PEM file to trust for https.")] = None,
    secret_file: Annotated[Path, typer.Option(help="File with the secret that signs the tokens.")] = Path(
        ".hookledger/secrets/webhook.key"
    ),
    secret_env: Annotated[str, typer.Option(help="Environment variable with the secret, instead.")] = "",
    encoding: Annotated[str, typer.Option("--secret-encoding", help="raw or base64.")] = "raw",
    tenant: Annotated[str, typer.Option(help="The token's tenantId.")] = "as100",
    token_life: Annotated[int, typer.Option(help="Seconds a token is good for.")] = 60,
    users: Annotated[int, typer.Option(help="People whose stories are told.")] = 20,
    concurrency: Annotated[int, typer.Option(help="People told of at the same time.")] = 8,
    tempo: Annotated[float, typer.Option(help="Mean seconds between one user's hooks.")] = 0.0,
    tempo_max: Annotated[
        float | None, typer.Option(help="Spread the pauses evenly from --tempo to this.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed tells the same stories.")] = None,
    stories: Annotated[str, typer.Option(help="Some of these; the rest have happened.")] = ",".join(STORIES),
    duplicates: Annotated[float, typer.Option(help="Rate of hooks sent twice, 0 to 1.")] = 0.0,
    reorder: Annotated[float, typer.Option(help="Rate of event pairs swapped or sent at once.")] = 0.0,
    bad_bodies: Annotated[float, typer.Option(help="Rate of bad bodies sent besides.")] = 0.0,
    record: Annotated[Path | None, typer.Option(help="Write each hook sent as a line of JSON.")] = None,
    keep_trying: Annotated[
        bool, typer.Option("--keep-trying", help="Go on when the receiver is away; nothing is resent.")
    ] = False,
    deadline: Annotated[float, typer.Option(help="Slower answers break the contract; 0: no limit.")] = 2.0,
    timeout: Annotated[float, typer.Option(help="Seconds after which the platform hangs up.")] = 10.0,
    answer_shape: Annotated[str, typer.Option(help="What a passed validate answers.")] = "data",
    shadow: Annotated[
        bool, typer.Option("--shadow", help="The tenant's rules are in shadow: they refuse nobody.")
    ] = False,
    serve_platform: Annotated[
        int | None,
        typer.Option(
            help="Tell nothing: serve the API with the users as these stories leave them, on this port."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Play the platform against a receiver: joiners, movers, leavers and returners, every answer checked.

    Exit codes: 0 all answers kept to the contract, 1 some did not, 2 wrong usage or no receiver.
    """
    if serve_platform is not None:
        _serve(serve_platform, seed or 0, users, stories, tenant)
        return
    try:
        options = Options(
            secret=decode_secret(_read_secret(secret_file, secret_env), _encoding(encoding)),
            url=url,
            ca=ca,
            tenant=tenant,
            token_life=token_life,
            users=users,
            concurrency=concurrency,
            tempo=tempo,
            tempo_max=tempo_max,
            seed=secrets.randbelow(SEEDS) if seed is None else seed,
            stories=parse_stories(stories),
            duplicates=duplicates,
            reorder=reorder,
            bad_bodies=bad_bodies,
            record=record,
            keep_trying=keep_trying,
            deadline=deadline,
            timeout=timeout,
            answer_shape=_shape(answer_shape),
            shadow=shadow,
        )
        report = _run(options, quiet=as_json)
    except (OptionsError, CannotPlayError) as reason:
        _leave(str(reason))
    except OSError as error:
        _leave(f"{error.filename or 'a file'}: {error.strerror or 'cannot be used'}; change --record or --ca")
    if as_json:
        typer.echo(json.dumps(report.as_json()))
    else:
        screen.close(Console(), report)
    raise typer.Exit(0 if report.clean else 1)


def _run(options: Options, *, quiet: bool) -> Report:
    console = Console(stderr=True, quiet=quiet)
    console.print(f"seed {options.seed}: {options.users} users against {options.url}", highlight=False)
    with screen.progress(console) as show:
        return uvloop.run(play(options, show))


def _serve(port: int, seed: int, users: int, stories: str, tenant: str) -> None:
    """Serves the platform's API until Ctrl-C."""

    async def forever() -> None:
        people = Users(tenant=tenant)
        people.put(*after_stories(seed, users, parse_stories(stories)))
        async with serving(people, port) as url:
            typer.echo(
                f"{len(people.people)} users of seed {seed} at {url}; token: {next(iter(people.tokens))}"
            )
            await asyncio.Event().wait()

    try:
        asyncio.run(forever())
    except OptionsError as reason:
        _leave(str(reason))
    except OSError as error:
        _leave(f"port {port}: {error.strerror or 'cannot be used'}; give another to --serve-platform")
    except KeyboardInterrupt:
        pass


def _read_secret(file: Path, env: str) -> str:
    if env:
        if not os.environ.get(env):
            raise OptionsError(f"--secret-env: the environment has no {env}")
        return os.environ[env]
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OptionsError(
            f"no secret can be read from {file}: run `make dev` first, or give --secret-file or --secret-env"
        ) from error


def _encoding(name: str) -> str:
    if name not in {"raw", "base64"}:
        raise OptionsError("--secret-encoding: must be raw or base64")
    return name


def _shape(name: str) -> Shape:
    for shape in SHAPES:
        if shape == name:
            return shape
    raise OptionsError(f"--answer-shape: must be {', '.join(SHAPES)}")


def _leave(sentence: str) -> NoReturn:
    print(f"simulate: {sentence}", file=sys.stderr)
    raise typer.Exit(2)
