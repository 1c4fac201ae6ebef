"""The backend on a Ray cluster, or on one of our own on this machine; the only file that imports Ray.

Ray places and starts workers, and tells when one is gone. What goes to them and comes back is JSON text.
"""

import json
import logging
import signal
import tempfile
import threading
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from foveal.backends import _calling, _ray_address, _ray_far
from foveal.backends._pool import three_attempts
from foveal.backends._ray_pool import RayPool, check_versions, no_room
from foveal.core.errors import MissingExtraError, TemporaryError, UsageError
from foveal.core.extras import need
from foveal.core.machine import usable_cpus
from foveal.core.work import Backend, Json, Lost, Node, Receipt, Resources

_ONE_CPU = Resources()
_STORE_BYTES = 80 << 20  # about the least that Ray takes; only short texts go through it
_STEP_S = 300  # a rank that is silent for so long within a step is lost, as in `train.ranks`
_LOOK_S = 0.5
_IMPOSSIBLE_S = 10.0  # without room for a group: until then a node that died is noticed, and another may come


def ray(address: str | None = None) -> Backend:
    """Return a backend whose workers are placed by Ray.

    Args:
        address: `HOST:PORT` of the head of a cluster; None: what RAY_ADDRESS says, or a cluster of our own on
            this machine, which ends with the backend.

    Raises:
        MissingExtraError: Ray is not installed.
        UsageError: The address is none, is elsewhere and used without a token (`no_token`), the cluster has
            other versions (`other_versions`), or this process is connected to a cluster already.
        TemporaryError: No cluster answers there (`no_cluster`).
    """
    need("ray", what="the backend ray")
    found = _ray_address.chosen(address)
    _ray_address.prepare(own=found is None)
    return _Ray(found)


