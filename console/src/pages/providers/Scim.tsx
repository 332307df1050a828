// SPDX-License-Identifier: Apache-2.0
// Provisioning by SCIM 2.0: what a client such as Entra ID or Okta is configured with, and the clients that are here.
import { Ellipsis, Plus, RefreshCw, Trash2, UserRoundCog } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import { useList, useRefresh } from '../../api/hooks';
import { ApiError } from '../../api/http';
import { act, clusterRoleBindings, clusterRoles, create, oidcClients, remove } from '../../api/kube';
import type { OidcClient, RoleBinding } from '../../api/types';
import { useI18n } from '../../i18n';
import { isName } from '../../lib/validate';
import { Button, IconButton, LinkButton } from '../../ui/Button';
import { CodeBlock, CopyIcon, Secret } from '../../ui/Code';
import { Confirm, Dialog } from '../../ui/Dialog';
import { CheckField, TextField } from '../../ui/Field';
import { Menu, MenuItem, MenuRule } from '../../ui/Menu';
import { Empty, ErrorNotice, ErrorView, Notice } from '../../ui/Notice';
import { Facts, Panel } from '../../ui/Page';
import { Badge } from '../../ui/Status';
import { type Column, Table } from '../../ui/Table';
import { useTask } from '../../ui/task';
import { Ago } from '../../ui/Time';
import { toast } from '../../ui/Toast';
import { AccessHeader } from '../access/AccessHeader';

const ROLE = 'scim-provisioner';
const GROUP = 'rbac.authorization.k8s.io';
const BASE = `${window.location.origin}/scim/v2`;
const TOKEN = `${window.location.origin}/oauth2/token`;
const bindingOf = (name: string) => `scim-${name}`;
const userOf = (name: string) => `client:${name}`;

async function unlessThere(task: Promise<unknown>): Promise<void> {
  await task.catch((error: unknown) => {
    if (!(error instanceof ApiError && error.status === 409)) throw error;
  });
}

/** A client that may write users and groups, and nothing else. */
async function connect(name: string): Promise<OidcClient> {
  const rules = [{ apiGroups: ['drun.io'], resources: ['users', 'groups'], verbs: ['get', 'list', 'create', 'update', 'delete'] }];
  await unlessThere(create(clusterRoles, { metadata: { name: ROLE }, rules }));
  const made = await create(oidcClients, { metadata: { name }, spec: { grantTypes: ['client_credentials'], scopes: ['scim'], accessTokenTtlSeconds: 3600 } });
  await unlessThere(create(clusterRoleBindings, { metadata: { name: bindingOf(name) }, subjects: [{ kind: 'User', name: userOf(name), apiGroup: GROUP }], roleRef: { apiGroup: GROUP, kind: 'ClusterRole', name: ROLE } }));
  return made;
}

function Connect({ onClose, onMade }: { onClose: () => void; onMade: (made: OidcClient) => void }) {
  const { t } = useI18n();
  const refresh = useRefresh();
  const [name, setName] = useState('');
  const [tried, setTried] = useState(false);
  const { busy, error, run } = useTask();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (!isName(name)) return;
    void run(async () => {
      const made = await connect(name).finally(() => Promise.all([refresh(oidcClients), refresh(clusterRoleBindings)]));
      onClose();
      onMade(made);
    });
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title={t('scim.connect')}
      description={t('scim.connectText')}
      footer={
        <>
          <Button onClick={onClose}>{t('common.cancel')}</Button>
          <Button variant="primary" type="submit" form="connect-scim" busy={busy}>
            {t('common.create')}
          </Button>
        </>
      }
    >
      <form id="connect-scim" className="stack" noValidate onSubmit={submit}>
        {error !== null && <ErrorNotice error={error} />}
        <TextField label={t('clients.id')} required mono maxLength={63} placeholder="entra" value={name} error={tried && !isName(name) ? t('form.name') : undefined} onChange={(event) => setName(event.target.value.trim())} />
      </form>
    </Dialog>
  );
}

/** The secret is shown this once. */
function Ready({ client, onClose }: { client: OidcClient; onClose: () => void }) {
  const { t } = useI18n();
  const [saved, setSaved] = useState(false);
  const id = client.metadata.name;
  return (
    <Dialog
      open
      wide
      dismissible={false}
      onClose={onClose}
      title={t('clients.readyTitle', { name: id })}
      footer={
        <div className="between grow">
          <CheckField label={t('clients.saved')} checked={saved} onChange={setSaved} />
          <Button variant="primary" disabled={!saved} onClick={onClose}>
            {t('common.done')}
          </Button>
        </div>
      }
    >
      <Notice tone="warn">{t('clients.once')}</Notice>
      <Secret value={client.status?.clientSecret ?? ''} label={t('clients.secret')} />
      <div className="stack-s">
        <h3>{t('clients.configuration')}</h3>
        <CodeBlock label={t('clients.configuration')} code={`base URL   ${BASE}\ntoken URL  ${TOKEN}\nclient_id  ${id}\nscope      scim\ngrant      client_credentials`} />
        <h3>{t('scim.try')}</h3>
        <CodeBlock label={t('scim.try')} code={`TOKEN=$(curl -s -u "${id}:$SECRET" -d grant_type=client_credentials -d scope=scim ${TOKEN} | jq -r .access_token)\ncurl -H "Authorization: Bearer $TOKEN" ${BASE}/Users`} />
      </div>
    </Dialog>
  );
}

