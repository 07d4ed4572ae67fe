"""Which methods are shown, as what, and what is said of mistakes."""

from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from gateway.downstream.grpc.descriptors import (
    MAX_FILE_BYTES,
    MAX_FILES,
    MAX_IMPORTS_DEEP,
    Collection,
    DescriptorSource,
    read_descriptors,
)
from gateway.downstream.grpc.exposure import Exposed, expose
from gateway.downstream.grpc.methods import DocumentSpec, ExposedMethod, MethodExposure, Saying
from gateway.errors import ConfigurationError
from tests.stand_ins.grpc_server import PROTOS, compiled

SHOP = read_descriptors(
    DescriptorSource(proto_root=PROTOS, protos=("shop.proto",), services=("shop.Shop",))
)
MISTAKEN = read_descriptors(
    DescriptorSource(proto_root=PROTOS, protos=("shop.proto",), services=("shop.Mistakes",))
)
ROUTES = read_descriptors(DescriptorSource(proto_root=PROTOS, protos=("route_guide.proto",)))


def shown(exposed: Exposed) -> dict[str, ExposedMethod]:
    return {method.name: method for method in exposed.methods}


def test_a_service_of_which_nobody_says_anything_shows_nothing() -> None:
    assert expose(ROUTES, MethodExposure()).methods == ()


def test_a_proto_says_which_methods_are_documents_and_tools() -> None:
    methods = shown(expose(SHOP, MethodExposure()))
    assert methods.keys() == {"GetPrice", "ListPrices", "Buy", "Keep", "Look"}
    price = methods["GetPrice"]
    assert price.document == DocumentSpec(
        id="price:{article}:{size}",
        title="{article} costs {cents}",
        words=("price", "costs"),
        fresh_seconds=3,
        values="ListPrices",
    )
    assert (price.effect, price.tool) == ("read", None)
    buy = methods["Buy"].tool
    assert buy is not None
    assert (buy.name, buy.description, buy.effect) == ("buy_it", "Buys an article.", "destroy")


def test_a_tool_of_which_only_that_is_said_writes_and_has_its_comment() -> None:
    keep = shown(expose(SHOP, MethodExposure()))["Keep"]
    assert (keep.effect, keep.description) == ("write", "Puts something into the basket.")


def test_a_method_without_side_effects_is_a_tool_that_reads_and_an_idempotent_one_is_not() -> None:
    methods = shown(expose(SHOP, MethodExposure()))
    look = methods["Look"].tool
    assert look is not None
    assert look.effect == "read"
    assert "Ask" not in methods


def test_what_a_document_lists_may_be_called_and_is_no_tool() -> None:
    listing = shown(expose(SHOP, MethodExposure()))["ListPrices"]
    assert (listing.tool, listing.document, listing.effect) == (None, None, "read")


@pytest.mark.parametrize(
    ("patterns", "effect"),
    [
        ({"read": ["shop.Shop.Refund"]}, "read"),
        ({"read": ["shop.Shop.*"], "write": ["*.Refund"]}, "write"),
        ({"destructive": ["shop.*"], "read": ["shop.Shop.Refund"]}, "destroy"),
    ],
)
def test_patterns_name_methods_and_the_gravest_counts(
    patterns: dict[str, Any], effect: str
) -> None:
    refund = shown(expose(SHOP, MethodExposure(**patterns)))["Refund"]
    assert refund.effect == effect


def test_a_pattern_never_makes_a_method_harmless_that_says_it_is_not() -> None:
    assert shown(expose(SHOP, MethodExposure(read=["*"])))["Buy"].effect == "destroy"


