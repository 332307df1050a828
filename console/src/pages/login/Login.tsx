// SPDX-License-Identifier: Apache-2.0
// Signing in: password, passkey, or somewhere else; then whatever the session still wants. Who is signed in already is
// sent here to prove himself better (?acr=): he is not asked for the password again.
import { useQuery } from '@tanstack/react-query';
import { Fingerprint } from 'lucide-react';
import { type FormEvent, useCallback, useEffect, useRef, useState } from 'react';
import { ApiError } from '../../api/http';
import { authorizeReturn } from '../../auth/return';
import { type PlainKey, useI18n } from '../../i18n';
import { answerFactor, currentStep, openSession, passkeyOptions, type Provider, showSession, type Step, stepUp, underWay } from '../../identity/api';
import { useCountdown } from '../../identity/countdown';
import { FactorForm } from '../../identity/FactorForm';
import { Flow } from '../../identity/Flow';
import { PasswordField } from '../../identity/PasswordField';
import { canSuggest, hasPasskeys, askPasskey, wasCancelled } from '../../identity/webauthn';
import { Button } from '../../ui/Button';
import { TextField } from '../../ui/Field';
import { ErrorNotice, Notice } from '../../ui/Notice';
import { goTo, Providers, titleOf, useHome } from './Elsewhere';
import { Frame } from './Frame';

const query = new URLSearchParams(window.location.search);
const target = authorizeReturn(query.get('return'), window.location.origin) ?? '/';
const leave = () => window.location.replace(target);

type Refusal = 'password' | 'passkey' | 'cancelled' | 'late' | 'unlinked' | 'taken' | 'away';
const REFUSAL: Record<Exclude<Refusal, 'password'>, PlainKey> = {
  passkey: 'factor.wrongPasskey',
  cancelled: 'factor.cancelled',
  late: 'login.late',
  unlinked: 'login.unlinked',
  taken: 'login.taken',
  away: 'login.away',
};
/** Of a directory: the password was right, or could not be tried. */
const OF_DIRECTORY: Partial<Record<number, Refusal>> = { 403: 'unlinked', 409: 'taken', 503: 'away' };

/** Passkeys in the list of the username field, where the browser can: as long as the form is there. */
function useSuggestions(active: boolean, onFound: (credential: unknown) => void) {
  const [stop] = useState<{ now: () => void }>(() => ({ now: () => undefined }));
  useEffect(() => {
    if (!active) return;
    const abort = new AbortController();
    stop.now = () => abort.abort();
    void (async () => {
      if (!(await canSuggest()) || abort.signal.aborted) return;
      const options = await passkeyOptions();
      if (!abort.signal.aborted) onFound(await askPasskey(options, abort.signal));
    })().catch(() => undefined); // it was only an offer
    return () => abort.abort();
  }, [active, onFound, stop]);
  return stop;
}

function FirstStep({ onNext, notice }: { onNext: (step: Step, username: string) => void; notice: Refusal | null }) {
  const { t, tn } = useI18n();
  const [username, setUsername] = useState(query.get('login_hint') ?? '');
  const [password, setPassword] = useState('');
  const [busy, setBusy] = useState<'password' | 'passkey' | null>(null);
  const [refused, setRefused] = useState<Refusal | null>(notice);
  const [error, setError] = useState<unknown>(null);
  const [directory, setDirectory] = useState<Provider | null>(null);
  const [stay, setStay] = useState(false); // with a password here, though the name's domain leads elsewhere
  const home = useHome(username);
  const at = directory ?? (home?.type === 'ldap' ? home : null);
  const leads = home && home.type !== 'ldap' && !directory && !stay ? home : null;
  const [wait, setWait] = useCountdown();
  const passwordInput = useRef<HTMLInputElement>(null);
  const first = useRef<HTMLInputElement>(null);
  useEffect(() => (query.get('login_hint') ? passwordInput : first).current?.focus(), []);

  const failed = useCallback(
    (cause: unknown, refusal: Refusal) => {
      setBusy(null);
      setPassword('');
      if (wasCancelled(cause)) setRefused('cancelled');
      else if (cause instanceof ApiError && cause.status === 429) setWait(cause.retryAfterSec ?? 30);
      else if (cause instanceof ApiError && cause.status === 401) setRefused(refusal);
      else if (at && cause instanceof ApiError && OF_DIRECTORY[cause.status]) setRefused(OF_DIRECTORY[cause.status] ?? refusal);
      else setError(cause);
    },
    [setWait, at],
  );
  const finish = useCallback((credential: unknown) => answerFactor({ type: 'webauthn', credential }).then((step) => onNext(step, ''), (cause: unknown) => failed(cause, 'passkey')), [onNext, failed]);
  const suggestions = useSuggestions(busy === null, finish);

  const clear = () => {
    setRefused(null);
    setError(null);
  };
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (busy || wait > 0) return;
    suggestions.now();
    setBusy('password');
    clear();
    if (leads) {
      goTo(leads, target, username.trim());
      return;
    }
    try {
      onNext(await openSession(username.trim(), password, at?.start), username.trim());
    } catch (cause) {
      failed(cause, 'password');
      passwordInput.current?.focus();
    }
  };
  const choose = (next: Provider | null) => {
    clear();
    setDirectory(next);
    first.current?.focus();
  };
  const withPasskey = async () => {
    if (busy || wait > 0) return;
    suggestions.now(); // two questions at once are refused
    setBusy('passkey');
    clear();
    try {
      await finish(await askPasskey(await passkeyOptions()));
    } catch (cause) {
      failed(cause, 'passkey');
    }
  };

  return (
    <>
      <form className="stack" onSubmit={(event) => void submit(event)}>
        {wait > 0 && (
          <div role="alert">
            <Notice tone="warn">{tn('login.wait', wait)}</Notice>
          </div>
        )}
        {refused !== null && refused !== 'password' && (
          <div role="alert">
            <Notice tone="warn">{t(REFUSAL[refused])}</Notice>
          </div>
        )}
        {error !== null && <ErrorNotice error={error} />}
        {at && <Notice>{t('login.at', { name: titleOf(at) })}</Notice>}
        <TextField ref={first} label={t('login.username')} name="username" autoComplete="username webauthn" autoCapitalize="none" spellCheck={false} required maxLength={256} value={username} onChange={(event) => setUsername(event.target.value)} />
        {!leads && <PasswordField ref={passwordInput} label={t('login.password')} value={password} onChange={setPassword} error={refused === 'password' ? t('login.refused') : undefined} />}
        <Button type="submit" variant="primary" busy={busy === 'password'} disabled={wait > 0}>
          <span className="clip">{leads ? t('login.with', { name: titleOf(leads) }) : t('login.submit')}</span>
        </Button>
        {leads && (
          <button type="button" className="link-button small" onClick={() => setStay(true)}>
            {t('login.passwordHere')}
          </button>
        )}
      </form>
      <div className="stack-s">
        <p className="or">{t('login.or')}</p>
        {hasPasskeys() && (
          <Button icon={Fingerprint} busy={busy === 'passkey'} disabled={wait > 0} onClick={() => void withPasskey()}>
            {t('login.passkey')}
          </Button>
        )}
        <Providers chosen={directory} offered={leads} target={target} onChoose={choose} />
      </div>
    </>
  );
}

