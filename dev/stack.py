"""The command `./hookledger dev`: Postgres, Temporal with its UI, api, query and worker on this machine, until Ctrl-C."""

import contextlib
import os
import signal
import ssl
import sys
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType

import psutil

import settings as configuration
from dev import home, postgres, processes, temporal
from dev.looking import answers
from dev.processes import StackError
from dev.relay import Relay
from dev.screen import Ready, Screen
from dev.supervisor import Command, Supervisor
from runtime.attributes import SEARCH_ATTRIBUTES
from runtime.configuration import load_checked

ROOT = Path(__file__).resolve().parent.parent
_POSTGRES_PORT = 5499
_READY_WITHIN = 60.0
_FORCED_AFTER = 0.5
"""A second Ctrl-C sooner than this is the same one, come twice: to us and through make."""

_BODY = '{"request":{"user":{"login":"asha.example","firstName":"Asha","lastName":"Example","userType":"Employee"}}}'


@dataclass(frozen=True)
class Options:
    """What `./hookledger dev` was asked for."""

    port: int = 8080
    query_port: int = 8081
    ui_port: int = 8233
    temporal_port: int = 7233
    json_logs: bool = False
    tls: bool = False
    root: Path = ROOT
    command: tuple[str, ...] = (sys.executable, str(ROOT / "cli.py"))
    """Runs `./hookledger`'s commands; a test gives its own."""


@dataclass
class _Stop:
    """Counts Ctrl-C and SIGTERM; the second one interrupts whatever is under way."""

    asked: float | None = field(default=None)

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        if self.asked is None:
            self.asked = time.monotonic()
        elif time.monotonic() - self.asked > _FORCED_AFTER:
            raise KeyboardInterrupt


class _StoppedError(Exception):
    """Asked to stop while starting."""


