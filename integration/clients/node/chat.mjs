// The openai client of JavaScript: the same steps and the same report as the
// Python scripts beside it.
import OpenAI, { AuthenticationError } from "openai";
import assert from "node:assert/strict";

const baseURL = process.env.BASE_URL;
const token = process.env.ALICE_TOKEN;
const client = (apiKey) => new OpenAI({ baseURL, apiKey, maxRetries: 0, timeout: 30_000 });
const alice = client(token);
const model = "standin/llama-small";

const steps = {
  "alice has a chat completion": async () => {
    const answer = await alice.chat.completions.create({ model, messages: [{ role: "user", content: "hello there" }] });
    assert.equal(answer.choices[0].message.content, "You said: hello there");
  },
  "alice has a streamed chat completion": async () => {
    const stream = await alice.chat.completions.create({
      model,
      messages: [{ role: "user", content: "one two three" }],
      stream: true,
    });
    let text = "";
    let chunks = 0;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta?.content ?? "";
      chunks++;
    }
    assert.equal(text, "You said: one two three");
    assert.ok(chunks >= 5, `only ${chunks} chunks: the stream was not passed on as it came`);
  },
  "alice lists the models": async () => {
    const names = [];
    for await (const m of alice.models.list()) names.push(m.id);
    assert.ok(names.includes(model), `models are ${names}`);
  },
  "the client understands a refusal": async () => {
    await assert.rejects(client("not-a-token-test-only").models.list(), (error) => {
      assert.ok(error instanceof AuthenticationError, `${error}`);
      assert.equal(error.status, 401);
      assert.equal(error.code, "invalid_token");
      return true;
    });
  },
};

for (const [step, run] of Object.entries(steps)) {
  const line = { step };
  try {
    await run();
  } catch (error) {
    line.failure = String(error.stack ?? error).replaceAll(token, "<ALICE_TOKEN>");
  }
  console.log(JSON.stringify(line));
}