const TITLE = { factor_required: 'factor.title', enrolment_required: 'enrol.title', password_change_required: 'password.title', signed_in: 'login.title' } as const;
const TEXT = { factor_required: 'factor.text', enrolment_required: 'enrol.text', password_change_required: 'password.text', signed_in: 'login.text' } as const;

/** The open step of a sign-in, with the frame that names it. */
export function SignIn({ step, username, onNext, onOver }: { step: Step; username: string; onNext: (step: Step) => void; onOver: (why: 'late' | 'left') => void }) {
  const { t } = useI18n();
  if (step.recoveryCodes) {
    return (
      <Frame title={t('recovery.title')} wide>
        <Flow step={{ ...step, recoveryCodes: step.recoveryCodes }} username={username} onNext={onNext} onOver={onOver} />
      </Frame>
    );
  }
  if (step.status === 'signed_in') return null;
  return (
    <Frame title={t(TITLE[step.status])} text={t(TEXT[step.status])}>
      <Flow step={step} username={step.username || username} onNext={onNext} onOver={onOver} />
    </Frame>
  );
}

/** In a session that is not good enough for where one wants to go. */
function Better({ acr, onOther }: { acr: string; onOther: () => void }) {
  const { t } = useI18n();
  const begun = useQuery({ queryKey: ['step-up', acr], queryFn: () => stepUp(acr), staleTime: Infinity, gcTime: 0, retry: false, refetchOnWindowFocus: false });
  if (begun.isPending) return null;
  const lacks = begun.error instanceof ApiError && begun.error.status === 409;
  return (
    <Frame title={t('stepUp.title')} text={lacks ? undefined : t('stepUp.textApp')}>
      {begun.data?.status === 'factor_required' && <FactorForm step={begun.data} onDone={leave} onOver={() => void begun.refetch()} />}
      {lacks && (
        <>
          <Notice tone="warn">{t('stepUp.none')}</Notice>
          <a className="button primary" href="/account/security">
            {t('stepUp.setUp')}
          </a>
        </>
      )}
      {begun.error && !lacks && <ErrorNotice error={begun.error} />}
      <button type="button" className="link-button small" onClick={onOther}>
        {t('login.other')}
      </button>
    </Frame>
  );
}

export default function Login() {
  const { t } = useI18n();
  const acr = query.get('acr');
  const [step, setStep] = useState<Step | null>(null);
  const [username, setUsername] = useState('');
  const [notice, setNotice] = useState<Refusal | null>(null);
  const [other, setOther] = useState(false);
  // A reload goes on where one was; who is signed in already only proves more.
  const before = useQuery({
    queryKey: ['before-sign-in'],
    queryFn: async () => {
      if (acr !== null && (await showSession().then(() => true, () => false))) return 'better';
      return underWay.is() ? currentStep() : null;
    },
    staleTime: Infinity,
    gcTime: 0,
    refetchOnWindowFocus: false,
  });
  const under = before.data !== 'better' && !other ? before.data : null;
  const now = step ?? under ?? null;

  const next = useCallback((to: Step, who: string) => {
    setUsername((old) => who || old);
    underWay.note(to.status !== 'signed_in');
    if (to.status === 'signed_in' && !to.recoveryCodes) leave();
    else setStep(to);
  }, []);
  const over = (why: 'late' | 'left') => {
    underWay.note(false);
    setStep(null);
    setOther(true);
    setNotice(why === 'late' ? 'late' : null);
  };
  if (before.isPending) return <Frame title={t('login.title')} text={t('login.text')} busy />;
  if (before.data === 'better' && !other) return <Better acr={acr ?? ''} onOther={() => setOther(true)} />;
  if (now) return <SignIn step={now} username={username} onNext={(to) => next(to, '')} onOver={over} />;
  return (
    <Frame title={t('login.title')} text={t('login.text')}>
      <FirstStep onNext={next} notice={notice} />
    </Frame>
  );
}
