"""The lanes of one person: what waits, what runs, what may run next. Plain data, no Temporal in it."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ledger.plan import Item, Plan, Ref


@dataclass
class Lane:
    """Work of one activity (and application), in order of the deliveries."""

    name: str
    waiting: list[Item] = field(default_factory=list[Item])
    running: list[Item] = field(default_factory=list[Item])
    single: set[Ref] = field(default_factory=set[Ref])
    """Work whose batch gave up: handed over one by one."""
    held: bool = False


@dataclass
class Lanes:
    """Every lane of one run. Only this says what is pending; tasks come and go."""

    by_name: dict[str, Lane] = field(default_factory=dict[str, Lane])
    open: dict[Ref, Item] = field(default_factory=dict[Ref, Item])
    settled: int = 0
    just_settled: set[Ref] = field(default_factory=set[Ref])
    """Settled since the last take began: what that take may still show as open."""

    @property
    def idle(self) -> bool:
        """Nothing waits or runs."""
        return not self.open

    def admit(self, items: Iterable[Item]) -> list[Lane]:
        """Takes in what is new, in order; gives the lanes that got something."""
        touched: dict[str, Lane] = {}
        for item in items:
            if item.ref in self.open or item.ref in self.just_settled:
                continue
            lane = self.by_name.setdefault(item.lane, Lane(item.lane))
            if lane.held:
                continue
            self.open[item.ref] = item
            lane.waiting.append(item)
            touched[lane.name] = lane
        for lane in touched.values():
            lane.waiting.sort(key=lambda i: i.seq)
        return list(touched.values())

    def next_batch(self, lane: Lane) -> list[Item]:
        """Moves the next call's work from waiting to running. Empty: nothing is ready."""
        ready: list[Item] = []
        for item in lane.waiting:
            if not self._ready(item):
                break
            plan = Plan.from_row(item.plan)
            if ready and (item.ref in lane.single or len(ready) >= Plan.from_row(ready[0].plan).batch):
                break
            ready.append(item)
            if item.ref in lane.single or plan.batch == 1:
                break
        lane.waiting = lane.waiting[len(ready) :]
        lane.running = ready
        return ready

    def ready(self, lane: Lane) -> bool:
        """Whether the lane's next work need not wait for another activity."""
        return not lane.waiting or self._ready(lane.waiting[0])

    def _ready(self, item: Item) -> bool:
        after = Plan.from_row(item.plan).after
        return after is None or Ref(item.ref.delivery, after) not in self.open

    def close(self, lane: Lane, items: Iterable[Item]) -> None:
        """These have settled."""
        for item in items:
            self.open.pop(item.ref, None)
            self.just_settled.add(item.ref)
            self.settled += 1
        lane.running = []

    def put_back(self, lane: Lane, items: list[Item]) -> None:
        """A batch gave up: its work goes to the front of the lane again, one by one."""
        lane.single.update(i.ref for i in items)
        lane.waiting = [*items, *lane.waiting]
        lane.running = []

    def hold(self, lane: Lane) -> None:
        """A failure holds the lane: what waits in it stays in the store, for a later run."""
        lane.held = True
        for item in lane.waiting:
            self.open.pop(item.ref, None)
        lane.waiting = []

    def table(self) -> str:
        """What is pending, in Markdown, for the Temporal UI."""
        if not self.open:
            return "Nothing is pending."
        lines = ["| delivery | hook | activity | application | state |", "| --- | --- | --- | --- | --- |"]
        for lane in self.by_name.values():
            for state, items in (("running", lane.running), ("waiting", lane.waiting)):
                lines += [
                    f"| {i.seq} | {i.hook} | {i.ref.activity} | {i.application or ''} | {state} |"
                    for i in items
                ]
        return "\n".join(lines[:60])
