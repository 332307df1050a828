// SPDX-License-Identifier: Apache-2.0
import { CSPProvider } from '@base-ui/react/csp-provider';
import { Tooltip } from '@base-ui/react/tooltip';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { ApiError } from './api/http';
import { App } from './App';
import { I18nProvider, initialLanguage, loadCatalogue } from './i18n';
import './ui/tokens.css';
import './ui/base.css';
import { Toasts } from './ui/Toast';

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
const language = initialLanguage();
const catalogue = await loadCatalogue(language);
createRoot(root).render(
  <StrictMode>
    <CSPProvider disableStyleElements>
      <QueryClientProvider client={queries}>
        <I18nProvider language={language} catalogue={catalogue}>
          <Tooltip.Provider>
            <App />
            <Toasts />
          </Tooltip.Provider>
        </I18nProvider>
      </QueryClientProvider>
    </CSPProvider>
  </StrictMode>,
);
