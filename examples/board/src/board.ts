/** A notice as it was pinned; `id` counts from 1. */
export interface Notice {
  id: number;
  text: string;
}

/** What was asked for cannot be pinned; the message is fit for whoever asked. */
export class NotANotice extends Error {}

const LONGEST = 280;
const MOST = 100;

/** The newest notices, in memory: a board forgets, and so does this one when it restarts. */
export class Board {
  readonly #notices: Notice[] = [];
  #pinned = 0;

  /** Pin what a request's body holds; the oldest notice falls off when the board is full. */
  pin(body: string): Notice {
    const notice = { id: this.#pinned + 1, text: textOf(body) };
    this.#pinned = notice.id;
    this.#notices.push(notice);
    if (this.#notices.length > MOST) this.#notices.shift();
    return notice;
  }

  /** How many notices were ever pinned. */
  get pinned(): number {
    return this.#pinned;
  }

  /** What hangs there, the newest first. */
  get notices(): readonly Notice[] {
    return [...this.#notices].reverse();
  }

  /** The page that people see. */
  get page(): string {
    const rows = this.notices.map((notice) => `<li>${escaped(notice.text)}</li>`);
    return `<!doctype html><title>Board</title><h1>Board</h1><ul>${rows.join("")}</ul>\n`;
  }
}

function textOf(body: string): string {
  let found: unknown;
  try {
    found = JSON.parse(body);
  } catch {
    throw new NotANotice("the body is not JSON");
  }
  const text = typeof found === "object" && found !== null && "text" in found ? found.text : undefined;
  if (typeof text !== "string" || text.length === 0 || text.length > LONGEST) {
    throw new NotANotice(`text must have 1 to ${LONGEST} characters`);
  }
  return text;
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
