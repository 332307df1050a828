// SPDX-License-Identifier: Apache-2.0
import { Ban, CircleCheck, Ellipsis, KeyRound, Plus, RefreshCw, Trash2 } from 'lucide-react';
import { useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { collectAudit, MODEL_CALL } from '../../api/audit';
import { useHas, useList, useRefresh } from '../../api/hooks';
import { apiKeys, patch, remove } from '../../api/kube';
import type { ApiKey } from '../../api/types';
import { useI18n } from '../../i18n';
import { agoIso, DAY_MS } from '../../lib/duration';
import { useNamespace } from '../../lib/namespace';
import { Button, IconButton } from '../../ui/Button';
import { Confirm } from '../../ui/Dialog';
import { Menu, MenuItem } from '../../ui/Menu';
import { Empty, ErrorView } from '../../ui/Notice';
import { PageHeader, Panel } from '../../ui/Page';
import { Badge } from '../../ui/Status';
import { type Column, Table } from '../../ui/Table';
import { Ago } from '../../ui/Time';
import { toast, toastError } from '../../ui/Toast';
import { CreateKey, KeyReady } from './CreateKey';
import './keys.css';
import { RotateKey } from './RotateKey';

const SOON_MS = 7 * DAY_MS;
const MAX_CALLS = 1000;

function KeyState({ apiKey }: { apiKey: ApiKey }) {
  const { t } = useI18n();
  const left = apiKey.spec.expiresAt ? Date.parse(apiKey.spec.expiresAt) - Date.now() : Infinity;
  if (left <= 0) return <Badge tone="bad">{t('keys.expired')}</Badge>;
  if (apiKey.spec.disabled) return <Badge>{t('state.disabled')}</Badge>;
  if (left < SOON_MS) return <Badge tone="warn">{t('keys.expiresSoon')}</Badge>;
  return <Badge tone="good">{t('state.active')}</Badge>;
}

/** Whose rights the key has, as `kubectl get` says it. */
function ownerOf({ spec }: ApiKey): string {
  return spec.serviceAccountName ? `sa/${spec.serviceAccountName}` : (spec.user ?? '');
}

/** The first of a list, and how many more there are. */
function FirstOf({ list, none }: { list: string[] | undefined; none: string }) {
  if (!list || list.length === 0 || list.includes('*')) return <span className="muted">{none}</span>;
  return (
    <span title={list.join('\n')}>
      <span className="mono small">{list[0]}</span>
      {list.length > 1 && <span className="muted small"> +{list.length - 1}</span>}
    </span>
  );
}

/** When each key last called a model, by its uid: as far as the newest calls of a month tell. */
function useLastUse(namespace: string) {
  const { data } = useQuery({
    queryKey: ['calls', 'keys', namespace],
    queryFn: ({ signal }) => collectAudit({ event: MODEL_CALL, namespace, since: agoIso(30 * DAY_MS) }, MAX_CALLS, signal),
    refetchInterval: 30_000,
  });
  return useMemo(() => {
    const last = new Map<string, string>();
    for (const { time, via, record } of data?.events ?? []) {
      const key = via === 'apikey' && record['drun.actor.key_id'];
      if (key && !last.has(key)) last.set(key, time);
    }
    return last;
  }, [data]);
}

const keyOf = ({ metadata }: ApiKey) => `${metadata.namespace}/${metadata.name}`;
const words = (key: ApiKey) => [key.metadata.name, key.metadata.namespace, ownerOf(key), key.status?.last4];

export default function Keys() {
  const { t, tn } = useI18n();
  const namespace = useNamespace();
  const query = useList(apiKeys, namespace, 30_000);
  const lastUse = useLastUse(namespace);
  const usedAt = (key: ApiKey) => [key.status?.lastUsed?.time ?? '', lastUse.get(key.metadata.uid ?? '') ?? ''].sort()[1] || undefined;
  const mayRotate = useHas('apikeys/rotate');
  const refresh = useRefresh();
  const [creating, setCreating] = useState(false);
  const [revoking, setRevoking] = useState<ApiKey[]>([]);
  const [rotating, setRotating] = useState<ApiKey | null>(null);
  const [ready, setReady] = useState<ApiKey | null>(null);
  const [marked, setMarked] = useState<string[]>([]);

  const setDisabled = async (key: ApiKey, disabled: boolean) => {
    try {
      await patch(apiKeys, key.metadata.name, key.metadata.namespace, { spec: { disabled } });
      toast(t(disabled ? 'keys.disabled' : 'keys.enabled', { name: key.metadata.name }));
    } catch (error) {
      toastError(t('error.change', { name: key.metadata.name }), error);
    }
    await refresh(apiKeys);
  };
  const markedKeys = (query.data ?? []).filter((key) => marked.includes(keyOf(key)));
  const revoke = async () => {
    for (const key of revoking) {
      await remove(apiKeys, key.metadata.name, key.metadata.namespace);
      setMarked((old) => old.filter((each) => each !== keyOf(key)));
    }
    toast(revoking.length === 1 ? t('keys.revoked', { name: revoking[0]?.metadata.name ?? '' }) : tn('keys.revokedMany', revoking.length));
    await refresh(apiKeys);
  };

  const columns: Column<ApiKey>[] = [
    {
      id: 'mark',
      header: t('keys.mark'),
      hideHeader: true,
      width: 'tight',
      cell: (k) => <input type="checkbox" className="mark" aria-label={t('keys.markOne', { name: k.metadata.name })} checked={marked.includes(keyOf(k))} onChange={(event) => setMarked(event.target.checked ? [...marked, keyOf(k)] : marked.filter((each) => each !== keyOf(k)))} />,
    },
    {
      id: 'name',
      header: t('common.name'),
      sort: (k) => k.metadata.name,
      cell: (k) => (
        <div>
          <div className="strong clip name-cell" title={k.metadata.name}>
            {k.metadata.name}
          </div>
          {k.status?.prefix && <div className="mono muted key-prefix">{k.status.prefix}…{k.status.last4}</div>}
        </div>
      ),
    },
    { id: 'namespace', header: t('common.namespace'), sort: (k) => k.metadata.namespace ?? '', cell: (k) => k.metadata.namespace, rank: 2 },
    { id: 'owner', header: t('keys.owner'), sort: ownerOf, cell: ownerOf, rank: 2 },
    { id: 'state', header: t('common.state'), cell: (k) => <KeyState apiKey={k} /> },
    { id: 'models', header: t('keys.models'), cell: (k) => <FirstOf list={k.spec.scopes?.models} none={t('keys.allModels')} />, rank: 2 },
    { id: 'cidrs', header: t('keys.cidrs'), cell: (k) => <FirstOf list={k.spec.scopes?.cidrs} none={t('keys.anywhere')} />, rank: 3 },
    { id: 'expires', header: t('keys.expires'), sort: (k) => k.spec.expiresAt ?? '9', cell: (k) => (k.spec.expiresAt ? <Ago at={k.spec.expiresAt} /> : <span className="muted">{t('keys.never')}</span>), rank: 2 },
    { id: 'used', header: t('keys.lastUsed'), sort: (k) => usedAt(k) ?? '', cell: (k) => (
        <span title={k.status?.lastUsed?.address}>
          <Ago at={usedAt(k)} />
        </span>
      ),
      rank: 3,
    },
    {
      id: 'actions',
      header: t('common.actions'),
      hideHeader: true,
      width: 'tight',
      cell: (k) => (
        <Menu trigger={<IconButton label={t('common.actionsFor', { name: k.metadata.name })} icon={Ellipsis} />}>
          {k.spec.disabled ? (
            <MenuItem icon={CircleCheck} onClick={() => void setDisabled(k, false)}>
              {t('common.enable')}
            </MenuItem>
          ) : (
            <MenuItem icon={Ban} onClick={() => void setDisabled(k, true)}>
              {t('common.disable')}
            </MenuItem>
          )}
          {mayRotate && (
            <MenuItem icon={RefreshCw} onClick={() => setRotating(k)}>
              {t('keys.rotate')}
            </MenuItem>
          )}
          <MenuItem icon={Trash2} danger onClick={() => setRevoking([k])}>
            {t('keys.revoke')}
          </MenuItem>
        </Menu>
      ),
    },
  ];
  const createButton = (
    <Button variant="primary" icon={Plus} onClick={() => setCreating(true)}>
      {t('keys.create')}
    </Button>
  );
  return (
    <>
      <PageHeader title={t('nav.keys')} text={t('keys.text')} actions={createButton} />
      {markedKeys.length > 0 && (
        <div className="marked" role="status">
          <span>{tn('keys.marked', markedKeys.length)}</span>
          <Button small onClick={() => setMarked([])}>
            {t('keys.unmark')}
          </Button>
          <Button small variant="danger" icon={Trash2} onClick={() => setRevoking(markedKeys)}>
            {t('keys.revokeMarked')}
          </Button>
        </div>
      )}
      <Panel flush>
        {query.error && !query.data ? (
          <ErrorView error={query.error} onRetry={() => void query.refetch()} />
        ) : (
          <Table
            caption={t('nav.keys')}
            columns={columns}
            rows={query.data}
            rowKey={keyOf}
            words={words}
            empty={
              <Empty icon={KeyRound} title={t('keys.empty')} action={createButton}>
                {t('keys.emptyHelp')}
              </Empty>
            }
          />
        )}
      </Panel>
      {creating && <CreateKey onClose={() => setCreating(false)} />}
      {rotating && (
        <RotateKey
          apiKey={rotating}
          onClose={() => setRotating(null)}
          onDone={(made) => {
            setRotating(null);
            setReady(made);
          }}
        />
      )}
      {ready && <KeyReady apiKey={ready} onClose={() => setReady(null)} />}
      <Confirm
        open={revoking.length > 0}
        onClose={() => setRevoking([])}
        title={revoking.length === 1 ? t('keys.revokeTitle', { name: revoking[0]?.metadata.name ?? '' }) : tn('keys.revokeManyTitle', revoking.length)}
        text={t('keys.revokeText')}
        action={t('keys.revoke')}
        onConfirm={revoke}
      />
    </>
  );
}
