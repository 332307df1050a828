// SPDX-License-Identifier: Apache-2.0
// Kinds whose objects are written as they are: a list, and an editor of the object itself. The server explains faults.
import { Ellipsis, type LucideIcon, Pencil, Plus, ShieldCheck, Trash2 } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import { useParams } from 'wouter';
import { useList, useRefresh } from '../../api/hooks';
import { create, remove, replace, type Resource, trustedIssuers } from '../../api/kube';
import type { AnyObject } from '../../api/types';
import { type PlainKey, useI18n } from '../../i18n';
import { Button, IconButton } from '../../ui/Button';
import { Confirm, Dialog } from '../../ui/Dialog';
import { TextArea } from '../../ui/Field';
import { Menu, MenuItem, MenuRule } from '../../ui/Menu';
import { Empty, ErrorNotice, ErrorView } from '../../ui/Notice';
import { Panel } from '../../ui/Page';
import { Badge } from '../../ui/Status';
import { type Column, Table } from '../../ui/Table';
import { useTask } from '../../ui/task';
import { Ago } from '../../ui/Time';
import { toast } from '../../ui/Toast';
import { AccessHeader } from '../access/AccessHeader';

interface Kind {
  resource: Resource<AnyObject>;
  title: PlainKey;
  text: PlainKey;
  empty: PlainKey;
  icon: LucideIcon;
  /** what the list shows of an object beside its name */
  about: (spec: Record<string, unknown>) => unknown;
  template: object;
}

const KINDS: Record<string, Kind> = {
  issuers: {
    resource: trustedIssuers,
    title: 'objects.issuers',
    text: 'objects.issuersText',
    empty: 'objects.noIssuers',
    icon: ShieldCheck,
    about: (spec) => spec.issuer,
    template: {
      metadata: { name: 'ci' },
      spec: {
        issuer: 'https://token.actions.example',
        jwksUri: 'https://token.actions.example/.well-known/jwks',
        audiences: [window.location.origin],
        rules: [{ subject: 'repo:example/app:ref:refs/heads/main', serviceAccount: { namespace: 'default', name: 'deployer' } }],
      },
    },
  },
};

/** What a person writes: without what the server keeps for itself. */
function draftOf({ metadata, spec }: AnyObject): object {
  const { name, labels, annotations } = metadata;
  return { metadata: { name, ...(labels && { labels }), ...(annotations && { annotations }) }, spec };
}

function Editor({ kind, object, onClose }: { kind: Kind; object?: AnyObject; onClose: () => void }) {
  const { t } = useI18n();
  const refresh = useRefresh();
  const [text, setText] = useState(() => JSON.stringify(object ? draftOf(object) : kind.template, null, 2));
  const [broken, setBroken] = useState<string | undefined>();
  const { busy, error, run } = useTask();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    let draft: AnyObject;
    try {
      draft = JSON.parse(text) as AnyObject;
    } catch (cause) {
      setBroken(t('objects.broken', { why: cause instanceof Error ? cause.message : '' }));
      return;
    }
    setBroken(undefined);
    void run(async () => {
      // The version that was read: a change of somebody else in between is not overwritten.
      if (object) await replace(kind.resource, { ...draft, apiVersion: object.apiVersion, kind: object.kind, metadata: { ...draft.metadata, name: object.metadata.name, resourceVersion: object.metadata.resourceVersion } });
      else await create(kind.resource, draft);
      toast(t(object ? 'objects.changed' : 'objects.created', { name: object?.metadata.name ?? draft.metadata.name }));
      await refresh(kind.resource);
      onClose();
    });
  };
  return (
    <Dialog
      open
      wide
      onClose={onClose}
      title={object ? object.metadata.name : t('objects.new', { kind: kind.resource.kind })}
      description={t('objects.editText')}
      footer={
        <>
          <Button onClick={onClose}>{t('common.cancel')}</Button>
          <Button variant="primary" type="submit" form="edit-object" busy={busy}>
            {t(object ? 'common.save' : 'common.create')}
          </Button>
        </>
      }
    >
      <form id="edit-object" className="stack" onSubmit={submit}>
        {error !== null && <ErrorNotice error={error} />}
        <TextArea label={t('objects.object', { kind: kind.resource.kind })} mono rows={18} spellCheck={false} value={text} error={broken} onChange={(event) => setText(event.target.value)} />
      </form>
    </Dialog>
  );
}

