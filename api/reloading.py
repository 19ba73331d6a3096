"""SIGHUP: other rules and other keys of tokens from the next call on, all of them or none."""

import asyncio
import logging
import signal

from api.receive import Receiver
from runtime.configuration import compiled, load_checked
from settings import ConfigError, Settings
from settings.mistakes import TableError, dotted

log = logging.getLogger(__name__)


class Reloading:
    """Reads the configuration again when told to. Of the tenants all is taken from it: rules, how is answered, which
    keys verify tokens. What is bound to the process (listener, store, a new tenant) waits for a restart."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[bool]] = set()

    def listen(self) -> None:
        """From now on, SIGHUP reloads."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._begin)

    def _begin(self) -> None:
        task = asyncio.create_task(self.reload())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def reload(self) -> bool:
        """Whether the new rules decide from now on; if not, the log says why, and those before go on."""
        async with self._lock:
            before = self._receiver.settings
            try:
                read = await asyncio.to_thread(load_checked)
                settings = _with_tenants(before, read)
                policies = await asyncio.to_thread(compiled, settings)
            except ConfigError as wrong:
                for line in str(wrong).splitlines():
                    log.error("rules not loaded, those before go on: %s", line)
                return False
            except Exception as wrong:  # a file of decisions/ that does not import, say
                log.error("rules not loaded, those before go on: %s", type(wrong).__name__)
                return False
            try:
                self._receiver.use(settings, policies)
            except ConfigError as wrong:
                log.error("keys not loaded, rules and keys before go on: %s", wrong)
                return False
        for name, tenant in settings.tenants.items():
            if tenant.token != before.tenants[name].token:
                names = ", ".join(key.name for key in tenant.token.keys) or "none, by proof"
                log.info("token keys loaded: tenant %s, keys %s", name, names)
        for tenant, policy in policies.items():
            log.info("rules loaded: tenant %s, hash %s", tenant, policy.hash)
        for tenant in sorted(read.tenants.keys() ^ before.tenants.keys()):
            log.warning("tenant %s came or went: restart the api for it", tenant)
        return True


def _with_tenants(before: Settings, read: Settings) -> Settings:
    """The settings before, each of their tenants as read now. Raises ConfigError if the two do not go together."""
    tenants = {name: read.tenants.get(name, tenant) for name, tenant in before.tenants.items()}
    settings = before.model_copy(update={"tenants": tenants})
    try:
        settings.check_lists()
    except TableError as wrong:
        at = ", ".join(dotted(where) for where, _ in wrong.found)
        words = f"{at}: {wrong.found[0][1]}. It is as at the start: restart the api for a new one"
        raise ConfigError(words) from None
    return settings
