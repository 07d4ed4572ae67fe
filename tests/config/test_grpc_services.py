from pathlib import Path
from typing import Any

import pytest

from gateway.config.files import read
from gateway.config.grpc_services import GrpcServiceConfig
from gateway.config.strict import validated
from gateway.downstream.channel import Tls
from gateway.downstream.grpc.descriptors import DescriptorSource
from gateway.downstream.grpc.methods import MethodExposure, Saying
from gateway.errors import ConfigurationError
from tests.config.written import written

LEAST = {"name": "routes", "address": "localhost:50051"}


def config(values: Any) -> GrpcServiceConfig:
    return validated(GrpcServiceConfig, values, where="gateway.yaml")


def test_a_name_and_an_address_are_enough_and_show_nothing() -> None:
    least = config(LEAST)
    assert least.source == DescriptorSource()
    assert least.exposure == MethodExposure()
    assert least.transport is None
    assert least.metadata == {}


def test_all_that_can_be_said_of_a_service_becomes_the_gateways_nouns(tmp_path: Path) -> None:
    text = """
name: routes
address: dns:///routes.internal:443
tls: {ca_file: ca.pem, certificate_file: me.pem, key_file: me.key}
metadata: {authorization: "${ROUTES_AUTHORIZATION}", x-tenant: north}
protos: {root: protos, files: [route_guide.proto]}
services: [routeguide.RouteGuide]
expose: {read: [routeguide.RouteGuide.Get*], write: [a.B.C], destructive: [a.B.D]}
methods:
  routeguide.RouteGuide.GetFeature:
    document: {id: "feature:{latitude}:{longitude}", words: [feature], fresh_seconds: 60}
    tool: {name: get_feature, effect: read}
  routeguide.RouteGuide.ListFeatures: {hidden: true}
deadline_seconds: 2
max_messages: 10
"""
    file = written(tmp_path, text)
    routes = config(read(file, {"ROUTES_AUTHORIZATION": "Bearer open-sesame"}))
    assert routes.transport == Tls(Path("ca.pem"), Path("me.pem"), Path("me.key"))
    assert routes.metadata == {"authorization": "Bearer open-sesame", "x-tenant": "north"}
    assert "open-sesame" not in repr(routes)
    assert routes.source == DescriptorSource(
        proto_root=Path("protos"),
        protos=("route_guide.proto",),
        services=("routeguide.RouteGuide",),
    )
    assert routes.exposure == MethodExposure(
        read=("routeguide.RouteGuide.Get*",),
        write=("a.B.C",),
        destructive=("a.B.D",),
        sayings={
            "routeguide.RouteGuide.GetFeature": Saying(
                document={
                    "id": "feature:{latitude}:{longitude}",
                    "words": ("feature",),
                    "fresh_seconds": 60,
                },
                tool={"name": "get_feature", "effect": "read"},
            ),
            "routeguide.RouteGuide.ListFeatures": Saying(is_hidden=True),
        },
    )
    assert (routes.deadline_seconds, routes.max_messages) == (2, 10)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"address": "xds:///routes"}, "gateway.yaml: address: the address of a gRPC service"),
        ({"address": "http://localhost:1"}, "without http://"),
        ({"address": "me:hunter2@localhost:1"}, "without a login"),
        ({"adress": "x"}, "adress: unknown key; it takes name, address"),
        ({"metadata": {"Authorization": "hunter2"}}, "small letters"),
        ({"metadata": {"grpc-timeout": "hunter2"}}, "gRPC's own"),
        ({"metadata": {"token-bin": "hunter2"}}, "gRPC's own"),
        ({"metadata": {"token": "hunter2\n"}}, "token should be a text"),
        ({"metadata": {"token": 1234}}, "token should be a text"),
        ({"metadata": {"token": "Bearer ${TOKEN}"}}, "a variable alone"),
        (
            {"descriptor_set": "a", "protos": {"root": "b", "files": ["c.proto"]}},
            "a descriptor_set or protos, not both",
        ),
        ({"protos": {"root": "b", "files": []}}, "protos.files"),
        ({"protos": {"root": "b", "files": ["--plugin=x.proto"]}}, "protos.files"),
        ({"methods": {"a.B.C": {"tool": {"effect": "sell"}}}}, "effect"),
        ({"methods": {"a.B.C": {"tool": {"name": "Look-Up"}}}}, "name"),
        ({"methods": {"a.B.C": {"documents": {}}}}, "documents: unknown key"),
        ({"deadline_seconds": 0}, "deadline_seconds"),
    ],
)
def test_what_is_wrong_is_named_and_no_secret_is_shown(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        config({**LEAST, **wrong})
    assert says in str(refusal.value)
    assert "hunter2" not in str(refusal.value)
    assert "1234" not in str(refusal.value)
