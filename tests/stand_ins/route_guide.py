"""gRPC's own `route_guide` service, as its tutorials have it: it knows nothing of the gateway."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc

from tests.stand_ins.grpc_server import Context, GrpcServer, compiled, without_comments

SERVICE = "routeguide.RouteGuide"
FEATURES = (
    ("Old Mill", 407838351, -746143763),
    ("Stone Bridge", 408122808, -743999179),
    ("Orchard", 413628156, -749015468),
    ("Ferry Landing", 419999544, -733555590),
)


class RouteGuide(GrpcServer):
    def __init__(
        self,
        *,
        reflects: Sequence[str] = ("v1alpha",),
        credentials: grpc.ServerCredentials | None = None,
    ) -> None:
        # Generated code, as servers have it, is without comments.
        super().__init__(
            without_comments(compiled("route_guide.proto")),
            {
                f"/{SERVICE}/GetFeature": self._get_feature,
                f"/{SERVICE}/ListFeatures": self._list_features,
            },
            reflects=reflects,
            credentials=credentials,
        )

    def _feature(self, name: str, latitude: int, longitude: int) -> Any:
        point = {"latitude": latitude, "longitude": longitude}
        return self.message("routeguide.Feature", name=name, location=point)

    async def _get_feature(self, point: Any, _: Context) -> Any:
        for name, latitude, longitude in FEATURES:
            if (latitude, longitude) == (point.latitude, point.longitude):
                return self._feature(name, latitude, longitude)
        return self._feature("", point.latitude, point.longitude)

    async def _list_features(self, rectangle: Any, _: Context) -> AsyncIterator[Any]:
        low, high = rectangle.lo, rectangle.hi
        for name, latitude, longitude in FEATURES:
            is_between = low.latitude <= latitude <= high.latitude
            if is_between and low.longitude <= longitude <= high.longitude:
                yield self._feature(name, latitude, longitude)
