"""`/v1/events`, as programs publish and read them."""

from pathlib import Path

from gateway.endpoints.events import LIMIT_BYTES, MOST_AT_ONCE
from tests.endpoints.agents_door import GUEST, HELPER, OWNER, PUBLISHER, door, message

COMMIT = {"topic": "git:commit", "subject": "Take payments", "data": {"commit": "abc"}}


async def test_an_event_is_stored_when_it_is_answered_and_can_be_read(tmp_path: Path) -> None:
    async with door(tmp_path) as here, here.as_() as client:
        answer = await client.post("/v1/events", json=COMMIT)
        assert (answer.status_code, answer.headers["cache-control"]) == (202, "private, no-store")
        told = answer.json()
        assert (told["topic"], told["is_new"]) == ("git:commit", True)
        event = (await client.get(f"/v1/events/{told['id']}")).json()
        assert event["data"] == {"commit": "abc"}
        assert (event["source"], event["subject"], event["time"], event["runs"]) == (
            "api", "Take payments", told["time"], [],
        )  # fmt: skip
        assert (await here.agents.event(told["id"])).news.by == "local"


async def test_a_delivery_is_one_event_however_often_it_is_sent(tmp_path: Path) -> None:
    async with door(tmp_path, has_keys=True) as here:
        answers = []
        async with here.as_(OWNER) as client:
            for said, headers in (
                (COMMIT, {"idempotency-key": "7"}),
                ({**COMMIT, "subject": "again"}, {"idempotency-key": "7"}),
                ({**COMMIT, "delivery_id": "7"}, {}),
                ({**COMMIT, "delivery_id": "7"}, {"idempotency-key": "8"}),
            ):
                answers.append(await client.post("/v1/events", json=said, headers=headers))
        async with here.as_(PUBLISHER) as client:
            answers.append(
                await client.post("/v1/events", json=COMMIT, headers={"idempotency-key": "7"})
            )
        assert [one.status_code for one in answers] == [202, 200, 200, 200, 202]
        ids = [one.json()["id"] for one in answers]
        assert len(set(ids[:4])) == 1
        assert ids[4] != ids[0]
        assert len(await here.agents.events()) == 2


async def test_several_events_are_stored_in_their_order_or_none_is(tmp_path: Path) -> None:
    async with door(tmp_path) as here, here.as_() as client:
        several = [{"topic": "git:commit", "data": {"number": number}} for number in range(3)]
        answer = await client.post("/v1/events", json=several, headers={"idempotency-key": "batch"})
        assert answer.status_code == 202
        ids = [one["id"] for one in answer.json()["data"]]
        stored = [await here.agents.event(one) for one in ids]
        assert [one.news.data["number"] for one in stored] == [0, 1, 2]
        assert [one.position for one in stored] == sorted(one.position for one in stored)
        again = await client.post("/v1/events", json=several, headers={"idempotency-key": "batch"})
        assert (again.status_code, [one["id"] for one in again.json()["data"]]) == (200, ids)
        for wrong, words in (
            ([*several, {"topic": "No Topic"}], "'No Topic' is none"),
            ([*several, {"data": {}}], "3.topic: Field required"),
            ([], "has 0 events"),
            ([COMMIT] * (MOST_AT_ONCE + 1), "has 101 events; it takes 1 to 100"),
        ):
            answer = await client.post("/v1/events", json=wrong)
            assert (answer.status_code, words in message(answer)) == (400, True)
        assert len(await here.agents.events()) == 3


async def test_events_are_listed_by_topic_and_time_the_last_one_first(tmp_path: Path) -> None:
    async with door(tmp_path) as here, here.as_() as client:
        for topic in ("git:commit", "git:push", "code:change"):
            await client.post("/v1/events", json={"topic": topic, "data": {"long": "text"}})

        async def topics(query: str) -> list[str]:
            answer = await client.get(f"/v1/events?{query}")
            assert answer.status_code == 200, answer.text
            assert all("data" not in one for one in answer.json()["data"])
            return [one["topic"] for one in answer.json()["data"]]

        assert await topics("") == ["code:change", "git:push", "git:commit"]
        assert await topics("topic=git:*") == ["git:push", "git:commit"]
        assert await topics("topic=git:*&limit=1") == ["git:push"]
        assert len(await topics("since=2020-01-01")) == 3
        assert await topics("since=2120-01-01T00:00:00%2B02:00") == []


