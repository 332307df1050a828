// SPDX-License-Identifier: Apache-2.0
// Applications that sign people in here, and programs with credentials of their own.
import { AppWindow, Ban, CircleCheck, Ellipsis, Pencil, Plus, RefreshCw, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { useList, useRefresh } from '../../api/hooks';
import { act, oidcClients, patch, remove } from '../../api/kube';
import type { OidcClient } from '../../api/types';
import { useI18n } from '../../i18n';
import { Button, IconButton } from '../../ui/Button';
import { Confirm } from '../../ui/Dialog';
import { Menu, MenuItem, MenuRule } from '../../ui/Menu';
import { Empty, ErrorView } from '../../ui/Notice';
import { Panel } from '../../ui/Page';
import { Badge } from '../../ui/Status';
import { type Column, Table } from '../../ui/Table';
import { Ago } from '../../ui/Time';
import { toast, toastError } from '../../ui/Toast';
import { AccessHeader } from '../access/AccessHeader';
import { ClientSecret } from './ClientSecret';
import { EditClient, hasSecret } from './EditClient';
import { GRANTS } from './grants';

const words = ({ metadata, spec }: OidcClient) => [metadata.name, spec.displayName, ...(spec.redirectUris ?? [])];

export default function Clients() {
  const { t } = useI18n();
  const query = useList(oidcClients, '', 30_000);
  const refresh = useRefresh();
  const [creating, setCreating] = useState(false);
  const [editing, setEditing] = useState<OidcClient | null>(null);
  const [rotating, setRotating] = useState<OidcClient | null>(null);
  const [deleting, setDeleting] = useState<OidcClient | null>(null);
  const [shown, setShown] = useState<OidcClient | null>(null);

  const setDisabled = async (client: OidcClient, disabled: boolean) => {
    try {
      await patch(oidcClients, client.metadata.name, undefined, { spec: { disabled } });
      toast(t(disabled ? 'clients.disabled' : 'clients.enabled', { name: client.metadata.name }));
    } catch (error) {
      toastError(t('error.change', { name: client.metadata.name }), error);
    }
    await refresh(oidcClients);
  };
  const grantsOf = (client: OidcClient) =>
    (client.spec.grantTypes ?? []).map((grant) => {
      const known = GRANTS.find(({ value }) => value === grant);
      return known ? t(known.label) : grant;
    });
  const columns: Column<OidcClient>[] = [
    {
      id: 'name',
      header: t('clients.application'),
      sort: (c) => c.metadata.name,
      cell: (c) => (
        <div className="name-cell" title={c.metadata.name}>
          <button type="button" className="primary-cell clip" onClick={() => setEditing(c)}>
            {c.spec.displayName || c.metadata.name}
          </button>
          <div className="muted small mono clip">{c.metadata.name}</div>
        </div>
      ),
    },
    { id: 'state', header: t('common.state'), cell: (c) => (c.spec.disabled ? <Badge>{t('state.disabled')}</Badge> : <Badge tone="good">{t('state.active')}</Badge>) },
    { id: 'type', header: t('clients.type'), cell: (c) => t(c.spec.public ? 'clients.public' : 'clients.confidential'), rank: 2 },
    { id: 'grants', header: t('clients.grants'), cell: (c) => <span className="clip text-cell" title={grantsOf(c).join('\n')}>{grantsOf(c).join(', ')}</span>, rank: 3 },
    { id: 'scopes', header: t('clients.scopes'), cell: (c) => <span className="mono small clip text-cell" title={c.spec.scopes?.join(' ')}>{c.spec.scopes?.join(' ')}</span>, rank: 3 },
    { id: 'used', header: t('clients.lastUsed'), sort: (c) => c.status?.lastUsed ?? '', cell: (c) => <Ago at={c.status?.lastUsed} />, rank: 2 },
    {
      id: 'actions',
      header: t('common.actions'),
      hideHeader: true,
      width: 'tight',
      cell: (c) => (
        <Menu trigger={<IconButton label={t('common.actionsFor', { name: c.metadata.name })} icon={Ellipsis} />}>
          <MenuItem icon={Pencil} onClick={() => setEditing(c)}>
            {t('common.edit')}
          </MenuItem>
          {hasSecret(c.spec) && (
            <MenuItem icon={RefreshCw} onClick={() => setRotating(c)}>
              {t('clients.rotate')}
            </MenuItem>
          )}
          <MenuRule />
          <MenuItem icon={c.spec.disabled ? CircleCheck : Ban} onClick={() => void setDisabled(c, !c.spec.disabled)}>
            {t(c.spec.disabled ? 'common.enable' : 'common.disable')}
          </MenuItem>
          <MenuItem icon={Trash2} danger onClick={() => setDeleting(c)}>
            {t('common.delete')}
          </MenuItem>
        </Menu>
      ),
    },
  ];
  const createButton = (
    <Button variant="primary" icon={Plus} onClick={() => setCreating(true)}>
      {t('clients.create')}
    </Button>
  );
  return (
    <>
      <AccessHeader text={t('clients.text')} actions={createButton} />
      <Panel flush>
        {query.error && !query.data ? (
          <ErrorView error={query.error} onRetry={() => void query.refetch()} />
        ) : (
          <Table
            caption={t('clients.title')}
            columns={columns}
            rows={query.data}
            rowKey={(c) => c.metadata.name}
            words={words}
            empty={
              <Empty icon={AppWindow} title={t('clients.empty')} action={createButton}>
                {t('clients.emptyHelp')}
              </Empty>
            }
          />
        )}
      </Panel>
      {creating && <EditClient onClose={() => setCreating(false)} onMade={setShown} />}
      {editing && <EditClient client={editing} onClose={() => setEditing(null)} onMade={setShown} />}
      {shown && <ClientSecret client={shown} onClose={() => setShown(null)} />}
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
        title={t('clients.deleteTitle', { name: deleting?.metadata.name ?? '' })}
        text={t('clients.deleteText')}
        action={t('common.delete')}
        onConfirm={async () => {
          if (!deleting) return;
          await remove(oidcClients, deleting.metadata.name);
          toast(t('clients.deleted', { name: deleting.metadata.name }));
          await refresh(oidcClients);
        }}
      />
    </>
  );
}
