// SPDX-License-Identifier: Apache-2.0
// Every page of the built console in both languages and both themes under the real content security policy:
// a screenshot each, axe-core on each, layout shift, overflow, and everything the browser complained of. Exits 1 on any.
//   npm run build && npm run shots [-- NAME…]
import { spawn } from 'node:child_process';
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const PORT = 8091;
const BASE = `http://localhost:${PORT}`;
const MAX_SHIFT = 0.02; // cumulative, without what the person's own input moves
const OUT = fileURLToPath(new URL('./shots', import.meta.url));
const AXE = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const WORDS = {
  en: { create: 'Create key', invite: 'Invite user', actions: 'Actions for', revoke: 'Revoke', message: 'Message', send: 'Send', nav: 'Open navigation', inviteSubmit: 'Create invitation' },
  'zh-CN': { create: '创建密钥', invite: '邀请用户', actions: '的操作', revoke: '吊销', message: '消息', send: '发送', nav: '打开导航', inviteSubmit: '创建邀请' },
};

const button = (page, name) => page.getByRole('button', { name, exact: false });
const fillName = (page, name) => page.locator('[role=dialog] input').first().fill(name);

/** name, address, and what is done before the picture is taken */
const PAGES = [
  ['login', '/login', null, { signedIn: false }],
  ['login-refused', '/login', async (page) => {
    await page.fill('[name=username]', 'mchen');
    await page.fill('[name=password]', 'wrong');
    await page.click('[type=submit]');
    await page.waitForSelector('.field-error');
  }, { signedIn: false }],
  ['login-wait', '/login', async (page) => {
    for (const wait of ['.field-error', '.notice-warn']) {
      await page.fill('[name=username]', 'mchen');
      await page.fill('[name=password]', 'wrong');
      await page.click('[type=submit]');
      await page.waitForSelector(wait);
    }
  }, { signedIn: false }],
  ['setup', '/setup#token=abc', async (page) => {
    await page.fill('[name=username]', 'mchen');
    await page.fill('[name=password]', 'lantern orbit 42');
  }, { signedIn: false }],
  ['setup-spent', '/setup', null, { signedIn: false }],
  ['callback-error', '/callback?error=access_denied&state=x', null, { signedIn: false }],
  ['overview', '/'],
  ['overview-evidence', '/', async (page) => page.locator('.attention-row').last().click()],
  ['models', '/models'],
  ['models-catalog', '/models/catalog'],
  ['service', '/models/lab-language/qwen3-8b'],
  ['service-failed', '/models/payments/fraud-explainer'],
  ['playground', '/playground'],
  ['playground-chat', '/playground', async (page, w) => {
    await page.getByLabel(w.message).fill('How does a Merkle tree protect an audit log?');
    await button(page, w.send).click();
    await page.waitForSelector('.figures');
  }],
  ['playground-denied', '/playground', async (page, w) => {
    await page.getByLabel(w.message).fill('denied');
    await button(page, w.send).click();
    await page.waitForSelector('.notice-bad');
  }],
  ['keys', '/keys'],
  ['keys-create', '/keys', async (page, w) => button(page, w.create).click()],
  ['keys-invalid', '/keys', async (page, w) => {
    await button(page, w.create).click();
    await fillName(page, 'refused');
    await page.locator('[role=dialog] [type=submit]').click();
    await page.waitForSelector('.notice-bad');
  }],
  ['keys-created', '/keys', async (page, w) => {
    await button(page, w.create).click();
    await fillName(page, `key-${Date.now()}`);
    await page.locator('[role=dialog] [type=submit]').click();
    await page.waitForSelector('.secret');
  }],
  ['keys-menu', '/keys', async (page, w) => button(page, w.actions).first().click()],
  ['keys-revoke', '/keys', async (page, w) => {
    await button(page, w.actions).first().click();
    await page.getByRole('menuitem', { name: w.revoke }).click();
  }],
  ['users', '/access'],
  ['users-invited', '/access', async (page, w) => {
    await button(page, w.invite).click();
    await fillName(page, `guest-${Date.now()}`);
    await page.locator('[role=dialog] [type=submit]').click();
    await page.waitForSelector('.secret');
  }],
  ['groups', '/access/groups'],
  ['roles', '/access/roles'],
  ['roles-open', '/access/roles', async (page) => page.locator('.primary-cell').nth(1).click()],
  ['bindings', '/access/bindings'],
  ['who-can', '/access/who-can'],
  ['audit', '/audit'],
  ['audit-entry', '/audit/1203', async (page) => page.waitForSelector('.proof-ok')],
  ['account', '/account'],
  ['account-menu', '/account', async (page) => page.locator('.user-button').click()],
  ['namespace-menu', '/models', async (page) => page.locator('.ns-button').click()],
  ['namespace-by-name', '/models', async (page) => {
    await page.locator('.ns-button').click();
    await page.getByRole('menuitem').last().click();
  }, { mode: 'forbidden' }],
  ['about', '/about'],
  ['not-found', '/nowhere'],
  ['empty-overview', '/', null, { mode: 'empty' }],
  ['empty-models', '/models', null, { mode: 'empty' }],
  ['empty-keys', '/keys', null, { mode: 'empty' }],
  ['empty-audit', '/audit', null, { mode: 'empty' }],
  ['broken-overview', '/', null, { mode: 'broken' }],
  ['broken-keys', '/keys', null, { mode: 'broken' }],
  ['forbidden-users', '/access', null, { mode: 'forbidden' }],
  ['slow-overview', '/', null, { mode: 'slow' }],
  ['slow-keys', '/keys', null, { mode: 'slow' }],
  ['slow-service', '/models/lab-language/qwen3-8b', null, { mode: 'slow' }],
  ['phone-login', '/login', null, { phone: true, signedIn: false }],
  ['phone-overview', '/', null, { phone: true }],
  ['phone-nav', '/', async (page, w) => button(page, w.nav).click(), { phone: true }],
  ['phone-keys', '/keys', null, { phone: true }],
  ['phone-create', '/keys', async (page, w) => button(page, w.create).click(), { phone: true }],
  ['phone-audit-entry', '/audit/1203', async (page) => page.waitForSelector('.proof-ok'), { phone: true }],
  ['phone-playground', '/playground', null, { phone: true }],
];

