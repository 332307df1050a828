// SPDX-License-Identifier: Apache-2.0
// Where else people may sign in: whether each answers, and what can be done with it.
import { Ban, Building2, CircleCheck, Ellipsis, Network, Pencil, Plus, RefreshCw, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { Link, useLocation } from 'wouter';
import { useList, useRefresh } from '../../api/hooks';
import { identityProviders, patch, remove } from '../../api/kube';
import type { IdentityProvider } from '../../api/types';
import { useI18n } from '../../i18n';
import { Button, IconButton } from '../../ui/Button';
import { Confirm } from '../../ui/Dialog';
import { Menu, MenuItem, MenuRule } from '../../ui/Menu';
import { Empty, ErrorView } from '../../ui/Notice';
import { Panel } from '../../ui/Page';
import { type Column, Table } from '../../ui/Table';
import { toast, toastError } from '../../ui/Toast';
import { AccessHeader } from '../access/AccessHeader';
import { checkNow, conditionOf, ProviderState, titleOf } from './state';

const words = ({ metadata, spec }: IdentityProvider) => [metadata.name, spec.displayName, spec.oidc?.issuer, spec.ldap?.url, ...(spec.domains ?? [])];

export default function Providers() {
  const { t } = useI18n();
  const [, navigate] = useLocation();
  const query = useList(identityProviders, '', 30_000);
  const refresh = useRefresh();
  const [deleting, setDeleting] = useState<IdentityProvider | null>(null);
  const [checking, setChecking] = useState<string | null>(null);
  const edit = (p: IdentityProvider) => navigate(`/access/providers/${p.metadata.name}`);

  const check = async (p: IdentityProvider) => {
    setChecking(p.metadata.name);
    try {
      const condition = conditionOf(await checkNow(p.metadata.name));
      if (condition?.status === 'True') toast(t('providers.answers', { name: titleOf(p) }));
      else toastError(t('providers.answersNot', { name: titleOf(p) }), condition?.message ?? '');
    } catch (error) {
      toastError(t('providers.answersNot', { name: titleOf(p) }), error);
    }
    setChecking(null);
    await refresh(identityProviders);
  };
  const setDisabled = async (p: IdentityProvider, disabled: boolean) => {
    try {
      await patch(identityProviders, p.metadata.name, undefined, { spec: { disabled } });
      toast(t(disabled ? 'providers.disabled' : 'providers.enabled', { name: titleOf(p) }));
    } catch (error) {
      toastError(t('error.change', { name: p.metadata.name }), error);
    }
    await refresh(identityProviders);
  };
  const columns: Column<IdentityProvider>[] = [
    {
      id: 'name',
      header: t('common.name'),
      sort: titleOf,
      cell: (p) => (
        <div className="name-cell" title={p.metadata.name}>
          <Link href={`/access/providers/${p.metadata.name}`} className="primary-cell clip">
            {titleOf(p)}
          </Link>
          <div className="muted small mono clip">{p.metadata.name}</div>
        </div>
      ),
    },
    { id: 'state', header: t('common.state'), cell: (p) => <ProviderState provider={p} busy={checking === p.metadata.name} /> },
    { id: 'type', header: t('providers.type'), sort: (p) => (p.spec.ldap ? 'ldap' : 'oidc'), cell: (p) => t(p.spec.ldap ? 'providers.ldap' : 'providers.oidc'), rank: 2 },
    { id: 'where', header: t('providers.where'), cell: (p) => <span className="mono small break">{p.spec.oidc?.issuer ?? p.spec.ldap?.url}</span>, rank: 2, width: 'wide' },
    { id: 'domains', header: t('providers.domains'), cell: (p) => <span className="mono small clip text-cell" title={p.spec.domains?.join('\n')}>{p.spec.domains?.join(', ') || '–'}</span>, rank: 3 },
    { id: 'groups', header: t('providers.rules'), align: 'right', cell: (p) => <span className="num">{p.spec.mapping?.groups?.length ?? 0}</span>, rank: 3 },
    {
      id: 'actions',
      header: t('common.actions'),
      hideHeader: true,
      width: 'tight',
      cell: (p) => (
        <Menu trigger={<IconButton label={t('common.actionsFor', { name: p.metadata.name })} icon={Ellipsis} />}>
          <MenuItem icon={Pencil} onClick={() => edit(p)}>
            {t('common.edit')}
          </MenuItem>
          <MenuItem icon={RefreshCw} disabled={p.spec.disabled} onClick={() => void check(p)}>
            {t('providers.check')}
          </MenuItem>
          <MenuRule />
          <MenuItem icon={p.spec.disabled ? CircleCheck : Ban} onClick={() => void setDisabled(p, !p.spec.disabled)}>
            {t(p.spec.disabled ? 'common.enable' : 'common.disable')}
          </MenuItem>
          <MenuItem icon={Trash2} danger onClick={() => setDeleting(p)}>
            {t('common.delete')}
          </MenuItem>
        </Menu>
      ),
    },
  ];
  const createMenu = (
    <Menu
      trigger={
        <Button variant="primary" icon={Plus}>
          {t('providers.add')}
        </Button>
      }
    >
      <MenuItem icon={Building2} onClick={() => navigate('/access/new-provider/oidc')}>
        {t('providers.oidc')}
      </MenuItem>
      <MenuItem icon={Network} onClick={() => navigate('/access/new-provider/ldap')}>
        {t('providers.ldap')}
      </MenuItem>
    </Menu>
  );
  return (
    <>
      <AccessHeader text={t('providers.text')} actions={createMenu} />
      <Panel flush>
        {query.error && !query.data ? (
          <ErrorView error={query.error} onRetry={() => void query.refetch()} />
        ) : (
          <Table
            caption={t('objects.providers')}
            columns={columns}
            rows={query.data}
            rowKey={(p) => p.metadata.name}
            words={words}
            onRow={edit}
            empty={
              <Empty icon={Building2} title={t('providers.empty')}>
                {t('providers.emptyHelp')}
              </Empty>
            }
          />
        )}
      </Panel>
      <Confirm
        open={deleting !== null}
        onClose={() => setDeleting(null)}
        title={t('objects.deleteTitle', { name: deleting ? titleOf(deleting) : '' })}
        text={t('providers.deleteText')}
        action={t('common.delete')}
        onConfirm={async () => {
          if (!deleting) return;
          await remove(identityProviders, deleting.metadata.name);
          toast(t('objects.deleted', { name: titleOf(deleting) }));
          await refresh(identityProviders);
        }}
      />
    </>
  );
}
