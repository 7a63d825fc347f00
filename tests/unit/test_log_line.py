from __future__ import annotations

import pytest

from resolver.errors import StoreUnavailableError
from resolver.log_line import LogLine


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> LogLine:
    seconds = iter([100.0, 100.0123456])
    monkeypatch.setattr("time.perf_counter", lambda: next(seconds))
    return LogLine(route="POST /claim", api_request_id="id")


def test_a_call_is_timed_in_tenths_of_a_millisecond(line: LogLine) -> None:
    with line.timed("read_claim"):
        pass

    assert line.milliseconds == {"read_claim": 12.3}


def test_a_call_that_fails_is_timed_too(line: LogLine) -> None:
    with pytest.raises(StoreUnavailableError), line.timed("read_claim"):
        raise StoreUnavailableError

    assert line.milliseconds == {"read_claim": 12.3}


def test_attributes_of_a_buyer_that_are_not_public_fields_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    line = LogLine(route="POST /claim", api_request_id="id", buyer={"ProductCode": "product", "Secret": "x"})

    line.write(500)

    (record,) = caplog.records
    assert vars(record)["ProductCode"] == "product"
    assert "Secret" not in vars(record)
