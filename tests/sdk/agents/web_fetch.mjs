// Uses the server tool web_fetch with the TypeScript SDK: `node web_fetch.mjs stream|whole`. Prints the message.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(process.env.SDK + "/");
const { default: Anthropic } = await import(pathToFileURL(require.resolve("@anthropic-ai/sdk")));
const client = new Anthropic({ maxRetries: 0 });
const options = {
  model: "claude-opus-4-8",
  max_tokens: 1000,
  messages: [{ role: "user", content: "Read three pages." }],
  tools: [{ type: "web_fetch_20250910", name: "web_fetch" }],
};
const message =
  process.argv[2] === "stream"
    ? await client.messages.stream(options).finalMessage()
    : await client.messages.create(options);
console.log(JSON.stringify(message));
