// SPDX-License-Identifier: Apache-2.0
import { ShieldX } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useLocation } from 'wouter';
import { finishSignIn, SignInError } from '../../auth/oidc';
import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { Mark } from '../../ui/Logo';
import { Empty } from '../../ui/Notice';
import { Frame } from './Frame';

let pending: Promise<string> | null = null; // the code is for one use, whatever React does with effects

export default function Callback() {
  const { t } = useI18n();
  const [, navigate] = useLocation();
  const [error, setError] = useState<unknown>(null);
  useEffect(() => {
    pending ??= finishSignIn(window.location.search);
    pending.then((to) => navigate(to, { replace: true }), setError);
  }, [navigate]);

  if (error === null) {
    return (
      <main className="splash" aria-busy="true">
        <Mark size={40} />
        <h1 className="sr-only">{t('login.title')}</h1>
      </main>
    );
  }
  return (
    <Frame title={t('callback.title')}>
      <Empty
        icon={ShieldX}
        title={t('callback.text')}
        action={
          <Button variant="primary" onClick={() => window.location.replace('/')}>
            {t('callback.again')}
          </Button>
        }
      >
        <p>{error instanceof Error ? error.message : String(error)}</p>
        {error instanceof SignInError && (
          <p className="muted small">
            <code>{error.code}</code>
          </p>
        )}
      </Empty>
    </Frame>
  );
}
