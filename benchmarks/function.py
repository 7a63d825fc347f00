"""Each function against a plain handler that makes the same calls: cold start, warm, asset.

Each runs under the Lambda runtime's own client in a separate process, with the SDK compiled as in the runtime, and
calls services over TLS. They take turns, so that noise on the machine affects all alike; the ratio is what counts.
"""

from __future__ import annotations

import compileall
import io
import json
import resource
import shutil
import sysconfig
import tempfile
import time
import zipfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.asset import copy_asset
from benchmarks.batches import queue_batch, stream_batch
from benchmarks.measurements import Measurement
from constructs_lib.registration._resolver import RESOLVER
from constructs_lib.subscriptions._functions import PUBLISHER, SUBSCRIBER
from local.emulated.api_events import form_event
from local.emulated.instant_services import services
from local.emulated.lambda_runtime import LambdaRuntime
from local.product import PRODUCT_CODE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from constructs_lib.functions._asset import FunctionAsset

    _Event = Mapping[str, Any]

ASSET_GOAL_KB = 60

_PLAIN = Path(__file__).parent / "plain"
_SDK = ("awslambdaric", "boto3", "botocore", "dateutil", "jmespath", "s3transfer", "urllib3")

# The variables that Lambda sets.
_ENVIRONMENT = {
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_SESSION_TOKEN": "test",
    "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
    "AWS_LAMBDA_LOG_FORMAT": "JSON",
    "AWS_LAMBDA_LOG_LEVEL": "INFO",
}


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A function, and how it is measured.

    Attributes:
        asset: what ships.
        plain: module in ``benchmarks/plain``: the handler that one would write first.
        unit: what an invocation is for.
        event: an invocation for one of them.
        response: members of the response to each event.
        environment: the variables that the construct sets.
        cold_goal: for the CPU of a cold start, relative to the plain handler's.
        warm_goal: for the CPU of an invocation, relative to the plain handler's.
        batches: makes the event for several at once, or None if an invocation is for one only.
        batch: the most that the construct lets Lambda give to one invocation.
    """

    asset: FunctionAsset
    plain: str
    unit: str
    event: _Event
    response: Mapping[str, object]
    environment: Mapping[str, str]
    cold_goal: float
    warm_goal: float
    batches: Callable[[int], _Event] | None = None
    batch: int = 1


SUBJECTS = (
    Subject(
        asset=RESOLVER,
        plain="resolve",
        unit="request",
        event=form_event({"x-amzn-marketplace-token": "b290cyBvZg+/lY2hvY29sYXRl=="}),
        response={"statusCode": 303},
        environment={
            "PRODUCTS": json.dumps({PRODUCT_CODE: "https://app.example.com/signup"}),
            "REGISTRATIONS_TABLE": "registrations",
            "CLAIMS_TABLE": "claims",
            "CLAIM_TTL_SECONDS": "600",
            "MARKETPLACE_REGION": "us-east-1",
        },
        cold_goal=0.70,
        # The plain handler writes one item, the resolver two.
        warm_goal=1.3,
    ),
    Subject(
        asset=SUBSCRIBER,
        plain="subscribe",
        unit="event",
        event=queue_batch(1),
        response={"batchItemFailures": []},
        environment={
            "PRODUCTS": json.dumps([PRODUCT_CODE]),
            "REGISTRATIONS_TABLE": "registrations",
            "ENTITLEMENTS_REGION": "us-east-1",
        },
        cold_goal=0.80,
        warm_goal=1.1,
        batches=queue_batch,
        batch=10,
    ),
    Subject(
        asset=PUBLISHER,
        plain="publish",
        unit="event",
        event=stream_batch(1),
        response={"batchItemFailures": []},
        environment={"REGISTRATIONS_TABLE": "registrations", "EVENT_BUS": "default"},
        cold_goal=0.80,
        warm_goal=1.1,
        batches=stream_batch,
        batch=100,
    ),
)


class _Function(NamedTuple):
    name: str
    asset: Path
    handler: str


class _Start(NamedTuple):
    cpu: float
    elapsed: float


class _Bench:
    """Runs the functions to compare.

    Attributes:
        ours: the function as it ships.
        plain: the handler that one would write first.
        nothing: a handler that does nothing.
    """

    def __init__(self, subject: Subject, folder: Path, environment: Mapping[str, str]) -> None:
        copy_asset(subject.asset, folder / "ours")
        shutil.copytree(_PLAIN, folder / "plain", ignore=shutil.ignore_patterns("__pycache__"))
        package = subject.asset.package
        self.ours = _Function("ours", folder / "ours", f"{package}.main.handler")
        self.plain = _Function("plain", folder / "plain", f"{subject.plain}.handler")
        self.nothing = _Function("nothing", folder / "plain", "nothing.handler")
        self._subject = subject
        self._environment = {
            **_ENVIRONMENT,
            "AWS_LAMBDA_FUNCTION_NAME": package,
            **subject.environment,
            **environment,
        }
        self._folder = folder

    def start(self, function: _Function) -> _Start:
        """Start an execution environment, let it handle one event, and stop it."""
        cpu, now = _childrens_cpu(), time.perf_counter()
        with self.running(function) as runtime:
            self.invoke(runtime)
            elapsed = time.perf_counter() - now
        return _Start(_childrens_cpu() - cpu, elapsed)

    def running(self, function: _Function) -> LambdaRuntime:
        """Return an execution environment of the function, not yet entered."""
        return LambdaRuntime(
            function.asset,
            handler=function.handler,
            environment=self._environment,
            timeout=30,
            printed=self._folder / f"{function.name}.log",
        )

    def invoke(self, runtime: LambdaRuntime, event: _Event | None = None) -> None:
        """Let an execution environment handle an event, by default the subject's.

        Raises:
            RuntimeError: it failed.
        """
        response = runtime.invoke(event or self._subject.event).response or {}
        if not all(response.get(name) == value for name, value in self._subject.response.items()):
            raise RuntimeError(f"the {self._subject.asset.package} or its plain handler responded {response}")


@cache
def _compile_sdk() -> None:
    for package in _SDK:
        compileall.compile_dir(Path(sysconfig.get_path("purelib")) / package, quiet=2)


@contextmanager
def _bench(subject: Subject) -> Iterator[_Bench]:
    _compile_sdk()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        (folder / "ours").mkdir()
        with services(folder) as environment:
            yield _Bench(subject, folder, environment)


def _childrens_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _cpu(runtime: LambdaRuntime) -> float:
    # Has nanoseconds; the usual counters have hundredths of a second.
    tasks = Path(f"/proc/{runtime.pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def measure_cold(subject: Subject, *, pairs: int) -> list[Measurement]:
    """Measure from the start of the process to the first response.

    Args:
        subject: the function.
        pairs: how often each is started.
    """
    with _bench(subject) as bench:
        functions = (bench.plain, bench.ours, bench.nothing)
        # The first start also pays for what is cold on the machine itself, such as files that are not in memory yet.
        for function in functions:
            bench.start(function)
        rounds = [{function: bench.start(function) for function in functions} for _ in range(pairs)]
    ratios = [starts[bench.ours].cpu / starts[bench.plain].cpu for starts in rounds]
    elapsed = [starts[bench.ours].elapsed / starts[bench.plain].elapsed for starts in rounds]
    names = {
        bench.plain: "CPU to the first response, plain handler",
        bench.ours: "CPU to the first response, ours",
        bench.nothing: "… of which a no-op handler takes",
    }
    return [
        Measurement.of("CPU to the first response, ours / plain", ratios, at_most=subject.cold_goal),
        Measurement.of("Time to the first response, ours / plain", elapsed),
        *(
            Measurement.of(name, [starts[function].cpu * 1000 for starts in rounds], "ms")
            for function, name in names.items()
        ),
    ]


def measure_warm(subject: Subject, *, rounds: int, invocations: int) -> list[Measurement]:
    """Measure invocations of execution environments that have started.

    Args:
        subject: the function.
        rounds: how often the two take turns.
        invocations: how many each serves per turn, and how many events if it gets them in full batches.
    """
    with _bench(subject) as bench:
        measurements = _warm(bench, subject.unit, [subject.event] * invocations, rounds=rounds, goal=subject.warm_goal)
        if subject.batches:
            full = [subject.batches(subject.batch)] * -(-invocations // subject.batch)
            measurements += _warm(bench, subject.unit, full, rounds=rounds, batch=subject.batch)
    return measurements


def _warm(
    bench: _Bench, unit: str, events: Sequence[_Event], *, rounds: int, batch: int = 1, goal: float | None = None
) -> list[Measurement]:
    cpu: dict[str, list[float]] = {"plain": [], "ours": []}
    rate: dict[str, list[float]] = {"plain": [], "ours": []}
    units = len(events) * batch
    with ExitStack() as running:
        runtimes = {
            function.name: running.enter_context(bench.running(function)) for function in (bench.plain, bench.ours)
        }
        for turn in range(1 + rounds):
            for name, runtime in runtimes.items():
                before, now = _cpu(runtime), time.perf_counter()
                for event in events:
                    bench.invoke(runtime, event)
                # The first turn warms up.
                if turn:
                    cpu[name].append((_cpu(runtime) - before) / units)
                    rate[name].append(units / (time.perf_counter() - now))
    ratios = [ours / plain for ours, plain in zip(cpu["ours"], cpu["plain"], strict=True)]
    batches = f" in batches of {batch}" if batch > 1 else ""
    return [
        Measurement.of(f"CPU per {unit}{batches}, ours / plain", ratios, at_most=goal),
        Measurement.of(f"CPU per {unit}{batches}, plain handler", [seconds * 1000 for seconds in cpu["plain"]], "ms"),
        Measurement.of(f"CPU per {unit}{batches}, ours", [seconds * 1000 for seconds in cpu["ours"]], "ms"),
        Measurement.of(f"{unit.capitalize()}s per execution environment{batches}, plain handler", rate["plain"], "/s"),
        Measurement.of(f"{unit.capitalize()}s per execution environment{batches}, ours", rate["ours"], "/s"),
    ]


def measure_asset(function: FunctionAsset) -> list[Measurement]:
    """Measure an asset as it is uploaded."""
    archive = io.BytesIO()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        asset = Path(name) / "asset"
        copy_asset(function, asset)
        files = [path for path in asset.rglob("*") if path.is_file()]
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
            for path in files:
                zipped.write(path, path.relative_to(asset))
        size = sum(path.stat().st_size for path in files)
    return [
        Measurement(name="Zipped", value=archive.tell() / 1000, unit="KB", at_most=ASSET_GOAL_KB),
        Measurement(name="Unzipped", value=size / 1000, unit="KB"),
        Measurement(name="Files", value=len(files)),
    ]
