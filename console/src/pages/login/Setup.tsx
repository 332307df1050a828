// SPDX-License-Identifier: Apache-2.0
// The one-time link of the first administrator, or of a person who was invited: /setup#token=…
// The token stays in the fragment, which no server and no referrer sees, and leaves the address bar at once.
import { Link2Off } from 'lucide-react';
import { type FormEvent, useEffect, useState } from 'react';
import { ApiError } from '../../api/http';
import { useI18n } from '../../i18n';
import { setup, type Step } from '../../identity/api';
import { isLong, MIN_LENGTH } from '../../identity/NewPassword';
import { PasswordField, Strength } from '../../identity/PasswordField';
import { Button, LinkButton } from '../../ui/Button';
import { TextField } from '../../ui/Field';
import { Empty, ErrorNotice } from '../../ui/Notice';
import { Frame } from './Frame';
import { SignIn } from './Login';

const leave = () => window.location.replace('/');

function fragment(): URLSearchParams {
  return new URLSearchParams(window.location.hash.slice(1));
}

export default function Setup() {
  const { t } = useI18n();
  const [token] = useState(() => fragment().get('token') ?? '');
  const [invited] = useState(() => fragment().get('username') ?? '');
  const [username, setUsername] = useState(invited);
  const [displayName, setDisplayName] = useState('');
  const [password, setPassword] = useState('');
  const [short, setShort] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [step, setStep] = useState<Step | null>(null);
  const next = (to: Step) => (to.status === 'signed_in' && !to.recoveryCodes ? leave() : setStep(to));
  useEffect(() => {
    if (token) window.history.replaceState(null, '', '/setup');
  }, [token]);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (busy) return;
    setShort(!isLong(password));
    if (!isLong(password)) return;
    setBusy(true);
    setError(null);
    try {
      next(await setup({ token, username: username.trim(), displayName: displayName.trim() || username.trim(), password }));
    } catch (cause) {
      setBusy(false);
      setError(cause);
    }
  };

  if (step) return <SignIn step={step} username={username} onNext={next} onOver={leave} />;
  const spent = error instanceof ApiError && (error.status === 401 || error.status === 404 || error.status === 410);
  if (!token || spent) {
    return (
      <Frame title={t('setup.title')}>
        <Empty icon={Link2Off} title={spent ? t('setup.spent') : t('setup.noToken')} action={<LinkButton href="/">{t('login.submit')}</LinkButton>}>
          {t('setup.noTokenHelp')}
        </Empty>
      </Frame>
    );
  }
  return (
    <Frame title={t('setup.title')} text={t('setup.text')}>
      <form className="stack" onSubmit={(event) => void submit(event)}>
        {error !== null && <ErrorNotice error={error} />}
        <TextField label={t('login.username')} name="username" autoComplete="username" autoCapitalize="none" spellCheck={false} required maxLength={64} readOnly={invited !== ''} value={username} onChange={(event) => setUsername(event.target.value)} />
        <TextField label={t('setup.displayName')} name="name" autoComplete="name" maxLength={128} value={displayName} onChange={(event) => setDisplayName(event.target.value)} />
        <PasswordField fresh label={t('login.password')} value={password} onChange={setPassword} error={short ? t('setup.short', { n: MIN_LENGTH }) : undefined} />
        <Strength password={password} known={[username, displayName]} />
        <Button type="submit" variant="primary" busy={busy}>
          {t('setup.submit')}
        </Button>
      </form>
    </Frame>
  );
}
