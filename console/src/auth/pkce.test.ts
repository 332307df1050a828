// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { challengeOf, randomToken } from './pkce';
import { authorizeReturn, consoleReturn } from './return';

describe('PKCE', () => {
  it('makes the challenge of RFC 7636 appendix B', async () => {
    expect(await challengeOf('dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk')).toBe('E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM');
  });
  it('makes verifiers of 43 unreserved characters, each its own', () => {
    const many = Array.from({ length: 100 }, randomToken);
    for (const one of many) expect(one).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(new Set(many).size).toBe(100);
  });
});

describe('the way back after sign-in', () => {
  const origin = 'https://drun.example';
  it('goes to the authorization endpoint of this origin', () => {
    expect(authorizeReturn('/oauth2/authorize?client_id=a&state=b', origin)).toBe('/oauth2/authorize?client_id=a&state=b');
  });
  it('goes to the page on which a device is let in', () => {
    expect(authorizeReturn('/oauth2/device', origin)).toBe('/oauth2/device');
    expect(authorizeReturn('/oauth2/device?user_code=ABCD', origin)).toBe('/oauth2/device?user_code=ABCD');
  });
  it.each([
    null,
    '',
    '/',
    'https://evil.example/oauth2/authorize?x',
    '//evil.example/oauth2/authorize?x',
    '/oauth2/authorize',
    '/oauth2/authorized?x=1',
    '/oauth2/authorize/../../evil?x',
    '/oauth2/token?x',
    '/oauth2/devices',
    '/oauth2/device/../../evil',
    '/oauth2/authorize?x\\y',
    '/oauth2/authorize?\n//evil.example',
    'javascript:alert(1)',
    '/\\evil.example',
  ])('refuses %j', (value) => {
    expect(authorizeReturn(value, origin)).toBeNull();
  });
  it.each([
    ['/audit?range=7d', '/audit?range=7d'],
    ['//evil.example/', '/'],
    ['https://evil.example/', '/'],
    ['/login?return=x', '/'],
    ['/callback?code=x', '/'],
    ['/apis/drun.io/v1/users', '/'],
    ['/models/../../login', '/'],
    [null, '/'],
  ])('sends %j to %j', (value, page) => {
    expect(consoleReturn(value, origin)).toBe(page);
  });
});
