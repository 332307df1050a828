// SPDX-License-Identifier: Apache-2.0
// Server-sent events out of a fetch body, by the WHATWG HTML parsing rules (§9.2.6).

export interface ServerEvent {
  event: string;
  data: string;
  id: string;
}

/** Feed it text as it comes; it returns the events that are complete. One per stream. */
export class SseParser {
  #rest = '';
  #started = false;
  #event = '';
  #data: string[] = [];
  #id = '';

  push(chunk: string): ServerEvent[] {
    this.#rest += chunk;
    if (!this.#started && this.#rest.length > 0) {
      this.#started = true;
      if (this.#rest.startsWith('\uFEFF')) this.#rest = this.#rest.slice(1);
    }
    const out: ServerEvent[] = [];
    for (;;) {
      const end = this.#rest.search(/[\r\n]/);
      if (end < 0) return out;
      const cr = this.#rest[end] === '\r';
      if (cr && end + 1 === this.#rest.length) return out; // its LF may still come
      const line = this.#rest.slice(0, end);
      this.#rest = this.#rest.slice(end + (cr && this.#rest[end + 1] === '\n' ? 2 : 1));
      const event = this.#line(line);
      if (event) out.push(event);
    }
  }

  #line(line: string): ServerEvent | null {
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    if (colon === 0) return null; // a comment
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'data') this.#data.push(value);
    else if (field === 'event') this.#event = value;
    else if (field === 'id' && !value.includes('\0')) this.#id = value;
    return null;
  }

  #dispatch(): ServerEvent | null {
    const data = this.#data;
    const event = this.#event || 'message';
    this.#data = [];
    this.#event = '';
    return data.length === 0 ? null : { event, data: data.join('\n'), id: this.#id };
  }
}

export async function* sseEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const parser = new SseParser();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield* parser.push(decoder.decode(value, { stream: true }));
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
