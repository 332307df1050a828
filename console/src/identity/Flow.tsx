// SPDX-License-Identifier: Apache-2.0
// What comes after the password: a second factor, one to be set up, a new password; until the session is open.
import { ChevronRight } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import { ApiError } from '../api/http';
import { useI18n } from '../i18n';
import { Button } from '../ui/Button';
import { ErrorNotice } from '../ui/Notice';
import { type Added, abandonSignIn, type Method, passwordFor, type Step } from './api';
import { Enrol } from './Enrol';
import { FactorForm } from './FactorForm';
import { isLong, NewPassword } from './NewPassword';
import { RecoveryCodes } from './RecoveryCodes';
import { FACTOR, ORDER } from './words';

interface Props {
  step: Exclude<Step, { status: 'signed_in' }> | (Step & { recoveryCodes: string[] });
  username: string;
  onNext: (next: Step) => void;
  /** the sign-in has ended without a session: begin again */
  onOver: (why: 'late' | 'left') => void;
}

function Methods({ methods, onChoose }: { methods: Method[]; onChoose: (method: Method) => void }) {
  const { t } = useI18n();
  return (
    <ul className="ways">
      {ORDER.filter((each): each is Method => (methods as string[]).includes(each)).map((method) => {
        const Icon = FACTOR[method].icon;
        return (
          <li key={method}>
            <button type="button" className="way" onClick={() => onChoose(method)}>
              <Icon className="icon" aria-hidden="true" />
              <span className="grow">
                <span className="strong">{t(FACTOR[method].name)}</span>
                <br />
                <span className="muted small">{t(`enrol.why-${method}`)}</span>
              </span>
              <ChevronRight className="icon way-go" aria-hidden="true" />
            </button>
          </li>
        );
      })}
    </ul>
  );
}

function Enrolment({ methods, onDone }: { methods: Method[]; onDone: (added: Added) => void }) {
  const { t } = useI18n();
  const [chosen, setChosen] = useState<Method | null>(methods.length === 1 ? (methods[0] ?? null) : null);
  if (chosen === null) return <Methods methods={methods} onChoose={setChosen} />;
  return (
    <div className="stack">
      <Enrol method={chosen} onDone={onDone} />
      {methods.length > 1 && (
        <button type="button" className="link-button small" onClick={() => setChosen(null)}>
          {t('enrol.other')}
        </button>
      )}
    </div>
  );
}

function ForcedPassword({ username, onNext, onOver }: Pick<Props, 'username' | 'onNext' | 'onOver'>) {
  const { t } = useI18n();
  const [password, setPassword] = useState('');
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (busy || !isLong(password)) return;
    setBusy(true);
    setError(null);
    try {
      onNext(await passwordFor(password));
    } catch (cause) {
      setBusy(false);
      if (cause instanceof ApiError && cause.status === 410) onOver('late');
      else setError(cause);
    }
  };
  return (
    <form className="stack" onSubmit={(event) => void submit(event)}>
      {error !== null && <ErrorNotice error={error} />}
      <input type="text" name="username" autoComplete="username" readOnly hidden value={username} />
      <NewPassword value={password} onChange={setPassword} known={[username]} tried={tried} />
      <Button type="submit" variant="primary" busy={busy}>
        {t('password.submit')}
      </Button>
    </form>
  );
}

export function Flow({ step, username, onNext, onOver }: Props) {
  const { t } = useI18n();
  if (step.recoveryCodes) return <RecoveryCodes codes={step.recoveryCodes} username={username} onDone={() => onNext({ ...step, recoveryCodes: undefined })} />;
  if (step.status === 'signed_in') return null;
  const leave = async () => {
    await abandonSignIn();
    onOver('left');
  };
  return (
    <>
      <div className="who">
        <span className="clip">
          {t('login.as')} <span className="strong">{username}</span>
        </span>
        <button type="button" className="link-button" onClick={() => void leave()}>
          {t('login.other')}
        </button>
      </div>
      {step.status === 'factor_required' && <FactorForm key={step.factors.join()} step={step} mayTrust onDone={onNext} onOver={() => onOver('late')} />}
      {step.status === 'enrolment_required' && <Enrolment methods={step.methods} onDone={(added) => onNext({ status: 'signed_in', ...added } as Step)} />}
      {step.status === 'password_change_required' && <ForcedPassword username={username} onNext={onNext} onOver={onOver} />}
    </>
  );
}
