"""What subscriptions add to a dashboard, and its picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from aws_cdk.assertions import Template

from constructs_lib import RegistrationDashboard
from constructs_lib.subscriptions._outcomes import EVENTS, PUBLISHED, UNPUBLISHED
from constructs_lib.subscriptions._signals import SIGNALS, Graph
from docs.draw_dashboard import subscriptions_body
from publisher.log_line import FIELDS as PUBLISHER_FIELDS
from subscriber.log_line import FIELDS as SUBSCRIBER_FIELDS
from subscriber.log_line import OUTCOMES
from tests.infrastructure.stacks import register, subscribe
from tests.infrastructure.test_dashboard import metrics, widgets
from tests.infrastructure.test_runbook import RECONCILER_FIELDS, fields_of

if TYPE_CHECKING:
    from aws_cdk import Stack

DOCS = Path(__file__).parents[2] / "docs"


def with_dashboard(stack: Stack, **parameters: Any) -> dict[str, dict[str, Any]]:
    """Return the widgets that subscriptions add, by title."""
    registration = register(stack)
    dashboard = RegistrationDashboard(stack, "Dashboard", registration=registration).dashboard
    subscribe(stack, registration, **parameters).add_to_dashboard(dashboard)
    every = list(widgets(stack).items())
    titles = [title for title, _ in every]
    return dict(every[titles.index("Lost buyers") + 1 :])


def test_subscriptions_are_shown_below_the_buyers_from_the_alarms_to_the_single_event(stack: Stack) -> None:
    assert list(with_dashboard(stack)) == [
        "Subscriptions: alarms",
        "Subscriptions in the selected time range",
        "Registered, ready and ended, per hour",
        "Attempts at events by outcome, per hour",
        *(graph.value for graph in (Graph.EVENTS, Graph.ENTITLEMENTS, Graph.PUBLICATIONS)),
        *(graph.value for graph in (Graph.AGE, Graph.PUBLICATION_AGE, Graph.FUNCTIONS, Graph.DEAD)),
        *(graph.value for graph in (Graph.MISSED, Graph.LOST, Graph.RECONCILIATIONS)),
        "Last failed events and advisories",
        "Last failed publications",
        "Last lost buyers",
        "Last missed events",
    ]


def test_without_reconciliation_nothing_of_it_is_shown(stack: Stack) -> None:
    shown = with_dashboard(stack, reconciliation=False)

    assert not [title for title in shown if "econciliation" in title or "lost" in title or "missed" in title]


def test_every_metric_of_the_logs_and_of_every_alarm_is_drawn(stack: Stack) -> None:
    drawn = {path[1] for path in metrics(with_dashboard(stack).values())}
    watched = {
        alarm["Properties"]["MetricName"]
        for name, alarm in Template.from_stack(stack).find_resources("AWS::CloudWatch::Alarm").items()
        if name.startswith("Subscriptions")
    }

    assert drawn == {*EVENTS, *UNPUBLISHED, *PUBLISHED, *watched, "Registrations"}


def test_every_alarms_metric_is_drawn_against_its_threshold(stack: Stack) -> None:
    shown = with_dashboard(stack)

    for signal in SIGNALS.values():
        graph = shown[signal.graph]
        assert signal.label in [metric[-1]["label"] for metric in graph["metrics"]]
        assert signal.threshold in [line["value"] for line in graph["annotations"]["horizontal"]]


def test_an_attempt_at_an_event_is_drawn_whatever_its_outcome(stack: Stack) -> None:
    stacked = with_dashboard(stack)["Attempts at events by outcome, per hour"]

    outcomes = {outcome for path in metrics([stacked]) for outcome in EVENTS[path[1]]}

    assert stacked["stacked"]
    assert outcomes == {*OUTCOMES}


def test_without_alarms_there_is_no_alarm_widget(stack: Stack) -> None:
    assert "Subscriptions: alarms" not in with_dashboard(stack, alarm_settings=dict.fromkeys(SIGNALS))


def test_the_queries_name_only_what_is_logged(stack: Stack) -> None:
    shown = with_dashboard(stack)

    for title, fields in {
        "Last failed events and advisories": SUBSCRIBER_FIELDS,
        "Last failed publications": PUBLISHER_FIELDS,
        "Last lost buyers": RECONCILER_FIELDS,
        "Last missed events": RECONCILER_FIELDS,
    }.items():
        query = shown[title]["query"].split("|", 1)[1].replace("coalesce", "").replace("ispresent", "")
        assert fields_of(query) <= {*fields, "@timestamp", "errorType", "level"}


def test_the_documentation_describes_each_widget() -> None:
    page = (DOCS / "dashboard.md").read_text(encoding="utf-8")

    titles = [widget["properties"]["title"] for widget in subscriptions_body()["widgets"]]
    assert [title for title in titles if f"| {title} |" not in page] == []
