// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { laidOut } from './laidOut';

describe('a rule', () => {
  it('has each action on a line', () => {
    expect(laidOut(`SecRule ARGS "@rx a,b" "id:1,msg:'a, b',deny"`)).toBe(`SecRule ARGS "@rx a,b" \\\n    "id:1,\\\n    msg:'a, b',\\\n    deny"`);
  });
  it('without actions stays as it is', () => {
    expect(laidOut('SecRuleEngine On')).toBe('SecRuleEngine On');
  });
});
