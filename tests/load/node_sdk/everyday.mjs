// Everyday use of OpenAI's SDK for Node; `by_hand.py` starts what it talks to.
import assert from "node:assert/strict";
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

const client = new OpenAI({ baseURL: process.argv[2], apiKey: "none-is-needed", maxRetries: 0 });
const model = "nanogpt/small";
const say = (content) => [{ role: "user", content }];
const weather = { type: "function", function: { name: "weather", parameters: { type: "object" } } };

const uses = {
  async "a chat"() {
    const { data, response } = await client.chat.completions
      .create({ model, messages: say("Say hello.") })
      .withResponse();
    assert.equal(data.choices[0].message.content, "This is what the stand-in answers.");
    assert.equal(response.headers.get("x-gateway-model"), model);
    assert.equal(data.x_nanogpt_tier, "paid");
  },

  async "a stream with its usage"() {
    const stream = await client.chat.completions.create({
      model,
      messages: say("Say hello."),
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = "";
    let usage = null;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta?.content ?? "";
      usage = chunk.usage ?? usage;
    }
    assert.equal(text, "This is what the stand-in answers.");
    assert.equal(usage.completion_tokens, 6);
  },

  async "parallel tools, streamed and run by the SDK"() {
    const asked = [];
    const runner = client.chat.completions.runTools({
      model,
      messages: say("tools"),
      stream: true,
      tools: [
        {
          type: "function",
          function: {
            ...weather.function,
            parse: JSON.parse,
            function: ({ city }) => (asked.push(city), "snow"),
          },
        },
      ],
    });
    assert.equal(await runner.finalContent(), "It snows.");
    assert.deepEqual(asked, ["Oslo", "Łódź"]);
  },

  async "a schema"() {
    const City = z.object({ name: z.string(), people: z.number() });
    const answer = await client.chat.completions.parse({
      model,
      messages: say("schema"),
      response_format: zodResponseFormat(City, "city"),
    });
    assert.deepEqual(answer.choices[0].message.parsed, { name: "Oslo", people: 709037 });
  },

  async "errors"() {
    await assert.rejects(
      client.chat.completions.create({ model: "nanogpt/smal", messages: say("Hi") }),
      (error) => error instanceof OpenAI.NotFoundError && error.code === "model_not_found",
    );
    await assert.rejects(
      client.chat.completions.create({ model, messages: "Hi" }),
      (error) => error instanceof OpenAI.BadRequestError && /messages/.test(error.message),
    );
    await assert.rejects(async () => {
      const stream = await client.chat.completions.create({
        model,
        messages: say("break"),
        stream: true,
      });
      for await (const _ of stream);
    }, OpenAI.APIError);
  },

  async "a retry"() {
    const answer = await client.chat.completions.create(
      { model: "nanogpt/busy", messages: say("Hi") },
      { maxRetries: 2 },
    );
    assert.equal(answer.choices[0].message.content, "Now.");
  },

  async "a stream that is left"() {
    const stream = await client.chat.completions.create({
      model,
      messages: say("hold"),
      stream: true,
    });
    for await (const _ of stream) break;
  },

  async "embeddings"() {
    // The SDK asks for base64 by itself, and reads numbers as well.
    const made = await client.embeddings.create({ model: "nanogpt/small", input: ["one", "two"] });
    assert.equal(made.data.length, 2);
  },

  async "models"() {
    const ids = [];
    for await (const one of client.models.list()) ids.push(one.id);
    assert.ok(ids.includes("auto") && ids.includes(model));
    assert.equal((await client.models.retrieve(model)).context_length, 128000);
  },
};

for (const [name, use] of Object.entries(uses)) {
  await use();
  console.log(`ok  ${name}`);
}
