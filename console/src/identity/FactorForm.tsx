// SPDX-License-Identifier: Apache-2.0
// One factor is asked for; the others are a click away. Used at a sign-in and when an action wants proof anew.
import { ChevronRight, Fingerprint } from 'lucide-react';
import { type FormEvent, useEffect, useRef, useState } from 'react';
import { ApiError } from '../api/http';
import { useI18n } from '../i18n';
import { Button } from '../ui/Button';
import { CheckField, TextField } from '../ui/Field';
import { ErrorNotice, Notice } from '../ui/Notice';
import { answerFactor, currentStep, type Factor, factorOptions, type FactorStep, sendText, type Step } from './api';
import { CodeField } from './CodeField';
import { PasswordField } from './PasswordField';
import { useCountdown } from './countdown';
import { askPasskey, wasCancelled } from './webauthn';
import { FACTOR, ORDER } from './words';

const RESEND_SEC = 60;

interface Props {
  step: FactorStep;
  /** offer to spare this browser the question next time */
  mayTrust?: boolean;
  onDone: (next: Step) => void;
  /** too many wrong answers, or too late */
  onOver: () => void;
}

function Ways({ factors, onChoose }: { factors: Factor[]; onChoose: (factor: Factor) => void }) {
  const { t } = useI18n();
  return (
    <>
      <p className="or">{t('factor.other')}</p>
      <ul className="ways">
        {factors.map((factor) => {
          const Icon = FACTOR[factor].icon;
          return (
            <li key={factor}>
              <button type="button" className="way" onClick={() => onChoose(factor)}>
                <Icon className="icon" aria-hidden="true" />
                <span className="grow">{t(FACTOR[factor].use)}</span>
                <ChevronRight className="icon way-go" aria-hidden="true" />
              </button>
            </li>
          );
        })}
      </ul>
    </>
  );
}

export function FactorForm({ step, mayTrust, onDone, onOver }: Props) {
  const { t, tn } = useI18n();
  const offered = ORDER.filter((factor) => step.factors.includes(factor));
  const [factor, setFactor] = useState<Factor>(offered[0] ?? 'recovery');
  const [code, setCode] = useState('');
  const [number, setNumber] = useState('');
  const [trust, setTrust] = useState(false);
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState(false);
  const [cancelled, setCancelled] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [wait, setWait] = useCountdown();
  const [resend, setResend] = useCountdown();
  const input = useRef<HTMLInputElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const asksText = factor !== 'webauthn' && !(factor === 'sms' && number === '');
  useEffect(() => (asksText ? input : button).current?.focus(), [asksText, factor]);

  const clear = () => {
    setRefused(false);
    setCancelled(false);
    setError(null);
  };
  const choose = (next: Factor) => {
    clear();
    setCode('');
    setFactor(next);
  };
  const failed = async (cause: unknown) => {
    setBusy(false);
    setCode('');
    input.current?.focus();
    if (wasCancelled(cause)) setCancelled(true);
    else if (!(cause instanceof ApiError)) setError(cause);
    else if (cause.status === 429) setWait(cause.retryAfterSec ?? 30);
    else if (cause.status === 410) onOver();
    else if (cause.status !== 401) setError(cause);
    else if ((await currentStep()) === null) onOver();
    else setRefused(true);
  };
  const answer = async (given: Record<string, unknown>) => {
    onDone(await answerFactor({ type: factor, ...given, ...(mayTrust && factor !== 'recovery' && { trust }) }));
  };
  const run = async (task: () => Promise<void>) => {
    if (busy || wait > 0) return;
    setBusy(true);
    clear();
    await task().catch(failed);
  };
  const withPasskey = () => run(async () => answer({ credential: await askPasskey(await factorOptions()) }));
  const send = () =>
    run(async () => {
      setNumber((await sendText()).number);
      setResend(RESEND_SEC);
      setBusy(false);
    });
  const withCode = (text: string) => run(() => answer(factor === 'password' ? { password: text } : { code: text.trim() }));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (factor === 'webauthn') void withPasskey();
    else if (!asksText) void send();
    else if (code.trim() !== '') void withCode(code);
  };

  const wrong = refused ? t(factor === 'password' ? 'factor.wrongPassword' : 'factor.wrongCode') : undefined;
  return (
    <div className="stack">
      {wait > 0 && (
        <div role="alert">
          <Notice tone="warn">{tn('login.wait', wait)}</Notice>
        </div>
      )}
      {error !== null && <ErrorNotice error={error} />}
      {(cancelled || (refused && factor === 'webauthn')) && (
        <div role="alert">
          <Notice tone="warn">{t(cancelled ? 'factor.cancelled' : 'factor.wrongPasskey')}</Notice>
        </div>
      )}
      <form className="stack" onSubmit={submit}>
        {factor === 'webauthn' && <p className="second">{t('factor.webauthnText')}</p>}
        {factor === 'totp' && <CodeField ref={input} label={t('factor.totpCode')} value={code} onChange={setCode} onComplete={(text) => void withCode(text)} error={wrong} />}
        {factor === 'sms' && number === '' && <p className="second">{t('factor.smsText')}</p>}
        {factor === 'sms' && number !== '' && <CodeField ref={input} label={t('factor.smsCode', { number })} value={code} onChange={setCode} onComplete={(text) => void withCode(text)} error={wrong} />}
        {factor === 'recovery' && <TextField ref={input} label={t('factor.recoveryCode')} hint={t('factor.recoveryHint')} name="code" mono autoComplete="off" autoCapitalize="none" spellCheck={false} required maxLength={64} value={code} error={wrong} onChange={(event) => setCode(event.target.value)} />}
        {factor === 'password' && <PasswordField ref={input} label={t('login.password')} value={code} onChange={setCode} error={wrong} />}
        {mayTrust && factor !== 'recovery' && <CheckField label={t('factor.trust')} checked={trust} onChange={setTrust} />}
        <Button ref={button} type="submit" variant="primary" icon={factor === 'webauthn' ? Fingerprint : undefined} busy={busy} disabled={wait > 0}>
          {factor === 'webauthn' ? t('factor.usePasskey') : asksText ? t('factor.submit') : t('factor.send')}
        </Button>
        {factor === 'sms' && number !== '' && (
          <button type="button" className="link-button small" disabled={resend > 0} onClick={() => void send()}>
            {resend > 0 ? tn('factor.resendIn', resend) : t('factor.resend')}
          </button>
        )}
      </form>
      {offered.length > 1 && <Ways factors={offered.filter((each) => each !== factor)} onChoose={choose} />}
    </div>
  );
}
