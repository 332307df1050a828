// SPDX-License-Identifier: Apache-2.0
// What a person does, from the sign-in to the sign-out, in a real browser against the fixture.
//   npm run build && npm run flows
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const PORT = 8093;
const BASE = `http://localhost:${PORT}`;
const complaints = [];

const flows = {
  async 'an unknown person is sent to the sign-in and comes back to the page they asked for'(page) {
    await page.goto(`${BASE}/audit?outcome=denied`);
    await page.waitForURL(/\/login\?return=/);
    await page.fill('[name=username]', 'mchen');
    await page.fill('[name=password]', 'right');
    await page.keyboard.press('Enter');
    await page.waitForURL(`${BASE}/audit?outcome=denied`);
    await page.waitForSelector('tbody .badge-bad');
    const stored = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
    assert.doesNotMatch(stored, /verifier|token/i, 'no token and no verifier stay in storage');
  },
  async 'a reload needs no password'(page) {
    await page.reload();
    await page.waitForSelector('tbody .badge-bad');
    assert.equal(new URL(page.url()).search, '?outcome=denied');
  },
  async 'a token near its end is renewed without leaving the page'(page) {
    let renewals = 0;
    page.on('request', (request) => (renewals += request.url().includes('prompt=none') ? 1 : 0));
    await fetch(`${BASE}/__fixture`, { method: 'POST', body: JSON.stringify({ mode: 'full', lifetimeSec: 30 }) });
    await page.reload(); // gets a token of 30 s, which is less than the margin
    await page.waitForSelector('tbody .badge-bad');
    await fetch(`${BASE}/__fixture`, { method: 'POST', body: JSON.stringify({ mode: 'full', lifetimeSec: 300 }) });
    await page.click('.side-nav a[href="/keys"]');
    await page.waitForSelector('.primary-cell, .name-cell');
    assert.ok(renewals >= 1, `${renewals} renewals`);
    assert.equal(await page.title(), 'API keys · drun');
  },
  async 'a navigation moves the focus to the heading'(page) {
    await page.click('.side-nav a[href="/models"]');
    await page.waitForSelector('tbody a');
    assert.equal(await page.evaluate(() => document.activeElement?.tagName), 'H1');
  },
  async 'a key is made, shown once, and revoked'(page) {
    await page.click('.side-nav a[href="/keys"]');
    await page.getByRole('button', { name: 'Create key' }).click();
    await page.locator('[role=dialog] [type=submit]').click();
    await page.waitForSelector('.field-error');
    await page.locator('[role=dialog] input').first().fill('flow-key');
    await page.getByLabel('Allowed addresses').fill('10.0.0.0/33');
    await page.locator('[role=dialog] [type=submit]').click();
    assert.match(await page.locator('.field-error').innerText(), /10\.0\.0\.0\/33/);
    await page.getByLabel('Allowed addresses').fill('10.0.0.0/8');
    await page.locator('[role=dialog] [type=submit]').click();
    assert.match(await page.locator('.secret output').innerText(), /^sk-drun-/);
    await page.keyboard.press('Escape');
    assert.ok(await page.locator('.secret').isVisible(), 'Escape does not throw the secret away');
    assert.ok(await page.getByRole('button', { name: 'Done' }).isDisabled());
    await page.getByLabel('I have saved the secret').check();
    await page.getByRole('button', { name: 'Done' }).click();
    await page.waitForSelector('.secret', { state: 'detached' });
    await page.getByRole('button', { name: 'Actions for flow-key' }).click();
    await page.getByRole('menuitem', { name: 'Revoke' }).click();
    await page.getByRole('alertdialog').getByRole('button', { name: 'Revoke' }).click();
    await page.waitForSelector('.toast');
    await page.getByText('flow-key', { exact: true }).waitFor({ state: 'detached' });
  },
  async 'a proof is run and the drawer closes by the keyboard'(page) {
    await page.click('.side-nav a[href="/"]');
    await page.locator('.control-open').first().click();
    await page.getByRole('button', { name: 'Run now', exact: true }).click();
    await page.getByText(/^(now|\d sec ago)$/).first().waitFor();
    await page.keyboard.press('Escape');
    await page.waitForSelector('.drawer', { state: 'detached' });
    assert.ok(await page.evaluate(() => document.activeElement?.classList.contains('control-open')), 'the focus is back on the control');
  },
  async 'the audit log follows live, and is exported'(page) {
    await page.click('.side-nav a[href="/audit"]');
    await page.waitForSelector('tbody .primary-cell');
    const newest = () => page.locator('tbody tr').first().innerText();
    const before = await newest();
    await page.getByRole('switch').click();
    await page.waitForFunction((old) => document.querySelector('tbody tr')?.innerText !== old, before);
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Export CSV' }).click()]);
    const text = await readFile(await download.path(), 'utf8');
    assert.match(text, /^\uFEFFindex,time,event,outcome,/);
  },
  async 'an answer streams and can be stopped'(page) {
    await page.click('.side-nav a[href="/playground"]');
    await page.getByLabel('Message').fill('Tell me');
    await page.keyboard.press('Enter');
    await page.waitForSelector('.caret');
    await page.waitForFunction(() => (document.querySelector('.answer .prose')?.textContent?.length ?? 0) > 20);
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByText('Stopped by you.').waitFor();
  },
  async 'the language changes without a reload, and stays'(page) {
    await page.click('.user-button');
    await page.getByRole('menuitemradio', { name: '简体中文' }).click();
    await page.getByRole('heading', { name: '体验中心' }).waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'zh-CN');
    await page.reload();
    await page.getByRole('heading', { name: '体验中心' }).waitFor();
  },
  async 'a session that has ended leads to the sign-in, and an evil return is ignored'(page) {
    await page.click('.user-button');
    await page.getByRole('menuitem', { name: '退出登录' }).click();
    await page.waitForURL(/\/login/);
    await page.goto(`${BASE}/login?return=${encodeURIComponent('//evil.example/oauth2/authorize?x')}`);
    await page.fill('[name=username]', 'mchen');
    await page.fill('[name=password]', 'right');
    await page.keyboard.press('Enter');
    await page.waitForSelector('.ring');
    assert.equal(new URL(page.url()).origin, BASE);
  },
};

const server = spawn(process.execPath, [fileURLToPath(new URL('./fixture/server.mjs', import.meta.url)), String(PORT)], { stdio: ['ignore', 'pipe', 'inherit'] });
await new Promise((done) => server.stdout.once('data', done));
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] });
const context = await browser.newContext({ locale: 'en-GB', viewport: { width: 1280, height: 800 }, reducedMotion: 'reduce' });
context.setDefaultTimeout(10_000);
await context.addInitScript(`addEventListener('securitypolicyviolation', (e) => console.error('CSP ' + e.effectiveDirective + ' ' + e.blockedURI))`);
const page = await context.newPage();
page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
page.on('pageerror', (error) => complaints.push(error.message));
let failed = 0;
for (const [name, flow] of Object.entries(flows)) {
  try {
    await flow(page);
    console.log(`ok - ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`not ok - ${name}\n  ${error.message.split('\n').slice(0, 4).join('\n  ')}`);
  }
}
await browser.close();
server.kill();
for (const complaint of complaints) console.log(`browser: ${complaint}`);
console.log(`${Object.keys(flows).length - failed} passed, ${failed} failed`);
process.exitCode = failed + complaints.length > 0 ? 1 : 0;