const wanted = process.argv.slice(2);
const problems = [];

async function shoot(browser, [name, address, act, options = {}], language, theme) {
  const { signedIn = true, mode = 'full', phone = false } = options;
  await fetch(`${BASE}/__fixture`, { method: 'POST', body: JSON.stringify({ mode }) });
  const context = await browser.newContext({ viewport: phone ? { width: 390, height: 844 } : { width: 1360, height: 860 }, deviceScaleFactor: 1, locale: language, colorScheme: theme, reducedMotion: 'reduce' });
  if (signedIn) await context.addCookies([{ name: 'session', value: '1', url: BASE }]);
  await context.addInitScript(`addEventListener('securitypolicyviolation', (e) => console.error('CSP ' + e.effectiveDirective + ' ' + e.blockedURI + ' ' + e.sourceFile))`);
  await context.addInitScript(`globalThis.shift = 0; new PerformanceObserver((list) => list.getEntries().forEach((e) => (globalThis.shift += e.hadRecentInput ? 0 : e.value))).observe({ type: 'layout-shift', buffered: true })`);
  const page = await context.newPage();
  const id = `${name}.${language}.${theme}`;
  page.on('console', (message) => {
    const expected = mode !== 'full' || /status of (401|403|404|409|422|429)/.test(message.text());
    if (['error', 'warning'].includes(message.type()) && !expected) problems.push(`${id}: console: ${message.text()}`);
  });
  page.on('pageerror', (error) => problems.push(`${id}: ${error.message}`));
  try {
    await page.goto(BASE + address);
    await page.waitForSelector('h1');
    if (signedIn) await page.waitForSelector('.page-head, .page-wait');
    if (mode !== 'slow') await page.waitForLoadState('networkidle', { timeout: 6000 }).catch(() => undefined);
    else await page.waitForTimeout(500);
    if (['broken', 'forbidden'].includes(mode)) await page.waitForSelector('.blank');
    const shift = await page.evaluate(() => globalThis.shift);
    if (shift > MAX_SHIFT) problems.push(`${id}: layout shift of ${shift.toFixed(3)}`);
    if (act) await act(page, WORDS[language]);
    await page.waitForTimeout(350);
    await page.screenshot({ path: `${OUT}/${id}.png`, fullPage: !phone && !act });
    await page.evaluate(AXE);
    // Base UI's focus guards are hidden and focusable on purpose: they hand the focus on at once.
    const { violations } = await page.evaluate(() => window.axe.run({ exclude: [['[data-base-ui-focus-guard]']] }, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
    for (const v of violations) problems.push(`${id}: axe ${v.id} (${v.impact}): ${v.nodes.map((node) => `${node.target.join(' ')} ${node.any[0]?.message ?? ''}`).slice(0, 3).join(' | ')}`);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (wide > 0) problems.push(`${id}: the page is ${wide} px too wide`);
  } catch (error) {
    problems.push(`${id}: ${error.message.split('\n')[0]}`);
  }
  await context.close();
}

const server = spawn(process.execPath, [fileURLToPath(new URL('./fixture/server.mjs', import.meta.url)), String(PORT)], { stdio: ['ignore', 'pipe', 'inherit'] });
await new Promise((done) => server.stdout.once('data', done));
await mkdir(OUT, { recursive: true });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] });
let count = 0;
for (const entry of PAGES.filter(([name]) => wanted.length === 0 || wanted.includes(name))) {
  for (const language of ['en', 'zh-CN']) {
    for (const theme of ['light', 'dark']) {
      await shoot(browser, entry, language, theme);
      count += 1;
    }
  }
}
await browser.close();
server.kill();
for (const problem of problems) console.log(problem);
console.log(`${count} views, ${problems.length} problems`);
process.exitCode = problems.length > 0 ? 1 : 0;
