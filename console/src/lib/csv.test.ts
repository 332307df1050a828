// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { csv, csvCell } from './csv';

describe('CSV', () => {
  it('quotes by RFC 4180', () => {
    expect(csv(['a', 'b'], [['x,y', 'say "hi"'], ['two\nlines', 3]])).toBe('a,b\r\n"x,y","say ""hi"""\r\n"two\nlines",3\r\n');
  });
  it.each(['=1+1', '+1', '-1', '@SUM(A1)', ' =cmd', '\t=x', '\r=x', '|calc', '%0A=x', '=HYPERLINK("http://evil.example","x")'])('does not let a spreadsheet run %j', (text) => {
    const cell = csvCell(text);
    expect(cell.startsWith(`"'`)).toBe(true);
  });
  it('leaves numbers, also negative ones, as they are', () => {
    expect(csvCell(-5)).toBe('-5');
  });
  it('writes nothing for what is not there, and JSON for objects', () => {
    expect(csvCell(undefined)).toBe('');
    expect(csvCell(null)).toBe('');
    expect(csvCell({ a: 1, b: 'x' })).toBe('"{""a"":1,""b"":""x""}"');
  });
});