def run(options: Options) -> int:
    """Runs until Ctrl-C or SIGTERM. Exit code: 0 drained, 2 could not start (said why), 130 forced to end."""
    stop = _Stop()
    before = {
        number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    show = Screen(as_json=options.json_logs)
    directory = options.root / ".hookledger"
    try:
        with home.occupied(directory):
            return _Stack(options, directory, show, stop).run()
    except StackError as error:
        show.fail(str(error))
        return 2
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Stack:
    def __init__(self, options: Options, directory: Path, show: Screen, stop: _Stop) -> None:
        self._options = options
        self._home = directory
        self._show = show
        self._stop = stop
        self._supervisor = Supervisor(directory, show.report)
        self._rules = _Changes(())
        self._environment = {
            name: value for name, value in os.environ.items() if not name.startswith("TEMPORAL_")
        }

    def run(self) -> int:
        try:
            try:
                self._start()
                self._watch()
            except _StoppedError:
                pass
            except (StackError, OSError):
                self._supervisor.drain()
                raise
            self._show.say("Draining; Ctrl-C again ends everything at once.")
            self._supervisor.drain()
        except KeyboardInterrupt:
            self._supervisor.kill()
            self._show.say("Ended at once; the next start recovers the data.")
            return 130
        self._show.say(f"Stopped. The data stays in {self._home}.")
        return 0

    def _start(self) -> None:
        with self._show.busy("Clearing what an earlier start left"):
            home.end_leftovers(self._home)
            postgres.end_leftover(self._home)
        self._check_ports()
        with self._show.busy("Starting Postgres"):
            self._start_postgres()
        settings = self._settings()
        with self._show.busy("Starting Temporal, migrating the ledger"), self._beside("migrate") as migrated:
            self._start_temporal(settings.temporal.retention_days)
            migrated()
        tls = self._certificate(settings)
        with self._show.busy("Starting api, query and worker"):
            self._start_command("api", "--port", str(self._options.port), *self._tls_options())
            ui = ("--temporal-ui", f"http://127.0.0.1:{self._options.ui_port}")
            self._start_command("query", "--port", str(self._options.query_port), *ui, *self._tls_options())
            self._start_command("worker")
            self._wait_until_ready(tls)
        self._rules = _Changes(_files_of(settings, Path(self._environment["HOOKLEDGER_CONFIG"])))
        self._show.ready(self._ready(settings, tls))

    def _watch(self) -> None:
        relay = Relay({name: self._log(name) for name in ("api", "query", "worker")})
        while self._stop.asked is None:
            self._supervisor.look()
            if self._rules.any():
                self._supervisor.tell("api", signal.SIGHUP)
            for line in relay.lines():
                self._show.relay(line)
            time.sleep(0.1)

    def _start_postgres(self) -> None:
        remembered = self._home / "postgres.port"
        port = int(remembered.read_text(encoding="ascii")) if remembered.exists() else _POSTGRES_PORT
        if not processes.is_free(port):
            port = processes.free_port()
        remembered.write_text(str(port), encoding="ascii")
        server: list[postgres.Postgres] = []

        def start() -> postgres.Postgres:
            server.append(postgres.start(self._home, port))
            return server[-1]

        while not server:
            try:
                self._supervisor.start("postgres", start)
            except StackError:
                if processes.is_free(port):
                    raise
                # Taken between the look and the start, by another stack that began at this moment.
                port = processes.free_port()
                remembered.write_text(str(port), encoding="ascii")
        database = server[-1].database("hookledger")
        ours = {
            "HOOKLEDGER_DATABASE_URL": database.app_url,
            "HOOKLEDGER_OWNER_URL": database.owner_url,
            "HOOKLEDGER_KEEPER_URL": database.keeper_url,
            "TEMPORAL_ADDRESS": f"127.0.0.1:{self._options.temporal_port}",
            "TEMPORAL_NAMESPACE": "default",
            # The user's own profile may hold keys and TLS for a cluster elsewhere.
            "TEMPORAL_CONFIG_FILE": os.devnull,
        }
        home.write_environment(self._home, ours)
        self._environment |= ours
        if self._options.json_logs:
            self._environment["HOOKLEDGER_LOGS"] = "json"

    def _start_temporal(self, retention_days: int) -> None:
        self._go_on()
        start = partial(
            temporal.start,
            self._home,
            port=self._options.temporal_port,
            ui_port=self._options.ui_port,
            retention_days=retention_days,
            search_attributes=SEARCH_ATTRIBUTES,
        )
        self._supervisor.start("temporal", start)

    def _start_command(self, *arguments: str) -> None:
        self._go_on()
        log = self._log(arguments[0])

        def start() -> Command:
            command = (*self._options.command, *arguments)
            return Command(processes.spawn(command, log=log, env=self._environment, cwd=self._options.root))

        self._supervisor.start(arguments[0], start)

    @contextlib.contextmanager
    def _beside(self, command: str) -> Generator[Callable[[], None]]:
        """Runs a command of ours beside other things; call what it gives to wait for its success."""
        self._go_on()
        log = self._log(command)
        process = processes.spawn(
            [*self._options.command, command], log=log, env=self._environment, cwd=self._options.root
        )

        def wait() -> None:
            while process.poll() is None:
                self._go_on()
                time.sleep(0.02)
            if process.returncode:
                raise StackError(
                    f"`./hookledger {command}` failed; the end of {log}:\n{processes.tail(log, 12)}"
                )

        try:
            yield wait
        finally:
            processes.end(process)

    def _settings(self) -> configuration.Settings:
        """The configuration that the children will read, so that its mistakes are said here and once."""
        path = Path(os.environ.get("HOOKLEDGER_CONFIG") or self._options.root / "hookledger.toml").absolute()
        self._environment["HOOKLEDGER_CONFIG"] = str(path)
        ours = dict(os.environ)
        os.environ.update(self._environment)  # references of the form {env = …} are resolved from there
        try:
            return load_checked(path)
        except configuration.ConfigError as error:
            raise StackError(str(error)) from None
        finally:
            os.environ.clear()
            os.environ.update(ours)

    def _check_ports(self) -> None:
        options = self._options
        wanted = {
            "--port": options.port,
            "--query-port": options.query_port,
            "--ui-port": options.ui_port,
            "--temporal-port": options.temporal_port,
        }
        for option, port in wanted.items():
            if not processes.is_free(port):
                other = processes.free_port()
                raise StackError(
                    f"port {port} is taken{processes.holder(port)}: end that, or choose another with "
                    f'`make dev ARGS="{option} {other}"`'
                )

    def _tls_options(self) -> tuple[str, ...]:
        if not self._options.tls:
            return ()
        from dev import certificate

        pem, key = certificate.read_or_make(self._home / "tls")
        return "--certificate", str(pem), "--key", str(key)

    def _certificate(self, settings: configuration.Settings) -> Path | None:
        """What a caller of our https has to trust; None for http."""
        if options := self._tls_options():
            return Path(options[1])
        return settings.api.tls.certificate if settings.api.tls else None

    def _wait_until_ready(self, tls: Path | None) -> None:
        until = time.monotonic() + _READY_WITHIN
        trust = _trusting(tls) if tls else None
        ports = (self._options.port, self._options.query_port)
        while not all(answers(port, trust=trust) for port in ports):
            self._go_on()
            if ended := self._supervisor.ended():
                name, how = ended
                log = self._log(name)
                raise StackError(f"{name} {how}; the end of {log}:\n{processes.tail(log, 12)}")
            if time.monotonic() > until:
                raise StackError(
                    f"api or query is not ready after {_READY_WITHIN:.0f} s; see {self._log('api')}"
                )
            time.sleep(0.05)

    def _ready(self, settings: configuration.Settings, tls: Path | None) -> Ready:
        base = f"{'https' if tls else 'http'}://127.0.0.1:{self._options.port}"
        webhooks = f"{base}{settings.api.prefix}"
        trust = f"--cacert {tls} " if tls else ""
        simulate = "./hookledger simulate"
        if webhooks != "http://127.0.0.1:8080/webhook":
            simulate += f" --url {webhooks}"
        return Ready(
            webhooks=f"{webhooks}/<hook>",
            openapi=f"{base}/docs",
            ledger=f"{base.rpartition(':')[0]}:{self._options.query_port}/ledger",
            console=f"{base.rpartition(':')[0]}:{self._options.query_port}/console",
            temporal_ui=f"http://127.0.0.1:{self._options.ui_port}/namespaces/default/workflows",
            metrics=settings.metrics.addresses(),
            data=str(self._home),
            curl=(
                f"curl -i {trust}{webhooks}/postCreateUser \\",
                # Not the token itself: it would stay in the scroll-back, and soon be too old.
                '  -H "Authorization: Bearer $(./hookledger token)" \\',
                f"  -H 'Content-Type: application/json' -d '{_BODY}'",
            ),
            simulate=simulate + (f" --ca {tls}" if tls else ""),
            key='./hookledger key new --role operator --all-tenants --label "my own" --reason "a look at the ledger"',
            seconds=time.time() - psutil.Process().create_time(),
        )

    def _log(self, name: str) -> Path:
        return self._home / "logs" / f"{name}.log"

    def _go_on(self) -> None:
        if self._stop.asked is not None:
            raise _StoppedError


class _Changes:
    """Notices that files were written, by their times."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = files
        self._times = self._look()

    def any(self) -> bool:
        """Whether one was written since the last look."""
        before, self._times = self._times, self._look()
        return before != self._times

    def _look(self) -> list[float]:
        return [file.stat().st_mtime if file.exists() else 0.0 for file in self._files]


def _files_of(settings: configuration.Settings, path: Path) -> list[Path]:
    """The files that the rules stand in."""
    rules = [tenant.rules for tenant in settings.tenants.values()]
    tables = [table.csv for r in rules for table in r.tables.values() if table.csv is not None]
    return [path, *(path.parent / name for r in rules for name in r.include), *tables]


def _trusting(certificate_file: Path) -> ssl.SSLContext:
    """Trusts exactly that certificate, whatever its name and issuer."""
    context = ssl.create_default_context(cafile=certificate_file)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.check_hostname = False
    return context