function How() {
  const { t } = useI18n();
  const value = (label: string, text: string) => ({
    label,
    value: (
      <span className="row">
        <code className="break">{text}</code>
        <CopyIcon text={text} label={t('providers.copyOne', { name: label })} />
      </span>
    ),
  });
  return (
    <Panel title={t('scim.how')} text={t('scim.howText')}>
      <div className="stack">
        <Facts items={[value(t('scim.base'), BASE), value(t('scim.token'), TOKEN), { label: t('clients.scopes'), value: <code>scim</code> }]} />
        <p className="second small">{t('scim.keyText')}</p>
        <div>
          <LinkButton href="/keys">{t('nav.keys')}</LinkButton>
        </div>
      </div>
    </Panel>
  );
}

export default function Scim() {
  const { t } = useI18n();
  const query = useList(oidcClients, '', 30_000);
  const bindings = useList(clusterRoleBindings);
  const refresh = useRefresh();
  const [connecting, setConnecting] = useState(false);
  const [shown, setShown] = useState<OidcClient | null>(null);
  const [rotating, setRotating] = useState<OidcClient | null>(null);
  const [deleting, setDeleting] = useState<OidcClient | null>(null);
  const rolesOf = (name: string) => (bindings.data ?? []).filter((binding: RoleBinding) => binding.subjects?.some((subject) => subject.kind === 'User' && subject.name === userOf(name))).map(({ roleRef }) => roleRef.name);
  const columns: Column<OidcClient>[] = [
    { id: 'name', header: t('clients.application'), sort: (c) => c.metadata.name, cell: (c) => <span className="strong mono name-cell">{c.metadata.name}</span> },
    { id: 'state', header: t('common.state'), cell: (c) => (c.spec.disabled ? <Badge>{t('state.disabled')}</Badge> : <Badge tone="good">{t('state.active')}</Badge>) },
    {
      id: 'rights',
      header: t('access.roles'),
      cell: (c) => {
        const roles = rolesOf(c.metadata.name);
        return roles.length > 0 || !bindings.data ? <span className="mono small break">{roles.join(', ') || '–'}</span> : <Badge tone="warn">{t('scim.noRights')}</Badge>;
      },
      rank: 2,
    },
    { id: 'used', header: t('clients.lastUsed'), sort: (c) => c.status?.lastUsed ?? '', cell: (c) => <Ago at={c.status?.lastUsed} />, rank: 2 },
    {
      id: 'actions',
      header: t('common.actions'),
      hideHeader: true,
      width: 'tight',
      cell: (c) => (
        <Menu trigger={<IconButton label={t('common.actionsFor', { name: c.metadata.name })} icon={Ellipsis} />}>
          <MenuItem icon={RefreshCw} onClick={() => setRotating(c)}>
            {t('clients.rotate')}
          </MenuItem>
          <MenuRule />
          <MenuItem icon={Trash2} danger onClick={() => setDeleting(c)}>
            {t('common.delete')}
          </MenuItem>
        </Menu>
      ),
    },
  ];
  const button = (
    <Button variant="primary" icon={Plus} onClick={() => setConnecting(true)}>
      {t('scim.connect')}
    </Button>
  );
  return (
    <>
      <AccessHeader text={t('scim.text')} actions={button} />
      <How />
      <Panel title={t('scim.clients')} flush>
        {query.error && !query.data ? (
          <ErrorView error={query.error} onRetry={() => void query.refetch()} />
        ) : (
          <Table
            caption={t('scim.clients')}
            columns={columns}
            rows={query.data?.filter(({ spec }) => spec.scopes?.includes('scim'))}
            rowKey={(c) => c.metadata.name}
            loadingRows={2}
            empty={
              <Empty icon={UserRoundCog} title={t('scim.empty')} action={button}>
                {t('scim.emptyText')}
              </Empty>
            }
          />
        )}
      </Panel>
      {connecting && <Connect onClose={() => setConnecting(false)} onMade={setShown} />}
      {shown && <Ready client={shown} onClose={() => setShown(null)} />}
      <Confirm
        open={rotating !== null}
        onClose={() => setRotating(null)}
        title={t('clients.rotateTitle', { name: rotating?.metadata.name ?? '' })}
        text={t('clients.rotateText')}
        action={t('clients.rotate')}
        onConfirm={async () => {
          if (rotating) setShown(await act<OidcClient>(oidcClients, 'rotate', rotating.metadata.name));
        }}
      />
      <Confirm
        open={deleting !== null}
        onClose={() => setDeleting(null)}
        title={t('objects.deleteTitle', { name: deleting?.metadata.name ?? '' })}
        text={t('scim.deleteText')}
        action={t('common.delete')}
        onConfirm={async () => {
          if (!deleting) return;
          const { name } = deleting.metadata;
          await remove(oidcClients, name);
          if (bindings.data?.some(({ metadata }) => metadata.name === bindingOf(name))) await remove(clusterRoleBindings, bindingOf(name));
          toast(t('objects.deleted', { name }));
          await Promise.all([refresh(oidcClients), refresh(clusterRoleBindings)]);
        }}
      />
    </>
  );
}
