// SPDX-License-Identifier: Apache-2.0
// Accounts of elsewhere with which one signs in here: those that are linked, and those that could be.
import { useQuery } from '@tanstack/react-query';
import { Building2, Link2, Link2Off, Network } from 'lucide-react';
import { type FormEvent, useEffect, useState } from 'react';
import { ApiError } from '../../api/http';
import { useI18n } from '../../i18n';
import { beginLink, type Link, linkDirectory, listLinks, type Provider, unlink } from '../../identity/api';
import { PasswordField } from '../../identity/PasswordField';
import { Button, LinkButton } from '../../ui/Button';
import { Confirm, Dialog } from '../../ui/Dialog';
import { TextField } from '../../ui/Field';
import { Empty, ErrorNotice, ErrorView, Notice, Skeleton } from '../../ui/Notice';
import { Panel } from '../../ui/Page';
import { Badge } from '../../ui/Status';
import { useTask } from '../../ui/task';
import { Ago } from '../../ui/Time';
import { toast, toastError } from '../../ui/Toast';
import './account.css';
import { AccountHeader } from './AccountHeader';

const HERE = '/account/links';
const LEFT_FOR = 'drun.linking'; // sessionStorage: the provider that this tab was sent to

const titleOf = (provider: Provider) => provider.displayName || provider.name;
const ldapIs = (type: string | undefined) => type === 'ldap';

function Kind({ type }: { type?: string }) {
  const { t } = useI18n();
  return <Badge>{t(ldapIs(type) ? 'links.type-ldap' : 'links.type-oidc')}</Badge>;
}

/** With the password that one has at the directory. */
function LinkDirectory({ provider, onClose, onDone }: { provider: Provider; onClose: () => void; onDone: () => Promise<void> }) {
  const { t } = useI18n();
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');
  const { busy, error, run } = useTask();
  const status = error instanceof ApiError ? error.status : 0;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void run(async () => {
      await linkDirectory(provider.name, username.trim(), password);
      await onDone();
    });
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title={t('links.linkTitle', { name: titleOf(provider) })}
      description={t('links.linkText')}
      footer={
        <>
          <Button onClick={onClose}>{t('common.cancel')}</Button>
          <Button variant="primary" type="submit" form="link-directory" busy={busy}>
            {t('links.link')}
          </Button>
        </>
      }
    >
      <form id="link-directory" className="stack" onSubmit={submit}>
        {status === 409 && <Refused>{t('links.other')}</Refused>}
        {status === 503 && <Refused>{t('login.away')}</Refused>}
        {error !== null && ![401, 409, 503].includes(status) && <ErrorNotice error={error} />}
        <TextField label={t('login.username')} name="username" autoComplete="off" autoCapitalize="none" spellCheck={false} required maxLength={256} value={username} onChange={(event) => setUsername(event.target.value)} />
        <PasswordField label={t('login.password')} value={password} onChange={setPassword} error={status === 401 ? t('login.refused') : undefined} />
      </form>
    </Dialog>
  );
}

function Refused({ children }: { children: string }) {
  return (
    <div role="alert">
      <Notice tone="warn">{children}</Notice>
    </div>
  );
}

function Linked({ links, onUnlink }: { links: Link[]; onUnlink: (link: Link) => void }) {
  const { t } = useI18n();
  if (links.length === 0) {
    return (
      <Empty icon={Link2Off} title={t('links.empty')}>
        {t('links.emptyText')}
      </Empty>
    );
  }
  return (
    <ul>
      {links.map((link) => (
        <li key={link.id} className="entry">
          {ldapIs(link.type) ? <Network className="icon" aria-hidden="true" /> : <Building2 className="icon" aria-hidden="true" />}
          <div className="grow">
            <p className="row-wrap">
              <span className="strong break">{link.displayName}</span>
              <Kind type={link.type} />
            </p>
            <p className="muted small break">
              <span className="mono">{link.account || '–'}</span> · {t('links.since')} <Ago at={link.linkedAt} />
              {link.lastUsedAt && (
                <>
                  {' '}
                  · {t('links.used')} <Ago at={link.lastUsedAt} />
                </>
              )}
            </p>
          </div>
          <Button small aria-label={t('links.unlinkOne', { name: link.displayName })} onClick={() => onUnlink(link)}>
            {t('links.unlink')}
          </Button>
        </li>
      ))}
    </ul>
  );
}