async def test_only_owners_and_keys_that_name_the_tool_publish(tmp_path: Path) -> None:
    async with door(tmp_path, has_keys=True) as here:
        for key, publishes, reads, words in (
            (None, 401, 401, "key"),
            (GUEST, 403, 403, "tools name publish_event itself"),
            (PUBLISHER, 202, 403, ""),
            (OWNER, 202, 200, ""),
        ):
            async with here.as_(key) as client:
                answer = await client.post("/v1/events", json=COMMIT)
                assert answer.status_code == publishes
                assert words in answer.text
                for path in ("/v1/events", "/v1/events/evt_0"):
                    answer = await client.get(path)
                    expected = 404 if reads == 200 and path.endswith("0") else reads
                    assert answer.status_code == expected
        async with here.as_(PUBLISHER) as client:
            for topic in ("schedule:evening", "provider:down", "agent:finished", "budget:alert"):
                answer = await client.post("/v1/events", json={"topic": topic})
                assert (answer.status_code, "says of itself" in message(answer)) == (403, True)
        async with here.as_(OWNER) as client:
            answer = await client.post("/v1/events", json={"topic": "schedule:evening"})
            assert answer.status_code == 202


async def test_what_is_wrong_with_a_request_is_said(tmp_path: Path) -> None:
    async with door(tmp_path) as here, here.as_() as client:
        for body, words in (
            ({}, "topic: Field required; it takes topic, data, subject, delivery_id"),
            ({"topic": "Git Commit"}, "'Git Commit' is none"),
            ({"topic": "git:commit", "date": 1}, "date: Extra inputs are not permitted"),
            ({"topic": "git:commit", "data": [1]}, "data: Input should be"),
            ({"topic": "git:commit", "subject": "x" * 301}, "subject: "),
            ({"topic": "git:commit", "data": {"x": "x" * 262_144}}, "bytes as JSON"),
            ({"topic": "git:commit", "delivery_id": ""}, "delivery_id: "),
        ):
            answer = await client.post("/v1/events", json=body)
            assert (answer.status_code, words in message(answer)) == (400, True), answer.text
        for content in (b'"text"', b"{", b"\xff", b'{"topic":"git:commit","data":{"x":NaN}}'):
            answer = await client.post("/v1/events", content=content)
            assert answer.status_code == 400, answer.text
        answer = await client.post(
            "/v1/events", json=COMMIT, headers={"idempotency-key": "x" * 121}
        )
        assert (answer.status_code, "it takes 1 to 120" in message(answer)) == (400, True)
        assert (
            await client.post("/v1/events", content=b"x" * (LIMIT_BYTES + 1))
        ).status_code == 413
        for query, words in (
            ("topic=Git", "'Git' matches none"),
            ("since=yesterday", "since is 'yesterday'; it takes a day"),
            ("since=0001-01-01T00:00:00%2B02:00", "which is too far away"),
            ("limit=0", "limit is '0'; it takes 1 to 100"),
            ("limit=5&limit=6", "limit: stands more than once"),
            ("topics=git:*", "there is no 'topics' here; it takes topic, since, limit"),
            ("topic=%00", "it takes readable text"),
        ):
            answer = await client.get(f"/v1/events?{query}")
            assert (answer.status_code, words in message(answer)) == (400, True), answer.text
        missing = await client.get("/v1/events/evt_0")
        assert missing.status_code == 404
        assert missing.json()["error"]["code"] == "event_not_found"
        assert (await client.get("/v1/events/%00")).status_code == 400
        assert await here.agents.events() == []


async def test_pages_of_others_publish_nothing(tmp_path: Path) -> None:
    async with door(tmp_path) as here, here.as_(origin="https://evil.example") as page:
        answer = await page.post(
            "/v1/events",
            content=b'{"topic":"git:commit"}',
            headers={"content-type": "text/plain"},
        )
        assert answer.status_code == 403
        assert "may not call this gateway" in answer.text
        assert await here.agents.events() == []


async def test_where_no_agent_is_on_it_says_how_to_switch_one_on(tmp_path: Path) -> None:
    off = {**HELPER, "is_on": False}
    async with door(tmp_path, agents=[off]) as here, here.as_() as client:
        answer = await client.post("/v1/events", json=COMMIT)
        assert (answer.status_code, "agents.yaml" in message(answer)) == (409, True)
        listed = (await client.get("/v1/events")).json()
        assert listed == {"object": "list", "data": []}
