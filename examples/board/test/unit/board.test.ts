import { expect, test } from "vitest";
import { Board, NotANotice } from "../../src/board.js";

test("the newest notice hangs on top", () => {
  const board = new Board();
  board.pin('{"text": "tea at four"}');
  board.pin('{"text": "lost: one glove"}');
  expect(board.notices.map((notice) => notice.text)).toEqual(["lost: one glove", "tea at four"]);
});

test("a full board loses its oldest notice and goes on counting", () => {
  const board = new Board();
  for (let count = 1; count <= 101; count++) board.pin(`{"text": "${count}"}`);
  expect(board.notices).toHaveLength(100);
  expect(board.notices.at(-1)).toEqual({ id: 2, text: "2" });
  expect(board.pinned).toBe(101);
});

test.each(["", "[]", "null", "{}", '{"text": ""}', '{"text": 5}', `{"text": "${"x".repeat(281)}"}`])(
  "%j is not a notice",
  (body) => {
    expect(() => new Board().pin(body)).toThrow(NotANotice);
  },
);

test("a notice is text and never markup", () => {
  const board = new Board();
  board.pin('{"text": "<b>&\\"quoted\\"</b>"}');
  expect(board.page).toContain("<li>&#60;b&#62;&#38;&#34;quoted&#34;&#60;/b&#62;</li>");
});
