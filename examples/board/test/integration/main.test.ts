import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { afterEach, beforeEach, expect, test } from "vitest";

// What the image runs, as it is built: node dist/main.js.
let program: ChildProcess;
let url = "";

beforeEach(async () => {
  const env = { ...process.env, PORT: "0", VERSION: "sha-1" };
  program = spawn(process.execPath, ["dist/main.js"], { env, stdio: ["ignore", "pipe", "inherit"] });
  const [said] = await once(program.stdout as NonNullable<typeof program.stdout>, "data");
  url = `http://127.0.0.1:${/port: (\d+)/.exec(String(said))?.[1]}`;
});

afterEach(() => {
  program.kill("SIGKILL");
});

test("the built program serves, says its version and leaves when it is told to", async () => {
  expect(await (await fetch(`${url}/version`)).json()).toEqual({ version: "sha-1" });
  const pinned = await fetch(`${url}/notices`, { method: "POST", body: '{"text": "hello"}' });
  expect(pinned.status).toBe(201);
  program.kill("SIGTERM");
  expect(await once(program, "exit")).toEqual([0, null]);
});
