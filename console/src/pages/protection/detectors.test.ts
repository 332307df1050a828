// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { DETECTORS, matrixOf, piecesOf, rulesOf } from './detectors';
import type { GuardRule } from './kinds';

describe('the detectors', () => {
  it("are the guard's", () => {
    const table = readFileSync('../src/lib/guard/detectors.c', 'utf8').split('guard_table[]')[1] ?? '';
    const names = [...table.matchAll(/^ {4}\{\{?(?:SECRET\(|TOLD\(|PERSONAL\()?"([\w-]+)"/gm)].map((m) => m[1]);
    expect(names.length).toBeGreaterThan(20);
    expect(Object.values(DETECTORS).flat().sort()).toEqual(names.sort());
  });
});

describe('a policy as a table', () => {
  const round = (rules: GuardRule[]) => rulesOf(matrixOf(rules));
  it('keeps what it says', () => {
    const rules: GuardRule[] = [{ detector: 'all', action: 'detect' }, { detector: 'secret', action: 'block', direction: 'request' }, { detector: 'email', action: 'mask' }];
    expect(round(rules)).toEqual(rules);
  });
  it('drops what a later and wider rule overrides', () => {
    expect(round([{ detector: 'github-token', action: 'block' }, { detector: 'secret', action: 'mask' }])).toEqual([{ detector: 'secret', action: 'mask' }]);
    expect(round([{ detector: 'email', action: 'block' }, { detector: 'all', action: 'off', direction: 'answer' }])).toEqual([
      { detector: 'all', action: 'off', direction: 'answer' },
      { detector: 'email', action: 'block', direction: 'request' },
    ]);
  });
  it('keeps a detector that it does not know', () => {
    expect(round([{ detector: 'of-tomorrow', action: 'block' }, { detector: 'secret', action: 'mask' }])).toEqual([
      { detector: 'secret', action: 'mask' },
      { detector: 'of-tomorrow', action: 'block' },
    ]);
  });
});

describe('a text with findings', () => {
  it('is cut at bytes, not at characters', () => {
    const finding = { detector: 'cn-mobile', group: 'personal', action: 'detect', offset: 6, length: 11, encoded: false } as const;
    expect(piecesOf('电话13800138000!', [finding]).map((piece) => piece.text)).toEqual(['电话', '13800138000', '!']);
  });
});
