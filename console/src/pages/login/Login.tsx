// SPDX-License-Identifier: Apache-2.0
import { type FormEvent, useEffect, useRef, useState } from 'react';
import { ApiError } from '../../api/http';
import { openSession } from '../../api/session';
import { authorizeReturn } from '../../auth/return';
import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { TextField } from '../../ui/Field';
import { ErrorNotice, Notice } from '../../ui/Notice';
import { Frame } from './Frame';
import { PasswordField } from './PasswordField';

/** Counts down to 0, one a second. */
function useCountdown(): [number, (seconds: number) => void] {
  const [left, setLeft] = useState(0);
  useEffect(() => {
    if (left <= 0) return;
    const timer = setTimeout(() => setLeft(left - 1), 1000);
    return () => clearTimeout(timer);
  }, [left]);
  return [left, setLeft];
}

export default function Login() {
  const { t, tn } = useI18n();
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [wait, setWait] = useCountdown();
  const passwordInput = useRef<HTMLInputElement>(null);
  const first = useRef<HTMLInputElement>(null);
  useEffect(() => first.current?.focus(), []);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (busy || wait > 0) return;
    setBusy(true);
    setRefused(false);
    setError(null);
    try {
      await openSession(username.trim(), password);
      const next = authorizeReturn(new URLSearchParams(window.location.search).get('return'), window.location.origin);
      window.location.replace(next ?? '/');
    } catch (cause) {
      setBusy(false);
      setPassword('');
      if (cause instanceof ApiError && cause.status === 429) setWait(cause.retryAfterSec ?? 30);
      else if (cause instanceof ApiError && cause.status === 401) setRefused(true);
      else setError(cause);
      passwordInput.current?.focus();
    }
  };

  return (
    <Frame title={t('login.title')} text={t('login.text')}>
      <form className="stack" onSubmit={(event) => void submit(event)}>
        {wait > 0 && (
          <div role="alert">
            <Notice tone="warn">{tn('login.wait', wait)}</Notice>
          </div>
        )}
        {error !== null && <ErrorNotice error={error} />}
        <TextField ref={first} label={t('login.username')} name="username" autoComplete="username" autoCapitalize="none" spellCheck={false} required maxLength={256} value={username} onChange={(event) => setUsername(event.target.value)} />
        <PasswordField ref={passwordInput} label={t('login.password')} value={password} onChange={setPassword} error={refused ? t('login.refused') : undefined} />
        <Button type="submit" variant="primary" busy={busy} disabled={wait > 0}>
          {t('login.submit')}
        </Button>
      </form>
    </Frame>
  );
}
