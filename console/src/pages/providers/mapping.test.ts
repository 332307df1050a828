// SPDX-License-Identifier: Apache-2.0
// The cases of src/roles/idp/federation/mapping_test.c: the preview must say what the server will do.
import { describe, expect, it } from 'vitest';
import { applyRule, findClaim, groupIsGood, previewOf, userNameOf } from './mapping';

describe('a rule', () => {
  it.each([
    ['*', '{0}', 'alice', 'alice'],
    ['*', '{0}', '', ''],
    ['eng-*', 'engineering-{1}', 'eng-core', 'engineering-core'],
    ['eng-*', 'engineering-{1}', 'sales-core', null],
    ['*@corp.example', '{1}', 'alice@corp.example', 'alice'],
    ['*@corp.example', '{1}', 'alice@corp.example.evil', null],
    ['cn=*,ou=*,*', '{2}:{1}', 'cn=dev,ou=teams,dc=corp', 'teams:dev'],
    ['*-*', '{1}|{2}', 'a-b-c', 'a|b-c'],
    ['**', '{1}|{2}', 'abc', '|abc'],
    ['admin', 'platform', 'admin', 'platform'],
    ['admin', 'platform', 'admins', null],
    ['a*', '{1}{2}{9}{x}{', 'ab', 'b{x}{'],
    ['*a*a*a*a*b', '{0}', 'a'.repeat(43), null],
  ])('%s, %s of %s gives %s', (match, template, value, expected) => {
    expect(applyRule(match, template, value)).toBe(expected);
  });
});

describe('a claim', () => {
  const claims = { 'https://a.example/groups': 1, realm_access: { roles: ['x'], 'a/b': { '~': 2 } } };
  it.each([
    ['https://a.example/groups', 1],
    ['/realm_access/roles/0', 'x'],
    ['/realm_access/a~1b/~0', 2],
    ['/realm_access/roles/1', undefined],
    ['/realm_access/roles/x', undefined],
    ['/nothing/at/all', undefined],
  ])('%s is found', (claim, expected) => {
    expect(findClaim(claims, claim)).toBe(expected);
  });
});

describe('a preview', () => {
  it('takes the usual claims without a mapping', () => {
    expect(previewOf({}, { preferred_username: 'Alice.Smith@Corp.Example', name: 'Alice', email: 'a@corp.example', groups: ['admins'] })).toEqual({ userName: 'alice.smith-corp.example', displayName: 'Alice', email: 'a@corp.example', groups: [], refused: [] });
  });
  it('has groups of rules alone, each once, and never the system’s', () => {
    const mapping = { groups: [{ claim: 'groups' }, { claim: 'level', match: '3', template: 'seniors' }] };
    const claims = { uid: 'bob', level: 3, groups: ['dev', 'dev', 'system:masters', 'drun:operators', 'a/b', '', 7, null, {}] };
    expect(previewOf(mapping, claims)).toMatchObject({ userName: 'bob', groups: ['dev', '7', 'seniors'], refused: ['system:masters', 'drun:operators', 'a/b'] });
  });
  it('finds no name where there is none', () => {
    expect(userNameOf('@@@')).toBe('');
    expect(previewOf({ userName: { claim: 'uid', match: 'x-*', template: '{1}' } }, { uid: 'bob' }).userName).toBe('');
  });
  it('knows which groups may be given', () => {
    expect(['a', 'a:b', '..', '', 'x\ny', 'a%b'].map(groupIsGood)).toEqual([true, true, false, false, false, false]);
  });
});
