// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { sseEvents, SseParser } from './sse';

const parse = (...chunks: string[]) => {
  const parser = new SseParser();
  return chunks.flatMap((chunk) => parser.push(chunk));
};
const data = (...chunks: string[]) => parse(...chunks).map((event) => event.data);

describe('server-sent events', () => {
  it('are one event a blank line', () => {
    expect(data('data: {"a":1}\n\ndata: [DONE]\n\n')).toEqual(['{"a":1}', '[DONE]']);
  });
  it('may be cut anywhere', () => {
    const text = 'data: one\r\n\r\nevent: x\rdata: two\rdata:three\r\rdata: four\n\n';
    const whole = parse(text);
    expect(whole.map((event) => event.data)).toEqual(['one', 'two\nthree', 'four']);
    for (let i = 1; i < text.length; i++) expect(parse(text.slice(0, i), text.slice(i)), `cut at ${i}`).toEqual(whole);
    expect(parse(...text)).toEqual(whole);
  });
  it('keep comments, unknown fields and events without data out', () => {
    expect(data(': keep-alive\n\nretry: 10\n\nevent: ping\n\ndata: x\n\n')).toEqual(['x']);
  });
  it('take one space after the colon, not two', () => {
    expect(data('data:  x\n\ndata\n\n')).toEqual([' x', '']);
  });
  it('name the event, and forget the name after it', () => {
    expect(parse('event: error\nid: 7\ndata: a\n\ndata: b\n\n')).toEqual([
      { event: 'error', data: 'a', id: '7' },
      { event: 'message', data: 'b', id: '7' },
    ]);
  });
  it('drop what the stream did not finish', () => {
    expect(data('data: whole\n\ndata: half')).toEqual(['whole']);
  });
  it('skip a byte order mark at the start alone', () => {
    expect(data('\uFEFFdata: x\n\n')).toEqual(['x']);
  });
  it('decode characters that are cut between chunks', async () => {
    const bytes = new TextEncoder().encode('data: 你好\n\n');
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
        controller.close();
      },
    });
    const out: string[] = [];
    for await (const event of sseEvents(body)) out.push(event.data);
    expect(out).toEqual(['你好']);
  });
});