def test_the_configuration_wins_field_by_field_and_may_hide() -> None:
    sayings = {
        "shop.Shop.GetPrice": Saying(document={"title": "{article}", "fresh_seconds": 60.0}),
        "shop.Shop.Buy": Saying(tool={"effect": "write"}),
        "shop.Shop.Refund": Saying(tool={"name": "give_back"}),
        "shop.Shop.Look": Saying(is_hidden=True),
    }
    methods = shown(expose(SHOP, MethodExposure(read=["shop.Shop.Look"], sayings=sayings)))
    document, buy, refund = methods["GetPrice"].document, methods["Buy"].tool, methods["Refund"]
    assert document is not None
    assert buy is not None
    assert refund.tool is not None
    assert (document.title, document.fresh_seconds) == ("{article}", 60.0)
    assert document.id == "price:{article}:{size}"
    assert (buy.name, buy.effect) == ("buy_it", "write")
    assert (refund.tool.name, refund.effect) == ("give_back", "write")
    assert "Look" not in methods


def test_a_foreign_method_becomes_a_document_by_configuration_alone() -> None:
    saying = Saying(document={"id": "feature:{latitude}:{longitude}", "title": "{name}"})
    exposure = MethodExposure(sayings={"routeguide.RouteGuide.GetFeature": saying})
    (method,) = expose(ROUTES, exposure).methods
    assert method.document == DocumentSpec(id="feature:{latitude}:{longitude}", title="{name}")
    assert (method.effect, method.tool) == ("read", None)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Misspelt", "'artikel' is no field of GetPriceRequest; near it are article"),
        ("Listed", "the field 'tags' is no text, whole number or enum"),
        ("Formless", "its id 'article' is not like 'kind:{field}'"),
        ("Writes", "a document only reads, and its effect is write"),
        ("Valued", "values: Writes may write"),
    ],
)
def test_a_document_that_cannot_be_is_left_out_with_the_reason(name: str, says: str) -> None:
    exposed = expose(MISTAKEN, MethodExposure())
    (mistake,) = [one for one in exposed.mistakes if f"shop.Mistakes.{name}" in one]
    assert says in mistake
    method = shown(exposed).get(name)
    assert method is None or method.document is None or method.document.values == ""


def test_a_name_that_leads_to_no_method_is_a_mistake_with_what_is_near() -> None:
    exposure = MethodExposure(
        read=["routeguide.RouteGuide.GetFeatur"],
        write=["routeguide.RouteGuide.RecordRoute"],
        sayings={"routeguide.Guide.ListFeatures": Saying(is_hidden=True)},
    )
    misspelt, streamed, hidden = expose(ROUTES, exposure).mistakes
    assert "near it are routeguide.RouteGuide.GetFeature" in misspelt
    assert "RecordRoute streams what is sent, which is not supported" in streamed
    assert "routeguide.Guide.ListFeatures names no method; near it are" in hidden


def test_methods_whose_caller_streams_are_left_out() -> None:
    exposed = expose(ROUTES, MethodExposure(read=["*"]))
    assert shown(exposed).keys() == {"GetFeature", "ListFeatures"}
    assert len(exposed.unsupported) == 2


def test_an_option_of_somebody_else_with_our_number_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "theirs.proto").write_text(
        """
        syntax = "proto3";
        package theirs;
        import "google/protobuf/descriptor.proto";
        message Note { string text = 1; }
        extend google.protobuf.MethodOptions { Note note = 58611; }
        message Nothing {}
        service Theirs {
          rpc Delete(Nothing) returns (Nothing) { option (note) = {text: "delete_all"}; }
        }
        """,
        "utf-8",
    )
    found = read_descriptors(DescriptorSource(proto_root=tmp_path, protos=("theirs.proto",)))
    assert found.services == ("theirs.Theirs",)
    assert expose(found, MethodExposure()).methods == ()


def test_comments_of_protos_are_the_descriptions() -> None:
    get, _ = expose(ROUTES, MethodExposure(read=["*"])).methods
    assert get.description == "The feature at a point; one without a name if there is none."
    assert get.input_schema["description"] == "A place in degrees times 10 million."
    properties = get.input_schema["properties"]
    assert properties["latitude"]["description"] == "North of the equator."
    assert properties["longitude"]["description"] == "east of Greenwich."