function Others({ providers, busy, onLink }: { providers: Provider[]; busy: string | null; onLink: (provider: Provider) => void }) {
  const { t } = useI18n();
  return (
    <ul>
      {providers.map((provider) => (
        <li key={provider.name} className="entry">
          {ldapIs(provider.type) ? <Network className="icon" aria-hidden="true" /> : <Building2 className="icon" aria-hidden="true" />}
          <p className="grow row-wrap">
            <span className="strong break">{titleOf(provider)}</span>
            <Kind type={provider.type} />
          </p>
          <Button small icon={Link2} busy={busy === provider.name} aria-label={t('links.linkOne', { name: titleOf(provider) })} onClick={() => onLink(provider)}>
            {t('links.link')}
          </Button>
        </li>
      ))}
    </ul>
  );
}

export default function Links() {
  const { t } = useI18n();
  const query = useQuery({ queryKey: ['links'], queryFn: ({ signal }) => listLinks(signal) });
  const [leaving, setLeaving] = useState<Link | null>(null);
  const [only, setOnly] = useState(false);
  const [directory, setDirectory] = useState<Provider | null>(null);
  const [busy, setBusy] = useState<string | null>(null);
  const data = query.data;

  // Back from the provider, with the account or without it.
  useEffect(() => {
    const left = sessionStorage.getItem(LEFT_FOR);
    if (!data || left === null) return;
    sessionStorage.removeItem(LEFT_FOR);
    const found = data.links.find(({ provider }) => provider === left);
    if (found) toast(t('links.added', { name: found.displayName }));
  }, [data, t]);

  const link = async (provider: Provider) => {
    if (ldapIs(provider.type)) {
      setDirectory(provider);
      return;
    }
    setBusy(provider.name);
    try {
      const to = await beginLink(provider.name, HERE);
      sessionStorage.setItem(LEFT_FOR, provider.name);
      window.location.assign(to);
    } catch (error) {
      setBusy(null);
      toastError(t('links.linkOne', { name: titleOf(provider) }), error);
    }
  };
  const leave = async () => {
    if (!leaving) return;
    try {
      await unlink(leaving.id);
      toast(t('links.unlinked', { name: leaving.displayName }));
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 409)) throw error;
      setOnly(true);
    }
    await query.refetch();
  };
  const others = data?.providers.filter(({ name }) => !data.links.some(({ provider }) => provider === name)) ?? [];
  return (
    <>
      <AccountHeader />
      <Panel title={t('links.title')} text={t('links.text')} flush>
        {query.error ? <ErrorView error={query.error} onRetry={() => void query.refetch()} /> : data ? <Linked links={data.links} onUnlink={setLeaving} /> : <Skeleton lines={4} />}
      </Panel>
      {/* Not before what is above it has its size. */}
      {data && (others.length > 0 || data.links.length === 0) && (
        <Panel title={t('links.add')} text={t('links.addText')} flush>
          {others.length > 0 ? (
            <Others providers={others} busy={busy} onLink={(provider) => void link(provider)} />
          ) : (
            <Empty icon={Building2} title={t('links.noProviders')}>
              {t('links.noProvidersText')}
            </Empty>
          )}
        </Panel>
      )}
      {directory && (
        <LinkDirectory
          provider={directory}
          onClose={() => setDirectory(null)}
          onDone={async () => {
            toast(t('links.added', { name: titleOf(directory) }));
            setDirectory(null);
            await query.refetch();
          }}
        />
      )}
      <Confirm open={leaving !== null} onClose={() => setLeaving(null)} title={t('links.unlinkTitle', { name: leaving?.displayName ?? '' })} text={t('links.unlinkText')} action={t('links.unlink')} onConfirm={leave} />
      {only && (
        <Dialog open onClose={() => setOnly(false)} title={t('links.only')} footer={<LinkButton variant="primary" href="/account/security">{t('links.security')}</LinkButton>}>
          <p className="second">{t('links.onlyText')}</p>
        </Dialog>
      )}
    </>
  );
}
