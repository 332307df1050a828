// SPDX-License-Identifier: Apache-2.0
// How one proves who one is: password, second factors, passkeys, recovery codes.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { FileKey2, Fingerprint, KeyRound, type LucideIcon, MessageSquareText, Plus, Smartphone } from 'lucide-react';
import { type FormEvent, type ReactNode, useState } from 'react';
import { renewToken } from '../../auth/oidc';
import { useI18n } from '../../i18n';
import { type Added, type Factors, listFactors, type Method, newRecoveryCodes, type Passkey, removeFactor, removePasskey, renamePasskey, showSession } from '../../identity/api';
import { Enrol } from '../../identity/Enrol';
import { RecoveryCodes } from '../../identity/RecoveryCodes';
import { FACTOR } from '../../identity/words';
import { Button } from '../../ui/Button';
import { Confirm, Dialog } from '../../ui/Dialog';
import { TextField } from '../../ui/Field';
import { Empty, ErrorNotice, ErrorView, Notice, Skeleton } from '../../ui/Notice';
import { Panel } from '../../ui/Page';
import { Badge } from '../../ui/Status';
import { Ago } from '../../ui/Time';
import { toast } from '../../ui/Toast';
import './account.css';
import { AccountHeader } from './AccountHeader';
import { ChangePassword } from './ChangePassword';

function Entry({ icon: Icon, title, state, text, children }: { icon: LucideIcon; title: string; state?: ReactNode; text: ReactNode; children?: ReactNode }) {
  return (
    <li className="entry">
      <Icon className="icon" aria-hidden="true" />
      <div className="grow">
        <p className="row-wrap">
          <span className="strong">{title}</span>
          {state}
        </p>
        <p className="muted small">{text}</p>
      </div>
      {children && <div className="entry-actions">{children}</div>}
    </li>
  );
}

function Since({ at }: { at?: string }) {
  const { t } = useI18n();
  return (
    <>
      {t('security.since')} <Ago at={at} />
    </>
  );
}

type Task = { kind: 'add'; method: Method } | { kind: 'remove'; method: 'totp' | 'sms' } | { kind: 'new-codes' } | { kind: 'password' } | { kind: 'rename' | 'drop'; passkey: Passkey };

function Rename({ passkey, onClose, onDone }: { passkey: Passkey; onClose: () => void; onDone: () => Promise<void> }) {
  const { t } = useI18n();
  const [name, setName] = useState(passkey.name);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (busy || name.trim() === '') return;
    setBusy(true);
    try {
      await renamePasskey(passkey.id, name.trim());
      await onDone();
    } catch (cause) {
      setError(cause);
      setBusy(false);
    }
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title={t('security.renameTitle')}
      footer={
        <Button variant="primary" type="submit" form="rename-passkey" busy={busy}>
          {t('security.rename')}
        </Button>
      }
    >
      <form id="rename-passkey" className="stack" onSubmit={(event) => void submit(event)}>
        {error !== null && <ErrorNotice error={error} />}
        <TextField label={t('enrol.passkeyName')} required maxLength={64} value={name} onChange={(event) => setName(event.target.value)} />
      </form>
    </Dialog>
  );
}

function FactorList({ factors, onTask }: { factors: Factors; onTask: (task: Task) => void }) {
  const { t } = useI18n();
  const { totp, sms, recovery, policy, passkeys } = factors;
  const may = (method: Method) => policy.methods.includes(method);
  const on = <Badge tone="good">{t('security.on')}</Badge>;
  const action = (method: 'totp' | 'sms', has: boolean) =>
    has ? (
      <Button small aria-label={t('security.removeOne', { name: t(FACTOR[method].name) })} onClick={() => onTask({ kind: 'remove', method })}>
        {t('security.remove')}
      </Button>
    ) : (
      <Button small aria-label={t('security.setUpOne', { name: t(FACTOR[method].name) })} onClick={() => onTask({ kind: 'add', method })}>
        {t('security.setUp')}
      </Button>
    );
  return (
    <ul>
      {(totp !== null || may('totp')) && (
        <Entry icon={Smartphone} title={t('factor.totp')} state={totp && on} text={totp ? <Since at={totp.since} /> : t('enrol.why-totp')}>
          {action('totp', totp !== null)}
        </Entry>
      )}
      {(sms !== null || may('sms')) && (
        <Entry icon={MessageSquareText} title={t('factor.sms')} state={sms && on} text={sms ? <>{sms.number} · <Since at={sms.since} /></> : t('enrol.why-sms')}>
          {action('sms', sms !== null)}
        </Entry>
      )}
      <Entry
        icon={FileKey2}
        title={t('factor.recovery')}
        state={recovery && <Badge tone={recovery.left > 3 ? 'good' : 'warn'}>{t('security.left', { n: recovery.left })}</Badge>}
        text={recovery ? <Since at={recovery.since} /> : t('security.noCodes')}
      >
        {(totp !== null || sms !== null || passkeys.length > 0) && (
          <Button small onClick={() => onTask({ kind: 'new-codes' })}>
            {t('security.newCodes')}
          </Button>
        )}
      </Entry>
    </ul>
  );
}

