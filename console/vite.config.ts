// SPDX-License-Identifier: Apache-2.0
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import react from '@vitejs/plugin-react';
import type { Plugin, ProxyOptions } from 'vite';
import { defineConfig } from 'vitest/config';

/** The licence texts of every package that is in the bundle: their authors ask for it. */
function licenses(): Plugin {
  return {
    name: 'drun-licenses',
    apply: 'build',
    generateBundle(_options, bundle) {
      const packages = new Set<string>(['@fontsource-variable/geist', '@fontsource-variable/geist-mono']);
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== 'chunk') continue;
        for (const id of Object.keys(chunk.modules)) {
          const name = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(id.replace(/\0/g, ''))?.[1];
          if (name) packages.add(name);
        }
      }
      const texts = [...packages].sort().map((name) => {
        const folder = `node_modules/${name}`;
        const about = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8')) as { version: string; license: string };
        const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
        return `${name} ${about.version} (${about.license})\n\n${file ? readFileSync(`${folder}/${file}`, 'utf8').trim() : ''}\n`;
      });
      this.emitFile({ type: 'asset', fileName: 'licenses.txt', source: texts.join(`\n${'-'.repeat(72)}\n\n`) });
    },
  };
}

/** Fonts start loading with the page, so that text never changes its shape after it was drawn. */
function preloadFonts(): Plugin {
  return {
    name: 'drun-preload-fonts',
    transformIndexHtml: {
      order: 'post',
      handler(_html, ctx) {
        return Object.keys(ctx.bundle ?? {})
          .filter((name) => name.endsWith('.woff2'))
          .map((name) => ({
            tag: 'link',
            attrs: { rel: 'preload', as: 'font', type: 'font/woff2', href: `/${name}`, crossorigin: true },
            injectTo: 'head' as const,
          }));
      },
    },
  };
}

/** The icons of what every page loads; those of single pages make a chunk that comes with the first such page. */
function commonIcons(): Set<string> {
  const folders = ['src', 'src/ui', 'src/pages/overview'];
  const files = folders.flatMap((folder) => readdirSync(folder).filter((name) => name.endsWith('.tsx')).map((name) => readFileSync(`${folder}/${name}`, 'utf8')));
  const names = files.flatMap((text) => [...text.matchAll(/import \{([^}]*)\} from 'lucide-react'/g)].flatMap((m) => (m[1] ?? '').split(',')));
  const kebab = names.map((name) => (name.trim().split(' ')[0] ?? '').replace(/(?<=[a-z0-9])(?=[A-Z])|(?<=[a-z])(?=[0-9])/g, '-').toLowerCase());
  // Some names stand for others.
  return new Set(kebab.map((name) => {
    const file = `node_modules/lucide-react/dist/esm/icons/${name}.mjs`;
    return (existsSync(file) && /from '\.\/([\w-]+)\.mjs'/.exec(readFileSync(file, 'utf8'))?.[1]) || name;
  }));
}
const common = commonIcons();

/** Calls of `npm run dev` go to a platform, as if the page had come from it: it takes changes from its own origin alone. */
const platform = new URL(process.env.DRUN_SERVER ?? 'https://127.0.0.1:8443').origin;
process.env.VITE_DRUN_SERVER = platform;
const toPlatform: ProxyOptions = {
  target: platform,
  changeOrigin: true,
  secure: false, // its certificate is of its own authority
  configure(proxy) {
    proxy.on('proxyReq', (request) => {
      if (request.hasHeader('origin')) request.setHeader('origin', platform);
    });
    proxy.on('proxyRes', (answer) => {
      const { location } = answer.headers;
      if (location?.startsWith(`${platform}/`)) answer.headers.location = location.slice(platform.length);
    });
  },
};
const PROXIED = ['/api', '/apis', '/openapi', '/v1', '/version', '/oauth2', '/session', '/.well-known'];

export default defineConfig({
  plugins: [react(), preloadFonts(), licenses()],
  // A path that ends here: /api is not the folder src/api of the sources.
  server: { proxy: Object.fromEntries(PROXIED.map((path) => [`^${path}(/|\\?|$)`, toPlatform])) },
  build: {
    target: 'es2022',
    // The page's policy is default-src 'self': a data: URI would be refused.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: {
      output: {
        // Five shared chunks that change rarely; each page, and each language, is a chunk of its own.
        manualChunks(id) {
          if (/node_modules\/(react|react-dom|scheduler|use-sync-external-store)\//.test(id)) return 'react';
          if (/node_modules\/(@base-ui|@floating-ui|reselect|tabbable)\//.test(id)) return 'base-ui';
          const icon = /lucide-react\/dist\/esm\/icons\/([\w-]+)\./.exec(id)?.[1];
          if (icon && !common.has(icon)) return 'icons';
          if (/node_modules\/(@tanstack|wouter|regexparam|lucide-react)\//.test(id)) return 'lib';
          if (/src\/(ui|lib|api|auth)\/[\w.]+\.(tsx?|css)$/.test(id)) return 'kit';
          return undefined;
        },
      },
    },
  },
  test: { include: ['src/**/*.test.ts'], environment: 'node', setupFiles: ['test/setup.ts'] },
});
