"""What is seen of the listener on which the ledger is asked: whether its store answers."""

from ledger.engine import Engine, reading, statements
from ledger.figures import reached
from runtime.seeing.listener import Checks
from runtime.seeing.meters import Meters


class Asked:
    """Of one such process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.checks: Checks = {}

    async def reach(self) -> None:
        """Whether the store is there."""
        async with reading(self._engine) as connection:
            await reached(await statements(connection))

    async def read(self) -> None:
        """Nothing: a worker asks for figures."""

    def goes_on(self) -> bool:
        """There is nothing to tell without the store."""
        return False

    def register(self, meters: Meters) -> None:
        """No numbers of its own yet."""

    async def run(self) -> None:
        """Nothing beside."""