function PasskeyList({ passkeys, onTask }: { passkeys: Passkey[]; onTask: (task: Task) => void }) {
  const { t } = useI18n();
  if (passkeys.length === 0) {
    return (
      <Empty icon={Fingerprint} title={t('security.noPasskeys')}>
        {t('security.noPasskeysText')}
      </Empty>
    );
  }
  return (
    <ul>
      {passkeys.map((passkey) => (
        <Entry
          key={passkey.id}
          icon={Fingerprint}
          title={passkey.name}
          state={<Badge>{t(passkey.synced ? 'security.synced' : 'security.bound')}</Badge>}
          text={
            <>
              <Since at={passkey.createdAt} />
              {passkey.lastUsedAt && (
                <>
                  {' '}
                  · {t('security.used')} <Ago at={passkey.lastUsedAt} />
                </>
              )}
            </>
          }
        >
          <Button small aria-label={t('security.renameOne', { name: passkey.name })} onClick={() => onTask({ kind: 'rename', passkey })}>
            {t('security.rename')}
          </Button>
          <Button small aria-label={t('security.removeOne', { name: passkey.name })} onClick={() => onTask({ kind: 'drop', passkey })}>
            {t('security.remove')}
          </Button>
        </Entry>
      ))}
    </ul>
  );
}

export default function Security() {
  const { t, f } = useI18n();
  const client = useQueryClient();
  const query = useQuery({ queryKey: ['factors'], queryFn: ({ signal }) => listFactors(signal) });
  const session = useQuery({ queryKey: ['session'], queryFn: ({ signal }) => showSession(signal) });
  const [task, setTask] = useState<Task | null>(null);
  const [codes, setCodes] = useState<string[] | null>(null);
  const close = () => setTask(null);
  const refresh = async () => {
    await renewToken().catch(() => undefined); // the first factor has ended the tokens from before it
    await Promise.all(['factors', 'session', 'sessions', 'devices'].map((key) => client.invalidateQueries({ queryKey: [key] })));
  };
  const added = (answer: Added) => {
    if (answer.recoveryCodes) setCodes(answer.recoveryCodes);
    close();
    toast(t('security.added'));
    void refresh();
  };
  const done = async (text: string) => {
    close();
    toast(text);
    await refresh();
  };
  const factors = query.data;
  const rename = task?.kind === 'rename' ? task.passkey : null;
  const dropping = task?.kind === 'drop' ? task.passkey : null;
  const removing = task?.kind === 'remove' ? task.method : null;
  const waiting = query.error ? <ErrorView error={query.error} onRetry={() => void query.refetch()} /> : <Skeleton lines={4} />;
  return (
    <>
      <AccountHeader />
      {session.data?.enrolBy && <Notice tone="warn">{t('security.enrolBy', { date: f.dateTime(session.data.enrolBy) })}</Notice>}
      <Panel
        title={t('security.passkeys')}
        text={t('security.passkeysText')}
        flush
        actions={
          factors?.policy.methods.includes('webauthn') && (
            <Button variant="primary" small icon={Plus} onClick={() => setTask({ kind: 'add', method: 'webauthn' })}>
              {t('security.addPasskey')}
            </Button>
          )
        }
      >
        {factors ? <PasskeyList passkeys={factors.passkeys} onTask={setTask} /> : waiting}
      </Panel>
      {/* Not before what is above it has its size. */}
      {factors && (
        <>
          <Panel title={t('security.factors')} text={t(factors.policy.required ? 'security.factorsNeeded' : 'security.factorsText')} flush>
            <FactorList factors={factors} onTask={setTask} />
          </Panel>
          <Panel title={t('login.password')} flush>
            <ul>
              <Entry icon={KeyRound} title={t('login.password')} text={t('security.passwordText')}>
                <Button small onClick={() => setTask({ kind: 'password' })}>
                  {t('security.changePassword')}
                </Button>
              </Entry>
            </ul>
          </Panel>
        </>
      )}

      {task?.kind === 'add' && (
        <Dialog open onClose={close} title={t('security.setUpOne', { name: t(FACTOR[task.method].name) })}>
          <Enrol method={task.method} onDone={added} />
        </Dialog>
      )}
      {codes && (
        <Dialog open dismissible={false} onClose={() => setCodes(null)} title={t('recovery.title')}>
          <RecoveryCodes codes={codes} onDone={() => setCodes(null)} />
        </Dialog>
      )}
      {rename && <Rename passkey={rename} onClose={close} onDone={() => done(t('security.renamed'))} />}
      {task?.kind === 'password' && <ChangePassword onClose={close} onDone={() => done(t('security.passwordChanged'))} />}
      <Confirm
        open={removing !== null}
        onClose={close}
        title={t('security.removeTitle', { name: removing ? t(FACTOR[removing].name) : '' })}
        text={t('security.removeText')}
        action={t('security.remove')}
        onConfirm={async () => {
          if (removing) await removeFactor(removing);
          await done(t('security.removed'));
        }}
      />
      <Confirm
        open={dropping !== null}
        onClose={close}
        title={t('security.removeTitle', { name: dropping?.name ?? '' })}
        text={t('security.removePasskeyText')}
        action={t('security.remove')}
        onConfirm={async () => {
          if (dropping) await removePasskey(dropping.id);
          await done(t('security.removed'));
        }}
      />
      <Confirm
        open={task?.kind === 'new-codes'}
        onClose={close}
        title={t('security.newCodesTitle')}
        text={t('security.newCodesText')}
        action={t('security.newCodes')}
        onConfirm={async () => {
          setCodes(await newRecoveryCodes());
          close();
          await refresh();
        }}
      />
    </>
  );
}
