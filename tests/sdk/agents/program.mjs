// A program that uses the TypeScript Agent SDK: `node program.mjs SCENARIO`. Prints one JSON object: what it saw.
//
// CLAUDE names the executable that stands for Claude Code; the tests put claudegpt there. SDK is the folder with the
// package's node_modules.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(process.env.SDK + "/");
const load = async (name) => import(pathToFileURL(require.resolve(name)));
const { query, tool, createSdkMcpServer } = await load("@anthropic-ai/claude-agent-sdk");
const { z } = await load("zod");

const options = (more) => ({
  pathToClaudeCodeExecutable: process.env.CLAUDE,
  cwd: process.cwd(),
  settingSources: [],
  ...more,
});

async function ask(prompt, more = {}) {
  const seen = [];
  for await (const message of query({ prompt, options: options(more) })) seen.push(message);
  return seen;
}

async function* stream(...texts) {
  for (const text of texts) yield { type: "user", message: { role: "user", content: text }, parent_tool_use_id: null };
}

const texts = (messages) =>
  messages
    .filter((message) => message.type === "assistant")
    .flatMap((message) => message.message.content)
    .filter((block) => block.type === "text")
    .map((block) => block.text);

function outcome(messages) {
  const end = messages.at(-1);
  if (end.type !== "result") throw new Error(JSON.stringify(end));
  return { texts: texts(messages), result: end.result ?? null, error: end.is_error, session: end.session_id };
}

const SCENARIOS = {
  async tools() {
    return outcome(await ask("run it", { allowedTools: ["Bash"] }));
  },
  async permission() {
    const seen = [];
    const canUseTool = async (name, input) => {
      seen.push([name, input.command ?? null]);
      if (String(input.command).includes("forbidden")) return { behavior: "deny", message: "not that one" };
      return { behavior: "allow", updatedInput: { ...input, command: "echo changed" } };
    };
    return { ...outcome(await ask(stream("run both"), { canUseTool })), seen };
  },
  async hooks() {
    const seen = [];
    const before = async (data) => {
      seen.push(data.tool_name);
      return { hookSpecificOutput: { hookEventName: "PreToolUse", permissionDecision: "allow" } };
    };
    const hooks = { PreToolUse: [{ matcher: "Bash", hooks: [before] }] };
    return { ...outcome(await ask(stream("run it"), { hooks })), seen };
  },
  async mcp() {
    const add = tool("add", "Adds two numbers", { a: z.number(), b: z.number() }, async ({ a, b }) => ({
      content: [{ type: "text", text: String(a + b) }],
    }));
    const sums = createSdkMcpServer({ name: "sums", tools: [add] });
    return outcome(await ask(stream("add"), { mcpServers: { sums }, allowedTools: ["mcp__sums__add"] }));
  },
  async interrupt() {
    let goOn;
    const ended = new Promise((resolve) => (goOn = resolve));
    async function* prompts() {
      yield* stream("talk for ever");
      await ended;
      yield* stream("and now?");
    }
    const session = query({ prompt: prompts(), options: options({ includePartialMessages: true }) });
    let interrupted = false;
    let results = 0;
    let seen = [];
    for await (const message of session) {
      seen.push(message);
      if (message.type === "stream_event" && message.event.type === "content_block_delta" && !interrupted) {
        interrupted = true;
        await session.interrupt();
      }
      if (message.type === "result") {
        results += 1;
        if (results === 2) break;
        seen = [];
        goOn();
      }
    }
    return { ...outcome(seen), interrupted };
  },
  async resume() {
    const first = outcome(await ask("remember 42"));
    return { ...outcome(await ask("which number?", { resume: first.session })), first };
  },
  async structured() {
    const schema = { type: "object", properties: { n: { type: "integer" } }, required: ["n"] };
    const messages = await ask("a number", { outputFormat: { type: "json_schema", schema } });
    return { ...outcome(messages), structured: messages.at(-1).structured_output };
  },
  async partial() {
    const messages = await ask("count", { includePartialMessages: true });
    const kinds = messages.filter((message) => message.type === "stream_event").map((message) => message.event.type);
    return { ...outcome(messages), kinds };
  },
  async two() {
    const both = await Promise.all([ask("left"), ask("right")]);
    return { both: both.map(outcome) };
  },
};

console.log(JSON.stringify(await SCENARIOS[process.argv[2]]()));
process.exit(0);
