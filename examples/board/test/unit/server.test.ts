import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Board } from "../../src/board.js";
import { serverOf } from "../../src/server.js";

const server = serverOf(new Board(), "sha-1");
let url = "";

beforeEach(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

test("a notice is pinned and seen", async () => {
  const pinned = await fetch(`${url}/notices`, { method: "POST", body: '{"text": "tea at four"}' });
  expect([pinned.status, await pinned.json()]).toEqual([201, { id: 1, text: "tea at four" }]);
  expect(await (await fetch(`${url}/notices`)).json()).toEqual([{ id: 1, text: "tea at four" }]);
  expect(await (await fetch(url)).text()).toContain("<li>tea at four</li>");
  expect(await (await fetch(`${url}/metrics`)).text()).toBe("notices_total 1\n");
});

test("a wrong notice is refused", async () => {
  for (const body of ["{}", "x".repeat(10_001)]) {
    expect((await fetch(`${url}/notices`, { method: "POST", body })).status).toBe(400);
  }
});

test("it says its version and that it is ready", async () => {
  expect(await (await fetch(`${url}/version`)).json()).toEqual({ version: "sha-1" });
  expect(await (await fetch(`${url}/ready`)).json()).toEqual({ status: "ok" });
});

test("there is nothing elsewhere", async () => {
  expect((await fetch(`${url}/other`)).status).toBe(404);
});