def test_a_set_of_descriptors_in_a_file_is_as_good_as_protos(tmp_path: Path) -> None:
    file = tmp_path / "shop.pb"
    file.write_bytes(compiled("shop.proto").SerializeToString())
    source = DescriptorSource(descriptor_set=file, services=("shop.Shop", "shop.Shp"))
    found = read_descriptors(source)
    assert found.mistakes == ("there is no service shop.Shp",)
    there, here = expose(found, MethodExposure()), expose(SHOP, MethodExposure())
    assert there.methods == here.methods


def test_a_set_without_the_gateways_own_file_is_read_with_ours(tmp_path: Path) -> None:
    files = compiled("shop.proto")
    del files.file[:-1]
    file = tmp_path / "shop.pb"
    file.write_bytes(files.SerializeToString())
    found = read_descriptors(DescriptorSource(descriptor_set=file, services=("shop.Shop",)))
    assert shown(expose(found, MethodExposure()))["GetPrice"].document is not None


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read"),
        (b"garbage", "."),
        (b"\x00" * (8 * 1024 * 1024 + 1), "more than 8388608 bytes"),
    ],
)
def test_a_file_that_is_no_set_of_descriptors_is_named(
    tmp_path: Path, content: bytes | None, says: str
) -> None:
    file = tmp_path / "set.pb"
    if content is not None:
        file.write_bytes(content)
    source = DescriptorSource(descriptor_set=file)
    with pytest.raises(ConfigurationError, match=f"set.pb.*{says}"):
        expose(read_descriptors(source), MethodExposure())


def test_protos_that_do_not_compile_are_named(tmp_path: Path) -> None:
    (tmp_path / "bad.proto").write_text('syntax = "proto3"; message {', "utf-8")
    with pytest.raises(ConfigurationError, match=r"bad\.proto"):
        read_descriptors(DescriptorSource(proto_root=tmp_path, protos=("bad.proto",)))


def file_of(name: str, **fields: Any) -> bytes:
    return bytes(FileDescriptorProto(name=name, **fields).SerializeToString())


def test_what_is_larger_than_the_limits_is_refused_in_words() -> None:
    collection = Collection()
    with pytest.raises(ValueError, match=f"{MAX_FILE_BYTES} is the most"):
        collection.add(file_of("x", package="p" * MAX_FILE_BYTES))
    for number in range(8):
        collection.add(file_of(f"{number}", package="p" * (MAX_FILE_BYTES - 100)))
    with pytest.raises(ValueError, match="descriptors have more than 8388608 bytes"):
        collection.add(file_of("9", package="p" * (MAX_FILE_BYTES - 100)))


def test_more_files_than_the_limit_are_refused_in_words() -> None:
    collection = Collection()
    for number in range(MAX_FILES):
        collection.add(file_of(f"{number}"))
    with pytest.raises(ValueError, match=f"more than {MAX_FILES}"):
        collection.add(file_of("one more"))


def test_imports_in_a_circle_or_without_end_are_refused_in_words() -> None:
    circle = Collection()
    circle.add(file_of("a", dependency=["b"]))
    circle.add(file_of("b", dependency=["a"]))
    with pytest.raises(ValueError, match="'a' imports itself"):
        circle.in_order()
    chain = Collection()
    for number in range(MAX_IMPORTS_DEEP + 2):
        chain.add(file_of(f"{number}", dependency=[f"{number + 1}"]))
    with pytest.raises(ValueError, match="deep"):
        chain.in_order()


def test_nobody_replaces_protobufs_own_types() -> None:
    with pytest.raises(ValueError, match="own"):
        Collection().add(file_of("evil.proto", package="google.protobuf"))
    collection = Collection()
    collection.add(file_of("google/protobuf/timestamp.proto", package="evil"))
    (timestamp,) = collection.in_order()
    assert timestamp.package == "google.protobuf"
