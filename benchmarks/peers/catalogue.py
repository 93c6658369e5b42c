"""Which queues can be measured, what starts each, and how fast each is, about."""

from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

#: Environments of the peers: made once by `python -m benchmarks setup`, then kept.
ENVIRONMENTS = ROOT / ".devstack" / "bench"

NODE_PEER = Path("benchmarks/peers/bullmq-node")


class Pace(IntEnum):
    """How many jobs a run may take, in percent, so that runs of slow queues end too."""

    SLOW = 3
    MEDIUM = 10
    FAST = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Peer:
    """One queue library."""

    #: As `--peers` and the reports write it, and the name of its environment.
    name: str
    #: Module of its program; None for the one on Node.
    module: str | None
    pace: Pace = Pace.MEDIUM
    #: Settings by name; the first is its best documented one.
    settings: tuple[str, ...] = ("best",)
    #: Whose environment it uses, when not its own.
    environment: str | None = None

    @property
    def home(self) -> Path:
        """The folder of its environment."""
        return ENVIRONMENTS / (self.environment or self.name)

    @property
    def interpreter(self) -> Path:
        """What runs its program; exists once its environment has been made."""
        return self.home / "bin" / "python"

    def command(self, setting: str) -> list[str]:
        """The argv of its program, for the repository as working folder."""
        if self.module is None:
            return ["node", str(NODE_PEER / "peer.cjs"), setting]
        return [str(self.interpreter), "-m", f"benchmarks.peers.{self.module}", setting]

    def environ(self) -> dict[str, str]:
        """Variables that its program needs to find our code and its own."""
        return {
            "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}",
            "NODE_PATH": str(self.home / "node_modules"),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Contender:
    """A peer with one of its settings: a column of the results."""

    peer: Peer
    setting: str

    @property
    def label(self) -> str:
        """`saq`, or `vqueue:defaults` for a setting that is not the best one."""
        if self.setting == self.peer.settings[0]:
            return self.peer.name
        return f"{self.peer.name}:{self.setting}"


#: The one that ratios are taken to.
REFERENCE = "bullmq-node"

PEERS = {
    peer.name: peer
    for peer in (
        Peer(
            name="vqueue",
            module="vqueue_peer",
            pace=Pace.FAST,
            settings=("best", "no-busy-poll", "defaults"),
        ),
        Peer(name=REFERENCE, module=None, pace=Pace.FAST),
        Peer(name="saq", module="saq_peer"),
        Peer(name="taskiq-redis", module="taskiq_redis_peer", settings=("best", "no-results")),
        Peer(name="bullmq-py", module="bullmq_py_peer"),
        Peer(name="streaq", module="streaq_peer"),
        Peer(name="arq", module="arq_peer", settings=("best", "defaults")),
        Peer(name="dramatiq", module="dramatiq_peer"),
        Peer(name="rq", module="rq_peer", pace=Pace.SLOW),
        Peer(name="celery", module="celery_peer", pace=Pace.SLOW),
    )
}

#: What Redis itself can do with vqueue's commands: measured like a peer, no queue.
LIMIT = Peer(name="redis-limit", module="limit_peer", pace=Pace.FAST, environment="vqueue")


#: vqueue's mirror: a helper of scenarios, no contender.
MIRROR = Peer(name="vqueue-mirror", module="mirror_peer", environment="vqueue")


def contender(label: str) -> Contender:
    """Read `name` or `name:setting`; raises ValueError with the names that there are."""
    name, _, setting = label.partition(":")
    known = PEERS | {LIMIT.name: LIMIT}
    if name not in known:
        raise ValueError(f"no peer {name!r}; there are {', '.join(sorted(known))}")
    peer = known[name]
    chosen = setting or peer.settings[0]
    if chosen not in peer.settings:
        raise ValueError(f"{name} has no setting {chosen!r}; it has {', '.join(peer.settings)}")
    return Contender(peer=peer, setting=chosen)