class _Ray:
    name = "ray"

    def __init__(self, address: str | None) -> None:
        import ray as engine  # after the environment was prepared, and by nobody who does not use it

        if engine.is_initialized():
            raise UsageError(
                "this process is connected to a Ray cluster already",
                hint="call ray.shutdown(), or close the other backend",
            )
        self._engine: Any = engine
        self._running: list[RayPool] = []
        _connect(engine, address)

    def map(
        self,
        tasks: Iterable[Any],
        *,
        init: Any = None,
        workers: int,
        resources: Resources = _ONE_CPU,
        lost: Lost | None = None,
    ) -> Iterator[Receipt]:
        """Yield one receipt for each task; see `Backend.map`.

        Raises:
            UsageError: A node has other versions than this machine.
        """
        if workers < 1:
            raise UsageError(f"workers is at least 1; got {workers}")
        return self._map(
            tasks, RayPool(self._engine, self._cpus, workers, resources, init), lost or three_attempts
        )

    def _map(self, tasks: Iterable[Any], pool: RayPool, lost: Lost) -> Iterator[Receipt]:
        self._running.append(pool)
        try:
            yield from pool.run(tasks, lost)
        finally:
            pool.kill()
            self._running.remove(pool)

    def group(
        self,
        entry: str,
        spec: Mapping[str, Json],
        *,
        world: int,
        resources: Resources = _ONE_CPU,
        max_restarts: int = 3,
    ) -> Receipt:
        """Return how the first rank ended; see `Backend.group`. Ray Train starts and restarts the ranks.

        Where a rank raises what is none of our errors, or a TemporaryError, all begin again, too.

        Raises:
            TemporaryError: The cluster has no room for all ranks, or no longer has (`no_worker`).
            MissingExtraError: Ray is installed without Ray Train.
        """
        if world < 1:
            raise UsageError(f"world is at least 1; got {world}")
        self.describe()
        engine = self._engine
        nearby = engine.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            engine.get_runtime_context().get_node_id(), soft=False
        )
        # On this node: it is there as long as anybody wants to know.
        record = engine.remote(_ray_far.Record).options(num_cpus=0, scheduling_strategy=nearby).remote()
        config = {"entry": entry, "spec": json.dumps(dict(spec)), "record": record}
        with tempfile.TemporaryDirectory(prefix="foveal-ray-") as folder:
            trainer = _trainer(config, world, resources, max_restarts, folder)
            # In a thread, so that signals stay ours: on Ctrl-C Ray Train would exit with 0.
            errors: list[BaseException] = []
            thread = threading.Thread(
                target=_fit, args=(trainer, errors), name="foveal-ray-train", daemon=True
            )
            thread.start()
            self._wait(thread, world, resources)
        told = json.loads(engine.get(record.told.remote()))
        engine.kill(record)
        if told["attempt"] == 0:  # not one rank was ever begun
            why = str(errors[0]).splitlines()[0] if errors else "it does not say why"
            raise TemporaryError(
                f"Ray Train could not begin: {why}", code="no_worker", hint="Ray's logs say more"
            )
        return Receipt("group", told["outcome"], told["attempt"], told["node"], told["detail"])

    def _wait(self, thread: threading.Thread, world: int, resources: Resources) -> None:
        roomy = time.monotonic()
        while thread.is_alive():
            nodes = self._cpus()
            if sum(int(cpus // resources.cpus) for cpus in nodes) >= world:
                roomy = time.monotonic()
            elif time.monotonic() - roomy > _IMPOSSIBLE_S:
                self.close()  # the only way to make Ray Train give up
                raise no_room(world, resources.cpus, nodes)
            thread.join(_LOOK_S)

    def _cpus(self) -> list[float]:
        return [node["Resources"].get("CPU", 0.0) for node in self._engine.nodes() if node["Alive"]]

    def describe(self) -> list[Node]:
        """Return the machines of the cluster.

        Raises:
            UsageError: One of them has other versions than this machine (`other_versions`).
        """
        engine = self._engine
        alive = [node for node in engine.nodes() if node["Alive"]]
        strategy = engine.util.scheduling_strategies.NodeAffinitySchedulingStrategy
        look = engine.remote(_ray_far.look)
        told = [
            look.options(num_cpus=0, scheduling_strategy=strategy(node["NodeID"], soft=False)).remote()
            for node in alive
        ]
        nodes = []
        for node, one in zip(alive, told, strict=True):
            if (versions := _versions(engine, one)) is not None:
                name, cpus = f"{node['NodeName']} {node['NodeID'][:8]}", node["Resources"].get("CPU", 0.0)
                nodes.append(Node(name, cpus, versions))
        check_versions({node.name: dict(node.versions) for node in nodes})
        return nodes

    def close(self) -> None:
        """End our workers, and the cluster where it is ours."""
        for pool in self._running:
            pool.kill()
        self._engine.shutdown()


def _connect(engine: Any, address: str | None) -> None:
    """Connect this process; signals go where they went before."""
    quiet = {
        "include_dashboard": False,
        "log_to_driver": False,
        "logging_level": logging.ERROR,
        "configure_logging": True,
    }
    if address is None:
        options = {
            **quiet,
            "address": "local",
            "num_cpus": usable_cpus(),
            "object_store_memory": _STORE_BYTES,
        }
    else:
        options = {**quiet, "address": address}
    main = threading.current_thread() is threading.main_thread()
    handlers = (
        {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)} if main else {}
    )
    try:
        engine.init(**options)
    except engine.exceptions.AuthenticationError as error:
        raise UsageError(
            f"the Ray cluster at {address} does not take our token",
            code="no_token",
            hint="set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH as on its head",
        ) from error
    except (ConnectionError, RuntimeError) as error:
        code = "other_versions" if "ersion" in str(error) else "no_cluster"
        kind = UsageError if code == "other_versions" else TemporaryError
        raise kind(
            f"cannot connect to the Ray cluster: {error}",
            code=code,
            hint="is RAY_AUTH_TOKEN that of its head, and are the versions the same? See docs/cluster.md",
        ) from error
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _versions(engine: Any, reference: Any) -> dict[str, str] | None:
    """Return what a node told, or that foveal is missing there; None: it has died, unseen by Ray."""
    try:
        told: dict[str, str] = json.loads(engine.get(reference))
    except engine.exceptions.RayTaskError:  # the function could not be found
        return {"foveal": "missing"}
    except engine.exceptions.RayError:
        return None
    return told


def _trainer(config: dict[str, Any], world: int, resources: Resources, max_restarts: int, folder: str) -> Any:
    """Return what Ray Train runs; its own files, of which we need none, go to a folder that is removed."""
    try:
        from ray.train import FailureConfig, RunConfig, ScalingConfig
        from ray.train.torch import TorchConfig, TorchTrainer
    except ImportError as error:
        raise MissingExtraError("training on Ray", "ray") from error
    logging.getLogger("ray.train").setLevel(logging.CRITICAL)  # what is said is said by us
    return TorchTrainer(
        _rank,
        train_loop_config=config,
        torch_config=TorchConfig(backend="gloo", timeout_s=_STEP_S),
        scaling_config=ScalingConfig(num_workers=world, resources_per_worker={"CPU": resources.cpus}),
        run_config=RunConfig(
            storage_path=folder, name="group", failure_config=FailureConfig(max_failures=max_restarts)
        ),
    )


def _fit(trainer: Any, errors: list[BaseException]) -> None:
    with warnings.catch_warnings(action="ignore"):  # about settings of its own that it does not like
        try:
            trainer.fit()
        # Where a rank was begun, the record says how it ended. Ray ends what waits for a closed cluster with
        # a SystemExit.
        except (Exception, SystemExit) as error:
            errors.append(error)


def _rank(config: dict[str, Any]) -> None:
    """Run as one of the ranks, in a worker of Ray Train."""
    import ray as engine
    from ray.train import get_context

    rank, record = get_context().get_world_rank(), config["record"]
    if engine.get(record.begin.remote(rank, _ray_far.here())):
        return
    try:
        detail = _calling.function(config["entry"])(json.loads(config["spec"]))
        text = json.dumps(detail, allow_nan=False)
    except Exception as error:
        told = _calling.problem(error)
        over = told["exit_code"] not in (None, TemporaryError.exit_code)
        engine.get(record.end.remote("failed", json.dumps(told), over))
        raise  # or the other ranks would wait for this one
    if rank == 0:
        engine.get(record.end.remote("done", text, True))
