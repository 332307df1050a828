// SPDX-License-Identifier: Apache-2.0
// Setting up a second factor: an authenticator app, a passkey, a number for text messages.
import { useQuery } from '@tanstack/react-query';
import { Fingerprint } from 'lucide-react';
import { type FormEvent, lazy, Suspense, useEffect, useRef, useState } from 'react';
import { ApiError } from '../api/http';
import { useI18n } from '../i18n';
import { Button } from '../ui/Button';
import { CopyIcon } from '../ui/Code';
import { TextField } from '../ui/Field';
import { ErrorNotice, ErrorView, Notice, Skeleton } from '../ui/Notice';
import { useTask } from '../ui/task';
import { type Added, addPasskey, beginSms, beginTotp, confirmSms, confirmTotp, type Method, newPasskeyOptions } from './api';
import { CodeField } from './CodeField';
import { createPasskey, hasPasskeys, isThereAlready, wasCancelled } from './webauthn';

const Qr = lazy(() => import('./Qr').then(({ Qr: component }) => ({ default: component })));

type Done = (added: Added) => void;

const isWrongCode = (error: unknown) => error instanceof ApiError && error.status === 422;

function TotpSetup({ onDone }: { onDone: Done }) {
  const { t } = useI18n();
  const [code, setCode] = useState('');
  const { busy, error, run } = useTask();
  const field = useRef<HTMLInputElement>(null);
  // A secret is made once for a form, however often it is drawn.
  const begun = useQuery({ queryKey: ['totp-secret'], queryFn: beginTotp, staleTime: Infinity, gcTime: 0, retry: false, refetchOnWindowFocus: false });
  useEffect(() => field.current?.focus(), [begun.data]);
  const confirm = (text: string) =>
    void run(async () => {
      try {
        onDone(await confirmTotp(text));
      } finally {
        setCode('');
      }
    });
  if (begun.error) return <ErrorView error={begun.error} onRetry={() => void begun.refetch()} />;
  if (!begun.data) return <Skeleton lines={6} />;
  const { secret, uri } = begun.data;
  const groups = secret.match(/.{1,4}/g)?.join(' ') ?? secret;
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        if (code !== '') confirm(code);
      }}
    >
      {error !== null && !isWrongCode(error) && <ErrorNotice error={error} />}
      <ol className="steps" role="list">
        <li>
          <div className="stack-s">
            <p>{t('enrol.totpScan')}</p>
            <Suspense fallback={<div className="qr" />}>
              <Qr text={uri} label={t('enrol.totpQr')} />
            </Suspense>
            <p className="muted small">{t('enrol.totpType')}</p>
            <div className="key-text">
              <output className="mono break" aria-label={t('enrol.totpSecret')}>
                {groups}
              </output>
              <CopyIcon text={secret} label={t('enrol.totpCopy')} />
            </div>
          </div>
        </li>
        <li>
          <CodeField ref={field} label={t('enrol.totpConfirm')} value={code} onChange={setCode} onComplete={confirm} error={isWrongCode(error) ? t('enrol.wrongCode') : undefined} />
        </li>
      </ol>
      <Button type="submit" variant="primary" busy={busy}>
        {t('enrol.confirm')}
      </Button>
    </form>
  );
}

/** A name that tells this device's passkey from others. */
function thisDevice(): string {
  const systems = [['iPhone', 'iPhone'], ['iPad', 'iPad'], ['Android', 'Android'], ['Mac OS', 'Mac'], ['Windows', 'Windows'], ['Linux', 'Linux']];
  return systems.find(([mark]) => navigator.userAgent.includes(mark ?? ''))?.[1] ?? '';
}

function PasskeySetup({ onDone }: { onDone: Done }) {
  const { t } = useI18n();
  const [name, setName] = useState(thisDevice);
  const { busy, error, run } = useTask();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void run(async () => onDone(await addPasskey(name.trim() || thisDevice() || 'passkey', await createPasskey(await newPasskeyOptions()))));
  };
  if (!hasPasskeys()) return <Notice tone="warn">{t('enrol.noPasskeys')}</Notice>;
  return (
    <form className="stack" onSubmit={submit}>
      {error !== null &&
        (wasCancelled(error) || isThereAlready(error) ? (
          <div role="alert">
            <Notice tone="warn">{t(wasCancelled(error) ? 'factor.cancelled' : 'enrol.passkeyThere')}</Notice>
          </div>
        ) : (
          <ErrorNotice error={error} />
        ))}
      <p className="second">{t('enrol.passkeyText')}</p>
      <TextField label={t('enrol.passkeyName')} hint={t('enrol.passkeyNameHint')} maxLength={64} value={name} onChange={(event) => setName(event.target.value)} />
      <Button type="submit" variant="primary" icon={Fingerprint} busy={busy}>
        {t('enrol.passkeyCreate')}
      </Button>
    </form>
  );
}

function SmsSetup({ onDone }: { onDone: Done }) {
  const { t } = useI18n();
  const [number, setNumber] = useState('');
  const [sentTo, setSentTo] = useState('');
  const [code, setCode] = useState('');
  const { busy, error, run, clear } = useTask();
  const confirm = (text: string) =>
    void run(async () => {
      try {
        onDone(await confirmSms(text));
      } finally {
        setCode('');
      }
    });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (sentTo !== '') confirm(code);
    else void run(async () => setSentTo((await beginSms(number.replace(/[\s()-]/g, ''))).number));
  };
  const wrong = sentTo !== '' && isWrongCode(error);
  return (
    <form className="stack" onSubmit={submit}>
      {error !== null && !wrong && <ErrorNotice error={error} />}
      {sentTo === '' ? (
        <TextField label={t('enrol.smsNumber')} hint={t('enrol.smsHint')} type="tel" autoComplete="tel" placeholder="+49 151 23456789" required value={number} onChange={(event) => setNumber(event.target.value)} />
      ) : (
        <CodeField label={t('factor.smsCode', { number: sentTo })} value={code} onChange={setCode} onComplete={confirm} error={wrong ? t('enrol.wrongCode') : undefined} />
      )}
      <Button type="submit" variant="primary" busy={busy}>
        {sentTo === '' ? t('factor.send') : t('enrol.confirm')}
      </Button>
      {sentTo !== '' && (
        <button
          type="button"
          className="link-button small"
          onClick={() => {
            clear();
            setSentTo('');
          }}
        >
          {t('enrol.smsOther')}
        </button>
      )}
    </form>
  );
}

const SETUP: Record<Method, (props: { onDone: Done }) => React.ReactNode> = { totp: TotpSetup, webauthn: PasskeySetup, sms: SmsSetup };

export function Enrol({ method, onDone }: { method: Method; onDone: Done }) {
  const Form = SETUP[method];
  return <Form onDone={onDone} />;
}
