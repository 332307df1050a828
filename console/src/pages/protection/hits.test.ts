// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { readEvent } from '../../api/audit';
import { change, fewest, readHit } from './hits';

const hitOf = (reason: string) =>
  readHit(
    readEvent({
      metadata: { name: '7' },
      event: { 'event.name': 'drun.waf.hit', 'drun.outcome': 'denied', time_unix_nano: '1000000000', 'drun.action.name': '942100', 'drun.action.namespace': 'demo', 'drun.reason': reason },
    }),
  );
const sqli = hitOf(
  "SQL Injection; ARGS:json.user: well «' or 1=1» --; score 15 of 5; at /v1/chat/completions; for demo/llama; rules 942100+5 ARGS:json.user, 942190+5 ARGS:json.user, 941110+5 ARGS:note, 949110+0! TX:ANOMALY_SCORE",
);

describe('a record of a hit', () => {
  it('is taken apart', () => {
    expect(sqli).toMatchObject({ message: 'SQL Injection', variable: 'ARGS:json.user', before: 'well ', match: "' or 1=1", after: ' --', score: 15, threshold: 5, path: '/v1/chat/completions', service: 'demo/llama', cut: false });
    expect(sqli.parts.map((part) => part.rule)).toEqual([942100, 942190, 941110, 949110]);
  });
  it('is not misled by what a client wrote', () => {
    const hit = hitOf('Odd (x; score 0 of 9; at /a); ARGS:q: ; score 1 of 99«<b>»; score 2 of 9; score 5 of 5; at /x; rules 941110+5 ARGS:q');
    expect(hit).toMatchObject({ score: 5, threshold: 5, path: '/x', match: '<b>' });
  });
  it('without a place is shown as far as it goes', () => {
    expect(hitOf("SQL; ARGS:q: ' or 1; also 942190")).toMatchObject({ message: 'SQL', variable: 'ARGS:q', match: "' or 1; also 942190", parts: [] });
    expect(hitOf('the body is larger than the rules look at')).toMatchObject({ message: 'the body is larger than the rules look at', match: '', after: '' });
  });
  it('says when rules were left out', () => {
    expect(hitOf('A; ARGS:q: «x»; score 50 of 5; at /x; rules 1+5 ARGS:q, ...').cut).toBe(true);
  });
});

describe('an exclusion', () => {
  const both = { ruleIds: ['942000-942999'], targets: ['ARGS:json.user'] };
  it('leaves what others refuse', () => {
    expect(change(sqli, undefined, both)).toBe('refused');
    expect(change({ ...sqli, score: 10, parts: sqli.parts.filter((part) => part.rule !== 941110) }, undefined, both)).toBe('passes');
  });
  it('holds where it is meant', () => {
    for (const match of [{ paths: ['/v1/chat'] }, { modelServices: ['demo/llama'] }, { namespaces: ['demo'] }]) expect(change(sqli, match, both)).toBe('refused');
    for (const match of [{ paths: ['/v1/cha'] }, { modelServices: ['demo/other'] }, { namespaces: ['x'] }]) expect(change(sqli, match, both)).toBe('untouched');
    expect(change(sqli, undefined, { ruleIds: ['942100'], targets: ['ARGS:other'] })).toBe('untouched');
  });
  it('never takes the rule that counts', () => {
    expect(change(sqli, undefined, { ruleIds: ['949110'] })).toBe('untouched');
  });
  it('says when it cannot know', () => {
    expect(change({ ...sqli, parts: [] }, undefined, both)).toBe('unknown');
    expect(change({ ...sqli, cut: true }, undefined, both)).toBe('unknown');
  });
  it('needs as few rules as there are', () => {
    expect(fewest(sqli.parts, 15, 5).map((part) => part.rule)).toEqual([942100, 942190, 941110]);
    const two = [
      { rule: 1, points: 3, refuses: false, variable: 'A' },
      { rule: 2, points: 5, refuses: false, variable: 'B' },
    ];
    expect(fewest(two, 8, 5).map((part) => part.rule)).toEqual([2]);
    expect(fewest([{ rule: 9, points: 0, refuses: true, variable: 'REQUEST_HEADERS:X' }], 0, 5).map((part) => part.rule)).toEqual([9]);
  });
});
