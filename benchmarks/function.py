"""The resolver against a plain handler: cold start, warm requests, asset.

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
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.asset import copy_asset
from benchmarks.measurements import Measurement
from local.emulated.api_events import form_event
from local.emulated.instant_services import services
from local.emulated.lambda_runtime import LambdaRuntime
from local.product import PRODUCT_CODE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

COLD_GOAL = 0.70
WARM_GOAL = 1.3
"""The plain handler writes one item, the resolver two."""
ASSET_GOAL_KB = 60

_PLAIN = Path(__file__).parent / "plain"
_SDK = ("awslambdaric", "boto3", "botocore", "dateutil", "jmespath", "s3transfer", "urllib3")
_EVENT = form_event({"x-amzn-marketplace-token": "b290cyBvZg+/lY2hvY29sYXRl=="})

# The variables that the construct sets, and those that Lambda does.
_ENVIRONMENT = {
    "PRODUCTS": json.dumps({PRODUCT_CODE: "https://app.example.com/signup"}),
    "REGISTRATIONS_TABLE": "registrations",
    "CLAIMS_TABLE": "claims",
    "CLAIM_TTL_SECONDS": "600",
    "MARKETPLACE_REGION": "us-east-1",
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_SESSION_TOKEN": "test",
    "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
    "AWS_LAMBDA_FUNCTION_NAME": "resolver",
    "AWS_LAMBDA_LOG_FORMAT": "JSON",
    "AWS_LAMBDA_LOG_LEVEL": "INFO",
}


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
        ours: the resolver as it ships.
        plain: the handler that one would write first.
        nothing: a handler that does nothing.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        copy_asset(folder / "ours")
        shutil.copytree(_PLAIN, folder / "plain", ignore=shutil.ignore_patterns("__pycache__"))
        self.ours = _Function("ours", folder / "ours", "resolver.main.handler")
        self.plain = _Function("plain", folder / "plain", "handler.handler")
        self.nothing = _Function("nothing", folder / "plain", "nothing.handler")
        self._environment = {**_ENVIRONMENT, **environment}
        self._folder = folder

    def start(self, function: _Function) -> _Start:
        """Start an execution environment, let it serve one request, and stop it."""
        cpu, now = _childrens_cpu(), time.perf_counter()
        with self.running(function) as runtime:
            register(runtime)
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


@contextmanager
def _bench() -> Iterator[_Bench]:
    for package in _SDK:
        compileall.compile_dir(Path(sysconfig.get_path("purelib")) / package, quiet=2)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        (folder / "ours").mkdir()
        with services(folder) as environment:
            yield _Bench(folder, environment)


def register(runtime: LambdaRuntime) -> None:
    """Let an execution environment register a buyer.

    Raises:
        RuntimeError: the buyer was not redirected.
    """
    response = runtime.invoke(_EVENT).response
    if response is None or response["statusCode"] != 303:  # noqa: PLR2004 - the redirect
        raise RuntimeError("the response is not a redirect")


def _childrens_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _cpu(runtime: LambdaRuntime) -> float:
    # Has nanoseconds; the usual counters have hundredths of a second.
    tasks = Path(f"/proc/{runtime.pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def measure_cold(*, pairs: int) -> list[Measurement]:
    """Measure from the start of the process to the first response.

    Args:
        pairs: how often each is started.
    """
    with _bench() as bench:
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
        Measurement.of("CPU to the first response, ours / plain", ratios, at_most=COLD_GOAL),
        Measurement.of("Time to the first response, ours / plain", elapsed),
        *(
            Measurement.of(name, [starts[function].cpu * 1000 for starts in rounds], "ms")
            for function, name in names.items()
        ),
    ]


def measure_warm(*, rounds: int, requests: int) -> list[Measurement]:
    """Measure requests in execution environments that have started.

    Args:
        rounds: how often the two take turns.
        requests: how many each serves per turn.
    """
    cpu: dict[str, list[float]] = {"plain": [], "ours": []}
    rate: dict[str, list[float]] = {"plain": [], "ours": []}
    with _bench() as bench, ExitStack() as running:
        runtimes = {
            function.name: running.enter_context(bench.running(function)) for function in (bench.plain, bench.ours)
        }
        for turn in range(1 + rounds):
            for name, runtime in runtimes.items():
                before, now = _cpu(runtime), time.perf_counter()
                for _ in range(requests):
                    register(runtime)
                # The first turn warms up.
                if turn:
                    cpu[name].append((_cpu(runtime) - before) / requests)
                    rate[name].append(requests / (time.perf_counter() - now))
    ratios = [ours / plain for ours, plain in zip(cpu["ours"], cpu["plain"], strict=True)]
    return [
        Measurement.of("CPU per request, ours / plain", ratios, at_most=WARM_GOAL),
        Measurement.of("CPU per request, plain handler", [seconds * 1000 for seconds in cpu["plain"]], "ms"),
        Measurement.of("CPU per request, ours", [seconds * 1000 for seconds in cpu["ours"]], "ms"),
        Measurement.of("Requests per execution environment, plain handler", rate["plain"], "/s"),
        Measurement.of("Requests per execution environment, ours", rate["ours"], "/s"),
    ]


def measure_asset() -> list[Measurement]:
    """Measure the asset as it is uploaded."""
    archive = io.BytesIO()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        asset = Path(name) / "asset"
        copy_asset(asset)
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