function ObjectList({ kind }: { kind: Kind }) {
  const { t } = useI18n();
  const query = useList(kind.resource, '', 30_000);
  const refresh = useRefresh();
  const [creating, setCreating] = useState(false);
  const [editing, setEditing] = useState<AnyObject | null>(null);
  const [deleting, setDeleting] = useState<AnyObject | null>(null);
  const columns: Column<AnyObject>[] = [
    {
      id: 'name',
      header: t('common.name'),
      sort: (o) => o.metadata.name,
      cell: (o) => (
        <button type="button" className="primary-cell clip name-cell" onClick={() => setEditing(o)}>
          {o.metadata.name}
        </button>
      ),
    },
    { id: 'state', header: t('common.state'), cell: (o) => (o.spec.disabled === true ? <Badge>{t('state.disabled')}</Badge> : <Badge tone="good">{t('state.active')}</Badge>) },
    { id: 'about', header: t('objects.about'), cell: (o) => <span className="mono small break">{String(kind.about(o.spec) ?? '–')}</span>, rank: 2, width: 'wide' },
    { id: 'created', header: t('common.created'), sort: (o) => o.metadata.creationTimestamp ?? '', cell: (o) => <Ago at={o.metadata.creationTimestamp} />, rank: 2 },
    {
      id: 'actions',
      header: t('common.actions'),
      hideHeader: true,
      width: 'tight',
      cell: (o) => (
        <Menu trigger={<IconButton label={t('common.actionsFor', { name: o.metadata.name })} icon={Ellipsis} />}>
          <MenuItem icon={Pencil} onClick={() => setEditing(o)}>
            {t('common.edit')}
          </MenuItem>
          <MenuRule />
          <MenuItem icon={Trash2} danger onClick={() => setDeleting(o)}>
            {t('common.delete')}
          </MenuItem>
        </Menu>
      ),
    },
  ];
  const createButton = (
    <Button variant="primary" icon={Plus} onClick={() => setCreating(true)}>
      {t('common.create')}
    </Button>
  );
  return (
    <>
      <AccessHeader text={t(kind.text)} actions={createButton} />
      <Panel flush>
        {query.error && !query.data ? (
          <ErrorView error={query.error} onRetry={() => void query.refetch()} />
        ) : (
          <Table caption={t(kind.title)} columns={columns} rows={query.data} rowKey={(o) => o.metadata.name} words={(o) => [o.metadata.name]} empty={<Empty icon={kind.icon} title={t(kind.empty)} action={createButton} />} />
        )}
      </Panel>
      {creating && <Editor kind={kind} onClose={() => setCreating(false)} />}
      {editing && <Editor kind={kind} object={editing} onClose={() => setEditing(null)} />}
      <Confirm
        open={deleting !== null}
        onClose={() => setDeleting(null)}
        title={t('objects.deleteTitle', { name: deleting?.metadata.name ?? '' })}
        text={t('objects.deleteText')}
        action={t('common.delete')}
        onConfirm={async () => {
          if (!deleting) return;
          await remove(kind.resource, deleting.metadata.name);
          toast(t('objects.deleted', { name: deleting.metadata.name }));
          await refresh(kind.resource);
        }}
      />
    </>
  );
}

export default function Objects() {
  const { kind } = useParams<{ kind: string }>();
  const { t } = useI18n();
  const known = KINDS[kind];
  if (!known) return <AccessHeader text={t('notFound.text')} />;
  return <ObjectList key={kind} kind={known} />;
}
