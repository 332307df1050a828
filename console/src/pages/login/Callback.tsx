// SPDX-License-Identifier: Apache-2.0
// The way back from the authorization endpoint. Every sign-in comes through here: what a failure needs comes with it.
import { lazy, useEffect, useState } from 'react';
import { useLocation } from 'wouter';
import { finishSignIn } from '../../auth/oidc';
import { useI18n } from '../../i18n';
import { Mark } from '../../ui/Logo';

const SignInFailed = lazy(() => import('./SignInFailed'));

let pending: Promise<string> | null = null; // the code is for one use, whatever React does with effects

export default function Callback() {
  const { t } = useI18n();
  const [, navigate] = useLocation();
  const [error, setError] = useState<unknown>(null);
  useEffect(() => {
    pending ??= finishSignIn(window.location.search);
    pending.then((to) => navigate(to, { replace: true }), setError);
  }, [navigate]);

  if (error !== null) return <SignInFailed error={error} />;
  return (
    <main className="splash" aria-busy="true">
      <Mark size={40} />
      <h1 className="sr-only">{t('login.title')}</h1>
    </main>
  );
}
