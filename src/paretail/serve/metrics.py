"""What Prometheus may ask: requests, their time, batches, and the live shop's own gauges."""

from collections.abc import Iterator
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from paretail import __version__
from paretail.pipeline.live.shop import LiveShop

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SIZES = (1, 2, 4, 8, 16, 32, 64)
#: What the live shop's gauges say.
GAUGES = {
    "users_in_memory": "Users whose live events are held in memory.",
    "shown_waiting": "Lists that were shown and are not written to the store yet.",
    "bundle_age_seconds": "Seconds since the bundle that answers now was trained.",
    "problems": "Things that are not whole while answers go on; /health/ready names them.",
    "dial_requests": "Requests for slates that are kept to measure dials on.",
    "dial_refits": "How often dials were measured anew on the service's own requests.",
    "dial_refit_age_seconds": "Seconds since that was last done, -1 for never.",
    "policy_answers": "Lists that agents were asked to fill.",
    "policy_late": "Lists that agents were too late for, served greedily.",
    "policy_failed": "Lists that agents failed to fill, served greedily.",
    "store_events_live": "Events in the store that are not compacted to columnar history yet.",
    "store_events_history": "Events in the columnar history of the store.",
    "store_lists": "Lists that were shown and are kept in the store.",
    "store_merges": "Visitors who were said to be users.",
    "store_impressions_lost": "Impressions that kills lost before they were written.",
    "store_items": "Items that were told live or imported, without those deleted.",
    "store_users": "Users who were told live or imported, without those forgotten.",
}


class Metrics:
    """Counters of one service, in a registry of its own."""

    def __init__(self, shop: LiveShop) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, which nobody asks for
        self._registry = CollectorRegistry()
        requests = Counter(
            "paretail_requests", "Requests that were answered.", ["endpoint", "status"], registry=self._registry
        )
        seconds = Histogram(
            "paretail_request_seconds", "Seconds from the head of a request to its answer.", ["endpoint"],
            buckets=_SECONDS, registry=self._registry,
        )  # fmt: skip
        self._requests, self._seconds = cache(requests.labels), cache(seconds.labels)
        self._in_flight = Gauge(
            "paretail_requests_in_flight", "Requests that are not answered yet.", registry=self._registry
        )
        self._batches = Histogram(
            "paretail_batch_size", "Recommendations that were scored together.", buckets=_SIZES, registry=self._registry
        )
        self._registry.register(_OfShop(shop))

    def began(self) -> None:
        """Count a request that came in."""
        self._in_flight.inc()

    def ended(self, endpoint: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        self._in_flight.dec()
        self._requests(endpoint, status).inc()
        self._seconds(endpoint).observe(seconds)

    def batch(self, size: int) -> None:
        """Count questions that were answered together."""
        self._batches.observe(size)

    def text(self) -> bytes:
        """Return all of it in Prometheus' text format."""
        return generate_latest(self._registry)


class _OfShop(Collector):
    """The live shop's gauges, asked when they are read."""

    def __init__(self, shop: LiveShop) -> None:
        self._shop = shop

    def collect(self) -> Iterator[Metric]:
        info = GaugeMetricFamily(
            "paretail_bundle_info",
            "Always 1; the labels say which bundle answers now.",
            labels=["model_version", "paretail"],
        )
        info.add_metric([self._shop.version, __version__], 1)
        yield info
        for name, value in self._shop.gauges().items():
            yield GaugeMetricFamily(f"paretail_{name}", GAUGES.get(name, "A figure of the live shop."), value)

    def describe(self) -> list[Metric]:
        return []
