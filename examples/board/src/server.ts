import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type Board, NotANotice } from "./board.js";

const MOST_BYTES = 10_000;

/** The HTTP interface of a board; `version` is what the image was built as. */
export function serverOf(board: Board, version: string): Server {
  return createServer((request, response) => {
    answer(board, version, request, response).catch(() => response.destroy());
  });
}

async function answer(
  board: Board,
  version: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  switch (`${request.method} ${request.url}`) {
    case "GET /":
      return send(response, 200, "text/html; charset=utf-8", board.page);
    case "GET /ready":
      return json(response, 200, { status: "ok" });
    case "GET /version":
      return json(response, 200, { version });
    case "GET /metrics":
      return send(response, 200, "text/plain; version=0.0.4", `notices_total ${board.pinned}\n`);
    case "GET /notices":
      return json(response, 200, board.notices);
    case "POST /notices":
      return pin(board, request, response);
    default:
      return json(response, 404, { error: "there is nothing here" });
  }
}

async function pin(board: Board, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    json(response, 201, board.pin(await body(request)));
  } catch (error) {
    if (!(error instanceof NotANotice)) throw error;
    json(response, 400, { error: error.message });
  }
}

async function body(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > MOST_BYTES) throw new NotANotice("the body is too long");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function json(response: ServerResponse, status: number, value: unknown): void {
  send(response, status, "application/json", JSON.stringify(value));
}

function send(response: ServerResponse, status: number, kind: string, text: string): void {
  response.writeHead(status, { "Content-Type": kind }).end(text);
}
