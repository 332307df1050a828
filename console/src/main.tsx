// SPDX-License-Identifier: Apache-2.0
import { CSPProvider } from '@base-ui/react/csp-provider';
import { Tooltip } from '@base-ui/react/tooltip';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { ApiError } from './api/http';
import { App } from './App';
import { I18nProvider, needWords } from './i18n';
import './ui/tokens.css';
import './ui/base.css';
import { Toasts } from './ui/Toast';

const FONT_WAIT_MS = 800;

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      // Only what may pass by itself is tried again.
      retry: (count, error) => count < 1 && error instanceof ApiError && (error.status === 0 || error.status >= 500),
    },
  },
});

const root = document.getElementById('root');
if (!root) throw new Error('no #root in the page');
// The page is drawn once its words and its letters are there: nothing moves afterwards. A font that is late is not
// waited for.
const fonts = Promise.race([Promise.all(['400 1em Geist', '400 1em "Geist Mono"'].map((font) => document.fonts.load(font))), new Promise((done) => setTimeout(done, FONT_WAIT_MS))]);
await Promise.all([needWords('core'), fonts]);
createRoot(root).render(
  <StrictMode>
    <CSPProvider disableStyleElements>
      <QueryClientProvider client={queries}>
        <I18nProvider>
          <Tooltip.Provider>
            <App />
            <Toasts />
          </Tooltip.Provider>
        </I18nProvider>
      </QueryClientProvider>
    </CSPProvider>
  </StrictMode>,
);
